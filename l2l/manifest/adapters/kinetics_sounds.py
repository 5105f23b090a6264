"""Kinetics-Sounds: the classes of Kinetics that can be seen and heard.

Publications differ in how many these are.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from l2l.datasets import KineticsSoundsDataset
from l2l.errors import BadInput
from l2l.manifest.adapters.kinetics import clip_name, kinetics_entries
from l2l.manifest.artifact import Video
from l2l.manifest.classes import Classes, read_classes
from l2l.manifest.files import Entry, locate
from l2l.manifest.lists import plain, read_lines, seconds
from l2l.manifest.splits import complete_splits

CLIP_SECONDS = 10
PLAYING = (
    *("accordion", "bagpipes", "bass guitar", "clarinet", "drums", "guitar", "harmonica"),
    *("keyboard", "organ", "piano", "saxophone", "trombone", "trumpet", "violin", "xylophone"),
)
_COMMON = (
    *("blowing nose", "bowling", "chopping wood", "laughing"),
    *(f"playing {instrument}" for instrument in PLAYING),
    *("ripping paper", "shoveling snow", "shuffling cards", "singing", "tap dancing"),
    *("tapping guitar", "tapping pen", "tickling"),
)
_RENAMED = ("blowing out candles", "dribbling basketball", "mowing lawn", "stomping grapes")
CLASSES = {
    # the paper's (supplement, B); the same as AdaMML's (Panda et al., ICCV 2021),
    # github.com/IBM/AdaMML, issue 3
    31: (*_COMMON, *_RENAMED),
    # the authors of CrissCross (Sarkar and Etemad, AAAI 2023), github.com/pritamqu/CrissCross,
    # issue 4
    32: (*_COMMON, *_RENAMED, "strumming guitar"),
    # Arandjelovic and Zisserman, Look, Listen and Learn (ICCV 2017), with the names of Kinetics
    # before its release
    34: (
        *(*_COMMON, "blowing out", "dribbling ball", "fingerpicking", "patting", "stomping"),
        *("mowing the lawn by pushing lawnmower", "typing"),
    ),
}
"""The order means nothing: a list with numbers needs the file that names them."""


def list_kinetics_sounds(dataset: KineticsSoundsDataset, seed: int) -> list[Video]:
    """The clips, by id as the csv or the list has it.

    Raises:
        BadInput: if a list or csv is missing or not as expected, or has a number that is no class.
    """
    if dataset.annotations:
        entries = _of_classes(dataset)
    else:
        assert isinstance(dataset.classes, Path)  # checked by the section
        classes = read_classes(dataset.classes)
        lists = (("train", dataset.train), ("test", dataset.test))
        entries = [
            entry for split, path in lists if path for entry in _numbered(path, split, classes)
        ]
    return complete_splits(locate(entries, dataset.folder), dataset.val_fraction, seed)


def _of_classes(dataset: KineticsSoundsDataset) -> list[Entry]:
    names = (
        CLASSES[dataset.classes]
        if isinstance(dataset.classes, int)
        else read_classes(dataset.classes).names
    )
    keys = {plain(name) for name in names}
    entries = [
        entry
        for path in dataset.annotations
        for entry in kinetics_entries(path)
        if plain(entry.labels[0]) in keys
    ]
    present = {plain(entry.labels[0]) for entry in entries}
    absent = sorted(name for name in names if plain(name) not in present)
    if absent:
        print(
            f"{len(absent)} of {len(names)} classes are in no csv: {', '.join(absent)}",
            file=sys.stderr,
        )
    return entries


def _numbered(path: Path, split: str, classes: Classes) -> Iterator[Entry]:
    """`<id>_000058_000068,10,4`, or `<id>_58,10,4`: the clip, its seconds, its class's number."""
    for number, line in read_lines(path):
        where = f"{path}: line {number}"
        cells = [cell.strip() for cell in line.rsplit(",", 2)]
        if len(cells) != 3 or not cells[0]:
            raise BadInput(
                f"{where} is {line!r}, expected `<id>_<second>,{CLIP_SECONDS},<number of a class>`"
            )
        clip, length, label = cells[0], seconds(cells[1], where), classes.of(cells[2], where)
        names = [f"{label}/{clip}", clip]
        if short := re.fullmatch(r"(.+)_([0-9]{1,6})", clip):
            start = int(short[2])
            names.append(clip_name(short[1], start, start + length))
        yield Entry(clip, split, (label,), tuple(names))
