"""Accuracy against cost (paper, Fig. 7): a run's own points, and published ones.

Published points are of ActivityNet and are in `published.tsv` with their source; they cannot be
compared with points of another data set.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from l2l.evaluation.artifact import PUBLISHED_COLUMNS
from l2l.stores import read_table

PUBLISHED = Path(__file__).with_name("published.tsv")
FACTORS = (1, 2, 3, 4, 5, 6, 7, 10, 20)  # the points of the paper's curve
EARLY_STEPS = (1, 3)  # shown next to all steps

Rows = Sequence[Mapping[str, str]]


def frontier_rows(
    table1: Rows, tradeoff: Rows, features: str, dataset: str
) -> list[dict[str, str]]:
    """The run's points, then the published ones.

    Args:
        table1: of the run.
        tradeoff: of the run.
        features: what the run indexes by and recognises from.
        dataset: the run's target.
    """
    all_steps = max(int(row["steps"]) for row in tradeoff if row["network"] == "skimmer")
    curves = [("ours", "skimmer", str(steps)) for steps in sorted({*EARLY_STEPS, all_steps})]
    curves.append(("one_look", "one_look", ""))
    networks = [
        {
            "method": method,
            "index_features": features,
            "factor": row["factor"],
            "steps": row["steps"],
            **_point(row),
        }
        for method, network, steps in curves
        for row in tradeoff
        if (row["network"], row["steps"]) == (network, steps) and int(row["factor"]) in FACTORS
    ]
    # Uniform and dense read nothing to choose moments.
    index_features = {"uniform": "", "dense": "", "scsampler": features}
    others = [
        {
            "method": row["method"],
            "index_features": index_features[row["method"]],
            "factor": "",
            "steps": "",
            **_point(row),
        }
        for row in table1
        if row["method"] in index_features
    ]
    measured = {
        "dataset": dataset,
        "recognition_features": features,
        "quoted": "no",
        "source": "this run",
    }
    quoted = {"factor": "", "steps": "", "quoted": "yes"}
    return [
        *(row | measured for row in networks + others),
        *(row | quoted for row in read_table(PUBLISHED, PUBLISHED_COLUMNS)),
    ]


def _point(row: Mapping[str, str]) -> dict[str, str]:
    return {column: row[column] for column in ("map", "gmacs_per_video")}
