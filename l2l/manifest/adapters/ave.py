"""AVE: class, id, quality, start and end of the event on each line, with & between them.

Files `<id>.mp4`.
"""

from collections.abc import Iterator
from pathlib import Path

from l2l.datasets import AveDataset
from l2l.errors import BadInput
from l2l.manifest.artifact import Segment, Video
from l2l.manifest.files import Entry, locate
from l2l.manifest.lists import non_empty, read_lines, segment_time
from l2l.manifest.splits import complete_splits

EXPECTED = "expected `class&id&quality&start&end`"


def list_ave(dataset: AveDataset, seed: int) -> list[Video]:
    """The videos, by id; each event is a labelled segment.

    Raises:
        BadInput: if a list is missing or has a line that is not as expected.
    """
    lists = (("train", dataset.train), ("val", dataset.val), ("test", dataset.test))
    entries = [entry for split, path in lists if path for entry in _entries(path, split)]
    return complete_splits(locate(entries, dataset.folder), dataset.val_fraction, seed)


def _entries(path: Path, split: str) -> Iterator[Entry]:
    for number, line in read_lines(path):
        cells = [cell.strip() for cell in line.split("&")]
        where = f"{path}: line {number}"
        if len(cells) != 5:
            raise BadInput(f"{where} is {line!r}, {EXPECTED}")
        label, video, _, begin, stop = cells
        if (video, begin) == ("VideoID", "StartTime"):  # some lists have a header
            continue
        video, label = non_empty(video, "id", where), non_empty(label, "label", where)
        event = Segment(segment_time(begin, where), segment_time(stop, where), label)
        yield Entry(video, split, (label,), (video, line.strip()), segments=(event,))
