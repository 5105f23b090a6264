"""Files that say which class has which number."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from l2l.errors import BadInput
from l2l.manifest.lists import plain, read_lines, read_rows
from l2l.text_files import read_json, read_text

EXPECTED = "expected `number name` on each line, or names alone, counted from 0"
HEADERS = ("name", "names", "class", "classes", "label", "labels", "action", "actions", "category")
# spreadsheets write 3 as 3.0
_NUMBER = re.compile(r"([0-9]{1,9})(?:\.0*)?")
_SEPARATORS = ",;:="
_NUMBER_FIRST = re.compile(r"([0-9]{1,9})(?:\.0+)?(?:\s*[,;:=\t]\s*|[.)]?\s+)(.*\S)")
# what may be a comment, or a number that is written in another way
_NOT_CERTAIN = re.compile(r"#|[+-]\s*\d|[^\W\D0-9]")
_NUMBER_LAST = re.compile(r"([0-9]{1,9})(?:\.0+)?$")


class NumberedName(NamedTuple):
    """A class, its number and the place where a file says so."""

    number: int
    name: str
    where: str


class Classes:
    """The names of numbered classes, from the one file that says which number is which."""

    def __init__(self, path: Path, entries: Iterable[NumberedName]) -> None:
        """Take the classes of a file.

        Raises:
            BadInput: if a number or a name is duplicated, or a name is empty.
        """
        self._path = path
        self._names: dict[int, str] = {}
        for number, name, where in entries:
            if not name:
                raise BadInput(f"{where}: class {number} has no name")
            if number in self._names:
                raise BadInput(
                    f"{where}: number {number} is duplicated: {self._names[number]!r} and {name!r}"
                )
            self._names[number] = name
        counts = self._counts = Counter(self._names.values())
        if duplicated := [name for name, count in counts.items() if count > 1]:
            raise BadInput(f"{path}: class {duplicated[0]!r} is duplicated")
        keys = Counter(plain(name) for name in counts)
        self._plain = {plain(name): name for name in counts if keys[plain(name)] == 1}

    @property
    def names(self) -> list[str]:
        """All names, by number."""
        return [self._names[number] for number in sorted(self._names)]

    def of(self, number: str, where: str) -> str:
        """The name of a class's number, which may be written as 3 or as 3.0.

        Raises:
            BadInput: if there is no such number.
        """
        match = _NUMBER.fullmatch(number.strip()) if number.isascii() else None
        name = self._names.get(int(match[1])) if match else None
        if name is None:
            raise BadInput(
                f"{where}: class {number!r} is not in {self._path}, whose numbers are "
                f"{min(self._names)} to {max(self._names)}"
            )
        return name

    def known(self, name: str) -> str | None:
        """The class of this name, with any spaces and case; None if there is none."""
        return name if name in self._counts else self._plain.get(plain(name))

    def confirm(self, number: str, name: str, where: str) -> str:
        """The name of a number that a list names as well; a name that is no class is ignored.

        Raises:
            BadInput: if the two are different classes: the list counts them in another order.
        """
        by_number, by_name = self.of(number, where), self.known(name)
        if by_name is not None and by_name != by_number:
            raise BadInput(
                f"{where}: class {number} is {by_number!r} in {self._path} but {by_name!r} here; "
                "two label orders are mixed: give the file of classes that belongs to this list"
            )
        return by_number


def is_number(label: str) -> bool:
    """Whether a label is a number of a class, such as 3 or 3.0."""
    return label.isascii() and _NUMBER.fullmatch(label) is not None


def read_classes(path: Path) -> Classes:
    """Classes with their numbers.

    Each line, each row of a csv or tsv, or each entry of a JSON object has a number and a name, in
    the same order on all of them; or there are names alone, counted from 0.

    Raises:
        BadInput: if the file is none of these, if it is not certain which is the number, or if a
            number or a name is duplicated.
    """
    if path.suffix == ".json" or _looks_like_json(path):
        return Classes(path, _of_json(path))
    if path.suffix in (".csv", ".tsv"):
        return Classes(path, _of_table(path))
    return Classes(path, _of_lines(path))


def _looks_like_json(path: Path) -> bool:
    text = read_text(path, "a list of classes").strip()
    return text[:1] + text[-1:] in ("{}", "[]")


def _of_json(path: Path) -> list[NumberedName]:
    expected = 'a JSON list of names, or an object of {"name": number} or {"number": "name"}'
    content = read_json(path, expected)
    if isinstance(content, list) and content and all(isinstance(each, str) for each in content):
        return [NumberedName(i, name.strip(), str(path)) for i, name in enumerate(content)]
    if not isinstance(content, dict) or not content:
        raise BadInput(f"{path}: expected {expected}")
    values = [each if isinstance(each, str) else json.dumps(each) for each in content.values()]
    return _numbered(
        [
            (f"{path}: key {k!r}", (k.strip(), v.strip()))
            for k, v in zip(content, values, strict=True)
        ],
        path,
    )


def _of_table(path: Path) -> list[NumberedName]:
    rows = read_rows(path, (), header=False)
    width = len(rows[0][1])
    if width == 1:
        if rows[0][1]["0"].casefold() not in HEADERS:
            raise BadInput(
                f"{path}: line {rows[0][0]} is {rows[0][1]['0']!r}; a table of names alone needs a "
                f"header, one of {', '.join(HEADERS)}"
            )
        for (before, _), (after, _) in pairwise(rows):
            if after != before + 1:
                raise BadInput(_blank(path, before + 1))
        return [
            NumberedName(number, row["0"], f"{path}: line {line}")
            for number, (line, row) in enumerate(rows[1:])
        ]
    if width != 2:
        raise BadInput(f"{path}: line {rows[0][0]} has {width} cells, expected a number and a name")
    pairs = [(f"{path}: line {line}", (row["0"], row["1"])) for line, row in rows]
    if not any(map(is_number, pairs[0][1])):
        pairs = pairs[1:]  # the header
    return _numbered(pairs, path)


def _of_lines(path: Path) -> list[NumberedName]:
    lines = [(f"{path}: line {number}", line.strip()) for number, line in read_lines(path)]
    first = [(where, _NUMBER_FIRST.fullmatch(line)) for where, line in lines]
    last = [(where, _name_then_number(line)) for where, line in lines]
    pairs_first = [(where, (match[1], match[2])) for where, match in first if match]
    pairs_last = [(where, pair) for where, pair in last if pair]
    numbers_first, numbers_last = len(pairs_first) == len(lines), len(pairs_last) == len(lines)
    if numbers_first and numbers_last:
        raise BadInput(
            f"{lines[0][0]} is {lines[0][1]!r}: the class's number may be the first or the last; "
            'write the classes as JSON: {"0": "name"}'
        )
    if numbers_first or numbers_last:
        return _numbered(pairs_first if numbers_first else pairs_last, path)
    # names may end with a number ("formula 1"), but not most of them, nor after a separator
    separated = any(line.rstrip("0123456789.").endswith(tuple(_SEPARATORS)) for _, line in lines)
    if pairs_first or (pairs_last and separated) or len(pairs_last) * 2 > len(lines):
        matched = [match is not None for _, match in (first if pairs_first else last)]
        where, line = lines[matched.index(False)]
        raise BadInput(f"{where} is {line!r}; other lines have a number, it has none; {EXPECTED}")
    for where, line in lines:
        if _NOT_CERTAIN.match(line):
            raise BadInput(
                f"{where} is {line!r}, which may be a class, a comment or a number; {EXPECTED}; "
                'or write the classes as JSON: ["name", ...]'
            )
    _refuse_blank_lines(path)
    return [NumberedName(i, _unquoted(name), where) for i, (where, name) in enumerate(lines)]


def _name_then_number(line: str) -> tuple[str, str] | None:
    number = _NUMBER_LAST.search(line)
    if number is None or not (before := line[: number.start()]):
        return None
    name = before.rstrip()
    if name == before and name[-1] not in _SEPARATORS:
        return None
    return name.rstrip(_SEPARATORS).rstrip(), number[1]


def _refuse_blank_lines(path: Path) -> None:
    lines = read_text(path, "a list of classes").rstrip().split("\n")
    if blank := [number for number, line in enumerate(lines, start=1) if not line.strip()]:
        raise BadInput(_blank(path, blank[0]))


def _blank(path: Path, line: int) -> str:
    return f"{path}: line {line} is empty, so the numbers after it are not certain; remove it"


def _numbered(pairs: Sequence[tuple[str, tuple[str, str]]], path: Path) -> list[NumberedName]:
    """Pairs of number and name, in either order, which has to be the same for all."""
    columns = [all(is_number(pair[place]) for _, pair in pairs) for place in (0, 1)]
    if not pairs or columns[0] == columns[1]:
        which = "both are numbers" if columns[0] else "neither is a number on all of them"
        where, pair = pairs[0] if pairs else (str(path), ("", ""))
        raise BadInput(
            f"{where}: found {pair[0]!r} and {pair[1]!r}, expected a number and a name; {which}"
        )
    number, name = (0, 1) if columns[0] else (1, 0)
    return [
        NumberedName(int(float(pair[number])), _unquoted(pair[name]), where)
        for where, pair in pairs
    ]


def _unquoted(name: str) -> str:
    return name[1:-1].strip() if len(name) > 1 and name[0] == name[-1] == '"' else name
