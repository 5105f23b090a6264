"""How good class probabilities are: top-1, top-k, and mean average precision in both definitions
that are in use.

`map` is the public reference's: not interpolated, a video counts for its first label alone.
`map_interpolated` is the one of ActivityNet's own evaluation: precision is made monotone, a video
counts for each of its labels.
"""

import numpy as np
from jaxtyping import Bool, Float, Int


def top_k(
    probabilities: Float[np.ndarray, "videos classes"], labels: Int[np.ndarray, " videos"], k: int
) -> float:
    """Share of the videos whose class is among their k most probable.

    Of equal probabilities the first class counts as larger.
    """
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
    return float((best == labels[:, None]).any(1).mean())


def top1(
    probabilities: Float[np.ndarray, "videos classes"], labels: Int[np.ndarray, " videos"]
) -> float:
    """Share of the videos whose most probable class is theirs."""
    return top_k(probabilities, labels, 1)


def gains(
    scores: Float[np.ndarray, " videos"], positive: Bool[np.ndarray, " videos"]
) -> tuple[Int[np.ndarray, " videos"], Int[np.ndarray, " gains"], Int[np.ndarray, " gains"]]:
    """The videos from the highest score down, and at each threshold that gains in recall how many
    are above, and right.

    Equal scores are one threshold, so the order in which the videos are given plays no part.

    Raises:
        ValueError: without a positive, where recall has no meaning.
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
    """Area under the precision-recall curve, not interpolated: sum over thresholds of precision
    times gain in recall.

    Same number as scikit-learn's.

    Raises:
        ValueError: without a positive, where recall has no meaning.
    """
    _, taken, hits = gains(scores, positive)
    return float(np.sum(hits / taken * np.diff(hits, prepend=0)) / hits[-1])


def interpolated_average_precision(
    scores: Float[np.ndarray, " videos"], positive: Bool[np.ndarray, " videos"]
) -> float:
    """ActivityNet's own: at each gain in recall, the best precision at that recall or any higher.

    Its evaluation leaves the order of equal scores to chance; here they are one threshold.

    Raises:
        ValueError: without a positive, where recall has no meaning.
    """
    _, taken, hits = gains(scores, positive)
    best = np.maximum.accumulate((hits / taken)[::-1])[::-1]
    return float(np.sum(best * np.diff(hits, prepend=0)) / hits[-1])


def mean_average_precision(
    probabilities: Float[np.ndarray, "videos classes"], labels: Int[np.ndarray, " videos"]
) -> float:
    """Mean of the classes' average precisions, over the classes that have a video.

    The reference takes scikit-learn's mean over all classes, in which a class without a video
    counts 0 in newer versions and is undefined in older ones; where every class has a video, as in
    the paper's sets, the three agree.
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
        shown: which classes each video shows; several, where it has several labels.
    """
    present = np.flatnonzero(shown.any(0))
    return float(
        np.mean([interpolated_average_precision(probabilities[:, c], shown[:, c]) for c in present])
    )
