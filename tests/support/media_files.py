"""Tiny videos for tests: pictures that carry their number, sound whose pitch is its second, and a
flash that comes with a beep.
"""

import os
import shutil
import subprocess
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np

from l2l.config import MediaConfig
from l2l.manifest.artifact import Video
from l2l.manifest.probe import probe_file
from l2l.media.decode import decode
from l2l.media.decoded import Decoded
from l2l.media.ffmpeg import ffmpeg_program

# Nothing is cropped, so that the strip can be read.
WHOLE = MediaConfig(resize_pixels=(64, 64), frame_pixels=64, jpeg_quality="lossless")
H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-qp", "12", "-pix_fmt", "yuv420p")
BLOCKS = 16
TONES = "0.5*sin(2*PI*(300+100*floor(t))*t)"  # during second k: 300 + 100 k Hz


ODD_NAMES = [
    "-y.mp4",
    "a b.mp4",
    'it\'s "so".mp4',
    "a;touch PWNED;.mp4",
    "$(touch PWNED).mp4",
    "%03d.mp4",
    "a:b.mp4",
    "file:x.mp4",
    "a\nb.mp4",
    "é*?.mp4",
    os.fsdecode(b"\xff.mp4"),
]


def run(*arguments: str | Path, pictures: bytes | None = None) -> None:
    """Run ffmpeg; it must succeed."""
    argv = [ffmpeg_program(), "-nostdin", "-hide_banner", "-loglevel", "error", "-y", *arguments]
    subprocess.run(
        argv,
        input=pictures,
        stdin=subprocess.DEVNULL if pictures is None else None,
        check=True,
        timeout=300,
    )


def numbered(count: int, side: int = 64) -> np.ndarray:
    """Pictures whose upper half is a strip of 16 blocks, the lowest bit of their number first.

    Uint8 (count, side, side, 3).
    """
    bits = (np.arange(count)[:, None] >> np.arange(BLOCKS)) & 1
    strip = (np.repeat(bits, side // BLOCKS, axis=1) * 200 + 27).astype(np.uint8)
    pictures = np.full((count, side, side, 3), 100, np.uint8)
    pictures[:, : side // 2] = strip[:, None, :, None]
    return pictures


def numbers(pictures: np.ndarray) -> list[int]:
    """The numbers on pictures (pictures, side, side, 3), the strip being the upper eighth at least
    and the whole width.
    """
    rows, block = pictures.shape[1] // 10, pictures.shape[2] / BLOCKS
    middles = [round((i + 0.5) * block) for i in range(BLOCKS)]
    lit = pictures[:, rows // 3 + 1 : rows, middles].astype(float).mean(axis=(1, 3)) > 128
    return [int(n) for n in (lit << np.arange(BLOCKS)).sum(axis=1)]


def make_video(
    path: Path,
    seconds: float = 2.0,
    rate: float = 25,
    sound: str | None = TONES,
    video: Sequence[str] = H264,
    extra: Sequence[str] = (),
) -> Path:
    """A video of numbered pictures with a sound, given as an expression of t, or with none."""
    count = round(seconds * rate)
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "64x64", "-r", str(rate), "-i", "pipe:0"]
    heard = ["-f", "lavfi", "-i", f"aevalsrc={sound}:s=44100:d={seconds}"] if sound else []
    argv = [
        ffmpeg_program(),
        "-hide_banner",
        "-loglevel",
        "error",
        "-y",
        *raw,
        *heard,
        *video,
        *extra,
        f"file:{path}",
    ]
    subprocess.run(argv, input=numbered(count).tobytes(), check=True, timeout=300)
    return path


def flash_and_beep(path: Path, at: float, seconds: float = 4.0, extra: Sequence[str] = ()) -> Path:
    """A black, silent video; for a fifth of a second from `at` it is white and beeps at 1 kHz."""
    during = f"between(t,{at},{at + 0.2})"
    picture = f"color=black:s=64x64:r=30:d={seconds},drawbox=t=fill:c=white:enable='{during}'"
    beep = f"aevalsrc='0.8*sin(2*PI*1000*t)*{during}':s=44100:d={seconds}"
    run("-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", beep, *H264, *extra, path)
    return path


def listed(path: Path, video: str = "v", label: str = "a", split: str = "train") -> Video:
    """A row of the manifest for one file."""
    facts = probe_file(path)
    return Video(video, str(path), split, (label,), **vars(facts))


def decoded(
    path: Path, media: MediaConfig = WHOLE, pictures: Literal["clips", "moments"] = "clips"
) -> Decoded:
    """A file decoded as the stage would."""
    return decode(listed(path).source, media, pictures)


def shown_at(frames: int, rate: Fraction, slot: int) -> int:
    """The frame of a video that the 30 fps grid shows at a slot.

    It is the last frame whose time, rounded to the grid, is not later than the slot.
    """
    return max(n for n in range(frames) if int(n * 30 / rate + Fraction(1, 2)) <= slot)


def tones(waveform: np.ndarray) -> list[int]:
    """The strongest frequency in the middle of each whole second, to the nearest 10 Hz.

    0 where it is silent.
    """
    found = []
    for second in range(len(waveform) // 16000):
        middle = waveform[second * 16000 + 1600 :][:12800].astype(float)
        power = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
        found.append(round(int(power.argmax()) * 1.25, -1) if power.max() > 1e4 else 0)
    return [int(each) for each in found]


def playlists(folder: Path, clip: Path) -> list[Path]:
    """Lists of other files, under the name of a video."""
    shutil.copy(clip, folder / "clip.mp4")
    hls = "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nclip.mp4\n#EXT-X-ENDLIST\n"
    dash = (
        '<?xml version="1.0"?><MPD '
        'xmlns="urn:mpeg:dash:schema:mpd:2011"><Period><BaseURL>clip.mp4</BaseURL></Period></MPD>'
    )
    contents = {"hls": hls, "concat": "ffconcat version 1.0\nfile clip.mp4\n", "dash": dash}
    for name, content in contents.items():
        (folder / f"{name}.mp4").write_text(content)
    return [folder / f"{name}.mp4" for name in contents]
