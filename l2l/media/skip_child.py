"""The process that decodes chosen pictures with PyAV; see `l2l.media.by_skipping` for its parent.

It reads one JSON object per line. `scan` opens a file and reads all packets of its pictures, which
are not decoded; `pictures` decodes those shown at some ticks. Each answer is a line of JSON;
before that of `pictures` come the pictures themselves. Anything unusual is answered as unsafe, with
the reason, and the parent decodes the file by the ffmpeg program.
"""

import json
import os
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import av
import numpy as np

from l2l.jobs.children import limit_memory
from l2l.manifest.artifact import CONTAINERS
from l2l.manifest.joined import element
from l2l.manifest.probe import MATROSKA, MEMORY_LIMIT_BYTES, MOV
from l2l.media.exact_skip import PacketTable, unique
from l2l.media.packets import UnsafeError, reader_of
from l2l.moments import MOMENT_FRAMES

HELD_BYTES = 64 << 20  # packets of a larger file are read again for its pictures
HEADER_BYTES = 64 << 20  # of an MP4 file
UNIT = 1 << 16  # of a display matrix
TURNS = {  # how ffmpeg turns pictures, by the upper left of their display matrix
    (UNIT, 0, 0, UNIT): (),
    (0, UNIT, -UNIT, 0): (("transpose", "clock"),),
    (-UNIT, 0, 0, -UNIT): (("hflip", ""), ("vflip", "")),
    (0, -UNIT, UNIT, 0): (("transpose", "cclock"),),
}
# Of the crop in a Matroska track: top, bottom, left and right.
MATROSKA_CROPS = (b"\x54\xbb", b"\x54\xaa", b"\x54\xcc", b"\x54\xdd")
MATROSKA_TRACKS, MATROSKA_SEEK_ID = b"\x16\x54\xae\x6b", b"\x53\xab\x84"
MATROSKA_HEAD_BYTES = 1 << 20  # mkvmerge leaves 4 KiB free before the tracks


class OpenedVideo:
    """A file whose packets have been read.

    Raises:
        UnsafeError: if its pictures cannot be skipped safely.
    """

    def __init__(self, path: Path, video_stream: int) -> None:
        options = {"format_whitelist": CONTAINERS, "protocol_whitelist": "file"}
        name = f"file:{path.absolute()}"
        self._container = av.open(name, options=options, metadata_errors="replace")
        kind = self._container.format.name
        if kind not in (MATROSKA, MOV):
            raise UnsafeError(f"its container is {kind}")
        _check_crop(path, kind)
        for stream in self._container.streams:
            if stream.index != video_stream:
                stream.discard = av.stream.Discard.all
        self._stream: Any = self._container.streams[video_stream]
        self._codec: Any = self._stream.codec_context
        self._codec.thread_count, self._codec.thread_type = 1, "NONE"
        self._codec.flags |= av.codec.context.Flags.bitexact
        self._held: list[Any] | None = []
        self.table = self._read()

    def _packets(self) -> Iterator[Any]:
        for packet in self._container.demux(self._stream):
            if packet.size:  # the last is an empty one
                yield packet

    def _read(self) -> PacketTable:
        codec = self._codec
        read = reader_of(codec.name, codec.extradata or b"")
        if read is None:
            raise UnsafeError(f"its codec is {codec.name}")
        table = PacketTable(
            Fraction(self._stream.time_base),
            self._container.start_time or 0,
            codec.name in ("h264", "hevc"),
        )
        held_bytes = 0
        for packet in self._packets():
            if packet.is_corrupt or packet.pts is None:
                raise UnsafeError("damaged packets, or packets without time")
            kind = read(memoryview(packet))
            if kind.begins and not packet.is_keyframe and not table.has_idr:
                raise UnsafeError("key frames that the container does not name")
            table.add(kind, packet.pts, packet.dts, packet.duration or 0, packet.is_discard)
            held_bytes += packet.size
            if self._held is not None:
                self._held.append(packet)
                if held_bytes > HELD_BYTES:
                    self._held = None
        table.finish()
        return table

    def decode(self, wanted: set[int]) -> Iterator[tuple[int, Any]]:
        """Each wanted packet and its picture; also None for others that were decoded.

        Raises:
            UnsafeError: if a packet does not give the one picture that it should.
        """
        if self._held is None:
            self._container.seek(0)
        numbered = enumerate(self._held or self._packets())
        for group in self.table.groups(wanted):
            expected = {self.table.pts[i]: i for i in group if not self.table.hidden[i]}
            fed = set(group)
            for i, packet in numbered:
                if i in fed:
                    yield from self._match(self._codec.decode(packet), expected, wanted)
                if i == group[-1]:
                    break
            yield from self._match(self._codec.decode(None), expected, wanted)
            self._codec.flush_buffers()
            if expected:
                raise UnsafeError("packets without a picture")

    def _match(
        self, frames: list[Any], expected: dict[int, int], wanted: set[int]
    ) -> Iterator[tuple[int, Any]]:
        for frame in frames:
            packet = expected.pop(frame.pts, None)
            if packet is None or frame.is_corrupt:
                raise UnsafeError("pictures other than those of the packets")
            yield packet, frame if packet in wanted else None


def _check_crop(path: Path, container: str) -> None:
    """Refuse files that may declare a crop, which PyAV does not show."""
    with open(path, "rb") as file:
        if container == MATROSKA:
            tracks = _matroska_tracks(file)
            sizes = range(0x81, 0x89)
            if any(each + bytes([size]) in tracks for each in MATROSKA_CROPS for size in sizes):
                raise UnsafeError("its container may crop the pictures")
            return
        while len(header := file.read(8)) == 8:
            size, skipped = int.from_bytes(header[:4], "big"), 8
            if size == 1:
                size, skipped = int.from_bytes(file.read(8), "big"), 16
            if header[4:] == b"moov":
                # a size of 0 means: up to the end of the file
                if not skipped <= size <= HEADER_BYTES or b"clap" in file.read(size - skipped):
                    raise UnsafeError("its container may crop the pictures")
            elif size < skipped:
                return
            else:
                file.seek(size - skipped, os.SEEK_CUR)


def _matroska_tracks(file: BinaryIO) -> bytes:
    """The description of the tracks of a Matroska file.

    Raises:
        UnsafeError: if it is not near the beginning.
    """
    head = file.read(MATROSKA_HEAD_BYTES)
    at = head.find(MATROSKA_TRACKS)
    while at > 0 and head[at - len(MATROSKA_SEEK_ID) : at] == MATROSKA_SEEK_ID:
        at = head.find(MATROSKA_TRACKS, at + 1)  # that was the index, which says where they are
    kind, end = element(file, at) if at >= 0 else (b"", 0)
    if not kind or end > len(head):
        raise UnsafeError("its tracks are not described at its beginning")
    return head[at:end]


class Scaler:
    """Scales and crops pictures as the ffmpeg program does.

    All of them have to have the form of the first.
    """

    def __init__(self, filters: list[tuple[str, str]], side: int) -> None:
        self._filters, self._side = filters, side
        self._form: tuple[Any, ...] = ()

    def scale(self, frame: Any) -> bytes:
        """The picture of a frame: rgb24, row by row.

        Raises:
            UnsafeError: if the frame has another form than the first.
        """
        form = _form(frame)
        if not self._form:
            self._build(form)
        if form != self._form:
            raise UnsafeError("pictures that change their size or format")
        self._source.push(frame)
        picture = self._sink.pull().to_ndarray()
        if picture.shape != (self._side, self._side, 3):
            raise UnsafeError("pictures of another size than asked for")
        return np.ascontiguousarray(picture).tobytes()

    def _build(self, form: tuple[Any, ...]) -> None:
        self._form = form
        width, height, pixels, space, color_range, turn = form
        graph = self._graph = av.filter.Graph()
        graph.threads = 1
        self._source = graph.add(
            "buffer",
            f"video_size={width}x{height}:pix_fmt={pixels}:time_base=1/30:pixel_aspect=0/1"
            f":colorspace={space}:range={color_range}",
        )
        chain = [self._source]
        for name, arguments in [*turn, *self._filters, ("format", "rgb24")]:
            chain.append(graph.add(name, arguments) if arguments else graph.add(name))
        self._sink: Any = graph.add("buffersink")
        graph.link_nodes(*chain, self._sink).configure()


def _form(frame: Any) -> tuple[Any, ...]:
    turn: tuple[tuple[str, str], ...] = ()
    for data in frame.side_data:
        if data.type.name == "DISPLAYMATRIX":
            matrix = np.frombuffer(bytes(data), np.int32).tolist()
            corner = (matrix[0], matrix[1], matrix[3], matrix[4])
            if corner not in TURNS:
                raise UnsafeError("a display matrix that does more than quarter turns")
            turn = TURNS[corner]
    return (
        *(frame.width, frame.height, frame.format.name),
        *(int(frame.colorspace), int(frame.color_range), turn),
    )


def serve() -> None:
    """Answer each line until there are no more."""
    limit_memory(MEMORY_LIMIT_BYTES)
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what anything else prints must not be taken for an answer
    av.logging.set_level(av.logging.ERROR)
    _answer(output, {"ready": True})
    opened: tuple[Any, OpenedVideo] | None = None
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            with av.logging.Capture(local=False) as complaints:
                if "scan" in asked:
                    if opened is None or opened[0] != asked["scan"]:
                        opened = None
                        path = Path(os.fsdecode(bytes.fromhex(asked["scan"]["path"])))
                        opened = (asked["scan"], OpenedVideo(path, asked["scan"]["stream"]))
                    answer = _facts(opened[1].table)
                else:
                    assert opened is not None
                    answer = _send_pictures(output, opened[1], asked)
            if complaints:
                raise UnsafeError(f"it has complaints: {' '.join(complaints[0][2].split())}")
        except UnsafeError as unsafe:
            opened, answer = None, {"unsafe": str(unsafe)}
        except (av.error.FFmpegError, OSError, MemoryError, ValueError) as error:
            opened, answer = None, {"unsafe": f"{type(error).__name__}: {error}"}
        _answer(output, answer)


def _facts(table: PacketTable) -> dict[str, Any]:
    return {
        "grid_frames": table.grid_frames,
        "frames_total": len(table.shown),
        "frame_needs": table.frame_needs(range(0, table.grid_frames, MOMENT_FRAMES)),
    }


def _send_pictures(output: BinaryIO, opened: OpenedVideo, asked: dict[str, Any]) -> dict[str, Any]:
    """Write each picture with the places of its ticks, as a line of JSON and its bytes."""
    places = unique(asked["ticks"], opened.table)
    scaler, decoded = Scaler(asked["filters"], asked["side"]), 0
    for packet, frame in opened.decode(set(places)):
        decoded += 1
        if frame is not None:
            picture = scaler.scale(frame)
            output.write(json.dumps({"places": places[packet]}).encode() + b"\n" + picture)
    return {"frames_decoded": decoded}


def _answer(output: BinaryIO, answer: dict[str, Any]) -> None:
    output.write(json.dumps(answer).encode() + b"\n")
    output.flush()
