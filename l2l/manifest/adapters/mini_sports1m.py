"""Mini-Sports1M: of each class of Sports-1M some videos of 2 to 5 minutes, 30 to train on and 10 to
test (Gao et al., 2020).

The paper's choice of videos is not published, so they are drawn here by the seed; a list of your
own can be given instead.
"""

import contextlib
import hashlib
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from l2l.datasets import MiniSports1mDataset
from l2l.errors import BadInput
from l2l.manifest.artifact import Video
from l2l.manifest.classes import Classes, read_classes
from l2l.manifest.files import Entry, Files, locate, merge
from l2l.manifest.lists import non_empty, read_lines, read_rows, seconds
from l2l.manifest.probe import probe_files
from l2l.manifest.seen import relative, stamp_of
from l2l.manifest.splits import complete_splits
from l2l.stores import read_table, write_table

DURATION_COLUMNS = ("file", "stamp", "seconds")
WATCHED = re.compile(r"[?&]v=([^&#]+)")  # the id in the address of a page


def list_mini_sports1m(
    dataset: MiniSports1mDataset, seed: int, record: Path | None = None
) -> list[Video]:
    """The videos, by id; a video of several classes has all of them, the one that it was drawn for
    first.

    Args:
        dataset: the section of the data set.
        seed: of the draw and the splits.
        record: the data set's record of files, see `l2l.manifest.seen`. Next to it the declared
            durations are kept, so that each file is opened once. None: all files are opened.

    Raises:
        BadInput: if a list is missing, has a line that is no URL with numbers of classes, or
            nothing can be drawn.
        MachineError: if the machine did not let files be opened.
    """
    classes = read_classes(dataset.classes)
    entries: Iterable[Entry] = (
        _entry(line, split, classes, f"{path}: line {number}")
        for split, path in (("train", dataset.train), ("test", dataset.test))
        for number, line in read_lines(path)
    )
    if dataset.draw:
        # a video of both lists is for test
        candidates = [entry for entry, _ in merge(entries)]
        entries = _drawn(candidates, dataset, classes.names, seed, record)
    return complete_splits(locate(entries, dataset.folder), dataset.val_fraction, seed)


def _entry(line: str, split: str, classes: Classes, where: str) -> Entry:
    url, _, numbers = line.strip().rpartition(" ")
    address = WATCHED.search(url)
    video = (address[1] if address else url.rpartition("/")[2]).strip()
    if not video:
        raise BadInput(
            f"{where} is {line!r}, expected for instance "
            "`https://www.youtube.com/watch?v=UDqivjS-lpI 168,169`"
        )
    labels = tuple(
        dict.fromkeys([classes.of(number.strip(), where) for number in numbers.split(",")])
    )
    return Entry(video, split, labels, (video, f"v_{video}"))


def _drawn(
    entries: Sequence[Entry],
    dataset: MiniSports1mDataset,
    names: Sequence[str],
    seed: int,
    record: Path | None,
) -> list[Entry]:
    durations = _durations(entries, dataset, record)
    eligible = [
        entry
        for entry in entries
        if dataset.min_seconds <= durations.get(entry.video, -1) <= dataset.max_seconds
    ]
    if not eligible:
        raise BadInput(
            f"{dataset.train}, {dataset.test}: none of {len(entries)} videos lasts "
            f"{dataset.min_seconds:g} to {dataset.max_seconds:g} s; the durations of "
            f"{len(durations)} are known"
        )
    chosen: dict[str, Entry] = {}
    for split, count in (("train", dataset.train_videos), ("test", dataset.test_videos)):
        members: dict[str, list[Entry]] = {name: [] for name in names}
        of_split = [entry for entry in eligible if entry.split == split]
        for entry in sorted(of_split, key=lambda entry: _position(entry.video, seed)):
            for label in entry.labels:
                members[label].append(entry)
        few = 0
        # rare classes first, before their videos are drawn for others
        for label in sorted(members, key=lambda label: (len(members[label]), label)):
            free = [entry for entry in members[label] if entry.video not in chosen][:count]
            few += len(free) < count
            for entry in free:
                chosen[entry.video] = entry._replace(
                    labels=tuple(dict.fromkeys((label, *entry.labels)))
                )
        if few:
            print(
                f"{few} of {len(names)} classes have fewer than {count} videos for {split}",
                file=sys.stderr,
            )
    return list(chosen.values())


def _durations(
    entries: Sequence[Entry], dataset: MiniSports1mDataset, record: Path | None
) -> Mapping[str, float]:
    if isinstance(dataset.durations, Path):
        table = dataset.durations
        rows = read_rows(table, ("0", "1"), header=False, width=2)
        where = {line: f"{table}: line {line}" for line, _ in rows}
        return {
            non_empty(row["0"], "id", where[line]): seconds(row["1"], where[line])
            for line, row in rows
        }
    files = Files(dataset.folder)
    paths = {entry.video: Path(each[0]) for entry in entries if (each := files.find(entry.names))}
    return _declared(paths, dataset.folder, record and record.with_suffix(".durations.tsv"))


def _declared(paths: Mapping[str, Path], folder: Path, record: Path | None) -> Mapping[str, float]:
    """The duration that the file of each video declares, by its path; only files whose size or
    times are not those of the record are opened.
    """
    known = _read_durations(record) if record else {}
    stamps = {relative(path, folder): stamp_of(path) for path in paths.values()}
    names = {video: relative(path, folder) for video, path in paths.items()}
    changed = {
        name: paths[video]
        for video, name in names.items()
        if name not in known or known[name][0] != stamps[name]
    }
    results = probe_files(changed.values())
    opened = {
        name: (stamps[name], each.duration_seconds)
        for name, each in zip(changed, results, strict=True)
    }
    all_files = {name: opened.get(name) or known[name] for name in names.values()}
    if record and all_files != known:
        rows = [
            {"file": name, "stamp": stamp, "seconds": repr(seconds)}
            for name, (stamp, seconds) in all_files.items()
        ]
        with contextlib.suppress(BadInput):  # a folder that cannot be written to: only slower
            write_table(record, DURATION_COLUMNS, rows)
    return {video: all_files[name][1] for video, name in names.items()}


def _read_durations(record: Path) -> dict[str, tuple[str, float]]:
    """The stamp and the duration of each file of a record; nothing if there is none."""
    try:
        rows = read_table(record, DURATION_COLUMNS) if record.is_file() else []
        return {row["file"]: (row["stamp"], float(row["seconds"])) for row in rows}
    except (BadInput, ValueError):
        return {}


def _position(video: str, seed: int) -> bytes:
    return hashlib.blake2b(
        f"{seed} {video}".encode("utf-8", "surrogatepass"), digest_size=8
    ).digest()
