"""What a data set's lists and its folder do not agree on, both ways.

Ids without a file, files without an id.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from l2l.datasets import AnyDataset, DemoDataset
from l2l.manifest.artifact import Video
from l2l.manifest.files import walk_files
from l2l.stores import remove, write_table

COLUMNS = ("what", "name")
NO_FILE, NO_ID = "id without a file", "file without an id"


def write_unmatched(dataset: AnyDataset, videos: Sequence[Video], table: Path) -> None:
    """Name ids without a file and files without an id beside `table`, with `.unmatched` before its
    suffix, and count them.

    Any file of the folder that no video is read from counts, whatever its name; where all agree, no
    table is left.
    """
    beside = table.with_suffix(".unmatched" + table.suffix)
    rows = [{"what": NO_FILE, "name": video.video} for video in videos if video.status == "missing"]
    if not isinstance(dataset, DemoDataset):
        read = {video.file for video in videos} | set(map(str, dataset.annotation_files))
        rows += [
            {"what": NO_ID, "name": name}
            for name in map(str, walk_files(dataset.folder))
            if name not in read
        ]
    for what, plural in ((NO_FILE, "ids without a file"), (NO_ID, "files without an id")):
        if found := [row["name"] for row in rows if row["what"] == what]:
            print(
                f"{len(found)} {plural}, the first of them {found[0]!r}; all of them in {beside}",
                file=sys.stderr,
            )
    if rows:
        write_table(beside, COLUMNS, rows)
    else:
        remove(beside)
