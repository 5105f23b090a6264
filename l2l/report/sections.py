"""The tables of the evaluation as sections of the page."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from l2l.evaluation.artifact import Column, Table
from l2l.evaluation.videos.methods import method_labels
from l2l.report.digits import cell
from l2l.report.figures import (
    Plot,
    clips_plot,
    cost_plot,
    frontier_plot,
    themed,
    tradeoff_plot,
)
from l2l.stores import read_table

PAPER = Path(__file__).with_name("paper.tsv")  # Table 1 as the paper prints it, where readable
PAPER_COLUMNS = ("adapter", "dataset", "method", "top1", "source")
# The demo's relations have margins of some points, which fewer videos cannot show.
DEMO_VIDEOS = 100

Rows = Sequence[Mapping[str, str]]


@dataclass(frozen=True)
class Target:
    """What the page knows of the target.

    Attributes:
        adapter: of its data set.
        videos: number of usable test videos.
        action_seconds: of videos that are drawn, the length of a scene of the action, where it is
            given.
    """

    adapter: str
    videos: int
    action_seconds: float | None = None

    @property
    def is_demo(self) -> bool:
        """Whether the run is the demo, of which more is expected than of any other run."""
        drawn = self.adapter == "demo" and self.action_seconds is None
        return drawn and self.videos >= DEMO_VIDEOS


def plots(rows: Mapping[str, Rows], target: Target) -> dict[str, Plot]:
    """The plots of the tables that have one and have rows, by the table's name."""
    drawn: Mapping[str, Callable[[Rows], Plot]] = {
        "table1": cost_plot,
        "tradeoff": tradeoff_plot,
        "frontier": lambda points: frontier_plot(points, target.adapter == "activitynet"),
        "clips": clips_plot,
    }
    return {name: plot(rows[name]) for name, plot in drawn.items() if rows.get(name)}


def empty_plot() -> str:
    """In place of a plot that has no rows."""
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><title>no rows</title></svg>'
    )


def section(table: Table, rows: Rows, plot: Plot | None, target: Target) -> dict[str, object]:
    """What the page shows of a table: heading, figure, rows and caption."""
    shown, note = list(rows), ""
    if table.ends and len(rows) > 2 * table.ends:
        shown = [*rows[: table.ends], *rows[-table.ends :]]
        note = f"The first and last {table.ends} of {len(rows)} rows; all are in {table.name}.tsv."
    columns = shown_columns(table)
    quoted = quoted_table1(target.adapter) if table.name == "table1" else {}
    return {
        "table": table,
        "headings": [(column.title, column.unit is None) for column in columns]
        + [(f"paper, {dataset}, top-1 (%)", False) for dataset in list(quoted)[:1]],
        # our own SVG; everything else is escaped
        "pictures": [Markup(themed(picture)) for picture in (plot.pictures() if plot else ())],
        "rows": [
            {
                "ours": row.get("method", "").startswith("ours") or row.get("model") == "skimmer",
                "cells": [
                    *(_text(row, column, target.videos) for column in columns),
                    *(quoted[dataset].get(row["method"], "") for dataset in list(quoted)[:1]),
                ],
            }
            for row in shown
        ],
        "note": note,
    }


def shown_columns(table: Table) -> list[Column]:
    """The columns that the page shows: those with a heading, without the ends of intervals, which
    are in the cell of their metric.
    """
    names = {column.name for column in table.columns}
    ends = {f"{name}_{end}" for name in names for end in ("low", "high")}
    return [column for column in table.columns if column.heading and column.name not in ends]


def _text(row: Mapping[str, str], column: Column, videos: int) -> str:
    if column.name == "method":
        return method_labels().get(row["method"], row["method"])
    if column.name == "model":
        return row["model"].replace("skimmer", "ours").replace("_", " ")
    return cell(row, column, videos)


def quoted_table1(adapter: str) -> dict[str, dict[str, str]]:
    """What the paper's Table 1 prints for the data set of an adapter: by data set, then method;
    empty for a data set that the paper does not have.
    """
    quoted: dict[str, dict[str, str]] = {}
    for row in read_table(PAPER, PAPER_COLUMNS):
        if row["adapter"] == adapter:
            quoted.setdefault(row["dataset"], {})[row["method"]] = row["top1"]
    return quoted
