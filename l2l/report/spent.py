"""Seconds and memory of each stage's jobs, as Snakemake's benchmarks have them."""

import csv
import math
from dataclasses import dataclass
from pathlib import Path

WITHOUT = "write_report"  # the job that writes the page has not ended


@dataclass(frozen=True)
class Spent:
    """What the jobs of one rule took.

    Attributes:
        rule: its name.
        jobs: how many.
        seconds: of all jobs together, by the clock.
        megabytes: the largest resident memory of a job; None: the jobs were too short to measure.
    """

    rule: str
    jobs: int
    seconds: float
    megabytes: float | None


def read_spent(benchmarks: Path) -> list[Spent]:
    """What each rule of a run took, the longest first; none where there are no benchmarks.

    Args:
        benchmarks: folder of the run's benchmarks, benchmarks/results/<run>.
    """
    rows: dict[str, list[dict[str, str]]] = {}
    for path in sorted(benchmarks.rglob("*.tsv")):
        rule = path.relative_to(benchmarks).parts[0].removesuffix(".tsv")
        with path.open(encoding="utf-8", newline="") as file:
            rows.setdefault(rule, []).extend(csv.DictReader(file, delimiter="\t"))
    spent = [_of_rule(rule, each) for rule, each in rows.items() if rule != WITHOUT]
    return sorted(spent, key=lambda each: (-each.seconds, each.rule))


def _of_rule(rule: str, rows: list[dict[str, str]]) -> Spent:
    seconds = [_number(row.get("s")) or 0.0 for row in rows]
    memory = [value for row in rows if (value := _number(row.get("max_rss"))) is not None]
    return Spent(rule, len(rows), sum(seconds), max(memory, default=None))


def _number(cell: str | None) -> float | None:
    """A cell's number; None for `NA` and `-`, which Snakemake writes for very short jobs."""
    try:
        value = float(cell or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None
