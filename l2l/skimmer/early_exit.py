"""Early exit in a fixed order, on cached features: FrameExit (Ghodrati, Bejnordi, Habibian, CVPR
2021, arXiv 2104.13400).

Not in the paper: the rival of methods that choose where to look. Moments are read in an order that
is the same for every video (`coarse_to_fine`), and after each one it is decided whether to stop.

From FrameExit's public code for inference: the moments and their order; the running maximum; one
classifier per number of moments read; the first of them stops where its best class is probable
enough (0.99 for ActivityNet, 0.95 for Mini-Kinetics); after each later moment but the last a gate
sees the maximum without and with that moment, each through the same two layers (128, 64), both
then through one layer to one number. From its paper, as recalled, since the public code does not
train: the loss.

What differs: the features are the student's, and Psi is in place of FrameExit's layer of 4096; a
gate has no batch norm, which training cannot use where one video of a batch alone is long enough
for that gate; the logit of a gate is that of stopping (there of going on). The paper's figure 2 has
a gate after the first moment too, where the public code has the threshold.
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from l2l.config import FeatureName
from l2l.student.network import Fusion

GATE_WIDTHS = (128, 64)


class EarlyExitOutput(NamedTuple):
    """The result for a batch of videos."""

    logits: Float[Tensor, "videos classes"]
    # moments read before the video's gate said to stop
    read: Int[Tensor, " videos"]


class Gate(nn.Module):
    """From what was known before and after a moment to the logit of stopping.

    Args:
        width: of the pooled feature.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        first, second = GATE_WIDTHS
        self.shared = nn.Sequential(
            nn.Linear(width, first), nn.ReLU(), nn.Linear(first, second), nn.ReLU()
        )
        self.stop = nn.Linear(2 * second, 1)

    def forward(
        self,
        before: Float[Tensor, "videos descriptor"],
        after: Float[Tensor, "videos descriptor"],
    ) -> Float[Tensor, " videos"]:
        """The logits, one per video."""
        return self.stop(torch.cat([self.shared(after), self.shared(before)], 1))[:, 0]


class EarlyExit(nn.Module):
    """Running maximum of the fused features, one classifier per number of moments read, and one
    gate after each moment but the first and the last.

    Args:
        widths: channels of each feature that Psi takes, in its order.
        classes: number of classes.
        fusion_hidden: width between the two layers of Psi.
        descriptor_width: width of Psi's output, the fused feature.
        moments: most that are read of a video.
        first_probability: it stops after the first moment where the best class is more probable.
    """

    def __init__(
        self,
        widths: Mapping[FeatureName, int],
        classes: int,
        fusion_hidden: int = 1024,
        descriptor_width: int = 512,
        moments: int = 10,
        first_probability: float = 0.99,
    ) -> None:
        super().__init__()
        self.modalities = tuple(widths)
        self.first_probability = first_probability
        self.fusion = Fusion(sum(widths.values()), fusion_hidden, descriptor_width)
        self.classifiers = nn.ModuleList(
            nn.Linear(descriptor_width, classes) for _ in range(moments)
        )
        self.gates = nn.ModuleList(Gate(descriptor_width) for _ in range(moments - 2))

    @property
    def moments(self) -> int:
        """Most moments that are read of a video."""
        return len(self.classifiers)

    def forward(
        self,
        features: Mapping[FeatureName, Float[Tensor, "videos moments _channel"]],
        present: Bool[Tensor, "videos moments"],
    ) -> EarlyExitOutput:
        """Classify a batch of videos, each after as many moments as it takes to stop.

        Args:
            features: of the moments in the order in which they are read, by name.
            present: moments that exist; the others are padding, at the end. Those after the first
                `moments` are not read.
        """
        pooled = self.pooled(features, present)
        last = present.sum(1).clamp(max=self.moments)
        read, reading = last.clone(), torch.ones_like(last, dtype=torch.bool)
        for k in range(1, int(last.max())):
            stops = reading & (k < last) & self._stops(pooled, k)
            read = read.where(~stops, k)
            reading &= ~stops
        logits = torch.stack(
            [self.classifiers[int(k) - 1](pooled[i, int(k) - 1]) for i, k in enumerate(read)]
        )
        return EarlyExitOutput(logits, read)

    def answer_after(
        self, features: Mapping[FeatureName, Float[Tensor, "1 read _channel"]]
    ) -> Float[Tensor, "1 classes"]:
        """What is computed of one video that stops after all these moments; at most `moments`,
        after which nothing is asked.
        """
        count = next(iter(features.values())).shape[1]
        pooled = self.pooled(features, torch.ones(1, count, dtype=torch.bool))
        if count == 1:
            return self.classifiers[0](pooled[:, 0])
        for k in range(1, min(count, self.moments - 1) + 1):
            self._stops(pooled, k)
        return self.classifiers[count - 1](pooled[:, -1])

    def _stops(
        self, pooled: Float[Tensor, "videos moments descriptor"], read: int
    ) -> Bool[Tensor, " videos"]:
        """Which videos stop after so many moments, fewer than `moments`."""
        if read == 1:
            best = self.classifiers[0](pooled[:, 0]).softmax(1).amax(1)
            return best > self.first_probability
        return self.gate_logits(pooled, read) >= 0

    def pooled(
        self,
        features: Mapping[FeatureName, Float[Tensor, "videos moments _channel"]],
        present: Bool[Tensor, "videos moments"],
    ) -> Float[Tensor, "videos moments descriptor"]:
        """z: the largest value of each channel of the fused feature up to each moment."""
        fused = self.fusion(torch.cat([features[m] for m in self.modalities], 2))
        return fused.masked_fill(~present[..., None], -torch.inf).cummax(1).values

    def gate_logits(
        self, pooled: Float[Tensor, "videos moments descriptor"], read: int
    ) -> Float[Tensor, " videos"]:
        """Whether to stop after `read` moments, at least two, by what was known before the last one
        and with it.
        """
        return self.gates[read - 2](pooled[:, read - 2], pooled[:, read - 1])

    def loss(
        self,
        features: Mapping[FeatureName, Float[Tensor, "videos moments _channel"]],
        present: Bool[Tensor, "videos moments"],
        labels: Int[Tensor, " videos"],
        beta: float,
    ) -> Float[Tensor, ""]:
        """Cross-entropy of every classifier, and of every gate to whether its classifier's own loss
        is at most beta * exp(t / 2) after t moments: the more were read, the sooner it may stop.

        Args:
            features: of the moments in the order in which they are read, by name.
            present: moments that exist.
            labels: class of each video.
            beta: the smaller, the surer a video has to be.
        """
        pooled = self.pooled(features, present)
        classifying, gating = [], []
        for k in range(1, pooled.shape[1] + 1):
            here = present[:, k - 1]
            scores = self.classifiers[k - 1](pooled[here, k - 1])
            losses = F.cross_entropy(scores, labels[here], reduction="none")
            classifying.append(losses.mean())
            if 1 < k < self.moments:
                good = (losses.detach() <= beta * torch.e ** (k / 2)).to(losses.dtype)
                logits = self.gate_logits(pooled.detach()[here], k)
                gating.append(F.binary_cross_entropy_with_logits(logits, good))
        loss = torch.stack(classifying).mean()
        return loss + torch.stack(gating).mean() if gating else loss
