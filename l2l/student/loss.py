"""The distillation loss of ImgAud2Vid (paper, eqs. 2 to 4)."""

import torch
from jaxtyping import Float
from torch import Tensor


def distillation_loss(
    descriptor: Float[Tensor, "moments descriptor"],
    scores: Float[Tensor, "moments classes"],
    teacher_descriptor: Float[Tensor, "moments descriptor"],
    teacher_scores: Float[Tensor, "moments classes"],
    soft_loss_weight: float,
) -> Float[Tensor, ""]:
    """The L1 distance to the teacher's descriptor (eq. 3), plus `soft_loss_weight` (lambda) times
    the cross-entropy to the teacher's probabilities (eq. 2); the sum is eq. 4.

    Both terms are sums over a moment's numbers, as in the paper, and means over the moments of the
    batch. Scores are logits; there is no temperature.
    """
    distance = (descriptor - teacher_descriptor).abs().sum(1).mean()
    soft = torch.nn.functional.cross_entropy(scores, teacher_scores.softmax(1))
    return distance + soft_loss_weight * soft
