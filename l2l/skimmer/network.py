"""The skimmer, ImgAud-Skimming: an attention LSTM over the moments of a video (paper, section 3.3).

It reads features, never pictures or sound. Each of its T steps fuses an image feature and an audio
feature, updates the LSTM, and asks with one query per modality which moment to look at next. The
mean of the fused features of all steps is classified.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from l2l.config import FeatureName
from l2l.student.network import Fusion


class SkimmerOutput(NamedTuple):
    """The result of skimming a batch of videos.

    A look is what one step selects for the next. T steps have T - 1 looks, or T where the last
    step's query is answered too.
    """

    logits: Float[Tensor, "videos classes"]
    # the moment with the largest weight
    selected: Int[Tensor, "videos looks modalities"]
    # attention weights of each modality's query; without gradient
    weights: Float[Tensor, "videos looks modalities moments"]
    # s of eq. 8; without gradient
    modality_weights: Float[Tensor, "videos looks modalities"]
    # classified is their mean over the steps
    fused: Float[Tensor, "videos steps descriptor"]


def mean_over_present(
    values: Float[Tensor, "videos moments channel"], present: Bool[Tensor, "videos moments"]
) -> Tensor:
    """Mean over each video's present moments: (videos, channel).

    Values of absent moments have no effect, even NaN.
    """
    return values.masked_fill(~present[..., None], 0).sum(1) / present.sum(1)[:, None]


def query_mlp(width: int, query_width: int, key_width: int) -> nn.Sequential:
    """From an LSTM state to a query: two linear layers, with batch norm and ReLU between them."""
    return nn.Sequential(
        nn.Linear(width, query_width),
        nn.BatchNorm1d(query_width),
        nn.ReLU(),
        nn.Linear(query_width, key_width),
    )


class Keys(nn.Module):
    """A key for each moment: a linear layer, batch norm, ReLU.

    In training the batch statistics are those of present moments only.

    Attributes:
        normalises_padding: the batch statistics are of padding too, as in the public code.
    """

    def __init__(self, width: int, key_width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, key_width)
        self.norm = nn.BatchNorm1d(key_width)
        self.normalises_padding = False

    def forward(
        self,
        features: Float[Tensor, "videos moments channel"],
        present: Bool[Tensor, "videos moments"],
    ) -> Tensor:
        """Keys (videos, moments, key); zero for absent moments."""
        if self.normalises_padding:
            rows = torch.relu(self.norm(self.linear(features.flatten(0, 1))))
            return rows.unflatten(0, present.shape).masked_fill(~present[..., None], 0)
        keys = torch.relu(self.norm(self.linear(features[present])))
        return keys.new_zeros(*present.shape, keys.shape[1]).index_put((present,), keys)


def attention(
    query: Float[Tensor, "videos key"],
    keys: Float[Tensor, "videos moments key"],
    free: Bool[Tensor, "videos moments"],
) -> Float[Tensor, "videos moments"]:
    """Attention weights: softmax of query . key / sqrt(key width) over the free moments; exactly
    zero for the others.
    """
    scores = torch.einsum("vk,vmk->vm", query, keys) / math.sqrt(query.shape[1])
    return scores.masked_fill(~free, -math.inf).softmax(1)


def modality_weights(
    layer: nn.Linear | None, state: Float[Tensor, "videos hidden"]
) -> Float[Tensor, "videos modalities"]:
    """s_I and s_A of eq. 8: the weight of each modality's query.

    A single modality has no layer and weight 1.
    """
    return state.new_ones(len(state), 1) if layer is None else layer(state).softmax(1)


def joint_weights(
    weights: Float[Tensor, "*look modalities moments"],
    modality_weights: Float[Tensor, "*look modalities"],
) -> Float[Tensor, "*look moments"]:
    """The weight of each moment over all queries: each query's attention weights times its modality
    weight, summed (eq. 8).
    """
    return torch.einsum("...q,...qm->...m", modality_weights, weights)


def log_mean_probabilities(
    logits: Float[Tensor, "videos steps classes"],
) -> Float[Tensor, "videos classes"]:
    """The logarithm of the mean over steps of each step's class probabilities."""
    return logits.log_softmax(2).logsumexp(1) - math.log(logits.shape[1])


# ---- what a step may do with the attention weights: functions for `StepRules`


def attend(
    weights: Float[Tensor, "videos modalities moments"],
    modality_weights: Float[Tensor, "videos modalities"],
    features: Mapping[FeatureName, Float[Tensor, "videos moments _channel"]],
) -> dict[FeatureName, Float[Tensor, "videos _channel"]]:
    """The attended feature of each modality (eq. 8).

    Each modality is read with the weights of both queries. The sum over queries is done first, on
    the weights: the result is the same, for half of the products.
    """
    joint = joint_weights(weights, modality_weights)
    return {
        modality: torch.einsum("vm,vmc->vc", joint, values) for modality, values in features.items()
    }


def select_per_modality(
    weights: Float[Tensor, "videos modalities moments"],
    modality_weights: Float[Tensor, "videos modalities"],
    features: Mapping[FeatureName, Float[Tensor, "videos moments _channel"]],
) -> dict[FeatureName, Float[Tensor, "videos _channel"]]:
    """Hard selection in place of `attend` (supplement, G.3): each modality's feature at the moment
    with the largest weight of the query of its modality.
    """
    videos, selected = torch.arange(len(weights), device=weights.device), weights.argmax(2)
    return {
        modality: values[videos, selected[:, i]]
        for i, (modality, values) in enumerate(features.items())
    }


def select_jointly(
    weights: Float[Tensor, "videos modalities moments"],
    modality_weights: Float[Tensor, "videos modalities"],
    features: Mapping[FeatureName, Float[Tensor, "videos moments _channel"]],
) -> dict[FeatureName, Float[Tensor, "videos _channel"]]:
    """Hard selection of one moment for all features: the one with the largest joint weight.

    So an expensive feature is computed for a single moment per look.
    """
    videos = torch.arange(len(weights), device=weights.device)
    selected = joint_weights(weights, modality_weights).argmax(1)
    return {modality: values[videos, selected] for modality, values in features.items()}


def attend_to(attended: Collection[FeatureName]) -> "ReadFeatures":
    """Features of these names are read as `attend` does, the others at the one moment with the
    largest joint weight, without gradient to the weights (supplement, G.1).
    """

    def read(
        weights: Tensor, modality_weights: Tensor, features: Mapping[FeatureName, Tensor]
    ) -> dict[FeatureName, Tensor]:
        others = {m: x for m, x in features.items() if m not in attended}
        soft = {m: x for m, x in features.items() if m in attended}
        return {
            **attend(weights, modality_weights, soft),
            **select_jointly(weights, modality_weights, others),
        }

    return read


def mask_selected(
    free: Bool[Tensor, "videos moments"],
    selected: Int[Tensor, " videos"],
    present: Bool[Tensor, "videos moments"],
) -> Bool[Tensor, "videos moments"]:
    """Remove the selected moment from the free ones; when none is left, all are free again.

    The paper's videos have more moments than steps, so it does not say what follows. Freeing all
    keeps the weights of a short video a distribution over its own moments, with any other
    videos in the batch.
    """
    remaining = free.scatter(1, selected[:, None], False)
    return torch.where(remaining.any(1, keepdim=True), remaining, present)


Attention = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(query, keys, free) -> weights (videos, moments)."""
ReadFeatures = Callable[
    [Tensor, Tensor, Mapping[FeatureName, Tensor]], Mapping[FeatureName, Tensor]
]
"""(weights, modality weights, features of all moments) -> one feature per video and name."""
MaskUpdate = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(free, selected, present) -> the moments that are free at the next step."""


@dataclass(frozen=True)
class StepRules:
    """How a step of the skimmer works where there is a choice; the defaults are the paper's."""

    attention: Attention = attention
    """Which weight each moment gets."""
    next_input: ReadFeatures = attend
    """Which features the next step sees."""
    classified_feature: ReadFeatures | None = None
    """Which features of a look are classified; None: those of `next_input`."""
    mask_update: MaskUpdate = mask_selected
    """Which moments may be selected at the next step."""
    classified: Literal["inputs", "answers"] = "inputs"
    """Whether the mean of what the T steps see is classified (eq. 9), or the mean of the answers to
    their T queries."""
    averaged: Literal["features", "predictions"] = "features"
    """Whether the mean of the T fused features is classified (eq. 9), or each of them, and the mean
    of the T predictions is the video's."""


PAPER_RULES = StepRules()
HARD_RULES = StepRules(next_input=select_per_modality)  # supplement, G.3
WEIGHTED_ANSWERS = StepRules(classified="answers")
# supplement, D: the predictions for the moments with the largest weights are averaged
SELECTED_ANSWERS = StepRules(
    classified_feature=select_jointly, classified="answers", averaged="predictions"
)


class Skimmer(nn.Module):
    """ImgAud-Skimming on the features named by `widths`.

    Which features it reads makes its variants: both modalities; a single one, which has no modality
    weights to learn; a single query on fused features (supplement, G.2); queries of some features
    only (G.1); and other features for the keys than for the classifier (Table 2).

    Args:
        widths: channels of each feature that is classified, in the order in which Psi takes them.
        classes: number of classes.
        fusion_hidden: width between the two layers of Psi; 0: no Psi, the features are read as they
            are.
        descriptor_width: width of Psi's output, which is the LSTM's input; without Psi the width of
            the features.
        lstm_width: width of the LSTM's state.
        key_width: width of queries and keys.
        query_width: width between the two layers of a query MLP.
        indexing: channels of the features by which moments are found, where those are not the
            classified ones. Keys are made of them, and the LSTM reads them concatenated, without
            Psi. The classified features then have no effect on where the skimmer looks.
        queried: the features with a query, where not each has one.
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
        queried: Sequence[FeatureName] = (),
    ) -> None:
        super().__init__()
        if not fusion_hidden and sum(widths.values()) != descriptor_width:
            raise ValueError(
                f"without Psi the features are the descriptor: {dict(widths)} is not "
                f"{descriptor_width} wide"
            )
        self.widths = dict(widths)
        self.indexing = dict(indexing) if indexing else None
        self.queried = tuple(queried)
        indexed = {
            m: width
            for m, width in (self.indexing or self.widths).items()
            if not queried or m in queried
        }
        self.modalities = tuple(indexed)  # each has its own query
        input_width = sum(self.indexing.values()) if self.indexing else descriptor_width
        self.fusion = (
            Fusion(sum(widths.values()), fusion_hidden, descriptor_width)
            if fusion_hidden
            else nn.Identity()
        )
        self.classifier = nn.Linear(descriptor_width, classes)
        self.rnn = nn.LSTMCell(input_width, lstm_width)
        self.queries = nn.ModuleDict(
            {m: query_mlp(lstm_width, query_width, key_width) for m in indexed}
        )
        self.keys = nn.ModuleDict({m: Keys(width, key_width) for m, width in indexed.items()})
        self.modality_attention = nn.Linear(lstm_width, len(indexed)) if len(indexed) > 1 else None

    def forward(
        self,
        features: Mapping[FeatureName, Float[Tensor, "videos moments _channel"]],
        present: Bool[Tensor, "videos moments"],
        steps: int,
        rules: StepRules = PAPER_RULES,
        free: Bool[Tensor, "videos moments"] | None = None,
    ) -> SkimmerOutput:
        """Skim a batch of videos.

        In evaluation mode a video's logits depend on its own present moments alone, not on padding
        or on the rest of the batch.

        Args:
            features: of all moments, by name.
            present: moments that exist; the others are padding.
            steps: T of the paper, at least 1; fewer than in training to stop early.
            rules: of each step.
            free: moments that may be selected at first; None: all that are present.
        """
        classified = {m: features[m].masked_fill(~present[..., None], 0) for m in self.widths}
        indexing = {m: features[m].masked_fill(~present[..., None], 0) for m in self.indexing or ()}
        keys = {m: self.keys[m]((indexing or classified)[m], present) for m in self.modalities}
        first_input = {m: mean_over_present(x, present) for m, x in classified.items()}
        free = present if free is None else free
        return self.skim(classified, keys, first_input, present, free, steps, rules, indexing)

    def skim(
        self,
        features: Mapping[FeatureName, Float[Tensor, "videos moments _channel"]],
        keys: Mapping[FeatureName, Float[Tensor, "videos moments key"]],
        first_input: Mapping[FeatureName, Float[Tensor, "videos _channel"]],
        present: Bool[Tensor, "videos moments"],
        free: Bool[Tensor, "videos moments"],
        steps: int,
        rules: StepRules = PAPER_RULES,
        indexing: Mapping[FeatureName, Float[Tensor, "videos moments _channel"]] | None = None,
    ) -> SkimmerOutput:
        """The steps of `forward`, on prepared features and keys.

        Args:
            features: those that are classified; zero in absent moments.
            keys: of every moment.
            first_input: the features that the first step fuses.
            present: moments that exist.
            free: moments that may be selected at first.
            steps: T, at least 1.
            rules: of each step.
            indexing: features by which moments are found, if the network has such; zero in absent
                moments.
        """
        # ---- before the first step: its input, an empty state, the moments that may be selected

        fused = [self.fuse(first_input)] if rules.classified == "inputs" else []
        if indexing:
            step_input = torch.cat(
                [mean_over_present(indexing[m], present) for m in self.modalities], 1
            )
        else:
            step_input = fused[0] if fused else self.fuse(first_input)
        hidden = cell = self.classifier.weight.new_zeros(len(present), self.rnn.hidden_size)
        free_of = dict.fromkeys(self.modalities, free)
        looks: list[tuple[Tensor, Tensor, Tensor]] = []

        # Where the T inputs are classified (eq. 9), the query of step T has no use.
        for _ in range(steps - len(fused)):
            # ---- update the state (eq. 5)

            hidden, cell = self.rnn(step_input, (hidden, cell))

            # ---- ask each modality's query where to look (eq. 6), and weigh the modalities

            weights = torch.stack(
                [
                    rules.attention(self.queries[m](hidden), keys[m], free_of[m])
                    for m in self.modalities
                ],
                1,
            )
            trust = modality_weights(self.modality_attention, hidden)

            # ---- select the moment with the largest weight, and mask it for the next step

            selected = weights.argmax(2)
            free_of = {
                m: rules.mask_update(free_of[m], selected[:, i], present)
                for i, m in enumerate(self.modalities)
            }

            # ---- read the features there (eqs. 7 and 8): the next input, and what is classified

            answer = rules.next_input(weights, trust, indexing or features)
            if indexing:
                step_input = torch.cat([answer[m] for m in self.modalities], 1)
            else:
                step_input = self.fuse(answer)
            if rules.classified_feature:
                fused.append(self.fuse(rules.classified_feature(weights, trust, features)))
            elif indexing:
                fused.append(self.fuse(rules.next_input(weights, trust, features)))
            else:
                fused.append(step_input)
            looks.append((selected, weights.detach(), trust.detach()))

        # ---- classify the mean over the steps (eq. 9), or average the steps' predictions

        all_fused = torch.stack(fused, 1)
        if rules.averaged == "features":
            logits = self.classifier(all_fused.mean(1))
        else:
            logits = log_mean_probabilities(self.classifier(all_fused))
        if not looks:
            no_looks = (len(present), 0, len(self.modalities))
            return SkimmerOutput(
                logits,
                present.new_zeros(no_looks, dtype=torch.long),
                logits.new_zeros(*no_looks, present.shape[1]),
                logits.new_zeros(no_looks),
                all_fused,
            )
        all_selected, all_weights, all_trust = zip(*looks, strict=True)
        return SkimmerOutput(
            logits,
            torch.stack(all_selected, 1),
            torch.stack(all_weights, 1),
            torch.stack(all_trust, 1),
            all_fused,
        )

    def stops(self, output: SkimmerOutput) -> Float[Tensor, "videos steps classes"]:
        """The logits of stopping after each step; a later step does not change earlier ones."""
        steps = torch.arange(1, output.fused.shape[1] + 1, device=output.fused.device)
        return self.classifier(output.fused.cumsum(1) / steps[:, None])

    def fuse(
        self, features: Mapping[FeatureName, Float[Tensor, "videos _channel"]]
    ) -> Float[Tensor, "videos descriptor"]:
        """Psi of the classified features, one of each name per video."""
        return self.fusion(torch.cat([features[m] for m in self.widths], 1))
