"""What should hold, compared with a run's own tables: in the demo the relations that it was made to
show, in any other run the order of methods that the paper reports.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from l2l.evaluation.videos.methods import METHODS, method_labels
from l2l.report.digits import percent
from l2l.report.orders import order, right_answers

Rows = Sequence[Mapping[str, str]]
NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Relation:
    """An expected relation between figures of a run.

    Attributes:
        expected: the relation.
        measured: the run's figures.
        holds: whether they agree; None where the run has no such figures, or too few videos.
    """

    expected: str
    measured: str
    holds: bool | None

    @property
    def open(self) -> bool:
        """Whether the run has the figures, of too few videos."""
        return self.holds is None and self.measured != NOT_MEASURED


def relations(table1: Rows, clips: Rows, tradeoff: Rows = ()) -> list[Relation]:
    """Compare the tables of the demo with what is expected. Accuracies are percent, margins points.

    The margins are those that its drawn videos are made for; no other run has to reach them.
    """
    return [*_clip_relations(clips), *_video_relations(table1), _three_steps(tradeoff)]


def _clip_relations(clips: Rows) -> list[Relation]:
    top1 = {(row["modalities"], row["distilled"]): float(row["top1"]) for row in clips}
    teachers = [float(row["top1"]) for row in clips if row["model"].startswith("teacher")]
    # the first is that of which the student is distilled
    teacher, student = next(iter(teachers), None), top1.get(("image-audio", "yes"))
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
    ceiling = "None of the paper's methods is at the ceiling (99.5 %)"
    return [
        *margins,
        _margin("Ours (sparse) is at most 2 points below ours (dense)", sparse, dense, -2),
        cost,
        Relation(
            ceiling, f"best of them: {labels.get(best, best)}, {top1[best]:.1f}", top1[best] < 99.5
        )
        if best
        else Relation(ceiling, NOT_MEASURED, None),
    ]


def _three_steps(tradeoff: Rows) -> Relation:
    """The first three steps suffice (paper, section 4.2), with all moments read."""
    top1 = {
        int(row["steps"]): float(row["top1"])
        for row in tradeoff
        if row["network"] == "skimmer" and row["factor"] == "1"
    }
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
    return Relation(expected, f"{value:.0f}", value >= least)


def _margin(expected: str, value: float | None, other: float | None, least: float) -> Relation:
    """The relation that `value` is at least `least` points above `other`."""
    if value is None or other is None:
        return Relation(expected, NOT_MEASURED, None)
    margin = value - other
    # the demo's intervals are several points wide; a decimal where the margin is close
    digits = 0 if abs(margin - least) > 1 else 1
    figures = " and ".join(f"{each:.{digits}f}" for each in (value, other))
    return Relation(expected, f"{figures}: {margin:+.{digits}f}", margin >= least)


# ---- any other run ------------------------------------------------------------------------------


def reported_orders(predictions: Rows, clips: Rows) -> list[Relation]:
    """The orders that the paper reports, judged by 95 % intervals: of methods of Table 1 on the
    same test videos, and of networks on single clips.
    """
    right, labels = right_answers(predictions), method_labels()
    ours = right.get("ours_dense", {})
    relations = []
    for method in METHODS:
        if method.paper and not method.name.startswith("ours"):
            expected = f"{labels['ours_dense']} is above {method.label}"
            relations.append(_order_relation(expected, ours, right.get(method.name, {})))
    rows = {(row["modalities"], row["distilled"]): row for row in clips if row["modalities"]}
    student = rows.get(("image-audio", "yes"))
    for name, key in (
        ("the one that is not distilled", ("image-audio", "no")),
        ("the image student", ("image", "yes")),
        ("the audio student", ("audio", "yes")),
    ):
        expected = f"The distilled image-audio student is above {name}"
        relations.append(_interval_relation(expected, student, rows.get(key)))
    return relations


def _order_relation(expected: str, ours: Mapping[str, bool], other: Mapping[str, bool]) -> Relation:
    if not ours or not other:
        return Relation(expected, NOT_MEASURED, None)
    compared = order(ours, other)
    return Relation(expected, compared.text, compared.points > 0 if compared.known else None)


def _interval_relation(
    expected: str, above: Mapping[str, str] | None, below: Mapping[str, str] | None
) -> Relation:
    """Whether one interval of top-1 is above the other; not known where they overlap."""
    if above is None or below is None:
        return Relation(expected, NOT_MEASURED, None)
    (low, high), (other_low, other_high) = _ends(above), _ends(below)
    measured = " and ".join(
        f"{percent(float(row['top1']), 1)} % ({percent(ends[0], 1)} to {percent(ends[1], 1)})"
        for row, ends in ((above, (low, high)), (below, (other_low, other_high)))
    )
    holds = True if low > other_high else False if high < other_low else None
    return Relation(expected, measured, holds)


def _ends(row: Mapping[str, str]) -> tuple[float, float]:
    """The ends of the 95 % interval of top-1. A bootstrap gives none where all videos are alike:
    then three in as many could still differ (rule of three).
    """
    low, high = float(row["top1_low"]), float(row["top1_high"])
    least = 0 if high > low else 300 / float(row["videos"])
    return max(0, low - least), min(100, high + least)
