"""The skimmer, ImgAud-Skimming: an LSTM that looks at a video's moments again and again (paper,
section 3.3).

It reads features, never pictures or sound. At each of its T steps it fuses an image feature and an
audio feature, and asks with one query a modality where to look next; what it has fused on the way
is averaged and classified.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from l2l.config import FeatureName
from l2l.student.network import Fusion


class SkimmerOutput(NamedTuple):
    """What came of skimming a batch of videos.

    A look is what one step chooses for the next, so T steps have T - 1 looks; T where the last
    query is answered too.
    """

    logits: Float[Tensor, "videos classes"]
    selected: Int[Tensor, "videos looks modalities"]  # the moment with the largest weight
    weights: Float[
        Tensor, "videos looks modalities moments"
    ]  # by the modality that asked; no gradient
    modality_weights: Float[Tensor, "videos looks modalities"]  # s of eq. 8; no gradient
    fused: Float[Tensor, "videos steps descriptor"]  # whose mean over the steps is classified


def mean_over_present(
    values: Float[Tensor, "videos moments channel"], present: Bool[Tensor, "videos moments"]
) -> Tensor:
    """Mean of each video's present moments, (videos, channel).

    What stands in absent ones, even NaN, has no part in it.
    """
    return values.masked_fill(~present[..., None], 0).sum(1) / present.sum(1)[:, None]


def query_mlp(width: int, query_width: int, key_width: int) -> nn.Sequential:
    """From a state to a query: two linear layers, batch norm and ReLU between them, none after."""
    return nn.Sequential(
        nn.Linear(width, query_width),
        nn.BatchNorm1d(query_width),
        nn.ReLU(),
        nn.Linear(query_width, key_width),
    )


class Keys(nn.Module):
    """A key for each moment: a linear layer, batch norm, ReLU.

    In training the batch statistics are of present moments only.
    """

    def __init__(self, width: int, key_width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, key_width)
        self.norm = nn.BatchNorm1d(key_width)

    def forward(
        self, bank: Float[Tensor, "videos moments channel"], present: Bool[Tensor, "videos moments"]
    ) -> Tensor:
        """Keys (videos, moments, key), zero where no moment is."""
        keys = torch.relu(self.norm(self.linear(bank[present])))
        return keys.new_zeros(*present.shape, keys.shape[1]).index_put((present,), keys)


def attention(
    query: Float[Tensor, "videos key"],
    keys: Float[Tensor, "videos moments key"],
    free: Bool[Tensor, "videos moments"],
) -> Float[Tensor, "videos moments"]:
    """How much each moment counts: softmax of q .

    K / sqrt(key) over the free moments; exactly zero for the others.
    """
    scores = torch.einsum("vk,vmk->vm", query, keys) / math.sqrt(query.shape[1])
    return scores.masked_fill(~free, -math.inf).softmax(1)


def modality_weights(
    layer: nn.Linear | None, state: Float[Tensor, "videos hidden"]
) -> Float[Tensor, "videos modalities"]:
    """s_I and s_A of eq. 8: whose choice counts how much.

    1 for a modality that is alone and has no layer to learn.
    """
    return state.new_ones(len(state), 1) if layer is None else layer(state).softmax(1)


def joint_weights(
    weights: Float[Tensor, "*look modalities moments"],
    modality_weights: Float[Tensor, "*look modalities"],
) -> Float[Tensor, "*look moments"]:
    """How much each moment counts over all queries: each modality's weights times its score (eq.

    8), summed.
    """
    return torch.einsum("...q,...qm->...m", modality_weights, weights)


def attend(
    weights: Float[Tensor, "videos modalities moments"],
    modality_weights: Float[Tensor, "videos modalities"],
    bank: Mapping[FeatureName, Float[Tensor, "videos moments _channel"]],
) -> dict[FeatureName, Float[Tensor, "videos _channel"]]:
    """The features looked at (eq. 8), by modality.

    Both modalities are read at the moments of both queries, and the modality scores say whose
    choice counts how much; the sum over queries is taken first, on the weights, which is the same
    number for half of the products.
    """
    joint = joint_weights(weights, modality_weights)
    return {
        modality: torch.einsum("vm,vmc->vc", joint, values) for modality, values in bank.items()
    }


def without(
    free: Bool[Tensor, "videos moments"],
    chosen: Int[Tensor, " videos"],
    present: Bool[Tensor, "videos moments"],
) -> Bool[Tensor, "videos moments"]:
    """The free moments less the chosen one; once a video's moments are used up, all of them are
    free again.

    The paper's videos have more moments than steps, so it does not say; starting anew keeps a short
    video's weights a distribution over its own moments, whatever else is in the batch.
    """
    left = free.scatter(1, chosen[:, None], False)
    return torch.where(left.any(1, keepdim=True), left, present)


def pick(
    weights: Float[Tensor, "videos modalities moments"],
    modality_weights: Float[Tensor, "videos modalities"],
    bank: Mapping[FeatureName, Float[Tensor, "videos moments _channel"]],
) -> dict[FeatureName, Float[Tensor, "videos _channel"]]:
    """Hard selection, in place of `attend` (supplement, G.3).

    Each modality's feature at the moment its own query weighs most.
    """
    rows, chosen = torch.arange(len(weights), device=weights.device), weights.argmax(2)
    return {
        modality: values[rows, chosen[:, i]] for i, (modality, values) in enumerate(bank.items())
    }


def pick_together(
    weights: Float[Tensor, "videos modalities moments"],
    modality_weights: Float[Tensor, "videos modalities"],
    bank: Mapping[FeatureName, Float[Tensor, "videos moments _channel"]],
) -> dict[FeatureName, Float[Tensor, "videos _channel"]]:
    """Every feature at the one moment that counts most over all queries.

    What is dear is computed of one moment a look.
    """
    rows, chosen = (
        torch.arange(len(weights), device=weights.device),
        joint_weights(weights, modality_weights).argmax(1),
    )
    return {modality: values[rows, chosen] for modality, values in bank.items()}


Answer = Callable[
    [Tensor, Tensor, Mapping[FeatureName, Tensor]], dict[FeatureName, Tensor]
]  # weights, modality scores, bank


@dataclass(frozen=True)
class Manner:
    """What the steps do where there is a choice; the defaults are the paper's."""

    weigh: Callable[[Tensor, Tensor, Tensor], Tensor] = attention  # query, keys, free -> weights
    answer: Answer = attend  # what the next step sees
    tell: Answer = attend  # what is classified of a look
    strike: Callable[[Tensor, Tensor, Tensor], Tensor] = (
        without  # free, chosen, present -> free at the next step
    )
    classified: Literal["seen", "answered"] = (
        "seen"  # what the T steps see (eq. 9), or what their T queries are answered
    )


AS_THE_PAPER = Manner()
UNAGGREGATED = Manner(answer=pick, tell=pick)  # supplement, G.3
WEIGHED_ANSWERS = Manner(classified="answered")
SELECTED_ANSWERS = Manner(tell=pick_together, classified="answered")


class Skimmer(nn.Module):
    """ImgAud-Skimming on the features named by `widths`; with a single one there are no modality
    scores to learn.

    What it reads makes its variants: the two modalities; one; a single query on fused features
        (supplement, G.2), which are then its one feature; and other features by which moments are
        found than those classified (G.1, and Table 2).

    Args:
        widths: channels of each feature that is classified, in the order in which Psi takes them.
        classes: of the video.
        fusion_hidden: width between the two layers of Psi; 0: no Psi, features are read as they
            are.
        descriptor_width: width of what Psi gives, the LSTM's input; without Psi that of the
            features.
        hidden: width of the LSTM's state; 0: no LSTM, a step's state is what it sees.
        key: width of queries and keys.
        query_width: width between the two layers of a query MLP.
        indexing: channels of the features by which moments are found, where those are others: keys
            are made of them, and the LSTM reads them side by side, without Psi. What is classified
            then has no part in where to look.
    """

    def __init__(
        self,
        widths: Mapping[FeatureName, int],
        classes: int,
        fusion_hidden: int = 1024,
        descriptor_width: int = 512,
        lstm_width: int = 1024,
        key_width: int = 512,
        query_width: int = 1024,
        indexing: Mapping[FeatureName, int] | None = None,
    ) -> None:
        super().__init__()
        if not fusion_hidden and sum(widths.values()) != descriptor_width:
            raise ValueError(
                f"without Psi the features are the descriptor: {dict(widths)} is not "
                f"{descriptor_width} wide"
            )
        self.widths = dict(widths)
        self.indexing = dict(indexing) if indexing else None
        asking = self.indexing or self.widths
        self.modalities = tuple(asking)  # that ask, each with its own query
        read = sum(self.indexing.values()) if self.indexing else descriptor_width
        state = lstm_width or read
        self.fusion = (
            Fusion(sum(widths.values()), fusion_hidden, descriptor_width)
            if fusion_hidden
            else nn.Identity()
        )
        self.classifier = nn.Linear(descriptor_width, classes)
        self.rnn = nn.LSTMCell(read, lstm_width) if lstm_width else None
        self.queries = nn.ModuleDict({m: query_mlp(state, query_width, key_width) for m in asking})
        self.keys = nn.ModuleDict({m: Keys(width, key_width) for m, width in asking.items()})
        self.modality_attention = nn.Linear(state, len(asking)) if len(asking) > 1 else None

    def forward(
        self,
        features: Mapping[FeatureName, Float[Tensor, "videos moments _channel"]],
        present: Bool[Tensor, "videos moments"],
        steps: int,
        manner: Manner = AS_THE_PAPER,
    ) -> SkimmerOutput:
        """Skim a batch of videos in `steps` steps (T of the paper, at least 1; the number fitted
        with or fewer, to stop early).

        A video's scores depend on its own present moments alone (in evaluation mode): not on
        padding, nor on the batch.
        """
        bank, index = (
            {m: features[m].masked_fill(~present[..., None], 0) for m in names}
            for names in (self.widths, self.indexing or ())
        )
        keys = {m: self.keys[m]((index or bank)[m], present) for m in self.modalities}
        start = {m: mean_over_present(values, present) for m, values in bank.items()}
        return self.skim(bank, keys, start, present, present, steps, manner, index)

    def skim(
        self,
        bank: Mapping[FeatureName, Float[Tensor, "videos moments _channel"]],
        keys: Mapping[FeatureName, Float[Tensor, "videos moments key"]],
        start: Mapping[FeatureName, Float[Tensor, "videos _channel"]],
        present: Bool[Tensor, "videos moments"],
        free: Bool[Tensor, "videos moments"],
        steps: int,
        manner: Manner = AS_THE_PAPER,
        index: Mapping[FeatureName, Float[Tensor, "videos moments _channel"]] | None = None,
    ) -> SkimmerOutput:
        """The steps alone: what is read, by what it is found, what the first step sees and where it
        may look are given.

        Args:
            bank: features that are classified, and looked at; zero in absent moments.
            keys: of every moment.
            start: features that the first step fuses.
            present: moments that are.
            free: moments that may be chosen at first.
            steps: T, at least 1.
            manner: what is done where there is a choice.
            index: features that are looked at in place of those classified, if the network has
                such; zero in absent moments.
        """
        left = dict.fromkeys(self.modalities, free)
        classified = [self.fuse(start)] if manner.classified == "seen" else []
        if index:
            seen = torch.cat([mean_over_present(index[m], present) for m in self.modalities], 1)
        else:
            seen = classified[0] if classified else self.fuse(start)
        h = c = self.classifier.weight.new_zeros(
            len(present), self.rnn.hidden_size if self.rnn else 0
        )
        selected, all_weights, all_scores = [], [], []
        # the T-th step's query is not answered where the mean of what the T steps see is classified
        # (eq. 9)
        for _ in range(steps - len(classified)):
            h, c = self.rnn(seen, (h, c)) if self.rnn else (seen, c)
            weights = torch.stack(
                [manner.weigh(self.queries[m](h), keys[m], left[m]) for m in self.modalities], 1
            )
            scores = modality_weights(self.modality_attention, h)
            chosen = weights.argmax(2)
            left = {
                m: manner.strike(left[m], chosen[:, i], present)
                for i, m in enumerate(self.modalities)
            }
            answer = manner.answer(weights, scores, index or bank)
            seen = (
                torch.cat([answer[m] for m in self.modalities], 1) if index else self.fuse(answer)
            )
            same = not index and manner.tell is manner.answer
            classified.append(seen if same else self.fuse(manner.tell(weights, scores, bank)))
            selected.append(chosen)
            all_weights.append(weights.detach())
            all_scores.append(scores.detach())

        fused = torch.stack(classified, 1)
        logits = self.classifier(fused.mean(1))
        looks = (len(present), 0, len(self.modalities))
        return SkimmerOutput(
            logits,
            torch.stack(selected, 1) if selected else present.new_zeros(looks, dtype=torch.long),
            torch.stack(all_weights, 1) if selected else logits.new_zeros(*looks, present.shape[1]),
            torch.stack(all_scores, 1) if selected else logits.new_zeros(looks),
            fused,
        )

    def stops(self, skimming: SkimmerOutput) -> Float[Tensor, "videos steps classes"]:
        """The scores of stopping after each step.

        A step changes nothing of what those before it saw.
        """
        steps = torch.arange(1, skimming.fused.shape[1] + 1, device=skimming.fused.device)
        return self.classifier(skimming.fused.cumsum(1) / steps[:, None])

    def fuse(
        self, seen: Mapping[FeatureName, Float[Tensor, "videos _channel"]]
    ) -> Float[Tensor, "videos descriptor"]:
        """Psi of one feature each that is classified, of every video."""
        return self.fusion(torch.cat([seen[m] for m in self.widths], 1))
