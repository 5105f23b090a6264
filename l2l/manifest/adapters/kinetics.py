"""Kinetics-400, -600 and -700.

Files `<id>_000417_000427.mp4` or `<id>.mp4`, in folders of classes or not.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from l2l.datasets import KineticsDataset
from l2l.manifest.artifact import Video
from l2l.manifest.files import Entry, locate
from l2l.manifest.lists import named_split, non_empty, read_rows, seconds
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
    """The labelled clips of one csv file; those without a label are counted on stderr.

    Raises:
        BadInput: as `list_kinetics`.
    """
    unlabelled = 0
    for number, row in read_rows(path, COLUMNS):
        where = f"{path}: line {number}"
        split = named_split(row["split"], where)
        start, end = (seconds(row[column], where) for column in ("time_start", "time_end"))
        label = row.get("label", "")
        if not label:
            unlabelled += 1
            continue
        video = non_empty(row["youtube_id"], "youtube_id", where)
        clip = clip_name(video, start, end)
        yield Entry(
            clip,
            split,
            (label,),
            (f"{label}/{clip}", clip, f"{label}/{video}", video),
        )
    if unlabelled:
        print(f"{path}: {unlabelled} clips without a label are left out", file=sys.stderr)


def clip_name(video: str, start_seconds: float, end_seconds: float) -> str:
    """The name that the usual download scripts give a clip."""
    return f"{video}_{int(start_seconds):06d}_{int(end_seconds):06d}"
