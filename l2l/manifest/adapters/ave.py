"""AVE: a class, an id, a quality and the seconds of the event a line, with & between them.

Files `<id>.mp4`.
"""

from collections.abc import Iterator
from pathlib import Path

from l2l.datasets import AveDataset
from l2l.errors import BadInput
from l2l.manifest.artifact import Segment, Video
from l2l.manifest.files import Entry, locate
from l2l.manifest.lists import read_lines, seconds
from l2l.manifest.splits import complete_splits

EXPECTED = "expected `class&id&quality&start&end`"


def list_ave(dataset: AveDataset, seed: int) -> list[Video]:
    """The videos, by id; each event is a labelled segment, one that lasts no time gives only its
    label.

    Raises:
        BadInput: if a list is missing or has a line that is not as expected.
    """
    lists = (("train", dataset.train), ("val", dataset.val), ("test", dataset.test))
    entries = [entry for split, path in lists if path for entry in _entries(path, split)]
    return complete_splits(locate(entries, dataset.folder), dataset.val_fraction, seed)


def _entries(path: Path, split: str) -> Iterator[Entry]:
    for number, line in enumerate(read_lines(path), start=1):
        cells = [cell.strip() for cell in line.split("&")]
        where = f"{path}: line {number}"
        if len(cells) != 5:
            raise BadInput(f"{where} is {line!r}, {EXPECTED}")
        label, video, _, begin, stop = cells
        if number == 1 and (video, begin) == ("VideoID", "StartTime"):  # some lists have a header
            continue
        start, end = seconds(begin, where), seconds(stop, where)
        segments = (Segment(start, end, label),) if start < end else ()
        yield Entry(video, split, (label,), (video, line.strip()), segments=segments)
