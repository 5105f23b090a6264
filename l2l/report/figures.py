"""Pictures of the report: plots as in the paper's figures, and frames as data addresses."""

import base64
import io
from collections import defaultdict
from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter
from PIL import Image

from l2l.evaluation.videos.methods import method_labels
from l2l.report.labels import Label, place_labels
from l2l.sampler.rows import ROWS

_OURS = "#c2410c"
_OTHERS = "#475569"
_COLOURS = ("#1d4ed8", "#0891b2", "#15803d", "#7c3aed", "#a21caf", "#65a30d", "#0f172a")
_MARKERS = "osD^v<>ph"
_JPEG_QUALITY = 85  # of the frames

Rows = Sequence[Mapping[str, str]]


def _axes(figure: Figure, panels: int = 1) -> list[Axes]:
    """Empty panels side by side."""
    all_axes = list(figure.subplots(1, panels, squeeze=False)[0])
    for axes in all_axes:
        axes.grid(alpha=0.3)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    return all_axes


def _cost_axis(axes: Axes, unit: str) -> None:
    """Multiply-accumulates on a logarithmic axis with plain numbers."""
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(f"multiply-accumulates per {unit} (G, log scale)")


def _figure(width: float = 7.5, height: float = 4.2) -> Figure:
    return Figure(figsize=(width, height), layout="constrained")


def _svg(figure: Figure) -> str:
    """An SVG element; the same figure always gives the same bytes."""
    with matplotlib.rc_context(
        {"svg.hashsalt": "l2l", "svg.fonttype": "none", "font.family": "sans-serif"}
    ):
        text = io.StringIO()
        figure.savefig(
            text, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type"))
        )
    return text.getvalue().partition("<svg")[1] + text.getvalue().partition("<svg")[2]


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


def _named_points(
    axes: Axes, points: Sequence[tuple[float, float, str]], ours: Sequence[str]
) -> list[Label]:
    """Top-1 accuracy against cost, one point each; those that `ours` names are highlighted.

    Returns:
        The names of the points, which `place_labels` writes once all else is drawn.
    """
    labels = [
        Label(cost, top1, name, _OURS if name in ours else _OTHERS)
        for cost, top1, name in sorted(points)
    ]
    for label in labels:
        axes.scatter(label.x, label.y, color=label.colour, s=36, zorder=3)
    axes.set_ylabel("top-1 accuracy (%)")
    axes.margins(x=0.2, y=0.15)
    return labels


def cost_plot(table1: Rows) -> str:
    """Whole videos: top-1 accuracy against multiply-accumulates per video, one point per method."""
    figure = _figure()
    (axes,) = _axes(figure)
    labels = method_labels()
    points = [
        (
            float(row["gmacs_per_video"]),
            float(row["top1"]),
            labels.get(row["method"], row["method"]),
        )
        for row in table1
    ]
    ours = [label for name, label in labels.items() if name.startswith("ours")]
    named = _named_points(axes, points, ours)
    _cost_axis(axes, "video")
    place_labels(axes, named)
    return _svg(figure)


def scsampler_plot(table: Rows, table1: Rows) -> str:
    """Top-1 accuracy against multiply-accumulates per video: the teacher on the clips that rows of
    scsampler.tsv choose, and Listen to Look with the student as hollow points.
    """
    figure = _figure(9, 5)
    (axes,) = _axes(figure)
    labels = {row.name: row.label for row in ROWS}
    shown = [row for row in table if row["table"] in ("combination", "classifier")]
    points = {
        labels.get(row["row"], row["row"]): (float(row["gmacs_per_video"]), float(row["top1"]))
        for row in shown
        if row["row"] != "scsampler"  # it is the union
    }
    ours = [labels[name] for name in ("ours_dense", "ours_sparse")]
    named = _named_points(axes, [(*point, name) for name, point in points.items()], ours)
    alone = [row for row in table1 if row["method"] in ("ours_dense", "ours_sparse")]
    if alone:
        axes.scatter(
            [float(row["gmacs_per_video"]) for row in alone],
            [float(row["top1"]) for row in alone],
            s=36,
            facecolors="none",
            edgecolors=_OURS,
            label="Listen to Look with the student",
        )
        axes.legend(frameon=False, loc="lower right")
    _cost_axis(axes, "video")
    place_labels(axes, named)
    return _svg(figure)


def clips_plot(clips: Rows) -> str:
    """Single clips (paper, Fig. 5): top-1 accuracy against multiply-accumulates per clip, one
    point per network.

    Students that are not distilled are hollow points without a name: each lies above or below the
    distilled student of the same modalities, which costs the same.
    """
    figure = _figure()
    (axes,) = _axes(figure)
    points = [
        (float(row["gmacs_per_clip"]), float(row["top1"]), _clip_label(row))
        for row in clips
        if row["distilled"] != "no"
    ]
    named = _named_points(axes, points, ("image-audio",))
    hollow = [row for row in clips if row["distilled"] == "no"]
    if hollow:
        costs = [float(row["gmacs_per_clip"]) for row in hollow]
        top1 = [float(row["top1"]) for row in hollow]
        axes.scatter(
            costs, top1, s=36, facecolors="none", edgecolors=_OTHERS, label="not distilled"
        )
        axes.legend(frameon=False, loc="lower right")
    _cost_axis(axes, "clip")
    place_labels(axes, named)
    return _svg(figure)


def _clip_label(row: Mapping[str, str]) -> str:
    """The name of a network in the plot of single clips."""
    return row["modalities"] or row["model"].replace("_", " ")


def _steps(count: int) -> str:
    return f"{count} step" + "s" * (count > 1)


def tradeoff_plot(tradeoff: Rows) -> str:
    """The skimmer's accuracy by the share of moments read, and by the step after which it stops
    (paper, Figs. 6 and 11); and that of one look by the share of moments read.
    """
    top1 = {
        (int(row["factor"]), int(row["steps"])): float(row["top1"])
        for row in tradeoff
        if row["network"] == "skimmer"
    }
    one_look = [
        (int(row["factor"]), float(row["top1"])) for row in tradeoff if row["network"] == "one_look"
    ]
    factors = sorted({factor for factor, _ in top1})
    steps = sorted({count for _, count in top1})
    figure = _figure(9)
    by_factor, by_step = _axes(figure, 2)
    for i, stop in enumerate(sorted({min(k, steps[-1]) for k in (1, 2, 3, 5, steps[-1])})):
        by_factor.plot(
            factors,
            [top1[f, stop] for f in factors],
            "o-",
            ms=3,
            color=_COLOURS[i],
            label=_steps(stop),
        )
    if one_look:
        by_factor.plot(*zip(*one_look, strict=True), "s--", ms=3, color=_OTHERS, label="one look")
    for i, factor in enumerate(f for f in (1, 2, 5, 10, 20) if f in factors):
        by_step.plot(
            steps,
            [top1[factor, k] for k in steps],
            "o-",
            ms=3,
            color=_COLOURS[i],
            label=f"factor {factor}",
        )
    by_factor.set_xlabel("factor: one moment in so many is read")
    by_step.set_xlabel("steps after which the skimmer stops")
    by_factor.set_ylabel("top-1 accuracy (%)")
    by_step.sharey(by_factor)
    for axes in (by_factor, by_step):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(fontsize=8, frameon=False)
    return _svg(figure)


def frontier_plot(frontier: Rows, together: bool) -> str:
    """Mean average precision against multiply-accumulates per video (paper, Fig. 7), this run's
    points and published ones.

    Args:
        frontier: the points.
        together: show both in one panel, for a run on the data set of the published points; else in
            two panels, each with its own scale.
    """
    figure = _figure(9, 5.4)
    panels = _axes(figure, 1 if together else 2)
    curves: dict[tuple[bool, str], list[list[tuple[float, float]]]] = defaultdict(list)
    for (is_quoted, method, *_), points in _by_curve(frontier).items():
        curves[is_quoted == "yes", method].append(points)
    names = {quoted: [method for q, method in curves if q == quoted] for quoted in (False, True)}
    for (quoted, method), lines in curves.items():
        axes, i = panels[-1 if quoted else 0], names[quoted].index(method)
        ours = method.startswith("ours") or method == "ListenToLook"
        for k, points in enumerate(lines):
            axes.plot(
                *zip(*sorted(points), strict=True),
                label=None if k else method,
                color=_OURS if ours else _COLOURS[i % len(_COLOURS)],
                marker=_MARKERS[i % len(_MARKERS)],
                markerfacecolor="none" if quoted else None,
                linestyle=":" if quoted else "-",
                linewidth=1,
                markersize=4,
            )
    titles = (
        ["this run; dotted: published"]
        if together
        else ["this run", "published, on ActivityNet: not comparable"]
    )
    for axes, title in zip(panels, titles, strict=True):
        _cost_axis(axes, "video")
        axes.set_title(title, fontsize=10)
        axes.legend(
            fontsize=8,
            frameon=False,
            ncols=6 if together else 3,
            loc="upper center",
            bbox_to_anchor=(0.5, -0.14),
        )
    panels[0].set_ylabel("mean average precision (%)")
    return _svg(figure)


def _by_curve(frontier: Rows) -> Mapping[tuple[str, ...], list[tuple[float, float]]]:
    """(cost, precision) of the points of each curve; the run has one curve per number of steps."""
    labels = {**method_labels(), "one_look": "One look"}
    curves: dict[tuple[str, ...], list[tuple[float, float]]] = defaultdict(list)
    for row in frontier:
        name = labels.get(row["method"], row["method"])
        name += f", {_steps(int(row['steps']))}" if row["steps"] else ""
        features = row["index_features"], row["recognition_features"]
        curves[row["quoted"], name, *features].append(
            (float(row["gmacs_per_video"]), float(row["map"]))
        )
    return curves


def picture_address(frame: np.ndarray) -> str:
    """A frame (height, width, 3) uint8 as a ``data:`` address of a JPEG."""
    file = io.BytesIO()
    Image.fromarray(frame).save(file, "JPEG", quality=_JPEG_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
