"""A large file by HTTP, which goes on where an interrupted download stopped.

By urllib, which takes proxies from the environment: pooch and torch.hub compare checksums too, but
begin an interrupted file again.
"""

import fcntl
import hashlib
import http.client
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from l2l.errors import BadInput
from l2l.progress import terminal
from l2l.torch_files import first_line

TIMEOUT_SECONDS = 60.0  # without a byte
_BLOCK_BYTES = 1 << 18


class InterruptedDownloadError(Exception):
    """A file did not come as a whole: why. What came is kept for the next try."""


def download(url: str, path: Path, sha256: str) -> None:
    """Download a file, compare its checksum, and rename it to its path.

    Until then it is the path with .part, which another call goes on with. A connection that ends
    too early is opened again for as long as each brings something.

    Args:
        url: http or https.
        path: of the file.
        sha256: of the file: its first characters, or all.

    Raises:
        InterruptedDownloadError: if it did not come as a whole.
        BadInput: if it is another file by its checksum, which is not kept; or if another process
            downloads it now.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    with open(part, "ab") as file:
        _lock(file, part)
        if path.exists():  # the other process renamed it before this one had the lock
            return
        if not _sha256(part).startswith(sha256):  # a process may have ended before it renamed it
            _complete(url, file)
            file.flush()
        if not (digest := _sha256(part)).startswith(sha256):
            part.unlink()
            raise BadInput(
                f"{url}: downloaded {_size(file):,} bytes with sha256 {digest[:16]}..., expected "
                f"sha256 {sha256[:16]}...; they were not kept: run this again; if it stays, it is "
                "another file, or a page of a proxy"
            )
        os.replace(part, path)


def _lock(file: BinaryIO, part: Path) -> None:
    """Let no second process append to the file."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BadInput(f"{part}: another process downloads it now; wait for that one") from None
    except OSError:
        pass  # a file system without locks; the checksum still says


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _size(file: BinaryIO) -> int:
    file.flush()
    return os.fstat(file.fileno()).st_size


def _complete(url: str, file: BinaryIO) -> None:
    """Append what is missing of the file, by as many answers as it takes."""
    while True:
        before = _size(file)
        try:
            _append(url, file, before)
            return
        except InterruptedDownloadError as error:
            if _size(file) <= before:
                kept = f"; {before:,} bytes are kept" if before else ""
                raise InterruptedDownloadError(f"{error}{kept}") from None


def _append(url: str, file: BinaryIO, start: int) -> None:
    """Append to the file, which has `start` bytes, what one answer of the server brings."""
    headers = {"User-Agent": "l2l"} | ({"Range": f"bytes={start}-"} if start else {})
    try:
        answer = urllib.request.urlopen(
            urllib.request.Request(url, headers=headers), timeout=TIMEOUT_SECONDS
        )
    except urllib.error.HTTPError as error:
        if start and error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            file.truncate(0)  # the server's file is no longer than what is there
            _append(url, file, 0)
            return
        raise InterruptedDownloadError(first_line(error)) from None
    except urllib.error.URLError as error:
        reason = error.reason if isinstance(error.reason, Exception) else error
        raise InterruptedDownloadError(first_line(reason)) from None
    except (OSError, http.client.HTTPException) as error:
        raise InterruptedDownloadError(first_line(error)) from None
    with answer:
        if answer.status != http.HTTPStatus.PARTIAL_CONTENT:
            file.truncate(start := 0)  # a server that sends whole files only
        elif not (given := answer.headers["Content-Range"] or "").startswith(f"bytes {start}-"):
            raise InterruptedDownloadError(f"asked for byte {start} on, the server gives {given!r}")
        for block in _blocks(answer, start):
            file.write(block)


def _blocks(answer: Any, start: int) -> Iterator[bytes]:
    """The content of an answer; on a terminal with a bar."""
    from tqdm import tqdm  # here: nothing is imported where all files are there

    total = None if answer.length is None else start + answer.length
    shown = {"unit": "B", "unit_scale": True, "leave": False, "dynamic_ncols": True}
    hidden = sys.stderr is None or not sys.stderr.isatty()
    with tqdm(file=terminal(), total=total, initial=start, disable=hidden, **shown) as bar:
        while True:
            try:
                block = answer.read(_BLOCK_BYTES)
            except (OSError, http.client.HTTPException) as error:
                raise InterruptedDownloadError(first_line(error)) from None
            if not block:
                break
            yield block
            bar.update(len(block))
    if answer.length:  # bytes that it announced and did not send
        raise InterruptedDownloadError(
            f"the connection ended {answer.length:,} bytes before the end of the file"
        )
