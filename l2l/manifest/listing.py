"""A data set's folder at a glance, so that Snakemake lists it anew when a file came, went or changed."""

import hashlib
import os

from l2l.config import AnyDataset, DemoDataset
from l2l.manifest.files import walk_files


def folder_state(dataset: AnyDataset) -> str:
    """A short hash of the path, size and time of change of every file of the data set; empty for drawn ones.

    Files are looked at, never opened; a folder that is not there has the state of an empty one.
    """
    if isinstance(dataset, DemoDataset):
        return ""
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted([*walk_files(dataset.folder), *dataset.annotation_files]):
        try:
            state = path.lstat()
        except OSError:
            continue
        digest.update(f"{os.fsencode(path)!r} {state.st_size} {state.st_mtime_ns}\n".encode())
    return digest.hexdigest()
