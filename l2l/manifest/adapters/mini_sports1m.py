"""Mini-Sports1M: of each class of Sports-1M some videos of 2 to 5 minutes, 30 to train on and 10 to
test (Gao et al., 2020).

Which videos the paper drew is not published, so they are drawn here, seeded; whoever has a list of
their own gives it.
"""

import hashlib
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from l2l.datasets import MiniSports1mDataset
from l2l.errors import BadInput
from l2l.manifest.artifact import Video
from l2l.manifest.files import Entry, Files, locate, merge
from l2l.manifest.lists import Classes, read_classes, read_lines, read_rows, seconds
from l2l.manifest.probe import probe_files
from l2l.manifest.splits import complete_splits

WATCHED = re.compile(r"[?&]v=([^&#]+)")  # the id, in a page's address


def list_mini_sports1m(dataset: MiniSports1mDataset, seed: int) -> list[Video]:
    """The videos, by id; a video of several classes has all of them, first the one it was drawn
    for.

    Raises:
        BadInput: if a list is missing, has a line that is no URL with numbers of classes, or
            nothing can be drawn.
    """
    classes = read_classes(dataset.classes)
    entries: Iterable[Entry] = (
        _entry(line, split, classes, f"{path}: line {number}")
        for split, path in (("train", dataset.train), ("test", dataset.test))
        for number, line in enumerate(read_lines(path), start=1)
    )
    if dataset.draw:
        entries = _drawn(
            [entry for entry, _ in merge(entries)], dataset, classes.names, seed
        )  # in both lists: for test
    return complete_splits(locate(entries, dataset.folder), dataset.val_fraction, seed)


def _entry(line: str, split: str, classes: Classes, where: str) -> Entry:
    url, _, numbers = line.strip().rpartition(" ")
    named = WATCHED.search(url)
    video = named[1] if named else url.rpartition("/")[2]
    if not video:
        raise BadInput(
            f"{where} is {line!r}, expected such as `https://www.youtube.com/watch?v=UDqivjS-lpI "
            "168,169`"
        )
    labels = tuple(
        dict.fromkeys([classes.of(number.strip(), where) for number in numbers.split(",")])
    )
    return Entry(video, split, labels, (video, f"v_{video}"))


def _drawn(
    entries: Sequence[Entry], dataset: MiniSports1mDataset, names: Sequence[str], seed: int
) -> list[Entry]:
    durations = _durations(entries, dataset)
    fit = [
        e
        for e in entries
        if dataset.min_seconds <= durations.get(e.video, -1) <= dataset.max_seconds
    ]
    if not fit:
        raise BadInput(
            f"{dataset.train}, {dataset.test}: none of {len(entries)} videos is known to last "
            f"{dataset.min_seconds:g} to {dataset.max_seconds:g} s; durations of {len(durations)} "
            "are known"
        )
    chosen: dict[str, Entry] = {}
    for split, most in (("train", dataset.train_videos), ("test", dataset.test_videos)):
        members: dict[str, list[Entry]] = {name: [] for name in names}
        for entry in sorted(
            (e for e in fit if e.split == split), key=lambda e: _place(e.video, seed)
        ):
            for label in entry.labels:
                members[label].append(entry)
        few = 0
        for label in sorted(
            members, key=lambda label: (len(members[label]), label)
        ):  # the rare ones first, while theirs are free
            free = [entry for entry in members[label] if entry.video not in chosen][:most]
            few += len(free) < most
            for entry in free:
                chosen[entry.video] = entry._replace(
                    labels=tuple(dict.fromkeys((label, *entry.labels)))
                )
        if few:
            print(
                f"{few} of {len(names)} classes have fewer than {most} videos for {split}",
                file=sys.stderr,
            )
    return list(chosen.values())


def _durations(entries: Sequence[Entry], dataset: MiniSports1mDataset) -> Mapping[str, float]:
    if isinstance(dataset.durations, Path):
        rows = read_rows(dataset.durations, ("0", "1"), header=False)
        return {row["0"]: seconds(row["1"], f"{dataset.durations}: {row['0']!r}") for row in rows}
    files = Files(dataset.folder)
    found = {entry.video: Path(paths[0]) for entry in entries if (paths := files.find(entry.names))}
    facts = probe_files(found.values())
    return {video: each.duration_seconds for video, each in zip(found, facts, strict=True)}


def _place(video: str, seed: int) -> bytes:
    return hashlib.blake2b(
        f"{seed} {video}".encode("utf-8", "surrogatepass"), digest_size=8
    ).digest()
