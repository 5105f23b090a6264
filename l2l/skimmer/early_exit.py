"""Early exit in a fixed order, on cached features: FrameExit (Ghodrati, Bejnordi, Habibian, CVPR
2021).

Not in the paper: the rival of methods that choose where to look. Moments are read in an order that
is the same for every video (`halves`), and after each one a gate says whether to stop. The formulas
are recalled; FrameExit's text was not available.
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from l2l.config import FeatureName
from l2l.student.network import Fusion

GATE_WIDTH = 64  # of both hidden layers of a gate


class EarlyExitOutput(NamedTuple):
    """The result for a batch of videos."""

    logits: Float[Tensor, "videos classes"]
    # moments read before the video's gate said to stop
    read: Int[Tensor, " videos"]


class EarlyExit(nn.Module):
    """Running maximum of the fused features, one classifier per number of moments read, and one
    gate after each but the last.

    Args:
        widths: channels of each feature that Psi takes, in its order.
        classes: number of classes.
        fusion_hidden: width between the two layers of Psi.
        descriptor_width: width of Psi's output, the fused feature.
        moments: most that are read of a video.
    """

    def __init__(
        self,
        widths: Mapping[FeatureName, int],
        classes: int,
        fusion_hidden: int = 1024,
        descriptor_width: int = 512,
        moments: int = 10,
    ) -> None:
        super().__init__()
        self.modalities = tuple(widths)
        self.fusion = Fusion(sum(widths.values()), fusion_hidden, descriptor_width)
        self.classifiers = nn.ModuleList(
            nn.Linear(descriptor_width, classes) for _ in range(moments)
        )
        self.gates = nn.ModuleList(_gate(descriptor_width) for _ in range(moments - 1))

    @property
    def moments(self) -> int:
        """Most moments that are read of a video."""
        return len(self.classifiers)

    def forward(
        self,
        features: Mapping[FeatureName, Float[Tensor, "videos moments _channel"]],
        present: Bool[Tensor, "videos moments"],
    ) -> EarlyExitOutput:
        """Classify a batch of videos, each after as many moments as its gates say.

        Args:
            features: of the moments in the order in which they are read, by name.
            present: moments that exist; the others are padding, at the end. Those after the first
                `moments` are not read.
        """
        pooled = self.pooled(features, present)
        last = present.sum(1).clamp(max=self.moments)
        read, reading = last.clone(), torch.ones_like(last, dtype=torch.bool)
        for k, gate in enumerate(self.gates[: pooled.shape[1] - 1], start=1):
            stops = reading & (k < last) & (self.gate_logits(gate, pooled, k) >= 0)
            read = read.where(~stops, k)
            reading &= ~stops
        logits = torch.stack(
            [self.classifiers[int(k) - 1](pooled[i, int(k) - 1]) for i, k in enumerate(read)]
        )
        return EarlyExitOutput(logits, read)

    def answer_after(
        self, features: Mapping[FeatureName, Float[Tensor, "1 read _channel"]]
    ) -> Float[Tensor, "1 classes"]:
        """What is computed of one video whose gate says to stop after all these moments; at most
        `moments`, after which there is no gate.
        """
        count = next(iter(features.values())).shape[1]
        pooled = self.pooled(features, torch.ones(1, count, dtype=torch.bool))
        for k, gate in enumerate(self.gates[:count], start=1):
            self.gate_logits(gate, pooled, k)
        return self.classifiers[count - 1](pooled[:, -1])

    def pooled(
        self,
        features: Mapping[FeatureName, Float[Tensor, "videos moments _channel"]],
        present: Bool[Tensor, "videos moments"],
    ) -> Float[Tensor, "videos moments descriptor"]:
        """z: the largest value of each channel of the fused feature up to each moment."""
        fused = self.fusion(torch.cat([features[m] for m in self.modalities], 2))
        return fused.masked_fill(~present[..., None], -torch.inf).cummax(1).values

    def gate_logits(
        self, gate: nn.Module, pooled: Float[Tensor, "videos moments descriptor"], read: int
    ) -> Float[Tensor, " videos"]:
        """Whether to stop after `read` moments, by what was known before the last one and with it;
        the first has nothing before it.
        """
        with_it = pooled[:, read - 1]
        before = pooled[:, read - 2] if read > 1 else torch.zeros_like(with_it)
        return gate(torch.cat([before, with_it], 1))[:, 0]

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
            if k < self.moments:
                good = (losses.detach() <= beta * torch.e ** (k / 2)).to(losses.dtype)
                logits = self.gate_logits(self.gates[k - 1], pooled.detach()[here], k)
                gating.append(F.binary_cross_entropy_with_logits(logits, good))
        return torch.stack(classifying).mean() + torch.stack(gating).mean()


def _gate(width: int) -> nn.Sequential:
    """From what was known before and after a moment to the logit of stopping."""
    return nn.Sequential(
        nn.Linear(2 * width, GATE_WIDTH),
        nn.ReLU(),
        nn.Linear(GATE_WIDTH, GATE_WIDTH),
        nn.ReLU(),
        nn.Linear(GATE_WIDTH, 1),
    )
