"""What the packets of a video say about their pictures without being decoded: which pictures no
other refers to, and where a decoder can begin.

Only the first bytes of each unit are read. Sources: ITU-T H.264 7.4.1, H.265 7.4.2.2, ISO 11172-2
and 13818-2 6.2, ISO 14496-2 6.2, RFC 6386 9.1 (VP8), VP9 bitstream 6.2, AV1 bitstream 5.5 and 5.9.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

ANNEX_B = (b"\0\0\1", b"\0\0\0\1")
LAYERS = 7  # temporal layers of HEVC


class UnsafeError(Exception):
    """A packet, or a file, is not one of those whose pictures can be skipped; the message says
    why.
    """


@dataclass(frozen=True)
class PacketKind:
    """What a packet says about its picture."""

    # The lowest temporal layer whose pictures may refer to this one, where that is known: pictures
    # of all layers from 0 on; of none from LAYERS on.
    referred_from: int = 0
    begins: bool = False  # no picture after it refers to one before it, unless it is shown before
    # Parameter sets and headers that later pictures may need.
    headers: bytes = b""
    layer: int = 0
    shown: bool = True


def reader_of(codec: str, extradata: bytes) -> Callable[[memoryview], PacketKind] | None:
    """The function that reads packets of a codec, None for a codec that is not known.

    Args:
        codec: its name in libavcodec.
        extradata: the codec's header in the container.

    Raises:
        UnsafeError: if the header is not of the usual form.
    """
    if codec in ("h264", "hevc"):
        size = _length_bytes(codec, extradata)
        read = read_h264 if codec == "h264" else read_hevc
        return lambda packet: read(_units(packet, size))
    return READERS.get(codec)


def _length_bytes(codec: str, extradata: bytes) -> int:
    """How many bytes give the length of each unit."""
    at, least = (4, 7) if codec == "h264" else (21, 23)
    if len(extradata) < least or extradata.startswith(ANNEX_B):
        raise UnsafeError(f"{codec} without lengths of its units")
    return (extradata[at] & 3) + 1


def _units(view: memoryview, length_bytes: int) -> Iterator[memoryview]:
    at = 0
    while at < len(view):
        size = int.from_bytes(view[at : at + length_bytes], "big")
        at += length_bytes
        if not size or at + size > len(view):
            raise UnsafeError("units whose lengths do not fit their packet")
        yield view[at : at + size]
        at += size


def read_h264(units: Iterator[memoryview]) -> PacketKind:
    """A picture of H.264: nal_ref_idc 0 marks one to which no other refers.

    An IDR picture may say that pictures before it that wait are not shown
    (no_output_of_prior_pics_flag). Other than of HEVC, libavcodec shows them all the same.
    """
    referred, begins, slices, headers = False, False, 0, b""
    for unit in units:
        kind = unit[0] & 31
        if kind in (1, 5):
            slices += 1
            referred |= bool(unit[0] & 0x60)
            begins |= kind == 5
        elif kind in (7, 8):
            headers += bytes(unit)
        # Extra information, delimiter, filler; an end, which an IDR picture follows.
        elif kind not in (6, 9, 12, 10, 11):
            raise UnsafeError(f"h264 with units of type {kind}")
    if not slices:
        raise UnsafeError("a packet without a picture")
    return PacketKind(0 if referred else LAYERS, begins, headers)


def read_hevc(units: Iterator[memoryview]) -> PacketKind:
    """A picture of HEVC.

    To a sub-layer non-reference picture, of even type below 16, only pictures of higher layers
    refer.
    """
    referred, begins, slices, layer, headers = False, False, 0, 0, b""
    for unit in units:
        kind = unit[0] >> 1 & 63
        if len(unit) < 3:
            raise UnsafeError("a packet without a picture")
        if kind < 32:
            if (unit[0] & 1) << 5 | unit[1] >> 3:
                raise UnsafeError("hevc with several views or layers")
            if 16 <= kind <= 18:
                raise UnsafeError("hevc with broken links")
            # The second bit of the slice: pictures before it that wait are not shown.
            if kind in (19, 20) and unit[2] & 0x40:
                raise UnsafeError("hevc that drops pictures where a group begins")
            slices += 1
            layer = max(layer, (unit[1] & 7) - 1)
            referred |= kind > 15 or kind % 2 == 1
            begins |= kind in (19, 20)
        elif kind in (32, 33, 34):
            headers += bytes(unit)
        elif kind not in (35, 38, 39, 40):
            raise UnsafeError(f"hevc with units of type {kind}")
    if not slices:
        raise UnsafeError("a packet without a picture")
    return PacketKind(0 if referred else layer + 1, begins, headers, layer)


def _start_codes(packet: bytes) -> Iterator[tuple[int, int]]:
    """The code and the place after it of each start code of MPEG."""
    at = packet.find(b"\0\0\1")
    while 0 <= at < len(packet) - 3:
        yield packet[at + 3], at + 4
        at = packet.find(b"\0\0\1", at + 3)


def read_mpeg12(view: memoryview) -> PacketKind:
    """A picture of MPEG-1 or MPEG-2: no other refers to one of type B."""
    packet, types, header_end = bytes(view), list[int](), 0
    for code, at in _start_codes(packet):
        if code == 0x00:
            types.append(packet[at + 1] >> 3 & 7 if at + 1 < len(packet) else 0)
            header_end = header_end or at - 4
            if len(types) == 2:
                break
        elif code > 0xAF and code not in (0xB2, 0xB3, 0xB5, 0xB8):
            raise UnsafeError(f"mpeg video with a unit {code:#x}")
    if not types:
        raise UnsafeError("a packet without a picture")
    sequence = packet.find(b"\0\0\1\xb3", 0, header_end)
    group = packet.find(b"\0\0\1\xb8", 0, header_end)
    headers = packet[sequence : group if group > sequence else header_end] if sequence >= 0 else b""
    # A group's time code and user data say nothing about pixels.
    only_b = all(each == 3 for each in types)
    return PacketKind(LAYERS if only_b else 0, types[0] == 1 and bool(headers), headers)


def read_mpeg4(view: memoryview) -> PacketKind:
    """A picture of MPEG-4 part 2: no other refers to one of type B."""
    packet = bytes(view)
    pictures = [(code, at) for code, at in _start_codes(packet) if code == 0xB6]
    if len(pictures) != 1 or pictures[0][1] >= len(packet):
        raise UnsafeError(f"{len(pictures)} pictures of mpeg4 in one packet")
    at = pictures[0][1]
    kind = packet[at] >> 6
    # The time code of a group differs from one to the next.
    codes = [(code, start) for code, start in _start_codes(packet[: at - 4]) if code != 0xB3]
    headers = packet[: at - 4] if codes else b""
    return PacketKind(LAYERS if kind == 2 else 0, kind == 0, headers)


def read_vp8(packet: memoryview) -> PacketKind:
    """A picture of VP8: a key frame sets all that later pictures use."""
    if len(packet) < 3:
        raise UnsafeError("a packet without a picture")
    return PacketKind(begins=not packet[0] & 1, shown=bool(packet[0] >> 4 & 1))


def read_vp9(packet: memoryview) -> PacketKind:
    """A picture of VP9: a key frame sets all that later pictures use."""
    if len(packet) < 2 or packet[0] >> 6 != 2:
        raise UnsafeError("a packet without a picture")
    bits = packet[0] << 8 | packet[1]
    after = 5 if packet[0] & 0x30 == 0x30 else 4  # profile 3 has one bit more
    shows_existing, no_key = bits >> 15 - after & 1, bits >> 14 - after & 1
    return PacketKind(begins=not shows_existing and not no_key)


def read_av1(packet: memoryview) -> PacketKind:
    """A picture of AV1: a key frame that is shown sets all that later pictures use."""
    headers, at = b"", 0
    while at < len(packet):
        kind, extended, sized = packet[at] >> 3 & 15, packet[at] >> 2 & 1, packet[at] >> 1 & 1
        begin = at
        at += 1 + extended
        size = len(packet) - at
        if sized:
            size, at = _leb128(packet, at)
        if kind == 1:
            headers += bytes(packet[begin : at + size])
        elif kind in (3, 6) and size > 0 and at < len(packet):
            # Not one shown again, of type key, shown.
            return PacketKind(begins=packet[at] >> 4 == 1, headers=headers)
        at += size
    raise UnsafeError("a packet without a picture")


def _leb128(packet: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for place in range(8):
        if at >= len(packet):
            raise UnsafeError("units whose lengths do not fit their packet")
        value |= (packet[at] & 127) << 7 * place
        at += 1
        if not packet[at - 1] & 128:
            break
    return value, at


READERS: dict[str, Callable[[memoryview], PacketKind]] = {
    "mpeg1video": read_mpeg12,
    "mpeg2video": read_mpeg12,
    "mpeg4": read_mpeg4,
    "vp8": read_vp8,
    "vp9": read_vp9,
    "libdav1d": read_av1,
    "av1": read_av1,
}
