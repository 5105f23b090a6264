"""What differs between two runs: configuration, data, code and numbers. Nothing is written."""

import json
import pickletools
import re
import zipfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from l2l.errors import BadInput
from l2l.evaluation.artifact import ALL_TABLES, Table
from l2l.hdf5 import open_hdf5
from l2l.jobs.leftovers import RECORD
from l2l.run_record import read_record
from l2l.stores import read_columns
from l2l.terminal import escape

NAMED = 5
COMPARED_OF_VIDEO = ("split", "labels", "status", "segments", "group", "fingerprint")
# Numbers that say which row it is, next to the columns of text
COUNTED_KEYS = ("factor", "steps", "step", "moment")
TEXT_OF_RESULTS = ("predicted", "source", "quoted_source", "clips")
Cells = Mapping[str, str]


def diff(run: Path, other: Path, /) -> int:
    """Show what differs between two runs: configuration, data, code and numbers.

    Numbers are shown with their intervals, where tables have them.

    Args:
        run: folder of a run, such as results/before.
        other: folder of another run.

    Returns:
        0 when nothing differs, 1 when something does.

    Raises:
        BadInput: if one of them is no run's folder, or a file of it is damaged.

    Example:
        l2l diff results/before results/after
    """
    for folder in (run, other):
        if not folder.is_dir() or not any((folder / n).exists() for n in (RECORD, "evaluation")):
            raise BadInput(
                f"{folder}: no run; expected the folder of one, with {RECORD} or evaluation/, such "
                "as results/demo"
            )
    print(escape(f"{run} -> {other}"))
    differs = False
    for name, compare in (
        ("config", config_lines),
        ("data", data_lines),
        ("code", code_lines),
        ("numbers", number_lines),
    ):
        lines = list(compare(run, other))
        differs = differs or bool(lines)
        print(f"{name}:" if lines else f"{name}: nothing differs")
        for line in lines:
            print(escape(f"  {line}"))
    return int(differs)


# ---- the configuration ---------------------------------------------------------------------------


def config_lines(run: Path, other: Path) -> Iterator[str]:
    """One line per key that differs, except the name of the run."""
    missing = [folder for folder in (run, other) if not (folder / RECORD).is_file()]
    if missing:
        yield from (
            f"{folder}: has no {RECORD}, so its configuration is not known" for folder in missing
        )
        return
    before, after = (dict(_keys(read_record(folder))) for folder in (run, other))
    for key in sorted(before.keys() | after.keys()):
        values = [json.dumps(each[key]) if key in each else "none" for each in (before, after)]
        if key != "run" and values[0] != values[1]:
            yield f"{key}: {values[0]} -> {values[1]}"


def _keys(section: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The keys below a section with their values; lists are values."""
    if not isinstance(section, dict) or not section:
        yield prefix, section
        return
    for name, value in section.items():
        yield from _keys(value, f"{prefix}.{name}" if prefix else name)


# ---- the data ------------------------------------------------------------------------------------


def data_lines(run: Path, other: Path) -> Iterator[str]:
    """What differs in the videos of each data set, by their ids: after decoding where both runs
    have decoded it, else as listed.
    """
    before, after = _tables(run), _tables(other)
    for name in sorted({name for _, name in (*before, *after)}):
        shared = [s for s in ("media", "manifest") if (s, name) in before and (s, name) in after]
        if not shared:
            where = [
                f"{folder} ({stage})"
                for folder, tables in ((run, before), (other, after))
                for stage, each in tables
                if each == name
            ]
            yield f"{name}: its table of videos is only in {', '.join(where)}"
            continue
        table = shared[0], name
        lines = _video_lines(_videos(before[table]), _videos(after[table]), run, other)
        yield from (f"{name}: {line}" for line in lines)


def _tables(run: Path) -> dict[tuple[str, str], Path]:
    """The tables of videos by stage and data set."""
    return {
        (stage, path.parent.name): path
        for stage in ("manifest", "media")
        for path in sorted(run.glob(f"{stage}/*/videos.tsv"))
    }


def _videos(table: Path) -> dict[str, Cells]:
    return {row["video"]: row for row in _rows(table, "video")}


def _rows(path: Path, column: str) -> list[dict[str, str]]:
    names, rows = read_columns(path)
    if column not in names:
        raise BadInput(f"{path}: no column {column!r}; found {', '.join(names) or 'none'}")
    return rows


def _video_lines(
    before: Mapping[str, Cells], after: Mapping[str, Cells], run: Path, other: Path
) -> Iterator[str]:
    for folder, here, there in ((run, before, after), (other, after, before)):
        if alone := sorted(here.keys() - there.keys()):
            yield f"{len(alone)} videos only in {folder}: {_some(alone)}"
    shared = sorted(before.keys() & after.keys())
    for column in COMPARED_OF_VIDEO:
        pairs = {v: (before[v].get(column), after[v].get(column)) for v in shared}
        changed = [v for v, (old, new) in pairs.items() if None not in (old, new) and old != new]
        if not changed:
            continue
        line = f"{len(changed)} of {len(shared)} videos have another {column}: {_some(changed)}"
        if column in ("split", "status"):
            counts = Counter(pairs[video] for video in changed)
            line += "; " + ", ".join(
                f"{count} {old} -> {new}" for (old, new), count in sorted(counts.items())
            )
        yield line


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if names[NAMED:] else ""
    return ", ".join(names[:NAMED]) + more


# ---- the code ------------------------------------------------------------------------------------


def code_lines(run: Path, other: Path) -> Iterator[str]:
    """The versions of l2l, and of ffmpeg, that made the artifacts of each stage."""
    before, after = made_by(run), made_by(other)
    for stage in dict.fromkeys((*before, *after)):
        if before.get(stage) != after.get(stage):
            yield f"{stage}: {_made(before.get(stage))} -> {_made(after.get(stage))}"


def _made(makers: set[str] | None) -> str:
    return ", ".join(sorted(makers)) if makers else "none"


def made_by(run: Path) -> dict[str, set[str]]:
    """What the artifacts of each stage say made them; the stages in the order of the chain."""
    makers: defaultdict[str, set[str]] = defaultdict(set)
    for pattern, maker in ARTIFACTS:
        for path in sorted(run.glob(pattern)):
            stage = path.relative_to(run).parts[0].removesuffix(".html")
            makers[stage].add(maker(path))
    return dict(makers)


def _of_hdf5(path: Path) -> str:
    with open_hdf5(path) as store:
        made = store.attributes().get("made_by", "not recorded")
    return made.decode("utf-8", "replace") if isinstance(made, bytes) else str(made)


def _of_features(path: Path) -> str:
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["attributes"]["made_by"])
    except (ValueError, KeyError, TypeError):
        return "not recorded"


def _of_network(path: Path) -> str:
    """From the pickle's texts, which are read and not run: no torch, and networks of any layout."""
    try:
        with zipfile.ZipFile(path) as entries:
            (name,) = (each for each in entries.namelist() if each.endswith("/data.pkl"))
            operations = pickletools.genops(entries.read(name))
            texts = [value for _, value, _ in operations if isinstance(value, str)]
        return texts[texts.index("made_by") + 1]
    except (zipfile.BadZipFile, ValueError, IndexError):
        return "not recorded"


def _of_report(path: Path) -> str:
    page = path.read_text("utf-8", "replace")
    made = re.search(r'<meta name="generator" content="([^"]*)">', page)
    return made[1] if made else "not recorded"


ARTIFACTS: tuple[tuple[str, Callable[[Path], str]], ...] = (
    ("media/*/*.h5", _of_hdf5),
    ("mels/*/*.h5", _of_hdf5),
    ("motion/*/*.h5", _of_hdf5),
    ("teacher/*.pt", _of_network),
    ("teacher/*/*.h5", _of_hdf5),
    ("student/*/*.pt", _of_network),
    ("features/*/*/zarr.json", _of_features),
    ("skimmer/*.pt", _of_network),
    ("sampler/*.pt", _of_network),
    ("sampler/*/*.h5", _of_hdf5),
    ("report.html", _of_report),
)


# ---- the numbers ---------------------------------------------------------------------------------


def number_lines(run: Path, other: Path) -> Iterator[str]:
    """What differs in each table; of tables with one row per video or clip only how much."""
    for table in ALL_TABLES:
        paths = [folder / "evaluation" / f"{table.name}.tsv" for folder in (run, other)]
        present = [path for path in paths if path.is_file()]
        if len(present) == 1:
            yield f"{table.name}: only in {present[0].parent.parent}"
        if len(present) == 2:
            before, after = (_by_key(path, table) for path in paths)
            compare = _counted if "video" in table.column_names else _side_by_side
            for line in compare(before, after, run, other):
                yield f"{table.name}: {line}"


Rows = Mapping[tuple[str, ...], Cells]


def _by_key(path: Path, table: Table) -> Rows:
    """The rows by the cells that say which row it is; equal ones are numbered."""
    names, rows = read_columns(path)
    keys = [
        column.name
        for column in table.columns
        if column.name in names
        and column.name not in TEXT_OF_RESULTS
        and (column.unit is None or column.name in COUNTED_KEYS)
    ]
    keyed: dict[tuple[str, ...], Cells] = {}
    seen: Counter[tuple[str, ...]] = Counter()
    for row in rows:
        key = tuple(row[name] for name in keys)
        seen[key] += 1  # published systems have several points
        keyed[(*key, f"({seen[key]})") if seen[key] > 1 else key] = row
    return keyed


def _only_lines(before: Rows, after: Rows, run: Path, other: Path) -> Iterator[str]:
    for folder, here, there in ((run, before, after), (other, after, before)):
        if alone := [_title(key) for key in here if key not in there]:
            yield f"{len(alone)} rows only in {folder}: {_some(alone)}"


def _title(key: Sequence[str]) -> str:
    return " ".join(filter(None, key))


def _counted(before: Rows, after: Rows, run: Path, other: Path) -> Iterator[str]:
    yield from _only_lines(before, after, run, other)
    shared = [key for key in before if key in after]
    columns = Counter(
        column for key in shared for column in _changed_columns(before[key], after[key])
    )
    for column, count in columns.items():
        yield f"{count} of {len(shared)} rows have another {column}"


def _side_by_side(before: Rows, after: Rows, run: Path, other: Path) -> Iterator[str]:
    yield from _only_lines(before, after, run, other)
    for key in before:
        if key not in after:
            continue
        changed = _changed_columns(before[key], after[key])
        values = [_values(column, before[key], after[key]) for column in changed]
        if values:
            yield f"{_title(key)}: {'; '.join(values)}"


def _changed_columns(before: Cells, after: Cells) -> list[str]:
    """Columns of both with other cells; the ends of an interval belong to its number's column."""
    changed = [column for column in before if column in after and before[column] != after[column]]
    numbers = (re.sub("_(low|high)$", "", column) for column in changed)
    return list(
        dict.fromkeys(
            number if number in before else column
            for number, column in zip(numbers, changed, strict=True)
        )
    )


def _values(column: str, before: Cells, after: Cells) -> str:
    text = " -> ".join(
        f"{cells[column] or 'none'}{_interval(column, cells)}" for cells in (before, after)
    )
    try:
        change = float(after[column]) - float(before[column])
    except ValueError:
        return f"{column} {text}"
    return f"{column} {text} ({change:+.4g})"


def _interval(column: str, cells: Cells) -> str:
    low, high = cells.get(f"{column}_low"), cells.get(f"{column}_high")
    return f" [{low}, {high}]" if low and high else ""
