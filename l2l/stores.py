"""Stores on disk: written aside and renamed when whole, checked before they are believed.

Every store says what it is (`kind`), in which layout (`layout`) and what made it (`made_by`); its arrays are checksummed.
"""

import contextlib
import csv
import glob
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

import h5py
import numpy as np

from l2l.errors import BadInput


class HoldsVideos(Protocol):
    """A reader of a shard's store."""

    @property
    def videos(self) -> tuple[str, ...]:
        """Ids of the videos in it."""


Reader = TypeVar("Reader", bound=HoldsVideos)


@contextlib.contextmanager
def aside(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path` to write a file or folder to; rename it to `path` when the block ends well.

    A process killed inside the block leaves `path` as it was. What an error leaves aside is removed, and what killed writers of
    the same `path` left: the last to begin has it.

    Raises:
        BadInput: if another has begun to write `path` since.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f".{glob.escape(path.name)}.????????.part"):
        shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent))
    part = folder / path.name
    try:
        yield part
        if part.is_file():
            with open(part, "rb") as file:
                os.fsync(file.fileno())
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        os.replace(part, path)
    except FileNotFoundError:
        if folder.exists() or not path.parent.exists():
            raise
        raise BadInput(
            f"{path}: another job has begun to write it since, and has it; let one Snakemake at a time make it"
        ) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write a whole text file aside, then rename it."""
    with aside(path) as part:
        part.write_text(text, encoding="utf-8", errors="surrogateescape", newline="")


def write_table(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a tab-separated table with a header line, aside, then rename it. Odd characters in a field are quoted."""
    returns = any("\r" in str(value) for row in rows for value in row.values())
    quoting: Literal[0, 1] = csv.QUOTE_ALL if returns else csv.QUOTE_MINIMAL  # csv leaves a lone carriage return bare
    with aside(path) as part, open(part, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        writer = csv.DictWriter(file, columns, delimiter="\t", lineterminator="\n", quoting=quoting)
        writer.writeheader()
        writer.writerows(rows)


def read_table(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Read a table that `write_table` wrote, or a person, with at least these columns.

    Raises:
        BadInput: if the file is missing, is no such table or lacks one of the columns.
    """
    csv.field_size_limit(1 << 30)  # a video's segments stand in one field
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            reader = csv.DictReader(file, delimiter="\t")
            found = reader.fieldnames or []
            if missing := [column for column in columns if column not in found]:
                raise BadInput(f"{path}: no column {missing[0]!r}; expected a tab-separated table with {', '.join(columns)}")
            return list(reader)
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file; expected a tab-separated table with {', '.join(columns)}") from None
    except csv.Error as error:
        raise BadInput(f"{path}: not a tab-separated table ({error})") from None


@contextlib.contextmanager
def write_hdf5(path: Path, kind: str, layout: int, attributes: Mapping[str, Any]) -> Iterator[h5py.File]:
    """Open a new HDF5 file aside; it becomes `path`, complete, when the block ends well."""
    with aside(path) as part, h5py.File(part, "w", libver="v110") as file:
        file.attrs["kind"] = kind
        file.attrs["layout"] = layout
        for name, value in attributes.items():
            file.attrs[name] = value if isinstance(value, (str, int, float, bool)) else json.dumps(value)
        yield file
        file.attrs["complete"] = True


def add_array(
    group: h5py.Group, name: str, array: np.ndarray, axes: Sequence[str], unit: str = "", chunk_bytes: int = 1 << 20
) -> None:
    """Store an array with the names of its axes and its unit, checksummed; `chunk_bytes` are read and checked at once."""
    checked = {"fletcher32": True} if array.size else {}
    dataset = group.create_dataset(name, data=array, chunks=_chunks(array, chunk_bytes) if array.size else None, **checked)
    dataset.attrs["axes"] = " ".join(axes)
    if unit:
        dataset.attrs["unit"] = unit


def _chunks(array: np.ndarray, target_bytes: int) -> tuple[int, ...]:
    row_bytes = max(1, array[:1].nbytes)
    return (max(1, min(len(array), target_bytes // row_bytes)), *array.shape[1:])


@contextlib.contextmanager
def read_hdf5(path: Path, kind: str, layout: int) -> Iterator[h5py.File]:
    """Open an HDF5 store after checking that it is whole, of this kind and in this layout.

    Raises:
        BadInput: naming the file and what it is instead; also where an array's checksum fails while it is read.
    """
    cure = "delete it and run snakemake again"
    try:
        file = h5py.File(path, "r")
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file; run the stage that writes it ({kind})") from None
    except OSError as error:
        raise BadInput(f"{path}: not a readable HDF5 file ({error}); {cure}") from None
    with file:
        found = file.attrs.get("kind"), file.attrs.get("layout"), bool(file.attrs.get("complete", False))
        if found != (kind, layout, True):
            raise BadInput(f"{path}: found kind, layout, complete = {found}, expected {(kind, layout, True)}; {cure}")
        try:
            yield file
        except OSError as error:
            raise BadInput(f"{path}: damaged ({error}); {cure}") from None


@contextlib.contextmanager
def read_shards(
    paths: Sequence[Path], read: Callable[[Path], contextlib.AbstractContextManager[Reader]]
) -> Iterator[dict[str, Reader]]:
    """Open every shard's store and give, for each video, the reader that holds it."""
    with contextlib.ExitStack() as stack:
        readers = [stack.enter_context(read(path)) for path in paths]
        yield {video: reader for reader in readers for video in reader.videos}
