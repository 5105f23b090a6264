"""The files of a data set, and which of them is meant by a name in a list.

Names are looked up, never made into paths.
"""

import os
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from l2l.manifest.artifact import SPLITS, Segment, Video
from l2l.manifest.lists import plain

SUFFIXES = {
    *(
        ".mp4",
        ".m4v",
        ".mov",
        ".mkv",
        ".webm",
        ".avi",
        ".mpg",
        ".mpeg",
        ".vob",
        ".ts",
        ".mts",
        ".m2ts",
        ".flv",
        ".wmv",
        ".asf",
    ),
    *(".3gp", ".ogv", ".mxf", ".gif"),
}


class Entry(NamedTuple):
    """A video as a list has it."""

    video: str  # its id
    split: str  # train, val or test; empty: not told
    labels: tuple[str, ...]
    names: tuple[
        str, ...
    ]  # that its file may have, the likeliest first; with folders and a suffix, or without
    group: str = ""
    segments: tuple[Segment, ...] = ()


def walk_files(folder: Path) -> Iterator[Path]:
    """Every file below a folder, through links as well, each folder once.

    Nothing where there is no folder.
    """
    return (Path(at, name) for at, names in walk_folders(folder) for name in names)


def walk_folders(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """As `walk_files`, folder by folder: its path and the names of its files, sorted. A million
    paths take seconds to make.

    A folder that cannot be read is told of and left out: one without leave, or one so deep that its
        path is too long.
    """
    seen, waiting = set(), [str(folder)]  # no recursion: folders may be deeper than that goes
    while waiting:
        at = waiting.pop()
        try:
            state = Path(at).stat()
            if (state.st_dev, state.st_ino) in seen:  # a link to where we have been
                continue
            seen.add((state.st_dev, state.st_ino))
            with os.scandir(at) as inside:
                entries = sorted((entry.name, is_folder(entry)) for entry in inside)
        except OSError as error:
            if at != str(folder) and not isinstance(
                error, FileNotFoundError
            ):  # which went away meanwhile
                print(
                    f"{_short(at)}: left out, for it cannot be read ({error.strerror})",
                    file=sys.stderr,
                )
            continue
        waiting += [f"{at}/{name}" for name, inner in reversed(entries) if inner]
        yield at, [name for name, inner in entries if not inner]


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder, or a link to one."""
    try:
        return entry.is_dir()
    except OSError:  # a link that loops
        return False


def _short(path: str) -> str:
    """A path on one line, the middle of a very long one left out."""
    plainly = path.encode("unicode_escape", "surrogatepass").decode()
    return plainly if len(plainly) <= 400 else f"{plainly[:200]} ... {plainly[-200:]}"


def is_video_name(name: str) -> bool:
    """Whether a file of this name, without folders, is one of a video, and not hidden."""
    return _stem(name) != name and not name.startswith(".")


class Files:
    """The videos below a folder, found by name.

    Paths stay text: of a million, objects would take most of the time.
    """

    def __init__(self, folder: Path) -> None:
        self._root = len(str(folder).rstrip("/")) + 1
        self._by_stem: defaultdict[str, list[str]] = defaultdict(list)
        for at, inside in walk_folders(folder):
            for name in inside:
                if (stem := _stem(name)) != name and not name.startswith("."):
                    self._by_stem[stem].append(f"{at}/{name}")

    def find(self, names: Sequence[str]) -> list[str]:
        """The files that the first name which has any may mean, the likeliest first.

        The last part of a name has to be the file's, but for its suffix. Where both stand in
        folders, the innermost has to agree, so that 001.mp4 of one class is not taken for that of
        another.
        """
        for name in names:
            parts = PurePosixPath(name).parts if "/" in name else (name,)
            found = self._by_stem.get(_stem(parts[-1]), []) if parts else []
            if len(found) == len(parts) == 1:
                return found
            ranked = []
            for path in found:
                inside = path[self._root :].split("/")
                same = _same_tail(parts[:-1], inside[:-1])
                if same >= min(1, len(parts) - 1, len(inside) - 1):
                    ranked.append((-same, inside[-1] != parts[-1], inside, path))
            if ranked:
                return [path for *_, path in sorted(ranked)]
        return []


def _stem(name: str) -> str:
    stem, _, suffix = name.rpartition(".")
    return stem if stem and f".{suffix.lower()}" in SUFFIXES else name


def _same_tail(one: Sequence[str], other: Sequence[str]) -> int:
    pairs = zip(reversed(one), reversed(other), strict=False)
    return next(
        (count for count, (a, b) in enumerate(pairs) if plain(a) != plain(b)),
        min(len(one), len(other)),
    )


def merge(entries: Iterable[Entry]) -> list[tuple[Entry, str]]:
    """Each id once, with a remark: its labels and segments together.

    In two splits it belongs to the later one, never to both.
    """
    merged: dict[str, tuple[Entry, str]] = {}
    for entry in entries:
        if entry.video not in merged and len(entry.labels) == 1 and len(entry.segments) < 2:
            merged[entry.video] = entry, ""
            continue
        have, remark = merged.get(entry.video, (entry, ""))
        later = max(have.split, entry.split, key=(*SPLITS, "").index)
        if have.split != entry.split:
            remark = (
                f"listed for {' and '.join(sorted({have.split, entry.split}))}; kept for {later} "
                "alone"
            )
        labels = tuple(dict.fromkeys((*have.labels, *entry.labels)))
        names = tuple(dict.fromkeys((*have.names, *entry.names)))
        segments = tuple(dict.fromkeys((*have.segments, *entry.segments)))
        merged[entry.video] = (
            have._replace(split=later, labels=labels, names=names, segments=segments),
            remark,
        )
    return list(merged.values())


def locate(entries: Iterable[Entry], folder: Path) -> list[Video]:
    """The videos of a list by id, each with its file.

    One without a file has the status missing and a path that is not there.
    """
    files = Files(folder)
    return sorted(
        (_video(entry, remark, files, folder) for entry, remark in merge(entries)),
        key=lambda video: video.video,
    )


def _video(entry: Entry, remark: str, files: Files, folder: Path) -> Video:
    found = files.find(entry.names)
    remarks = [remark] if remark else []
    if not found:
        remarks.insert(0, f"no file named {entry.names[0]!r}, with whatever suffix")
    if len(found) > 1:
        remarks.append(f"{Path(found[1]).relative_to(folder)} not read")
    return Video(
        video=entry.video,
        file=found[0] if found else str(folder / f"{safe_file_name(entry.video)}.mp4"),
        split=entry.split,
        labels=entry.labels,
        segments=entry.segments,
        group=entry.group,
        status="ok" if found else "missing",
        reason="; ".join(remarks),
    )


def safe_file_name(video: str) -> str:
    """An id as a part of a file's name: it cannot lead to another folder."""
    return video.replace("/", "_").replace("\0", "_")
