"""Small inputs for every training, and the real stage functions run on them in processes of their
own, killed on the way.
"""

import multiprocessing
import os
import random
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import connection
from pathlib import Path
from typing import Any

import feature_world
import numpy as np
import torch

from l2l import checkpoints
from l2l.config import (
    FinetuningConfig,
    MediaConfig,
    MelsConfig,
    StudentConfig,
    TeacherConfig,
    TrainingConfig,
)
from l2l.manifest.artifact import Video, write_videos
from l2l.media.artifact import write_media
from l2l.media.decoded import Decoded
from l2l.media.pictures import EncodedPictures
from l2l.mels.artifact import write_mels
from l2l.skimmer.stage import train_skimmer
from l2l.student.stage import distil_student, finetune_student
from l2l.teacher.artifact import ClipDescriptors, write_descriptors
from l2l.teacher.network import R2Plus1D
from l2l.teacher.stage import train_teacher

TRAININGS = ("teacher", "distilled student", "fine-tuned student", "skimmer")
SIDE, DESCRIPTOR = 16, 8
MEDIA = MediaConfig(
    resize_pixels=(SIDE, SIDE),
    frame_pixels=SIDE,
    clip_frames=4,
    clip_stride=8,
    jpeg_quality="lossless",
)
WIDTHS = {
    "image_widths": (4, 4, 4, 8),
    "audio_widths": (4, 4, 4, 8),
    "blocks": (1, 1, 1, 1),
    "audio_stem_stride": 2,
}
# Each process with torch imported and nothing else done: what forks from it is as good as new, in a
# tenth of a second.
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    [f"l2l.{stage}.stage" for stage in ("teacher", "student", "skimmer")]
)


def fitting(**changes: Any) -> TrainingConfig:
    return TrainingConfig(
        **{"epochs": 3, "batch_size": 8, "learning_rate": 0.01, "milestones": (2,), **changes}
    )


def make_world(folder: Path) -> dict[str, Any]:
    """Eight videos to train on and two to validate, of noise, in two shards.

    Where every input lies, by its option.
    """
    rng = np.random.default_rng(0)
    world: dict[str, Any] = {
        "videos": folder / "videos.tsv",
        "media": [],
        "mels": [],
        "descriptors": [],
    }
    rows = [
        Video(f"v{i}", f"v{i}.mp4", "val" if i > 7 else "train", ("ab"[i % 2],)) for i in range(10)
    ]
    write_videos(world["videos"], rows)
    for shard in range(2):
        here = rows[shard::2]
        for stage in ("media", "mels", "descriptors"):
            world[stage].append(folder / stage / f"shard-{shard:03d}.h5")
        moments = {}
        with write_media(world["media"][-1], MEDIA, True) as writer:
            for row in here:
                pictures = rng.integers(0, 256, (8, SIDE, SIDE, 3), np.uint8)
                decoded = Decoded(
                    "ok",
                    "",
                    60,
                    8,
                    EncodedPictures.from_array(pictures),
                    np.zeros(0, np.int16),
                    grid=MEDIA.grid,
                )
                writer.add(row, decoded)
                moments[row.video] = decoded.moments
        mels = {
            v: (rng.normal(size=(n, 101, 40)).astype("f4"), np.ones(n, bool))
            for v, n in moments.items()
        }
        write_mels(world["mels"][-1], mels, MelsConfig(), (101, 40))
        said = {
            v: ClipDescriptors(
                np.arange(n, dtype="i4"),
                rng.random((n, DESCRIPTOR)).astype("f2"),
                rng.random((n, 2)).astype("f2"),
            )
            for v, n in moments.items()
        }
        teacher = R2Plus1D(2, (4, 4, 4, DESCRIPTOR), (1, 1, 1, 1))
        write_descriptors(world["descriptors"][-1], said, teacher, ["a", "b"])
    skimmed = feature_world.make_world(folder / "skimmed", 24, 4, 0)
    return world | {"skimmed": skimmed}


@dataclass(frozen=True)
class Training:
    """A stage function with its inputs, and the option that names what it writes."""

    function: Callable[..., None]
    options: dict[str, Any]
    artifact: str


def training(name: str, world: dict[str, Any], **changes: Any) -> Training:
    """The teacher's, a student's or the skimmer's training, with some of its schedule changed."""
    seen = {"videos": world["videos"], "media": world["media"], "seed": 4}
    fit = fitting(**changes)
    if name == "teacher":
        config = TeacherConfig(
            weights="train", widths=(4, 4, 4, 8), blocks=(1, 1, 1, 1), training=fit
        )
        return Training(train_teacher, {**seen, "config": config}, "teacher")
    finetune = FinetuningConfig(**fit.model_dump())
    student = StudentConfig(**WIDTHS, soft_loss_weight=100.0, distil=fit, finetune=finetune)
    heard = {**seen, "mels": world["mels"], "modalities": ["image", "audio"], "config": student}
    if name == "distilled student":
        return Training(distil_student, heard | {"descriptors": world["descriptors"]}, "student")
    if name == "fine-tuned student":
        return Training(finetune_student, heard, "student")
    skimmed = world["skimmed"]
    config = feature_world.SKIMMER.model_copy(
        update={"training": fit, "read_factors": (1, 3), "cache_bytes": 20_000}
    )
    inputs = {"student": skimmed.student, "videos": skimmed.videos, "features": skimmed.features}
    return Training(
        train_skimmer, {**inputs, "config": config, "model": "skimmer", "seed": 4}, "skimmer"
    )


def _run(
    train: Training,
    out: Path,
    environment: dict[str, str],
    at: int,
    number: int,
    every_seconds: float,
) -> None:
    os.environ.update(environment)
    checkpoints.EVERY_SECONDS = every_seconds
    rank = environment.get("RANK", 0)
    log = os.open(f"{out}.{rank}.log", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    os.dup2(log, 2)
    sys.stderr = os.fdopen(log, "w", 1)  # pytest may have put another in its place
    events, this = 0, os.getpid()

    def count(*_: object) -> None:
        nonlocal events
        events += 1
        if events == at and os.getpid() == this:  # a process that loads goes on counting
            os.kill(this, number)

    sys.setprofile(count)
    train.function(**train.options, **{train.artifact: out})
    sys.setprofile(None)
    Path(f"{out}.{rank}.events").write_text(str(events))


@dataclass(frozen=True)
class Run:
    """How a run ended: exit status of each process, what they said, how many calls and returns of
    Python the last made.
    """

    status: tuple[int | None, ...]
    said: str
    events: int


def run(
    train: Training,
    out: Path,
    at: int = 0,
    number: int = signal.SIGKILL,
    processes: int = 1,
    every_seconds: float = 600,
) -> Run:
    """Run a training in `processes`, as torchrun starts them.

    The last gets a signal at its `at`-th call or return of Python.
    """
    environments: list[dict[str, str]] = [{}]
    if processes > 1:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            meeting = {
                "MASTER_ADDR": "127.0.0.1",
                "MASTER_PORT": str(free.getsockname()[1]),
                "WORLD_SIZE": str(processes),
            }
        environments = [{**meeting, "RANK": str(i), "LOCAL_RANK": str(i)} for i in range(processes)]
    started = []
    for i, environment in enumerate(environments):
        moment = at if i == processes - 1 else 0
        started.append(
            _CONTEXT.Process(
                target=_run, args=(train, out, environment, moment, number, every_seconds)
            )
        )
        started[-1].start()
    while any(process.is_alive() for process in started):
        connection.wait(
            [process.sentinel for process in started if process.is_alive()], timeout=600
        )
        if any(
            process.exitcode for process in started
        ):  # as torchrun does: one has died, so the others end
            for process in started:
                process.join(10)
                process.kill()
                process.join()
    said = "".join(Path(f"{out}.{i}.log").read_text(encoding="utf-8") for i in range(processes))
    ended = all(process.exitcode == 0 for process in started)
    return Run(
        tuple(p.exitcode for p in started),
        said,
        int(Path(f"{out}.{processes - 1}.events").read_text()) if ended else 0,
    )


def moments_of_death(name: str, events: int, count: int) -> list[int]:
    """Seeded random moments in the last sixth of a run of so many events.

    Until then most runs import modules and load inputs.
    """
    return random.Random(name).sample(range(events * 5 // 6, events), count)


def state(path: Path) -> dict[str, torch.Tensor]:
    """The numbers of a network on disk."""
    return torch.load(path, weights_only=True)["state"]


def same(one: Path, other: Path) -> bool:
    """Whether two networks on disk are equal tensor for tensor, bit for bit."""
    a, b = state(one), state(other)
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
