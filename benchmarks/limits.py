"""How far the stages are from their limits: each line is a ratio to a limit or a peer measured in
the same run, on one core.

    python benchmarks/limits.py [VIDEO]

VIDEO is decoded against a plain full decode by the same ffmpeg; without one a 30 s 640x360 test
picture is made.
"""

import functools
import subprocess
import sys
import tempfile
from pathlib import Path

import librosa
import numpy as np
import torch

from l2l.config import MediaConfig, MelsConfig
from l2l.features.artifact import VideoFeatures, complete_root, read_features, write_features
from l2l.manifest.probe import probe_file
from l2l.media.decode import decode
from l2l.media.ffmpeg import ffmpeg_program
from l2l.mels.spectrogram import log_mel
from l2l.student.network import Student
from l2l.teacher.network import R2Plus1D
from l2l.tools.plan import rates

cpu_seconds = functools.partial(rates.cpu_seconds, runs=5)  # the median of five


def test_picture(folder: Path) -> Path:
    """A 30 s 640x360 H.264 video with a tone."""
    path = folder / "test.mp4"
    seen = [
        "-f",
        "lavfi",
        "-i",
        "testsrc2=s=640x360:r=30:d=30",
        "-f",
        "lavfi",
        "-i",
        "sine=440:d=30:r=44100",
    ]
    subprocess.run(
        [ffmpeg_program(), "-v", "error", *seen, "-c:v", "libx264", "-c:a", "aac", path], check=True
    )
    return path


def decoding(path: Path) -> None:
    """Frames and sound against a full decode that throws everything away."""
    facts, media = probe_file(path), MediaConfig()
    plain = [
        ffmpeg_program(),
        "-v",
        "error",
        "-nostdin",
        "-threads",
        "1",
        "-i",
        path,
        "-f",
        "null",
        "-",
    ]
    limit = cpu_seconds(lambda: subprocess.run(plain, check=True, capture_output=True))
    streams = (facts.video_stream, facts.audio_stream, facts.duration_seconds)
    for pictures in ("clips", "moments"):
        ours = cpu_seconds(lambda pictures=pictures: decode(path, media, *streams, pictures))
        print(
            f"decode, {pictures}: {limit / ours:.2f} of the rate of a full decode that keeps "
            "nothing"
        )


def hearing() -> None:
    """Mels against librosa's, window by window."""
    windows, mels = (
        np.random.default_rng(0).integers(-9000, 9000, (256, 16_000)).astype(np.int16),
        MelsConfig(),
    )

    def peer() -> None:
        for window in windows:
            librosa.feature.melspectrogram(
                y=window / 32768,
                sr=16_000,
                n_fft=400,
                hop_length=160,
                n_mels=40,
                htk=True,
                norm=None,
            )

    ours = cpu_seconds(lambda: log_mel(windows, mels))
    print(
        f"mels: {cpu_seconds(peer) / ours:.1f} times librosa's rate, {len(windows) / ours:.0f} "
        "times real time"
    )


def looking() -> None:
    """The full-size networks' forward passes against the rate of a large matrix product."""
    a = torch.randn(2048, 2048)
    peak = 2048**3 / cpu_seconds(lambda: a @ a)
    batch = 32
    student = Student(("image", "audio"), 200).eval().to(memory_format=torch.channels_last)
    frames, mels, sound = (
        torch.randn(batch, 3, 112, 112),
        torch.randn(batch, 101, 40),
        torch.ones(batch, dtype=torch.bool),
    )
    teacher, clips = (
        R2Plus1D(400).eval().to(memory_format=torch.channels_last_3d),
        torch.randn(2, 3, 16, 112, 112),
    )
    macs = {
        "student": 1.098e9 * batch,
        "teacher": 40.519e9 * len(clips),
    }  # counted: l2l.evaluation.cost
    with torch.inference_mode():
        spent = {
            "student": cpu_seconds(lambda: student(frames, mels, sound)),
            "teacher": cpu_seconds(lambda: teacher(clips)),
        }
    for name, seconds in spent.items():
        print(
            f"{name}: {macs[name] / seconds / peak:.2f} of the rate of a 2048 x 2048 matrix product"
        )


def reading(folder: Path) -> None:
    """Features out of the store against the same bytes out of plain files."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(100):
        x = rng.normal(size=(220, 512)).astype(np.float32)
        rows.append(
            (f"v{i}", VideoFeatures({"image": x, "audio": x}, x, x[:, :200], np.ones(220, bool)))
        )
        for name, part in (("image", x), ("audio", x), ("fused", x), ("scores", x[:, :200])):
            np.save(folder / f"{name}{i}.npy", part.astype(np.float16))
    write_features(folder / "set/shard-000", rows, ["c"] * 200, "float16", 2048, {})
    complete_root(folder / "set", [folder / "set/shard-000"])
    features = read_features(folder / "set")
    ours = cpu_seconds(lambda: [features.load(video) for video in features.videos])
    plain = cpu_seconds(lambda: [np.load(path).astype(np.float32) for path in folder.glob("*.npy")])
    print(f"features: {plain / ours:.2f} of the rate of one .npy file per video and feature")


def main() -> None:
    """Print every ratio."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        decoding(Path(sys.argv[1]) if len(sys.argv) > 1 else test_picture(Path(folder)))
        hearing()
        looking()
        reading(Path(folder))


if __name__ == "__main__":
    main()
