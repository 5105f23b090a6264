"""Print the four tables of SCSampler."""

from pathlib import Path

from l2l.evaluation.artifact import read_evaluation_table
from l2l.sampler.rows import ROWS
from l2l.terminal import escape

_TITLES = {
    "objective": "objective",
    "features": "inputs of the visual sampler",
    "combination": "combination",
    "classifier": "compared with other choices",
}
_HEADINGS = (
    "top-1 % [95 %]",
    "mAP %",
    "GMACs",
    "choosing",
    "clips",
    "decoded",
    "re-coded",
    "poster",
)


def scsampler(table: Path, /) -> int:
    """Print the four tables of a run's scsampler.tsv, with the poster's own figures.

    Args:
        table: results/<run>/evaluation/scsampler.tsv.

    Raises:
        BadInput: if it is no such table.

    Example:
        l2l scsampler results/demo/evaluation/scsampler.tsv
    """
    labels = {row.name: row.label for row in ROWS}
    rows = read_evaluation_table(table, "scsampler")
    width = max(len(labels.get(row["row"], row["row"])) for row in rows) if rows else 0
    for name, title in _TITLES.items():
        print(f"{title:<{width}}" + "".join(f"{each:>19}"[-19:] for each in _HEADINGS[:1]), end="")
        print("".join(f"{each:>10}" for each in _HEADINGS[1:]))
        for row in rows:
            if row["table"] == name:
                print(escape(_line(labels.get(row["row"], row["row"]), width, row)))
        print()
    return 0


def _line(label: str, width: int, row: dict[str, str]) -> str:
    accuracy = (
        f"{float(row['top1']):.1f} [{float(row['top1_low']):.1f}, {float(row['top1_high']):.1f}]"
    )
    cells = [
        f"{float(row['map']):.1f}",
        f"{float(row['gmacs_per_video']):.3g}",
        f"{float(row['sampler_gmacs_per_video']):.3g}",
        f"{float(row['clips']):.1f}",
        f"{float(row['pictures_decoded']):.0f}",
        f"{float(row['pictures_coded']):.0f}",
        row["quoted_top1"] or "-",
    ]
    return f"{label:<{width}}{accuracy:>19}" + "".join(f"{cell:>10}" for cell in cells)
