"""HDF5 files that say what they are, are checksummed, and are whole or not there."""

import contextlib
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import h5py
import numpy as np

from l2l.errors import BadInput
from l2l.stores import CURE, MADE_BY, atomic_path

Reader = TypeVar("Reader")


class _Disk(io.FileIO):
    """A file whose first failed write is kept instead of raised.

    HDF5 crashes later on where it cannot close a file.
    """

    failure: OSError | None = None

    def write(self, content: Any) -> int:
        view, done = memoryview(content).cast("B"), 0
        try:
            while done < len(view):
                done += super().write(view[done:]) or 0
        except OSError as error:
            self.failure = self.failure or error
        return len(view)


@contextlib.contextmanager
def write_hdf5(
    path: Path, kind: str, layout: int, attributes: Mapping[str, Any]
) -> Iterator[h5py.File]:
    """Open a new HDF5 file aside; it becomes `path`, complete, when the block ends well."""
    with (
        atomic_path(path) as part,
        _on_disk(part) as disk,
        h5py.File(disk, "w", libver="v110") as file,
    ):
        for name, value in {
            "kind": kind,
            "layout": layout,
            "made_by": MADE_BY,
            **attributes,
        }.items():
            plain = value if isinstance(value, (str, int, float, bool)) else json.dumps(value)
            # text of a fixed length lies in the header, which has a checksum; h5py would put it on
            # a heap, which has none
            file.attrs[name] = np.bytes_(plain.encode()) if isinstance(plain, str) else plain
        yield file
        file.attrs["complete"] = True


@contextlib.contextmanager
def _on_disk(path: Path) -> Iterator[_Disk]:
    with _Disk(path, "w+") as disk:
        yield disk
        if disk.failure:
            raise disk.failure


def add_array(
    group: h5py.Group,
    name: str,
    array: np.ndarray,
    axes: Sequence[str],
    unit: str = "",
    chunk_bytes: int = 1 << 20,
) -> None:
    """Store an array with the names of its axes and its unit, checksummed.

    `chunk_bytes` are read and checked at once.
    """
    checked = {"fletcher32": True} if array.size else {}
    dataset = group.create_dataset(
        name, data=array, chunks=_chunks(array, chunk_bytes) if array.size else None, **checked
    )
    dataset.attrs["axes"] = " ".join(axes)
    if unit:
        dataset.attrs["unit"] = unit


def add_texts(group: h5py.Group, name: str, texts: Sequence[str], axes: Sequence[str]) -> None:
    """Store texts of any characters but NUL, checksummed."""
    add_array(
        group,
        name,
        np.array([text.encode("utf-8", "surrogateescape") for text in texts], np.bytes_),
        axes,
    )


def read_texts(group: h5py.Group, name: str) -> list[str]:
    """What `add_texts` stored."""
    return group[name].asstr("utf-8", "surrogateescape")[...].tolist()


def attribute(file: h5py.File, name: str) -> str:
    """A text that `write_hdf5` stored as an attribute."""
    text = file.attrs[name]
    return text.decode() if isinstance(text, bytes) else text


def _chunks(array: np.ndarray, target_bytes: int) -> tuple[int, ...]:
    row_bytes = max(1, array[:1].nbytes)
    return (max(1, min(len(array), target_bytes // row_bytes)), *array.shape[1:])


@contextlib.contextmanager
def read_hdf5(path: Path, kind: str, layout: int) -> Iterator[h5py.File]:
    """Open an HDF5 store after checking that it is whole, of this kind and in this layout.

    Raises:
        BadInput: naming the file and what it is instead; also where an array's checksum fails while
            it is read.
    """
    try:
        file = h5py.File(path, "r")
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file; run the stage that writes it ({kind})") from None
    except OSError as error:
        raise BadInput(f"{path}: not a readable HDF5 file ({error}); {CURE}") from None
    with file:
        try:
            try:
                found = read_header(file)
            except (KeyError, ValueError) as error:
                raise BadInput(f"{path}: damaged ({error}); {CURE}") from None
            if found != (kind, layout, True):
                raise BadInput(
                    f"{path}: found kind, layout, complete = {found}, expected "
                    f"{(kind, layout, True)}; {CURE}"
                )
            yield file
        except OSError as error:
            raise BadInput(f"{path}: damaged ({error}); {CURE}") from None


def read_header(file: h5py.File) -> tuple[str, int, bool]:
    """What an HDF5 file says it is: its kind, its layout, whether it is complete."""
    kind = attribute(file, "kind") if "kind" in file.attrs else "unknown"
    return kind, int(file.attrs.get("layout", 0)), bool(file.attrs.get("complete", False))


@contextlib.contextmanager
def read_store(
    path: Path, kind: str, layout: int, reader: Callable[[h5py.File], Reader]
) -> Iterator[Reader]:
    """Open an HDF5 store as `read_hdf5` does, and give what `reader` makes of it.

    Raises:
        BadInput: also where the reader cannot make sense of what it finds.
    """
    with read_hdf5(path, kind, layout) as file:
        try:
            found = reader(file)
        except (KeyError, IndexError, ValueError, TypeError, RuntimeError) as error:
            raise BadInput(f"{path}: damaged ({' '.join(str(error).split())}); {CURE}") from None
        yield found
