"""Whose the rows of an HDF5 store are, where the rows of all videos lie one after another.

Of each video its rows, its split and its labels; of each row its video, its moment and its start.
"""

from collections.abc import Sequence

import h5py
import numpy as np

from l2l.arrays import (
    ROW_UNITS,
    Labelled,
    RowCoordinates,
    VideoLabels,
    VideoRows,
    offsets_of,
)
from l2l.hdf5 import FLOATS, INTEGERS, Store, add_array, add_texts


def add_labels(group: h5py.Group, videos: Sequence[Labelled]) -> None:
    """Store the split and the labels of each video: video i has label[label_offset[i]] to
    label[label_offset[i + 1] - 1], its own first.
    """
    add_texts(group, "split", [each.split for each in videos], ("video",))
    add_texts(group, "label", [name for each in videos for name in each.labels], ("label",))
    add_offsets(group, "label_offset", offsets_of(len(each.labels) for each in videos), "label")


def add_offsets(group: h5py.Group, name: str, offsets: np.ndarray, axis: str) -> None:
    """Store which entries of an axis are whose, in the form of Awkward's ListOffsetArray."""
    add_array(group, name, offsets, ("video_edge",), f"{axis}s")
    group[name].attrs["ragged"] = (
        f"ListOffsetArray: video i has [offset[i], offset[i + 1]) of {axis}"
    )


def add_coordinates(group: h5py.Group, axis: str, rows: RowCoordinates) -> None:
    """Store the video, the moment and the start of each row."""
    for name, values in rows._asdict().items():
        add_array(group, name, values, (axis,), ROW_UNITS[name])
    # CF, indexed ragged array
    group["video_index"].attrs["instance_dimension"] = "video"


def add_video_rows(
    file: h5py.File,
    axis: str,
    videos: Sequence[Labelled],
    offsets: np.ndarray,
    rows: RowCoordinates,
) -> None:
    """Store whose the rows of a file are: `read_video_rows` reads it.

    Args:
        file: the file.
        axis: name of the rows.
        videos: in the order of their rows.
        offsets: where the rows of each video start, (videos + 1,).
        rows: coordinates of the rows.
    """
    add_texts(file, "video", [each.video for each in videos], ("video",))
    add_labels(file, videos)
    add_offsets(file, "offset", offsets, axis)
    add_coordinates(file, axis, rows)


def read_labels(store: Store, videos: Sequence[str], group: str = "") -> list[VideoLabels]:
    """What `add_labels` stored, of these videos in their order.

    Raises:
        KeyError, ValueError: if it is not of as many videos.
    """
    splits, labels = store.texts(f"{group}split"), store.texts(f"{group}label")
    of_video = VideoRows(videos, store.array(f"{group}label_offset", INTEGERS, ())[...], store.path)
    of_video.check_arrays(label=len(labels))
    return [
        VideoLabels(video, split, tuple(labels[of_video[video]]))
        for video, split in zip(videos, splits, strict=True)
    ]


def check_coordinates(store: Store, rows: int, group: str = "") -> None:
    """Check that `add_coordinates` stored so many rows.

    Raises:
        KeyError, ValueError: if it did not.
    """
    for name, kinds in (("video_index", INTEGERS), ("moment", INTEGERS), ("start_seconds", FLOATS)):
        if (count := len(store.array(f"{group}{name}", kinds, ()))) != rows:
            raise ValueError(f"{group}{name} has {count} rows, expected {rows}")


def read_video_rows(store: Store, **lengths: int) -> tuple[VideoRows, list[VideoLabels]]:
    """What `add_video_rows` stored: the rows of each video, and its split and labels.

    Args:
        store: the file.
        lengths: of the arrays that have the rows.

    Raises:
        KeyError, ValueError: if a part is missing, or has other lengths.
    """
    rows = VideoRows(store.texts("video"), store.array("offset", INTEGERS)[...], store.path)
    rows.check_arrays(**lengths)
    check_coordinates(store, rows.total)
    return rows, read_labels(store, rows.videos)
