"""Stores on disk: written under a temporary name, renamed when complete, verified when read.

Every store says what it is (`kind`), in which layout (`layout`) and what made it (`made_by`); its
arrays have checksums. Texts and tables stay plain, so that any program reads them: their checksum
is in a file next to them, which ``sha256sum --check`` reads.
"""

import contextlib
import csv
import errno
import glob
import hashlib
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from l2l import __version__, checkout
from l2l.errors import BadInput


def _version() -> str:
    revision = checkout.revision(Path(__file__).parents[1], "l2l")
    return f"l2l {__version__}" + (f" (commit {revision})" if revision else "")


MADE_BY = _version()
"""What artifacts say made them: the version of this code and, in a checkout, its commit, with
`-modified` where a file of the package was changed since."""
CURE = "delete it and run snakemake again"
"""Advice where a file's own checksum proves that it is damaged, and only there."""
MOVE_AWAY = "move it away and run snakemake again"
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)  # errors that writing alone meets


@contextlib.contextmanager
def atomic_path(path: Path, folder_marker: str = "") -> Iterator[Path]:
    """Give a temporary path next to `path` to write a file or folder to; rename it to `path` when
    the block ends without an error.

    A process killed inside the block leaves `path` as it was. Temporary files are removed after an
    error, and so are those of killed writers of the same `path`. If two write the same `path`, the
    last to begin wins.

    Args:
        path: what is written. Only a plain file, or nothing, is replaced.
        folder_marker: a file by which a previous folder of the same kind is recognised. A folder
            that has it, or all of whose entries are folders that have it, is replaced too.

    Raises:
        BadInput: if `path` is a link, device, pipe or another folder, the disk is full, the folder
            cannot be written to, or another process has begun to write `path` since.
    """
    check_replaceable(path, folder_marker)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for obsolete in path.parent.glob(f".{glob.escape(path.name)}.????????.part"):
            shutil.rmtree(obsolete, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent))
    except OSError as error:
        raise _unwritable(path, error) from None
    part = folder / path.name
    try:
        yield part
        if part.is_file():
            with open(part, "rb") as file:
                os.fsync(file.fileno())
        check_replaceable(path, folder_marker)
        if path.is_dir():
            shutil.rmtree(path)
        os.replace(part, path)
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise _unwritable(path, error) from None
        if not isinstance(error, FileNotFoundError) or folder.exists() or not path.parent.exists():
            raise
        raise BadInput(
            f"{path}: another job has begun to write it since and will finish it; let only one "
            "Snakemake at a time make it"
        ) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def check_replaceable(path: Path, folder_marker: str = "") -> None:
    """Refuse to write where something lies that l2l has not written.

    Replacing a device, such as /dev/null, would take it from the whole machine.

    Raises:
        BadInput: if `path` is there and is neither a plain file nor a folder that is empty or has
            the marker, itself or in each of its entries.
    """
    try:
        mode = path.lstat().st_mode
    except OSError:  # nothing is there, or the folder above cannot be written to either
        return
    if stat.S_ISREG(mode):
        return
    if stat.S_ISDIR(mode) and folder_marker:
        names = os.listdir(path)
        # Snakemake removes the marker of an output before it makes that again; the folders inside a
        # Zarr group have the same marker
        if folder_marker in names or all((path / name / folder_marker).is_file() for name in names):
            return
    kinds = ((stat.S_ISDIR, "a folder"), (stat.S_ISLNK, "a link"), (stat.S_ISFIFO, "a pipe"))
    kind = next((name for test, name in kinds if test(mode)), "a device or socket")
    raise BadInput(f"{path}: is {kind} and is not replaced; give another path, or remove it first")


def _unwritable(path: Path, error: OSError) -> BadInput:
    reason = os.strerror(error.errno) if error.errno else str(error)
    return BadInput(
        f"{path}: cannot be written ({reason}); free disk space or check write permission, then "
        "run it again"
    )


@contextlib.contextmanager
def atomic_path_with_checksum(path: Path) -> Iterator[Path]:
    """As `atomic_path` for a file, with its checksum in a file next to it.

    The checksum is renamed first, so that no kill leaves a new file with an old checksum.
    """
    with atomic_path(path) as part:
        yield part
        with atomic_path(checksum_path(path)) as checksum:
            checksum.write_text(
                f"{_digest(part)}  {path.name}\n", encoding="utf-8", errors="surrogateescape"
            )


def check_header(path: Path, header: tuple[object, ...], kind: str, layout: int) -> None:
    """Compare what a store says of itself (kind, layout, complete) with what is expected.

    Raises:
        BadInput: if it is of another kind or layout, or is not complete.
    """
    if header == (kind, layout, True):
        return
    if header[0] == kind and header[2] is True and isinstance(header[1], int):
        age = "an older" if header[1] < layout else "a newer"
        raise BadInput(
            f"{path}: made by {age} version of l2l: layout {header[1]} of {kind}, this version "
            f"reads layout {layout}; run snakemake again"
        )
    raise BadInput(
        f"{path}: found kind, layout, complete = {header}, expected {(kind, layout, True)}; "
        f"{MOVE_AWAY}"
    )


def checksum_path(path: Path) -> Path:
    """Where the checksum of a text or table is."""
    return path.with_name(path.name + ".sha256")


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify_checksum(path: Path) -> bool:
    """Compare a text or table with the checksum next to it.

    Returns:
        False if there is none: a person may have written it.

    Raises:
        BadInput: if they do not agree, or one of them cannot be read.
    """
    checksum = checksum_path(path)
    try:
        if not checksum.is_file():
            return False
        agrees = checksum.read_bytes()[:64] == _digest(path).encode()
    except FileNotFoundError:
        return False  # without its table: whoever reads that says so
    except OSError as error:
        raise BadInput(f"{error.filename}: cannot be read ({error.strerror})") from None
    if not agrees:
        raise BadInput(
            f"{path}: not as l2l wrote it (its checksum does not agree with {checksum.name}); "
            f"{CURE}, or, if you changed it and want to keep the change, delete {checksum.name}"
        )
    return True


def remove(path: Path) -> None:
    """Remove a text or table, if it is there, and its checksum."""
    path.unlink(missing_ok=True)
    checksum_path(path).unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file under a temporary name, then rename it; its checksum lies next to it."""
    with atomic_path_with_checksum(path) as part:
        part.write_text(text, encoding="utf-8", errors="surrogateescape", newline="")


def write_table(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    r"""Write a tab-separated table with a header line under a temporary name, then rename it; its
    checksum lies next to it.

    Cells with tabs or line ends are quoted. Texts that a spreadsheet would compute get an
    apostrophe in front, control characters are written as `\x1b` or `\u202e`; `read_table` undoes
    both.

    Args:
        path: written.
        columns: their names, in order.
        rows: the cells by column; one that is missing is empty.

    Raises:
        ValueError: if a row has a cell of another column.
    """
    for row in rows:
        if unknown := row.keys() - set(columns):
            raise ValueError(f"{path}: a row has a cell of no column: {min(unknown)}")
    cells = [list(columns), *([_text(row.get(name)) for name in columns] for row in rows)]
    escaped = [
        [_escape(cell) for cell in row] if _NEEDS_ESCAPE.search("\t".join(row)) else row
        for row in cells
    ]
    # csv leaves a lone carriage return without quotes
    returns = any("\r" in cell for row in escaped for cell in row)
    quoting: Literal[0, 1] = csv.QUOTE_ALL if returns else csv.QUOTE_MINIMAL
    with (
        atomic_path_with_checksum(path) as part,
        open(part, "w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        csv.writer(file, delimiter="\t", lineterminator="\n", quoting=quoting).writerows(escaped)


_CONTROL = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
_ESCAPED = r"(?:x0[0-8bcef]|x1[0-9a-f]|x7f|x[89][0-9a-f]|u061c|u200[ef]|u202[89a-e]|u206[6-9])"
_CONTROLS = re.compile(f"[{_CONTROL}]")
_LOOKS_ESCAPED = re.compile(rf"\\(?=(?:x5c)*{_ESCAPED})")
_ESCAPE_SEQUENCE = re.compile(rf"\\(?:x5c(?=(?:x5c)*{_ESCAPED})|{_ESCAPED})")
_COMPUTED = re.compile(r"'*[=+\-@\t\r]")
_NEEDS_ESCAPE = re.compile(rf"(?:^|\t)'*[=+\-@\t\r]|[{_CONTROL}]|\\[xu]")
_ESCAPED_ROW = re.compile(r"(?:^|\t)''*[=+\-@\t\r]|\\[xu]")


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _escape(cell: str) -> str:
    """The cell with control characters spelled out, and as text where a spreadsheet computes."""
    cell = _LOOKS_ESCAPED.sub(r"\\x5c", cell)
    cell = _CONTROLS.sub(
        lambda match: f"\\x{ord(match[0]):02x}" if match[0] < "\xff" else f"\\u{ord(match[0]):04x}",
        cell,
    )
    return f"'{cell}" if _COMPUTED.match(cell) and not _is_number(cell) else cell


def _unescape(cell: str) -> str:
    """What `_escape` was given."""
    if cell[:1] == "'" and _COMPUTED.match(cell):
        cell = cell[1:]
    return _ESCAPE_SEQUENCE.sub(lambda match: chr(int(match[0][2:], 16)), cell)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return not cell[0].isspace()


def read_table(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Read a table that `write_table` wrote, or a person, with at least these columns.

    Raises:
        BadInput: if the file is missing, does not agree with its checksum, is not such a table, or
            lacks one of the columns.
    """
    names, rows = read_columns(path)
    if missing := [column for column in columns if column not in names]:
        raise BadInput(
            f"{path}: no column {missing[0]!r}; expected a tab-separated table with "
            f"{', '.join(columns)}"
        )
    return rows


def read_columns(path: Path) -> tuple[tuple[str, ...], list[dict[str, str]]]:
    """Read a table of any columns: their names in order, and the rows.

    Raises:
        BadInput: if the file is missing, does not agree with its checksum, or is not a table.
    """
    expected = "expected a tab-separated table"
    verify_checksum(path)
    csv.field_size_limit(1 << 30)  # a video's segments are in one field
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            lines = [row for row in csv.reader(file, delimiter="\t") if row]
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file; {expected}") from None
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}); {expected}") from None
    except csv.Error as error:
        raise BadInput(f"{path}: not a tab-separated table ({error})") from None
    rows = [
        [_unescape(cell) for cell in row] if _ESCAPED_ROW.search("\t".join(row)) else row
        for row in lines
    ]
    names = rows[0] if rows else []
    if len(set(names)) < len(names):
        raise BadInput(f"{path}: a column is duplicated: {', '.join(names)}")
    for number, row in enumerate(rows[1:], start=1):
        if len(row) != len(names):
            raise BadInput(
                f"{path}: row {number} has {len(row)} cells, expected {len(names)}, one per "
                "column; was it cut short?"
            )
    return tuple(names), [dict(zip(names, row, strict=True)) for row in rows[1:]]
