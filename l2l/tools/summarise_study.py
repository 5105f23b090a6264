"""The results of several seeds of one configuration: mean and spread of every figure."""

import statistics
from collections.abc import Sequence
from pathlib import Path

from l2l.evaluation.artifact import read_evaluation_table
from l2l.report.scsampler.relations import poster_relations
from l2l.stores import read_table, write_table


def summarise_study(
    table1: list[Path], clips: list[Path], table1_summary: Path, clips_summary: Path
) -> None:
    """Write mean, standard deviation, minimum and maximum of each figure over several runs.

    Args:
        table1: Table 1 of each run.
        clips: the table of clips of each run.
        table1_summary: written: one row per method.
        clips_summary: written: one row per network and modality.
    """
    figures = ("top1", "map", "top5", "map_interpolated", "top1_all", "map_all")
    _summarise(table1, ("method",), figures, ("gmacs_per_video", "moments"), table1_summary)
    _summarise(
        clips, ("model", "modalities", "distilled"), ("top1",), ("gmacs_per_clip",), clips_summary
    )


def summarise_scsampler(tables: list[Path], summary: Path, relations: Path) -> None:
    """The same of SCSampler's tables, and in how many of the runs each relation of its poster
    holds.

    Args:
        tables: scsampler.tsv of each run.
        summary: written: one row per row of the tables.
        relations: written: one row per relation: points between its two rows on the poster, and
            over the runs.
    """
    costs = ("gmacs_per_video", "sampler_gmacs_per_video", "recogniser_gmacs_per_video")
    counts = ("clips", "pictures_decoded", "pictures_coded")
    _summarise(tables, ("table", "row"), ("top1", "map", "top1_all"), (*costs, *counts), summary)
    runs = [poster_relations(read_evaluation_table(path, "scsampler")) for path in tables]
    rows = []
    for of_runs in zip(*runs, strict=True):
        first, measured = of_runs[0], [each.measured for each in of_runs]
        row = {"above": first.above, "below": first.below, "poster": f"{first.poster:.2f}"}
        row |= _spread("measured", measured)
        row |= {
            "runs": str(len(runs)),
            "holds": str(sum(each.holds for each in of_runs)),
            "apart": str(sum(each.apart for each in of_runs)),
        }
        rows.append(row)
    write_table(relations, list(rows[0]), rows)


def _spread(figure: str, values: Sequence[float]) -> dict[str, str]:
    """Mean, standard deviation, least and most of one figure over the runs."""
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return {
        f"{figure}_mean": f"{statistics.mean(values):.2f}",
        f"{figure}_std": f"{deviation:.2f}",
        f"{figure}_min": f"{min(values):.2f}",
        f"{figure}_max": f"{max(values):.2f}",
    }


def _summarise(
    tables: list[Path], keys: Sequence[str], figures: Sequence[str], costs: Sequence[str], out: Path
) -> None:
    runs = [
        {
            tuple(row[key] for key in keys): row
            for row in read_table(path, (*keys, *figures, *costs))
        }
        for path in tables
    ]
    rows = []
    for key in runs[0]:
        row: dict[str, object] = dict(zip(keys, key, strict=True))
        row["runs"] = len(runs)
        for figure in figures:
            row |= _spread(figure, [float(run[key][figure]) for run in runs])
        row |= {
            cost: f"{statistics.mean(float(run[key][cost]) for run in runs):.6g}" for cost in costs
        }
        rows.append(row)
    write_table(out, list(rows[0]), rows)
