"""The motion of a shard in HDF5: what MPEG-4 codes of each picture, per cell of 16 x 16 pixels.

displacement (pictures, 2, rows, columns) int8, half pixels
    how far a cell moved since the previous picture: to the right, down; clipped to +-127
residual     (pictures, 3, rows, columns) int8, half levels of 0 to 255
    mean of the decoded red, green, blue minus those predicted from the previous picture; clipped
gop_position (pictures,) uint8
    0 at a key picture, which has no motion: its displacement and residual are zero
video, split (videos,)   offset (videos + 1,)   label, label_offset
video_index, moment, start_seconds (pictures,)
    the usable videos, in the manifest's order, and whose the rows are, see
    `l2l.video_rows.add_video_rows`

Picture p of a video is at tick p x stride of its 30 fps grid, and belongs to moment
p // (16 / stride). Pictures after the last moment are not kept. Only the last moment can have fewer
than 16 / stride pictures, and none has no picture; but all those of a moment may be key pictures.
"""

import contextlib
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
from jaxtyping import Bool, Int8, UInt8

from l2l.arrays import Labelled, labels_of, offsets_of, row_coordinates
from l2l.config import MediaConfig, MotionConfig, as_json
from l2l.errors import BadInput
from l2l.hdf5 import (
    INTEGERS,
    GrowingArray,
    Store,
    read_store,
    write_hdf5,
)
from l2l.stores import MADE_BY
from l2l.video_rows import (
    add_video_rows,
    read_video_rows,
)

KIND, LAYOUT = "motion", 2
DISPLACEMENT_UNIT_PIXELS = 0.5
RESIDUAL_UNIT_LEVELS = 0.5
CHUNK_BYTES = 1 << 15  # a few moments: training reads one at a time


class Motion(NamedTuple):
    """The motion of some pictures that follow each other."""

    displacement: Int8[np.ndarray, "pictures 2 rows columns"]  # to the right, down; half pixels
    residual: Int8[np.ndarray, "pictures 3 rows columns"]  # red, green, blue; half levels
    gop_position: UInt8[np.ndarray, " pictures"]  # 0: a key picture, without motion

    @property
    def moves(self) -> Bool[np.ndarray, " pictures"]:
        """True where a picture has motion: it is no key picture."""
        return self.gop_position > 0


class MotionWriter:
    """Adds the usable videos of a shard one by one; see `write_motion`."""

    def __init__(
        self, file: h5py.File, config: MotionConfig, listed: Iterable[Labelled] = ()
    ) -> None:
        self._file, self._config, self._listed = file, config, listed
        cells = (config.cells, config.cells)
        self._shapes = {"displacement": (2, *cells), "residual": (3, *cells), "gop_position": ()}
        described = {
            "displacement": (np.int8, "picture direction row column", "half pixels"),
            "residual": (np.int8, "picture colour row column", "half levels of 0 to 255"),
            "gop_position": (np.uint8, "picture", "pictures"),
        }
        self._arrays = {
            name: GrowingArray(file, name, dtype, self._shapes[name], axes, unit, CHUNK_BYTES)
            for name, (dtype, axes, unit) in described.items()
        }
        self._pictures: dict[str, int] = {}

    def add(self, video: str, motion: Motion) -> None:
        """Add a video.

        Raises:
            ValueError: if the arrays are not of one length, of the shape of this file, and of its
                types; or if there is no picture.
        """
        count = len(motion.gop_position)
        for name, shape in self._shapes.items():
            array = getattr(motion, name)
            kind = self._arrays[name].array.dtype
            if array.shape != (count, *shape) or array.dtype != kind or not count:
                raise ValueError(
                    f"{video}: {name} is {array.dtype} {array.shape}, expected {kind} "
                    f"{(count or 1, *shape)}"
                )
        for name, array in self._arrays.items():
            array.append(getattr(motion, name))
        self._pictures[video] = count

    def finish(self) -> None:
        """Write what is pending and the videos."""
        for array in self._arrays.values():
            array.flush()
        offsets = offsets_of(self._pictures.values())
        coordinates = row_coordinates(offsets, self._config.pictures_per_moment)
        videos = labels_of(self._pictures, self._listed)
        add_video_rows(self._file, "picture", videos, offsets, coordinates)


@contextlib.contextmanager
def write_motion(
    path: Path,
    config: MotionConfig,
    media: MediaConfig,
    made_by: str = MADE_BY,
    listed: Iterable[Labelled] = (),
) -> Iterator[MotionWriter]:
    """Open a motion file for writing; it appears, whole, when the block ends without an error.

    Args:
        path: the file.
        config: how the motion is made.
        media: the section that the media of these videos were made with.
        made_by: the program, and the encoder's version.
        listed: splits and labels of the videos.
    """
    attributes = {
        "made_by": made_by,
        "config": as_json(config),
        "media": as_json(media),
        "displacement_unit_pixels": DISPLACEMENT_UNIT_PIXELS,
        "residual_unit_levels": RESIDUAL_UNIT_LEVELS,
    }
    with write_hdf5(path, KIND, LAYOUT, attributes) as file:
        writer = MotionWriter(file, config, listed)
        yield writer
        writer.finish()


class MotionReader:
    """The motion of a shard, moment by moment; see `read_motion`."""

    def __init__(self, store: Store) -> None:
        self.path = store.path
        self.config = MotionConfig.model_validate_json(store.attribute("config"))
        self.media = MediaConfig.model_validate_json(store.attribute("media"))
        cells = (self.config.cells, self.config.cells)
        self._displacement = store.array("displacement", INTEGERS, (2, *cells))
        self._residual = store.array("residual", INTEGERS, (3, *cells))
        self._gop_position = store.array("gop_position", INTEGERS, ())
        self._rows, self.listed = read_video_rows(
            store,
            displacement=len(self._displacement),
            residual=len(self._residual),
            gop_position=len(self._gop_position),
        )
        self.videos = self._rows.videos

    def pictures(self, video: str) -> int:
        """Number of pictures of a video."""
        return self._rows.count(video)

    def moments(self, video: str) -> int:
        """Number of moments of a video, that of its media."""
        return math.ceil(self.pictures(video) / self.config.pictures_per_moment)

    def motion(self, video: str) -> Motion:
        """The motion of a whole video."""
        return self._read(self._rows[video])

    def moment(self, video: str, moment: int) -> Motion:
        """The motion of the pictures of one moment: 16 / stride of them, in the last moment of a
        short video fewer, at least one.

        Raises:
            BadInput: if the video has no such moment.
        """
        if not 0 <= moment < self.moments(video):
            raise BadInput(f"{self.path}: no moment {moment} in video {video!r}")
        first = moment * self.config.pictures_per_moment
        stop = min(first + self.config.pictures_per_moment, self.pictures(video))
        start = self._rows[video].start
        return self._read(slice(start + first, start + stop))

    def _read(self, rows: slice) -> Motion:
        return Motion(self._displacement[rows], self._residual[rows], self._gop_position[rows])


@contextlib.contextmanager
def read_motion(path: Path) -> Iterator[MotionReader]:
    """Open a shard's motion.

    Raises:
        BadInput: if the file is missing, incomplete, damaged or of another kind or layout.
    """
    with read_store(path, KIND, LAYOUT, MotionReader) as reader:
        yield reader
