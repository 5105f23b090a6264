"""What the machine gives to the programs that read videos: a clean environment, memory and threads.

A program that the machine starves looks like one that meets a damaged file. These functions
distinguish the two, so that trouble of the machine never becomes the status of a video.
"""

import contextlib
import mmap
import os
import threading
from pathlib import Path

KEPT_VARIABLES = ("PATH", "HOME", "TMPDIR", "TZ")
KEPT_PREFIXES = ("LD_", "DYLD_")  # where a program of conda or of a module system has its libraries


def clean_environment(**variables: str) -> dict[str, str]:
    """The environment for a child process: a few variables of ours, and those given.

    Others change what a program writes: `AV_LOG_FORCE_COLOR` and `FFREPORT` the log of ffmpeg,
    `FFMPEG_DATADIR` its presets, `PYTHONPATH` the code of a Python child.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in KEPT_VARIABLES or name.startswith(KEPT_PREFIXES)
    }
    return kept | {"LC_ALL": "C"} | variables


def describe_shortage(memory_bytes: int, threads: int) -> str:
    """What the machine does not give to a process, in plain words; empty if it gives all.

    Address space and threads are requested in this process and released at once. A child has the
    same limits (`ulimit`, cgroup), so what is refused here is refused there too. Memory is not
    touched, so that the request costs nothing.

    Args:
        memory_bytes: address space to request.
        threads: number of threads to run at the same time.
    """
    try:
        mmap.mmap(-1, memory_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
    except (OSError, MemoryError, ValueError):
        return f"a process may not use {memory_bytes / 1e6:.0f} MB of memory here"
    if not _can_start(threads):
        return f"a process may not start {threads} threads here"
    return ""


def usable_cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def spent_cpu_seconds() -> float:
    """Processor time of this process and its children so far; on Linux also of those that run."""
    import resource

    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    seconds = sum(each.ru_utime + each.ru_stime for each in spent)
    for children in Path("/proc/self/task").glob("*/children"):
        try:
            started = children.read_text().split()
        except OSError:  # the thread has ended
            continue
        for child in started:
            with contextlib.suppress(OSError):  # it has ended
                fields = Path(f"/proc/{child}/stat").read_bytes().rpartition(b") ")[2].split()
                seconds += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return seconds


def _can_start(count: int) -> bool:
    release = threading.Event()
    started = []
    with contextlib.suppress(RuntimeError):  # "can't start new thread"
        for _ in range(count):
            thread = threading.Thread(target=release.wait)
            thread.start()
            started.append(thread)
    release.set()
    for thread in started:
        thread.join()
    return len(started) == count
