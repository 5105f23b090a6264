"""How fast a GPU trains, describes and answers, next to its own rate of matrix products: tables in
markdown, printed and written to benchmarks/results/<card>.md.

    python benchmarks/gpu.py                 # on a machine with a GPU
    python benchmarks/gpu.py --parts forward # some of: forward, distillation, answers
    python benchmarks/gpu.py --cpu           # the same calls on a CPU with tiny sizes; no file

Each number is the median of several calls, by the clock, after some to warm up; the GPU has to be
quiet. Work is counted in multiply-accumulates, TMAC = 10^12.
"""

import argparse
import copy
import functools
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import bench
import numpy as np
import torch
from ratios.pictures import drawn
from ratios.sparse_pictures import drawn_video
from torch import Tensor
from torch.utils.data import Dataset, TensorDataset

from l2l import acceleration
from l2l.acceleration import Inference, for_training, to_channels_last
from l2l.apply import networks
from l2l.apply.predictor import Predictor
from l2l.config import (
    NOT_ACCELERATED,
    AccelerationConfig,
    Config,
    TrainingConfig,
    check_config,
    merge_configs,
)
from l2l.evaluation.cost import count_macs
from l2l.jobs.machine import usable_cores
from l2l.jobs.processes import device
from l2l.loading import load_batches
from l2l.manifest.artifact import Video
from l2l.media.artifact import read_media, write_media
from l2l.media.decoded import Decoded
from l2l.media.pictures import EncodedPictures, encode
from l2l.mels.artifact import read_mels, write_mels
from l2l.mels.spectrogram import floor_of, mel_shape
from l2l.moments import MOMENT_FRAMES
from l2l.skimmer.artifact import TrainedSkimmer, build, save_skimmer
from l2l.student import inference
from l2l.student.artifact import build_student, digest_of, load_student, save_student
from l2l.student.inference import StudentInference
from l2l.student.loss import distillation_loss
from l2l.student.network import Student
from l2l.student.stage import Moments
from l2l.teacher.inference import gpu_teacher
from l2l.teacher.network import AnyTeacher, as_input, build_teacher
from l2l.training import train

CONFIGS = Path(__file__).parents[1] / "workflow/configs"
RESULTS = Path(__file__).parent / "results"
PARTS = ("forward", "distillation", "answers")
BOTH = ("image", "audio")
CLASSES = [f"class {i}" for i in range(200)]
# How a network computes, from what PyTorch does by itself to all that l2l can do.
WAYS = {
    "float32": NOT_ACCELERATED,
    "bfloat16": AccelerationConfig(bfloat16=True),
    "bfloat16, compiled": AccelerationConfig(bfloat16=True, compile="default"),
    "bfloat16, CUDA graphs": AccelerationConfig(bfloat16=True, compile="reduce-overhead"),
}


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    Attributes:
        configs: files in workflow/configs whose networks are built.
        matrix: side of the matrices of the product.
        clips: per batch of the teacher.
        moments: per batch of the student.
        steps: of distillation that are measured; as many warm up.
        batch_size: moments per step of distillation.
        stored: moments that are loaded from stores.
        workers: processes that load.
        videos: that are answered for.
        seconds: of each.
        pixels: width and height of each.
        calls: that a median is taken of; as many warm up.
    """

    configs: tuple[str, ...] = ("paper", "activitynet")
    matrix: int = 8192
    clips: tuple[int, ...] = (16, 64)
    moments: tuple[int, ...] = (64, 256)
    steps: int = 100
    batch_size: int = 16
    stored: int = 4096
    workers: tuple[int, ...] = (0, 1, 2, 4, 8)
    videos: int = 32
    seconds: int = 117
    pixels: tuple[int, int] = (640, 360)
    calls: int = 20


TINY = Sizes(("tiny",), 64, (2,), (4,), 3, 4, 12, (0, 1), 2, 2, (64, 64), 1)


def milliseconds(call: Callable[[], object], calls: int) -> float:
    """The median of some calls, after as many to warm up."""
    taken = []
    for _ in range(2 * calls):
        start = now()
        call()
        taken.append(now() - start)
    return 1000 * statistics.median(taken[calls:])


def now() -> float:
    """Seconds of the clock, once the GPU has done all that it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table in markdown under its title."""
    lines = [f"## {title}", "", f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(map(str, row))} |" for row in rows), ""])


def matrix_rate(side: int, calls: int, where: torch.device) -> float:
    """Multiply-accumulates per second of a large product in bfloat16."""
    a, b = (torch.randn(side, side, device=where, dtype=torch.bfloat16) for _ in range(2))
    return side**3 / (milliseconds(lambda: a @ b, calls) / 1000)


def forward_table(config: Config, sizes: Sizes, where: torch.device, rate: float) -> str:
    """The teacher and the student, as they come and as l2l computes them."""
    rows = []
    for batch in sizes.clips:
        clips = drawn_pictures(config, batch, config.media.clip_frames)
        teacher = build_teacher(
            config.teacher.network, 400, config.teacher.widths, config.teacher.blocks
        ).eval()
        inputs = as_input(torch.from_numpy(clips).to(where), config.teacher.network)
        macs = batch * count_macs(lambda: teacher(inputs[:1].cpu()))  # noqa: B023 - called here
        plain = teacher.to(where)
        calls = {"PyTorch's own": lambda: plain(inputs.contiguous())}  # noqa: B023
        calls |= {name: describer(plain, where, way, batch, inputs) for name, way in WAYS.items()}
        rows += lines_of("teacher", "clips", batch, calls, macs, sizes.calls, rate)
    for batch in sizes.moments:
        student = a_student(config)
        frames = drawn_pictures(config, batch)
        mels = np.zeros((batch, *mel_shape(config.mels)), np.float32)
        heard = np.ones(batch, bool)
        frames_there, mels_there, heard_there = (
            torch.from_numpy(x).to(where) for x in (frames, mels, heard)
        )
        inner = *student.inputs(frames_there, mels_there, floor_of(config.mels)), heard_there
        seen = tuple(x.contiguous() for x in inner)
        macs = batch * count_macs(lambda: student(*(x[:1].cpu() for x in seen)))  # noqa: B023
        plain_student = copy.deepcopy(student).to(where)
        calls = {"PyTorch's own": lambda: plain_student(*seen)}  # noqa: B023
        for name, way in WAYS.items():
            moved = to_channels_last(copy.deepcopy(student), where)
            compute = StudentInference(moved, where, batch, way).compute
            calls[name] = functools.partial(compute, *inner)
        rows += lines_of("student", "moments", batch, calls, macs, sizes.calls, rate)
    columns = ("network", "batch", "computed", "ms", "per second", "TMAC/s", "share of the product")
    return table("Forward", columns, rows)


def describer(
    teacher: AnyTeacher,
    where: torch.device,
    way: AccelerationConfig,
    batch: int,
    inputs: Tensor,
) -> Callable[[], object]:
    """A call of the teacher as a GPU describes clips."""
    describe: Inference = gpu_teacher(teacher, where, way, batch)
    return lambda: describe(inputs)


def lines_of(
    network: str,
    unit: str,
    batch: int,
    calls: dict[str, Callable[[], object]],
    macs: float,
    repeats: int,
    rate: float,
) -> Iterator[list[str]]:
    """A line of the table for each way to compute a network."""
    for name, call in calls.items():
        print(f"{network}, {batch} {unit}: {name}", file=sys.stderr, flush=True)
        torch.compiler.reset()  # it stops to compile one function for many callers
        with torch.inference_mode():
            taken = milliseconds(call, repeats)
        reached = macs / (taken / 1000)
        yield [
            *(network, f"{batch} {unit}", name, f"{taken:.3g}", f"{1000 * batch / taken:.4g}"),
            *(f"{reached / 1e12:.3g}", f"{reached / rate:.2f}"),
        ]


def drawn_pictures(config: Config, count: int, frames: int | None = None) -> np.ndarray:
    """Grainy pictures, uint8: (count, side, side, 3), or clips of so many frames."""
    side = config.media.frame_pixels
    shape = (count, side, side, 3) if frames is None else (count, frames, side, side, 3)
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def a_student(config: Config) -> Student:
    """A student with random numbers, with the settings of a saved one."""
    torch.manual_seed(1)
    width = config.teacher.widths[-1]
    student = build_student(
        config.student, BOTH, len(CLASSES), width, mel_shape(config.mels)[1]
    ).eval()
    student.settings = {"mels": config.mels.model_dump(mode="json")}
    return student


# ---- training ------------------------------------------------------------------------------------


def distillation_table(
    config: Config, sizes: Sizes, where: torch.device, folder: Path
) -> Iterator[str]:
    """Steps of distillation, from batches in memory; then how fast batches are loaded."""
    rows, fastest, first = [], float("inf"), 0.0
    for name, way in WAYS.items():
        print(f"distillation: {name}", file=sys.stderr, flush=True)
        taken = step_milliseconds(config, sizes, where, way)
        fastest, first = min(fastest, taken), first or taken
        rows.append(
            [name, f"{taken:.3g}", f"{1000 * sizes.batch_size / taken:.4g}", f"{first / taken:.2f}"]
        )
    columns = ("computed", "ms per step", "moments per second", "times float32")
    yield table(f"Distillation, {sizes.batch_size} moments per step", columns, rows)
    loaded = []
    for workers, rate in loading_rates(config, sizes, folder):
        taken = 1000 * sizes.batch_size / rate
        loaded.append([workers, f"{rate:.4g}", f"{taken:.3g}", f"{taken / fastest:.2f}"])
    columns = ("processes", "moments per second", "ms per batch", "share of the fastest step")
    yield table("Loading the batches of distillation from stores", columns, loaded)


def step_milliseconds(
    config: Config, sizes: Sizes, where: torch.device, way: AccelerationConfig
) -> float:
    """A step of l2l's own training loop: the median of the time from one step to the next."""
    torch.compiler.reset()
    count = 2 * sizes.steps * sizes.batch_size
    frames = torch.from_numpy(drawn_pictures(config, sizes.batch_size)).repeat(
        count // sizes.batch_size, 1, 1, 1
    )
    student = for_training(a_student(config), where, way)
    dataset = TensorDataset(
        frames,
        torch.zeros(count, *mel_shape(config.mels)),
        torch.ones(count, dtype=torch.bool),
        torch.zeros(count, config.teacher.widths[-1]),
        torch.zeros(count, len(CLASSES)),
    )
    starts: list[float] = []

    def loss(batch: Sequence[Tensor]) -> Tensor:
        starts.append(now())
        seen, mels, heard, descriptors, scores = (x.to(where) for x in batch)
        descriptor, ours = student(*student.inputs(seen, mels, floor_of(config.mels)), heard)
        return distillation_loss(descriptor.float(), ours.float(), descriptors, scores, 100.0)

    schedule = TrainingConfig(
        epochs=1, batch_size=sizes.batch_size, learning_rate=1e-6, bfloat16=way.bfloat16
    )
    train(student, [{"params": student.parameters()}], dataset, loss, schedule, dict)
    taken = np.diff(starts)[sizes.steps :]
    return 1000 * float(np.median(taken))


def loading_rates(config: Config, sizes: Sizes, folder: Path) -> Iterator[tuple[int, float]]:
    """Moments per second that so many processes load."""
    media, mels = folder / "media.h5", folder / "mels.h5"
    picture = encode(np.resize(drawn(), (config.media.frame_pixels,) * 2 + (3,)), 90)
    frames = (sizes.stored + 1) * MOMENT_FRAMES
    with write_media(media, config.media, clips_stored=False) as writer:
        pictures = EncodedPictures(config.media.frame_pixels, 90, [picture] * (sizes.stored + 1))
        needs = np.zeros((sizes.stored, 3), np.int64)
        writer.add(
            Video("v", "v.mp4", "train", ("class 0",)),
            Decoded(
                *("ok", "", frames, MOMENT_FRAMES, pictures, np.zeros(0, np.int16)),
                *(np.zeros((0, 2), np.int64), config.media.grid),
                frames_total=frames,
                frame_needs=needs,
            ),
        )
    shape = mel_shape(config.mels)
    heard = np.zeros((sizes.stored, *shape), np.float16), np.ones(sizes.stored, bool)
    write_mels(mels, {"v": heard}, config.mels, shape)
    with read_media(media) as m, read_mels(mels) as s:
        places = [("v", k) for k in range(sizes.stored)]
        moments = Moments(places, [()] * sizes.stored, {"v": m}, {"v": s})
        for workers in sizes.workers:
            print(f"loading: {workers} processes", file=sys.stderr, flush=True)
            yield workers, sizes.stored / seconds_of_loading(moments, workers, sizes.batch_size)


def seconds_of_loading(moments: Dataset, workers: int, batch_size: int) -> float:
    """All moments once, in batches; the start of the processes is part of it."""
    start = time.perf_counter()
    for _ in load_batches(moments, workers, 0, batch_size=batch_size):
        pass
    return time.perf_counter() - start


# ---- answering -----------------------------------------------------------------------------------


def answers_table(config: Config, sizes: Sizes, folder: Path) -> str:
    """Videos per second that a finished run of these sizes answers for, sound and all."""
    run = random_run(config, folder / "run")
    videos = [folder / f"videos/{i}.mp4" for i in range(sizes.videos)]
    videos[0].parent.mkdir()
    drawn_video(videos[0], *sizes.pixels, seconds=sizes.seconds)
    for path in videos[1:]:
        path.write_bytes(videos[0].read_bytes())
    rows = []
    for name, way in WAYS.items():
        torch.compiler.reset()
        predictor = Predictor(run, acceleration=way)
        predictor.predict(videos[0])
        for factor in (1, 5):
            print(f"answers: {name}, 1 moment in {factor}", file=sys.stderr, flush=True)
            for path in videos:
                path.touch()  # it is read again
            start = now()
            answered = list(predictor.predict_many(videos, factor=factor))
            taken = now() - start
            assert all(each.answered for each in answered)
            moments = sum(each.moments_read for each in answered)
            rows.append([name, factor, f"{len(videos) / taken:.3g}", f"{moments / taken:.4g}"])
    columns = ("computed", "1 moment in", "videos per second", "moments per second")
    size = f"{sizes.seconds} s at {sizes.pixels[0]}x{sizes.pixels[1]}"
    title = f"Answers for {sizes.videos} videos of {size}, decoded by {usable_cores()} cores"
    return table(title, columns, rows)


def random_run(config: Config, folder: Path) -> Path:
    """The networks of a finished run as they were drawn."""
    torch.manual_seed(1)
    path = folder / f"student/finetuned/{'-'.join(BOTH)}-distilled.pt"
    width = config.teacher.widths[-1]
    student = build_student(config.student, BOTH, len(CLASSES), width, mel_shape(config.mels)[1])
    save_student(path, student, config.student, CLASSES, True, config.media, config.mels)
    own = {"image": config.student.image_widths[-1], "audio": config.student.audio_widths[-1]}
    widths = {name: config.student.stream_width or each for name, each in own.items()}
    network = build("skimmer", widths, len(CLASSES), sum(widths.values()), width, config.skimmer)
    digest = digest_of(load_student(path))
    steps = config.skimmer.steps
    trained = TrainedSkimmer(network, "skimmer", CLASSES, steps, student_digest=digest)
    save_skimmer(folder / "skimmer/skimmer.pt", trained, widths, config.skimmer)
    return folder


# ---- the page ------------------------------------------------------------------------------------


def driver() -> str:
    """The driver's version and the card's limit of power, where nvidia-smi says them."""
    asked = ["nvidia-smi", "--query-gpu=driver_version,power.limit", "--format=csv,noheader"]
    try:
        said = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return "driver not known"
    return f"driver and limit of power: {said.splitlines()[0]}"


def measure(sizes: Sizes, where: torch.device, parts: Sequence[str]) -> Iterator[str]:
    """The tables of some parts, as they are measured."""
    paths = [CONFIGS / f"{name}.yaml" for name in sizes.configs]
    config = check_config(merge_configs(*paths), " ".join(sizes.configs))
    yield f"{bench.machine()}; CUDA {torch.version.cuda}, {driver()}.\n"
    rate = matrix_rate(sizes.matrix, sizes.calls, where)
    side = sizes.matrix
    yield f"Product of {side} x {side} matrices in bfloat16: {rate / 1e12:.4g} TMAC/s.\n"
    with tempfile.TemporaryDirectory(prefix="l2l-bench-") as folder:
        if "forward" in parts:
            yield forward_table(config, sizes, where, rate)
        if "distillation" in parts:
            yield from distillation_table(config, sizes, where, Path(folder))
        if "answers" in parts:
            yield answers_table(config, sizes, Path(folder))


def write_page(folder: Path, card: str, tables: Sequence[str]) -> Path:
    """Write what was measured to the card's own file; an older one is replaced."""
    path = folder / f"{re.sub('[^a-z0-9]+', '-', card.lower()).strip('-')}.md"
    command = "`python benchmarks/gpu.py` wrote this file."
    path.write_text("\n".join([f"# {card}", "", command, "", *tables]), encoding="utf-8")
    return path


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and write the file of the card.

    Returns:
        0 when all was measured, 1 without a GPU.
    """
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--cpu", action="store_true", help="a dry run with tiny sizes")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="default: all")
    options = parser.parse_args(arguments)
    dry = options.cpu
    if not dry and not torch.cuda.is_available():
        print("gpu.py: torch sees no GPU, so nothing was measured; --cpu is a dry run without one")
        return 1
    if dry:
        torch.set_num_threads(1)
        # what a GPU would compile is traced, but not compiled
        acceleration.COMPILED_ON, acceleration.BACKEND = ("cpu",), "eager"
        # nor is oneDNN's own layout of pictures, which answers on a CPU take
        networks.is_faster_on = inference.is_faster_on = lambda _: False
        print("A dry run on a CPU with tiny sizes: its numbers say nothing.\n")
    sizes, where = (TINY, torch.device("cpu")) if dry else (Sizes(), device())
    tables = []
    for each in measure(sizes, where, options.parts):
        print(each, flush=True)
        tables.append(each)
    if not dry:
        print(write_page(RESULTS, torch.cuda.get_device_name(), tables), file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
