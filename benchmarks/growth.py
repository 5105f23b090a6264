"""How the cost of each stage grows with the number of videos, their length and the classes: a table
in markdown.

    python benchmarks/growth.py [videos] [length] [classes] [--most 8]

Each is 1, 2, 4 and 8 times as large while the others stay; films are drawn, networks are those of
`workflow/configs/tiny.yaml`. Every stage function runs in a fork of this process, on one thread:
CPU seconds of it and its children, and by how much the peak of its memory is above its start. So
neither Python's start nor imports count. The exponent is that of the last doubling: 1 is linear,
and it is below 1 where a part that does not grow is still seen.
"""

import argparse
import math
import multiprocessing
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch._dynamo  # which the first optimizer imports: not once in each fork
from bench import machine

from l2l.apply.stage import apply_videos
from l2l.config import Config, FeaturesConfig, check_config, read_config
from l2l.datasets import FolderDataset
from l2l.evaluation.videos.stage import evaluate_videos
from l2l.features.stage import complete_features, extract_features
from l2l.jobs.machine import spent_cpu_seconds
from l2l.manifest.stage import list_videos
from l2l.media.ffmpeg import ffmpeg_program
from l2l.media.stage import collect_statuses, decode_videos
from l2l.mels.stage import compute_mels
from l2l.skimmer.stage import train_skimmer
from l2l.student.stage import distil_student, finetune_student
from l2l.teacher.stage import extract_descriptors, train_teacher

TINY = Path(__file__).resolve().parents[1] / "workflow/configs/tiny.yaml"
SPLITS = ("train", "train", "val", "train", "train", "test")
SHARDS = ("shard-000", "test-000")
NETWORKS = ("skimmer", "lstm", "non_recurrent")
MODALITIES = ["image", "audio"]


@dataclass(frozen=True)
class Size:
    """Of a data set."""

    videos: int = 12
    seconds: int = 4
    classes: int = 2


def sizes(axis: str, most: int) -> list[tuple[int, Size]]:
    """Each factor with its data set."""
    factors = [2**i for i in range(int(math.log2(most)) + 1)]
    if axis == "videos":
        return [(f, Size(videos=12 * f)) for f in factors]
    if axis == "length":
        return [(f, Size(seconds=4 * f)) for f in factors]
    return [(f, Size(videos=3 * most, classes=2 * f)) for f in factors]


def draw(folder: Path, size: Size) -> None:
    """The films: one, with another comment in each file."""
    folder.mkdir(parents=True)
    program, film = [ffmpeg_program(), "-v", "error", "-nostdin"], folder / "film.mp4"
    seen = ["-f", "lavfi", "-i", f"testsrc2=s=160x120:r=30:d={size.seconds}"]
    heard = ["-f", "lavfi", "-i", f"sine=440:d={size.seconds}:r=16000"]
    subprocess.run([*program, *seen, *heard, "-c:v", "libx264", "-c:a", "aac", film], check=True)
    counts = dict.fromkeys(SPLITS, 0)
    for i in range(size.videos):
        split = SPLITS[i % len(SPLITS)]
        at = folder / "videos" / split / f"class{counts[split] % size.classes:02d}"
        at.mkdir(parents=True, exist_ok=True)
        counts[split] += 1
        copy = ["-i", film, "-c", "copy", "-metadata", f"comment={i}", at / f"{i:03d}.mp4"]
        subprocess.run([*program, *copy], check=True)


def stages(at: Path, config: Config) -> Iterator[tuple[str, Callable[[], Any]]]:
    """The stages in the order of the chain, each to be run before the next is asked for."""
    dataset = FolderDataset(
        adapter="folder", role="both", folder=at / "videos", shards=1, test_shards=1
    )
    listed, tables, videos = at / "listed.tsv", at / "tables", at / "videos.tsv"
    media = [at / f"media/{name}.h5" for name in SHARDS]
    mels = [at / f"mels/{name}.h5" for name in SHARDS]
    described = [at / f"teacher/{name}.h5" for name in SHARDS]
    teacher, distilled = at / "teacher/teacher.pt", at / "student/distilled/image-audio.pt"
    student = at / "student/finetuned/image-audio-distilled.pt"
    features = [at / f"features/{name}" for name in SHARDS]
    networks = [at / f"skimmer/{name}.pt" for name in NETWORKS]

    def each(call: Callable[..., object], *columns: list[Path], **more: Any) -> Callable[[], None]:
        return lambda: [call(*row, **more) for row in zip(*columns, strict=True)] and None

    yield "manifest", lambda: list_videos(listed, tables, dataset, config.manifest, config.seed)
    shards = [tables / f"{name}.tsv" for name in SHARDS]
    yield "media", each(decode_videos, shards, media, config=config.media, role="both")
    collect_statuses(listed, media, videos, config.manifest)
    yield "mels", each(compute_mels, media, mels, config=config.mels)
    yield "teacher: train", lambda: train_teacher(videos, media, teacher, config.teacher, 1)
    yield (
        "teacher: describe",
        lambda: [
            extract_descriptors(table, shard, teacher, out, "all", config.teacher)
            for table, shard, out in zip(shards, media, described, strict=True)
        ],
    )
    yield (
        "student: distil",
        lambda: distil_student(
            videos, media, mels, described, distilled, MODALITIES, config.student, 1
        ),
    )
    yield (
        "student: fine-tune",
        lambda: finetune_student(
            videos, media, mels, student, MODALITIES, config.student, 1, distilled
        ),
    )
    yield (
        "features",
        lambda: [
            extract_features(shard, mel, student, out, config.features)
            for shard, mel, out in zip(media, mels, features, strict=True)
        ],
    )
    complete_features(features, at / "features/zarr.json")
    yield (
        "skimmer",
        lambda: [
            train_skimmer(student, videos, at / "features", path, config.skimmer, path.stem, 1)
            for path in networks
        ],
    )
    outputs = {
        name: at / f"{name}.tsv"
        for name in ("table", "classes", "predictions", "selections", "selection")
    }
    outputs["scores"] = at / "scores.h5"
    yield (
        "evaluation",
        lambda: evaluate_videos(
            student,
            networks,
            videos,
            media[1:],
            at / "features",
            **outputs,
            config=config.evaluation,
            seed=1,
        ),
    )
    yield (
        "apply",
        each(
            apply_videos,
            shards,
            [at] * 2,
            [at / f"{name}.jsonl" for name in SHARDS],
            config=config.apply,
            features_config=FeaturesConfig(),
        ),
    )


def memory_mb(field: str) -> float:
    """A field of this process's memory: VmRSS, or VmHWM for its peak."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{field}:")[2].split()[0]) / 1000


def measured(call: Callable[[], Any]) -> tuple[float, float]:
    """CPU seconds of a call, and how many MB its memory grows at most, in a fork."""
    fork = multiprocessing.get_context("fork")
    receiver, sender = fork.Pipe(duplex=False)

    def run() -> None:
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins here
        began, at_first = spent_cpu_seconds(), memory_mb("VmRSS")
        call()
        sender.send((spent_cpu_seconds() - began, memory_mb("VmHWM") - at_first))

    process = fork.Process(target=run)
    process.start()
    sender.close()
    try:
        return receiver.recv()
    except EOFError:
        sys.exit("a stage failed; its error is above")
    finally:
        process.join()


def exponent(values: list[float]) -> str:
    """Of the last doubling."""
    return f"{math.log2(values[-1] / values[-2]):.2f}" if min(values[-2:]) > 0 else ""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("axes", nargs="*", help="videos, length, classes; default: all")
    parser.add_argument("--most", type=int, default=8, help="the largest factor, a power of two")
    options = parser.parse_args()
    torch.set_num_threads(1)
    values = read_config(TINY).model_dump(mode="json") | {"run": "growth"}
    print(f"{machine()}; CPU seconds, and MB above the start.\n")
    factors = [factor for factor, _ in sizes("videos", options.most)]
    heads = " | ".join(f"x {factor}" for factor in factors)
    print(f"| grows | stage | {heads} | exponent, seconds | exponent, memory |")
    print(f"|---|---|{'---|' * (len(factors) + 2)}", flush=True)
    for axis in options.axes or ("videos", "length", "classes"):
        spent: dict[str, list[tuple[float, float]]] = {}
        for factor, size in sizes(axis, options.most):
            print(f"{axis} x {factor}: {size}", file=sys.stderr, flush=True)
            folder = Path(tempfile.mkdtemp(prefix="l2l-growth-"))
            draw(folder / "run", size)
            for stage, call in stages(folder / "run", with_folder(values, folder / "run")):
                spent.setdefault(stage, []).append(measured(call))
            shutil.rmtree(folder)
        for stage, points in spent.items():
            seconds, memory = (list(column) for column in zip(*points, strict=True))
            cells = [f"{s:.2f} s, {m:.0f} MB" for s, m in points]
            row = [axis, stage, *cells, exponent(seconds), exponent(memory)]
            print(f"| {' | '.join(row)} |", flush=True)


def with_folder(values: dict[str, Any], at: Path) -> Config:
    """The configuration for the films of a folder."""
    mine = {"adapter": "folder", "role": "both", "folder": str(at / "videos"), "shards": 1}
    return check_config(values | {"videos": {"mine": mine}}, "growth")


if __name__ == "__main__":
    main()
