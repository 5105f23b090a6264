"""The three objectives of a sampler (SCSampler's poster, in words; the formulas are recalled from
the paper, whose text was not available).

A *saliency* says how much a clip is worth to the recogniser: from 0 to 1, one number per clip.
"""

import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor


def class_loss(
    scores: Float[Tensor, "clips classes"], labels: Int[Tensor, " clips"]
) -> Float[Tensor, ""]:
    """AC, action classification: cross-entropy of each clip to the label of its *video*.

    Saliency is then the largest class probability.
    """
    return F.cross_entropy(scores, labels)


def right_loss(logits: Float[Tensor, " clips"], right: Bool[Tensor, " clips"]) -> Float[Tensor, ""]:
    """SAL-CL, saliency as classification: binary cross-entropy to whether the recogniser's best
    class of the clip is the label of the video.
    """
    return F.binary_cross_entropy_with_logits(logits, right.to(logits.dtype))


def ranking_loss(
    logits: Float[Tensor, " clips"],
    truth: Float[Tensor, " clips"],
    video: Int[Tensor, " clips"],
    margin: float,
) -> Float[Tensor, ""]:
    """SAL-RANK, saliency as ranking: the mean hinge over all pairs (i, j) of clips of one video.

        max(0, margin - z (s_i - s_j)),   z = 1 if truth_i > truth_j else -1

    Pairs of equal truth have no order and do not count; zero where no pair is left. The mean over
    the pairs of all videos together is that of AR-Net's re-implementation. A batch that is cut into
    parts (gradient accumulation, several processes) gives the mean of its parts' means, weighted by
    their videos: the same wherever the videos have equally many pairs.

    Args:
        logits: s, of saliency.
        truth: the recogniser's probability of the video's class on each clip.
        video: the video of each clip.
        margin: eta, in logits.
    """
    above = (video[:, None] == video[None]) & (truth[:, None] > truth[None])
    differences = (logits[:, None] - logits[None])[above]
    return (margin - differences).clamp_min(0).sum() / max(1, differences.numel())
