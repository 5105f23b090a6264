"""The ffmpeg program: where it is, and one small runner for it.

The runner goes through no shell and gives ffmpeg no standard input; it reads all outputs at once,
so that none can block another, keeps only so much of the log, bounds processor time and memory, and
kills the whole process group when time or bytes run out.
"""

import contextlib
import functools
import math
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from l2l.errors import KILLED, BadInput, KilledError

KEPT_COMPLAINTS = 20  # of one part of ffmpeg
LINE_BYTES = 4096
READ_BYTES = 1 << 18
MEMORY_LIMIT_BYTES = (
    4 << 30
)  # of address space: 8k pictures of 10 bits fit, those of a header that lies do not
# broadcasts alone may begin their time again
_BACKWARDS = r"^\[(?!in#\d+/mpeg|mpeg).* DTS -?\d+ < -?\d+ out of order"
_COMPLAINT = re.compile(
    rf"\[(error|fatal|panic)\] |corrupt (decoded frame|input packet)|{_BACKWARDS}"
)
_MAPPED = re.compile(
    r"Stream #0:(\d+) -> #\d+:\d+ \((\S+) \((\S+)\)"
)  # to which output, with the codec and its decoder
_GRID = re.compile(r"\d+ frames in, (\d+) frames out")
_TORN = re.compile(r"\[[a-z]+\]  ")
_TOLD_TO_END = re.compile(r"(\[info\] )?Exiting normally, received signal")
# the variable by which ffmpeg is told where to write its report and how much; 40 is verbose
_REPORT = "FFREPORT"


class FfmpegStopped(Exception):
    """A run of ffmpeg was ended by one of its limits; the message says which, in plain words."""


@dataclass
class Log:
    """What ffmpeg said: who complained of what, and what else is asked of its report.

    Its parts run at once, and one may finish the line that another began: so complaints are read
        where nothing but warnings and errors is written. These come in whole lines, but for
        warnings of features that are missing, which come in two pieces.
    """

    complaints: dict[str, list[str]] = field(
        default_factory=dict
    )  # the first of each part, by its name and address
    opening: set[str] = field(
        default_factory=set
    )  # the parts that complained while the file was looked over
    decoders: dict[int, str] = field(
        default_factory=dict
    )  # of each stream that is read, by its index
    grid_frames: int = 0  # that the fps filter gave, told when it is torn down; 0 if it never ran
    # a complaint may have come between the two pieces of a warning, and is then not known as one
    torn: bool = False
    told_to_end: bool = False  # by a signal that ffmpeg heeds

    def complain(self, line: str) -> None:
        """Take one line, without its end, of those that are only warnings and errors."""
        self.torn |= bool(_TORN.search(line))
        if _COMPLAINT.search(line):
            told = self.complaints.setdefault(_part(line), [])
            if len(told) < KEPT_COMPLAINTS:
                told.append(line)

    def report(self, line: str) -> None:
        """Take one line, without its end, of the report."""
        if mapped := _MAPPED.search(line):
            self.decoders[int(mapped[1])] = mapped[2] if mapped[3] == "native" else mapped[3]
        if not self.decoders and _COMPLAINT.search(line):
            self.opening.add(_part(line))
        if counted := _GRID.search(line):
            self.grid_frames = int(counted[1])
        if _TOLD_TO_END.match(line):
            self.told_to_end = True

    def complains(self, words: str) -> bool:
        """Whether these words are in a complaint."""
        return any(words in line for lines in self.complaints.values() for line in lines)


@dataclass(frozen=True)
class Finished:
    """A run that ended by itself.

    Its exit code is no verdict: ffmpeg ends with 0 on files cut in half.
    """

    exit_code: int
    outputs: tuple[bytearray, ...]
    log: Log


@functools.cache
def ffmpeg_program() -> Path:
    """The ffmpeg on PATH, else the one that the imageio-ffmpeg package carries.

    Raises:
        BadInput: if there is neither.
    """
    if found := shutil.which("ffmpeg"):
        return Path(found)
    try:
        import imageio_ffmpeg

        return Path(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError):
        raise BadInput(
            "no ffmpeg: put one on PATH, or `pip install imageio-ffmpeg`, which carries one"
        ) from None


@functools.cache
def ffmpeg_version() -> str:
    """The version that `ffmpeg_program` calls itself, such as 7.1.1."""
    said = subprocess.run(
        [ffmpeg_program(), "-version"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    words = said.stdout.split()
    return words[2] if words[:2] == ["ffmpeg", "version"] else "unknown"


def run_ffmpeg(
    arguments: Sequence[str],
    outputs: Sequence[str],
    most_bytes: int,
    time_limit_seconds: float,
    cpu_limit_seconds: float | None = None,
    memory_limit_bytes: int = MEMORY_LIMIT_BYTES,
) -> Finished:
    """Run ffmpeg and gather what it writes to pipes.

    Args:
        arguments: all but the program's name; a pipe stands in them as `pipe:NAME`.
        outputs: the NAMEs, in the order in which their bytes are returned.
        most_bytes: of one output; beyond, the run is ended.
        time_limit_seconds: of wall time.
        cpu_limit_seconds: of processor time, all its threads together; None: as much as of wall
            time.
        memory_limit_bytes: of its address space. This and processor time are bounded on Linux
            alone.

    Raises:
        FfmpegStopped: if it ran out of time, of bytes or of memory.
        KilledError: if something else ended it.
    """
    pipes = {name: os.pipe() for name in (*outputs, _REPORT)}
    place = {f"pipe:{name}": f"pipe:{write}" for name, (_, write) in pipes.items()}
    argv = [
        str(ffmpeg_program()),
        "-nostdin",
        *(place.get(argument, argument) for argument in arguments),
    ]
    try:
        process = _start(argv, [write for _, write in pipes.values()], pipes[_REPORT][1])
    finally:
        for _, write in pipes.values():
            os.close(write)  # ours: the reader sees the end only when no writer is left
    cpu_seconds = math.ceil(time_limit_seconds if cpu_limit_seconds is None else cpu_limit_seconds)
    _bound(process, cpu_seconds, memory_limit_bytes)
    log, gathered = Log(), tuple(bytearray() for _ in outputs)
    report = open(pipes.pop(_REPORT)[0], "rb")  # noqa: SIM115 - the thread that reads it closes it
    overflow = threading.Event()

    def gather(read: int, into: bytearray) -> None:
        with open(read, "rb", buffering=0) as pipe:
            while block := pipe.read(READ_BYTES):
                into += block
                if len(into) > most_bytes:
                    overflow.set()
                    _kill(process)
                    return

    threads = [
        threading.Thread(target=gather, args=(read, into))
        for (read, _), into in zip(pipes.values(), gathered, strict=True)
    ]
    threads.append(threading.Thread(target=_read_lines, args=(process.stderr, log.complain)))
    threads.append(threading.Thread(target=_read_lines, args=(report, log.report)))
    with _running(process, threads):
        try:
            spent_seconds = _wait(process, time_limit_seconds)
        except subprocess.TimeoutExpired:
            raise FfmpegStopped(f"not done within {time_limit_seconds:g} s") from None
    if overflow.is_set():
        raise FfmpegStopped(f"it decodes to more than {most_bytes / 1e6:.0f} MB")
    if (
        process.returncode == -signal.SIGKILL and spent_seconds > cpu_seconds - 1
    ):  # it is looked at once in a while
        raise FfmpegStopped(f"it takes more than {cpu_seconds} s of processor time")
    if process.returncode in KILLED or log.told_to_end:
        raise KilledError("ffmpeg")
    if log.complains("Cannot allocate memory"):  # ffmpeg would go on with the next picture
        raise FfmpegStopped(
            f"decoding it takes more than {memory_limit_bytes / 1e6:.0f} MB of memory"
        )
    return Finished(process.returncode, gathered, log)


def log_source(line: str) -> str:
    """Which part of ffmpeg says this: h264 for `[h264 @ 0x55] [error] no frame!`."""
    who = re.match(r"\[([^\[\] ]+)", line)
    return who[1] if who else ""


def _part(line: str) -> str:
    """The part of ffmpeg that says this, with its address.

    A decoder that looks a file over is not the one that decodes it.
    """
    return line.partition("]")[0]


def _start(argv: Sequence[str], pass_fds: Sequence[int], report: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        pass_fds=pass_fds,
        env={**os.environ, _REPORT: f"file=/dev/fd/{report}:level=40"},
        start_new_session=True,  # a process group of its own, to be killed as one
    )


def _bound(process: subprocess.Popen[bytes], cpu_seconds: int, memory_bytes: int) -> None:
    """Bound a process that has just been started.

    The system ends it without asking when its processor time is over.
    """
    if sys.platform == "linux":
        import resource

        for what, most in ((resource.RLIMIT_CPU, cpu_seconds), (resource.RLIMIT_AS, memory_bytes)):
            with contextlib.suppress(OSError):  # it ended already
                _, hard = resource.prlimit(process.pid, what)
                bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
                resource.prlimit(process.pid, what, (bound, bound))


def _wait(process: subprocess.Popen[bytes], seconds: float) -> float:
    """Wait until a process has ended: the processor time that it took, 0 where the system does not
    tell.

    Raises:
        subprocess.TimeoutExpired: if it goes on for longer.
    """
    if sys.platform != "linux":
        process.wait(seconds)
        return 0.0
    handle = os.pidfd_open(process.pid)
    try:
        ended = select.poll()
        ended.register(handle, select.POLLIN)
        if not ended.poll(seconds * 1000):
            raise subprocess.TimeoutExpired(process.args, seconds)
    finally:
        os.close(handle)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_utime + usage.ru_stime


@contextlib.contextmanager
def _running(
    process: subprocess.Popen[bytes], threads: Sequence[threading.Thread]
) -> Iterator[None]:
    """Read all that the process writes while the block runs.

    Nothing of it is left behind, however the block ends.
    """
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        _kill(process)
        process.wait()
        for thread in threads:
            thread.join()


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _read_lines(pipe: IO[bytes], take: Callable[[str], None]) -> None:
    with pipe:
        while line := pipe.readline(LINE_BYTES):
            take(line.decode("utf-8", "replace").rstrip("\r\n"))
