"""How fast l2l is, as ratios to a limit or to a peer that are measured in the same run: a table in
markdown.

    make bench                                 # all rows
    python benchmarks/bench.py [--runs N] [FILE ...]   # those of benchmarks/ratios/FILE.py

The rows are those of every file in `benchmarks/ratios/`: each has a function `rows(folder)`, which
yields `Row`s and may write into a temporary folder. A new file is a new part of the table.

Ours and the peer run in turn, on one thread and one core; a ratio is the median over the runs. Time
is CPU time of this process and its children, which a busy machine changes little; where a GPU is
visible, it is the clock's, so the machine has to be quiet. Progress goes to stderr, the table to
stdout.
"""

import argparse
import contextlib
import importlib
import importlib.metadata
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from l2l.jobs.machine import spent_cpu_seconds
from l2l.stores import MADE_BY

HERE = Path(__file__).parent
RATIOS = HERE / "ratios"
LIBRARIES = "LD_LIBRARY_PATH"
ALL_CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
PACKAGES = ("torch", "av", "numpy", "zarr", "h5py", "simplejpeg", "pillow")


@dataclass(frozen=True)
class Row:
    """One line of the table: how many times the peer's rate ours is.

    Attributes:
        what: of l2l.
        against: the limit or the peer.
        ours: one run of l2l.
        peer: one run of the peer; None where there is none, see `cores`.
        at_least: the ratio that is wanted.
        work: of `ours`, relative to that of `peer`; 1 where both do the same.
        cores: if not 0, the ratio is the share of so many cores that ours keeps busy: its CPU
            seconds, shared among them, by the clock's.
    """

    what: str
    against: str
    ours: Callable[[], object]
    peer: Callable[[], object] | None
    at_least: float
    work: float = 1.0
    cores: int = 0


def now() -> float:
    """CPU seconds of this process and its children so far, or the clock's where a GPU computes."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
        return time.monotonic()
    return spent_cpu_seconds()  # also of the process that decodes, which goes on


def seconds(call: Callable[[], object]) -> float:
    """What one call takes."""
    before = now()
    call()
    return now() - before


def busy_seconds(row: Row) -> tuple[float, float]:
    """The clock's seconds of a run of ours, and its CPU seconds per core."""
    with on_cores(row.cores):
        clock, spent = time.monotonic(), spent_cpu_seconds()
        row.ours()
        return time.monotonic() - clock, (spent_cpu_seconds() - spent) / row.cores


@contextlib.contextmanager
def on_cores(count: int) -> Iterator[None]:
    """Keep this process, and those that it starts, on so many cores, where the system can do that.

    The ffmpeg program has threads even with `-threads 1`: that these wake each other up on two
    cores takes more CPU time than on one.
    """
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, ALL_CORES[-count:])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def measured_pairs(row: Row, runs: int) -> list[tuple[float, float]]:
    """Seconds of ours and of the peer: both once to warm up, then in turn."""
    if row.peer is None:
        return [busy_seconds(row) for _ in range(runs)]
    row.ours(), row.peer()
    return [(seconds(row.ours), seconds(row.peer)) for _ in range(runs)]


def table_line(row: Row, runs: int) -> str:
    """Measure a row."""
    pairs = measured_pairs(row, runs)
    ratios = sorted(row.work * peer / ours for ours, peer in pairs)
    ours, peer = (statistics.median(times) for times in zip(*pairs, strict=True))
    ratio = statistics.median(ratios)
    cells = (
        row.what,
        row.against,
        f"{ratio:.2f}",
        f"{ratios[0]:.2f} to {ratios[-1]:.2f}",
        f"{row.at_least:g}",
        "yes" if ratio >= row.at_least else "no",
        f"{ours:.3g}",
        f"{peer:.3g}",
    )
    return f"| {' | '.join(cells)} |"


def machine() -> str:
    """The processor, or the GPU, and the versions that the figures depend on."""
    name = platform.processor() or platform.machine()
    for line in _lines(Path("/proc/cpuinfo")):
        if line.startswith("model name"):
            name = line.partition(":")[2].strip()
            break
    kind = torch.cuda.get_device_name() if torch.cuda.is_available() else f"one thread of {name}"
    versions = ", ".join(f"{each} {importlib.metadata.version(each)}" for each in PACKAGES)
    return f"{kind}; {MADE_BY}, Python {platform.python_version()}, {versions}"


def _lines(path: Path) -> Iterator[str]:
    return iter(path.read_text(encoding="utf-8").splitlines() if path.is_file() else ())


def files() -> list[str]:
    """The names of the files in `ratios`."""
    return sorted(path.stem for path in RATIOS.glob("[!_]*.py"))


def link_libraries(folder: Path) -> str:
    """Link the FFmpeg libraries that PyAV carries under the names that torchcodec looks for.

    Returns:
        Where they and the libraries that these need are found, for `LD_LIBRARY_PATH`.
    """
    carried = Path(importlib.metadata.distribution("av").locate_file("av.libs"))
    for path in carried.glob("lib*.so.*"):
        name, _, version = path.name.partition(".so.")
        link = folder / f"{name.partition('-')[0]}.so.{version.partition('.')[0]}"
        if not link.is_symlink() and name.startswith(("libav", "libsw")):
            link.symlink_to(path)
    return f"{folder}:{carried}"


def main() -> None:
    """Print the table."""
    if LIBRARIES not in os.environ:  # they are looked up where a process starts
        with tempfile.TemporaryDirectory(prefix="l2l-bench-") as folder:
            found = {LIBRARIES: link_libraries(Path(folder))}
            ran = subprocess.run([sys.executable, *sys.argv], env=os.environ | found, check=False)
        sys.exit(ran.returncode)
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("files", nargs="*", choices=[*files(), []], help="default: all")
    parser.add_argument("--runs", type=int, default=3, help="of each row; default 3")
    options = parser.parse_args()
    torch.set_num_threads(1)
    unit = "clock seconds" if torch.cuda.is_available() else "CPU seconds"
    print(f"{machine()}; medians of {options.runs} interleaved runs, {unit}.\n")
    print("| what | against | ratio | smallest to largest | at least | met | ours, s | peer, s |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    for name in options.files or files():
        module = importlib.import_module(f"ratios.{name}")
        with tempfile.TemporaryDirectory(prefix="l2l-bench-") as folder, on_cores(1):
            for row in module.rows(Path(folder)):
                print(f"{name}: {row.what}", file=sys.stderr, flush=True)
                print(table_line(row, options.runs), flush=True)


if __name__ == "__main__":
    main()
