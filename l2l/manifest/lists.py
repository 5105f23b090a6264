"""Lists of videos and of classes as data sets bring them.

Any line ending, names beside numbers, columns by name or place.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from l2l.errors import BadInput

SPLIT_WORDS = {
    **dict.fromkeys(("train", "training", "trn"), "train"),
    **dict.fromkeys(("val", "valid", "validate", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing", "eval"), "test"),
}


def read_lines(path: Path) -> list[str]:
    """The lines of a text file without their ends, CRLF or LF, and without empty ones at the end.

    Raises:
        BadInput: if it is missing, cannot be read or has no line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig", errors="surrogateescape")
    except OSError as error:
        raise BadInput(
            f"{path}: {error.strerror}; expected a list, one video or class a line"
        ) from None
    lines = text.replace("\r\n", "\n").rstrip().split("\n")
    if lines == [""]:
        raise BadInput(f"{path}: it is empty; expected a list, one video or class a line")
    return lines


def read_rows(
    path: Path, columns: Sequence[str], delimiter: str = "", header: bool = True
) -> list[dict[str, str]]:
    """The rows of a csv or tsv, each with at least these columns; further ones are kept.

    Args:
        path: the table; empty lines are passed over.
        columns: names, of the header; or places counted from 0, such as "0", where there is no
            header.
        delimiter: between columns; empty: a tab for .tsv, else a comma.
        header: whether the first line names the columns.

    Raises:
        BadInput: if it is missing, lacks a column, or a row is shorter than its columns ask for.
    """
    csv.field_size_limit(1 << 30)
    text = "\n".join(read_lines(path)) + "\n"
    try:
        found = list(
            csv.reader(
                io.StringIO(text),
                delimiter=delimiter or ("\t" if path.suffix == ".tsv" else ","),
                strict=True,
            )
        )
    except csv.Error as error:
        raise BadInput(f"{path}: not a table ({error})") from None
    names = (
        [name.strip() for name in found[0]]
        if header
        else [str(place) for place in range(max(map(len, found)))]
    )
    if missing := [column for column in columns if column not in names]:
        raise BadInput(
            f"{path}: no column {missing[0]!r}; its columns are {', '.join(map(repr, names))}"
        )
    if twice := [column for column in columns if names.count(column) > 1]:
        raise BadInput(
            f"{path}: column {twice[0]!r} stands there twice; its columns are "
            f"{', '.join(map(repr, names))}"
        )
    rows = []
    for number, row in enumerate(found[header:], start=1 + header):
        if not row:
            continue
        cells = dict(zip(names, (cell.strip() for cell in row), strict=False))
        if short := [column for column in columns if column not in cells]:
            raise BadInput(
                f"{path}: line {number} has {len(row)} columns, so no {short[0]!r}; expected "
                f"{', '.join(columns)}"
            )
        rows.append(cells)
    return rows


def split_named(word: str, where: str) -> str:
    """train, val or test, as lists call them.

    Raises:
        BadInput: if it is none of the words known.
    """
    if split := SPLIT_WORDS.get(word.casefold()):
        return split
    raise BadInput(f"{where}: split is {word!r}, expected one of {', '.join(SPLIT_WORDS)}")


def seconds(text: str, where: str) -> float:
    """A time in a list.

    Raises:
        BadInput: if it is no number from 0 on.
    """
    try:
        found = float(text)
    except ValueError:
        found = -1
    if not 0 <= found < float("inf"):
        raise BadInput(f"{where}: a time is {text!r}, expected seconds")
    return found


def plain(name: str) -> str:
    """A name without what lists write differently: case, spaces, underscores, punctuation."""
    return re.sub(r"[\W_]+", "", name).casefold() or name


class Classes:
    """The names of numbered classes, from the one file that says which number is which."""

    def __init__(self, path: Path, names: dict[int, str]) -> None:
        if twice := [name for name, count in Counter(names.values()).items() if count > 1]:
            raise BadInput(f"{path}: class {twice[0]!r} stands there twice")
        self._path = path
        self._names = names
        self._exact = set(names.values())
        keys = Counter(plain(name) for name in names.values())
        self._plain = {plain(name): name for name in names.values() if keys[plain(name)] == 1}

    @property
    def names(self) -> list[str]:
        """All names, by number."""
        return [self._names[number] for number in sorted(self._names)]

    def of(self, number: str, where: str) -> str:
        """The name of a class's number.

        Raises:
            BadInput: if there is no such number.
        """
        name = self._names.get(int(number)) if number.isascii() and number.isdigit() else None
        if name is None:
            raise BadInput(
                f"{where}: class {number!r} is not in {self._path}, whose numbers are "
                f"{min(self._names)} to {max(self._names)}"
            )
        return name

    def known(self, name: str) -> str | None:
        """The class of this name, however it is spaced and capitalised; None if there is none."""
        return name if name in self._exact else self._plain.get(plain(name))

    def confirm(self, number: str, name: str, where: str) -> str:
        """The name of a number that a list names as well; a name that is no class at all says
        nothing.

        Raises:
            BadInput: if the two are different classes: the list counts them in another order.
        """
        found, named = self.of(number, where), self.known(name)
        if named is not None and named != found:
            raise BadInput(
                f"{where}: class {number} is {found!r} in {self._path} but {named!r} here; "
                "two label orders are mixed: give the file of classes that belongs to this list"
            )
        return found


def read_classes(path: Path) -> Classes:
    """Classes with their numbers: `number name` a line, a csv or tsv with a header, or names alone,
    counted from 0.

    Raises:
        BadInput: if it is none of these, some lines have numbers and some not, or a number or name
            stands there twice.
    """
    lines = read_lines(path)
    if path.suffix in (".csv", ".tsv"):
        rows = [list(row.values()) for row in read_rows(path, ())]
        lines = [" ".join(row) for row in rows]
    if blank := [number for number, line in enumerate(lines, start=1) if not line.strip()]:
        raise BadInput(
            f"{path}: line {blank[0]} is empty, so the numbers after it are not certain; remove it"
        )
    numbered = [re.fullmatch(r"\s*([0-9]{1,9})[\s,]\s*(.*\S)\s*", line) for line in lines]
    if not any(numbered):
        return Classes(path, {number: line.strip() for number, line in enumerate(lines)})
    if without := [line for line, match in zip(lines, numbered, strict=True) if not match]:
        raise BadInput(
            f"{path}: {without[0]!r} has no number, other lines have; expected `number name` on "
            "each, or on none"
        )
    names: dict[int, str] = {}
    for match in filter(None, numbered):
        if int(match[1]) in names:
            raise BadInput(
                f"{path}: number {match[1]} stands there twice: {names[int(match[1])]!r} and "
                f"{match[2]!r}"
            )
        names[int(match[1])] = match[2]
    return Classes(path, names)
