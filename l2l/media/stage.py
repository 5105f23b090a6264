"""Decode the videos of a shard; collect the statuses of all videos."""

import sys
import textwrap
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Literal

from l2l.config import ManifestConfig, MediaConfig
from l2l.manifest.artifact import Video, read_videos, write_videos
from l2l.manifest.limit import check_usable
from l2l.media.artifact import read_listed_media, write_media
from l2l.media.decode import decode
from l2l.media.decoded import Decoded
from l2l.media.ffmpeg import check_ffmpeg
from l2l.progress import counted
from l2l.shards import check_videos
from l2l.stores import MADE_BY

# Of the line about the work that was done, however many complaints there are.
SHOWN_REASONS, REASON_CHARACTERS = 5, 100


def decode_videos(
    manifest: Path,
    media: Path,
    config: MediaConfig,
    role: Literal["source", "target", "both", "finetuned"],
    threads: int = 1,
) -> None:
    """Decode every usable video of a shard to pictures at 30 fps grid times and 16 kHz mono sound,
    HDF5.

    Args:
        manifest: the shard's table of videos.
        media: the HDF5 file to write.
        config: size and spacing of the pictures, quality, time limit.
        role: of the data set; `finetuned`, if a teacher is fine-tuned on its clips. For that, and
            for a source whose clips are stored, all pictures of its clips are kept, otherwise the
            first of each moment.
        threads: videos decoded at the same time, each by one ffmpeg with one thread.

    Raises:
        BadInput: if ffmpeg does not work, before any video is decoded.
        MachineError: if the machine did not give ffmpeg what it needs.
    """
    made_by = f"{MADE_BY} with ffmpeg {check_ffmpeg()}"
    videos = read_videos(manifest)
    counts, not_skipped = Counter[str](), Counter[str]()
    clips_stored = role == "finetuned" or (role != "target" and config.clips == "stored")
    with write_media(media, config, clips_stored, made_by) as writer:
        for video, decoded in counted(
            _decode_in_order(videos, config, clips_stored, threads), len(videos)
        ):
            if decoded is None:
                writer.add_unusable(video, video.status, video.reason)
            else:  # the remarks from listing still hold
                reason = "; ".join(filter(None, [decoded.reason, video.reason]))
                writer.add(video, replace(decoded, reason=reason))
                counts.update(decoded=decoded.frames_decoded, total=decoded.frames_total, videos=1)
                not_skipped[decoded.not_skipped] += bool(decoded.not_skipped)
    print(_describe_work(counts, not_skipped), file=sys.stderr)


def _describe_work(counts: Counter[str], not_skipped: Counter[str]) -> str:
    """How many pictures were decoded, and why all of them where they could not be skipped."""
    line = (
        f"decoded {counts['decoded']:,} of {counts['total']:,} pictures of {counts['videos']:,} "
        "videos"
    )
    counted = [(why, videos) for why, videos in not_skipped.most_common() if why]
    reasons = [
        f"{textwrap.shorten(why, REASON_CHARACTERS, placeholder='...')}: {videos}"
        for why, videos in counted[:SHOWN_REASONS]
    ]
    if others := sum(videos for _, videos in counted[SHOWN_REASONS:]):
        reasons.append(f"other reasons: {others}")
    return f"{line}; all pictures where {'; '.join(reasons)}" if reasons else line


def collect_statuses(
    manifest: Path, media: list[Path], videos: Path, config: ManifestConfig
) -> None:
    """Write the table of videos again, with the status that each video had when it was decoded.

    Args:
        manifest: the table of all videos; the new one has the same order.
        media: the media files of all its shards.
        videos: the table to write.
        config: how many videos may be unusable.

    Raises:
        BadInput: if more are unusable; the table is then written with `.refused` in its name. Or if
            the media files lack a video, or were made of another content of one.
    """
    listed = read_videos(manifest)
    read = read_listed_media(listed)
    statuses: dict[str, tuple[str, str]] = {}
    for path in media:
        with read(path) as shard:
            statuses |= shard.statuses
    check_videos(media[0].parent, statuses, [video.video for video in listed])
    final = [
        video._replace(status=statuses[video.video][0], reason=statuses[video.video][1])
        for video in listed
    ]
    check_usable(final, videos, config, "after decoding")
    write_videos(videos, final)


def _decode_in_order(
    videos: list[Video], config: MediaConfig, clips_stored: bool, threads: int
) -> Iterator[tuple[Video, Decoded | None]]:
    """Each video with what was decoded, None if it is known to be unusable.

    At most one more than `threads` are held in memory.
    """
    waiting: deque[tuple[Video, Future[Decoded] | None]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for video in videos:
                future = pool.submit(_decode, video, config, clips_stored) if video.usable else None
                waiting.append((video, future))
                if len(waiting) > threads:
                    yield _first(waiting)
            while waiting:
                yield _first(waiting)
        finally:  # after an error or Ctrl-C the others are not begun
            pool.shutdown(wait=False, cancel_futures=True)


def _first(waiting: deque[tuple[Video, Future[Decoded] | None]]) -> tuple[Video, Decoded | None]:
    video, future = waiting.popleft()
    return video, future.result() if future else None


def _decode(video: Video, config: MediaConfig, clips_stored: bool) -> Decoded:
    return decode(video.source, config, "clips" if clips_stored else "moments", config.jpeg_quality)
