"""Metrics and costs of the skimmer and its variants on whole videos."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Int

from l2l.evaluation.artifact import VARIANT_METRICS
from l2l.evaluation.cost import CostModel
from l2l.evaluation.inputs import video_batch
from l2l.evaluation.measures.metrics import mean_average_precision, top1
from l2l.evaluation.measures.probabilities import check_finite, class_probabilities
from l2l.features.artifact import Features
from l2l.skimmer.artifact import TrainedSkimmer
from l2l.teacher.artifact import DescriptorReader


class EvaluatedVariant(NamedTuple):
    """A trained skimmer, by the name of its file, and how its steps read moments.

    Attributes:
        model: the name.
        unaggregated: each step reads the selected moments' features, not weighted means
            (supplement, G.3).
    """

    model: str
    unaggregated: bool = False


@dataclass(frozen=True)
class VariantMetrics:
    """Metrics over the test videos.

    Attributes:
        top1: in percent.
        map: mean average precision in percent.
        gmacs_per_video: 10^9 multiply-accumulates, mean over videos.
        index_gmacs_per_video: the share that computes indexing features of all moments.
        recognition_moments: moments whose recognition features are computed, mean over videos.
    """

    top1: float
    map: float
    gmacs_per_video: float
    index_gmacs_per_video: float
    recognition_moments: float

    def cells(self) -> dict[str, str]:
        """As a table holds them."""
        written = (
            f"{self.top1:.2f}",
            f"{self.map:.2f}",
            f"{self.gmacs_per_video:.6g}",
            f"{self.index_gmacs_per_video:.6g}",
            f"{self.recognition_moments:.2f}",
        )
        return dict(zip(VARIANT_METRICS, written, strict=True))


def evaluate_variant(
    variant: EvaluatedVariant,
    trained: TrainedSkimmer,
    videos: Sequence[str],
    labels: Int[np.ndarray, " videos"],
    features: Features,
    costs: CostModel,
    described: Mapping[str, DescriptorReader],
) -> VariantMetrics:
    """Metrics and costs of one skimmer over videos, which it reads one by one.

    Args:
        variant: which it is, and how its steps read moments.
        trained: the skimmer, on the CPU.
        videos: ids.
        labels: indices of their classes.
        features: the student's features.
        costs: what each step costs.
        described: the teacher's descriptors of each video, for a skimmer that reads them.
    """
    logits, spent = [], []
    for video in videos:
        batch, present = video_batch(trained, video, features.load(video), described=described)
        with torch.inference_mode():
            output = trained.skim(batch, present, variant.unaggregated)
        logits.append(output.logits[0].numpy())
        cost = costs.network(
            trained, present.shape[1], output=output, unaggregated=variant.unaggregated
        )
        spent.append(cost)
    scores = np.stack(logits)
    check_finite(scores, f"class scores of {variant.model}")
    probabilities = class_probabilities(scores)
    macs, index_macs, moments = np.mean(spent, 0)
    return VariantMetrics(
        100 * top1(probabilities, labels),
        100 * mean_average_precision(probabilities, labels),
        macs / 1e9,
        index_macs / 1e9,
        moments,
    )
