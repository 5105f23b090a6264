"""VGGSound: `<id>_000030.mp4`, or `<id>_30000_40000.mp4`, from a csv of all videos with their
splits, or one csv a split.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from l2l.datasets import VggSoundDataset
from l2l.manifest.artifact import Video
from l2l.manifest.files import Entry, locate
from l2l.manifest.lists import read_rows, seconds, split_named
from l2l.manifest.splits import complete_splits

CLIP_SECONDS = 10


def list_vggsound(dataset: VggSoundDataset, seed: int) -> list[Video]:
    """The videos, by id `<id>_000030`.

    Raises:
        BadInput: if a csv is missing or has a row that is not as expected.
    """
    entries = list(_all(dataset.annotations)) if dataset.annotations else []
    for split, path in (("train", dataset.train), ("test", dataset.test)):
        entries += _of_split(path, split) if path else []
    return complete_splits(locate(entries, dataset.folder), dataset.val_fraction, seed)


def _all(path: Path) -> Iterator[Entry]:
    for number, row in enumerate(read_rows(path, ("0", "1", "2", "3"), header=False), start=1):
        where = f"{path}: row {number}"
        start = int(seconds(row["1"], where))
        clip = f"{row['0']}_{start:06d}"
        names = (clip, _by_milliseconds(row["0"], start), f"{row['0']}_{start}", row["0"])
        yield Entry(clip, split_named(row["3"], where), (row["2"],), names)


def _of_split(path: Path, split: str) -> Iterator[Entry]:
    for row in read_rows(path, ("0", "1"), header=False):
        clip = row["0"].removesuffix(".mp4")
        dated = re.fullmatch(r"(.+)_(\d{6})", clip)
        names = (row["0"], _by_milliseconds(dated[1], int(dated[2]))) if dated else (row["0"],)
        yield Entry(clip, split, (row["1"],), names)


def _by_milliseconds(video: str, start_seconds: int) -> str:
    return f"{video}_{1000 * start_seconds}_{1000 * (start_seconds + CLIP_SECONDS)}"
