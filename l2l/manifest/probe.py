"""What a file declares of itself, read without decoding, in a child process: a demuxer that hangs
or crashes costs one file.

`l2l.manifest.probe` is the child: paths come in, facts go out, both as one line of JSON
for a file.
"""

import contextlib
import dataclasses
import hashlib
import json
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

from l2l.errors import KILLED, BadInput, KilledError
from l2l.manifest.artifact import CONTAINERS

CHILD = (sys.executable, "-m", "l2l.manifest.probe")
TIME_LIMIT_SECONDS = 60.0  # for one file
MEMORY_LIMIT_BYTES = 4 << 30  # of the child
MICROSECONDS = 1_000_000
MATROSKA = "matroska,webm"
TIMED_AS_A_WHOLE = (
    MATROSKA,
    "flv",
    "asf",
)  # declare one duration, which may be that of sound that outlasts the pictures
CUT_SHORT_SECONDS = 0.5
LATE_SECONDS = 0.1  # after which a late start is remarked
HDR = {16: "PQ", 18: "HLG"}  # transfer curves, by ffmpeg's numbers
HASHED_BYTES = 1 << 16  # of the head and of the tail


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


NO_SUCH_FILE = ProbeResult("missing", "no such file")


def probe_files(
    paths: Iterable[Path], time_limit_seconds: float = TIME_LIMIT_SECONDS
) -> Iterator[ProbeResult]:
    """The facts of each file, in the order given. A file that cannot be read gives its status and
    reason, never an exception.

    Raises:
        KilledError: if the process that opens the files was ended from outside.
        BadInput: if it does not start.
    """
    with _Child() as child:
        for path in paths:
            if os.path.lexists(path):
                yield child.ask(path, time_limit_seconds)
            else:  # answered without starting a process
                yield NO_SUCH_FILE


class _Child:
    """One process that probes file after file; it is started anew after it hung or crashed."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "_Child":
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def ask(self, path: Path, time_limit_seconds: float) -> ProbeResult:
        if self._process is None:
            self._process = self._start()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # it died: no answer will come
            self._process.stdin.write(json.dumps(str(path)).encode() + b"\n")
            self._process.stdin.flush()
        ready, _, _ = select.select([self._process.stdout], [], [], time_limit_seconds)
        if not ready:
            self._end()
            return ProbeResult("refused", f"it cannot be opened within {time_limit_seconds:g} s")
        if answer := self._process.stdout.readline():
            return ProbeResult(**json.loads(answer))
        ended = self._end()
        if ended in KILLED:
            raise KilledError(f"{path}: the process that opens it")
        return ProbeResult(
            "refused",
            "opening it ends the demuxer "
            f"({signal.Signals(-ended).name if ended < 0 else f'exit {ended}'})",
        )

    def _start(self) -> subprocess.Popen[bytes]:
        where = os.pathsep.join(
            part or str(Path.cwd()) for part in sys.path
        )  # it has to find what this process found
        process = subprocess.Popen(
            CHILD,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": where},
            start_new_session=True,
        )
        assert process.stdout is not None
        if (
            not process.stdout.readline()
        ):  # said once it is ready: how long that takes on a busy machine is no file's fault
            raise BadInput(
                "the process that opens videos does not start: `l2l doctor` says what is amiss"
            )
        return process

    def _end(self) -> int:
        """Kill the child; its exit code, which is its own where it had ended before."""
        if self._process is None:
            return 0
        process, self._process = self._process, None
        with process:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.2)
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            return process.wait()


class CutShortError(Exception):
    """A file ends before it says it does."""


def probe_file(path: Path) -> ProbeResult:
    """The facts of one file, read in this process.

    The pictures are the largest stream of video that is no attached picture (the first of equals),
    the sound the first of audio.
    """
    try:
        fingerprint, head = fingerprint_of(path)
    except FileNotFoundError:
        return ProbeResult(
            "missing", "a link to a file that is not there" if path.is_symlink() else "no such file"
        )
    except OSError as error:
        return ProbeResult("refused", f"it cannot be read: {error.strerror or error}")
    except ValueError as error:
        return ProbeResult("refused", str(error))
    if not head:
        return ProbeResult("corrupt", "the file is empty", fingerprint=fingerprint)
    return dataclasses.replace(_open(path, head), fingerprint=fingerprint)


def fingerprint_of(path: Path) -> tuple[str, bytes]:
    """Size and hash of head and tail, so that a file that was replaced is noticed; and the head.

    Raises:
        OSError: if it cannot be read.
        ValueError: if it is no regular file.
    """
    if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe would wait for a writer
        raise ValueError("not a regular file")
    with open(path, "rb") as file:
        head = file.read(HASHED_BYTES)
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - HASHED_BYTES))
        digest = hashlib.blake2b(head + file.read(HASHED_BYTES), digest_size=8)
    return f"{size}-{digest.hexdigest()}", head


def _open(path: Path, head: bytes) -> ProbeResult:
    import av  # only the child needs it

    av.logging.set_level(av.logging.ERROR)  # so that an error carries what the demuxer said
    options = {"format_whitelist": CONTAINERS, "protocol_whitelist": "file"}
    try:
        with av.open(f"file:{os.path.abspath(path)}", options=options) as container:
            return _declared(container)
    except CutShortError as error:
        return ProbeResult("truncated", str(error))
    except av.error.InvalidDataError as error:
        if "moov atom not found" in _complaint(error) and head[4:8] == b"ftyp":
            return ProbeResult("truncated", "it ends before its index (moov atom not found)")
        return ProbeResult("corrupt", f"no video that can be opened: {_complaint(error)}")
    except (av.error.ArgumentError, ValueError):
        return ProbeResult("refused", "its container is not one that is opened")
    except (av.error.FFmpegError, OSError, MemoryError) as error:
        return ProbeResult("corrupt", f"it cannot be opened: {_complaint(error)}")


def _complaint(error: BaseException) -> str:
    log = getattr(error, "log", None)  # level, who, what
    return " ".join(str(log[2] if log else getattr(error, "strerror", None) or error).split())


def _declared(container: Any) -> ProbeResult:
    import av

    attached = av.stream.Disposition.attached_pic
    pictures = [
        s
        for s in container.streams.video
        if not s.disposition & attached and s.codec_context and s.codec_context.width
    ]
    sounds = [s for s in container.streams.audio if s.codec_context]
    facts = ProbeResult()
    if sounds:
        audio = (
            f"{sounds[0].codec_context.sample_rate} Hz, {sounds[0].codec_context.channels} channels"
        )
        facts = ProbeResult(audio=audio, audio_stream=sounds[0].index)
    if not pictures:
        return dataclasses.replace(
            facts, status="refused", reason="no video stream that can be decoded"
        )
    stream = max(pictures, key=lambda s: s.codec_context.width * s.codec_context.height)
    begin = _begin_seconds(stream, container)
    remarks = (
        [f"its pictures start at {begin:.1f} s; the first is shown until then"]
        if begin > LATE_SECONDS
        else []
    )
    if curve := HDR.get(stream.codec_context.color_trc):
        remarks.append(
            f"its pictures are HDR ({curve}); they are shown as stored, without tone mapping"
        )
    return dataclasses.replace(
        facts,
        reason="; ".join(remarks),
        video_stream=stream.index,
        width=stream.codec_context.width,
        height=stream.codec_context.height,
        frame_rate=float(stream.average_rate or stream.guessed_rate or 0),
        duration_seconds=round(_end_seconds(stream, container, begin), 6),
    )


def _begin_seconds(stream: Any, container: Any) -> float:
    """Where a stream starts, from the start of whichever starts first: the video's time zero."""
    if stream.start_time is None:
        return 0.0
    return float(stream.start_time * stream.time_base) - (container.start_time or 0) / MICROSECONDS


def _end_seconds(stream: Any, container: Any, begin: float) -> float:
    """Where the pictures end, from the video's time zero; 0 where nothing is declared.

    Raises:
        CutShortError: if only an end of all streams together is declared, and no packet of any
            reaches it.
    """
    kind = container.format.name
    if (
        kind == "mpeg"
    ):  # declares nothing; what is estimated ends with the last time stamp, pictures too early
        return 0.0
    # where time begins late, some writers count the duration from there, others from zero
    late = kind == MATROSKA and abs(container.start_time or 0) > LATE_SECONDS * MICROSECONDS
    if (
        kind == MATROSKA
        and not late
        and (tagged := _tagged_seconds(stream.metadata.get("DURATION", "")))
    ):
        return tagged
    if kind in TIMED_AS_A_WHOLE and container.duration and (late or len(container.streams) > 1):
        return _last_packet_seconds(stream, container)
    if stream.duration:
        return begin + float(stream.duration * stream.time_base)
    return (container.duration or 0) / MICROSECONDS


def _tagged_seconds(tag: str) -> float:
    """The seconds of such as 00:00:10.381000000, which is what Matroska's own tag holds.

    0 for anything else.
    """
    parts = re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d+)?)", tag)
    hours, minutes, seconds = (float(part) for part in parts.groups()) if parts else (0.0, 0.0, 0.0)
    return 3600 * hours + 60 * minutes + seconds


def _last_packet_seconds(stream: Any, container: Any) -> float:
    start = (container.start_time or 0) / MICROSECONDS
    ends = {each.index: 0.0 for each in container.streams}
    for packet in container.demux():
        if packet.pts is not None and packet.time_base is not None:
            end = float((packet.pts + (packet.duration or 0)) * packet.time_base) - start
            ends[packet.stream.index] = max(ends[packet.stream.index], end)
    lasts = [float(each.duration * each.time_base) for each in container.streams if each.duration]
    # ASF gives each stream the duration of the whole; that of the container is then too long by a
    # late start
    declared = max(lasts, default=container.duration / MICROSECONDS)
    if (
        container.format.name != "flv" and 0 < start < declared
    ):  # which alone counts from where it starts
        declared -= start
    if max(ends.values()) < declared - CUT_SHORT_SECONDS:
        raise CutShortError(
            f"its packets end at {max(ends.values()):.1f} s of {declared:.1f} s declared"
        )
    return ends[stream.index]


def _serve() -> None:
    """The child: answer each line until there are no more."""
    import resource

    import av  # noqa: F401 - what takes long, before the first file

    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT_BYTES, MEMORY_LIMIT_BYTES))
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever else prints must not be taken for an answer
    answers.write("ready\n")
    answers.flush()
    for line in sys.stdin:
        facts = probe_file(Path(json.loads(line)))
        answers.write(json.dumps(dataclasses.asdict(facts)) + "\n")
        answers.flush()


if __name__ == "__main__":
    _serve()
