"""The frames of every moment of each file of the collections of media against its full decode: the
lowest ratio, and the file that has it. Without `../shared/media` there is no row.
"""

import math
import shutil
import sys
from collections.abc import Callable, Iterator
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from bench import Row, seconds
from ratios.sparse_pictures import frames, full_decode

from l2l.config import MediaConfig
from l2l.manifest.artifact import USABLE
from l2l.manifest.probe import probe_files
from l2l.manifest.source import Source
from l2l.media.decode import decode

MEDIA = Path(__file__).resolve().parents[2] / "../shared/media"
MEDIA_CONFIG = MediaConfig()
FOLDERS = ("clips", "fight", "odd")
AT_LEAST = 0.95
LOOK_SECONDS, SURE_SECONDS = 0.2, 1.0  # per measurement: at first, and of the lowest
LOWEST = 8  # of all files, which are measured again


class Measured(NamedTuple):
    """How one file compares."""

    ratio: float
    source: Source


ratio_of = attrgetter("ratio")


def usable_sources(folder: Path) -> list[Source]:
    """Copies of the files that can be used: `frames` touches them."""
    originals = [path for name in FOLDERS for path in sorted((MEDIA / name).rglob("*.*"))]
    copies = [folder / f"{i}-{path.name}" for i, path in enumerate(originals)]
    for path, copy in zip(originals, copies, strict=True):
        shutil.copyfile(path, copy)
    probed = zip(copies, probe_files(copies), strict=True)
    sources = [result.source(path) for path, result in probed if result.status in USABLE]
    return [each for each in sources if decode(each, MEDIA_CONFIG, "moments").status in USABLE]


def times(call: Callable[[], object], count: int) -> Callable[[], None]:
    """The call, so many times: a file of some seconds is decoded faster than time is measured."""

    def repeated() -> None:
        for _ in range(count):
            call()

    return repeated


def pair(source: Source, least_seconds: float) -> tuple[Callable[[], None], Callable[[], None]]:
    """Ours and the full decode, of which each takes about `least_seconds` or more."""
    once = max(1e-3, seconds(partial(full_decode, source, "-an")))
    count = math.ceil(least_seconds / once)
    return (
        times(partial(frames, source, 1, False), count),
        times(partial(full_decode, source, "-an"), count),
    )


def measured(source: Source, least_seconds: float) -> Measured:
    """Once of each, after a warm-up."""
    frames(source, 1, False)
    ours, peer = pair(source, least_seconds)
    return Measured(seconds(peer) / seconds(ours), source)


def rows(folder: Path) -> Iterator[Row]:
    """The file with the lowest ratio, pictures alone."""
    if not MEDIA.is_dir():
        print(f"no {MEDIA}: its files are not measured", file=sys.stderr)
        return
    sources = usable_sources(folder)
    looks = sorted((measured(each, LOOK_SECONDS) for each in sources), key=ratio_of)
    sure = sorted((measured(each.source, SURE_SECONDS) for each in looks[:LOWEST]), key=ratio_of)
    below = sum(each.ratio < AT_LEAST for each in looks)
    print(f"{below} of {len(looks)} files below {AT_LEAST}", file=sys.stderr)
    for each in looks[: below + 1]:
        print(f"{each.ratio:.2f} {each.source.path.name}", file=sys.stderr)
    lowest = sure[0].source
    name = lowest.path.name.partition("-")[2]
    yield Row(
        f"frames of every moment, {name}, the lowest of {len(sources)} real files",
        "full decode of the pictures",
        *pair(lowest, SURE_SECONDS),
        AT_LEAST,
    )
