"""Draw docs/method.svg: `python docs/draw_method.py`. The same bytes each time."""

from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

OUTPUT = Path(__file__).with_name("method.svg")
INK, SOFT, OURS, SEEN, HEARD = "#0f172a", "#475569", "#c2410c", "#dbeafe", "#fef3c7"


def box(
    axes: Axes, x: float, y: float, width: float, height: float, text: str, colour: str
) -> None:
    """A rounded box with its lower left corner at (x, y) and text in the middle."""
    axes.add_patch(
        FancyBboxPatch(
            (x, y),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=.08",
            fc=colour,
            ec=INK,
            lw=0.8,
        )
    )
    axes.text(x + width / 2, y + height / 2, text, ha="center", va="center", fontsize=8, color=INK)


def arrow(
    axes: Axes, start: tuple[float, float], end: tuple[float, float], colour: str = SOFT
) -> None:
    """An arrow from one point to another."""
    axes.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle="-|>",
            mutation_scale=8,
            lw=0.9,
            color=colour,
            shrinkA=1,
            shrinkB=1,
        )
    )


def draw_clip_level(axes: Axes) -> None:
    """Left half: the student is distilled from the teacher."""
    axes.text(
        0.1, 4.25, "1 Distil: one frame and its sound replace a clip of 16 frames", weight="bold"
    )
    box(axes, 0.1, 2.95, 1.5, 0.75, "clip\n16 frames", SEEN)
    box(axes, 2.1, 2.95, 1.7, 0.75, "teacher\nR(2+1)D-18, fixed", "white")
    box(axes, 0.1, 1.55, 1.5, 0.75, "its first frame", SEEN)
    box(axes, 0.1, 0.45, 1.5, 0.75, "its mel\n1 s of sound", HEARD)
    box(axes, 2.1, 1.55, 1.7, 0.75, "image ResNet-18", SEEN)
    box(axes, 2.1, 0.45, 1.7, 0.75, "audio ResNet-18", HEARD)
    box(axes, 4.25, 1.0, 0.6, 0.75, "Ψ", "white")
    for y in (3.325, 1.925, 0.825):
        arrow(axes, (1.6, y), (2.1, y))
    arrow(axes, (3.8, 1.925), (4.25, 1.5))
    arrow(axes, (3.8, 0.825), (4.25, 1.25))
    arrow(axes, (3.8, 3.325), (5.2, 3.325))
    axes.text(5.25, 3.325, "descriptor, 512", va="center")
    arrow(axes, (4.85, 1.375), (5.2, 1.375))
    axes.text(5.25, 1.375, "image-audio\nfeature, 512", va="center")
    arrow(axes, (5.6, 3.1), (5.6, 1.75), OURS)
    arrow(axes, (5.6, 1.75), (5.6, 3.1), OURS)
    axes.text(5.7, 2.45, "L1 + soft\ncross-entropy", va="center", color=OURS)


def draw_video_level(axes: Axes) -> None:
    """Right half: the skimmer selects moments of the untrimmed video."""
    left = 7.6
    axes.text(left, 4.25, "2 Skim: T steps over all moments of the untrimmed video", weight="bold")
    selected_frames, selected_mels = {3, 8}, {5, 8}
    for k in range(12):
        x = left + 0.45 * k
        for y, colour, chosen in ((3.35, SEEN, selected_frames), (2.85, HEARD, selected_mels)):
            axes.add_patch(
                FancyBboxPatch(
                    (x, y),
                    0.36,
                    0.36,
                    boxstyle="round,pad=0,rounding_size=.04",
                    fc=colour,
                    ec=OURS if k in chosen else SOFT,
                    lw=1.8 if k in chosen else 0.6,
                )
            )
    axes.text(left + 5.5, 3.53, "image keys", va="center")
    axes.text(left + 5.5, 3.03, "audio keys", va="center")
    box(axes, left, 1.35, 1.8, 0.75, "attended feature\nΨ(image, audio)", "white")
    box(axes, left + 2.3, 1.35, 1.0, 0.75, "LSTM", "white")
    box(axes, left + 3.8, 1.35, 1.6, 0.75, "image query\naudio query", "white")
    arrow(axes, (left + 0.9, 2.8), (left + 0.9, 2.1))
    arrow(axes, (left + 1.8, 1.725), (left + 2.3, 1.725))
    arrow(axes, (left + 3.3, 1.725), (left + 3.8, 1.725))
    arrow(axes, (left + 4.6, 2.1), (left + 4.6, 2.8), OURS)
    axes.text(left + 1.05, 2.45, "sum weighted by attention", va="center")
    axes.text(left + 4.75, 2.45, "attention selects moments", va="center", color=OURS)
    box(axes, left, 0.4, 1.8, 0.55, "mean over T steps", "white")
    box(axes, left + 2.3, 0.4, 1.0, 0.55, "classifier", "white")
    arrow(axes, (left + 0.9, 1.35), (left + 0.9, 0.95))
    arrow(axes, (left + 1.8, 0.675), (left + 2.3, 0.675))
    arrow(axes, (left + 3.3, 0.675), (left + 3.8, 0.675))
    axes.text(left + 3.85, 0.675, "the action", va="center")


def main(output: Path = OUTPUT) -> None:
    """Write the drawing."""
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "l2l", "font.size": 8})
    mpl.rcParams["font.family"] = ["DejaVu Sans", "sans-serif"]
    figure = Figure(figsize=(11, 3.3))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, 14.7)
    axes.set_ylim(0.2, 4.6)
    axes.axis("off")
    axes.axvline(7.2, 0.05, 0.95, color="#e2e8f0", lw=1)
    draw_clip_level(axes)
    draw_video_level(axes)
    figure.savefig(output, metadata={"Date": None}, facecolor="white")


if __name__ == "__main__":
    main()
