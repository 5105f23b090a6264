"""Two of the three objectives of a sampler (SCSampler's poster, in words; the formulas are recalled
from the paper, whose text was not available). The third, SAL-RANK, is `l2l.ranking`.

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
