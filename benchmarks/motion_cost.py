"""What the compressed domain costs, and what it gives: CPU seconds per minute of video, and a
file's own vectors compared with those of its proxy, as tables.

    OMP_NUM_THREADS=1 python benchmarks/motion_cost.py VIDEO...

One thread each; the smallest of three runs. What libavcodec may leave out of decoding (the loop
filter, the inverse transform) is measured too: "no decoding" of a paper is what remains.
"""

import dataclasses
import math
import os
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np

from l2l.config import MediaConfig, MotionConfig
from l2l.jobs.machine import spent_cpu_seconds
from l2l.manifest.probe import probe_file
from l2l.manifest.source import Source
from l2l.media.decode import decode
from l2l.media.ffmpeg import ffmpeg_program
from l2l.motion.cells import CellReader, proxy_motion
from l2l.motion.proxy import code_proxy

RUNS = 3
MEDIA = MediaConfig()
EXPORT = {"flags2": "+export_mvs"}
# What each row decodes, and with which options of the decoder.
DECODED = {
    "full decode": {},
    "decode and vectors": EXPORT,
    "and no loop filter": {**EXPORT, "skip_loop_filter": "all"},
    "and no inverse transform": {**EXPORT, "skip_loop_filter": "all", "skip_idct": "all"},
    "key pictures only": {"skip_frame": "nokey"},
}
# Encoders of formats that l2l decodes.
ENCODERS = ("mpeg1video", "mpeg2video", "mpeg4", "libx264", "libx265", "libvpx-vp9", "libsvtav1")
PROXIES = (MotionConfig(pixels=112), MotionConfig())


def cpu_seconds(call: Callable[[], object]) -> float:
    """The smallest CPU time of some runs, of this process and its children."""
    spent = []
    for _ in range(RUNS):
        before = spent_cpu_seconds()  # also of the process that decodes, which goes on
        call()
        spent.append(spent_cpu_seconds() - before)
    return min(spent)


def demux(path: Path) -> None:
    """Read every packet."""
    with av.open(str(path)) as container:
        for _ in container.demux(video=0):
            pass


def decode_by_pyav(path: Path, options: dict[str, str]) -> list[np.ndarray | None]:
    """The vectors of each picture, None where it has none."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        stream.codec_context.options = options
        exported = [frame.side_data.get("MOTION_VECTORS") for frame in container.decode(stream)]
        return [each and each.to_ndarray() for each in exported]


def media_of(source: Source) -> None:
    """What the media stage does. A link is another file to the process that decodes, which would
    otherwise use the packets that it has read before.
    """
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / source.path.name
        link.symlink_to(source.path.resolve())
        decode(dataclasses.replace(source, path=link), MEDIA, "moments")


def proxy_of(source: Source, section: MotionConfig) -> bytes:
    """The bytes of a proxy."""
    coded = bytearray()
    code_proxy(source, MEDIA, section, coded.extend)
    return bytes(coded)


def cost_rows(path: Path) -> dict[str, float]:
    """CPU seconds per minute of one video, by what is done; and kilobytes per second."""
    source, minutes = _source(path)
    rows: dict[str, Callable[[], object]] = {"demux": lambda: demux(path)}
    for name, options in DECODED.items():
        rows[name] = lambda options=options: decode_by_pyav(path, options)
    rows["media: frames of moments, with sound"] = lambda: media_of(source)
    found = {name: cpu_seconds(call) / minutes for name, call in rows.items()}
    for section in PROXIES:
        found |= proxy_rows(source, section, minutes)
    return found


def proxy_rows(source: Source, section: MotionConfig, minutes: float) -> dict[str, float]:
    """The same for making a proxy, which decodes the file, and for reading it."""
    coded, name = proxy_of(source, section), f"proxy {section.pixels}"
    made = cpu_seconds(lambda: proxy_of(source, section))
    read = cpu_seconds(
        lambda: list(proxy_motion(iter([coded]), section.pixels, section.gop_pictures))
    )
    cells = list(proxy_motion(iter([coded]), section.pixels, section.gop_pictures))
    stored = [
        len(zlib.compress(np.concatenate(arrays).tobytes(), 4))
        for arrays in zip(*cells, strict=True)
    ]
    return {
        f"{name}: made, with the decode": made / minutes,
        f"{name}: read, to cells": read / minutes,
        f"{name}: its kB per second": len(coded) / minutes / 60e3,
        f"{name}: kB per second of its cells, deflated": sum(stored) / minutes / 60e3,
    }


def _source(path: Path) -> tuple[Source, float]:
    facts = probe_file(path)
    return facts.source(path), facts.duration_seconds / 60


def lengths_of_file(path: Path) -> tuple[list[tuple[int, str, float]], str]:
    """Tick, type and mean length of a file's own vectors for each picture, in sides of the picture
    (nan: it has none), and the codec.
    """
    pictures = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        stream.codec_context.options = EXPORT
        for frame in container.decode(stream):
            exported = frame.side_data.get("MOTION_VECTORS")
            length = math.nan
            if exported is not None:
                blocks = exported.to_ndarray()
                right, down = (
                    (blocks[f"dst_{axis}"].astype(int) - blocks[f"src_{axis}"]) / size
                    for axis, size in (("x", frame.width), ("y", frame.height))
                )
                areas = blocks["w"].astype(int) * blocks["h"]
                length = float((np.hypot(right, down) * areas).sum() / (frame.width * frame.height))
            pictures.append((round((frame.time or 0) * 30), "?IPB"[frame.pict_type], length))
        start = pictures[0][0]
        return [(tick - start, kind, length) for tick, kind, length in pictures], stream.name


def lengths_of_proxy(path: Path) -> np.ndarray:
    """The mean length of each picture's displacement, in sides of the picture, by tick."""
    whole = MediaConfig(resize_pixels=(224, 224), frame_pixels=224)
    source, _ = _source(path)
    with CellReader(MotionConfig()) as reader:
        _, motion = reader.read(lambda take: code_proxy(source, whole, MotionConfig(), take))
    right, down = np.moveaxis(motion.displacement.astype(float), 1, 0)
    lengths = np.hypot(right, down).mean((1, 2)) / 2 / 224
    lengths[~motion.moves] = math.nan
    return lengths


def agreement_row(path: Path) -> list[str]:
    """How a file's own vectors agree with those of its proxy."""
    pictures, codec = lengths_of_file(path)
    of_proxy = lengths_of_proxy(path)
    kinds = [kind for _, kind, _ in pictures]
    keys = np.flatnonzero([kind == "I" for kind in kinds])
    row = [codec, f"{kinds.count('B') / len(kinds):.0%}", _spans(keys, len(kinds))]
    for wanted in "PB":
        pairs = np.array(
            [
                (length, of_proxy[tick])
                for tick, kind, length in pictures
                if kind == wanted and tick < len(of_proxy)
            ]
        ).reshape(-1, 2)
        pairs = pairs[np.isfinite(pairs).all(1)]
        if len(pairs) < 10 or not pairs.std(0).all():
            row += ["", ""]
            continue
        row += [
            f"{np.corrcoef(pairs.T)[0, 1]:.2f}",
            f"{pairs[:, 0].mean() / pairs[:, 1].mean():.1f}",
        ]
    return row


def _spans(keys: np.ndarray, pictures: int) -> str:
    """The distances of key pictures, the smallest to the largest."""
    spans = np.diff([*keys, pictures])[: max(1, len(keys) - 1)]
    return f"{spans.min()} to {spans.max()}" if len(spans) else "none"


def exported_by_codec() -> dict[str, str]:
    """How many pictures of a drawn video have vectors, by the encoder that wrote it."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for encoder in ENCODERS:
            path = Path(folder) / f"{encoder}.mkv"
            drawn = ("-f", "lavfi", "-i", "testsrc2=s=320x240:r=30:d=2")
            argv = [ffmpeg_program(), "-loglevel", "quiet", *drawn, "-c:v", encoder, path]
            if subprocess.run(argv, check=False).returncode:
                found[encoder] = "this ffmpeg cannot write it"
                continue
            exported = decode_by_pyav(path, EXPORT)
            found[encoder] = f"{sum(each is not None for each in exported)} of {len(exported)}"
    return found


def main(paths: list[Path]) -> None:
    """Print the tables."""
    if os.environ.get("OMP_NUM_THREADS") != "1":
        sys.exit("set OMP_NUM_THREADS=1: libraries read it when they are imported")
    print("pictures with vectors in what an encoder wrote\n")
    for encoder, exported in exported_by_codec().items():
        print(f"{encoder}\t{exported}")
    print("\nCPU seconds per minute of video\n")
    costs = [cost_rows(path) for path in paths]
    print("\t".join(["", *(path.name for path in paths)]))
    for name in costs[0]:
        print("\t".join([name, *(f"{cost[name]:.2f}" for cost in costs)]))
    print("\nvectors of the file, compared with its proxy's: correlation of mean lengths, ratio\n")
    head = ("video", "codec", "B pictures", "key pictures apart", "P", "ratio", "B", "ratio")
    print("\t".join(head))
    for path in paths:
        print("\t".join([path.name, *agreement_row(path)]))


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])
