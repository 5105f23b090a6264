"""Where a data set's lists and its folder do not agree: ids without a file, files without an id."""

import sys
from collections.abc import Sequence
from pathlib import Path

from l2l.datasets import AnyDataset, DemoDataset
from l2l.manifest.artifact import Video
from l2l.manifest.files import walk_files
from l2l.stores import remove, write_table

COLUMNS = ("kind", "name")
NO_FILE, NO_ID = "id without a file", "file without an id"


def write_unmatched(dataset: AnyDataset, videos: Sequence[Video], table: Path) -> None:
    """Write ids without a file and files without an id, and count them on stderr.

    A file of the folder is without an id if no video is read from it; its name does not matter.

    Args:
        dataset: the section of the data set.
        videos: as listed.
        table: of the videos. The table that is written next to it has `.unmatched` before the
            suffix; if everything matches, there is none.
    """
    unmatched = table.with_suffix(".unmatched" + table.suffix)
    names = {NO_FILE: [video.video for video in videos if video.status == "missing"], NO_ID: []}
    if not isinstance(dataset, DemoDataset):
        read = {video.file for video in videos} | set(map(str, dataset.annotation_files))
        paths = map(str, walk_files(dataset.folder))
        names[NO_ID] = [path for path in paths if path not in read]
    for kind, plural in ((NO_FILE, "ids without a file"), (NO_ID, "files without an id")):
        if names[kind]:
            print(
                f"{len(names[kind])} {plural}, the first is {names[kind][0]!r}; {unmatched} lists "
                "all of them",
                file=sys.stderr,
            )
    rows = [{"kind": kind, "name": name} for kind, of_kind in names.items() for name in of_kind]
    if rows:
        write_table(unmatched, COLUMNS, rows)
    else:
        remove(unmatched)
