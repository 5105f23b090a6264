"""The files of a data set, and which of them a name in a list means.

Names are looked up among the files of the folder; a path is never made from a name.
"""

import functools
import os
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from l2l.errors import BadInput
from l2l.manifest.artifact import SPLITS, Segment, Video
from l2l.manifest.lists import composed, plain
from l2l.manifest.segments import real_segments

SUFFIXES = {
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".vob", ".ts", ".mts"),
    *(".m2ts", ".flv", ".wmv", ".asf", ".3gp", ".ogv", ".mxf", ".gif"),
}


class Entry(NamedTuple):
    """A video as a list has it."""

    video: str  # its id
    split: str  # train, val or test; empty: the list does not say
    labels: tuple[str, ...]
    # its file may have any of these names, the likeliest first; with or without folders and suffix
    names: tuple[str, ...]
    group: str = ""
    segments: tuple[Segment, ...] | None = None  # as listed; None: the whole video is the action
    duration_seconds: float = 0.0  # as listed; 0: the list does not say


def walk_files(folder: Path) -> Iterator[Path]:
    """Every file below a folder, following links, each folder once.

    Nothing if the folder does not exist.
    """
    return (Path(at, name) for at, names in walk_folders(folder) for name in names)


def walk_folders(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """As `walk_files`, but per folder: its path and the names of its files, sorted. To make a
    million paths takes seconds.

    A folder that cannot be read, for want of permission or because its path is too long, is left
    out with a line on stderr.
    """
    # no recursion: folders may be deeper than Python's limit
    seen, waiting = set(), [str(folder)]
    while waiting:
        at = waiting.pop()
        try:
            status = Path(at).stat()
            if (status.st_dev, status.st_ino) in seen:  # a link to a folder already read
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(at) as inside:
                entries = sorted((entry.name, is_folder(entry)) for entry in inside)
        except OSError as error:
            # a folder that is not found was removed meanwhile
            if at != str(folder) and not isinstance(error, FileNotFoundError):
                print(
                    f"{_short(at)}: cannot be read ({error.strerror}), so it is left out",
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
    """A path on one line, without the middle of a very long one."""
    escaped = path.encode("unicode_escape", "surrogatepass").decode()
    return escaped if len(escaped) <= 400 else f"{escaped[:200]} ... {escaped[-200:]}"


def is_video_name(name: str) -> bool:
    """Whether a file of this name, without folders, is a video and not hidden, as `._1.mp4` is."""
    return _stem(name) != name and not name.startswith(".")


def video_files(paths: Sequence[Path]) -> list[Path]:
    """The files given, and those in the folders given that have the name of a video, each once;
    lines on stderr say how many others there are, and how many are given again.
    """
    videos: dict[tuple[str, str], Path] = {}  # by the folder and the name
    others: list[Path] = []
    again_count = 0
    real_folder = functools.cache(os.path.realpath)
    for path in paths:
        files = list(walk_files(path)) if path.is_dir() else [path]
        named = [each for each in files if each == path or is_video_name(each.name)]
        others += [each for each in files if each != path and not is_video_name(each.name)]
        for file in named:
            place = real_folder(file.parent), file.name
            again_count += place in videos
            videos.setdefault(place, file)
    if others:
        first = _short(str(others[0]))
        line = f"{first}: not the name of a video, so it is left out"
        if len(others) > 1:
            line = f"{len(others)} files without the name of a video are left out, such as {first}"
        print(line, file=sys.stderr)
    if again_count:
        are = "file is" if again_count == 1 else "files are"
        print(f"{again_count} {are} given again and taken once", file=sys.stderr)
    return list(videos.values())


class Files:
    """The videos below a folder, found by name.

    Paths are text: a million Path objects take too long.
    """

    def __init__(self, folder: Path) -> None:
        self._root = len(str(folder).rstrip("/")) + 1
        self._by_stem: defaultdict[str, list[str]] = defaultdict(list)
        for at, inside in walk_folders(folder):
            for name in inside:
                if (stem := _stem(name)) != name and not name.startswith("."):
                    self._by_stem[composed(stem)].append(f"{at}/{name}")

    def find(self, names: Sequence[str]) -> list[str]:
        """The files of the first name that has any, the likeliest file first.

        The last part of a name has to be the file's, apart from the suffix and from composed or
        decomposed accents. Where both lie in folders, the innermost folder has to agree, so that
        001.mp4 of one class is not taken for that of another. A name with backslashes that no file
        has is read as a path of Windows.
        """
        for name in names:
            if paths := self._of_name(name):
                return paths
        return next(
            (
                paths
                for name in names
                if "\\" in name and (paths := self._of_name(name.replace("\\", "/")))
            ),
            [],
        )

    def _of_name(self, name: str) -> list[str]:
        parts = PurePosixPath(name).parts if "/" in name else (name,)
        candidates = self._by_stem.get(composed(_stem(parts[-1])), []) if parts else []
        if len(candidates) == len(parts) == 1:
            return candidates
        stem = _stem(parts[-1]) if parts else ""
        ranked = []
        for path in candidates:
            inside = path[self._root :].split("/")
            same = _same_tail(parts[:-1], inside[:-1])
            if same >= min(1, len(parts) - 1, len(inside) - 1):
                other = (_stem(inside[-1]) != stem, inside[-1] != parts[-1])
                ranked.append((-same, *other, inside, path))
        return [path for *_, path in sorted(ranked)]


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
    """Each id once, with all its labels and segments, and a remark.

    A video that is listed for two splits belongs to the later one only.

    Raises:
        BadInput: if a video has two groups, or its id or a label is empty.
    """
    merged: dict[str, tuple[Entry, str]] = {}
    for entry in entries:
        if not entry.video or not all(entry.labels) or not entry.labels:
            raise BadInput(f"video {entry.video!r}: its id or a label is empty")
        if (
            entry.video not in merged
            and len(entry.labels) == 1
            and (entry.segments is None or len(entry.segments) < 2)
        ):
            merged[entry.video] = entry, ""
            continue
        have, remark = merged.get(entry.video, (entry, ""))
        if have.group and entry.group and have.group != entry.group:
            raise BadInput(
                f"video {entry.video!r} has two groups, {have.group!r} and {entry.group!r}; "
                "expected one"
            )
        later = max(have.split, entry.split, key=(*SPLITS, "").index)
        if have.split != entry.split:
            remark = (
                f"listed for {' and '.join(sorted({have.split, entry.split}))}; kept for {later} "
                "alone"
            )
        labels = tuple(dict.fromkeys((*have.labels, *entry.labels)))
        names = tuple(dict.fromkeys((*have.names, *entry.names)))
        segments = have.segments
        if entry.segments is not None:
            segments = tuple(dict.fromkeys((*(have.segments or ()), *entry.segments)))
        together = have._replace(
            split=later,
            labels=labels,
            names=names,
            group=have.group or entry.group,
            segments=segments,
        )
        merged[entry.video] = together, remark
    return list(merged.values())


def locate(entries: Iterable[Entry], folder: Path) -> list[Video]:
    """The videos of a list, sorted by id, each with its file and the segments inside the video.

    One without a file has the status missing and the path of a file that does not exist.
    """
    files = Files(folder)
    return sorted(
        (_video(entry, remark, files, folder) for entry, remark in merge(entries)),
        key=lambda video: video.video,
    )


def _video(entry: Entry, remark: str, files: Files, folder: Path) -> Video:
    paths = files.find(entry.names)
    segments, dropped = real_segments(entry.segments, entry.duration_seconds)
    remarks = [remark] if remark else []
    if not paths:
        remarks.insert(0, f"no file named {entry.names[0]!r}, with any suffix of a video")
    if len(paths) > 1:
        remarks.append(f"{Path(paths[1]).relative_to(folder)} not read")
    return Video(
        video=entry.video,
        file=paths[0] if paths else str(folder / f"{safe_file_name(entry.video)}.mp4"),
        split=entry.split,
        labels=entry.labels,
        segments=segments,
        group=entry.group,
        status="ok" if paths else "missing",
        reason="; ".join([*remarks, *dropped]),
    )


def safe_file_name(video: str) -> str:
    """An id as part of a file name; it cannot lead to another folder."""
    return video.replace("/", "_").replace("\0", "_")
