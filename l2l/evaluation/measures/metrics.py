"""Top-1, top-k, and mean average precision in the two definitions that are in use.

`map` follows the public code: not interpolated, a video counts for its first label alone.
`map_interpolated` follows ActivityNet's own evaluation: precision is made monotone, and a video
counts for each of its labels.
"""

import numpy as np
from jaxtyping import Bool, Float, Int


def top_k(
    probabilities: Float[np.ndarray, "videos classes"], labels: Int[np.ndarray, " videos"], k: int
) -> float:
    """Share of the videos whose class is among the k most probable.

    Among equal probabilities the first class counts as the most probable.
    """
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
    return float((best == labels[:, None]).any(1).mean())


def top1(
    probabilities: Float[np.ndarray, "videos classes"], labels: Int[np.ndarray, " videos"]
) -> float:
    """Share of the videos whose most probable class is correct."""
    return top_k(probabilities, labels, 1)


def gains(
    scores: Float[np.ndarray, " videos"], positive: Bool[np.ndarray, " videos"]
) -> tuple[Int[np.ndarray, " videos"], Int[np.ndarray, " gains"], Int[np.ndarray, " gains"]]:
    """The thresholds at which recall grows.

    Equal scores are one threshold, so the order of the videos does not matter.

    Returns:
        The videos sorted by falling score; and at each threshold at which recall grows, the number
        of videos above it, and of positive videos above it.

    Raises:
        ValueError: without a positive video, since recall is then undefined.
    """
    if not positive.any():
        raise ValueError("average precision needs at least one positive")
    order = np.argsort(-scores, kind="stable")
    taken = 1 + np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    hits = np.cumsum(positive[order])[taken - 1]
    gaining = np.diff(hits, prepend=0) > 0
    return order, taken[gaining], hits[gaining]


def average_precision(
    scores: Float[np.ndarray, " videos"], positive: Bool[np.ndarray, " videos"]
) -> float:
    """Area under the precision-recall curve, not interpolated.

    The sum over thresholds of precision times gain in recall, as scikit-learn computes it.

    Raises:
        ValueError: without a positive video, since recall is then undefined.
    """
    _, taken, hits = gains(scores, positive)
    return float(np.sum(hits / taken * np.diff(hits, prepend=0)) / hits[-1])


def interpolated_average_precision(
    scores: Float[np.ndarray, " videos"], positive: Bool[np.ndarray, " videos"]
) -> float:
    """Average precision of ActivityNet's own evaluation.

    At each gain in recall it takes the best precision at that recall or any higher one. In
    ActivityNet's code the order of equal scores is arbitrary; here they are one threshold.

    Raises:
        ValueError: without a positive video, since recall is then undefined.
    """
    _, taken, hits = gains(scores, positive)
    best = np.maximum.accumulate((hits / taken)[::-1])[::-1]
    return float(np.sum(best * np.diff(hits, prepend=0)) / hits[-1])


def mean_average_precision(
    probabilities: Float[np.ndarray, "videos classes"], labels: Int[np.ndarray, " videos"]
) -> float:
    """Mean of the classes' average precisions, over the classes that have a video.

    The public code takes scikit-learn's mean over all classes. There a class without a video counts
    as 0 in newer versions and is undefined in older ones. Where every class has a video, as in the
    paper's data sets, all three agree.
    """
    present = np.unique(labels)
    return float(np.mean([average_precision(probabilities[:, c], labels == c) for c in present]))


def interpolated_mean_average_precision(
    probabilities: Float[np.ndarray, "videos classes"], shown: Bool[np.ndarray, "videos classes"]
) -> float:
    """Mean of the classes' interpolated average precisions, over the classes that have a video, as
    in ActivityNet's evaluation.

    Args:
        probabilities: of each class.
        shown: which classes each video shows, one or several.
    """
    present = np.flatnonzero(shown.any(0))
    return float(
        np.mean([interpolated_average_precision(probabilities[:, c], shown[:, c]) for c in present])
    )
