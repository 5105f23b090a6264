"""The table over several runs: each figure's mean and standard deviation."""

import sys
from pathlib import Path

from l2l.stores import write_table

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))
import folds


def test_figures_are_means_and_deviations_and_a_method_without_picks_has_no_rate(tmp_path):
    for run, top1, rate in (("a", 40.0, 10.0), ("b", 50.0, 30.0)):
        rows = [
            {"method": "uniform", "top1": top1, "map": 60.0},
            {"method": "lstm", "top1": 20.0, "map": 20.0},
        ]
        write_table(tmp_path / run / "evaluation/table1.tsv", ("method", "top1", "map"), rows)
        picked = [{"method": "uniform", "key_frame_rate": rate}]
        columns = ("method", "key_frame_rate")
        write_table(tmp_path / run / "evaluation/selection.tsv", columns, picked)
    assert folds.summary([tmp_path / "a", tmp_path / "b"]) == [
        ["uniform", "45.0 ± 7.1", "60.0 ± 0.0", "20.0 ± 14.1"],
        ["lstm", "20.0 ± 0.0", "20.0 ± 0.0", ""],
    ]
