"""Kinetics-400, -600 and -700.

Files `<id>_000417_000427.mp4` or `<id>.mp4`, in folders of classes or not.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from l2l.datasets import KineticsDataset
from l2l.manifest.artifact import Video
from l2l.manifest.files import Entry, locate
from l2l.manifest.lists import read_rows, seconds, split_named
from l2l.manifest.splits import complete_splits

COLUMNS = ("youtube_id", "time_start", "time_end", "split")


def list_kinetics(dataset: KineticsDataset, seed: int) -> list[Video]:
    """The labelled clips, by id `<id>_000417_000427`.

    Raises:
        BadInput: if a csv is missing, lacks a column or has a row that is no clip.
    """
    entries = [entry for path in dataset.annotations for entry in kinetics_entries(path)]
    return complete_splits(locate(entries, dataset.folder), dataset.val_fraction, seed)


def kinetics_entries(path: Path) -> Iterator[Entry]:
    """The labelled clips of one csv file; how many have no label is said.

    Raises:
        BadInput: as `list_kinetics`.
    """
    unlabelled = 0
    for number, row in enumerate(read_rows(path, COLUMNS), start=2):
        where = f"{path}: row {number}"
        split = split_named(row["split"], where)
        start, end = (seconds(row[column], where) for column in ("time_start", "time_end"))
        label = row.get("label", "")
        if not label:
            unlabelled += 1
            continue
        clip = clip_name(row["youtube_id"], start, end)
        yield Entry(
            clip,
            split,
            (label,),
            (f"{label}/{clip}", clip, f"{label}/{row['youtube_id']}", row["youtube_id"]),
        )
    if unlabelled:
        print(f"{path}: {unlabelled} clips without a label left out", file=sys.stderr)


def clip_name(video: str, start_seconds: float, end_seconds: float) -> str:
    """A clip as the usual download names it."""
    return f"{video}_{int(start_seconds):06d}_{int(end_seconds):06d}"
