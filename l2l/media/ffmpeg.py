"""The ffmpeg program: where it is, and one small runner for it.

The runner goes through no shell and gives ffmpeg no standard input; it reads all outputs at once, so that none can block another,
keeps only so much of the log, bounds processor time and memory, and kills the whole process group when time or bytes run out.
"""

import contextlib
import functools
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from l2l.errors import BadInput

KEPT_LINES = 200
KEPT_COMPLAINTS = 20  # of one speaker
LINE_BYTES = 4096
READ_BYTES = 1 << 18
MEMORY_LIMIT_BYTES = 4 << 30  # of address space: 8k pictures of 10 bits fit, those of a header that lies do not
_COMPLAINT = re.compile(r"\[(error|fatal|panic)\] |corrupt (decoded frame|input packet)")
_MAPPED = re.compile(r"Stream #0:(\d+) -> #\d+:\d+ \((\S+) \((\S+)\)")  # to which output, with the codec and its decoder


class FfmpegStopped(Exception):
    """A run of ffmpeg was ended by one of its limits; the message says which, in plain words."""


@dataclass
class Log:
    """What ffmpeg said: its last lines, and its first complaints, those while it looked the file over apart."""

    last: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT_LINES))
    opening: dict[str, list[str]] = field(default_factory=dict)  # by who complains: only the order of one's words is certain
    decoding: dict[str, list[str]] = field(default_factory=dict)
    decoders: dict[int, str] = field(default_factory=dict)  # of each stream that is read, by its index

    def add(self, line: str) -> None:
        """Take one line without its end."""
        self.last.append(line)
        if mapped := _MAPPED.search(line):
            self.decoders[int(mapped[1])] = mapped[2] if mapped[3] == "native" else mapped[3]
        complaints = self.decoding if self.decoders else self.opening
        if _COMPLAINT.search(line):
            told = complaints.setdefault(speaker(line), [])
            if len(told) < KEPT_COMPLAINTS:
                told.append(line)

    def search(self, pattern: str) -> re.Match[str] | None:
        """Where the pattern is found in the last of the kept lines that holds it."""
        return next((match for line in reversed(self.last) if (match := re.search(pattern, line))), None)

    def complains(self, words: str) -> bool:
        """Whether these words are in a complaint."""
        return any(words in line for told in (self.opening, self.decoding) for lines in told.values() for line in lines)


@dataclass(frozen=True)
class Finished:
    """A run that ended by itself. Its exit code is no verdict: ffmpeg ends with 0 on files cut in half."""

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
        raise BadInput("no ffmpeg: put one on PATH, or `pip install imageio-ffmpeg`, which carries one") from None


@functools.cache
def ffmpeg_version() -> str:
    """The version that `ffmpeg_program` calls itself, such as 7.1.1."""
    said = subprocess.run([ffmpeg_program(), "-version"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
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
        cpu_limit_seconds: of processor time, all its threads together; None: as much as of wall time.
        memory_limit_bytes: of its address space. This and processor time are bounded on Linux alone.

    Raises:
        FfmpegStopped: if it ran out of time, of bytes or of memory.
    """
    pipes = {name: os.pipe() for name in outputs}
    place = {f"pipe:{name}": f"pipe:{write}" for name, (_, write) in pipes.items()}
    argv = [str(ffmpeg_program()), "-nostdin", *(place.get(argument, argument) for argument in arguments)]
    try:
        process = _start(argv, [write for _, write in pipes.values()])
    finally:
        for _, write in pipes.values():
            os.close(write)  # ours: the reader sees the end only when no writer is left
    cpu_seconds = math.ceil(time_limit_seconds if cpu_limit_seconds is None else cpu_limit_seconds)
    _bound(process, cpu_seconds, memory_limit_bytes)
    log, gathered = Log(), tuple(bytearray() for _ in outputs)
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
        threading.Thread(target=gather, args=(read, into)) for (read, _), into in zip(pipes.values(), gathered, strict=True)
    ]
    threads.append(threading.Thread(target=_read_log, args=(process.stderr, log)))
    with _running(process, threads):
        try:
            exit_code = process.wait(time_limit_seconds)
        except subprocess.TimeoutExpired:
            raise FfmpegStopped(f"not done within {time_limit_seconds:g} s") from None
    if overflow.is_set():
        raise FfmpegStopped(f"it decodes to more than {most_bytes / 1e6:.0f} MB")
    if exit_code == -signal.SIGKILL:  # none of ours
        raise FfmpegStopped(f"it was killed: it takes more than {cpu_seconds} s of processor time, or the machine has no memory")
    if log.complains("Cannot allocate memory"):  # ffmpeg would go on with the next picture
        raise FfmpegStopped(f"decoding it takes more than {memory_limit_bytes / 1e6:.0f} MB of memory")
    return Finished(exit_code, gathered, log)


def speaker(line: str) -> str:
    """Which part of ffmpeg says this: h264 for `[h264 @ 0x55] [error] no frame!`."""
    who = re.match(r"\[([^\[\] ]+)", line)
    return who[1] if who else ""


def _start(argv: Sequence[str], pass_fds: Sequence[int]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        pass_fds=pass_fds,
        start_new_session=True,  # a process group of its own, to be killed as one
    )


def _bound(process: subprocess.Popen[bytes], cpu_seconds: int, memory_bytes: int) -> None:
    """Bound a process that has just been started; the system ends it without asking when its processor time is over."""
    if sys.platform == "linux":
        import resource

        for what, most in ((resource.RLIMIT_CPU, cpu_seconds), (resource.RLIMIT_AS, memory_bytes)):
            with contextlib.suppress(OSError):  # it ended already
                _, hard = resource.prlimit(process.pid, what)
                bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
                resource.prlimit(process.pid, what, (bound, bound))


@contextlib.contextmanager
def _running(process: subprocess.Popen[bytes], threads: Sequence[threading.Thread]) -> Iterator[None]:
    """Read all that the process writes while the block runs; nothing of it is left behind, however the block ends."""
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


def _read_log(pipe: IO[bytes], log: Log) -> None:
    with pipe:
        while line := pipe.readline(LINE_BYTES):
            log.add(line.decode("utf-8", "replace").rstrip("\r\n"))
