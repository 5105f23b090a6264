"""One look: attention pooling of the class probabilities of the moments that were read. Not in the
paper: it is a method of l2l's own, to compare the skimmer with.

It has no recurrence, no queries and no interpolation: a moment that was not read has no weight.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from l2l.config import FeatureName
from l2l.skimmer.network import mean_over_present
from l2l.student.network import Fusion


class OneLookOutput(NamedTuple):
    """The result for a batch of videos."""

    # logarithms of the class probabilities, which are logits too
    logits: Float[Tensor, "videos classes"]
    # of the moments, each video's sum is 1; exactly zero for absent ones
    weights: Float[Tensor, "videos moments"]


class OneLook(nn.Module):
    """The class probabilities of a video: the mean of those of its moments, weighted by a softmax
    over the scores of the moments.

    A moment's probabilities are the classifier's of its fused feature. Its score is that of a small
    network: a linear layer, batch norm, ReLU, a linear layer to one number.

    Args:
        widths: channels of each feature that Psi takes, in its order.
        classes: number of classes.
        fusion_hidden: width between the two layers of Psi.
        descriptor_width: width of Psi's output, the fused feature.
        width: of the hidden layer of the scores.
        scored_by: the features that a moment's score is made of; those that `widths` lacks are left
            out.
        context: whether the mean of these features over the video's moments is read too.
        dropout: probability with which a number of these features is zero in training.
    """

    def __init__(
        self,
        widths: Mapping[FeatureName, int],
        classes: int,
        fusion_hidden: int = 1024,
        descriptor_width: int = 512,
        width: int = 256,
        scored_by: Sequence[FeatureName] = ("image", "audio", "fused"),
        context: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        known: dict[FeatureName, int] = {**widths, "fused": descriptor_width}
        self.modalities = tuple(widths)
        self.scored_by = tuple(name for name in scored_by if name in known)
        self.context = context
        self.fusion = Fusion(sum(widths.values()), fusion_hidden, descriptor_width)
        self.classifier = nn.Linear(descriptor_width, classes)
        self.dropout = nn.Dropout(dropout)
        self.scorer = nn.Sequential(
            nn.Linear(sum(known[name] for name in self.scored_by) * (1 + context), width),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.Linear(width, 1),
        )

    def forward(
        self,
        features: Mapping[FeatureName, Float[Tensor, "videos moments _channel"]],
        present: Bool[Tensor, "videos moments"],
    ) -> OneLookOutput:
        """Classify a batch of videos.

        In training the batch statistics are those of present moments only.

        Args:
            features: of the moments that were read, by name.
            present: moments that were read; the others are padding.
        """
        fused, scores = self.fused_and_scores(features, present)
        log_weights = at(present, scores, -math.inf).log_softmax(1)
        log_probabilities = self.classifier(fused).log_softmax(1)
        weighted = log_weights[..., None] + at(present, log_probabilities)
        return OneLookOutput(weighted.logsumexp(1), log_weights.exp().detach())

    def fused_and_scores(
        self,
        features: Mapping[FeatureName, Float[Tensor, "videos moments _channel"]],
        present: Bool[Tensor, "videos moments"],
    ) -> tuple[Float[Tensor, "read descriptor"], Float[Tensor, " read"]]:
        """The fused feature and the score of each present moment, one video after another."""
        read: dict[FeatureName, Tensor] = {m: features[m][present] for m in self.modalities}
        read["fused"] = self.fusion(torch.cat([read[m] for m in self.modalities], 1))
        scored = torch.cat([read[name] for name in self.scored_by], 1)
        if self.context:
            mean = mean_over_present(at(present, scored), present)
            scored = torch.cat([scored, mean[present.nonzero()[:, 0]]], 1)
        return read["fused"], self.scorer(self.dropout(scored))[:, 0]


def at(present: Bool[Tensor, "videos moments"], values: Tensor, absent: float = 0.0) -> Tensor:
    """Values of present moments (present, ...) at their places: (videos, moments, ...)."""
    return values.new_full((*present.shape, *values.shape[1:]), absent).index_put(
        (present,), values
    )
