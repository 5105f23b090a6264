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


def cost_plot(table1: Sequence[Mapping[str, str]]) -> str:
    """Top-1 accuracy against multiply-accumulates a video, a labelled point a method: an SVG element, always the same bytes."""
    figure = Figure(figsize=(7.5, 4.2), layout="constrained")
    axes = figure.add_subplot()
    placed: list[tuple[float, float]] = []
    for row in sorted(table1, key=lambda row: (float(row["top1"]), row["method"])):
        cost, top1 = float(row["gmacs_per_video"]), float(row["top1"])
        colour = _OURS if row["method"].startswith("ours") else _OTHERS
        axes.scatter(cost, top1, color=colour, s=36, zorder=3)
        near = sum(abs(np.log(cost / c)) < 0.25 and abs(top1 - a) < 3 for c, a in placed)
        axes.annotate(row["method"], (cost, top1), (7, 3 - 11 * near), textcoords="offset points", fontsize=9, color=colour)
        placed.append((cost, top1))
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
