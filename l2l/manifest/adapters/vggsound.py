"""VGGSound: files `<id>_000030.mp4` or `<id>_30000_40000.mp4`, and a csv of all videos with their
splits, or one csv per split.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from l2l.datasets import VggSoundDataset
from l2l.manifest.artifact import Video
from l2l.manifest.files import Entry, locate
from l2l.manifest.lists import named_split, non_empty, read_rows, seconds
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
    for number, row in read_rows(path, ("0", "1", "2", "3"), header=False, width=4):
        where = f"{path}: line {number}"
        video, label = non_empty(row["0"], "id", where), non_empty(row["2"], "label", where)
        start = int(seconds(row["1"], where))
        clip = f"{video}_{start:06d}"
        names = (clip, _by_milliseconds(video, start), f"{video}_{start}", video)
        yield Entry(clip, named_split(row["3"], where), (label,), names)


def _of_split(path: Path, split: str) -> Iterator[Entry]:
    for number, row in read_rows(path, ("0", "1"), header=False, width=2):
        where = f"{path}: line {number}"
        file, label = non_empty(row["0"], "file", where), non_empty(row["1"], "label", where)
        clip = file.removesuffix(".mp4")
        dated = re.fullmatch(r"(.+)_(\d{6})", clip)
        names = (file, _by_milliseconds(dated[1], int(dated[2]))) if dated else (file,)
        yield Entry(clip, split, (label,), names)


def _by_milliseconds(video: str, start_seconds: int) -> str:
    return f"{video}_{1000 * start_seconds}_{1000 * (start_seconds + CLIP_SECONDS)}"
