"""Pictures of the report: the plot of accuracy against cost, and frames as data addresses."""

import base64
import io
from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

_OURS = "#c2410c"
_OTHERS = "#475569"


def _label_heights(points: Sequence[tuple[float, float, str]]) -> list[float]:
    """Where labels of (cost, accuracy, name) stand, in percent: at their points, moved up where labels of alike cost meet."""
    gap = max(0.5, (max(p[1] for p in points) - min(p[1] for p in points)) / 18)
    heights = [0.0] * len(points)
    for i in sorted(range(len(points)), key=lambda i: points[i][1]):
        cost, heights[i], _ = points[i]
        near = sorted(heights[k] for k in range(len(points)) if k != i and heights[k] and abs(np.log(points[k][0] / cost)) < 0.4)
        for height in near:
            if abs(heights[i] - height) < gap:
                heights[i] = height + gap
    return heights


def cost_plot(table1: Sequence[Mapping[str, str]]) -> str:
    """Top-1 accuracy against multiply-accumulates a video, a labelled point a method: an SVG element, always the same bytes."""
    figure = Figure(figsize=(7.5, 4.2), layout="constrained")
    axes = figure.add_subplot()
    points = sorted((float(row["gmacs_per_video"]), float(row["top1"]), row["method"]) for row in table1)
    for (cost, top1, method), height in zip(points, _label_heights(points), strict=True):
        colour = _OURS if method.startswith("ours") else _OTHERS
        axes.scatter(cost, top1, color=colour, s=36, zorder=3)
        axes.annotate(method, (cost, height), (9, -3), textcoords="offset points", fontsize=9, color=colour)
    axes.set_xscale("log")
    axes.set_xlabel("multiply-accumulates a video (G, log scale)")
    axes.set_ylabel("top-1 accuracy (%)")
    axes.margins(x=0.2, y=0.15)
    axes.grid(alpha=0.3)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    with matplotlib.rc_context({"svg.hashsalt": "l2l", "svg.fonttype": "none", "font.family": "sans-serif"}):
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return text.getvalue().partition("<svg")[1] + text.getvalue().partition("<svg")[2]


def picture_address(frame: np.ndarray) -> str:
    """A frame (height, width, 3) uint8 as a ``data:`` address of a JPEG."""
    file = io.BytesIO()
    Image.fromarray(frame).save(file, "JPEG", quality=90)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
