"""How much the rows of Table 1 that are trained on features depend on the seed of that training.

    python benchmarks/training_seeds.py RUN ... [--seeds 3]

RUN is the folder of a finished run, such as results/demo. Each network of its `evaluation.methods`
is trained again on the run's features with other seeds (the run's own plus 1000, 2000, ...), and
answers for the run's test videos. Drawings, teacher, student and features stay as they are. The
table, in markdown, has mean and standard deviation over the seeds per run, with the run's own
training as one of them; the last column has those over all trainings of all runs.
"""

import argparse
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch

from l2l.config import Config, read_config
from l2l.evaluation.artifact import read_evaluation_table
from l2l.evaluation.cost import CostModel
from l2l.evaluation.inputs import load_student_and_features, load_trained_networks, test_videos
from l2l.evaluation.measures.intervals import resamples
from l2l.evaluation.videos.methods import Method, chosen_methods, trained_networks
from l2l.evaluation.videos.predictions import VideoInput
from l2l.evaluation.videos.tables import table1_row
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
    run: Path, config: Config, trained: list[Path], methods: list[Method]
) -> Iterator[tuple[tuple[str, str], float]]:
    """Top-1 and mean average precision of each method on the run's test videos."""
    network, stored = load_student_and_features(
        student_path(run, config), run / f"features/{config.target}"
    )
    networks = load_trained_networks(trained, stored, trained_networks(config.evaluation.methods))
    test, truth = test_videos(run / f"media/{config.target}/videos.tsv", stored)
    costs, counts = CostModel(network), resamples(len(test), config.seed)
    for method in methods:
        predicted = [
            method.predict(
                VideoInput(
                    video.video,
                    stored.load(video.video),
                    networks,
                    costs,
                    config.evaluation,
                    config.seed,
                    label,
                )
            )
            for video, label in zip(test, truth.labels.tolist(), strict=True)
        ]
        row = table1_row(method.name, predicted, truth, counts, [0.0] * len(test))
        for figure in FIGURES:
            yield (method.name, figure), float(str(row[figure]))


def measured(run: Path, seeds: int) -> Figures:
    """The figures of the run's own training, and of `seeds - 1` others."""
    config = read_config(run / "config.json")
    methods = [each for each in chosen_methods(config.evaluation.methods) if each.trained]
    found: Figures = {(each.name, figure): [] for each in methods for figure in FIGURES}
    for row in read_evaluation_table(run / "evaluation/table1.tsv", "table1"):
        for figure in FIGURES:
            if (key := (str(row["method"]), figure)) in found:
                found[key].append(float(str(row[figure])))
    for number in range(1, seeds):
        with tempfile.TemporaryDirectory(prefix="l2l-seeds-") as folder:
            trained = train(run, config, config.seed + 1000 * number, Path(folder))
            for key, value in figures(run, config, trained, methods):
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
    options = parser.parse_args()
    torch.set_num_threads(1)
    per_run = [measured(run, options.seeds) for run in options.runs]
    names = [run.name for run in options.runs]
    print(f"| method | figure, % | {' | '.join(names)} | all {options.seeds * len(names)} |")
    print("|---" * (len(names) + 3) + "|")
    for key in per_run[0]:
        cells = [spread(found[key]) for found in per_run]
        every = [value for found in per_run for value in found[key]]
        print(f"| {' | '.join((*key, *cells, spread(every)))} |", flush=True)


if __name__ == "__main__":
    main()
