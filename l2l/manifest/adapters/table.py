"""Any csv or tsv: which column is which is told in the configuration."""

import re
from collections.abc import Iterator
from pathlib import Path

from l2l.datasets import TableDataset
from l2l.errors import BadInput
from l2l.manifest.artifact import Segment, Video
from l2l.manifest.files import Entry, locate
from l2l.manifest.lists import Classes, read_classes, read_rows, seconds, split_named
from l2l.manifest.splits import complete_splits, split_videos

NUMBER = re.compile(r"[+-]?\d+(\.\d*)?")  # spreadsheets write 3 as 3.0


def list_table(dataset: TableDataset, seed: int) -> list[Video]:
    """The videos, by id: the file as the table has it; rows of one file are labels and segments of
    one video.

    Raises:
        BadInput: if a table is missing or lacks a column, or labels are numbers that no file names,
            or are named otherwise.
    """
    classes = read_classes(dataset.classes) if dataset.classes else None
    entries = [entry for path in dataset.tables for entry in _entries(path, dataset, classes)]
    if (
        classes is None
        and entries
        and all(NUMBER.fullmatch(label) for entry in entries for label in entry.labels)
    ):
        raise BadInput(
            f"{dataset.tables[0]}: its labels are numbers; give `classes`, the file that says "
            "which class each is"
        )
    videos = locate(entries, dataset.folder)
    if dataset.split_column is None:
        return split_videos(videos, dataset.val_fraction, dataset.test_fraction, seed)
    return complete_splits(videos, dataset.val_fraction, seed)


def _entries(path: Path, dataset: TableDataset, classes: Classes | None) -> Iterator[Entry]:
    columns = (
        dataset.split_column,
        dataset.group_column,
        dataset.start_column,
        dataset.end_column,
        dataset.number_column,
    )
    wanted = [
        dataset.video_column,
        dataset.label_column,
        *(column for column in columns if column is not None),
    ]
    for number, row in enumerate(
        read_rows(path, wanted, dataset.delimiter, dataset.header), start=1
    ):
        where = f"{path}: row {number}"
        label, video = _label(row, dataset, classes, where), row[dataset.video_column]
        if not video or not label:
            raise BadInput(
                f"{where}: its {dataset.label_column if video else dataset.video_column} is empty"
            )
        yield Entry(
            video,
            split_named(row[dataset.split_column], where)
            if dataset.split_column is not None
            else "",
            (label,),
            (video,),
            group=row[dataset.group_column] if dataset.group_column is not None else "",
            segments=_segments(row, dataset, label, where),
        )


def _label(row: dict[str, str], dataset: TableDataset, classes: Classes | None, where: str) -> str:
    label = row[dataset.label_column]
    if classes is None:
        return label
    if dataset.number_column is not None:
        if classes.known(label) is None:
            raise BadInput(f"{where}: {label!r} is no class of {dataset.classes}")
        return classes.confirm(row[dataset.number_column], label, where)
    if label.isdigit():
        return classes.of(label, where)
    if (name := classes.known(label)) is None:
        raise BadInput(f"{where}: {label!r} is no class of {dataset.classes}")
    return name


def _segments(
    row: dict[str, str], dataset: TableDataset, label: str, where: str
) -> tuple[Segment, ...]:
    if dataset.start_column is None or dataset.end_column is None:
        return ()
    start, end = (
        seconds(row[column], where) for column in (dataset.start_column, dataset.end_column)
    )
    if start >= end:
        raise BadInput(f"{where}: a segment from {start:g} to {end:g} s")
    return (Segment(start, end, label),)
