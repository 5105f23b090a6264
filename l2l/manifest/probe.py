"""What a file declares about itself, read without decoding. A child process reads it, so that a
file on which the demuxer hangs or crashes costs nothing but itself.

The child takes one path per line and answers each with one line of JSON. It has a clean environment
and module path: see `l2l.jobs.children`.
"""

import contextlib
import dataclasses
import errno
import hashlib
import json
import math
import os
import re
import select
import signal
import stat
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from l2l.errors import KILLED, MACHINE_ERRNOS, BadInput, KilledError, MachineError
from l2l.jobs.children import IdleChildren, child_argv, limit_memory, module_folders
from l2l.jobs.machine import clean_environment, describe_shortage
from l2l.manifest.artifact import CONTAINERS
from l2l.manifest.contents import describe_contents, missing_bytes
from l2l.manifest.source import Source

CHILD = child_argv("l2l.manifest.probe")
TIME_LIMIT_SECONDS = 60.0  # per file
WAITING_SHARE = 0.1  # of it: a child that uses less processor time waits for something
END_SECONDS = 5.0  # for a killed child to end
MEMORY_LIMIT_BYTES = 4 << 30  # of the child
NEEDED_BYTES = 128 << 20  # that opening any file may take, and the threads it starts
NEEDED_THREADS = 4
MICROSECONDS = 1_000_000
MATROSKA = "matroska,webm"
MOV = "mov,mp4,m4a,3gp,3g2,mj2"
# These declare one duration, which may be that of sound that outlasts the pictures.
TIMED_AS_A_WHOLE = (MATROSKA, "flv", "asf")
NUT_INDEX = bytes.fromhex("4e58dd672f23e64e")  # how its index starts
NUT_INDEX_TAIL_BYTES = 12  # how it ends: its own length, and a checksum
CUT_SHORT_SECONDS = 0.5
LATE_SECONDS = 0.1  # a later start is remarked
HDR = {16: "PQ", 18: "HLG"}  # transfer curves, by ffmpeg's numbers
# Of the fingerprint: blocks, and between them pages, so that no hole of a download is overlooked.
BLOCK_BYTES = 1 << 18
BLOCKS = 16
PAGE_BYTES = 1 << 12
PAGE_DISTANCE_BYTES = 1 << 20
MAX_PAGES = 1 << 10


@dataclasses.dataclass(frozen=True)
class ProbeResult:
    """What is declared of one file; the fields are those of `l2l.manifest.artifact.Video`."""

    status: str = "ok"
    reason: str = ""
    duration_seconds: float = 0.0
    frame_rate: float = 0.0
    width: int = 0
    height: int = 0
    audio: str = "none"
    video_stream: int = -1
    audio_stream: int = -1
    fingerprint: str = ""

    def source(self, path: Path) -> Source:
        """What the decoder has to know about the file that was probed."""
        return Source(
            path,
            self.video_stream,
            self.audio_stream,
            self.audio,
            self.duration_seconds,
            self.fingerprint,
        )


NO_SUCH_FILE = ProbeResult("missing", "no such file")


def probe_files(
    paths: Iterable[Path], time_limit_seconds: float = TIME_LIMIT_SECONDS, keep: bool = False
) -> Iterator[ProbeResult]:
    """What each file declares, in the order given. A file that cannot be read has a status and a
    reason.

    Args:
        paths: the files.
        time_limit_seconds: per file.
        keep: whether the child waits for the next call: it takes 0.2 s of CPU time to start.

    Raises:
        MachineError: if the machine has no memory or no process left, or ended the child.
        BadInput: if the child does not start.
    """
    child = _idle.take() if keep else _Child()
    try:
        for path in paths:
            if _is_absent(path):  # answered without starting a process
                yield NO_SUCH_FILE
            else:
                # a child that was kept may have another working directory
                yield child.probe(path.absolute(), time_limit_seconds)
    finally:
        if keep:
            _idle.give_back(child)
        else:
            child.end()


def _is_absent(path: Path) -> bool:
    try:
        path.lstat()
    except FileNotFoundError:
        return True
    except OSError:  # the child finds the reason
        return False
    return False


class _Child:
    """One process that probes file after file; it is started again after it hung or crashed."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self.owner = os.getpid()

    def probe(self, path: Path, time_limit_seconds: float) -> ProbeResult:
        try:
            return self._probe(path, time_limit_seconds)
        except BaseException:  # its answer may still come
            self.end()
            raise

    def _probe(self, path: Path, time_limit_seconds: float) -> ProbeResult:
        if self._process is None:
            self._process = self._start()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        begin_cpu_seconds = _cpu_seconds(self._process.pid)
        with contextlib.suppress(BrokenPipeError):  # the child has ended: no answer will come
            self._process.stdin.write(os.fsencode(path).hex().encode() + b"\n")
            self._process.stdin.flush()
        ready, _, _ = select.select([self._process.stdout], [], [], time_limit_seconds)
        if not ready:
            cpu_seconds = _cpu_seconds(self._process.pid) - begin_cpu_seconds
            self.end()
            if cpu_seconds < WAITING_SHARE * time_limit_seconds:  # it waits for the disk
                cause = f"no answer from the disk or the network within {time_limit_seconds:g} s"
                raise MachineError(f"{path}: the process that opens it", cause)
            return ProbeResult("refused", f"it cannot be opened within {time_limit_seconds:g} s")
        if line := self._process.stdout.readline():
            answer = json.loads(line)
            if cause := answer.pop("machine_error", ""):
                raise MachineError(f"{path}: the process that opens it", cause)
            return ProbeResult(**answer)
        exit_code = self.end()
        if exit_code in KILLED:
            raise KilledError(f"{path}: the process that opens it")
        end = signal.Signals(-exit_code).name if exit_code < 0 else f"exit {exit_code}"
        return ProbeResult("refused", f"the demuxer crashes when it opens the file ({end})")

    def _start(self) -> subprocess.Popen[bytes]:
        try:
            process = subprocess.Popen(
                [*CHILD, *module_folders()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=clean_environment(),
                start_new_session=True,
            )
        except OSError as error:
            cause = error.strerror or str(error)
            raise MachineError("the process that opens videos", cause) from None
        assert process.stdout is not None
        # It answers once it is ready: the time that takes on a busy machine is not a file's.
        if not process.stdout.readline():
            raise BadInput(
                "the process that opens videos does not start; `l2l doctor` names what is broken"
            )
        return process

    def end(self) -> int:
        """Kill the child; its exit code, which is its own if it had ended before."""
        if self._process is None:
            return 0
        process, self._process = self._process, None
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            with contextlib.suppress(OSError):  # what is left to write to a child that has ended
                pipe.close()
        for wait_seconds in (0.2, END_SECONDS):
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.wait(wait_seconds)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        return -signal.SIGKILL  # it hangs in the kernel, on a disk that does not answer


_idle = IdleChildren(_Child)


def _cpu_seconds(pid: int) -> float:
    """The processor time of a process so far; infinite where the system has no /proc."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2].split()
    except OSError:
        return math.inf
    user, system = int(fields[11]), int(fields[12])
    return (user + system) / os.sysconf("SC_CLK_TCK")


class CutShortError(Exception):
    """A file ends before it says it does."""


def probe_file(path: Path) -> ProbeResult:
    """What one file declares, read in this process.

    The pictures are those of the largest video stream that is no attached picture (the first of
    equals), the sound that of the first audio stream marked as default, else of the first. A track
    that a QuickTime or MP4 header disables is used only where there is no other.

    Raises:
        MachineError: if the machine, and not the file, is the reason that it cannot be read.
    """
    try:
        fingerprint, head = fingerprint_of(path)
        size = path.stat().st_size
    except FileNotFoundError:
        if path.is_symlink():
            return ProbeResult("missing", "a link to a file that does not exist")
        return NO_SUCH_FILE
    except OSError as error:
        _check_machine(path, error)
        return ProbeResult("refused", f"it cannot be read: {error.strerror or error}")
    except ValueError as error:
        return ProbeResult("refused", str(error))
    if not head:
        return ProbeResult("corrupt", "the file is empty", fingerprint=fingerprint)
    if missing := missing_bytes(head, size):
        reason = f"it has {size:,} bytes, and its header declares {size + missing:,}"
        return ProbeResult("truncated", reason, fingerprint=fingerprint)
    result = _open(path, head)
    if result.status != "ok" and (shortage := describe_shortage(NEEDED_BYTES, NEEDED_THREADS)):
        raise MachineError(f"{path}: opening it", shortage)
    return dataclasses.replace(result, fingerprint=fingerprint)


def fingerprint_of(path: Path) -> tuple[str, bytes]:
    """The size of a file with a hash of its contents, by which a replaced file is noticed; and its
    first block.

    A file of up to 4 MiB is hashed whole. Of a larger one 16 evenly spaced blocks of 256 KiB are
    hashed, the first and the last among them, and 4 KiB of each MiB (of each 1024th part, above
    1 GiB): a replaced part of that length is noticed anywhere.

    Raises:
        OSError: if it cannot be read.
        ValueError: if it is no regular file.
    """
    if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe would wait for a writer
        raise ValueError("not a regular file")
    digest = hashlib.blake2b(digest_size=8)
    with open(path, "rb", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        head = b""
        for start, length in hashed_parts(size):
            file.seek(start)
            part = file.read(length)
            head = head or part
            digest.update(part)
    return f"{size}-{digest.hexdigest()}", head


def hashed_parts(size: int) -> list[tuple[int, int]]:
    """Start and length in bytes of the parts of a file that its fingerprint is made of."""
    if size <= BLOCKS * BLOCK_BYTES:
        return [(start, BLOCK_BYTES) for start in range(0, size, BLOCK_BYTES)]
    last_start = size - BLOCK_BYTES
    blocks = [(last_start * block // (BLOCKS - 1), BLOCK_BYTES) for block in range(BLOCKS)]
    distance = max(PAGE_DISTANCE_BYTES, -(-size // MAX_PAGES))
    # the first block is the head of the file
    return [*blocks, *((start, PAGE_BYTES) for start in range(distance, size, distance))]


def _check_machine(path: Path, error: BaseException) -> None:
    """Raise MachineError where an error says something about the machine, not about the file.

    A file that takes more memory than we allow it is to blame itself.
    """
    import resource

    number = getattr(error, "errno", None) or 0
    if isinstance(error, MemoryError) or number == errno.ENOMEM:
        soft, _ = resource.getrlimit(resource.RLIMIT_AS)
        if soft == MEMORY_LIMIT_BYTES:
            return
        number = errno.ENOMEM
    if number in MACHINE_ERRNOS:
        raise MachineError(f"{path}: opening it", os.strerror(number)) from None


def _open(path: Path, head: bytes) -> ProbeResult:
    import av  # only the child needs it

    av.logging.set_level(av.logging.ERROR)  # so that an error carries what the demuxer wrote
    options = {"format_whitelist": CONTAINERS, "protocol_whitelist": "file"}
    name = f"file:{os.path.abspath(path)}"
    try:
        # titles may be in any encoding: those of a quarter of HMDB-51's files are no UTF-8
        with av.open(name, options=options, metadata_errors="replace") as container:
            return _declared(container)
    except CutShortError as error:
        return ProbeResult("truncated", str(error))
    except av.error.InvalidDataError as error:
        if "moov atom not found" in _complaint(error) and head[4:8] == b"ftyp":
            return ProbeResult("truncated", "it ends before its index (moov atom not found)")
        return ProbeResult("corrupt", _unopened(head, _complaint(error)))
    except (av.error.ArgumentError, ValueError):
        return ProbeResult("refused", _unopened(head, "its container is not one that is opened"))
    except (av.error.FFmpegError, OSError, MemoryError) as error:
        _check_machine(path, error)
        return ProbeResult("corrupt", _unopened(head, _complaint(error)))


def _unopened(head: bytes, complaint: str) -> str:
    """Why a file cannot be opened: by what it holds instead of a video, where that is known."""
    if contents := describe_contents(head):
        return f"not a video: its contents look like {contents}"
    return f"no video that can be opened: {complaint}"


def _complaint(error: BaseException) -> str:
    log = getattr(error, "log", None)  # level, who, what
    return " ".join(str(log[2] if log else getattr(error, "strerror", None) or error).split())


def _declared(container: Any) -> ProbeResult:
    result = ProbeResult()
    if sound := _audio_stream(container):
        codec = sound.codec_context
        audio = f"{codec.sample_rate} Hz, {codec.channels} channels"
        result = ProbeResult(audio=audio, audio_stream=sound.index)
    stream = _video_stream(container)
    if stream is None:
        reason = "no video stream that can be decoded"
        return dataclasses.replace(result, status="refused", reason=reason)
    begin = _begin_seconds(stream, container)
    remarks = []
    if begin > LATE_SECONDS:
        remarks.append(f"its pictures start at {begin:.1f} s; the first is shown until then")
    if curve := HDR.get(stream.codec_context.color_trc):
        remarks.append(
            f"its pictures are HDR ({curve}); they are shown as stored, without tone mapping"
        )
    return dataclasses.replace(
        result,
        reason="; ".join(remarks),
        video_stream=stream.index,
        width=stream.codec_context.width,
        height=stream.codec_context.height,
        frame_rate=float(stream.average_rate or stream.guessed_rate or 0),
        duration_seconds=round(_end_seconds(stream, container, begin), 6),
    )


def _video_stream(container: Any) -> Any:
    """The stream of pictures: see `probe_file`. None where there is none."""
    import av

    attached, default = av.stream.Disposition.attached_pic, av.stream.Disposition.default
    streams = [
        stream
        for stream in container.streams.video
        if not stream.disposition & attached and stream.codec_context and stream.codec_context.width
    ]
    if container.format.name == MOV:  # here "default" stands for a track that is enabled
        streams = [each for each in streams if each.disposition & default] or streams
    sizes = [each.codec_context.width * each.codec_context.height for each in streams]
    return streams[sizes.index(max(sizes))] if streams else None


def _audio_stream(container: Any) -> Any:
    """The stream of sound: see `probe_file`. None where there is none."""
    import av

    streams = [stream for stream in container.streams.audio if stream.codec_context]
    marked = [each for each in streams if each.disposition & av.stream.Disposition.default]
    return next(iter(marked or streams), None)


def _begin_seconds(stream: Any, container: Any) -> float:
    """The start of a stream in seconds from the video's time zero: where its first one starts."""
    if stream.start_time is None:
        return 0.0
    return float(stream.start_time * stream.time_base) - (container.start_time or 0) / MICROSECONDS


def _end_seconds(stream: Any, container: Any, begin: float) -> float:
    """When the pictures end, in seconds from the video's time zero; 0 if nothing is declared.

    Raises:
        CutShortError: if only the end of all streams together is declared, and no packet of any
            stream reaches it.
    """
    kind = container.format.name
    # A program stream declares nothing, nor does NUT without its index, and what the demuxer
    # estimates ends too early.
    if kind == "mpeg" or (kind == "nut" and not _ends_with_nut_index(container.name)):
        return 0.0
    # If time begins late, some writers count the duration from there, others from zero.
    late = kind == MATROSKA and abs(container.start_time or 0) > LATE_SECONDS * MICROSECONDS
    if kind == MATROSKA and not late:
        tagged_seconds = _tagged_seconds(stream.metadata.get("DURATION", ""))
        if tagged_seconds:
            return tagged_seconds
    if kind in TIMED_AS_A_WHOLE and container.duration and (late or len(container.streams) > 1):
        return _last_packet_seconds(stream, container)
    if stream.duration:
        return begin + float(stream.duration * stream.time_base)
    return (container.duration or 0) / MICROSECONDS


def _ends_with_nut_index(name: str) -> bool:
    """Whether a NUT file ends with its index, which declares the duration.

    The index ends with its own length in 8 bytes and a checksum in 4 (index_ptr in NUT's
    specification).
    """
    with open(name.removeprefix("file:"), "rb") as file:
        size = file.seek(0, os.SEEK_END)
        if size < NUT_INDEX_TAIL_BYTES:
            return False
        file.seek(size - NUT_INDEX_TAIL_BYTES)
        length = int.from_bytes(file.read(8), "big")
        if not NUT_INDEX_TAIL_BYTES < length <= size:
            return False
        file.seek(size - length)
        return file.read(len(NUT_INDEX)) == NUT_INDEX


def _tagged_seconds(tag: str) -> float:
    """The seconds of a tag of Matroska, such as 00:00:10.381000000; 0 for any other text."""
    parts = re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d+)?)", tag)
    if parts is None:
        return 0.0
    hours, minutes, seconds = map(float, parts.groups())
    return 3600 * hours + 60 * minutes + seconds


def _last_packet_seconds(stream: Any, container: Any) -> float:
    """When the last packet of the pictures ends; all packets are read.

    Raises:
        CutShortError: if no packet of any stream reaches the declared end.
    """
    start = (container.start_time or 0) / MICROSECONDS
    ends = {each.index: 0.0 for each in container.streams}
    for packet in container.demux():
        if packet.pts is not None and packet.time_base is not None:
            end = float((packet.pts + (packet.duration or 0)) * packet.time_base) - start
            ends[packet.stream.index] = max(ends[packet.stream.index], end)
    # ASF gives each stream the duration of the whole file; that of the container is then too long
    # by a late start.
    durations = [
        float(each.duration * each.time_base) for each in container.streams if each.duration
    ]
    declared = max(durations, default=container.duration / MICROSECONDS)
    # Of these formats FLV alone counts the duration from the start of its time.
    if container.format.name != "flv" and 0 < start < declared:
        declared -= start
    if max(ends.values()) < declared - CUT_SHORT_SECONDS:
        raise CutShortError(
            f"its packets end at {max(ends.values()):.1f} s of {declared:.1f} s declared"
        )
    return ends[stream.index]


def serve() -> None:
    """The child: answer each line until there are no more."""
    import av  # noqa: F401 - takes long, and is not part of any file's time

    limit_memory(MEMORY_LIMIT_BYTES)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what anything else prints must not be taken for an answer
    answers.write("ready\n")
    answers.flush()
    for line in sys.stdin:
        try:
            path = Path(os.fsdecode(bytes.fromhex(line.strip())))
            answer = dataclasses.asdict(probe_file(path))
        except MachineError as error:
            answer = {"machine_error": error.cause}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
