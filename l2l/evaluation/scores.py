"""From what methods say of the test videos to their rows in the tables.

Accuracies in percent, costs in 10^9.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from jaxtyping import Bool, Float, Int

from l2l.evaluation.intervals import interval, resampled_mean_average_precisions, resampled_shares
from l2l.evaluation.methods import Answer
from l2l.evaluation.metrics import (
    average_precision,
    interpolated_mean_average_precision,
    mean_average_precision,
    top1,
    top_k,
)

Draws = Float[np.ndarray, "draws videos classes"]


@dataclass(frozen=True)
class Truth:
    """What the test videos show."""

    labels: Int[np.ndarray, " videos"]  # the first label of each usable one
    shown: Bool[np.ndarray, "videos classes"]  # all labels of each usable one
    lost: Int[np.ndarray, " lost"]  # the first label of each one that cannot be used


def draws_of(found: Sequence[Answer]) -> Draws:
    """What a method says of all videos: one draw, or several of a method that draws at random."""
    return np.stack([answer.probabilities for answer in found], 1)


def table1_row(
    method: str, found: Sequence[Answer], truth: Truth, counts: Int[np.ndarray, "resamples videos"]
) -> dict[str, str]:
    """A method's row; where it draws at random, the mean of the draws' metrics, not the metric of
    their mean.

    Args:
        method: its name.
        found: what it says of each usable test video.
        truth: what they show.
        counts: how many times each of them is in each resample of the bootstrap.
    """
    draws, labels = draws_of(found), truth.labels
    accuracy = fmean([top1(draw, labels) for draw in draws])
    right = np.mean([draw.argmax(1) == labels for draw in draws], 0)
    low, high = interval(resampled_shares(counts, right, np.ones(len(labels))), accuracy)
    precision = fmean([mean_average_precision(draw, labels) for draw in draws])
    resampled = [resampled_mean_average_precisions(counts, draw, labels) for draw in draws]
    map_low, map_high = interval(np.mean(resampled, 0), precision)
    everyone = np.append(labels, truth.lost)
    # an unusable video has probability zero of every class: below every video that was answered for
    unanswered = np.zeros((len(truth.lost), draws.shape[2]))
    shares: dict[str, float] = {
        "top1": accuracy,
        "map": precision,
        "top5": fmean([top_k(draw, labels, 5) for draw in draws]),
        "map_interpolated": fmean(
            [interpolated_mean_average_precision(draw, truth.shown) for draw in draws]
        ),
        "top1_low": low,
        "top1_high": high,
        "map_low": map_low,
        "map_high": map_high,
        "top1_all": accuracy * len(labels) / len(everyone),
        "map_all": fmean(
            [mean_average_precision(np.vstack([draw, unanswered]), everyone) for draw in draws]
        ),
    }
    return {
        "method": method,
        **{name: f"{100 * share:.2f}" for name, share in shares.items()},
        "gmacs_per_video": f"{np.mean([answer.macs for answer in found]) / 1e9:.6g}",
        "moments": f"{np.mean([answer.moments for answer in found]):.2f}",
        "index_gmacs_per_video": f"{np.mean([answer.index_macs for answer in found]) / 1e9:.6g}",
        "videos": str(len(labels)),
        "videos_all": str(len(everyone)),
    }


def class_rows(
    ours: Draws, uniform: Draws, labels: Int[np.ndarray, " videos"], classes: Sequence[str]
) -> list[dict[str, str]]:
    """A row for each class that has a usable test video, by how much more of its videos ours gets
    right than uniform does.

    Of equal gains in accuracy the larger gain in average precision comes first.
    """
    names = [f"{who}_{figure}" for figure in ("top1", "ap") for who in ("ours", "uniform", "gain")]
    rows = []
    for c in np.unique(labels):
        of_class = labels == c
        top = [float(np.mean(draws[:, of_class].argmax(2) == c)) for draws in (ours, uniform)]
        ap = [
            float(np.mean([average_precision(draw[:, c], of_class) for draw in draws]))
            for draws in (ours, uniform)
        ]
        figures = [f"{100 * x:.2f}" for x in (*top, top[0] - top[1], *ap, ap[0] - ap[1])]
        rows.append(
            {
                "class": classes[c],
                "videos": str(of_class.sum()),
                **dict(zip(names, figures, strict=True)),
            }
        )
    return sorted(
        rows, key=lambda row: (-float(row["gain_top1"]), -float(row["gain_ap"]), row["class"])
    )


def clip_row(
    model: str,
    modalities: str,
    distilled: str,
    scores: Float[np.ndarray, "clips classes"],
    labels: Int[np.ndarray, " clips"],
    macs: int,
    of_video: Int[np.ndarray, " clips"],
    counts: Int[np.ndarray, "resamples videos"],
) -> dict[str, str]:
    """A row of the clip-level table.

    Args:
        model: `teacher` or `student`.
        modalities: of a student.
        distilled: `yes` or `no`, of a student.
        scores: of each clip.
        labels: what each shows.
        macs: multiply-accumulates a clip.
        of_video: the number of each clip's video. The bootstrap draws videos: clips of one are
            alike.
        counts: how many times each video is in each resample.
    """
    accuracy, right = top1(scores, labels), np.bincount(of_video, scores.argmax(1) == labels)
    low, high = interval(
        resampled_shares(counts, right, np.bincount(of_video).astype(float)), accuracy
    )
    return {
        "model": model,
        "modalities": modalities,
        "distilled": distilled,
        "top1": f"{100 * accuracy:.2f}",
        "gmacs_per_clip": f"{macs / 1e9:.6g}",
        "top1_low": f"{100 * low:.2f}",
        "top1_high": f"{100 * high:.2f}",
        "clips": str(len(labels)),
        "videos": str(counts.shape[1]),
    }
