"""`videos.tsv`: one row a video, with what is declared of it and what became of it.

A shard's table has the same columns; a video's shard is a stable hash of its id, so one more video
changes one shard. Test videos have shards of their own, so that one more of them changes nothing
that anything is fitted to.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from l2l.datasets import Dataset
from l2l.errors import BadInput
from l2l.stores import read_table, write_table

CONTAINERS = "mov,matroska,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg,gif,mxf,dv,nut,ivf,wtv,rm,swf"
"""The only ones that are opened.

A playlist named .mp4 would have ffmpeg open the files that it lists.
"""

SPLITS = ("train", "val", "test")
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
    """A labelled span of a video, half open, in seconds from its start."""

    start_seconds: float
    end_seconds: float
    label: str


class Video(NamedTuple):
    """One file of a data set: a row of the manifest.

    Of a million, dataclasses and Path objects would take most of the time.
    """

    video: str  # its id: unique in its data set, never used as a path
    file: str
    split: str  # train, val or test
    labels: tuple[str, ...]  # at least one; the first stands for the video where one is asked for
    segments: tuple[Segment, ...] = ()  # none: the whole video is the action
    group: str = ""  # videos that may not be divided over splits; empty: the video stands alone
    duration_seconds: float = 0.0  # of the pictures, as declared; 0: not declared
    frame_rate: float = 0.0
    width: int = 0  # pixels, as coded
    height: int = 0
    audio: str = "none"  # or such as "44100 Hz, 2 channels"
    video_stream: int = -1  # absolute index in the file; -1: none
    audio_stream: int = -1
    fingerprint: str = (
        ""  # size and a hash of the contents: see `l2l.manifest.probe.fingerprint_of`
    )
    status: str = "ok"  # one of STATUSES
    reason: str = ""  # in plain words; a usable video may have a remark

    @property
    def path(self) -> Path:
        """Where its file lies."""
        return Path(self.file)

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
    """Ids of the videos whose pictures can be read.

    Those that the later stores hold, of all shards or of a part's.
    """
    return {
        video.video
        for video in videos
        if video.usable and part in (None, "test" if video.split == "test" else "train_val")
    }


def class_names(videos: Sequence[Video]) -> list[str]:
    """Every label of the videos, sorted: a class's index is its place here."""
    return sorted({label for video in videos for label in video.labels})


def shard_of(video_id: str, shards: int) -> int:
    """The shard of a video: the same on every machine, whatever else is in the data set."""
    digest = hashlib.blake2b(video_id.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") % shards


def shard_names(videos: Iterable[Video], dataset: Dataset) -> Iterator[tuple[str, Video]]:
    """The name of each video's shard, and the video, in the order given."""
    fit, test = dataset.shard_names("train_val"), dataset.shard_names("test")
    for video in videos:
        names = test if video.split == "test" else fit
        yield names[shard_of(video.video, len(names))], video


def _row(video: Video) -> dict[str, str]:
    row = {column: getattr(video, column) for column in COLUMNS if column != "path"}
    row["labels"] = json.dumps(video.labels)
    row["segments"] = json.dumps(
        [[s.start_seconds, s.end_seconds, s.label] for s in video.segments]
    )
    row["path"] = video.file
    return {
        column: repr(value) if isinstance(value, float) else str(value)
        for column, value in row.items()
    }


def _video(row: dict[str, str], where: str) -> Video:
    try:
        video = Video(
            video=row["video"],
            file=row["path"],
            split=row["split"],
            labels=tuple(json.loads(row["labels"])),
            segments=tuple(
                Segment(float(start), float(end), label)
                for start, end, label in json.loads(row["segments"])
            ),
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
    for column, allowed in (("split", SPLITS), ("status", STATUSES)):
        if row[column] not in allowed:
            raise BadInput(
                f"{where}: {column} is {row[column]!r}, expected one of {', '.join(allowed)}"
            )
    if not video.labels:
        raise BadInput(f"{where}: no labels")
    return video
