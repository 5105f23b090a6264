"""The results of several seeds of one configuration: mean and spread of every figure."""

import statistics
from collections.abc import Sequence
from pathlib import Path

from l2l.stores import read_table, write_table


def summarise_study(
    table1: list[Path], clips: list[Path], table1_summary: Path, clips_summary: Path
) -> None:
    """Write each figure's mean and spread over several runs.

    The spread: standard deviation, minimum and maximum.

    Args:
        table1: Table 1 of each run.
        clips: the table of clips of each run.
        table1_summary: written: one row per method.
        clips_summary: written: one row per network and modality.

    Example:
        snakemake --cores 8 study
    """
    figures = ("top1", "map", "top5", "map_interpolated", "top1_all", "map_all")
    summarise(table1, ("method",), figures, ("gmacs_per_video", "moments"), table1_summary)
    summarise(
        clips, ("model", "modalities", "distilled"), ("top1",), ("gmacs_per_clip",), clips_summary
    )


def spread(figure: str, values: Sequence[float]) -> dict[str, str]:
    """Mean, standard deviation, least and most of one figure over the runs."""
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return {
        f"{figure}_mean": f"{statistics.mean(values):.2f}",
        f"{figure}_std": f"{deviation:.2f}",
        f"{figure}_min": f"{min(values):.2f}",
        f"{figure}_max": f"{max(values):.2f}",
    }


def summarise(
    tables: list[Path], keys: Sequence[str], figures: Sequence[str], costs: Sequence[str], out: Path
) -> None:
    """Write one row per row of the tables of several runs.

    Args:
        tables: the same table of each run.
        keys: the columns by which rows are known.
        figures: columns whose mean and spread are written.
        costs: columns whose mean alone is written.
        out: written.
    """
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
            row |= spread(figure, [float(run[key][figure]) for run in runs])
        row |= {
            cost: f"{statistics.mean(float(run[key][cost]) for run in runs):.6g}" for cost in costs
        }
        rows.append(row)
    write_table(out, list(rows[0]), rows)
