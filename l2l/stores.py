"""Stores on disk: written aside and renamed when whole, checked before they are believed.

Every store says what it is (`kind`), in which layout (`layout`) and what made it (`made_by`); its arrays are checksummed.
Texts and tables stay plain, so that anything reads them: theirs stands beside, in a file that ``sha256sum --check`` reads.
"""

import contextlib
import csv
import errno
import glob
import hashlib
import io
import json
import os
import resource
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

import h5py
import numpy as np

from l2l.errors import BadInput

MADE_BY = f"l2l {version('l2l')}"
CURE = "delete it and run snakemake again"
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)  # errors that writing alone meets


class HoldsVideos(Protocol):
    """A reader of a shard's store."""

    @property
    def videos(self) -> tuple[str, ...]:
        """Ids of the videos in it."""


Reader = TypeVar("Reader")
ShardReader = TypeVar("ShardReader", bound=HoldsVideos)


@contextlib.contextmanager
def aside(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path` to write a file or folder to; rename it to `path` when the block ends well.

    A process killed inside the block leaves `path` as it was. What an error leaves aside is removed, and what killed writers of
    the same `path` left: the last to begin has it.

    Raises:
        BadInput: if the disk is full, the folder cannot be written to, or another has begun to write `path` since.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for left in path.parent.glob(f".{glob.escape(path.name)}.????????.part"):
            shutil.rmtree(left, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent))
    except OSError as error:
        raise _unwritable(path, error) from None
    part = folder / path.name
    try:
        yield part
        if part.is_file():
            with open(part, "rb") as file:
                os.fsync(file.fileno())
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        os.replace(part, path)
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise _unwritable(path, error) from None
        if not isinstance(error, FileNotFoundError) or folder.exists() or not path.parent.exists():
            raise
        raise BadInput(
            f"{path}: another job has begun to write it since, and has it; let one Snakemake at a time make it"
        ) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unwritable(path: Path, error: OSError) -> BadInput:
    reason = os.strerror(error.errno) if error.errno else str(error)
    return BadInput(f"{path}: cannot be written ({reason}); make room or give leave to write there, then run it again")


@contextlib.contextmanager
def _summed(path: Path) -> Iterator[Path]:
    """As `aside` for a file, with its checksum beside it: renamed first, so that no kill leaves a new file with an old one."""
    with aside(path) as part:
        yield part
        with aside(sum_of(path)) as beside:
            beside.write_text(f"{_digest(part)}  {path.name}\n", encoding="utf-8", errors="surrogateescape")


def sum_of(path: Path) -> Path:
    """Where the checksum of a text or table is."""
    return path.with_name(path.name + ".sha256")


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def agrees(path: Path) -> bool:
    """Compare a text or table with the checksum beside it.

    Returns:
        False if there is none: a person may have written it.

    Raises:
        BadInput: if it is another's.
    """
    beside = sum_of(path)
    if not beside.is_file():
        return False
    if beside.read_bytes()[:64] != _digest(path).encode():
        raise BadInput(
            f"{path}: not as l2l wrote it (the checksum in {beside.name} is another); {CURE}, or, if you changed it and mean "
            f"to keep that, delete {beside.name}"
        )
    return True


def remove(path: Path) -> None:
    """Take away a text or table, if it is there, and its checksum."""
    path.unlink(missing_ok=True)
    sum_of(path).unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a whole text file aside, then rename it; its checksum stands beside it."""
    with _summed(path) as part:
        part.write_text(text, encoding="utf-8", errors="surrogateescape", newline="")


def write_table(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a tab-separated table with a header line, aside, then rename it; its checksum stands beside it.

    Odd characters in a field are quoted.
    """
    returns = any("\r" in str(value) for row in rows for value in row.values())
    quoting: Literal[0, 1] = csv.QUOTE_ALL if returns else csv.QUOTE_MINIMAL  # csv leaves a lone carriage return bare
    with _summed(path) as part, open(part, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
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
            rows = list(reader)
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file; expected a tab-separated table with {', '.join(columns)}") from None
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}); expected a tab-separated table") from None
    except csv.Error as error:
        raise BadInput(f"{path}: not a tab-separated table ({error})") from None
    for number, row in enumerate(rows, start=1):
        if None in row or None in row.values():  # cells past the last column; columns past the last cell
            raise BadInput(f"{path}: row {number} has more or fewer cells than the {len(found)} columns; was it cut short?")
    return rows


class _Disk(io.FileIO):
    """A file whose first failed write is kept instead of raised: HDF5 crashes later on where it cannot close a file."""

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
def write_hdf5(path: Path, kind: str, layout: int, attributes: Mapping[str, Any]) -> Iterator[h5py.File]:
    """Open a new HDF5 file aside; it becomes `path`, complete, when the block ends well."""
    with aside(path) as part, _on_disk(part) as disk, h5py.File(disk, "w", libver="v110") as file:
        for name, value in {"kind": kind, "layout": layout, "made_by": MADE_BY, **attributes}.items():
            plain = value if isinstance(value, (str, int, float, bool)) else json.dumps(value)
            # text of a fixed length lies in the header, which has a checksum; h5py would put it on a heap, which has none
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
    group: h5py.Group, name: str, array: np.ndarray, axes: Sequence[str], unit: str = "", chunk_bytes: int = 1 << 20
) -> None:
    """Store an array with the names of its axes and its unit, checksummed; `chunk_bytes` are read and checked at once."""
    checked = {"fletcher32": True} if array.size else {}
    dataset = group.create_dataset(name, data=array, chunks=_chunks(array, chunk_bytes) if array.size else None, **checked)
    dataset.attrs["axes"] = " ".join(axes)
    if unit:
        dataset.attrs["unit"] = unit


def add_texts(group: h5py.Group, name: str, texts: Sequence[str], axes: Sequence[str]) -> None:
    """Store texts of any characters but NUL, checksummed."""
    add_array(group, name, np.array([text.encode("utf-8", "surrogateescape") for text in texts], np.bytes_), axes)


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
        BadInput: naming the file and what it is instead; also where an array's checksum fails while it is read.
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
                found = mark(file)
            except (KeyError, ValueError) as error:
                raise BadInput(f"{path}: damaged ({error}); {CURE}") from None
            if found != (kind, layout, True):
                raise BadInput(f"{path}: found kind, layout, complete = {found}, expected {(kind, layout, True)}; {CURE}")
            yield file
        except OSError as error:
            raise BadInput(f"{path}: damaged ({error}); {CURE}") from None


def mark(file: h5py.File) -> tuple[str, int, bool]:
    """What an HDF5 file says it is: its kind, its layout, whether it is complete."""
    kind = attribute(file, "kind") if "kind" in file.attrs else "unknown"
    return kind, int(file.attrs.get("layout", 0)), bool(file.attrs.get("complete", False))


@contextlib.contextmanager
def read_store(path: Path, kind: str, layout: int, reader: Callable[[h5py.File], Reader]) -> Iterator[Reader]:
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


@contextlib.contextmanager
def read_shards(
    paths: Sequence[Path],
    read: Callable[[Path], contextlib.AbstractContextManager[ShardReader]],
    videos: Collection[str],
    needed: Collection[str] | None = None,
) -> Iterator[dict[str, ShardReader]]:
    """Open every shard's store and give, for each video, the reader that holds it.

    Args:
        paths: the stores.
        read: opens one.
        videos: ids of those that the stores may hold.
        needed: of those that they have to hold; all of `videos` where not told.

    Raises:
        BadInput: if they hold another video, one of them twice, or lack one that is needed.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # some systems call the limit infinite and refuse it
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a thousand shards are more than most allow unasked
    with contextlib.ExitStack() as stack:
        held: dict[str, ShardReader] = {}
        for path in paths:
            reader = stack.enter_context(read(path))
            check_videos(path, set(reader.videos), set(videos) - held.keys(), whole=False)
            held |= dict.fromkeys(reader.videos, reader)
        if paths:
            check_videos(paths[0].parent, held, held.keys() | (videos if needed is None else needed))
        yield held


def check_videos(store: Path, held: Collection[str], wanted: Collection[str], whole: bool = True) -> None:
    """Refuse a store that holds other videos than the table of its data set has.

    Args:
        store: a file or folder, for the complaint.
        held: ids of the videos in it.
        wanted: of the usable ones of the table.
        whole: also refuse it if it lacks one of them.

    Raises:
        BadInput: naming the first video that is one too many or missing.
    """
    for what, ids in (("without", set(wanted) - set(held) if whole else ()), ("with", set(held) - set(wanted))):
        if ids:
            raise BadInput(
                f"{store}: made of another table of videos: {len(held)} videos, {what} {min(ids)!r}; run snakemake again"
            )
