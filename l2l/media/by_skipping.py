"""Decode only the pictures that are asked for; see `l2l.media.exact_skip` for which these are.

A child process opens the file and decodes with PyAV, in a clean environment and within limits of
memory and time. It goes on to the next video, so it starts only once. Sound, and all that is said
of it, comes from the ffmpeg program: resamplers and demuxers of two versions differ in the last
samples of a file, scalers with `bitexact` do not.
"""

import contextlib
import fcntl
import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import IO, Any

import numpy as np

from l2l.errors import KILLED, BadInput, KilledError, MachineError
from l2l.jobs.children import IdleChildren, child_argv, module_folders
from l2l.jobs.machine import clean_environment
from l2l.manifest.artifact import USABLE
from l2l.media.by_ffmpeg import (
    MAX_BYTES,
    Plan,
    conclude,
    run,
    scaling,
    unusable,
    with_audible_stream,
)
from l2l.media.decoded import Decoded
from l2l.media.ffmpeg import FfmpegStopped, Finished
from l2l.media.ffmpeg_log import Log
from l2l.media.packets import UnsafeError
from l2l.media.pictures import EncodedPictures, encode
from l2l.media.sound import PlacedSound
from l2l.moments import MOMENT_FRAMES, moment_count

Moments = slice | Sequence[int] | Callable[[int], Sequence[int]]
"""Some moments of a video: a slice of all, their numbers, or their numbers by how many it has."""
CHILD = child_argv("l2l.media.skip_child")
READ_BYTES = 1 << 20
PIPE_BYTES = 1 << 20
LINE_BYTES = 1 << 24  # the places of one picture in a video that stands still
END_SECONDS = 5.0  # for a killed child to end


def widen(pipe: IO[bytes] | None) -> None:
    """Let a pipe hold many pictures, where the system can do that: with the usual 64 KiB, one and
    a half, both processes are woken up for each.
    """
    if pipe is not None and hasattr(fcntl, "F_SETPIPE_SZ"):
        with contextlib.suppress(OSError):  # this user's pipes hold as much as they may
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)


class _OutOfTime(Exception):
    pass


class _Answered(UnsafeError):
    """What the child says of a file; it is ready for the next one."""


class _Child:
    """The process that decodes; it answers one request at a time."""

    def __init__(self) -> None:
        try:
            self._process = subprocess.Popen(
                [*CHILD, *module_folders()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                env=clean_environment(),
                start_new_session=True,
            )
        except OSError as error:
            cause = error.strerror or str(error)
            raise MachineError("the process that decodes pictures", cause) from None
        widen(self._process.stdout)
        self._pending = bytearray()
        self._deadline = float("inf")
        self.owner = os.getpid()
        try:
            ready = self.read_line()
        except UnsafeError:
            ready = {}
        if "ready" not in ready:
            self.end()
            raise BadInput(
                "the process that decodes pictures does not start; `l2l doctor` names what is "
                "broken"
            )

    def ask(self, request: dict[str, Any], deadline: float) -> None:
        """Send a request; its answer is read until the deadline."""
        assert self._process.stdin is not None
        self._deadline = deadline
        with contextlib.suppress(BrokenPipeError):  # it has ended: no answer will come
            self._process.stdin.write(json.dumps(request).encode() + b"\n")

    def read_line(self) -> dict[str, Any]:
        """The next line of its answer.

        Raises:
            UnsafeError: if it says so (`_Answered`), or crashed.
            KilledError: if it was ended from outside.
        """
        while (end := self._pending.find(b"\n")) < 0:
            if len(self._pending) > LINE_BYTES:
                raise UnsafeError("an answer of the decoder that is too long")
            self._read()
        line = json.loads(self._pending[:end])
        del self._pending[: end + 1]
        if "unsafe" in line:
            raise _Answered(line["unsafe"])
        return line

    def read_bytes(self, count: int) -> bytes:
        """The next bytes of its answer."""
        while len(self._pending) < count:
            self._read()
        taken = bytes(self._pending[:count])
        del self._pending[:count]
        return taken

    def _read(self) -> None:
        assert self._process.stdout is not None
        seconds = self._deadline - time.monotonic()
        ready, _, _ = select.select([self._process.stdout], [], [], max(0, min(seconds, 1e6)))
        if not ready:
            raise _OutOfTime
        block = os.read(self._process.stdout.fileno(), READ_BYTES)
        self._pending += block
        if not block:
            code = self._process.wait(END_SECONDS)
            if code in KILLED:
                raise KilledError("the process that decodes pictures")
            end = signal.Signals(-code).name if code < 0 else f"exit {code}"
            raise UnsafeError(f"the decoder crashed ({end})")

    def end(self) -> None:
        """Kill the process."""
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        if self.owner == os.getpid():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(END_SECONDS)


_idle = IdleChildren(_Child)


@contextlib.contextmanager
def _child() -> Iterator[_Child]:
    """A child that no other thread uses; it is kept for the next video unless something failed. A
    file that it does not decode is no failure: of UCF-101 that is every one.
    """
    child = _idle.take()
    try:
        yield child
    except _Answered:
        _idle.give_back(child)
        raise
    except BaseException:
        child.end()
        raise
    _idle.give_back(child)


def decode_chosen(plan: Plan, moments: Moments | None) -> Decoded:
    """Decode the pictures of some moments, or all that are `plan.step` ticks apart, and the sound.

    Args:
        plan: the file and the form of the pictures.
        moments: whose frames; None: all pictures.

    Raises:
        UnsafeError: if skipping is not safe for this file, or the status could be other than that
            of a whole decode; the message says why.
        KilledError: if a decoder was ended from outside.
        MachineError: if the machine did not give a decoder what it needs.
    """
    deadline = time.monotonic() + plan.media.time_limit_seconds
    try:
        with _child() as child:
            child.ask({"scan": _file(plan)}, deadline)
            facts = child.read_line()
            chosen = _chosen(plan, moments, facts["grid_frames"])
            pictures, frames_decoded = _pictures(
                child, plan, chosen, facts["grid_frames"], deadline
            )
        finished, mix, first_channel = _sound(plan)
    except _OutOfTime:
        reason = f"not done within {plan.media.time_limit_seconds:g} s"
        return unusable("refused", reason, plan)
    except FfmpegStopped as stopped:
        return unusable("refused", str(stopped), plan)
    except KilledError:
        raise KilledError(f"{plan.source.path}: the process that decodes it") from None
    counts = (facts["grid_frames"], frames_decoded, facts["frames_total"])
    decoded, _ = conclude(plan, pictures, counts, finished, (mix, first_channel), chosen)
    if decoded.status not in USABLE:
        raise UnsafeError(f"{decoded.status}: {decoded.reason}")
    needs = np.array(facts["frame_needs"], np.int64)[: decoded.moments]
    decoded = replace(decoded, frame_needs=needs)
    others = [each for each in finished.log.streams.values() if each.kind == "Audio"]
    if plan.source.audio_stream >= 0 and len(others) > 1 and not len(decoded.sound_runs):
        raise UnsafeError("nothing is heard in its stream of sound")
    return with_audible_stream(plan, decoded, finished)


def _file(plan: Plan) -> dict[str, Any]:
    """What the child needs to know the file; one that has changed is another file to it."""
    path = plan.source.path
    try:
        status = path.stat()
    except OSError as error:
        raise UnsafeError(f"it cannot be read: {error.strerror or error}") from None
    return {
        "path": os.fsencode(path.absolute()).hex(),
        "stream": plan.source.video_stream,
        "stamp": [status.st_size, status.st_mtime_ns, status.st_ino],
    }


def _chosen(plan: Plan, moments: Moments | None, grid_frames: int) -> np.ndarray | None:
    """The moments whose frames are decoded, None for all pictures.

    Raises:
        UnsafeError: if a whole decode would exceed its limit of bytes, or give no picture; or if
            the video has no such moment, of which a whole decode says whether it has changed.
    """
    side = plan.media.frame_pixels
    if not 0 < -(-grid_frames // plan.step) * side * side * 3 <= MAX_BYTES:
        raise UnsafeError(f"a video of {grid_frames} frames")
    if moments is None:
        return None
    try:
        chosen = chosen_moments(moments, moment_count(grid_frames, plan.media.grid))
    except IndexError as error:
        raise UnsafeError(str(error)) from None
    return np.array(chosen, np.int64)


def chosen_moments(moments: Moments, count: int) -> Sequence[int]:
    """The numbers of the chosen moments of a video that has so many.

    Raises:
        IndexError: if it does not have one of them.
    """
    if isinstance(moments, slice):
        return range(count)[moments]
    if callable(moments):
        moments = moments(count)
    if len(moments) and moments[-1] >= count:
        raise IndexError(f"no moment {moments[-1]}: the video has {count}")
    return moments


def _pictures(
    child: _Child, plan: Plan, chosen: np.ndarray | None, grid_frames: int, deadline: float
) -> tuple[EncodedPictures, int]:
    """The pictures, and how many were decoded for them."""
    side = plan.media.frame_pixels
    ticks = (
        list(range(0, grid_frames, plan.step))
        if chosen is None
        else (chosen * MOMENT_FRAMES).tolist()
    )
    if not ticks:
        return EncodedPictures(side, plan.quality), 0
    child.ask({"ticks": ticks, "filters": scaling(plan.media), "side": side}, deadline)
    encoded: list[bytes | None] = [None] * len(ticks)
    while "places" in (line := child.read_line()):
        rows = np.frombuffer(child.read_bytes(side * side * 3), np.uint8)
        picture = encode(rows.reshape(side, side, 3), plan.quality)
        for place in line["places"]:
            encoded[place] = picture
    pictures = [each for each in encoded if each is not None]
    if len(pictures) != len(ticks):
        raise UnsafeError(f"{len(pictures)} pictures of {len(ticks)}")
    return EncodedPictures(side, plan.quality, pictures), line["frames_decoded"]


def _sound(plan: Plan) -> tuple[Finished, PlacedSound, PlacedSound]:
    if plan.source.audio_stream < 0:
        return Finished(0, Log()), PlacedSound(), PlacedSound()
    finished, _, mix, first_channel = run(plan, pictures=False)
    return finished, mix, first_channel
