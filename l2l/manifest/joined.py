"""Files that were joined byte by byte, as by `cat`, of which a demuxer reads the first alone.

MP4, Matroska, FLV and ASF say where they end; what follows there is another file. Those without an
index, such as transport streams, may be joined so.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
_ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_FLV = b"FLV\x01"
_FLV_TAGS = (8, 9, 18)  # sound, pictures, script
_MOST_PARTS = 1_000_000  # boxes or tags that are looked at: a day of FLV


def second_file_at(path: Path) -> int:
    """The byte of a file at which another begins that no demuxer reads; 0 where there is none.

    Raises:
        OSError: if it cannot be read.
    """
    with open(path, "rb", buffering=1 << 12) as file:
        head = file.read(16)
        if head[4:8] in _BOXES:
            return _in_mp4(file)
        for mark, find in ((_EBML, _in_matroska), (_FLV, _in_flv), (_ASF_HEADER, _in_asf)):
            if head.startswith(mark):
                return find(file)
    return 0


def _read(file: BinaryIO, at: int, count: int) -> bytes:
    if at >= os.fstat(file.fileno()).st_size:  # perhaps farther than any file goes
        return b""
    file.seek(at)
    return file.read(count)


def _is_start(head: bytes) -> bool:
    """Whether a video file begins with these bytes."""
    marks = (_EBML, _FLV, _ASF_HEADER, b"RIFF")
    return head.startswith(marks) or head[4:8] == b"ftyp"


def _in_mp4(file: BinaryIO) -> int:
    """A second index, or another container.

    In a file of fragments the index may be repeated; then the number of a fragment shows whether
    they go on or begin again.
    """
    first_index = second_index = last_number = 0
    for kind, at in _boxes(file):
        if kind == b"moof":
            number = int.from_bytes(_read(file, at + 20, 4))
            if second_index and number <= last_number:
                return second_index
            second_index, last_number = 0, number
        elif kind == b"moov" and first_index and not second_index:
            second_index = at
        elif kind == b"moov":
            first_index = at
        elif kind == b"ftyp" and first_index and not second_index:
            second_index = at
        elif kind == _EBML:
            return at
    return second_index


def _boxes(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """The kind and the first byte of each box of the file's uppermost level; `_EBML` for the start
    of a file of another container.
    """
    at = 0
    for _ in range(_MOST_PARTS):
        header = _read(file, at, 16)
        if header[4:8] != b"ftyp" and _is_start(header):
            yield _EBML, at
            return
        size = int.from_bytes(header[:4])
        if size == 1:  # the size has 64 bits
            size = int.from_bytes(header[8:16])
        if len(header) < 8 or size < 8:  # 0: up to the end
            return
        yield header[4:8], at
        at += size


def _in_matroska(file: BinaryIO) -> int:
    _, at = element(file, 0)
    kind, end = element(file, at)
    return end if kind == _SEGMENT and _is_start(_read(file, end, 16)) else 0


def element(file: BinaryIO, at: int) -> tuple[bytes, int]:
    """The kind of a Matroska element, whose id has four bytes, and the byte after its end."""
    header = _read(file, at, 12)
    length = 9 - header[4].bit_length() if len(header) == 12 and header[4] else 0
    value = int.from_bytes(header[4 : 4 + length]) & ((1 << 7 * length) - 1)
    if not length or value == (1 << 7 * length) - 1:  # of unknown size: up to the end
        return b"", at
    return header[:4], at + 4 + length + value


def _in_flv(file: BinaryIO) -> int:
    at = int.from_bytes(_read(file, 5, 4)) + 4
    for _ in range(_MOST_PARTS):
        tag = _read(file, at, 16)
        if _is_start(tag):
            return at
        if len(tag) < 4 or tag[0] & 31 not in _FLV_TAGS:
            break
        at += int.from_bytes(tag[1:4]) + 15
    return 0


def _in_asf(file: BinaryIO) -> int:
    head = _read(file, 0, 1 << 16)
    properties = head.find(_ASF_FILE_PROPERTIES)
    if properties < 0:
        return 0
    end = int.from_bytes(head[properties + 40 : properties + 48], "little")
    return end if end and _is_start(_read(file, end, 16)) else 0
