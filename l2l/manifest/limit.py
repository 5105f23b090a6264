"""How many videos of a data set may be unusable."""

from collections.abc import Sequence
from pathlib import Path

from l2l.config import ManifestConfig
from l2l.errors import BadInput
from l2l.manifest.artifact import Video, write_videos
from l2l.stores import remove

NAMED = 3


def check_usable(videos: Sequence[Video], table: Path, config: ManifestConfig, when: str) -> None:
    """Stop if more than `max_bad_fraction` of the videos are unusable.

    Args:
        videos: of one data set.
        table: the table that would be written. A table next to it with `.refused` before its
            suffix has every video with its status and reason, the unusable ones first.
        config: the allowed fraction.
        when: in the chain, for the message.

    Raises:
        BadInput: with the number of unusable videos, the first of them, and the table.
    """
    refused = table.with_suffix(".refused" + table.suffix)
    unusable = [video for video in videos if not video.usable]
    if videos and len(unusable) <= config.max_bad_fraction * len(videos):
        remove(refused)
        return
    write_videos(refused, sorted(videos, key=lambda video: video.usable))
    if not videos:
        raise BadInput(f"no videos {when}; see {refused}")
    first = [f"{video.video!r} ({video.status}: {video.reason})" for video in unusable[:NAMED]]
    more = ", ..." if len(unusable) > NAMED else ""
    raise BadInput(
        f"{len(unusable)} of {len(videos)} videos are unusable {when}, more than "
        f"manifest.max_bad_fraction {config.max_bad_fraction:g} allows: {', '.join(first)}{more}; "
        f"{refused} lists all of them with the reasons; repair or remove them, or raise that number"
    )
