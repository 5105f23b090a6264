"""A ranked sampler: it learns which moments the student's own classifier answers best, from cached
features (SAL-RANK of SCSampler, Korbar et al., ICCV 2019, with the student as recogniser).

Not in the paper. The classifier's mean probabilities over the moments with the largest scores are
the answer; the classifier itself does not learn.
"""

import math
from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from l2l.config import FeatureName
from l2l.ranking import ranking_loss
from l2l.skimmer.one_look import OneLook, OneLookOutput, at


class RankedSampler(OneLook):
    """The scores of one look, of which only the order counts: the largest choose the moments.

    Attributes:
        picks: how many moments are classified; all of a video with fewer.
    """

    picks: int = 10

    def forward(
        self,
        features: Mapping[FeatureName, Float[Tensor, "videos moments _channel"]],
        present: Bool[Tensor, "videos moments"],
    ) -> OneLookOutput:
        """Classify a batch of videos; chosen moments have equal weights, the others none.

        Args:
            features: of the moments that were read, by name.
            present: moments that were read; the others are padding.
        """
        fused, scores = self.fused_and_scores(features, present)
        ranked = at(present, scores, -math.inf).argsort(dim=1, descending=True, stable=True)
        chosen = torch.zeros_like(present).scatter(1, ranked[:, : self.picks], True) & present
        log_probabilities = self.classifier(fused[chosen[present]]).log_softmax(1)
        log_sums = at(chosen, log_probabilities, -math.inf).logsumexp(1)
        count = chosen.sum(1, keepdim=True)
        return OneLookOutput(log_sums - count.log(), chosen / count)

    def loss(
        self,
        features: Mapping[FeatureName, Float[Tensor, "videos moments _channel"]],
        present: Bool[Tensor, "videos moments"],
        labels: Int[Tensor, " videos"],
        margin: float,
        least_gap: float,
    ) -> Float[Tensor, ""]:
        """The ranking loss of a batch: moments of which the classifier gives the video's class a
        higher probability shall have higher scores.

        Args:
            features: of the moments that were read, by name.
            present: moments that were read.
            labels: class of each video.
            margin: of the scores of a pair.
            least_gap: pairs whose probabilities differ by this or less do not count.
        """
        fused, scores = self.fused_and_scores(features, present)
        video = present.nonzero()[:, 0]
        with torch.no_grad():
            probabilities = self.classifier(fused).softmax(1)
            truth = probabilities.gather(1, labels[video, None])[:, 0]
        return ranking_loss(scores, truth, video, margin, least_gap)
