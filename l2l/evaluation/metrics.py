"""How good class probabilities are: top-1, top-k, and mean average precision as the public reference computes it."""

import numpy as np
from jaxtyping import Bool, Float, Int


def top_k(probabilities: Float[np.ndarray, "videos classes"], labels: Int[np.ndarray, " videos"], k: int) -> float:
    """Share of the videos whose class is among their k most probable; of equal probabilities the first class counts as larger."""
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
    return float((best == labels[:, None]).any(1).mean())


def top1(probabilities: Float[np.ndarray, "videos classes"], labels: Int[np.ndarray, " videos"]) -> float:
    """Share of the videos whose most probable class is theirs."""
    return top_k(probabilities, labels, 1)


def average_precision(scores: Float[np.ndarray, " videos"], positive: Bool[np.ndarray, " videos"]) -> float:
    """Area under the precision-recall curve, not interpolated: sum over thresholds of precision times gain in recall.

    Equal scores are one threshold, so the order of the videos plays no part. Same number as scikit-learn's.

    Raises:
        ValueError: without a positive, where recall has no meaning.
    """
    if not positive.any():
        raise ValueError("average precision needs at least one positive")
    order = np.argsort(-scores, kind="stable")
    last_of_equals = np.append(np.diff(scores[order]) != 0, True)
    hits = np.cumsum(positive[order])[last_of_equals]
    taken = np.arange(1, len(scores) + 1)[last_of_equals]
    return float(np.sum(hits / taken * np.diff(hits, prepend=0)) / positive.sum())


def mean_average_precision(probabilities: Float[np.ndarray, "videos classes"], labels: Int[np.ndarray, " videos"]) -> float:
    """Mean of the classes' average precisions, over the classes that have a video.

    The reference takes scikit-learn's mean over all classes, in which a class without a video counts 0 in newer versions and
    is undefined in older ones; where every class has a video, as in the paper's sets, the three agree.
    """
    present = np.unique(labels)
    return float(np.mean([average_precision(probabilities[:, c], labels == c) for c in present]))
