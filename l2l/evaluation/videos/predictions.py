"""What each method predicts for one video, and what that costs."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float

from l2l.config import EvaluationConfig
from l2l.evaluation.cost import CostModel, VideoCost
from l2l.evaluation.inputs import video_batch
from l2l.evaluation.measures.probabilities import class_probabilities
from l2l.features.artifact import VideoFeatures
from l2l.skimmer.artifact import TrainedSkimmer
from l2l.skimmer.network import Skimmer, SkimmerOutput
from l2l.skimmer.one_look import OneLook

Probabilities = Float[np.ndarray, "moments classes"]


@dataclass(frozen=True)
class MethodPrediction:
    """What a method predicts for one video.

    Attributes:
        probabilities: of each class, one row; a random method has one row for each draw.
        cost: of the prediction.
        picks: the moments that the method picks, one list for each draw; empty for a method that
            picks none.
        seen: the moments whose frames the method is given, one list for each draw.
    """

    probabilities: Float[np.ndarray, "draws classes"]
    cost: VideoCost
    picks: Sequence[Sequence[int]] = ()
    seen: Sequence[Sequence[int]] = ()


@dataclass(frozen=True)
class VideoInput:
    """One test video, as a method of Table 1 is given it.

    Attributes:
        video: its id.
        features: features and the student's class scores (logits) of every moment.
        trained: the trained networks by name, on the CPU.
        costs: what each step costs.
        config: moments looked at, sparse factor, random draws.
        seed: of random choices.
        label: number of the video's class; only the oracle reads it.
    """

    video: str
    features: VideoFeatures
    trained: Mapping[str, TrainedSkimmer]
    costs: CostModel
    config: EvaluationConfig
    seed: int
    label: int

    @property
    def count(self) -> int:
        """Number of moments."""
        return len(self.features)

    @cached_property
    def probabilities(self) -> Probabilities:
        """The student's class probabilities of each moment, float64."""
        return class_probabilities(self.features.scores)

    def random_draws(self) -> list[list[int]]:
        """`evaluation.random_draws` random choices of moments."""
        config = self.config
        return random_draws(self.count, config.moments, config.random_draws, self.video, self.seed)

    def most_confident(self) -> list[int]:
        """The moments with the largest probability of any class."""
        return most_confident(self.probabilities, self.config.moments)

    def best_of_class(self) -> list[int]:
        """The moments with the largest probability of the video's own class."""
        return most_confident(self.probabilities[:, [self.label]], self.config.moments)

    def average(self, draws: Sequence[list[int]], scored: int | None = None) -> MethodPrediction:
        """Average the student's class probabilities over some moments.

        Args:
            draws: numbers of the moments, one list; or one list for each draw of a random choice,
                all of the same length.
            scored: number of moments whose scores are computed to choose; default: only those that
                are averaged are computed.
        """
        probabilities = np.stack([self.probabilities[moments].mean(0) for moments in draws])
        cost = self.costs.averaging(scored or len(draws[0]), indexed=scored or 0)
        seen = draws if scored is None else [range(scored)]
        return MethodPrediction(probabilities, cost, draws, seen if self.costs.sees else [[]])

    def classify(self, name: str, factor: int = 1) -> MethodPrediction:
        """Let a trained network classify the video.

        Args:
            name: of the network.
            factor: features are read of one moment in `factor`, and interpolated between where the
                network needs all moments.
        """
        trained = self.trained[name]
        picks: list[list[int]] = []
        skimmed = None
        features, present = video_batch(trained, self.video, self.features, factor)
        with torch.inference_mode():
            if isinstance(trained.network, Skimmer):
                skimmed = trained.skim(features, present)
                picks, logits = [trained.picks(skimmed, self.config.moments)], skimmed.logits
            elif isinstance(trained.network, OneLook):
                output = trained.network(features, present)
                looked = trained.moments_read(self.count, factor)
                picks = [[looked[i] for i in trained.picks(output, self.config.moments)]]
                logits = output.logits
            else:
                logits = trained.scores(features, present)
        cost = self.costs.network(trained, self.count, factor, skimmed)
        only_hears = set(trained.feature_names) == {"audio"} or not self.costs.sees
        seen = [] if only_hears else trained.moments_read(self.count, factor)
        return MethodPrediction(class_probabilities(logits.numpy()), cost, picks, [seen])


def random_draws(count: int, moments: int, draws: int, video: str, seed: int) -> list[list[int]]:
    """Several random choices of moments without repeats, each in order of time.

    A video's choices do not depend on the other videos.
    """
    generator = np.random.default_rng([seed, zlib.crc32(video.encode("utf-8", "surrogatepass"))])
    return [sorted(generator.permutation(count)[:moments].tolist()) for _ in range(draws)]


def most_confident(probabilities: Probabilities, moments: int) -> list[int]:
    """The moments with the largest probability of any class given; among equals the first."""
    return sorted(np.argsort(-probabilities.max(1), kind="stable")[:moments].tolist())


def skim(trained: TrainedSkimmer, video: str, read: VideoFeatures) -> SkimmerOutput:
    """The skimmer's output for one video (a batch of one), all moments read."""
    features, present = video_batch(trained, video, read)
    with torch.inference_mode():
        return trained.skim(features, present)
