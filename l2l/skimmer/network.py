"""The skimmer, ImgAud-Skimming: an LSTM that looks at a video's moments again and again (paper, section 3.3).

It reads features, never pictures or sound. At each of its T steps it fuses an image feature and an audio feature, and asks with
one query a modality where to look next; what it has fused on the way is averaged and classified.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from l2l.student.network import Fusion, Modality


class Skimming(NamedTuple):
    """What came of skimming a batch of videos. A look is what one step chooses for the next, so T steps have T - 1 looks."""

    logits: Float[Tensor, "videos classes"]
    selected: Int[Tensor, "videos looks modalities"]  # the moment with the largest weight
    weights: Float[Tensor, "videos looks modalities moments"]  # by the modality that asked; no gradient
    modality_scores: Float[Tensor, "videos looks modalities"]  # s of eq. 8; no gradient
    fused: Float[Tensor, "videos steps descriptor"]  # whose mean over the steps is classified


def mean_over_present(values: Float[Tensor, "videos moments channel"], present: Bool[Tensor, "videos moments"]) -> Tensor:
    """Mean of each video's present moments, (videos, channel); what stands in absent ones, even NaN, has no part in it."""
    return values.masked_fill(~present[..., None], 0).sum(1) / present.sum(1)[:, None]


def query_mlp(width: int, query_hidden: int, key: int) -> nn.Sequential:
    """From a state to a query: two linear layers with batch norm and ReLU between them, none after."""
    return nn.Sequential(nn.Linear(width, query_hidden), nn.BatchNorm1d(query_hidden), nn.ReLU(), nn.Linear(query_hidden, key))


class Keys(nn.Module):
    """A key for each moment: a linear layer, batch norm, ReLU. In training the batch statistics are of present moments only."""

    def __init__(self, width: int, key: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, key)
        self.norm = nn.BatchNorm1d(key)

    def forward(self, bank: Float[Tensor, "videos moments channel"], present: Bool[Tensor, "videos moments"]) -> Tensor:
        """Keys (videos, moments, key), zero where no moment is."""
        keys = torch.relu(self.norm(self.linear(bank[present])))
        return keys.new_zeros(*present.shape, keys.shape[1]).index_put((present,), keys)


def attention(
    query: Float[Tensor, "videos key"], keys: Float[Tensor, "videos moments key"], free: Bool[Tensor, "videos moments"]
) -> Float[Tensor, "videos moments"]:
    """How much each moment counts: softmax of q . K / sqrt(key) over the free moments; exactly zero for the others."""
    scores = torch.einsum("vk,vmk->vm", query, keys) / math.sqrt(query.shape[1])
    return scores.masked_fill(~free, -math.inf).softmax(1)


def modality_scores(layer: nn.Linear | None, state: Float[Tensor, "videos hidden"]) -> Float[Tensor, "videos modalities"]:
    """s_I and s_A of eq. 8: whose choice counts how much; 1 for a modality that is alone and has no layer to learn."""
    return state.new_ones(len(state), 1) if layer is None else layer(state).softmax(1)


def attend(
    weights: Float[Tensor, "videos modalities moments"],
    modality_scores: Float[Tensor, "videos modalities"],
    bank: Mapping[Modality, Float[Tensor, "videos moments _channel"]],
) -> dict[Modality, Float[Tensor, "videos _channel"]]:
    """The features looked at (eq. 8), by modality.

    Both modalities are read at the moments of both queries, and the modality scores say whose choice counts how much; the sum
    over queries is taken first, on the weights, which is the same number for half of the products.
    """
    joint = torch.einsum("vq,vqm->vm", modality_scores, weights)
    return {modality: torch.einsum("vm,vmc->vc", joint, values) for modality, values in bank.items()}


def without(
    free: Bool[Tensor, "videos moments"], chosen: Int[Tensor, " videos"], present: Bool[Tensor, "videos moments"]
) -> Bool[Tensor, "videos moments"]:
    """The free moments less the chosen one; once a video's moments are used up, all of them are free again.

    The paper's videos have more moments than steps, so it does not say; starting anew keeps a short video's weights a
    distribution over its own moments, whatever else is in the batch.
    """
    left = free.scatter(1, chosen[:, None], False)
    return torch.where(left.any(1, keepdim=True), left, present)


def pick(
    weights: Float[Tensor, "videos modalities moments"],
    modality_scores: Float[Tensor, "videos modalities"],
    bank: Mapping[Modality, Float[Tensor, "videos moments _channel"]],
) -> dict[Modality, Float[Tensor, "videos _channel"]]:
    """Hard selection, in place of `attend` (supplement, G.3): each modality's feature at the moment its own query weighs most."""
    rows, chosen = torch.arange(len(weights), device=weights.device), weights.argmax(2)
    return {modality: values[rows, chosen[:, i]] for i, (modality, values) in enumerate(bank.items())}


@dataclass(frozen=True)
class Manner:
    """What the steps do where there is a choice; the defaults are the paper's."""

    weigh: Callable[[Tensor, Tensor, Tensor], Tensor] = attention  # query, keys, free -> weights
    answer: Callable[[Tensor, Tensor, Mapping[Modality, Tensor]], dict[Modality, Tensor]] = attend  # what the next step sees
    strike: Callable[[Tensor, Tensor, Tensor], Tensor] = without  # free, chosen, present -> free at the next step
    classified: Literal["seen", "answered"] = "seen"  # what the T steps see (eq. 9), or what their T queries are answered


AS_THE_PAPER = Manner()


class Skimmer(nn.Module):
    """ImgAud-Skimming on the modalities named by `widths`; with one of the two there are no modality scores to learn.

    Args:
        widths: channels of each modality's features, in the order in which Psi takes them.
        classes: of the video.
        fusion_hidden: width between the two layers of Psi; 0: no Psi, features are read as they are.
        descriptor_width: width of what Psi gives, the LSTM's input; without Psi that of the features.
        hidden: width of the LSTM's state.
        key: width of queries and keys.
        query_hidden: width between the two layers of a query MLP.
    """

    def __init__(
        self,
        widths: Mapping[Modality, int],
        classes: int,
        fusion_hidden: int = 1024,
        descriptor_width: int = 512,
        hidden: int = 1024,
        key: int = 512,
        query_hidden: int = 1024,
    ) -> None:
        super().__init__()
        if not fusion_hidden and sum(widths.values()) != descriptor_width:
            raise ValueError(f"without Psi the features are the descriptor: {dict(widths)} is not {descriptor_width} wide")
        self.widths = dict(widths)
        self.modalities = tuple(widths)
        self.fusion = Fusion(sum(widths.values()), fusion_hidden, descriptor_width) if fusion_hidden else nn.Identity()
        self.classifier = nn.Linear(descriptor_width, classes)
        self.rnn = nn.LSTMCell(descriptor_width, hidden)
        self.queries = nn.ModuleDict({m: query_mlp(hidden, query_hidden, key) for m in widths})
        self.keys = nn.ModuleDict({m: Keys(width, key) for m, width in widths.items()})
        self.modality_attention = nn.Linear(hidden, len(widths)) if len(widths) > 1 else None

    def forward(
        self,
        features: Mapping[Modality, Float[Tensor, "videos moments _channel"]],
        present: Bool[Tensor, "videos moments"],
        steps: int,
    ) -> Skimming:
        """Skim a batch of videos in `steps` steps (T of the paper, at least 1; the number fitted with or fewer, to stop early).

        A video's scores depend on its own present moments alone (in evaluation mode): not on padding, nor on the batch.
        """
        bank = {m: features[m].masked_fill(~present[..., None], 0) for m in self.modalities}
        keys = {m: self.keys[m](bank[m], present) for m in self.modalities}
        start = {m: mean_over_present(bank[m], present) for m in self.modalities}
        return self.skim(bank, keys, start, present, present, steps)

    def skim(
        self,
        bank: Mapping[Modality, Float[Tensor, "videos moments _channel"]],
        keys: Mapping[Modality, Float[Tensor, "videos moments key"]],
        start: Mapping[Modality, Float[Tensor, "videos _channel"]],
        present: Bool[Tensor, "videos moments"],
        free: Bool[Tensor, "videos moments"],
        steps: int,
        manner: Manner = AS_THE_PAPER,
    ) -> Skimming:
        """The steps alone: what is read, by what it is found, what the first step sees and where it may look are given.

        Args:
            bank: features that are looked at; zero in absent moments.
            keys: of every moment.
            start: features that the first step fuses.
            present: moments that are.
            free: moments that may be chosen at first.
            steps: T, at least 1.
            manner: what is done where there is a choice.
        """
        left = dict.fromkeys(self.modalities, free)
        h = c = self.rnn.weight_hh.new_zeros(len(present), self.rnn.hidden_size)
        seen, answered = [self.fuse(start)], []
        selected, all_weights, all_scores = [], [], []
        # the T-th step's query is not answered: eq. 9 averages what the T steps see
        for _ in range(steps - 1 if manner.classified == "seen" else steps):
            h, c = self.rnn(seen[-1], (h, c))
            weights = torch.stack([manner.weigh(self.queries[m](h), keys[m], left[m]) for m in self.modalities], 1)
            scores = modality_scores(self.modality_attention, h)
            chosen = weights.argmax(2)
            left = {m: manner.strike(left[m], chosen[:, i], present) for i, m in enumerate(self.modalities)}
            seen.append(self.fuse(manner.answer(weights, scores, bank)))
            if manner.classified == "answered":
                answered.append(self.fuse(attend(weights, scores, bank)))
            selected.append(chosen)
            all_weights.append(weights.detach())
            all_scores.append(scores.detach())

        fused = torch.stack(seen if manner.classified == "seen" else answered, 1)
        logits = self.classifier(fused.mean(1))
        looks = (len(present), 0, len(self.modalities))
        return Skimming(
            logits,
            torch.stack(selected, 1) if selected else present.new_zeros(looks, dtype=torch.long),
            torch.stack(all_weights, 1) if selected else logits.new_zeros(*looks, present.shape[1]),
            torch.stack(all_scores, 1) if selected else logits.new_zeros(looks),
            fused,
        )

    def stops(self, skimming: Skimming) -> Float[Tensor, "videos steps classes"]:
        """The scores of stopping after each step: a step changes nothing of what those before it saw."""
        steps = torch.arange(1, skimming.fused.shape[1] + 1, device=skimming.fused.device)
        return self.classifier(skimming.fused.cumsum(1) / steps[:, None])

    def fuse(self, seen: Mapping[Modality, Float[Tensor, "videos _channel"]]) -> Float[Tensor, "videos descriptor"]:
        """Psi of one image feature and one audio feature a video."""
        return self.fusion(torch.cat([seen[m] for m in self.modalities], 1))
