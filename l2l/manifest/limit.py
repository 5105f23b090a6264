"""Where a data set counts as too damaged to go on."""

from collections.abc import Sequence
from pathlib import Path

from l2l.config import ManifestConfig
from l2l.errors import BadInput
from l2l.manifest.artifact import Video, write_videos
from l2l.stores import remove

NAMED = 3


def check_usable(videos: Sequence[Video], table: Path, config: ManifestConfig, when: str) -> None:
    """Stop where more than `max_bad_fraction` of the videos are unusable, with the table that says
    why beside `table`.

    Raises:
        BadInput: naming how many, the first of them, and the table: that of `table` with `.refused`
            before its suffix.
    """
    beside = table.with_suffix(".refused" + table.suffix)
    bad = [video for video in videos if not video.usable]
    if videos and len(bad) <= config.max_bad_fraction * len(videos):
        remove(beside)
        return
    write_videos(beside, sorted(videos, key=lambda video: video.usable))  # the bad ones first
    if not videos:
        raise BadInput(f"no videos at all {when}; see {beside}")
    first = ", ".join(f"{video.video!r} ({video.status}: {video.reason})" for video in bad[:NAMED])
    raise BadInput(
        f"{len(bad)} of {len(videos)} videos are unusable {when}, more than "
        "manifest.max_bad_fraction "
        f"{config.max_bad_fraction:g}: {first}{', ...' if len(bad) > NAMED else ''}; all of them, "
        f"with reasons, head {beside}; "
        "mend them, or raise that number"
    )
