"""HDF5 files that say what they are, are checksummed, and are complete or not there.

What is read may come from anybody. A file is read without a lock, since it was written under
another name and renamed: some file systems have no locks. It is refused if it refers to anything
outside itself, asks for a plug-in, or declares more than it holds.

Arrays have the names of their dimensions, and HDF5's dimension scales where a dimension has
coordinates.
"""

import contextlib
import io
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import h5py
import numpy as np

from l2l.arrays import NotFiniteError, check_finite
from l2l.errors import BadInput
from l2l.stores import CURE, MADE_BY, MOVE_AWAY, atomic_path, check_header

Reader = TypeVar("Reader")

INTEGERS, FLOATS, BOOLEANS, TEXTS = "iu", "f", "b", "S"  # kinds of numpy
_PLAIN_KINDS = "biufS"  # of numpy: booleans, numbers and texts of a fixed length; no references
# Arrays of this type may be deflated. They are read a few rows at a time: no number, offset or text
# that is read whole can be a small file that unfolds to a large one.
DEFLATED = np.int8
MAX_DEFLATION = 1100  # bytes that deflate can make of one are at most 1032
MAX_CHUNK_BYTES = 1 << 24  # of a deflated array: what one read unfolds at least
FLUSH_BYTES = 1 << 24  # what a growing array collects before it writes
# Attributes of dimension scales: references to arrays of the same file, which nothing here reads.
_SCALE_ATTRIBUTES = {"DIMENSION_LIST": "O", "REFERENCE_LIST": "V", "DIMENSION_LABELS": "O"}
# Names of arrays that are the coordinate of their only axis, besides one with the axis's own name.
_SCALES = ("id", "moment")
_PLAIN_LAYOUTS = (h5py.h5d.COMPACT, h5py.h5d.CONTIGUOUS, h5py.h5d.CHUNKED)


_UNREADABLE = (
    ArithmeticError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    RuntimeError,
    MemoryError,
)
"""What h5py, numpy or a reader raises on content that makes no sense, besides OSError."""


class _Output(io.FileIO):
    """A file whose first failed write, or change of length, is kept instead of raised.

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

    def truncate(self, size: int | None = None) -> int:
        try:
            return super().truncate(size)
        except OSError as error:
            self.failure = self.failure or error
            return size or 0


class _Input(io.FileIO):
    """A file that HDF5 reads through Python, which takes no lock.

    It keeps the first failed read. Its position is its own: processes that were forked share that
    of the operating system.
    """

    failure: OSError | None = None
    _position = 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._position = offset + (os.fstat(self.fileno()).st_size if whence else 0)
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: Any) -> int:
        view, done = memoryview(buffer).cast("B"), 0
        try:
            while done < len(view):
                count = os.preadv(self.fileno(), [view[done:]], self._position + done)
                if not count:
                    break
                done += count
        except OSError as error:
            self.failure = self.failure or error
            raise
        return done


@contextlib.contextmanager
def write_hdf5(
    path: Path, kind: str, layout: int, attributes: Mapping[str, Any]
) -> Iterator[h5py.File]:
    """Open a new HDF5 file under a temporary name; it becomes `path`, complete, when the block ends
    without an error.
    """
    with (
        atomic_path(path) as part,
        _open_output(part) as output,
        h5py.File(output, "w", libver="v110") as file,
    ):
        header = {"kind": kind, "layout": layout, "made_by": MADE_BY, **attributes}
        for name, value in header.items():
            plain = value if isinstance(value, (str, int, float, bool)) else json.dumps(value)
            # text of a fixed length lies in the header, which has a checksum; h5py would put it on
            # a heap, which has none
            file.attrs[name] = np.bytes_(plain.encode()) if isinstance(plain, str) else plain
        try:
            yield file
        except NotFiniteError as error:
            raise BadInput(f"{path}: not written: {error}") from None
        _name_dimensions(file)
        file.attrs["complete"] = True


def _name_dimensions(file: h5py.File) -> None:
    """Name the dimensions of every array after its axes, and attach the coordinates of an axis as
    its dimension scale: the array with the axis's own name, as in netCDF, or the one with the id of
    each video or the moment of each row.
    """
    arrays: list[tuple[h5py.Dataset, list[str]]] = []
    file.visititems(
        lambda _, item: (
            arrays.append((item, item.attrs["axes"].split())) if "axes" in item.attrs else None
        )
    )
    scales: dict[str, h5py.Dataset] = {}
    for array, axes in arrays:
        leaf = array.name.rpartition("/")[2]
        named = axes == [leaf]
        if named or (len(axes) == 1 and leaf in _SCALES and axes[0] not in scales):
            scales[axes[0]] = array
    for axis, scale in scales.items():
        scale.make_scale(axis)
    for array, axes in arrays:
        for dimension, axis in zip(array.dims, axes, strict=True):
            dimension.label = axis
            if axis in scales and array != scales[axis]:
                dimension.attach_scale(scales[axis])


@contextlib.contextmanager
def _open_output(path: Path) -> Iterator[_Output]:
    with _Output(path, "w+") as output:
        yield output
        if output.failure:
            raise output.failure


def add_array(
    group: h5py.Group,
    name: str,
    array: np.ndarray,
    axes: Sequence[str],
    unit: str = "",
    chunk_bytes: int = 1 << 20,
) -> None:
    """Store an array with the names of its axes and its unit, checksummed.

    Args:
        group: where to store it.
        name: its name there.
        array: of numbers, booleans or bytes.
        axes: one name per axis.
        unit: of the numbers.
        chunk_bytes: how much is read, and its checksum compared, at once.

    Raises:
        NotFiniteError: if a number is not finite.
    """
    check_finite(name, array)
    checksum = {"fletcher32": True} if array.size else {}
    dataset = group.create_dataset(
        name, data=array, chunks=_chunks(array, chunk_bytes) if array.size else None, **checksum
    )
    dataset.attrs["axes"] = " ".join(axes)
    if unit:
        dataset.attrs["unit"] = unit


class GrowingArray:
    """An array on disk that grows along its first axis, checksummed.

    Values are collected before they are written, so that each chunk is written once.
    """

    def __init__(
        self,
        group: h5py.Group,
        name: str,
        dtype: type,
        row: tuple[int, ...],
        axes: str,
        unit: str = "",
        chunk_bytes: int = 1 << 18,
    ) -> None:
        """Create it without rows.

        Args:
            group: where it is stored.
            name: its name there.
            dtype: of its numbers, none of which may fail to be finite. int8 is stored deflated.
            row: shape of one row.
            axes: names of all axes, separated by spaces.
            unit: of the numbers.
            chunk_bytes: how much is read, and its checksum compared, at once.
        """
        row_bytes = np.dtype(dtype).itemsize * math.prod(row)
        options = {"compression": "gzip", "compression_opts": 4} if dtype is DEFLATED else {}
        self.array = group.create_dataset(
            name,
            (0, *row),
            dtype,
            maxshape=(None, *row),
            chunks=(max(1, chunk_bytes // row_bytes), *row),
            fletcher32=True,
            **options,
        )
        self.array.attrs["axes"] = axes
        if unit:
            self.array.attrs["unit"] = unit
        self.count = 0
        self._pending: list[np.ndarray] = []
        self._pending_bytes = 0

    def append(self, values: np.ndarray) -> None:
        """Add rows at the end."""
        self.count += len(values)
        rows = max(1, FLUSH_BYTES // (values.itemsize * math.prod(values.shape[1:])))
        for first in range(0, len(values), rows):  # hours of sound are not copied at once
            self._pending.append(values[first : first + rows])
            self._pending_bytes += self._pending[-1].nbytes
            if self._pending_bytes >= FLUSH_BYTES:
                self.flush()

    def flush(self) -> None:
        """Write what is pending."""
        if self._pending:
            values = np.concatenate(self._pending)
            self.array.resize(len(self.array) + len(values), axis=0)
            self.array[len(self.array) - len(values) :] = values
            self._pending, self._pending_bytes = [], 0


def add_texts(group: h5py.Group, name: str, texts: Sequence[str], axes: Sequence[str]) -> None:
    """Store texts of any characters but NUL, checksummed."""
    encoded = np.array([text.encode("utf-8", "surrogatepass") for text in texts], np.bytes_)
    # said to be UTF-8, so that h5py's asstr() reads it
    add_array(group, name, encoded.astype(h5py.string_dtype("utf-8", encoded.itemsize)), axes)


def _chunks(array: np.ndarray, target_bytes: int) -> tuple[int, ...]:
    row_bytes = max(1, array[:1].nbytes)
    return (max(1, min(len(array), target_bytes // row_bytes)), *array.shape[1:])


class Store:
    """An open HDF5 file, whose errors name it."""

    def __init__(self, path: Path, file: h5py.File, source: _Input) -> None:
        self.path, self._file, self._source = path, file, source

    def attribute(self, name: str) -> str:
        """A text that `write_hdf5` stored as an attribute.

        Raises:
            KeyError: if there is none.
        """
        text = self._file.attrs[name]
        return text.decode() if isinstance(text, bytes) else text

    def attributes(self) -> dict[str, Any]:
        """All attributes of the file."""
        return dict(self._file.attrs)

    def header(self) -> tuple[str, int, bool]:
        """What the file says it is: its kind, its layout, whether it is complete."""
        attributes = self._file.attrs
        kind = self.attribute("kind") if "kind" in attributes else "unknown"
        return kind, int(attributes.get("layout", 0)), bool(attributes.get("complete", False))

    def array(
        self, name: str, kinds: str, row: Sequence[int | None] | None = None
    ) -> "StoredArray":
        """An array, which is read when it is indexed.

        Args:
            name: its name.
            kinds: the kinds of numbers that it may hold, as numpy has them: `INTEGERS`, `FLOATS`,
                `BOOLEANS`, `TEXTS`.
            row: the shape of one row, None where any number is right; None: any shape.

        Raises:
            KeyError: if there is none of that name.
            ValueError: if it holds other numbers or rows of another shape.
        """
        dataset = self._file[name]
        if dataset.dtype.kind not in kinds:
            raise ValueError(f"{name} holds {dataset.dtype}, expected one of kind {kinds}")
        shape = dataset.shape[1:]
        if row is not None and (
            len(dataset.shape) != len(row) + 1
            or any(wanted not in (None, count) for count, wanted in zip(shape, row, strict=True))
        ):
            expected = ", ".join("any" if each is None else str(each) for each in row)
            raise ValueError(f"{name} has shape {dataset.shape}, expected rows of ({expected})")
        return StoredArray(self, name, dataset)

    def arrays(self) -> Iterator["StoredArray"]:
        """All arrays of the file."""
        names: list[str] = []
        self._file.visititems(
            lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None
        )
        return (StoredArray(self, name, self._file[name]) for name in names)

    def texts(self, name: str) -> list[str]:
        """What `add_texts` stored."""
        encoded = self.array(name, TEXTS, ())[...]
        return [text.decode("utf-8", "surrogatepass") for text in encoded.tolist()]

    def explain(self, error: OSError) -> BadInput:
        """What was wrong with the file: the disk, its content by its own checksum, or its form."""
        if self._source.failure:
            return BadInput(f"{self.path}: cannot be read ({self._source.failure.strerror})")
        reason = _one_line(error)
        # the filter compares the checksums of arrays; HDF5 itself has other ones
        if "filter returned failure" in reason or "checksum" in reason:
            return BadInput(f"{self.path}: damaged: a checksum does not agree ({reason}); {CURE}")
        return BadInput(f"{self.path}: not a readable HDF5 file ({reason}); {MOVE_AWAY}")


class StoredArray:
    """An array of a store, of which only the rows that are asked for are read."""

    def __init__(self, store: Store, name: str, dataset: h5py.Dataset) -> None:
        self.name, self._store, self._dataset = name, store, dataset

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, rows: Any) -> np.ndarray:
        """Read some rows, as numpy indexes them.

        Raises:
            BadInput: naming the file, if a checksum does not agree, the file cannot be read, or a
                number is not finite.
        """
        try:
            return check_finite(self.name, self._dataset[rows])
        except NotFiniteError as error:
            raise BadInput(f"{self._store.path}: {error}; {MOVE_AWAY}") from None
        except OSError as error:
            raise self._store.explain(error) from None

    def __str__(self) -> str:
        attributes = self._dataset.attrs
        return (
            f"{self._dataset.name}  {self._dataset.shape} {self._dataset.dtype}  "
            f"({attributes.get('axes', '')})  {attributes.get('unit', '')}"
        )


@contextlib.contextmanager
def open_hdf5(path: Path, kind: str = "HDF5") -> Iterator[Store]:
    """Open any HDF5 file that l2l may have written, without a lock.

    Args:
        path: the file.
        kind: what is expected, for errors.

    Raises:
        BadInput: if it is missing, cannot be read, is not HDF5 or is not self-contained.
    """
    try:
        source = _Input(path)
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file; run the stage that writes it ({kind})") from None
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror})") from None
    with contextlib.ExitStack() as stack:
        stack.enter_context(source)
        store = Store(path, None, source)
        try:
            file = stack.enter_context(h5py.File(source, "r"))
            store = Store(path, file, source)
            _check_self_contained(file, os.fstat(source.fileno()).st_size)
        except OSError as error:
            raise store.explain(error) from None
        except _UNREADABLE as error:
            raise BadInput(f"{path}: damaged ({_one_line(error)}); {MOVE_AWAY}") from None
        yield store


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _check_self_contained(file: h5py.File, file_bytes: int) -> None:
    """Refuse what l2l does not write and a reader would be harmed by.

    Links and arrays that lead out of the file, filters that HDF5 would load from a plug-in, and
    arrays that declare more bytes than the file has, or, of deflated ones, than it can unfold to.

    Raises:
        ValueError: naming the part.
    """
    _check_attributes(file, file_bytes)
    for name in file:
        item = _linked(file, name)
        if isinstance(item, h5py.Group):
            for inner in item:
                _check_dataset(_linked(item, inner), file_bytes)
        else:
            _check_dataset(item, file_bytes)


def _linked(group: h5py.Group, name: str) -> Any:
    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise ValueError(f"{name} is a link, expected an array or a group")
    return group[name]


def _check_dataset(item: Any, file_bytes: int) -> None:
    if not isinstance(item, h5py.Dataset):
        raise ValueError(f"{item.name} is no array")
    created = item.id.get_create_plist()
    filters = {created.get_filter(i)[0] for i in range(created.get_nfilters())}
    if created.get_layout() not in _PLAIN_LAYOUTS or created.get_external_count():
        raise ValueError(f"{item.name} is stored outside of the file")
    filters.discard(h5py.h5z.FILTER_FLETCHER32)
    deflated = filters == {h5py.h5z.FILTER_DEFLATE} and item.dtype == DEFLATED
    if filters and not deflated:
        raise ValueError(f"{item.name} is stored with a filter that l2l does not write")
    if item.dtype.kind not in _PLAIN_KINDS:
        raise ValueError(f"{item.name} holds {item.dtype}, expected plain numbers or texts")
    declared, stored = item.size * item.dtype.itemsize, item.id.get_storage_size()
    if deflated and math.prod(item.chunks) > MAX_CHUNK_BYTES:
        raise ValueError(f"{item.name} is stored in chunks of {math.prod(item.chunks)} bytes")
    if declared > min(stored, file_bytes) * (MAX_DEFLATION if deflated else 1):
        raise ValueError(f"{item.name} declares {declared} bytes, the file holds {stored} of them")
    _check_attributes(item, file_bytes)


def _check_attributes(item: Any, file_bytes: int) -> None:
    for name in item.attrs:
        stored = item.attrs.get_id(name)
        kinds = _SCALE_ATTRIBUTES.get(name, _PLAIN_KINDS + "O")
        if stored.dtype.kind not in kinds or stored.get_storage_size() > file_bytes:
            raise ValueError(f"attribute {name} of {item.name} is no plain text or number")


@contextlib.contextmanager
def read_hdf5(path: Path, kind: str, layout: int) -> Iterator[Store]:
    """Open an HDF5 store after checking that it is complete, of this kind and in this layout.

    Raises:
        BadInput: naming the file and what it is instead.
    """
    with open_hdf5(path, kind) as store:
        check_header(path, _understand(path, Store.header, store), kind, layout)
        yield store


@contextlib.contextmanager
def read_store(
    path: Path, kind: str, layout: int, reader: Callable[[Store], Reader]
) -> Iterator[Reader]:
    """Open an HDF5 store as `read_hdf5` does, and give what `reader` makes of it.

    Raises:
        BadInput: also where the reader cannot make sense of its content.
    """
    with read_hdf5(path, kind, layout) as store:
        yield _understand(path, reader, store)


def _understand(path: Path, reader: Callable[[Store], Reader], store: Store) -> Reader:
    try:
        return reader(store)
    except _UNREADABLE as error:
        raise BadInput(f"{path}: damaged ({_one_line(error)}); {MOVE_AWAY}") from None
