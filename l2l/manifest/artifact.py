"""`videos.tsv`: one row per video, with its labels, what its file declares, and its status.

A shard's table has the same columns. A video's shard is a stable hash of its id, so one more video
changes one shard. Test videos have separate shards, so one more of them changes nothing that a
network is trained on.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from l2l.datasets import Dataset
from l2l.errors import BadInput
from l2l.manifest.cells import (
    Span,
    labels_cell,
    read_labels_cell,
    read_segments_cell,
    segments_cell,
)
from l2l.manifest.source import Source
from l2l.stores import read_table, write_table

CONTAINERS = "mov,matroska,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg,gif,mxf,dv,nut,ivf,wtv,rm,swf"
"""The only containers that are opened.

A playlist named .mp4 would make ffmpeg open the files that it lists.
"""

SPLITS = ("train", "val", "test")
UNLABELLED = "apply"  # in place of a split, of the videos of a data set of role `apply`
USABLE = ("ok", "no_audio", "silent", "audio_partial", "too_short")
STATUSES = (*USABLE, "truncated", "corrupt", "missing", "duplicate", "refused")
COLUMNS = (
    *(
        "video",
        "split",
        "labels",
        "status",
        "reason",
        "duration_seconds",
        "frame_rate",
        "width",
        "height",
        "audio",
    ),
    *("video_stream", "audio_stream", "segments", "group", "fingerprint", "path"),
)


@dataclass(frozen=True, slots=True)
class Segment:
    """A labelled span of a video, half open, in seconds from the start of the video."""

    start_seconds: float
    end_seconds: float
    label: str


class Video(NamedTuple):
    """One file of a data set: a row of the manifest.

    A named tuple with text for the path: a million dataclasses and Path objects take too long.
    """

    video: str  # its id: unique in its data set, never used as a path
    file: str
    split: str  # train, val or test; `apply`
    # at least one; the first is the video's where only one is used; none of a video of `apply`
    labels: tuple[str, ...]
    # None: the whole video is the action; empty: no moment of it is labelled
    segments: tuple[Segment, ...] | None = None
    group: str = ""  # videos of one group belong to one split; empty: the video is its own group
    duration_seconds: float = 0.0  # of the pictures, as the file declares; 0: not declared
    frame_rate: float = 0.0
    width: int = 0  # pixels, as coded
    height: int = 0
    audio: str = "none"  # or such as "44100 Hz, 2 channels"
    video_stream: int = -1  # absolute index in the file; -1: none
    audio_stream: int = -1
    fingerprint: str = ""  # size and a hash of the content, so a replaced file changes its row
    status: str = "ok"  # one of STATUSES
    reason: str = ""  # why it has this status; a usable video may have a remark

    @property
    def path(self) -> Path:
        """The path of its file."""
        return Path(self.file)

    @property
    def source(self) -> Source:
        """What the decoder has to know."""
        return Source(
            self.path,
            self.video_stream,
            self.audio_stream,
            self.audio,
            self.duration_seconds,
            self.fingerprint,
        )

    @property
    def usable(self) -> bool:
        """Whether its pictures can be read; a video without sound is usable."""
        return self.status in USABLE

    @property
    def label(self) -> str:
        """The first of its labels."""
        return self.labels[0]


def write_videos(path: Path, videos: Iterable[Video]) -> None:
    """Write videos as a table, in the order given."""
    write_table(path, COLUMNS, [_row(video) for video in videos])


def read_videos(path: Path) -> list[Video]:
    """Read what `write_videos` wrote.

    Raises:
        BadInput: if the file is missing, lacks a column, or a row is not one of a video.
    """
    return [
        _video(row, f"{path}: row {number}")
        for number, row in enumerate(read_table(path, COLUMNS), start=1)
    ]


def usable_ids(
    videos: Iterable[Video], part: Literal["train_val", "test"] | None = None
) -> set[str]:
    """Ids of the videos whose pictures can be read, which are those in the later stores.

    Args:
        videos: of one data set.
        part: which shards' videos; None: all of them.
    """
    return {
        video.video
        for video in videos
        if video.usable and part in (None, "test" if video.split == "test" else "train_val")
    }


def class_names(videos: Sequence[Video]) -> list[str]:
    """Every label of the videos, sorted; a class's number is its index in this list."""
    return sorted({label for video in videos for label in video.labels})


def shard_of(video_id: str, shards: int) -> int:
    """The shard of a video: the same on every machine, with any other videos in the data set."""
    digest = hashlib.blake2b(video_id.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") % shards


def shard_names(videos: Iterable[Video], dataset: Dataset) -> Iterator[tuple[str, Video]]:
    """The name of each video's shard, and the video, in the order given."""
    train_val, test = dataset.shard_names("train_val"), dataset.shard_names("test")
    for video in videos:
        names = test if video.split == "test" else train_val
        yield names[shard_of(video.video, len(names))], video


def _row(video: Video) -> dict[str, str]:
    row = {column: getattr(video, column) for column in COLUMNS if column != "path"}
    row["labels"] = labels_cell(video.labels)
    row["segments"] = segments_cell(
        None
        if video.segments is None
        else [(each.start_seconds, each.end_seconds, each.label) for each in video.segments]
    )
    row["path"] = video.file
    return {
        column: repr(value) if isinstance(value, float) else str(value)
        for column, value in row.items()
    }


def _segments(spans: list[Span] | None) -> tuple[Segment, ...] | None:
    return None if spans is None else tuple(Segment(*span) for span in spans)


def _video(row: dict[str, str], where: str) -> Video:
    try:
        video = Video(
            video=row["video"],
            file=row["path"],
            split=row["split"],
            labels=read_labels_cell(row["labels"]),
            segments=_segments(read_segments_cell(row["segments"])),
            group=row["group"],
            duration_seconds=float(row["duration_seconds"]),
            frame_rate=float(row["frame_rate"]),
            width=int(row["width"]),
            height=int(row["height"]),
            audio=row["audio"],
            video_stream=int(row["video_stream"]),
            audio_stream=int(row["audio_stream"]),
            fingerprint=row["fingerprint"],
            status=row["status"],
            reason=row["reason"],
        )
    except (ValueError, TypeError) as error:
        raise BadInput(f"{where}: not a row of a video ({error})") from None
    for column, allowed in (("split", (*SPLITS, UNLABELLED)), ("status", STATUSES)):
        if row[column] not in allowed:
            raise BadInput(
                f"{where}: {column} is {row[column]!r}, expected one of {', '.join(allowed)}"
            )
    if not video.labels and video.split != UNLABELLED:
        raise BadInput(f"{where}: no labels")
    return video
