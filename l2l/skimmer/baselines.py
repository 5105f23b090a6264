"""The trained networks that Table 1 of the paper compares the skimmer with.

An LSTM over all moments in order, and attention without recurrence.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from l2l.config import FeatureName
from l2l.skimmer.network import (
    WEIGHTED_ANSWERS,
    Skimmer,
    SkimmerOutput,
    joint_weights,
    mean_over_present,
)
from l2l.student.network import Fusion


class LstmBaseline(nn.Module):
    """LSTM (paper, section 4.2): one layer over the fused features of all moments in order; the
    hidden state of the last moment is classified.
    """

    def __init__(
        self,
        widths: Mapping[FeatureName, int],
        classes: int,
        fusion_hidden: int = 1024,
        descriptor_width: int = 512,
        lstm_width: int = 1024,
    ) -> None:
        super().__init__()
        self.modalities = tuple(widths)
        self.fusion = Fusion(sum(widths.values()), fusion_hidden, descriptor_width)
        self.rnn = nn.LSTM(descriptor_width, lstm_width, batch_first=True)
        self.classifier = nn.Linear(lstm_width, classes)

    def forward(
        self,
        features: Mapping[FeatureName, Float[Tensor, "videos moments _channel"]],
        present: Bool[Tensor, "videos moments"],
    ) -> Float[Tensor, "videos classes"]:
        """Logits of each video.

        Absent moments follow the present ones, so they change no state before the last present one.
        """
        joined = torch.cat([features[m] for m in self.modalities], 2).masked_fill(
            ~present[..., None], 0
        )
        states, _ = self.rnn(self.fusion(joined))
        videos = torch.arange(len(present), device=present.device)
        return self.classifier(states[videos, present.sum(1) - 1])


def skim_once(
    network: Skimmer,
    features: Mapping[FeatureName, Float[Tensor, "videos moments _channel"]],
    present: Bool[Tensor, "videos moments"],
    moments: int,
) -> SkimmerOutput:
    """Non-recurrent (paper, section 4.2): the skimmer, with one query per modality and no further
    steps. The moments with the largest weights of that query are classified.

    Their weights are the joint ones (eq. 8), so that each moment gives an image and a sound. Psi's
    outputs for them are averaged, as those of the skimmer's steps are (eq. 9). No gradient passes
    through a choice of moments: in training the weighted mean of the features is classified, as a
    step of the skimmer reads it. How the baseline is trained is not stated in the paper.

    Args:
        network: the skimmer.
        features: of all moments.
        present: moments that exist.
        moments: how many are classified, ten in the paper; all of a shorter video.
    """
    output = network(features, present, 1, WEIGHTED_ANSWERS)
    if network.training:
        return output
    largest = largest_weights(output, present, moments)
    videos = torch.arange(len(present), device=present.device)[:, None]
    read = torch.cat([features[m][videos, largest] for m in network.widths], 2)
    fused = mean_over_present(network.fusion(read), present.gather(1, largest))
    return output._replace(logits=network.classifier(fused), fused=fused[:, None])


def largest_weights(
    output: SkimmerOutput, present: Bool[Tensor, "videos moments"], moments: int
) -> Int[Tensor, "videos picked"]:
    """The present moments with the largest joint weights in the first look, the largest first;
    then, in a video of fewer moments, absent ones.
    """
    joint = joint_weights(output.weights[:, 0], output.modality_weights[:, 0])
    ranked = joint.masked_fill(~present, -1).argsort(dim=1, descending=True, stable=True)
    return ranked[:, :moments]
