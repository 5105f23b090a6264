"""Stores on disk: written aside and renamed when whole, checked before they are believed.

Every store says what it is (`kind`), in which layout (`layout`) and what made it (`made_by`); its
arrays are checksummed. Texts and tables stay plain, so that anything reads them: theirs stands
beside, in a file that ``sha256sum --check`` reads.
"""

import contextlib
import csv
import errno
import glob
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from l2l import __version__
from l2l.errors import BadInput


def _commit(checkout: Path) -> str:
    """The commit that a checkout is at, shortened; empty if this is no checkout.

    Read from Git's own files: a node of a cluster may have no Git, and all have to write the same
    bytes.
    """
    try:
        folder = checkout / ".git"
        if folder.is_file():  # of a worktree: "gitdir: FOLDER"
            folder = checkout / folder.read_text(encoding="utf-8").partition(": ")[2].strip()
        head = (folder / "HEAD").read_text(encoding="utf-8").strip()
        if head.startswith("ref: "):
            head = _resolved(folder, head.removeprefix("ref: "))
    except (OSError, UnicodeError):
        return ""
    return head[:12] if len(head) >= 40 else ""


def _resolved(folder: Path, branch: str) -> str:
    common = folder / "commondir"  # of a worktree: where the branches are
    shared = folder / common.read_text(encoding="utf-8").strip() if common.is_file() else folder
    if (shared / branch).is_file():
        return (shared / branch).read_text(encoding="utf-8").strip()
    packed = (shared / "packed-refs").read_text(encoding="utf-8").splitlines()
    return next((line[:40] for line in packed if line[41:] == branch), "")


def _version() -> str:
    commit = _commit(Path(__file__).parents[1])
    return f"l2l {__version__}" + (f" (commit {commit})" if commit else "")


MADE_BY = _version()
"""What artifacts say made them: the version of this code and, in a checkout, its commit."""
CURE = "delete it and run snakemake again"
"""Advice where a file's own checksum proves that it is damaged, and only there."""
MOVE_AWAY = "move it away and run snakemake again"
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)  # errors that writing alone meets


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path` to write a file or folder to; rename it to `path` when
    the block ends well.

    A process killed inside the block leaves `path` as it was. What an error leaves aside is
    removed, and what killed writers of the same `path` left: the last to begin has it.

    Raises:
        BadInput: if the disk is full, the folder cannot be written to, or another has begun to
            write `path` since.
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
            f"{path}: another job has begun to write it since, and has it; let one Snakemake at a "
            "time make it"
        ) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unwritable(path: Path, error: OSError) -> BadInput:
    reason = os.strerror(error.errno) if error.errno else str(error)
    return BadInput(
        f"{path}: cannot be written ({reason}); make room or give leave to write there, then run "
        "it again"
    )


@contextlib.contextmanager
def atomic_path_with_checksum(path: Path) -> Iterator[Path]:
    """As `aside` for a file, with its checksum beside it.

    Renamed first, so that no kill leaves a new file with an old one.
    """
    with atomic_path(path) as part:
        yield part
        with atomic_path(checksum_path(path)) as beside:
            beside.write_text(
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
    """Compare a text or table with the checksum beside it.

    Returns:
        False if there is none: a person may have written it.

    Raises:
        BadInput: if it is another's.
    """
    beside = checksum_path(path)
    if not beside.is_file():
        return False
    if beside.read_bytes()[:64] != _digest(path).encode():
        raise BadInput(
            f"{path}: not as l2l wrote it (the checksum in {beside.name} is another); {CURE}, or, "
            "if you changed it and mean "
            f"to keep that, delete {beside.name}"
        )
    return True


def remove(path: Path) -> None:
    """Take away a text or table, if it is there, and its checksum."""
    path.unlink(missing_ok=True)
    checksum_path(path).unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a whole text file aside, then rename it; its checksum stands beside it."""
    with atomic_path_with_checksum(path) as part:
        part.write_text(text, encoding="utf-8", errors="surrogateescape", newline="")


def write_table(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a tab-separated table with a header line, aside, then rename it; its checksum stands
    beside it.

    Odd characters in a field are quoted.
    """
    returns = any("\r" in str(value) for row in rows for value in row.values())
    quoting: Literal[0, 1] = (
        csv.QUOTE_ALL if returns else csv.QUOTE_MINIMAL
    )  # csv leaves a lone carriage return bare
    with (
        atomic_path_with_checksum(path) as part,
        open(part, "w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
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
                raise BadInput(
                    f"{path}: no column {missing[0]!r}; expected a tab-separated table with "
                    f"{', '.join(columns)}"
                )
            rows = list(reader)
    except FileNotFoundError:
        raise BadInput(
            f"{path}: no such file; expected a tab-separated table with {', '.join(columns)}"
        ) from None
    except OSError as error:
        raise BadInput(
            f"{path}: cannot be read ({error.strerror}); expected a tab-separated table"
        ) from None
    except csv.Error as error:
        raise BadInput(f"{path}: not a tab-separated table ({error})") from None
    for number, row in enumerate(rows, start=1):
        if (
            None in row or None in row.values()
        ):  # cells past the last column; columns past the last cell
            raise BadInput(
                f"{path}: row {number} has more or fewer cells than the {len(found)} columns; was "
                "it cut short?"
            )
    return rows
