"""Top-1, mean average precision and key frame rate of each row of Table 1, mean and standard
deviation over several runs, such as one per fold.

    python benchmarks/folds.py results/esc10-fold1 results/esc10-fold2 ...
"""

import argparse
from pathlib import Path
from statistics import fmean, stdev

from l2l.stores import read_table

FIGURES = (("table1.tsv", "top1"), ("table1.tsv", "map"), ("selection.tsv", "key_frame_rate"))


def summary(runs: list[Path]) -> list[list[str]]:
    """The cells of a row per method: its name and the figures, empty where a run has none."""
    values: dict[str, dict[str, list[float]]] = {}
    for run in runs:
        for table, figure in FIGURES:
            for row in read_table(run / "evaluation" / table, ("method", figure)):
                values.setdefault(row["method"], {}).setdefault(figure, []).append(
                    float(row[figure])
                )
    return [
        [method, *(mean_and_deviation(found.get(figure, [])) for _, figure in FIGURES)]
        for method, found in values.items()
    ]


def mean_and_deviation(values: list[float]) -> str:
    """Of percentages; empty without any."""
    return f"{fmean(values):.1f} ± {stdev(values):.1f}" if values else ""


def main() -> None:
    """Print the table in markdown."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("runs", nargs="+", type=Path, help="folders of two or more finished runs")
    print("| whole videos | top-1 % | mAP % | key frame rate % |\n|---|---|---|---|")
    for cells in summary(parser.parse_args().runs):
        print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
