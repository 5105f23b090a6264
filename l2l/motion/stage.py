"""From a shard's videos to their motion."""

import math
from collections.abc import Iterator
from pathlib import Path

from l2l.config import MediaConfig, MotionConfig
from l2l.errors import BadInput, MachineError
from l2l.manifest.artifact import Video, read_videos
from l2l.manifest.source import Source
from l2l.media.artifact import MediaReader, read_listed_media
from l2l.media.by_ffmpeg import MIN_ZERO_BYTES, fingerprint_now, size_without_zeros
from l2l.media.ffmpeg import FfmpegStopped
from l2l.motion.artifact import Motion, write_motion
from l2l.motion.cells import CellReader
from l2l.motion.proxy import TIME_FACTOR, check_encoder, code_proxy
from l2l.progress import counted
from l2l.shards import check_videos
from l2l.stores import MADE_BY

# For the last bytes of a proxy to be read, once they are coded.
LAST_SECONDS = 60.0


def extract_motion(manifest: Path, media: Path, motion: Path, config: MotionConfig) -> None:
    """Code each usable video of a shard again as MPEG-4, and keep how each cell of 16 x 16 pixels
    moved and what the prediction left, HDF5.

    Args:
        manifest: the shard's table of videos.
        media: the shard's media: which videos are usable, their length, the crop.
        motion: the HDF5 file to write.
        config: the proxy's size, pictures and quality.

    Raises:
        BadInput: if ffmpeg lacks the encoder, before any video is coded; or if a video is not the
            one that the media were made of.
        MachineError: if the machine did not give the programs what they need.
    """
    made_by = f"{MADE_BY} with ffmpeg {check_encoder()}"
    videos = read_videos(manifest)
    with (
        read_listed_media(videos)(media) as shard,
        CellReader(config) as cells,
        write_motion(motion, config, shard.config, made_by, videos) as writer,
    ):
        check_videos(media, set(shard.statuses), [video.video for video in videos])
        for video in counted(videos, len(videos)):
            if shard.moments(video.video):
                writer.add(video.video, _motion_of(video, media, shard, cells, config))


def _motion_of(
    video: Video, media: Path, shard: MediaReader, cells: CellReader, config: MotionConfig
) -> Motion:
    """The motion of the pictures that belong to the moments of a video."""
    source, ticks = video.source, shard.grid_frames(video.video)
    if source.fingerprint and source.fingerprint != fingerprint_now(source.path):
        raise BadInput(
            f"{source.path}: it is missing, or changed since it was listed; run snakemake again"
        )
    counted: list[int] = []
    for end_byte in _ends(source.path):
        coded_ticks, motion = _code(source, shard.config, cells, config, end_byte)
        counted.append(coded_ticks)
        pictures = len(motion.gop_position)
        if coded_ticks == ticks and pictures == math.ceil(ticks / config.stride):
            kept = shard.moments(video.video) * config.pictures_per_moment
            return Motion(*(array[:kept] for array in motion))
    raise BadInput(
        f"{source.path}: coded again it has {counted[0]} frames at 30 fps, in {media} it has "
        f"{ticks}; it or ffmpeg has changed: delete {media} and run snakemake again"
    )


def _ends(path: Path) -> Iterator[int]:
    """Where reading a file may end: 0, its own end; then before zeros that follow its last packet,
    as decoding may have done.
    """
    yield 0
    size, end = size_without_zeros(path)
    if end and size - end >= MIN_ZERO_BYTES:
        yield end


def _code(
    source: Source, media: MediaConfig, cells: CellReader, config: MotionConfig, end_byte: int
) -> tuple[int, Motion]:
    """The length of a video on the 30 fps grid, and the motion of all its pictures."""
    try:
        finished, motion = cells.read(
            lambda take: code_proxy(source, media, config, take, end_byte),
            TIME_FACTOR * media.time_limit_seconds + LAST_SECONDS,
        )
    except FfmpegStopped as stopped:
        raise BadInput(
            f"{source.path}: coding it again: {stopped}; media.time_limit_seconds is "
            f"{media.time_limit_seconds:g}, {TIME_FACTOR} times that is allowed"
        ) from None
    except MachineError as error:
        raise MachineError(f"{source.path}: coding it again", error.cause) from None
    except BadInput as error:
        raise BadInput(f"{source.path}: {error}") from None
    return finished.log.grid_frames, motion
