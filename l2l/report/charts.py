"""Geometry of the page's own drawings, in which one unit is one cell: heat maps and curves."""

import itertools
import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

LEVELS = 8  # of opacity
MOST_COLUMNS = 400  # of a heat map; longer videos have several moments per column


def moments_per_column(moments: int) -> int:
    """The number of moments in one column of a timeline."""
    return max(1, math.ceil(moments / MOST_COLUMNS))


def binned(weights: Float[np.ndarray, "rows moments"], size: int) -> np.ndarray:
    """The largest weight of each `size` moments in a row: (rows, columns)."""
    padding = -weights.shape[1] % size
    padded = np.pad(weights, ((0, 0), (0, padding)))
    return padded.reshape(len(weights), -1, size).max(2)


def heat_paths(shares: Float[np.ndarray, "rows columns"]) -> list[tuple[float, str]]:
    """Cells as SVG paths, one for each level of opacity: (opacity, path).

    Neighbours of one level in a row are one rectangle.

    Args:
        shares: from 0, not drawn, to 1, opaque.
    """
    levels = np.ceil(np.clip(shares, 0, 1) * LEVELS - 0.5).astype(int)
    paths: dict[int, list[str]] = {}
    for y, row in enumerate(levels):
        starts = [0, *(np.flatnonzero(np.diff(row)) + 1).tolist(), len(row)]
        for start, stop in itertools.pairwise(starts):
            if row[start]:
                rectangle = f"M{start} {y}h{stop - start}v1h{start - stop}z"
                paths.setdefault(int(row[start]), []).append(rectangle)
    return [(level / LEVELS, "".join(paths[level])) for level in sorted(paths)]


def curve_points(values: Sequence[float]) -> str:
    """Values as points of a polyline in a box of 100 x 100, the smallest at the bottom."""
    low, high = min(values), max(values)
    across, up = max(len(values) - 1, 1), (high - low) or 1
    return " ".join(
        f"{100 * i / across:.1f},{100 - 100 * (value - low) / up:.1f}"
        for i, value in enumerate(values)
    )
