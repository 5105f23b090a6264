"""How much the rows of Table 1 that are trained on features depend on the seed of that training.

    python benchmarks/training_seeds.py RUN ... [--seeds 3] [--split val]

RUN is the folder of a finished run, such as results/demo. Each network of its `evaluation.methods`
is trained on the run's features with the run's own seed and with others (1000, 2000, ... more), and
answers for the run's test or val videos. Drawings, teacher, student and features stay as they are.
The table, in markdown, has mean and standard deviation over the seeds per run; the last column has
those over all trainings of all runs.
"""

import argparse
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from l2l.config import Config, read_config
from l2l.evaluation.cost import CostModel
from l2l.evaluation.inputs import load_student_and_features, load_trained_networks
from l2l.evaluation.measures.metrics import mean_average_precision, top1
from l2l.evaluation.videos.methods import Method, chosen_methods, trained_networks
from l2l.evaluation.videos.predictions import VideoInput
from l2l.manifest.artifact import read_videos
from l2l.skimmer.artifact import MODELS
from l2l.skimmer.stage import train_skimmer

FIGURES = ("top1", "map")
Figures = dict[tuple[str, str], list[float]]
"""Of each method and figure, its value per training, in percent."""


def student_path(run: Path, config: Config) -> Path:
    """The student that made the run's features."""
    name = "-".join(config.student.modalities)
    return run / f"student/finetuned/{name}-distilled.pt"


def train(run: Path, config: Config, seed: int, folder: Path) -> list[Path]:
    """Train each network that the run's rows need, with this seed."""
    paths = []
    for name in trained_networks(config.evaluation.methods):
        paths.append(folder / f"{name}.pt")
        train_skimmer(
            student_path(run, config),
            run / f"media/{config.target}/videos.tsv",
            run / f"features/{config.target}",
            paths[-1],
            config.skimmer,
            name if name in MODELS else "skimmer",
            seed,
        )
    return paths


def figures(
    run: Path, config: Config, trained: list[Path], methods: list[Method], split: str
) -> Iterator[tuple[tuple[str, str], float]]:
    """Top-1 and mean average precision of each method on the run's videos of a split."""
    network, stored = load_student_and_features(
        student_path(run, config), run / f"features/{config.target}"
    )
    networks = load_trained_networks(trained, stored, trained_networks(config.evaluation.methods))
    videos = read_videos(run / f"media/{config.target}/videos.tsv")
    chosen = [each for each in videos if each.usable and each.split == split]
    labels = np.array([stored.classes.index(each.label) for each in chosen])
    costs, settings = CostModel(network), (config.evaluation, config.seed)
    for method in methods:
        answers = [
            method.predict(
                VideoInput(each.video, stored.load(each.video), networks, costs, *settings, label)
            )
            for each, label in zip(chosen, labels.tolist(), strict=True)
        ]
        probabilities = np.stack([answer.probabilities[0] for answer in answers])
        yield (method.name, "top1"), 100 * top1(probabilities, labels)
        yield (method.name, "map"), 100 * mean_average_precision(probabilities, labels)


def measured(run: Path, seeds: int, split: str) -> Figures:
    """The figures of trainings with so many seeds."""
    config = read_config(run / "config.json")
    methods = [each for each in chosen_methods(config.evaluation.methods) if each.trained]
    found: Figures = {(each.name, figure): [] for each in methods for figure in FIGURES}
    for number in range(seeds):
        with tempfile.TemporaryDirectory(prefix="l2l-seeds-") as folder:
            trained = train(run, config, config.seed + 1000 * number, Path(folder))
            for key, value in figures(run, config, trained, methods, split):
                found[key].append(value)
    return found


def spread(values: list[float]) -> str:
    """Mean and standard deviation."""
    return f"{statistics.fmean(values):.1f} ± {statistics.stdev(values):.1f}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("runs", nargs="+", type=Path, help="folders of finished runs")
    parser.add_argument("--seeds", type=int, default=3, help="trainings per run; default 3")
    parser.add_argument("--split", choices=["val", "test"], default="test", help="default test")
    options = parser.parse_args()
    torch.set_num_threads(1)
    per_run = [measured(run, options.seeds, options.split) for run in options.runs]
    names = [run.name for run in options.runs]
    print(f"| method | figure, % | {' | '.join(names)} | all {options.seeds * len(names)} |")
    print("|---" * (len(names) + 3) + "|")
    for key in per_run[0]:
        cells = [spread(found[key]) for found in per_run]
        every = [value for found in per_run for value in found[key]]
        print(f"| {' | '.join((*key, *cells, spread(every)))} |", flush=True)


if __name__ == "__main__":
    main()
