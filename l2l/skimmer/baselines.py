"""What the skimmer is compared with in the paper's Table 1: all moments in order, and attention without recurrence."""

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from l2l.skimmer.network import Keys, attend, attention, mean_over_present, modality_scores, query_mlp
from l2l.student.network import Fusion, Modality


class LstmBaseline(nn.Module):
    """LSTM: one layer over the fused features of all moments in order.

    The classifier reads the mean of the LSTM's outputs over present moments. The paper does not say what is read; the last
    output alone has forgotten most of a video of two hundred moments, and the mean is what the skimmer and dense have too.
    """

    def __init__(
        self,
        widths: Mapping[Modality, int],
        classes: int,
        fusion_hidden: int = 1024,
        descriptor_width: int = 512,
        hidden: int = 1024,
    ) -> None:
        super().__init__()
        self.modalities = tuple(widths)
        self.fusion = Fusion(sum(widths.values()), fusion_hidden, descriptor_width)
        self.rnn = nn.LSTM(descriptor_width, hidden, batch_first=True)
        self.classifier = nn.Linear(hidden, classes)

    def forward(
        self, features: Mapping[Modality, Float[Tensor, "videos moments _channel"]], present: Bool[Tensor, "videos moments"]
    ) -> Float[Tensor, "videos classes"]:
        """Scores of each video; absent moments follow the present ones, so they can change no output that is read."""
        joined = torch.cat([features[m] for m in self.modalities], 2).masked_fill(~present[..., None], 0)
        outputs, _ = self.rnn(self.fusion(joined))
        return self.classifier(mean_over_present(outputs, present))


class NonRecurrent(nn.Module):
    """Non-recurrent: the skimmer's attention, asked once, without an LSTM.

    The paper says no more than that. Our reading: the mean features, fused, stand where the LSTM's state stands; one query
    a modality and the modality scores come from them; the prediction is of the mean of Psi(mean features) and Psi(attended
    features), as the skimmer's is of its steps'.
    """

    def __init__(
        self,
        widths: Mapping[Modality, int],
        classes: int,
        fusion_hidden: int = 1024,
        descriptor_width: int = 512,
        key: int = 512,
        query_hidden: int = 1024,
    ) -> None:
        super().__init__()
        self.modalities = tuple(widths)
        self.fusion = Fusion(sum(widths.values()), fusion_hidden, descriptor_width)
        self.classifier = nn.Linear(descriptor_width, classes)
        self.queries = nn.ModuleDict({m: query_mlp(descriptor_width, query_hidden, key) for m in widths})
        self.keys = nn.ModuleDict({m: Keys(width, key) for m, width in widths.items()})
        self.modality_attention = nn.Linear(descriptor_width, len(widths)) if len(widths) > 1 else None

    def forward(
        self, features: Mapping[Modality, Float[Tensor, "videos moments _channel"]], present: Bool[Tensor, "videos moments"]
    ) -> Float[Tensor, "videos classes"]:
        """Scores of each video."""
        bank = {m: features[m].masked_fill(~present[..., None], 0) for m in self.modalities}
        mean = self.fusion(torch.cat([mean_over_present(bank[m], present) for m in self.modalities], 1))
        weights = [attention(self.queries[m](mean), self.keys[m](bank[m], present), present) for m in self.modalities]
        scores = modality_scores(self.modality_attention, mean)
        seen = attend(torch.stack(weights, 1), scores, bank)
        attended = self.fusion(torch.cat([seen[m] for m in self.modalities], 1))
        return self.classifier((mean + attended) / 2)
