r"""Labels and segments of a video in one cell of a table: names with `|` between them, and
`start end name` of each segment.

    climb                  one label
    climb|a\|b             two; the second is `a|b`
    0.5 3.25 climb|7.0 9.5 dive

Before a `|`, a `\` or a first `[` of a name is a `\`; halves of surrogate pairs, which come from
JSON, are `\ud800`; an empty name is `\e`. No segments are an empty cell: the whole video is the
action; `none`: no moment of it is labelled.
"""

import re
from collections.abc import Iterable

_SPECIAL = re.compile(r"[\\|\ud800-\udfff]|^\[")
_TOKEN = re.compile(r"\\u([0-9a-f]{4})|\\(.)|(\|)|([^\\|]+)", re.DOTALL)
_NO_SEGMENTS = "none"

Span = tuple[float, float, str]  # start and end in seconds, label


def labels_cell(labels: Iterable[str]) -> str:
    """The cell of some labels."""
    return "|".join(map(_escape, labels))


def read_labels_cell(cell: str) -> tuple[str, ...]:
    """What `labels_cell` was given.

    Raises:
        ValueError: if it is no such cell.
    """
    if cell.startswith("["):
        raise ValueError("labels as an earlier version of l2l wrote them; run snakemake again")
    return tuple(_names(cell)) if cell else ()


def segments_cell(spans: Iterable[Span] | None) -> str:
    """The cell of some segments; None: the whole video."""
    if spans is None:
        return ""
    parts = [f"{float(start)!r} {float(end)!r} {_escape(label)}" for start, end, label in spans]
    return "|".join(parts) or _NO_SEGMENTS


def read_segments_cell(cell: str) -> list[Span] | None:
    """What `segments_cell` was given.

    Raises:
        ValueError: if it is no such cell.
    """
    if not cell:
        return None
    if cell == "null" or cell.startswith("["):
        raise ValueError("segments as an earlier version of l2l wrote them; run snakemake again")
    return [] if cell == _NO_SEGMENTS else [_span(part) for part in _names(cell)]


def _span(part: str) -> Span:
    cells = part.split(" ", 2)
    if len(cells) != 3:
        raise ValueError(f"segment {part!r}, expected `start end label`")
    return float(cells[0]), float(cells[1]), cells[2]


def _escape(name: str) -> str:
    if not _SPECIAL.search(name):
        return name or r"\e"
    return _SPECIAL.sub(
        lambda match: f"\\u{ord(match[0]):04x}" if match[0] >= "\ud800" else f"\\{match[0]}", name
    )


def _names(cell: str) -> list[str]:
    """The names of a cell, as they were before they were escaped."""
    if "\\" not in cell:
        return cell.split("|")
    names, end = [""], 0
    for token in _TOKEN.finditer(cell):
        surrogate, escaped, between, plain = token.groups()
        if token.start() != end:
            break
        end = token.end()
        if between:
            names.append("")
        elif surrogate:
            names[-1] += chr(int(surrogate, 16))
        else:
            names[-1] += plain or ("" if escaped == "e" else escaped)
    if end != len(cell):
        raise ValueError(f"{cell!r} ends in a single backslash")
    return names
