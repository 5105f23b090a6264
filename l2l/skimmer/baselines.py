"""The trained networks that Table 1 of the paper compares the skimmer with.

An LSTM over all moments in order, and attention without recurrence.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from l2l.config import FeatureName
from l2l.skimmer.network import Skimmer, mean_over_present
from l2l.student.network import Fusion

NON_RECURRENT_STEPS = 2  # the mean feature, and the answer to its one query


class LstmBaseline(nn.Module):
    """LSTM: one layer over the fused features of all moments in order.

    The classifier reads the mean of the LSTM's outputs over present moments. The last output alone
    has forgotten most of a video of two hundred moments, and the skimmer and dense average too.
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

        Absent moments follow the present ones, so they change no output that is averaged.
        """
        joined = torch.cat([features[m] for m in self.modalities], 2).masked_fill(
            ~present[..., None], 0
        )
        outputs, _ = self.rnn(self.fusion(joined))
        return self.classifier(mean_over_present(outputs, present))


def non_recurrent(
    widths: Mapping[FeatureName, int],
    classes: int,
    fusion_hidden: int = 1024,
    descriptor_width: int = 512,
    key_width: int = 512,
    query_width: int = 1024,
) -> Skimmer:
    """Non-recurrent: the skimmer with a single query per modality and without an LSTM; call it with
    `NON_RECURRENT_STEPS`.

    The fused mean features take the place of the LSTM's state: the queries and the modality weights
    are made of them. Classified is the mean of Psi(mean features) and Psi(attended features), as
    the skimmer classifies the mean over its steps.
    """
    return Skimmer(widths, classes, fusion_hidden, descriptor_width, 0, key_width, query_width)
