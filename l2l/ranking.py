"""The ranking loss of SCSampler's SAL-RANK, by which samplers learn which moments a classifier
answers best (Korbar et al., ICCV 2019; recalled, since the paper's text was not available).
"""

from jaxtyping import Float, Int
from torch import Tensor


def ranking_loss(
    scores: Float[Tensor, " moments"],
    truth: Float[Tensor, " moments"],
    video: Int[Tensor, " moments"],
    margin: float,
    least_gap: float = 0.0,
) -> Float[Tensor, ""]:
    """The mean hinge over all pairs (i, j) of moments of one video.

        max(0, margin - z (s_i - s_j)),   z = 1 if truth_i > truth_j else -1

    Pairs of equal truth have no order and do not count; zero where no pair is left. The mean over
    the pairs of all videos together is that of AR-Net's re-implementation. A batch that is cut into
    parts (gradient accumulation, several processes) gives the mean of its parts' means, weighted by
    their videos: the same wherever the videos have equally many pairs.

    Args:
        scores: s, of each moment or clip.
        truth: the classifier's probability of the video's class there.
        video: the video of each.
        margin: eta, in units of the scores.
        least_gap: pairs whose truths differ by this or less do not count either.
    """
    above = (video[:, None] == video[None]) & (truth[:, None] - truth[None] > least_gap)
    differences = (scores[:, None] - scores[None])[above]
    return (margin - differences).clamp_min(0).sum() / max(1, differences.numel())
