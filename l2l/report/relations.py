"""What the paper's method promises, held against a run's own tables.

Each promise, what was found, whether it holds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Rows = Sequence[Mapping[str, str]]


@dataclass(frozen=True)
class Relation:
    """One promise and what became of it.

    `holds` is None where the run has no figure to judge by.
    """

    promise: str
    found: str
    holds: bool | None


def _clip_top1(clips: Rows) -> dict[tuple[str, str], float]:
    """(modalities or ``teacher``, distilled) to top-1 accuracy in percent."""
    return {
        ("teacher" if row["model"] == "teacher" else row["modalities"], row["distilled"]): float(
            row["top1"]
        )
        for row in clips
    }


def _margin(promise: str, this: float | None, other: float | None, least: float) -> Relation:
    """The promise that `this` is at least `least` points above `other`."""
    if this is None or other is None:
        return Relation(promise, "not measured", None)
    return Relation(
        promise, f"{this:.2f} and {other:.2f}: {this - other:+.2f}", this - other >= least
    )


def relations(table1: Rows, clips: Rows) -> list[Relation]:
    """Judge the tables of a run. Accuracies are percent, margins are points."""
    clip = _clip_top1(clips)
    teacher = next((value for (model, _), value in clip.items() if model == "teacher"), None)
    both, undistilled = clip.get(("image-audio", "yes")), clip.get(("image-audio", "no"))
    video = {row["method"]: row for row in table1}
    top1 = {method: float(row["top1"]) for method, row in video.items()}
    dense, sparse = video["ours_dense"], video["ours_sparse"]
    share = float(sparse["index_gmacs_per_video"]) / float(dense["index_gmacs_per_video"])
    best = max(table1, key=lambda row: float(row["top1"]))
    return [
        Relation("The teacher names at least 85 % of the clips", f"{teacher:.2f}", teacher >= 85)
        if teacher is not None
        else Relation("The teacher names at least 85 % of the clips", "not measured", None),
        _margin(
            "The distilled image-audio student is within 8 points of the teacher", both, teacher, -8
        ),
        _margin(
            "It is at least 25 points above the image alone", both, clip.get(("image", "yes")), 25
        ),
        _margin(
            "It is at least 25 points above the sound alone", both, clip.get(("audio", "yes")), 25
        ),
        _margin("It is above the one that was not distilled", both, undistilled, 0.01),
        *(
            _margin(
                f"Ours (dense) is at least 5 points above {method}",
                top1["ours_dense"],
                top1[method],
                5,
            )
            for method in ("dense", "uniform", "scsampler")
        ),
        _margin(
            "Ours sparse is within 2 points of ours dense",
            top1["ours_sparse"],
            top1["ours_dense"],
            -2,
        ),
        Relation(
            "Ours sparse indexes at no more than 0.3 of the cost of ours dense",
            f"{share:.3f}",
            share <= 0.3,
        ),
        Relation(
            "No method is at the ceiling",
            f"best: {best['method']} {float(best['top1']):.2f}",
            float(best["top1"]) < 99.5,
        ),
    ]
