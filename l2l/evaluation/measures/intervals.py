"""95 % intervals of metrics: how much they may vary over test sets of similar videos.

Percentile bootstrap over videos (Efron).
"""

import numpy as np
from jaxtyping import Bool, Float, Int

from l2l.evaluation.measures.metrics import gains

RESAMPLES = 1000
PERCENTILES = (2.5, 97.5)  # of a 95 % interval


def resamples(videos: int, seed: int) -> Int[np.ndarray, "resamples videos"]:
    """How many times each video is in each resample of the bootstrap, the same for every method.

    A resample has as many videos as the test set, drawn with replacement.
    """
    return np.random.default_rng(seed).multinomial(videos, np.full(videos, 1 / videos), RESAMPLES)


def interval(resampled: Float[np.ndarray, " resamples"], metric: float) -> tuple[float, float]:
    """Both ends of the 95 % interval of a metric, a share from 0 to 1.

    The copies of a video in a resample share one rank, which raises average precision, by several
    points where a class has few videos. So the resampled values are first shifted until their mean
    is the metric; for top-1 this shift is close to zero. The ends are clipped to 0 and 1.

    Args:
        resampled: the metric of each resample.
        metric: of the test set.
    """
    low, high = np.clip(np.percentile(resampled - resampled.mean() + metric, PERCENTILES), 0, 1)
    return float(low), float(high)


def resampled_shares(
    counts: Int[np.ndarray, "resamples videos"],
    right: Float[np.ndarray, " videos"],
    of: Float[np.ndarray, " videos"],
) -> Float[np.ndarray, " resamples"]:
    """The share of correct items (`right`, per video) among all items (`of`), in each resample."""
    return counts @ right / (counts @ of)


def resampled_average_precisions(
    counts: Int[np.ndarray, "resamples videos"],
    scores: Float[np.ndarray, " videos"],
    positive: Bool[np.ndarray, " videos"],
) -> Float[np.ndarray, " resamples"]:
    """`average_precision` of each resample; NaN in one without a positive."""
    order, taken, hits = gains(scores, positive)
    drawn = counts[:, order]
    drawn_taken = np.cumsum(drawn, 1)[:, taken - 1]
    drawn_hits = np.cumsum(drawn[:, positive[order]], 1)[:, hits - 1]
    precision = drawn_hits / np.maximum(drawn_taken, 1)
    with np.errstate(invalid="ignore"):  # 0 / 0
        return np.sum(precision * np.diff(drawn_hits, axis=1, prepend=0), 1) / drawn_hits[:, -1]


def resampled_mean_average_precisions(
    counts: Int[np.ndarray, "resamples videos"],
    probabilities: Float[np.ndarray, "videos classes"],
    labels: Int[np.ndarray, " videos"],
) -> Float[np.ndarray, " resamples"]:
    """`mean_average_precision` of each resample, over the classes that have a video in it."""
    by_class = [
        resampled_average_precisions(counts, probabilities[:, c], labels == c)
        for c in np.unique(labels)
    ]
    return np.nanmean(by_class, 0)
