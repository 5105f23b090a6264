"""How much the rows of Table 1 that are trained on features depend on the seed of that training.

    python benchmarks/training_seeds.py RUN ... [--seeds 3] [--split val] [--configfile FILE ...]

RUN is the folder of a finished run, such as results/demo. FILE has other rows and settings of
`evaluation` and `skimmer` than the run's config.json, as Snakemake's `--configfile`. Each network
that `evaluation.methods` needs is trained on the run's features with the run's own seed and with
others (1000, 2000, ... more), and answers for the run's test or val videos. Drawings, teacher,
student and features stay as they are. Rows that are not trained are measured once per run.

The table, in markdown, has per row and run the mean and standard deviation over the trainings of
top-1 and mean average precision in percent, and the mean GMACs and moments per video; the last
column has those over all trainings of all runs.
"""

import argparse
import statistics
import tempfile
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import numpy as np
import torch

from l2l.config import Config, read_config
from l2l.evaluation.cost import CostModel
from l2l.evaluation.inputs import load_student_and_features, load_trained_networks
from l2l.evaluation.measures.metrics import mean_average_precision, top1
from l2l.evaluation.videos.methods import Method, chosen_methods
from l2l.evaluation.videos.predictions import VideoInput
from l2l.manifest.artifact import read_videos
from l2l.skimmer.artifact import MODELS
from l2l.skimmer.stage import train_skimmer

FIGURES = {"top1": 1, "map": 1, "gmacs": 4, "moments": 1}
"""The figures of a method, and how many decimals of each are printed."""
Figures = dict[tuple[str, str], list[float]]
"""Of each method and figure, its value per training."""


def student_path(run: Path, config: Config) -> Path:
    """The student that made the run's features."""
    name = "-".join(config.student.modalities)
    return run / f"student/finetuned/{name}-distilled.pt"


def networks_of(methods: Iterable[Method]) -> list[str]:
    """Names of the trained networks of some methods."""
    return list(dict.fromkeys(each.trained for each in methods if each.trained))


def train(run: Path, config: Config, methods: list[Method], seed: int, folder: Path) -> list[Path]:
    """Train each network that the methods need, with this seed."""
    paths = []
    for name in networks_of(methods):
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
    """The figures of each method on the run's videos of a split."""
    network, stored = load_student_and_features(
        student_path(run, config), run / f"features/{config.target}"
    )
    networks = load_trained_networks(trained, stored, networks_of(methods))
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
        costs_per_video = [answer.cost for answer in answers]
        yield (method.name, "gmacs"), statistics.fmean(each.macs for each in costs_per_video) / 1e9
        yield (method.name, "moments"), statistics.fmean(each.moments for each in costs_per_video)


def measured(run: Path, overlays: list[Path], seeds: int, split: str) -> Figures:
    """The figures of trainings with so many seeds."""
    config = read_config(run / "config.json", *overlays)
    methods = list(chosen_methods(config.evaluation.methods))
    found: Figures = {(each.name, figure): [] for each in methods for figure in FIGURES}
    for number in range(seeds):
        measured_now = [each for each in methods if each.trained or number == 0]
        with tempfile.TemporaryDirectory(prefix="l2l-seeds-") as folder:
            seed = config.seed + 1000 * number
            trained = train(run, config, measured_now, seed, Path(folder))
            for key, value in figures(run, config, trained, measured_now, split):
                found[key].append(value)
    return found


def spread(figure: str, values: list[float]) -> str:
    """Mean, and of what is in percent the standard deviation where there are several values."""
    decimals = FIGURES[figure]
    mean = f"{statistics.fmean(values):.{decimals}f}"
    if figure in ("gmacs", "moments") or len(values) < 2:
        return mean
    return f"{mean} ± {statistics.stdev(values):.{decimals}f}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("runs", nargs="+", type=Path, help="folders of finished runs")
    parser.add_argument("--seeds", type=int, default=3, help="trainings per run; default 3")
    parser.add_argument("--split", choices=["val", "test"], default="test", help="default test")
    parser.add_argument("--configfile", nargs="+", type=Path, default=[], help="other settings")
    options = parser.parse_args()
    torch.set_num_threads(1)
    per_run = [
        measured(run, options.configfile, options.seeds, options.split) for run in options.runs
    ]
    names = [run.name for run in options.runs]
    print(f"| method | figure | {' | '.join(names)} | all |")
    print("|---" * (len(names) + 3) + "|")
    for method, figure in per_run[0]:
        values = [found[method, figure] for found in per_run]
        cells = [spread(figure, each) for each in (*values, list(chain.from_iterable(values)))]
        print(f"| {' | '.join((method, figure, *cells))} |", flush=True)


if __name__ == "__main__":
    main()
