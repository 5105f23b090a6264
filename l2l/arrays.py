"""What arrays on disk have in common.

The rows of all videos lie one after another in one array, with offsets that say which are whose;
each row has its video, its moment and its start in seconds as coordinates; and all numbers are
finite.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float64, Int32

from l2l.errors import BadInput
from l2l.moments import FRAME_RATE, MOMENT_FRAMES

_SHOWN_VIDEOS = 3  # ids that a message names
FLOAT16_EXPONENT = np.uint16(0x7C00)  # all ones: a NaN or an infinity


def check_finite(name: str, array: np.ndarray) -> np.ndarray:
    """Return an array of numbers, if all are finite.

    Raises:
        NotFiniteError: if one is not.
    """
    if array.dtype == np.float16:  # by its bits: three times as fast as numpy's own
        finite = bool(((array.view(np.uint16) & FLOAT16_EXPONENT) != FLOAT16_EXPONENT).all())
    else:
        finite = array.dtype.kind != "f" or bool(np.isfinite(array).all())
    if not finite:
        raise NotFiniteError(f"{name} holds numbers that are not finite")
    return array


class NotFiniteError(ValueError):
    """An array holds a NaN or an infinity, which no artifact may."""


@runtime_checkable
class Labelled(Protocol):
    """What a store says of each of its videos; a row of the manifest has it."""

    @property
    def video(self) -> str:
        """Its id."""

    @property
    def split(self) -> str:
        """Train, val, test or apply; empty: not known."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of classes, the video's own first; none: not known."""


class VideoLabels(NamedTuple):
    """A video's id, split and labels, as a store has them."""

    video: str
    split: str = ""
    labels: tuple[str, ...] = ()


def labels_of(videos: Iterable[str], listed: Iterable[Labelled]) -> list[VideoLabels]:
    """The split and labels of some videos, in their order; those that are not listed have none."""
    known = {each.video: VideoLabels(each.video, each.split, each.labels) for each in listed}
    return [known.get(video, VideoLabels(video)) for video in videos]


class RowCoordinates(NamedTuple):
    """Of each row: its video, by number in the store; its moment; where it starts in the video."""

    video_index: Int32[np.ndarray, " row"]
    moment: Int32[np.ndarray, " row"]
    start_seconds: Float64[np.ndarray, " row"]


ROW_UNITS = {"video_index": "1", "moment": "1", "start_seconds": "s"}


def row_coordinates(offsets: np.ndarray, rows_per_moment: int = 1) -> RowCoordinates:
    """The coordinates of rows at equal distances, of which each video has its first ones.

    Args:
        offsets: of the videos, (videos + 1,).
        rows_per_moment: of a store with several rows per moment, such as pictures.
    """
    counts = np.diff(offsets)
    within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], counts)
    return RowCoordinates(
        video_index_of(offsets),
        (within // rows_per_moment).astype(np.int32),
        within * MOMENT_FRAMES / (rows_per_moment * FRAME_RATE),
    )


def chosen_coordinates(offsets: np.ndarray, moments: np.ndarray) -> RowCoordinates:
    """The coordinates of rows of some moments of each video, (rows,)."""
    seconds = moments.astype(np.int64) * MOMENT_FRAMES / FRAME_RATE
    return RowCoordinates(video_index_of(offsets), moments.astype(np.int32), seconds)


def video_index_of(offsets: np.ndarray) -> Int32[np.ndarray, " row"]:
    """The number of each row's video."""
    counts = np.diff(offsets)
    return np.repeat(np.arange(len(counts), dtype=np.int32), counts)


def offsets_of(lengths: Iterable[int]) -> np.ndarray:
    """Where each video's rows start, and where the last video's end: int64 (videos + 1,)."""
    return np.cumsum([0, *lengths], dtype=np.int64)


class VideoRows:
    """The rows of each video: video i has rows offsets[i] to offsets[i + 1]."""

    def __init__(self, videos: Sequence[str], offsets: np.ndarray, path: Path) -> None:
        """Check the offsets.

        Args:
            videos: their ids.
            offsets: (videos + 1,).
            path: the store, for errors.

        Raises:
            ValueError: if a video is duplicated, or the offsets are not one per video and one more,
                rising from 0.
        """
        expected = (len(videos) + 1,)
        if (
            offsets.shape != expected
            or offsets.dtype.kind not in "iu"
            or offsets[0] != 0
            or (offsets[1:] < offsets[:-1]).any()
        ):
            raise ValueError(f"expected {len(videos) + 1} offsets that rise from 0")
        if len(set(videos)) != len(videos):
            raise ValueError("a video is duplicated")
        self.videos, self.path = tuple(videos), path
        self.total = int(offsets[-1])
        edges = offsets.tolist()
        self._slices = dict(zip(videos, map(slice, edges[:-1], edges[1:]), strict=True))

    def __getitem__(self, video: str) -> slice:
        """The rows of a video.

        Raises:
            BadInput: if there is no such video.
        """
        if video not in self._slices:
            raise BadInput(f"{self.path}: no video {video!r}; it has {_some(self.videos)}")
        return self._slices[video]

    def __contains__(self, video: str) -> bool:
        return video in self._slices

    def count(self, video: str) -> int:
        """The number of rows of one video.

        Raises:
            BadInput: if there is no such video.
        """
        rows = self[video]
        return rows.stop - rows.start

    def check_arrays(self, **lengths: int) -> None:
        """Check the lengths of the arrays that hold the rows.

        Raises:
            ValueError: naming the first array that has more or fewer rows than the videos.
        """
        for name, length in lengths.items():
            if length != self.total:
                raise ValueError(f"{name} has {length} rows, its videos have {self.total}")


def _some(videos: Sequence[str]) -> str:
    """The first few ids, for errors."""
    shown = ", ".join(map(repr, videos[:_SHOWN_VIDEOS]))
    more = len(videos) - _SHOWN_VIDEOS
    return f"{shown} and {more} more" if more > 0 else shown or "none"
