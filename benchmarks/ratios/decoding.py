"""Decoding against a full decode by the same ffmpeg that keeps nothing."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

from bench import Row

from l2l.config import MediaConfig
from l2l.manifest.probe import probe_file
from l2l.manifest.source import Source
from l2l.media.decode import decode
from l2l.media.ffmpeg import ffmpeg_program

SECONDS = 30


def drawn_video(folder: Path, width: int = 640, height: int = 360) -> Path:
    """A 30 s H.264 video with a tone, of x264's default groups of 250 pictures."""
    path = folder / f"{height}.mp4"
    seen = ["-f", "lavfi", "-i", f"testsrc2=s={width}x{height}:r=30:d={SECONDS}"]
    heard = ["-f", "lavfi", "-i", f"sine=440:d={SECONDS}:r=44100"]
    program = [ffmpeg_program(), "-v", "error"]
    coded = ["-c:v", "libx264", "-c:a", "aac"]
    subprocess.run([*program, *seen, *heard, *coded, str(path)], check=True)
    return path


def full_decode(path: Path, *options: str) -> None:
    """Every picture and all sound, one thread, nothing kept."""
    program = [ffmpeg_program(), "-v", "error", "-nostdin", "-threads", "1", "-i", str(path)]
    subprocess.run([*program, *options, "-f", "null", "-"], check=True, capture_output=True)


def clips(source: Source) -> None:
    """The pictures of all clips, and the sound."""
    source.path.touch()  # to the process that decodes it is another file now: it is read again
    decode(source, MediaConfig(), "clips")


def rows(folder: Path) -> Iterator[Row]:
    """Clips with sound; `sparse_pictures` has the frames of moments."""
    path = drawn_video(folder)
    source = probe_file(path).source(path)
    yield Row(
        "clips, 15 pictures per second, with sound, 640x360",
        "full decode of pictures and sound",
        lambda: clips(source),
        lambda: full_decode(path),
        0.85,
    )
