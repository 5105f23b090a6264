"""What processes read: bytes, and how often a file is opened."""

import contextlib
import ctypes
import os
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

IO = Path("/proc/self/io")
IN_ACCESS, IN_OPEN, IN_OVERFLOW = 0x01, 0x20, 0x4000


def bytes_read() -> int:
    """Bytes that this process has read by system calls, with all processes that it started and that
    have ended.
    """
    if not IO.exists():
        pytest.skip(f"needs {IO}, which Linux has")
    return int(IO.read_text(encoding="ascii").splitlines()[0].removeprefix("rchar: "))


@contextlib.contextmanager
def counted_opens(path: Path) -> Iterator[list[int]]:
    """The list holds one number, once the block has ended: how often any process opened a file.

    Two that open it before either of them reads are one: the number may be too small, but never too
    large.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "inotify_init1"):
        pytest.skip("needs inotify, which Linux has")
    queue = libc.inotify_init1(os.O_CLOEXEC)
    assert libc.inotify_add_watch(queue, os.fsencode(path), IN_ACCESS | IN_OPEN) >= 0
    masks: list[int] = []
    ended = threading.Event()

    def read() -> None:
        while not ended.is_set():
            events = os.read(queue, 1 << 16)
            at = 0
            while at < len(events):
                _, mask, _, length = struct.unpack_from("iIII", events, at)
                masks.append(mask)
                at += 16 + length

    reader = threading.Thread(target=read)
    reader.start()
    opens: list[int] = []
    try:
        yield opens
    finally:
        ended.set()
        path.open("rb").close()  # wakes the reader
        reader.join()
        os.close(queue)
    assert not any(mask & IN_OVERFLOW for mask in masks)
    opens.append(sum(bool(mask & IN_OPEN) for mask in masks) - 1)
