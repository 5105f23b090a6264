"""Lists of videos and of classes, as data sets bring them.

Line ends of any kind, and columns by name or position.
"""

import csv
import io
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from l2l.errors import BadInput
from l2l.text_files import read_text

SPLIT_WORDS = {
    **dict.fromkeys(("train", "training", "trn"), "train"),
    **dict.fromkeys(("val", "valid", "validate", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing", "eval"), "test"),
}


def read_lines(path: Path) -> list[tuple[int, str]]:
    """The lines of a list that are not blank, each with its number as an editor counts it.

    Raises:
        BadInput: if the file is missing, cannot be read, or has no line.
    """
    text = read_text(path, "a list with one video or class per line")
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not lines:
        raise BadInput(f"{path}: the file is empty; expected one video or class per line")
    return lines


def read_rows(
    path: Path, columns: Sequence[str], delimiter: str = "", header: bool = True, width: int = 0
) -> list[tuple[int, dict[str, str]]]:
    """The rows of a csv or tsv, each with the number of its first line.

    Cells have no spaces around them. Rows of empty cells, as Excel leaves them, are passed over.

    Args:
        path: the table.
        columns: names that are needed, of the header; or positions counted from 0, such as "0",
            where there is no header. Other columns are kept.
        delimiter: between columns; empty: a tab for .tsv, else a comma.
        header: whether the first row names the columns.
        width: the number of columns of a table without header; 0: as many as its first row has.

    Raises:
        BadInput: if the file is missing, lacks a column, or a row has too few or too many cells.
    """
    text = read_text(path, "a csv or tsv")
    rows = _cells(path, text, delimiter or ("\t" if path.suffix == ".tsv" else ","))
    if not rows:
        raise BadInput(f"{path}: the file is empty; expected a csv or tsv")
    first, names = rows[0]
    if header:
        while names and not names[-1]:
            names.pop()
        rows = rows[1:]
    else:
        width = width or len(names)
        names = [str(position) for position in range(width)]
        # no header says which count is right, so all rows need the same
        for line, cells in rows:
            if len(cells) < width:
                raise BadInput(_ragged(path, line, len(cells), width))
    shown = ", ".join(map(repr, names))
    if missing := [column for column in columns if column not in names]:
        raise BadInput(f"{path}: line {first}: no column {missing[0]!r}; its columns are {shown}")
    if duplicated := [column for column in columns if names.count(column) > 1]:
        raise BadInput(
            f"{path}: line {first}: column {duplicated[0]!r} is duplicated; its columns are {shown}"
        )
    tables = []
    for line, cells in rows:
        if any(cells[len(names) :]):
            raise BadInput(_ragged(path, line, len(cells), len(names)))
        table = dict(zip(names, cells, strict=False))
        if short := [column for column in columns if column not in table]:
            raise BadInput(
                f"{path}: line {line} has {len(cells)} cells, so no {short[0]!r}; expected "
                f"{', '.join(columns)}"
            )
        tables.append((line, table))
    return tables


def _cells(path: Path, text: str, delimiter: str) -> list[tuple[int, list[str]]]:
    csv.field_size_limit(1 << 30)
    # a space before a quoted cell would make the quotes a part of it
    reader = csv.reader(
        io.StringIO(text), delimiter=delimiter, strict=True, skipinitialspace=delimiter != "\t"
    )
    rows, line = [], 1
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if any(cells):
                rows.append((line, cells))
            line = reader.line_num + 1
    except csv.Error as error:
        raise BadInput(f"{path}: line {line}: not a row of a table ({error})") from None
    return rows


def _ragged(path: Path, line: int, cells: int, expected: int) -> str:
    return (
        f"{path}: line {line} has {cells} cells, expected {expected}; a cell that holds the "
        'delimiter has to be quoted: "a, b"'
    )


def named_split(word: str, where: str) -> str:
    """train, val or test, by any of the words that lists have for it.

    Raises:
        BadInput: if it is none of the words known.
    """
    if split := SPLIT_WORDS.get(word.strip().casefold()):
        return split
    raise BadInput(f"{where}: split is {word!r}, expected one of {', '.join(SPLIT_WORDS)}")


def non_empty(text: str, what: str, where: str) -> str:
    """The text without spaces around it.

    Raises:
        BadInput: if nothing is left; `what` names it.
    """
    if stripped := text.strip():
        return stripped
    raise BadInput(f"{where}: the {what} is empty")


def seconds(text: str, where: str) -> float:
    """A time in a list.

    Raises:
        BadInput: if it is not a finite number of at least 0.
    """
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 <= value < float("inf"):
        raise BadInput(f"{where}: a time is {text!r}, expected seconds")
    return value


def segment_time(text: str, where: str) -> float:
    """A time of a segment: any number, also NaN; `real_segments` drops what is no segment.

    Raises:
        BadInput: if it is not a number.
    """
    try:
        return float(text)
    except ValueError:
        raise BadInput(f"{where}: a time is {text!r}, expected seconds") from None


def composed(name: str) -> str:
    """The NFC form of a name: letter and accent as one character, as keyboards write them."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def plain(name: str) -> str:
    """A name without case, spaces, underscores and punctuation, which lists write differently."""
    return re.sub(r"[\W_]+", "", composed(name)).casefold() or name
