"""The ffmpeg program: where it is, whether it works, and one small runner for it.

The runner uses no shell and gives ffmpeg no standard input. It reads all outputs at the same time,
so that none blocks another, and hands them on block by block. It keeps a bounded part of the log,
bounds processor time and memory, and kills the whole process group when a limit is exceeded.
"""

import contextlib
import errno
import functools
import io
import math
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from l2l.errors import KILLED, MACHINE_ERRNOS, BadInput, KilledError, MachineError
from l2l.jobs.machine import clean_environment, describe_shortage
from l2l.media.ffmpeg_log import Log

LINE_BYTES = 4096
READ_BYTES = 1 << 18
GATHER_SECONDS = 0.002  # between two looks at the report
# Of address space. 8k pictures of 10 bits fit; those of a header that lies do not.
MEMORY_LIMIT_BYTES = 4 << 30
THREADS = 16  # one run with two outputs starts about twelve
VERSION_SECONDS = 60.0  # for an answer, also on a busy machine and a slow network disk

# Exit codes of a shell or a loader that could not run the program.
_NOT_RUN = (126, 127)
_EXIT_EAGAIN = 256 - errno.EAGAIN  # how ffmpeg itself ends when it cannot start a thread
# The variable that says where ffmpeg writes its report, and how much; 40 is verbose.
_REPORT = "FFREPORT"


class FfmpegStopped(Exception):
    """A run of ffmpeg was ended by one of its limits; the message says which, in plain words."""


@dataclass(frozen=True)
class Finished:
    """A run that ended by itself.

    Its exit code is no verdict: ffmpeg ends with 0 on files cut in half.
    """

    exit_code: int
    log: Log


@functools.cache
def ffmpeg_program() -> Path:
    """The ffmpeg on PATH, else the one of the package imageio-ffmpeg.

    Raises:
        BadInput: if there is neither.
    """
    if on_path := shutil.which("ffmpeg"):
        return Path(on_path)
    # The package runs its program once to see whether it works, in the environment of this process.
    os.environ.pop(_REPORT, None)
    try:
        import imageio_ffmpeg

        return Path(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError):
        raise BadInput(
            "no ffmpeg: put one on PATH, or `pip install imageio-ffmpeg`, which contains one"
        ) from None


def check_ffmpeg() -> str:
    """Run `ffmpeg -version` and return the version, such as 7.1.1.

    Call this before the first video is decoded: a program that does not work says nothing about
    videos.

    Raises:
        BadInput: one line that names the program, if it does not run or is no ffmpeg.
        MachineError: if the machine cannot start a process.
    """
    words = ask_ffmpeg("-version").split()
    if words[:2] != ["ffmpeg", "version"] or len(words) < 3:
        raise _unusable_program(ffmpeg_program(), "its answer to -version is not that of ffmpeg")
    return words[2]


def ask_ffmpeg(*arguments: str) -> str:
    """Run ffmpeg with arguments to which it answers on standard output.

    Raises:
        BadInput: one line that names the program, if it does not run or fails.
        MachineError: if the machine cannot start a process.
    """
    program = ffmpeg_program()
    try:
        ended = subprocess.run(
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=clean_environment(),
            timeout=VERSION_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _unusable_program(program, f"no answer within {VERSION_SECONDS:g} s") from None
    except OSError as error:
        raise _start_error(program, error) from None
    if ended.returncode in KILLED:
        raise KilledError(f"{program}")
    if ended.returncode:
        message = " ".join(ended.stderr.decode("utf-8", "replace").split())[:200]
        raise _unusable_program(program, f"{_describe_exit(ended.returncode)} {message}".strip())
    return ended.stdout.decode("utf-8", "replace")


def run_ffmpeg(
    arguments: Sequence[str],
    outputs: Mapping[str, Callable[[memoryview], object]],
    max_bytes: int,
    time_limit_seconds: float,
    cpu_limit_seconds: float | None = None,
    memory_limit_bytes: int = MEMORY_LIMIT_BYTES,
) -> Finished:
    """Run ffmpeg and hand on what it writes to pipes, block by block.

    Args:
        arguments: all but the program's name; a pipe is written as `pipe:NAME`.
        outputs: for each NAME the function that takes its bytes, in order. Each is called on a
            separate thread, with memory that is used again after the call: a new object for each
            block would leave holes in the heap.
        max_bytes: per output; a run that writes more is ended.
        time_limit_seconds: of wall time.
        cpu_limit_seconds: of processor time, all its threads together; None: as much as wall time.
        memory_limit_bytes: of its address space. This and processor time are bounded on Linux only.

    Raises:
        FfmpegStopped: if it needs more time, bytes or memory than its limits.
        KilledError: if something else ended it.
        MachineError: if the machine gives it less than these limits, and it failed for that.
    """
    cpu_seconds = math.ceil(time_limit_seconds if cpu_limit_seconds is None else cpu_limit_seconds)
    with _started(arguments, list(outputs)) as (process, pipes):
        _bound(process, cpu_seconds, memory_limit_bytes)
        log, overflow = Log(), threading.Event()
        failures: list[BaseException] = []

        def hand_on(read: int, take: Callable[[memoryview], object]) -> None:
            written, buffer = 0, bytearray(READ_BYTES)
            try:
                with open(read, "rb", buffering=0) as pipe:
                    while count := pipe.readinto(buffer):
                        written += count
                        if written > max_bytes:
                            overflow.set()
                            _kill(process)
                            return
                        take(memoryview(buffer)[:count])
            except BaseException as error:  # raised again in the caller's thread
                failures.append(error)
                _kill(process)

        report = io.BufferedReader(_Gathered(pipes.pop(_REPORT)), READ_BYTES)
        threads = [
            threading.Thread(target=hand_on, args=(read, outputs[name]))
            for name, read in pipes.items()
        ]
        threads.append(threading.Thread(target=_read_lines, args=(process.stderr, log.complain)))
        threads.append(threading.Thread(target=_read_lines, args=(report, log.report)))
        with _running(process, threads):
            try:
                spent_seconds = _wait(process, time_limit_seconds)
            except subprocess.TimeoutExpired:
                raise FfmpegStopped(f"not done within {time_limit_seconds:g} s") from None
    if failures:
        raise failures[0]
    if overflow.is_set():
        raise FfmpegStopped(f"it decodes to more than {max_bytes / 1e6:.0f} MB")
    # The system checks processor time only now and then.
    if process.returncode == -signal.SIGKILL and spent_seconds > cpu_seconds - 1:
        raise FfmpegStopped(f"it takes more than {cpu_seconds} s of processor time")
    if process.returncode in KILLED or log.received_signal:
        raise KilledError("ffmpeg")
    if process.returncode in _NOT_RUN:
        raise _unusable_program(ffmpeg_program(), _describe_exit(process.returncode))
    if log.machine_complaint or process.returncode < 0:
        _check_machine(log.machine_complaint, process.returncode, memory_limit_bytes)
    return Finished(process.returncode, log)


def _check_machine(complaint: str, exit_code: int, memory_limit_bytes: int) -> None:
    """Decide whose fault a complaint is that a starved process and a hostile file both cause.

    A picture of 60000 x 60000 pixels gives the same "Cannot allocate memory" as `ulimit -v`. So the
    machine is asked for as much memory and as many threads as the limits grant to ffmpeg. If it
    refuses, nothing is known about the file. If it grants them, the file needs more than its
    limit. Nothing in a file makes `pthread_create` fail, since the decoders use one thread each.

    Raises:
        MachineError: if the machine refused.
        FfmpegStopped: if the file needs more memory than the limit.
    """
    if shortage := describe_shortage(memory_limit_bytes, THREADS):
        raise MachineError("ffmpeg", shortage)
    if "pthread_create" in complaint or exit_code == _EXIT_EAGAIN:
        raise MachineError("ffmpeg", "it could not start a thread")
    if re.search("Too many open files|Stale file handle|Broken pipe", complaint):
        raise MachineError("ffmpeg", re.sub(r"^.*(Too many|Stale|Broken)", r"\1", complaint))
    if "Cannot allocate memory" in complaint:  # ffmpeg would go on with the next picture
        raise FfmpegStopped(
            f"decoding it takes more than {memory_limit_bytes / 1e6:.0f} MB of memory"
        )


def _describe_exit(code: int) -> str:
    if code == 127:
        return "exit 127: the program or one of its libraries is missing:"
    return f"ended by {signal.Signals(-code).name}" if code < 0 else f"exit {code}"


def refuse_silence(finished: Finished) -> None:
    """Refuse an ffmpeg that ends well and has reported nothing at all about its input.

    Raises:
        BadInput: one line that names the program.
    """
    log = finished.log
    if finished.exit_code == 0 and not (log.container or log.streams or log.complaints):
        raise _unusable_program(ffmpeg_program(), "it ends well and says nothing about its input")


def _unusable_program(program: Path, cause: str) -> BadInput:
    return BadInput(
        f"{program}: this ffmpeg does not work ({cause}); put a working ffmpeg first on PATH, or "
        "`pip install imageio-ffmpeg`; `l2l doctor` checks it"
    )


def _start_error(program: Path, error: OSError) -> BadInput:
    cause = error.strerror or str(error)
    if error.errno in MACHINE_ERRNOS:
        return MachineError(str(program), cause)
    return _unusable_program(program, cause)


@contextlib.contextmanager
def _started(
    arguments: Sequence[str], outputs: Sequence[str]
) -> Iterator[tuple[subprocess.Popen[bytes], dict[str, int]]]:
    """Start ffmpeg: the process, and by name the end of each pipe to read from."""
    program = ffmpeg_program()
    pipes: dict[str, tuple[int, int]] = {}
    try:
        for name in (*outputs, _REPORT):
            pipes[name] = os.pipe()
        descriptor = {f"pipe:{name}": f"pipe:{write}" for name, (_, write) in pipes.items()}
        process = subprocess.Popen(
            [program, "-nostdin", *(descriptor.get(each, each) for each in arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=[write for _, write in pipes.values()],
            env=clean_environment(**{_REPORT: f"file=/dev/fd/{pipes[_REPORT][1]}:level=40"}),
            start_new_session=True,  # a new process group, to be killed as one
        )
    except OSError as error:
        for read, _ in pipes.values():
            os.close(read)
        raise _start_error(program, error) from None
    finally:
        # The reader sees the end of a pipe only when no process can write to it.
        for _, write in pipes.values():
            os.close(write)
    yield process, {name: read for name, (read, _) in pipes.items()}


def _bound(process: subprocess.Popen[bytes], cpu_seconds: int, memory_bytes: int) -> None:
    """Bound a process that has just been started.

    The system ends it without warning when its processor time is over.
    """
    if sys.platform == "linux":
        import resource

        limits = ((resource.RLIMIT_CPU, cpu_seconds), (resource.RLIMIT_AS, memory_bytes))
        for kind, limit in limits:
            with contextlib.suppress(OSError):  # it has ended already
                _, hard = resource.prlimit(process.pid, kind)
                bound = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
                resource.prlimit(process.pid, kind, (bound, bound))


def _wait(process: subprocess.Popen[bytes], seconds: float) -> float:
    """Wait until a process has ended.

    Returns:
        The processor time that it took; 0 where the system does not report it.

    Raises:
        subprocess.TimeoutExpired: if it takes longer than `seconds`.
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

    No process and no thread is left, however the block ends.
    """
    running = []
    try:
        for thread in threads:
            thread.start()
            running.append(thread)
        yield
    except RuntimeError as error:
        if len(running) == len(threads):
            raise
        raise MachineError("ffmpeg", str(error)) from None  # "can't start new thread"
    finally:
        _kill(process)
        process.wait()
        for thread in running:
            thread.join()


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


class _Gathered(io.FileIO):
    """A pipe that is read every now and then: a report comes line by line, and waking up for each
    takes longer than reading it.
    """

    def readinto(self, buffer: Any, /) -> int | None:
        """What has come after a short while."""
        time.sleep(GATHER_SECONDS)
        return super().readinto(buffer)


def _read_lines(pipe: IO[bytes], take: Callable[[str], None]) -> None:
    with pipe:
        while line := pipe.readline(LINE_BYTES):
            take(line.decode("utf-8", "replace").rstrip("\r\n"))
