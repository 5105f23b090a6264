"""Numbers with the digits that mean something: the half-width of the 95 % interval decides."""

import math
from collections.abc import Mapping

from l2l.evaluation.artifact import Column

SHARES = ("%", "points")  # units of accuracies and of their differences
_MOST_DECIMALS = 2  # the tables have no more


def decimals(half_width: float) -> int:
    """How many decimals of a percentage mean something: the last one is at most as fine as the
    first digit of the half-width.
    """
    if half_width <= 0:
        return _MOST_DECIMALS
    return min(_MOST_DECIMALS, max(0, -math.floor(math.log10(half_width))))


def widest_half_width(videos: float) -> float:
    """Of the 95 % interval of an accuracy of 50 % on so many videos, in points."""
    return 196 * math.sqrt(0.25 / max(videos, 1))


def percent(value: float, half_width: float) -> str:
    """A percentage, or a difference of two, without digits that mean nothing."""
    return f"{value:.{decimals(half_width)}f}"


def significant(value: float) -> str:
    """Any other number with three significant digits, never as a power of ten."""
    if value == 0 or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.{min(12, max(0, 2 - math.floor(math.log10(abs(value)))))}f}"


def interval_half_width(row: Mapping[str, str], name: str, videos: int) -> float:
    """Half of a cell's 95 % interval, in points, by `<name>_low` and `<name>_high` if the row has
    them; else that of 50 % on as many videos as the row has, or on `videos`.
    """
    if f"{name}_low" in row:
        half = (float(row[f"{name}_high"]) - float(row[f"{name}_low"])) / 2
        if half > 0:
            return half
    return widest_half_width(float(row.get("videos") or videos))


def cell(row: Mapping[str, str], column: Column, videos: int) -> str:
    """A cell as the page shows it; a percentage with its 95 % interval, if the row has one.

    Args:
        row: of a table of the evaluation.
        column: which cell.
        videos: number of usable test videos.
    """
    text = row[column.name]
    if column.unit is None or not text:
        return text
    if column.name.startswith("quoted") or row.get("quoted") == "yes":
        return text  # as its source prints it
    value = float(text)
    if column.unit not in SHARES:
        return text if text.lstrip("-").isdecimal() else significant(value)
    half = interval_half_width(row, column.name, videos)
    shown = percent(value, half)
    if f"{column.name}_low" not in row:
        return shown
    low, high = (percent(float(row[f"{column.name}_{end}"]), half) for end in ("low", "high"))
    return f"{shown} ({low} to {high})"
