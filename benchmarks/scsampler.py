"""What choosing clips costs next to recognising them all and next to decoding: CPU seconds of one
video of 117 s, 640x360, ActivityNet's mean length, at the paper's sizes, as a table in markdown.

    OMP_NUM_THREADS=1 python benchmarks/scsampler.py [--runs N]

One thread; the smallest of the runs. The weights are drawn: the time does not depend on them. The
recogniser is timed on `RECOGNISED` clips, and the row of all clips is that times their number.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from bench import machine, seconds
from ratios.sparse_pictures import drawn_video, full_decode

from l2l.acceleration import to_channels_last
from l2l.config import MediaConfig, MelsConfig, MotionConfig, SamplerConfig
from l2l.manifest.source import Source
from l2l.media.decode import decode
from l2l.mels.spectrogram import log_mel
from l2l.motion.artifact import Motion
from l2l.motion.cells import CellReader
from l2l.motion.proxy import code_proxy
from l2l.sampler.network import CHANNELS, Input, PictureNetwork, build_network
from l2l.student.network import mel_input
from l2l.teacher.inference import for_inference
from l2l.teacher.network import R2Plus1D

VIDEO_SECONDS = 117
MEDIA, MOTION, MELS, SAMPLER = MediaConfig(), MotionConfig(), MelsConfig(), SamplerConfig()
CLASSES = 200
RECOGNISED = 10  # K
CPU = torch.device("cpu")


def least_seconds(call: Callable[[], object], runs: int) -> float:
    """The smallest CPU time of some runs, after one that is not counted."""
    call()
    return min(seconds(call) for _ in range(runs))


def read_again(source: Source, what: str) -> None:
    """Decode a file whose packets no process holds any more."""
    source.path.touch()
    decode(source, MEDIA, what)


def motion_of(source: Source) -> Motion:
    """The motion of a whole video, through its proxy."""
    with CellReader(MOTION) as cells:
        _, motion = cells.read(lambda take: code_proxy(source, MEDIA, MOTION, take))
    return motion


@torch.inference_mode()
def score(network: PictureNetwork, pictures: Sequence[torch.Tensor]) -> None:
    """Every picture of a video, in batches."""
    for batch in pictures:
        network(batch, torch.arange(len(batch)), len(batch))


def network_rows(motion: Motion, mels: np.ndarray, frames: np.ndarray) -> dict[str, Callable]:
    """A call for each network on all it reads of the video."""
    moving = motion.moves
    read: dict[Input, torch.Tensor] = {
        "displacement": torch.from_numpy(motion.displacement[moving]).float(),
        "residual": torch.from_numpy(motion.residual[moving]).float(),
        "frame": torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255,
        "audio": mel_input(torch.from_numpy(mels), MELS.floor)[:, None],
    }
    calls: dict[str, Callable] = {}
    for kind, pictures in read.items():
        for name in ("vgg",) if kind == "audio" else ("resnet18", "shufflenet26"):
            outputs = 1 if kind == "audio" else CLASSES
            network = to_channels_last(build_network(kind, name, outputs, SAMPLER).eval(), CPU)
            assert pictures.shape[1] == CHANNELS[kind]
            batches = pictures.split(SAMPLER.batch_pictures)
            calls[f"{name} on {len(pictures)} pictures of {kind}"] = (
                lambda network=network, batches=batches: score(network, batches)
            )
    return calls


def rows(source: Source, runs: int) -> tuple[dict[str, float], int]:
    """CPU seconds by what is done, and the number of clips."""
    spent = {
        "full decode, pictures and sound, nothing kept": least_seconds(
            lambda: full_decode(source), runs
        ),
        "media: frames of moments, and sound": least_seconds(
            lambda: read_again(source, "moments"), runs
        ),
        "media: clips, and sound": least_seconds(lambda: read_again(source, "clips"), runs),
        "motion: proxy made and read": least_seconds(lambda: motion_of(source), runs),
    }
    decoded = decode(source, MEDIA, "moments")
    windows, count = decoded.windows(), decoded.moments
    spent["mels"] = least_seconds(lambda: log_mel(windows, MELS), runs)
    frames = np.zeros((count, MEDIA.frame_pixels, MEDIA.frame_pixels, 3), np.uint8)
    calls = network_rows(motion_of(source), log_mel(windows, MELS), frames)
    spent |= {name: least_seconds(call, runs) for name, call in calls.items()}
    describe = for_inference(R2Plus1D(400).eval(), CPU)
    side = MEDIA.frame_pixels
    clips = torch.randn(RECOGNISED, 3, MEDIA.clip_frames, side, side)
    with torch.inference_mode():
        recognising = least_seconds(lambda: describe(clips), 1)
    spent[f"R(2+1)D-18 on {RECOGNISED} clips"] = recognising
    spent[f"R(2+1)D-18 on all {count} clips"] = recognising * count / RECOGNISED
    return spent, count


def totals(spent: Mapping[str, float]) -> dict[str, float]:
    """What the parts add up to: choosing by eye, by eye and ear, and both systems whole."""

    def of(*beginnings: str) -> float:
        return sum(
            each
            for name, each in spent.items()
            if any(name.startswith(part) for part in beginnings)
        )

    seen = of("motion:") + sum(
        each
        for name, each in spent.items()
        if name.startswith("resnet18") and not name.endswith("frame")
    )
    heard, clips = of("mels", "vgg"), of("media: clips")
    return {
        "choosing by eye: motion, two ResNet-18": seen,
        "choosing by eye and ear (union list)": seen + heard,
        f"SCSampler: clips decoded, union list, {RECOGNISED} recognised": clips
        + seen
        + heard
        + of(f"R(2+1)D-18 on {RECOGNISED}"),
        "dense: clips decoded, all recognised": clips + of("R(2+1)D-18 on all"),
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--runs", type=int, default=3, help="of each row; default 3")
    options = parser.parse_args()
    if os.environ.get("OMP_NUM_THREADS") != "1":
        sys.exit("set OMP_NUM_THREADS=1: libraries read it when they are imported")
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="l2l-bench-") as folder:
        source = drawn_video(Path(folder) / "a.mp4", 640, 360, seconds=VIDEO_SECONDS)
        spent, count = rows(source, options.runs)
    decoding, everything = next(iter(spent.values())), spent[f"R(2+1)D-18 on all {count} clips"]
    print(f"{machine()}; smallest of {options.runs} runs, CPU seconds of {VIDEO_SECONDS} s.\n")
    print("| what | CPU s | of a full decode | of the recogniser on all clips |")
    print("|---|---|---|---|")
    for name, each in (spent | totals(spent)).items():
        print(f"| {name} | {each:.2f} | {each / decoding:.2f} | {each / everything:.1%} |")


if __name__ == "__main__":
    main()
