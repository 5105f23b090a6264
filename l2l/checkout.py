"""What Git's own files say of a checkout. Git itself is not asked: a node of a cluster may have
none, and all nodes have to write the same bytes.

Sources: gitrepository-layout(5), gitformat-index(5).
"""

import hashlib
import struct
from collections.abc import Iterator
from pathlib import Path

ENTRY = struct.Struct(">40x20sH")  # of the index: times and sizes, checksum, flags
EXTENDED = 0x4000  # a flag: two bytes of further flags follow


def revision(checkout: Path, package: str) -> str:
    """The commit that a checkout is at, shortened, and `-modified` where files of a package differ
    from it; empty if this is no checkout.
    """
    commit = _commit(checkout)
    return commit + "-modified" * (bool(commit) and _is_modified(checkout, package))


def _commit(checkout: Path) -> str:
    try:
        folder = _git_folder(checkout)
        head = (folder / "HEAD").read_text(encoding="utf-8").strip()
        if head.startswith("ref: "):
            head = _resolved(folder, head.removeprefix("ref: "))
    except (OSError, UnicodeError):
        return ""
    return head[:12] if len(head) >= 40 else ""


def _git_folder(checkout: Path) -> Path:
    folder = checkout / ".git"
    if folder.is_file():  # of a worktree: "gitdir: FOLDER"
        return checkout / folder.read_text(encoding="utf-8").partition(": ")[2].strip()
    return folder


def _resolved(folder: Path, branch: str) -> str:
    common = folder / "commondir"  # of a worktree: where the branches are
    shared = folder / common.read_text(encoding="utf-8").strip() if common.is_file() else folder
    if (shared / branch).is_file():
        return (shared / branch).read_text(encoding="utf-8").strip()
    packed = (shared / "packed-refs").read_text(encoding="utf-8").splitlines()
    return next((line[:40] for line in packed if line[41:] == branch), "")


def _is_modified(checkout: Path, package: str) -> bool:
    """Whether a tracked file of a package is missing or differs from Git's index: since the last
    commit or `git add`.
    """
    try:
        index = (_git_folder(checkout) / "index").read_bytes()
        files = [each for each in _tracked(index) if each[0].startswith(f"{package}/".encode())]
    except (OSError, ValueError, struct.error):
        return False
    return any(_blob(checkout / name.decode()) != digest for name, digest in files)


def _tracked(index: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The name and the SHA-1 of each file of an index of version 2 or 3; none of another one."""
    signature, version, count = struct.unpack_from(">4s2L", index)
    if signature != b"DIRC" or version not in (2, 3):
        return
    at = 12
    for _ in range(count):
        digest, flags = ENTRY.unpack_from(index, at)
        begin = at + ENTRY.size + (2 if flags & EXTENDED else 0)
        end = index.index(b"\0", begin)
        yield index[begin:end], digest
        at += (end - at) // 8 * 8 + 8  # filled up with 1 to 8 zeros


def _blob(path: Path) -> bytes:
    """The SHA-1 that Git gives a file; empty for one that cannot be read."""
    try:
        content = path.read_bytes()
    except OSError:
        return b""
    header = b"blob %d\0" % len(content)
    return hashlib.sha1(header + content, usedforsecurity=False).digest()
