"""How fast this machine is at what a run is made of, in seconds of one core, or of the GPU for
networks.
"""

import functools
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from l2l.acceleration import to_channels_last
from l2l.config import Config, as_json
from l2l.datasets import DemoDataset
from l2l.errors import BadInput
from l2l.evaluation.cost import count_macs
from l2l.jobs.machine import spent_cpu_seconds
from l2l.manifest.files import walk_files
from l2l.manifest.probe import probe_file
from l2l.manifest.source import Source
from l2l.media.decode import decode
from l2l.media.pictures import decode_picture, encode
from l2l.mels.spectrogram import floor_of, log_mel, mel_shape
from l2l.moments import WINDOW_SAMPLES
from l2l.motion.cells import proxy_motion
from l2l.motion.proxy import code_proxy
from l2l.sections import Section
from l2l.student.artifact import build_student
from l2l.teacher.network import R2Plus1D
from l2l.text_files import read_yaml

Seconds = Annotated[float, Field(ge=0)]


class Rates(Section):
    """Seconds of work; the defaults are those of the demo's networks on one core of the server it
    was written on.
    """

    gpu: bool = False  # whether the networks' seconds are a GPU's
    start: Seconds = 3.0  # of a job that uses torch
    light_start: Seconds = 1.0  # of any other
    draw: Seconds = 0.0094  # a second of drawn video
    listing: Seconds = 0.001  # a video: opening its file
    decode_start: Seconds = 0.031  # a file
    decode: Seconds = 0.0025  # a second of video, with its sound
    decode_pixel: Seconds = 8.5e-8  # a second of video and pixel of its pictures
    encode: Seconds = 0.0002  # a picture stored
    read: Seconds = 0.0002  # a stored picture
    read_mel: Seconds = 0.0001  # a stored mel
    mel: Seconds = 0.00033  # a moment
    code_pixel: Seconds = 4e-8  # a pixel of a proxy's picture: coded, read back, made to cells
    teacher_forward: Seconds = 0.075  # 10^9 multiply-accumulates
    teacher_train: Seconds = 0.18  # and backward, and the step
    student_forward: Seconds = 0.05
    student_train: Seconds = 0.24
    skimmer_train: Seconds = 0.3
    step: Seconds = 0.0  # a training's step takes at least so long
    evaluate: Seconds = 0.1  # a test video, by every method, at every factor, and by the variants


def read_rates(path: Path) -> Rates:
    """Rates from a YAML file.

    Raises:
        BadInput: if it is missing or holds anything else.
    """
    try:
        return Rates.model_validate(read_yaml(path, "rates"))
    except (BadInput, ValueError) as error:
        raise BadInput(
            f"{path}: no rates ({' '.join(str(error).split())}); --measure --rates {path} writes "
            "some"
        ) from None


def macs(network: Callable[..., object], *inputs: object) -> float:
    """Multiply-accumulates of a forward pass (10^9)."""
    return count_macs(lambda: network(*inputs)) / 1e9


def cpu_seconds(call: Callable[[], object], runs: int = 3) -> float:
    """Median time of a call after a warm-up.

    CPU time of this process and its children, or, with a GPU, the clock's.
    """
    call()
    seconds = []
    for _ in range(runs):
        before = _now()
        call()
        seconds.append(_now() - before)
    return sorted(seconds)[runs // 2]


def _now() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
        return time.monotonic()
    return spent_cpu_seconds()  # also of the process that decodes, which goes on


def measured(config: Config, example: Path | None, classes: int) -> Rates:
    """The rates of this machine: a minute or so of small probes, each of the stages' own code.

    Args:
        config: sizes of pictures and networks.
        example: a video of the target; without one a demo's is drawn.
        classes: of the target.
    """
    torch.set_num_threads(1)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    rates = Rates().model_dump() | {"gpu": device.type == "cuda"}
    with tempfile.TemporaryDirectory() as folder:
        rates |= _of_video(config, example, Path(folder))
    windows = np.random.default_rng(0).integers(-9000, 9000, (64, WINDOW_SAMPLES)).astype(np.int16)
    rates["mel"] = cpu_seconds(lambda: log_mel(windows, config.mels)) / len(windows)
    return Rates.model_validate(rates | _of_networks(config, classes, device))


def _of_video(config: Config, example: Path | None, folder: Path) -> dict[str, float]:
    """Drawing, opening, decoding, storing and reading back."""
    rates: dict[str, float] = {}
    if example is None:
        sizes = {
            "train": 1,
            "val": 1,
            "test": 1,
            "min_seconds": 30.0,
            "max_seconds": 30.0,
            "side_pixels": 64,
        }
        dataset = DemoDataset.model_validate(
            {"role": "both", "shards": 1, "adapter": "demo", "kind": "untrimmed", **sizes}
        )
        argv = [
            sys.executable,
            "-m",
            "l2l",
            "render_demo",
            "--videos",
            str(folder / "drawn"),
            "--seed",
            "0",
            "--dataset",
            as_json(dataset),
        ]
        rates["draw"] = cpu_seconds(lambda: subprocess.run(argv, check=True), runs=1) / 90
        example = next(path for path in walk_files(folder / "drawn") if path.suffix == ".mp4")
    facts = probe_file(example)
    rates["listing"] = cpu_seconds(lambda: probe_file(example))
    source = facts.source(example)
    spent = cpu_seconds(lambda: decode(source, config.media, "moments"))
    seconds, pixels = max(1.0, facts.duration_seconds), facts.width * facts.height
    rates["decode_pixel"] = max(
        0.0, (spent - Rates().decode_start) / seconds - Rates().decode
    ) / max(1, pixels)
    pictures = decode(source, config.media, "moments").pictures.as_array()
    stored = [encode(picture, config.media.jpeg_quality) for picture in pictures]
    side, quality = config.media.frame_pixels, config.media.jpeg_quality
    rates["encode"] = cpu_seconds(lambda: [encode(picture, quality) for picture in pictures]) / len(
        pictures
    )
    rates["read"] = cpu_seconds(
        lambda: [decode_picture(each, side, quality) for each in stored]
    ) / len(stored)
    rates["code_pixel"] = _of_motion(config, source, spent)
    return rates


def _of_motion(config: Config, source: Source, decode_seconds: float) -> float:
    """Coding and reading a proxy, per pixel, above decoding its video."""
    section, coded = config.motion, bytearray()

    def code_and_read() -> None:
        coded.clear()
        code_proxy(source, config.media, section, coded.extend)
        pictures = proxy_motion(iter([bytes(coded)]), section.pixels, section.gop_pictures)
        counts.append(sum(len(motion.gop_position) for motion in pictures))

    counts: list[int] = []
    spent = cpu_seconds(code_and_read) - decode_seconds
    return max(0.0, spent) / (counts[0] * section.pixels**2)


def _of_networks(config: Config, classes: int, device: torch.device) -> dict[str, float]:
    """A second's worth of each network's batches, forward, and forward and backward."""
    side, clip_frames, batch = (
        config.media.frame_pixels,
        config.media.clip_frames,
        32 if device.type == "cuda" else 4,
    )
    teacher = to_channels_last(
        R2Plus1D(classes, config.teacher.widths, config.teacher.blocks), device
    )
    student = build_student(
        config.student,
        config.student.modalities,
        classes,
        config.teacher.widths[-1],
        mel_shape(config.mels)[1],
    )
    student = to_channels_last(student, device)
    clips = torch.randn(batch, 3, clip_frames, side, side, device=device)
    moments = 8 * batch
    frames, mels = student.inputs(
        torch.randint(256, (moments, side, side, 3), dtype=torch.uint8, device=device),
        torch.randn(moments, *mel_shape(config.mels), device=device),
        floor_of(config.mels),
    )
    student_inputs = (frames, mels, torch.ones(moments, dtype=torch.bool, device=device))
    rates = {}
    networks: tuple[tuple[str, nn.Module, tuple[Tensor, ...]], ...] = (
        ("teacher", teacher, (clips,)),
        ("student", student, student_inputs),
    )
    for name, network, inputs in networks:
        work = len(inputs[0]) * macs(network.eval(), *(each[:1] for each in inputs))
        with torch.inference_mode():
            rates[f"{name}_forward"] = cpu_seconds(functools.partial(network, *inputs)) / work
        rates[f"{name}_train"] = (
            cpu_seconds(functools.partial(_step, network.train(), inputs)) / work
        )
    return rates


def _step(network: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    network.zero_grad()
    network(*inputs)[1].square().mean().backward()
