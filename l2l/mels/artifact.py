"""The mels of a shard in HDF5.

mel (moments, windows, bands) float16, ln(power)   has_sound (moments,) bool
    all videos one after another
video, split (videos,)   offset (videos + 1,)   label, label_offset
video_index, moment, start_seconds (moments,)
    whose the rows are, see `l2l.video_rows.add_video_rows`
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np

from l2l.arrays import Labelled, labels_of, offsets_of, row_coordinates
from l2l.config import MelsConfig, as_json
from l2l.errors import BadInput
from l2l.hdf5 import (
    BOOLEANS,
    FLOATS,
    Store,
    add_array,
    read_store,
    write_hdf5,
)
from l2l.video_rows import (
    add_video_rows,
    read_video_rows,
)

KIND, LAYOUT = "mels", 2


def write_mels(
    path: Path,
    rows: Mapping[str, tuple[np.ndarray, np.ndarray]],
    mels: MelsConfig,
    shape: tuple[int, int],
    listed: Iterable[Labelled] = (),
) -> None:
    """Write a shard's mels, float16.

    Args:
        path: the file.
        rows: of each video its mels (moments, windows, bands) and has_sound (moments,).
        mels: the section that they are made with.
        shape: of one mel.
        listed: splits and labels of the videos.
    """
    parts = [mel for mel, _ in rows.values()]
    flags = [has_sound for _, has_sound in rows.values()]
    with write_hdf5(path, KIND, LAYOUT, {"config": as_json(mels)}) as file:
        mel = np.concatenate([np.zeros((0, *shape), np.float16), *parts]).astype(np.float16)
        add_array(
            file, "mel", mel, ("moment", "window", "band"), "ln(power)", chunk_bytes=1 << 15
        )  # training reads one at a time
        add_array(file, "has_sound", np.concatenate([np.zeros(0, bool), *flags]), ("moment",))
        offsets = offsets_of(map(len, parts))
        add_video_rows(file, "moment", labels_of(rows, listed), offsets, row_coordinates(offsets))


class MelReader:
    """The mels of a shard, video by video."""

    def __init__(self, store: Store) -> None:
        self.path = store.path
        self._mel = store.array("mel", FLOATS, (None, None))
        self._has_sound = store.array("has_sound", BOOLEANS, ())
        self.config = MelsConfig.model_validate_json(store.attribute("config"))
        self._rows, self.listed = read_video_rows(
            store, mel=len(self._mel), has_sound=len(self._has_sound)
        )
        self.videos = self._rows.videos

    def moments(self, video: str) -> int:
        """Number of moments of a video."""
        return self._rows.count(video)

    def mels(self, video: str) -> np.ndarray:
        """All mels of a video: float32 (moments, windows, bands); BadInput where it has none."""
        return self._mel[self._rows[video]].astype(np.float32)

    def mel(self, video: str, moment: int) -> np.ndarray:
        """The mel of one moment: float32 (windows, bands)."""
        if not 0 <= moment < self.moments(video):
            raise BadInput(f"{self.path}: no moment {moment} in video {video!r}")
        return self._mel[self._rows[video].start + moment].astype(np.float32)

    def has_sound(self, video: str) -> np.ndarray:
        """Which moments have sound, bool (moments,)."""
        return self._has_sound[self._rows[video]]

    def __repr__(self) -> str:
        return f"MelReader({str(self.path)!r}, {len(self.videos)} videos, {len(self._mel)} moments)"


@contextlib.contextmanager
def read_mels(path: Path) -> Iterator[MelReader]:
    """Open a shard's mels.

    Raises:
        BadInput: if the file is missing, incomplete, damaged or of another kind.
    """
    with read_store(path, KIND, LAYOUT, MelReader) as reader:
        yield reader
