"""What a file holds that is no video, by its first bytes: downloads that failed and wrong names."""

from typing import NamedTuple


class Signature(NamedTuple):
    """Bytes by which a kind of content is known, and where they are."""

    kind: str
    marks: tuple[bytes, ...]  # any of them
    offset: int = 0


SIGNATURES = (
    Signature("a Git LFS pointer (git lfs pull)", (b"version https://git-lfs.github.com/spec/",)),
    Signature("a git-annex pointer (git annex get)", (b"/annex/objects/", b"../.git/annex/")),
    Signature("gzip data", (b"\x1f\x8b",)),
    Signature("a ZIP archive", (b"PK\x03\x04", b"PK\x05\x06")),
    Signature("a RAR archive", (b"Rar!\x1a\x07",)),
    Signature("a 7-Zip archive", (b"7z\xbc\xaf\x27\x1c",)),
    Signature("bzip2 data", (b"BZh",)),
    Signature("xz data", (b"\xfd7zXZ\0",)),
    Signature("Zstandard data", (b"\x28\xb5\x2f\xfd",)),
    Signature("a tar archive", (b"ustar",), offset=257),
    Signature("a JPEG picture", (b"\xff\xd8\xff",)),
    Signature("a PNG picture", (b"\x89PNG\r\n\x1a\n",)),
    Signature("a WebP picture", (b"WEBP",), offset=8),
    Signature("a WAV sound", (b"WAVE",), offset=8),
    Signature("an MP3 sound", (b"ID3",)),
    Signature("a FLAC sound", (b"fLaC",)),
    Signature("a PDF document", (b"%PDF-",)),
    Signature("an HDF5 file", (b"\x89HDF\r\n\x1a\n",)),
    Signature("a playlist", (b"#EXTM3U", b"ffconcat version")),
)
_TEXT_BYTES = 512
_SHOWN_CHARACTERS = 40
_HTML = ("<!doctype html", "<html", "<head", "<body")
_XML = ("<?xml",)
_JSON = ("{", "[")


def describe_contents(head: bytes) -> str:
    """What the first bytes of a file look like, such as "a JPEG picture"; empty if nothing known.

    A single wrong guess does no harm: it is asked only about files that no demuxer opens.
    """
    for signature in SIGNATURES:
        if head[signature.offset :].startswith(signature.marks):
            return signature.kind
    if head and not head.strip(b"\0"):
        return "only zeros (a download that was never filled)"
    return _describe_text(head[:_TEXT_BYTES])


def _describe_text(start: bytes) -> str:
    try:
        text = start.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.start < len(start) - 3:  # not only cut within a character
            return ""
        text = start[: error.start].decode("utf-8-sig")
    text = text.strip()
    if not text or not "".join(text.split()).isprintable():
        return ""
    for kind, beginnings in (("an HTML page", _HTML), ("XML text", _XML), ("JSON text", _JSON)):
        if text.lower().startswith(beginnings):
            return kind
    shown = " ".join(text.split())
    return "text: " + (
        shown if len(shown) <= _SHOWN_CHARACTERS else shown[:_SHOWN_CHARACTERS] + "..."
    )


_ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_ASF_BROADCAST = 1  # a flag: the header was written before the file was complete


def missing_bytes(head: bytes, size: int) -> int:
    """The bytes that are missing of those that the header declares; 0 where it declares none.

    Only ASF (.wmv) says so and is opened all the same, cut anywhere, with a shorter play time.
    Less than one of its packets is no loss.
    """
    at = head.find(_ASF_FILE_PROPERTIES)
    if not head.startswith(_ASF_HEADER) or at < 0 or len(head) < at + 100:
        return 0
    declared = int.from_bytes(head[at + 40 : at + 48], "little")
    flags = int.from_bytes(head[at + 88 : at + 92], "little")
    packet = int.from_bytes(head[at + 92 : at + 96], "little")
    missing = declared - size
    return missing if missing >= max(packet, 1) and not flags & _ASF_BROADCAST else 0
