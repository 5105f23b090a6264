"""Decode the videos of a shard; gather what became of all of them."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Literal

from l2l.config import ManifestConfig, MediaConfig
from l2l.manifest.artifact import Video, read_videos, write_videos
from l2l.manifest.limit import check_usable
from l2l.media.artifact import read_media, write_media
from l2l.media.decode import decode
from l2l.media.decoded import Decoded
from l2l.media.ffmpeg import ffmpeg_version
from l2l.shards import check_videos
from l2l.stores import MADE_BY


def decode_videos(
    manifest: Path,
    media: Path,
    config: MediaConfig,
    role: Literal["source", "target", "both"],
    threads: int = 1,
) -> None:
    """Decode every usable video of a shard to pictures at 30 fps grid times and 16 kHz mono sound,
    HDF5.

    Args:
        manifest: the shard's table of videos.
        media: the HDF5 file to write.
        config: size and spacing of the pictures, quality, time limit.
        role: the data set's; a source whose clips are stored keeps all pictures of its clips, else
            the first of each moment.
        threads: videos decoded at once, each by one ffmpeg with one thread.
    """
    videos = read_videos(manifest)
    clips_stored = role != "target" and config.clips == "stored"
    made_by = f"{MADE_BY} with ffmpeg {ffmpeg_version()}"
    with write_media(media, config, clips_stored, made_by) as writer:
        for video, decoded in _decode_in_order(videos, config, clips_stored, threads):
            if decoded is None:
                writer.add_unusable(video, video.status, video.reason)
            else:  # what was remarked when it was listed holds still
                writer.add(
                    video,
                    replace(
                        decoded, reason="; ".join(filter(None, [decoded.reason, video.reason]))
                    ),
                )


def collect_statuses(
    manifest: Path, media: list[Path], videos: Path, config: ManifestConfig
) -> None:
    """Write the table of videos again, with the state in which each was found when it was decoded.

    Args:
        manifest: the table of all videos, in whose order the new one is.
        media: the media files of all its shards.
        videos: the table to write.
        config: how many videos may be unusable.

    Raises:
        BadInput: if more are, the table being written beside with `.refused` in its name; or if the
            media files lack a video.
    """
    states: dict[str, tuple[str, str]] = {}
    for path in media:
        with read_media(path) as shard:
            states |= shard.statuses
    listed = read_videos(manifest)
    check_videos(media[0].parent, states, [video.video for video in listed])
    final = [
        video._replace(status=states[video.video][0], reason=states[video.video][1])
        for video in listed
    ]
    check_usable(final, videos, config, "after decoding")
    write_videos(videos, final)


def _decode_in_order(
    videos: list[Video], config: MediaConfig, clips_stored: bool, threads: int
) -> Iterator[tuple[Video, Decoded | None]]:
    """Each video with what it decodes to, None if it is known to be unusable.

    One more than `threads` are held at once.
    """
    waiting: deque[tuple[Video, Future[Decoded] | None]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for video in videos:
            waiting.append(
                (video, pool.submit(_decode, video, config, clips_stored) if video.usable else None)
            )
            if len(waiting) > threads:
                yield _first(waiting)
        while waiting:
            yield _first(waiting)


def _first(waiting: deque[tuple[Video, Future[Decoded] | None]]) -> tuple[Video, Decoded | None]:
    video, future = waiting.popleft()
    return video, future.result() if future else None


def _decode(video: Video, config: MediaConfig, clips_stored: bool) -> Decoded:
    wanted: Literal["clips", "moments"] = "clips" if clips_stored else "moments"
    streams = video.video_stream, video.audio_stream
    return decode(video.path, config, *streams, video.duration_seconds, wanted, video.fingerprint)
