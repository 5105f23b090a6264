"""What each method predicts for one video, and what that costs."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from l2l.config import EvaluationConfig
from l2l.evaluation.cost import CostModel, VideoCost
from l2l.evaluation.inputs import video_batch
from l2l.evaluation.measures.probabilities import class_probabilities
from l2l.evaluation.videos.artifact import Attention
from l2l.features.artifact import VideoFeatures
from l2l.skimmer.artifact import TrainedSkimmer, named_features
from l2l.skimmer.early_exit import EarlyExit
from l2l.skimmer.network import Skimmer, SkimmerOutput
from l2l.skimmer.one_look import OneLook, OneLookOutput

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
        weights: of the picks of the first draw, where the method weighs them.
    """

    probabilities: Float[np.ndarray, "draws classes"]
    cost: VideoCost
    picks: Sequence[Sequence[int]] = ()
    seen: Sequence[Sequence[int]] = ()
    weights: Sequence[float] = ()


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
        weights: list[float] = []
        skimmed, read = None, trained.moments_read(self.count, factor)
        features, present = video_batch(trained, self.video, self.features, factor)
        with torch.inference_mode():
            if isinstance(trained.network, Skimmer):
                skimmed = trained.skim(features, present)
                picks, logits = [trained.picks(skimmed, self.config.moments)], skimmed.logits
            elif isinstance(trained.network, OneLook):
                output = trained.network(features, present)
                picks, weights = self._weighed(trained, output, read)
                logits = output.logits
            elif isinstance(trained.network, EarlyExit):
                exited = trained.network(features, present)
                read = read[: int(exited.read[0])]
                picks, logits = [sorted(read)], exited.logits
            else:
                logits = trained.scores(features, present)
        cost = self.costs.network(trained, self.count, factor, skimmed, read=len(read))
        return self._prediction(trained, logits, cost, picks, read, weights)

    def look_until_sure(self, name: str) -> MethodPrediction:
        """Let one look read a coarse grid, then more moments near those with the largest weights,
        until its most probable class is probable enough, or as many are read as
        `evaluation.stop` allows.

        A moment is read once, and scored once where the score has no context.

        Args:
            name: of the network.
        """
        trained, stop = self.trained[name], self.config.stop
        assert isinstance(trained.network, OneLook)
        tensors = named_features(self.video, self.features, trained.feature_names, {})
        read, earlier_macs = trained.moments_read(self.count, stop.factor), 0
        most = len(read) + stop.more
        while True:
            features = {m: x[read][None] for m, x in tensors.items()}
            with torch.inference_mode():
                output = trained.network(features, torch.ones(1, len(read), dtype=torch.bool))
            sure = float(output.logits.max().exp()) >= stop.probability
            number = min(stop.at_a_time, most - len(read))
            weights = dict(zip(read, output.weights[0].tolist(), strict=True))
            more = [] if sure else next_moments(weights, self.count, stop.apart, number)
            if not more:
                break
            if trained.network.context:  # every moment is scored again
                earlier_macs += self.costs.network_macs(trained, len(read))
            read = sorted([*read, *more])
        cost = self.costs.network(trained, self.count, read=len(read))
        cost = cost._replace(macs=cost.macs + earlier_macs)
        picks, of_picks = self._weighed(trained, output, read)
        return self._prediction(trained, output.logits, cost, picks, read, of_picks)

    def _weighed(
        self, trained: TrainedSkimmer, output: OneLookOutput, read: Sequence[int]
    ) -> tuple[list[list[int]], list[float]]:
        """The moments of the largest weights among those that were read, and these weights."""
        picked = trained.picks(output, self.config.moments)
        return [[read[i] for i in picked]], output.weights[0, picked].tolist()

    def _prediction(
        self,
        trained: TrainedSkimmer,
        logits: Tensor,
        cost: VideoCost,
        picks: Sequence[Sequence[int]],
        read: Sequence[int],
        weights: Sequence[float],
    ) -> MethodPrediction:
        only_hears = set(trained.feature_names) == {"audio"} or not self.costs.sees
        seen = [] if only_hears else read
        return MethodPrediction(class_probabilities(logits.numpy()), cost, picks, [seen], weights)


def next_moments(weights: Mapping[int, float], count: int, apart: int, number: int) -> list[int]:
    """Which moments to read next: those not read yet that lie `apart` moments from one that was
    read, first after then before it, that of the largest weight first; then those nearer to it.

    Args:
        weights: of each moment that was read.
        count: moments of the video.
        apart: largest distance.
        number: at most so many are returned; fewer where no more lie as near.
    """
    ranked = sorted(weights, key=lambda moment: (-weights[moment], moment))
    unread: dict[int, None] = {}
    for distance in range(apart, 0, -1):
        for moment in ranked:
            for near in (moment + distance, moment - distance):
                if 0 <= near < count and near not in weights:
                    unread[near] = None
    return list(unread)[:number]


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


def attention_of(trained: TrainedSkimmer, output: SkimmerOutput) -> Attention:
    """The attention of the only video of a batch."""
    weights, of_modalities = output.weights[0].numpy(), output.modality_weights[0].numpy()
    return Attention(trained.network.modalities, weights, of_modalities)
