"""The skimmer and its variants on whole videos.

What each says, of how many moments it reads what, and what that costs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from l2l.config import FeatureName
from l2l.evaluation.artifact import FOUND_COLUMNS
from l2l.evaluation.cost import count_macs, moment_macs
from l2l.evaluation.methods import class_probabilities
from l2l.evaluation.metrics import mean_average_precision, top1
from l2l.features.artifact import Features
from l2l.skimmer.artifact import TrainedSkimmer, named_features
from l2l.skimmer.network import Skimmer, SkimmerOutput, joint_weights
from l2l.student.network import Student
from l2l.teacher.artifact import DescriptorReader


class Way(NamedTuple):
    """A fitted skimmer, by its file's name, and how it is asked."""

    model: str
    unaggregated: bool = False


@dataclass(frozen=True)
class Found:
    """Figures over the test videos.

    Accuracies in percent, multiply-accumulates in 10^9, means a video.
    """

    top1: float
    map: float
    gmacs_per_video: float
    index_gmacs_per_video: (
        float  # of those, what is computed of all moments to find out where to look
    )
    recognition_moments: float  # whose recognition features are computed

    def figures(self) -> dict[str, str]:
        """As they are written."""
        written = (
            f"{self.top1:.2f}",
            f"{self.map:.2f}",
            f"{self.gmacs_per_video:.6g}",
            f"{self.index_gmacs_per_video:.6g}",
        )
        return dict(zip(FOUND_COLUMNS, (*written, f"{self.recognition_moments:.2f}"), strict=True))


class Spent(NamedTuple):
    """What an answer for one video takes."""

    macs: int
    index_macs: int
    recognition_moments: int


class Costs:
    """What a skimmer's answers cost, counted on the calls that are made, on zeros of the real
    sizes.
    """

    def __init__(
        self, student: Student, fitted: TrainedSkimmer, unaggregated: bool, clip_macs: int = 0
    ) -> None:
        assert isinstance(fitted.network, Skimmer)
        self._fitted, self._network, self._unaggregated = fitted, fitted.network, unaggregated
        self.index_macs = moment_macs(student, fitted.network.modalities, clip_macs)
        self.both_macs = moment_macs(
            student, {*fitted.network.modalities, *fitted.network.widths}, clip_macs
        )
        self.network_macs = lru_cache(maxsize=None)(self._network_macs)

    def _network_macs(self, moments: int) -> int:
        widths = self._network.widths | (self._network.indexing or {})
        features: dict[FeatureName, Tensor] = {
            m: torch.zeros(1, moments, width) for m, width in widths.items()
        }
        return count_macs(
            lambda: self._fitted.skim(
                features, torch.ones(1, moments, dtype=torch.bool), self._unaggregated
            )
        )

    def of(self, skimming: SkimmerOutput) -> Spent:
        """Of one video (a batch of one).

        Recognition features of selected moments are computed once, however often selected.
        """
        moments = looked = skimming.weights.shape[3]
        if self._fitted.variant.selected:
            looked = len(
                joint_weights(skimming.weights[0], skimming.modality_weights[0]).argmax(1).unique()
            )
        index = moments * self.index_macs
        return Spent(
            index + looked * (self.both_macs - self.index_macs) + self.network_macs(moments),
            index,
            looked,
        )


def ask(
    way: Way,
    fitted: TrainedSkimmer,
    videos: Sequence[str],
    labels: Int[np.ndarray, " videos"],
    bank: Features,
    student: Student,
    described: Mapping[str, DescriptorReader],
    clip_macs: int = 0,
) -> Found:
    """Figures of one skimmer over videos, asked one by one.

    Args:
        way: how it is asked.
        fitted: the skimmer, on the CPU.
        videos: ids.
        labels: indices of their classes.
        bank: the student's features.
        student: that made them.
        described: where the teacher's descriptors of each video are, if it reads them.
        clip_macs: what one of them costs.
    """
    assert isinstance(fitted.network, Skimmer)
    names = tuple(dict.fromkeys((*fitted.network.modalities, *fitted.network.widths)))
    costs = Costs(student, fitted, way.unaggregated, clip_macs)
    scores, spent = [], []
    with torch.inference_mode():
        for video in videos:
            read = {
                m: x[None]
                for m, x in named_features(video, bank.load(video), names, described).items()
            }
            present = torch.ones(1, bank.moments(video), dtype=torch.bool)
            skimming = fitted.skim(read, present, way.unaggregated)
            scores.append(skimming.logits[0].numpy())
            spent.append(costs.of(skimming))
    probabilities = class_probabilities(np.stack(scores))
    macs, index_macs, moments = np.mean(spent, 0)
    accuracies = (
        100 * top1(probabilities, labels),
        100 * mean_average_precision(probabilities, labels),
    )
    return Found(*accuracies, macs / 1e9, index_macs / 1e9, moments)
