"""The relations that the paper's method should show, compared with a run's own tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from l2l.evaluation.videos.methods import METHODS, method_labels

Rows = Sequence[Mapping[str, str]]
NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Relation:
    """An expected relation between figures of a run.

    Attributes:
        expected: the relation.
        measured: the run's figures.
        holds: whether they agree; None where the run has no such figures.
    """

    expected: str
    measured: str
    holds: bool | None


def relations(table1: Rows, clips: Rows, tradeoff: Rows = ()) -> list[Relation]:
    """Compare the tables of a run with what is expected. Accuracies are percent, margins points."""
    return [*_clip_relations(clips), *_video_relations(table1), _three_steps(tradeoff)]


def _clip_relations(clips: Rows) -> list[Relation]:
    top1 = {
        ("teacher" if row["model"] == "teacher" else row["modalities"], row["distilled"]): float(
            row["top1"]
        )
        for row in clips
    }
    teacher, student = top1.get(("teacher", "")), top1.get(("image-audio", "yes"))
    return [
        _bound("The teacher's top-1 accuracy on clips is at least 85 %", teacher, 85),
        _margin(
            "The distilled image-audio student is at most 8 points below the teacher",
            student,
            teacher,
            -8,
        ),
        _margin(
            "The distilled image-audio student is at least 25 points above the image student",
            student,
            top1.get(("image", "yes")),
            25,
        ),
        _margin(
            "The distilled image-audio student is at least 25 points above the audio student",
            student,
            top1.get(("audio", "yes")),
            25,
        ),
        _margin(
            "The distilled image-audio student is above the one that is not distilled",
            student,
            top1.get(("image-audio", "no")),
            0.01,
        ),
    ]


def _video_relations(table1: Rows) -> list[Relation]:
    labels = method_labels()
    rows = {row["method"]: row for row in table1}
    top1 = {method: float(row["top1"]) for method, row in rows.items()}
    index = {method: float(row["index_gmacs_per_video"]) for method, row in rows.items()}
    dense, sparse = top1.get("ours_dense"), top1.get("ours_sparse")
    margins = [
        _margin(
            f"Ours (dense) is at least 5 points above {labels[method]}", dense, top1.get(method), 5
        )
        for method in ("dense", "uniform", "scsampler")
    ] + [
        _margin(f"Ours (dense) is above {labels[method]}", dense, top1.get(method), 0.01)
        for method in ("lstm", "non_recurrent")
    ]
    cheap = "Indexing costs ours (sparse) at most 0.3 of what it costs ours (dense)"
    if {"ours_dense", "ours_sparse"} <= set(index) and index["ours_dense"]:
        share = index["ours_sparse"] / index["ours_dense"]
        cost = Relation(cheap, f"{share:.3f}", share <= 0.3)
    else:
        cost = Relation(cheap, NOT_MEASURED, None)
    of_paper = [method.name for method in METHODS if method.paper and method.name in top1]
    best = max(of_paper, key=lambda method: top1[method], default="")
    ceiling = "No method is at the ceiling (99.5 %)"
    return [
        *margins,
        _margin("Ours (sparse) is at most 2 points below ours (dense)", sparse, dense, -2),
        cost,
        Relation(ceiling, f"best: {labels.get(best, best)}, {top1[best]:.2f}", top1[best] < 99.5)
        if best
        else Relation(ceiling, NOT_MEASURED, None),
    ]


def _three_steps(tradeoff: Rows) -> Relation:
    """The first three steps suffice (paper, section 4.2), with all moments read."""
    top1 = {int(row["steps"]): float(row["top1"]) for row in tradeoff if row["factor"] == "1"}
    return _margin(
        "Ours (dense) stopped after three steps is at most 2 points below all steps",
        top1.get(3),
        top1.get(max(top1, default=0)),
        -2,
    )


def _bound(expected: str, value: float | None, least: float) -> Relation:
    """The relation that `value` is at least `least`."""
    if value is None:
        return Relation(expected, NOT_MEASURED, None)
    return Relation(expected, f"{value:.2f}", value >= least)


def _margin(expected: str, value: float | None, other: float | None, least: float) -> Relation:
    """The relation that `value` is at least `least` points above `other`."""
    if value is None or other is None:
        return Relation(expected, NOT_MEASURED, None)
    margin = value - other
    return Relation(expected, f"{value:.2f} and {other:.2f}: {margin:+.2f}", margin >= least)
