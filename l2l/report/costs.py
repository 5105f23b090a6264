"""The page of what a run took: learning curves, seconds and memory, from logs and benchmarks."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from l2l.errors import BadInput
from l2l.report.bars import spent_bars
from l2l.report.charts import curve_points
from l2l.report.epochs import Training, read_trainings
from l2l.report.page import page_template
from l2l.report.spent import read_spent
from l2l.stores import MADE_BY


def costs_page(run: Path) -> str:
    """The page as text.

    Args:
        run: a run's folder, results/<run>; its logs/<run> and benchmarks/results/<run> are read.

    Raises:
        BadInput: if the run has neither logs of trainings nor benchmarks.
    """
    folder, logs = run.absolute(), logs_of(run)
    benchmarks = folder.parents[1] / "benchmarks/results" / folder.name
    trainings, spent = read_trainings(logs), read_spent(benchmarks)
    if not trainings and not spent:
        raise BadInput(
            f"{run}: found no training in {logs} and nothing in {benchmarks}, expected a run's "
            "folder in the working directory in which Snakemake ran"
        )
    return page_template("l2l.report", "costs.html").render(
        title=f"What {folder.name} took",
        made_by=MADE_BY,
        warnings=not_converged(trainings),
        trainings=[_curves(training) for training in trainings],
        spent=spent_bars(spent),
    )


def logs_of(run: Path) -> Path:
    """The folder of a run's logs, from that of its results."""
    folder = run.absolute()
    return folder.parents[1] / "logs" / folder.name


def not_converged(trainings: Sequence[Training]) -> list[str]:
    """Trainings whose loss has hardly fallen, and those whose loss still falls."""
    kinds: dict[str, list[str]] = defaultdict(list)
    for each in trainings:
        if each.trouble:
            kinds[each.trouble].append(f"{each.name} ({each.loss_change})")
    return [f"Not converged, {kind}: {', '.join(names)}." for kind, names in kinds.items()]


def _curves(training: Training) -> dict[str, object]:
    """A training's figures as curves."""
    return {
        "name": training.name,
        "epochs": training.epochs,
        "planned": training.planned,
        "trouble": training.trouble,
        "curves": [
            {
                "name": name,
                "points": curve_points(values),
                "first": f"{values[0]:.3g}",
                "last": f"{values[-1]:.3g}",
            }
            for name, values in training.curves.items()
        ],
    }
