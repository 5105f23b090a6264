"""Lists as mmaction2 reads them.

A path, which may hold spaces, and after the last space the number of its class.
"""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from l2l.datasets import Mmaction2Dataset
from l2l.errors import BadInput
from l2l.manifest.artifact import Video
from l2l.manifest.classes import Classes, read_classes
from l2l.manifest.files import Entry, locate
from l2l.manifest.lists import read_lines
from l2l.manifest.splits import complete_splits


def list_mmaction2(dataset: Mmaction2Dataset, seed: int) -> list[Video]:
    """The videos, by id: the path as the list has it.

    Raises:
        BadInput: if a list is missing, a line is no `path number`, or a number is not the class
            that the path's folder names.
    """
    classes = read_classes(dataset.classes)
    lists = (("train", dataset.train), ("val", dataset.val), ("test", dataset.test))
    entries = [entry for split, path in lists if path for entry in _entries(path, split, classes)]
    return complete_splits(locate(entries, dataset.folder), dataset.val_fraction, seed)


def _entries(path: Path, split: str, classes: Classes) -> Iterator[Entry]:
    for number, line in read_lines(path):
        where = f"{path}: line {number}"
        file, _, label = line.strip().replace("\t", " ").rpartition(" ")
        file = file.strip()
        if not file:
            raise BadInput(
                f"{where} is {line!r}, expected a path, a space and the number of its class"
            )
        folder = PurePosixPath(file.replace("\\", "/")).parent.name
        name = classes.confirm(label, folder, where)
        yield Entry(file, split, (name,), (file,))
