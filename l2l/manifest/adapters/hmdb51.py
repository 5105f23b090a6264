"""HMDB51: one list per class and division, `file 1` for training, `file 2` for test, `file 0` for
neither.
"""

import sys
from collections.abc import Iterator

from l2l.datasets import Hmdb51Dataset
from l2l.errors import BadInput
from l2l.manifest.artifact import Video
from l2l.manifest.files import Entry, locate
from l2l.manifest.lists import read_lines
from l2l.manifest.splits import complete_splits

SPLITS = {"1": "train", "2": "test"}
NEITHER = "0"


def list_hmdb51(dataset: Hmdb51Dataset, seed: int) -> list[Video]:
    """The videos of one division, by id `class/name`; some films of training become the validation
    split.

    The division is the official one: a film that it has on both sides is counted on stderr.

    Raises:
        BadInput: if there are no lists, or one has a line that is no `file number`.
    """
    entries = list(_entries(dataset))
    trained = {entry.group for entry in entries if entry.split == "train"}
    tested = {entry.group for entry in entries if entry.split == "test"}
    if both := trained & tested:
        print(
            f"{dataset.lists}: the official division has {len(both)} films in training and in "
            f"test, the first of them {min(both)!r}",
            file=sys.stderr,
        )
    entries = [
        entry._replace(group="") if entry.split == "test" and entry.group in both else entry
        for entry in entries
    ]
    return complete_splits(locate(entries, dataset.folder), dataset.val_fraction, seed)


def _entries(dataset: Hmdb51Dataset) -> Iterator[Entry]:
    end = f"_test_split{dataset.division}.txt"
    lists = sorted(dataset.lists.glob(f"*{end}"))
    if not lists:
        raise BadInput(f"{dataset.lists}: no lists in it; expected <class>{end} for each class")
    for path in lists:
        label = path.name.removesuffix(end)
        for number, line in read_lines(path):
            file, _, mark = line.strip().rpartition(" ")
            if not file or mark not in (*SPLITS, NEITHER):
                raise BadInput(
                    f"{path}: line {number} is {line!r}, expected a file and 1 (training), 2 "
                    "(test) or 0 (neither)"
                )
            if mark != NEITHER:
                name = file.strip().rpartition(".")[0] or file.strip()
                film = name.partition(f"_{label}_")[0]  # clips of one film look alike
                yield Entry(
                    f"{label}/{name}",
                    SPLITS[mark],
                    (label,),
                    (f"{label}/{file.strip()}",),
                    group=f"{label} {film}",
                )
