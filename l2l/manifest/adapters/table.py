"""Any csv or tsv; the configuration says which column is which."""

from collections.abc import Iterator
from pathlib import Path

from l2l.datasets import TableDataset
from l2l.errors import BadInput
from l2l.manifest.artifact import UNLABELLED, Segment, Video
from l2l.manifest.classes import Classes, is_number, read_classes
from l2l.manifest.files import Entry, locate
from l2l.manifest.lists import named_split, non_empty, read_rows, segment_time
from l2l.manifest.splits import complete_splits, split_videos


def list_table(dataset: TableDataset, seed: int) -> list[Video]:
    """The videos, by id: the file as the table has it. Rows of one file are labels and segments of
    one video.

    Raises:
        BadInput: if a table is missing or lacks a column, if labels are numbers and no `classes`
            are given, or if a label is not one of the classes.
    """
    classes = read_classes(dataset.classes) if dataset.classes else None
    entries = [entry for path in dataset.tables for entry in _entries(path, dataset, classes)]
    if (
        classes is None
        and entries
        and all(is_number(label.lstrip("+-")) for entry in entries for label in entry.labels)
    ):
        raise BadInput(
            f"{dataset.tables[0]}: the labels are numbers; give `classes`, the file that says "
            "which class each number is"
        )
    videos = locate(entries, dataset.folder)
    if dataset.split_column is None:
        return split_videos(videos, dataset.val_fraction, dataset.test_fraction, seed)
    return complete_splits(videos, dataset.val_fraction, seed)


def _entries(path: Path, dataset: TableDataset, classes: Classes | None) -> Iterator[Entry]:
    columns = (
        dataset.label_column,
        dataset.split_column,
        dataset.group_column,
        dataset.start_column,
        dataset.end_column,
        dataset.number_column,
    )
    needed = [
        dataset.video_column,
        *(column for column in columns if column is not None),
    ]
    for number, row in read_rows(path, needed, dataset.delimiter, dataset.header):
        where = f"{path}: line {number}"
        video = non_empty(row[dataset.video_column], dataset.video_column, where)
        label = _label(row, dataset, classes, where)
        split = group = ""
        if dataset.split_column is not None:
            split = named_split(row[dataset.split_column], where)
        if dataset.group_column is not None:
            group = row[dataset.group_column]
        segments = _segments(row, dataset, label, where)
        yield Entry(video, split, (label,), (video,), group=group, segments=segments)


def _label(row: dict[str, str], dataset: TableDataset, classes: Classes | None, where: str) -> str:
    if dataset.label_column is None:  # a data set of role `apply`, which drops it
        return UNLABELLED
    label = non_empty(row[dataset.label_column], dataset.label_column, where)
    if classes is None:
        return label
    if dataset.number_column is not None:
        if classes.known(label) is None:
            raise BadInput(f"{where}: {label!r} is not a class of {dataset.classes}")
        return classes.confirm(row[dataset.number_column], label, where)
    if is_number(label):
        return classes.of(label, where)
    if (name := classes.known(label)) is None:
        raise BadInput(f"{where}: {label!r} is not a class of {dataset.classes}")
    return name


def _segments(
    row: dict[str, str], dataset: TableDataset, label: str, where: str
) -> tuple[Segment, ...] | None:
    if dataset.start_column is None or dataset.end_column is None:
        return None
    start = segment_time(row[dataset.start_column], where)
    end = segment_time(row[dataset.end_column], where)
    return (Segment(start, end, label),)
