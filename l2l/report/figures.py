"""Pictures of the report: plots as in the paper's figures, and frames as data addresses."""

import base64
import io
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter
from PIL import Image

from l2l.evaluation.videos.methods import method_labels
from l2l.report.digits import interval_half_width, percent, significant
from l2l.report.labels import Label, place_labels
from l2l.sampler.rows import ROWS

_OURS = "#c2410c"
_OTHERS = "#475569"
_COLOURS = ("#1d4ed8", "#0891b2", "#15803d", "#7c3aed", "#a21caf", "#65a30d", "#0f172a")
_MARKERS = "osD^v<>ph"
_JPEG_QUALITY = 85  # of the frames

Rows = Sequence[Mapping[str, str]]
Panel = Callable[[Axes], None]


class Plot(NamedTuple):
    """A plot of one panel or more.

    Attributes:
        panels: each draws into empty axes.
        width: of a panel, in inches; at this one its text can be read on a phone.
        height: of a panel, in inches.
    """

    panels: Sequence[Panel]
    width: float = 4.9
    height: float = 4.2

    def whole(self) -> str:
        """All panels side by side, as one SVG element."""
        return self._drawn(self.panels)

    def pictures(self) -> list[str]:
        """One SVG element per panel, which a narrow page shows one below the other."""
        return [self._drawn([panel]) for panel in self.panels]

    def _drawn(self, panels: Sequence[Panel]) -> str:
        figure = Figure(figsize=(self.width * len(panels), self.height), layout="constrained")
        all_axes = figure.subplots(1, len(panels), squeeze=False)[0]
        for axes, panel in zip(all_axes, panels, strict=True):
            axes.grid(alpha=0.3)
            for side in ("top", "right"):
                axes.spines[side].set_visible(False)
            panel(axes)
        return _svg(figure)


def _svg(figure: Figure) -> str:
    """An SVG element; the same figure always gives the same bytes."""
    with matplotlib.rc_context(
        {"svg.hashsalt": "l2l", "svg.fonttype": "none", "font.family": "sans-serif"}
    ):
        text = io.StringIO()
        figure.savefig(
            text, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type"))
        )
    return _titled(text.getvalue().partition("<svg")[1] + text.getvalue().partition("<svg")[2])


# ---- markers, and what a pointer that rests on one shows ----------------------------------------

_MARKED = "marked "  # begins the gid of a line whose markers have titles, one per line of the gid


def _mark(axes: Axes, points: Sequence[tuple[float, float, str]], **style: Any) -> None:
    """Draw (x, y, title) as a line with markers, each of which shows its title."""
    xs, ys, titles = zip(*points, strict=True)
    axes.plot(xs, ys, gid=_MARKED + "\n".join(titles), **style)


def _titled(svg: str) -> str:
    """The plot with the titles of its markers, which matplotlib does not write, inside them."""

    def markers_with_titles(group: re.Match[str]) -> str:
        titles = iter(group[1].split("\n"))
        drawn = re.sub(
            r"<use ([^>]*)/>",
            # all: a hollow marker shows its title inside too
            lambda use: f'<use pointer-events="all" {use[1]}><title>{next(titles)}</title></use>',
            group[2],
        )
        return f'<g class="marked">{drawn}'

    # a line's own group lasts until the next one with an id
    return re.sub(
        f'<g id="{_MARKED}([^"]*)">((?:(?!<g id=).)*)', markers_with_titles, svg, flags=re.DOTALL
    )


def _title(name: str, row: Mapping[str, str], metric: str, shown: str, unit: str = "video") -> str:
    """What a marker stands for: its name, the metric with its interval if known, and its cost."""
    value = row[metric]
    half = interval_half_width(row, metric, 0)
    if row.get("quoted") != "yes":  # else as its source prints it
        value = percent(float(value), half)
    value += " %"
    if f"{metric}_low" in row:
        low, high = (percent(float(row[f"{metric}_{end}"]), half) for end in ("low", "high"))
        value += f" ({low} to {high})"
    return f"{name}: {shown} {value}, {significant(float(row[f'gmacs_per_{unit}']))} GMACs"


# What the page shows in the colours of its style, which are others in the dark.
_THEME = {
    _OURS: "--ours",
    _OTHERS: "--soft",
    "#000000": "--ink",
    "#262626": "--ink",
    "#b0b0b0": "--line",  # of the grid
    "#ffffff": "--paper",
    **{colour: f"--hue{i}" for i, colour in enumerate(_COLOURS)},
}


def themed(svg: str) -> str:
    """A plot whose colours are those of the page's style."""
    for colour, variable in _THEME.items():
        svg = svg.replace(colour, f"var({variable})")
    return svg


# ---- points with names ---------------------------------------------------------------------------


def _cost_axis(axes: Axes, unit: str) -> None:
    """Multiply-accumulates on a logarithmic axis with plain numbers."""
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(f"multiply-accumulates per {unit} (G, log scale)")


class _Point(NamedTuple):
    """A point with its name; without one, a hollow point."""

    cost: float
    top1: float
    title: str
    name: str = ""
    ours: bool = False

    @property
    def colour(self) -> str:
        return _OURS if self.ours else _OTHERS


def _named_points(axes: Axes, points: Sequence[_Point], unit: str, hollow: str = "") -> None:
    """Top-1 accuracy against cost; ours is highlighted.

    Args:
        axes: empty.
        points: with names, which are next to them, and without.
        unit: what the cost is of.
        hollow: what the points without a name are, if there are any.
    """
    for point in sorted(points):
        face = point.colour if point.name else "none"
        _mark(
            axes,
            [point[:3]],
            color=point.colour,
            marker="o",
            markerfacecolor=face,
            linestyle="none",
        )
    if not all(point.name for point in points):
        axes.plot([], [], "o", color=_OTHERS, markerfacecolor="none", label=hollow)
        axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.14))
    axes.set_ylabel("top-1 accuracy (%)")
    axes.margins(x=0.2, y=0.15)
    _cost_axis(axes, unit)
    place_labels(
        axes, [Label(*point[:2], point.name, point.colour) for point in points if point.name]
    )


def cost_plot(table1: Rows) -> Plot:
    """Whole videos: top-1 accuracy against multiply-accumulates per video, one point per method."""
    labels = method_labels()
    points = []
    for row in table1:
        name = labels.get(row["method"], row["method"])
        ours = row["method"].startswith("ours")
        points.append(_point(row, name, ours=ours))
    return Plot([lambda axes: _named_points(axes, points, "video")])


def _point(
    row: Mapping[str, str], name: str, named: bool = True, ours: bool = False, unit: str = "video"
) -> _Point:
    return _Point(
        float(row[f"gmacs_per_{unit}"]),
        float(row["top1"]),
        _title(name, row, "top1", "top-1", unit),
        name if named else "",
        ours,
    )


def scsampler_plot(table: Rows, table1: Rows) -> Plot:
    """Top-1 accuracy against multiply-accumulates per video: the teacher on the clips that rows of
    scsampler.tsv choose, and Listen to Look with the student as hollow points.
    """
    labels = {row.name: row.label for row in ROWS}
    ours = ("ours_dense", "ours_sparse")
    shown = {
        row["row"]: row
        for row in table
        if row["table"] in ("combination", "classifier")
        and row["row"] != "scsampler"  # it is the union
    }
    points = [_point(row, labels.get(name, name), ours=name in ours) for name, row in shown.items()]
    hollow = "Listen to Look with the student"
    points += [
        _point(row, f"{method_labels()[row['method']]}, with the student", named=False, ours=True)
        for row in table1
        if row["method"] in ours
    ]
    return Plot([lambda axes: _named_points(axes, points, "video", hollow)], 7)


def clips_plot(clips: Rows) -> Plot:
    """Single clips (paper, Fig. 5): top-1 accuracy against multiply-accumulates per clip, one
    point per network.

    Students that are not distilled are hollow points without a name: each lies above or below the
    distilled student of the same modalities, which costs the same.
    """
    points = []
    for row in clips:
        name = row["modalities"] or row["model"].replace("_", " ")
        distilled = row["distilled"] != "no"
        title = name if distilled else f"{name}, not distilled"
        ours = name == "image-audio" and distilled
        points.append(_point(row, title, named=distilled, ours=ours, unit="clip"))
    return Plot([lambda axes: _named_points(axes, points, "clip", "not distilled")])


# ---- curves --------------------------------------------------------------------------------------


def _steps(count: int) -> str:
    return f"{count} step" + "s" * (count > 1)


def _legend_below(axes: Axes, columns: int) -> None:
    axes.legend(
        fontsize=8, frameon=False, ncols=columns, loc="upper center", bbox_to_anchor=(0.5, -0.14)
    )


def tradeoff_plot(tradeoff: Rows) -> Plot:
    """The skimmer's accuracy by the share of moments read, and by the step after which it stops
    (paper, Figs. 6 and 11); and that of one look by the share of moments read.
    """
    rows = {
        (int(row["factor"]), int(row["steps"])): row
        for row in tradeoff
        if row["network"] == "skimmer"
    }
    one_look = {int(row["factor"]): row for row in tradeoff if row["network"] == "one_look"}
    factors = sorted({factor for factor, _ in rows})
    steps = sorted({count for _, count in rows})
    shown_steps = sorted({min(k, steps[-1]) for k in (1, 2, 3, 5, steps[-1])})
    shown_factors = [f for f in (1, 2, 5, 10, 20) if f in factors]
    accuracies = [float(row["top1"]) for row in (*rows.values(), *one_look.values())]
    margin = 0.05 * (max(accuracies) - min(accuracies)) or 1
    limits = min(accuracies) - margin, max(accuracies) + margin

    def finish(axes: Axes, label: str) -> None:
        axes.set_xlabel(label)
        axes.set_ylabel("top-1 accuracy (%)")
        axes.set_ylim(limits)  # of both panels
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        _legend_below(axes, 3)

    def by_factor(axes: Axes) -> None:
        curves = [
            (_steps(k), {f: rows[f, k] for f in factors}, _COLOURS[i], "o", "-")
            for i, k in enumerate(shown_steps)
        ]
        if one_look:
            curves.append(("one look", one_look, _OTHERS, "s", "--"))
        for name, curve, colour, marker, line in curves:
            points = [
                (f, float(row["top1"]), _title(f"{name}, factor {f}", row, "top1", "top-1"))
                for f, row in curve.items()
            ]
            _mark(
                axes, points, label=name, color=colour, marker=marker, linestyle=line, markersize=4
            )
        finish(axes, "factor: one moment in so many is read")

    def by_step(axes: Axes) -> None:
        for i, factor in enumerate(shown_factors):
            points = [
                (
                    k,
                    float(rows[factor, k]["top1"]),
                    _title(f"factor {factor}, {_steps(k)}", rows[factor, k], "top1", "top-1"),
                )
                for k in steps
            ]
            _mark(
                axes, points, label=f"factor {factor}", color=_COLOURS[i], marker="o", markersize=4
            )
        finish(axes, "steps after which the skimmer stops")

    return Plot([by_factor, by_step], height=4.6)


def frontier_plot(frontier: Rows, together: bool) -> Plot:
    """Mean average precision against multiply-accumulates per video (paper, Fig. 7), this run's
    points and published ones.

    Args:
        frontier: the points.
        together: show both in one panel, for a run on the data set of the published points; else in
            two panels, each with its own scale.
    """
    if together:
        return Plot([_frontier_panel(frontier, "this run; dotted: published")], height=7)
    panels = [
        _frontier_panel([row for row in frontier if row["quoted"] == quoted], title)
        for quoted, title in (
            ("no", "this run"),
            ("yes", "published, on ActivityNet: not comparable"),
        )
    ]
    return Plot(panels, height=5.6)


def _frontier_panel(frontier: Rows, title: str) -> Panel:
    def draw(axes: Axes) -> None:
        seen: dict[bool, list[str]] = {False: [], True: []}
        for (is_quoted, method, *_), points in _by_curve(frontier).items():
            quoted, ours = is_quoted == "yes", method.startswith(("Ours", "ListenToLook"))
            is_new = method not in seen[quoted]
            if is_new:
                seen[quoted].append(method)
            i = seen[quoted].index(method)
            _mark(
                axes,
                sorted(points),
                label=method if is_new else None,
                color=_OURS if ours else _COLOURS[i % len(_COLOURS)],
                marker=_MARKERS[i % len(_MARKERS)],
                markerfacecolor="none" if quoted else None,
                linestyle=":" if quoted else "-",
                linewidth=1,
                markersize=5,
            )
        _cost_axis(axes, "video")
        axes.set_title(title, fontsize=10)
        axes.set_ylabel("mean average precision (%)")
        if any(seen.values()):
            _legend_below(axes, 2)

    return draw


def _by_curve(frontier: Rows) -> Mapping[tuple[str, ...], list[tuple[float, float, str]]]:
    """(cost, precision, title) of the points of each curve; the run has one curve per number of
    steps.
    """
    labels = {**method_labels(), "one_look": "One look", "ours": "Ours"}
    curves: dict[tuple[str, ...], list[tuple[float, float, str]]] = defaultdict(list)
    for row in frontier:
        name = labels.get(row["method"], row["method"])
        name += f", {_steps(int(row['steps']))}" if row["steps"] else ""
        at = f"{name}, factor {row['factor']}" if row["factor"] else name
        features = row["index_features"], row["recognition_features"]
        if row["quoted"] == "yes":
            at = ", ".join(filter(None, (name, row["recognition_features"])))
        curves[row["quoted"], name, *features].append(
            (float(row["gmacs_per_video"]), float(row["map"]), _title(at, row, "map", "mAP"))
        )
    return curves


def picture_address(frame: np.ndarray) -> str:
    """A frame (height, width, 3) uint8 as a ``data:`` address of a JPEG."""
    file = io.BytesIO()
    Image.fromarray(frame).save(file, "JPEG", quality=_JPEG_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
