"""Networks for the methods of Table 1, on the world of `feature_world`, and its evaluation."""

from pathlib import Path

import feature_world
import torch

from l2l import config
from l2l.evaluation.artifact import TABLES
from l2l.evaluation.videos.stage import evaluate_videos
from l2l.skimmer.artifact import MODELS, TrainedSkimmer, build, save_skimmer
from l2l.skimmer.stage import train_skimmer

BRIEF = feature_world.SKIMMER.model_copy(
    update={
        "training": config.TrainingConfig(epochs=1, batch_size=8, learning_rate=0.05),
        "read_factors": (1, 5),
    }
)
EVALUATION = config.EvaluationConfig(random_draws=3)
# Of evaluate_videos: its options, and the file that each names.
OUTPUTS = {
    {"table1": "table"}.get(table.name, table.name): f"{table.name}.tsv"
    for table in TABLES
    if table.written_by == "evaluate_videos"
} | {"scores": "scores.h5"}


def train_networks(world: feature_world.World, folder: Path) -> dict[str, Path]:
    """Train every model that Table 1 needs."""
    files = {model: folder / f"{model}.pt" for model in MODELS}
    for model, path in files.items():
        train_skimmer(
            world.student,
            world.videos,
            world.features,
            path,
            feature_world.SKIMMER,
            model,
            seed=0,
        )
    return files


def untrained_networks(folder: Path) -> dict[str, Path]:
    """Networks with random weights: what holds for these holds for trained ones."""
    files = {model: folder / f"{model}.pt" for model in MODELS}
    widths = {"image": 16, "audio": 16}
    for model, path in files.items():
        torch.manual_seed(1)
        network = build(model, widths, 6, 32, 16, feature_world.SKIMMER)
        trained = TrainedSkimmer(network, model, feature_world.CLASSES, 6)
        save_skimmer(path, trained, widths, feature_world.SKIMMER)
    return files


def evaluate(
    world: feature_world.World,
    networks: dict[str, Path],
    folder: Path,
    section: config.EvaluationConfig = EVALUATION,
    **changed: Path,
) -> Path:
    """Write the tables of `evaluate_videos` into a folder."""
    paths = {"student": world.student, "videos": world.videos, "features": world.features}
    outputs = {name: folder / file for name, file in OUTPUTS.items()}
    evaluate_videos(
        **paths | changed,
        media=[world.media],
        trained=list(networks.values()),
        **outputs,
        config=section,
        seed=0,
    )
    return folder


def train_variant(
    world: feature_world.World,
    path: Path,
    variant: config.Variant,
    descriptors: list[Path] | None = None,
) -> Path:
    """Train a variant of the skimmer for one epoch."""
    train_skimmer(
        world.student,
        world.videos,
        world.features,
        path,
        BRIEF,
        "skimmer",
        0,
        variant=variant,
        descriptors=descriptors,
    )
    return path
