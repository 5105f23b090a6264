"""Versions of files: a file that was touched, copied or moved has the version it had before.

Contents are compared, but only of files whose size or times changed since they were listed. The
record of them is about one machine's files, so it is not among the results.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from l2l.errors import BadInput
from l2l.manifest.artifact import Video
from l2l.manifest.probe import fingerprint_of
from l2l.stores import read_table, write_table

COLUMNS = ("file", "stamp", "fingerprint", "version")
MISSING = "missing"


class SeenFile(NamedTuple):
    """A file when it was listed."""

    stamp: str  # its size, time of modification and time of change
    fingerprint: str  # of its content
    version: str  # a text that is another one whenever the content is


def stamp_of(path: str | Path) -> str:
    """Size, modification time and change time of a file in bytes and ns; `MISSING` if it is not
    there.
    """
    try:
        status = os.stat(path)  # noqa: PTH116 -- a million Path objects take longer
    except OSError:  # such as a link to nowhere
        return MISSING
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"


def size_of(stamp: str) -> str:
    """The size in a stamp."""
    return stamp.partition(" ")[0]


def version_of(path: str, stamp: str, seen: SeenFile | None) -> str:
    """The version of a file: that of its record while its content is the same.

    Args:
        path: the file.
        stamp: its stamp now.
        seen: its record, if it was listed before.
    """
    if seen is None:
        return stamp.rpartition(" ")[0] or stamp  # a copy of the file has another time of change
    if seen.stamp == stamp:
        return seen.version
    try:
        fingerprint = fingerprint_of(Path(path))[0]
    except (OSError, ValueError):  # its status will say why
        return stamp
    return seen.version if fingerprint == seen.fingerprint else fingerprint


def relative(path: str | Path, folder: Path) -> str:
    """A path below a folder, relative to it; another path as it is."""
    return str(path).removeprefix(f"{str(folder).rstrip('/')}/")


def read_seen(record: Path | None) -> dict[str, SeenFile]:
    """The files of a record, by their path relative to the data set's folder.

    Nothing if there is no record: then versions follow from sizes and times.
    """
    if record is None or not record.is_file():
        return {}
    try:
        rows = read_table(record, COLUMNS)
    except BadInput:
        return {}
    return {row["file"]: SeenFile(*(row[name] for name in COLUMNS[1:])) for row in rows}


def write_seen(
    record: Path,
    videos: Iterable[Video],
    stamps: Mapping[str, str],
    folder: Path,
    before: Mapping[str, SeenFile],
) -> None:
    """Record the files of listed videos.

    Args:
        record: the table to write.
        videos: with fingerprints; those without have no record.
        stamps: of their files, taken before their fingerprints.
        folder: of the data set.
        before: the previous record.
    """
    rows = []
    for video in videos:
        if video.fingerprint:
            file, stamp = relative(video.file, folder), stamps[video.file]
            version = version_of(video.file, stamp, before.get(file))
            rows.append(dict(zip(COLUMNS, (file, stamp, video.fingerprint, version), strict=True)))
    write_table(record, COLUMNS, rows)
