"""Names at the points of a plot, placed so that they cover neither points nor each other."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.path import Path
from matplotlib.transforms import Bbox

_FONT_POINTS = 9
_DOT_POINTS = 4.0  # half the box of a dot, in 1/72 inch
_NEXT_TO = 7  # from a point to its label, in 1/72 inch
_DISTANCES = (_NEXT_TO, 14, 22, 32, 44, 58, 74, 92)  # in the order in which places are tried
_SIDES = ((1, 0), (1, 1), (1, -1), (0, 1), (0, -1), (-1, 0), (-1, 1), (-1, -1))
_CROSSING_PIXELS = 5.0  # what a line over a dot or a label counts as, of covered pixels


class Label(NamedTuple):
    """A name at a point of a plot, in the numbers of its axes."""

    x: float
    y: float
    name: str
    colour: str


class _Place(NamedTuple):
    """Where a label may be, in pixels."""

    box: Bbox
    anchor: tuple[float, float]  # the middle of the box's side, or its corner, towards the point
    side: tuple[int, int]  # of the point: to the right and up
    line: Path | None  # to the point, from a label that is not next to it


def place_labels(axes: Axes, labels: Sequence[Label]) -> None:
    """Write the names inside the axes, over no dot, no legend and no other name.

    Each is tried on all sides of its point, first to the right, and ever farther away. Where no
    place is free, the one that covers least is taken. To be called last: what is drawn later is
    not seen.
    """
    figure = axes.get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()  # the layout decides where the points are
    pixels = figure.dpi / 72
    taken = list(_dots(axes, pixels * _DOT_POINTS))
    if legend := axes.get_legend():
        taken.append(legend.get_window_extent())
    for label in sorted(labels):
        point = axes.transData.transform((label.x, label.y))
        text = axes.annotate(label.name, (label.x, label.y), fontsize=_FONT_POINTS)
        size = np.array(text.get_window_extent().size)
        text.remove()
        place = min(
            _places(point, size, pixels),
            key=lambda place: _covered(place, point, taken, axes.bbox),
        )
        taken.append(place.box)
        _write(axes, label, place, (place.anchor - point) / pixels)


def _dots(axes: Axes, half: float) -> Iterator[Bbox]:
    """The boxes of all dots, of scattered ones and of those on lines, in pixels."""
    scattered = [dots for dots in axes.collections if isinstance(dots, PathCollection)]
    marked = [line for line in axes.lines if line.get_marker() != "None"]
    points = [
        *(point for dots in scattered for point in np.asarray(dots.get_offsets())),
        *(point for line in marked for point in np.column_stack(line.get_data())),
    ]
    for x, y in map(axes.transData.transform, points):
        yield Bbox.from_extents(x - half, y - half, x + half, y + half)


def _places(point: np.ndarray, size: np.ndarray, pixels: float) -> Iterator[_Place]:
    """Where a label of this size, in pixels, may be."""
    for distance in _DISTANCES:
        for side in _SIDES:
            anchor = point + distance * pixels * np.array(side) / np.hypot(*side)
            left, bottom = anchor + (np.array(side) - 1) * size / 2
            line = Path([point, anchor]) if distance > _NEXT_TO else None
            yield _Place(Bbox.from_bounds(left, bottom, *size), tuple(anchor), side, line)


def _covered(place: _Place, point: np.ndarray, taken: Sequence[Bbox], inside: Bbox) -> float:
    """What a label there would cover, and what of it is outside, in pixels."""
    outside = _area(place.box) - _common_area(place.box, inside)
    covered = sum(_common_area(place.box, other) for other in taken)
    if place.line is None:
        return outside + covered
    others = [other for other in taken if not other.contains(*point)]
    crossed = sum(place.line.intersects_bbox(other) for other in others)
    return outside + covered + _CROSSING_PIXELS * crossed


def _area(box: Bbox) -> float:
    return float(box.width * box.height)


def _common_area(box: Bbox, other: Bbox) -> float:
    common = Bbox.intersection(box, other)
    return 0.0 if common is None else _area(common)


def _write(axes: Axes, label: Label, place: _Place, offset: np.ndarray) -> None:
    """Write a label at its place, `offset` from its point in 1/72 inch; it moves nothing else."""
    across, up = place.side
    # where on the label's own box the line ends
    line = {"arrowstyle": "-", "linewidth": 0.5, "shrinkA": 0, "shrinkB": 0, "color": label.colour}
    line["relpos"] = ((1 - across) / 2, (1 - up) / 2)
    axes.annotate(
        label.name,
        (label.x, label.y),
        tuple(offset),
        textcoords="offset points",
        ha={-1: "right", 0: "center", 1: "left"}[across],
        va={-1: "top", 0: "center", 1: "bottom"}[up],
        fontsize=_FONT_POINTS,
        color=label.colour,
        arrowprops=line if place.line else None,
    ).set_in_layout(False)
