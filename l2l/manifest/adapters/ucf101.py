"""UCF-101: the official division into training and test, and clips `v_<Class>_g01_c01`.

Clips of one group (g01) look alike, so no group is divided over splits.
"""

from pathlib import PurePosixPath

from l2l.datasets import Ucf101Dataset
from l2l.errors import BadInput
from l2l.manifest.artifact import Video
from l2l.manifest.classes import Classes, read_classes
from l2l.manifest.files import Entry, locate
from l2l.manifest.lists import read_lines
from l2l.manifest.splits import complete_splits

# the lists spell the file one way and its folder the other; so do copies on disk
SPELLINGS = ("HandStandPushups", "HandstandPushups")


def list_ucf101(dataset: Ucf101Dataset, seed: int) -> list[Video]:
    """The videos of one division, by id `Class/v_Class_g01_c01`; some groups of training become the
    validation split.

    Raises:
        BadInput: if a list is missing, has a line that is no `Class/file number`, or a number whose
            class is not that of the folder.
    """
    numbered, train, test = dataset.annotation_files
    classes = read_classes(numbered)
    entries = [
        _entry(line, split, classes, f"{path}: line {number}")
        for split, path in (("train", train), ("test", test))
        for number, line in read_lines(path)
    ]
    return complete_splits(locate(entries, dataset.folder), dataset.val_fraction, seed)


def _entry(line: str, split: str, classes: Classes, where: str) -> Entry:
    file, _, number = line.strip().rpartition(" ")
    if not file or not number.isdigit():  # test lists have no numbers
        file, number = line.strip(), ""
    file = file.strip().replace("\\", "/")
    path = PurePosixPath(file)
    label = classes.known(path.parent.name)
    if label is None:
        raise BadInput(
            f"{where}: {file!r} does not lie in the folder of a class; expected for instance "
            "'Archery/v_Archery_g01_c01.avi'"
        )
    if number:
        classes.confirm(number, label, where)
    group = path.stem.rpartition("_c")[0] or path.stem
    return Entry(f"{path.parent.name}/{path.stem}", split, (label,), _spellings(file), group=group)


def _spellings(file: str) -> tuple[str, ...]:
    folder, _, name = file.rpartition("/")
    one, other = SPELLINGS
    names = (name, name.replace(one, other), name.replace(other, one))
    return tuple(dict.fromkeys(f"{folder}/{each}" for each in names))
