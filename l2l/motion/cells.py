"""From a proxy's bytes to its motion per cell, in a child process with bounded memory.

The child decodes video after video with PyAV, which reports the vector of each macroblock. Both
pipes carry blocks with their length in front; an empty one ends a video. The child takes the side
of the pictures and the length of a group, then the proxy. It answers with the position in the
group, the displacement and the residual of some pictures at a time, or with what is wrong.
"""

import contextlib
import os
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import IO, Any, TypeVar

import numpy as np
from jaxtyping import Int, UInt8

from l2l.config import CELL_PIXELS, MotionConfig
from l2l.errors import KILLED, BadInput, KilledError, MachineError
from l2l.jobs.children import child_argv, limit_memory, module_folders
from l2l.jobs.machine import clean_environment
from l2l.media.ffmpeg import FfmpegStopped
from l2l.motion.artifact import Motion
from l2l.motion.compensation import cell_sums, clip, predicted_sums, residual

CHILD = child_argv("l2l.motion.cells")
MEMORY_LIMIT_BYTES = 4 << 30  # of the child
TIME_LIMIT_SECONDS = 3600.0  # per proxy, where no other is given
END_SECONDS = 5.0  # for a killed child to end
BATCH_PICTURES = 24  # whose motion is computed together
MOTION, FAULT = b"M", b"F"  # what a block of an answer holds
_LENGTH = struct.Struct("<I")
_SETTINGS = struct.Struct("<II")  # side of a picture in pixels, pictures of a group

Fed = TypeVar("Fed")
Plane = UInt8[np.ndarray, "side side"]


class CellReader:
    """Reads proxies one after another in one child, which starts with the first."""

    def __init__(self, config: MotionConfig) -> None:
        self._config = config
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "CellReader":
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def read(
        self,
        feed: Callable[[Callable[[memoryview], None]], Fed],
        time_limit_seconds: float = TIME_LIMIT_SECONDS,
    ) -> tuple[Fed, Motion]:
        """What `feed` returns, and the motion of one proxy.

        Args:
            feed: is called with a function that takes the proxy's bytes, block by block.
            time_limit_seconds: for feeding and reading; the child is then killed.

        Raises:
            BadInput: if what was fed is not a proxy of this section, or the child crashed.
            FfmpegStopped: if it takes longer than its limit.
            MachineError: if the machine did not let the child start, or ended it.
        """
        process = self._process = self._process or _start()
        late = threading.Event()

        def end_late() -> None:
            late.set()
            process.kill()

        watch = threading.Timer(time_limit_seconds, end_late)
        watch.daemon = True
        watch.start()
        try:
            return self._read(process, feed)
        except BadInput:
            if late.is_set():
                raise FfmpegStopped(f"not read within {time_limit_seconds:g} s") from None
            raise
        finally:
            watch.cancel()

    def _read(
        self,
        process: subprocess.Popen[bytes],
        feed: Callable[[Callable[[memoryview], None]], Fed],
    ) -> tuple[Fed, Motion]:
        sent, answers = process.stdin, process.stdout
        assert sent is not None
        assert answers is not None
        blocks: list[bytes] = []
        reading = threading.Thread(target=lambda: blocks.extend(_blocks(answers)))
        reading.start()
        try:
            _write_block(sent, _SETTINGS.pack(self._config.pixels, self._config.gop_pictures))
            fed = feed(lambda block: _write_block(sent, block))
            _write_block(sent, b"")
            sent.flush()
        except BrokenPipeError:  # the child has ended
            reading.join()
            raise self._failure(blocks) from None
        except BaseException:
            self._end()
            reading.join()
            raise
        reading.join()
        if blocks[-1:] != [b""]:
            raise self._failure(blocks)
        return fed, _join(blocks[:-1], self._config.cells)

    def _failure(self, blocks: list[bytes]) -> BadInput:
        """Why the child ended: by its own answer, else by its exit code."""
        if blocks and blocks[-1][:1] == FAULT:
            self._end()
            return BadInput(blocks[-1][1:].decode())
        code = self._end()
        if code in KILLED:
            return KilledError("the process that reads proxies")
        end = signal.Signals(-code).name if code < 0 else f"exit {code}"
        return BadInput(f"the process that reads proxies crashed ({end}); `l2l doctor` checks PyAV")

    def _end(self) -> int:
        """End the child; its exit code, which is its own if it has ended."""
        if self._process is None:
            return 0
        process, self._process = self._process, None
        assert process.stdin is not None
        with contextlib.suppress(OSError):  # what is left to write to a child that has ended
            process.stdin.close()
        try:
            return process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()


def _start() -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            [*CHILD, *module_folders()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=clean_environment(),
            start_new_session=True,
        )
    except OSError as error:
        cause = error.strerror or str(error)
        raise MachineError("the process that reads proxies", cause) from None


def _write_block(file: IO[bytes], block: bytes | memoryview) -> None:
    file.write(_LENGTH.pack(len(block)))
    file.write(block)


def _read_block(file: IO[bytes]) -> bytes | None:
    """The next block; None at the end of the file."""
    header = file.read(_LENGTH.size)
    return file.read(_LENGTH.unpack(header)[0]) if len(header) == _LENGTH.size else None


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    """The blocks of one video, with the empty one at its end, or up to the end of the file."""
    while (block := _read_block(file)) is not None:
        yield block
        if not block:
            return


def _join(blocks: list[bytes], cells: int) -> Motion:
    """The motion of a video from what the child answers."""
    shapes = ((2, cells, cells), (3, cells, cells), ())
    parts = [[np.zeros((0, *shape), np.int8) for shape in shapes]]
    for block in blocks:
        numbers = np.frombuffer(block, np.int8, offset=len(MOTION))
        count = len(numbers) // (5 * cells**2 + 1)
        flat = np.split(numbers, [2 * count * cells**2, 5 * count * cells**2])
        parts.append([each.reshape(count, *of) for each, of in zip(flat, shapes, strict=True)])
    displacement, difference, position = map(np.concatenate, zip(*parts, strict=True))
    return Motion(displacement, difference, position.view(np.uint8))


# ---- the child -----------------------------------------------------------------------------------


class _File:
    """Blocks of bytes as a file that is read once."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._block = memoryview(next(blocks, b""))

    @property
    def empty(self) -> bool:
        """Whether it has no byte."""
        return not self._block

    def read(self, size: int) -> bytes:
        """At most so many bytes; none at the end."""
        if not self._block:
            self._block = memoryview(next(self._blocks, b""))
        read, self._block = self._block[:size], self._block[size:]
        return bytes(read)


def serve() -> None:
    """Answer proxy after proxy until there are no more."""
    import av

    limit_memory(MEMORY_LIMIT_BYTES)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what anything else prints must not be taken for an answer
    while settings := _read_block(sys.stdin.buffer):
        pixels, gop_pictures = _SETTINGS.unpack(settings)
        proxy = _blocks(sys.stdin.buffer)
        try:
            for motion in proxy_motion(proxy, pixels, gop_pictures):
                parts = (motion.displacement, motion.residual, motion.gop_position)
                _write_block(answers, b"".join([MOTION, *(each.tobytes() for each in parts)]))
        except (ValueError, av.error.FFmpegError) as error:
            _write_block(answers, FAULT + " ".join(str(error).split()).encode())
            answers.close()
            sys.exit(1)
        for _ in proxy:  # what follows the last picture
            pass
        _write_block(answers, b"")
        answers.flush()


def proxy_motion(proxy: Iterator[bytes], pixels: int, gop_pictures: int) -> Iterator[Motion]:
    """The motion of a proxy, some pictures at a time.

    Args:
        proxy: its bytes, in blocks of any length.
        pixels: their side.
        gop_pictures: from one key picture to the next.

    Raises:
        ValueError: if it is another stream than `l2l.motion.proxy` writes.
    """
    before: list[Plane] | None = None
    for first, frames in _batches(proxy):
        position = np.arange(first, first + len(frames)) % gop_pictures
        pictures = [_planes(frame, pixels) for frame in frames]
        keys = [bool(frame.key_frame) for frame in frames]
        if keys != (position == 0).tolist():
            key_pictures = [first + number for number, key in enumerate(keys) if key]
            raise ValueError(
                f"its proxy has key pictures at {key_pictures} of {first} to "
                f"{first + len(frames) - 1}, expected every {gop_pictures}"
            )
        vectors = np.stack([_vectors(frame, pixels // CELL_PIXELS) for frame in frames])
        # Of the first picture nothing comes before: it is a key picture, and set to zero below.
        read = [before or pictures[0], *pictures]
        planes = [np.stack(plane) for plane in zip(*read, strict=True)]
        decoded = cell_sums([plane[1:] for plane in planes])
        # ISO/IEC 14496-2, vop_rounding_type, as the encoder alternates it in each group.
        predicted = predicted_sums([plane[:-1] for plane in planes], vectors, position % 2 == 0)
        moved = residual(decoded - predicted)
        moved[position == 0] = 0
        yield Motion(clip(-vectors).transpose(0, 3, 1, 2).copy(), moved, position.astype(np.uint8))
        before = pictures[-1]


def _batches(proxy: Iterator[bytes]) -> Iterator[tuple[int, list[Any]]]:
    """Decoded pictures, with the number of the first of them."""
    import av

    file = _File(proxy)
    if file.empty:
        return
    with av.open(file, "r", format="m4v") as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        # Without bitexact, x86 takes approximations between samples.
        stream.codec_context.options = {"flags": "+bitexact", "flags2": "+export_mvs"}
        first, frames = 0, []
        for frame in container.decode(stream):
            frames.append(frame)
            if len(frames) == BATCH_PICTURES:
                yield first, frames
                first, frames = first + len(frames), []
        if frames:
            yield first, frames


def _planes(frame: Any, pixels: int) -> list[Plane]:
    """Luma, blue and red difference of a picture; the last two have half its side."""
    if (frame.width, frame.height, frame.format.name) != (pixels, pixels, "yuv420p"):
        raise ValueError(
            f"its proxy is {frame.width} x {frame.height} {frame.format.name}, expected "
            f"{pixels} x {pixels} yuv420p"
        )
    sides = (pixels, pixels // 2, pixels // 2)
    return [
        np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[:side, :side].copy()
        for plane, side in zip(frame.planes, sides, strict=True)
    ]


def _vectors(frame: Any, cells: int) -> Int[np.ndarray, "cells cells 2"]:
    """Where each cell is read from, relative to its place: right, down, in half pixels.

    Zero for a macroblock without a vector, which is coded by itself.
    """
    vectors = np.zeros((cells, cells, 2), np.int32)
    exported = frame.side_data.get("MOTION_VECTORS")
    if exported is None:
        return vectors
    blocks = exported.to_ndarray()
    form = {name: set(blocks[name].tolist()) for name in ("w", "h", "motion_scale", "source")}
    if len(blocks) and form != {
        "w": {CELL_PIXELS},
        "h": {CELL_PIXELS},
        "motion_scale": {2},
        "source": {-1},
    }:
        raise ValueError(f"its proxy has vectors with {form}, expected half pixels per cell")
    row, column = blocks["dst_y"] // CELL_PIXELS, blocks["dst_x"] // CELL_PIXELS
    vectors[row, column] = np.stack([blocks["motion_x"], blocks["motion_y"]], 1)
    return vectors
