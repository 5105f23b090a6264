"""Every method of the paper's Table 1: what each says of a video, how many of its moments it reads,
what that costs.

Random, uniform, front, center and end read a fixed number of moments, SCSampler and dense all of
them; each of these averages the student's class probabilities. The fitted networks read features,
of all moments or, sparse, of one in so many.
"""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from l2l.config import EvaluationConfig
from l2l.evaluation.cost import Prices
from l2l.features.artifact import VideoFeatures
from l2l.skimmer.artifact import Model, TrainedSkimmer
from l2l.skimmer.network import Skimmer, SkimmerOutput
from l2l.skimmer.sparse import moments_read, read_sparsely

METHODS = (
    *("random", "uniform", "front", "center", "end", "scsampler", "dense"),
    *("lstm", "non_recurrent", "ours_sparse", "ours_dense"),
)


@dataclass(frozen=True)
class Answer:
    """What a method says of a video."""

    probabilities: Float[
        np.ndarray, "draws classes"
    ]  # one row, or one for each draw of a random choice
    moments: int  # whose features are computed
    macs: int  # multiply-accumulates: all
    index_macs: int = 0  # of those, what is computed of the moments to find out where to look


# ---- which moments, of `count`, a method that picks looks at; a shorter video gives all of its mom


def uniform(count: int, moments: int) -> list[int]:
    """The middles of `moments` spans of equal length."""
    size = min(count, moments)
    return [(2 * i + 1) * count // (2 * size) for i in range(size)]


def front(count: int, moments: int) -> list[int]:
    """The first."""
    return list(range(min(count, moments)))


def center(count: int, moments: int) -> list[int]:
    """Those around the middle."""
    size = min(count, moments)
    return list(range((count - size) // 2, (count - size) // 2 + size))


def end(count: int, moments: int) -> list[int]:
    """The last."""
    return list(range(count - min(count, moments), count))


PICKS: Mapping[str, Callable[[int, int], list[int]]] = {
    "uniform": uniform,
    "front": front,
    "center": center,
    "end": end,
}


def random_draws(count: int, moments: int, draws: int, video: str, seed: int) -> list[list[int]]:
    """Several random choices without repeats.

    A video's choices do not depend on which other videos there are.
    """
    generator = np.random.default_rng([seed, zlib.crc32(video.encode("utf-8", "surrogatepass"))])
    return [sorted(generator.permutation(count)[:moments].tolist()) for _ in range(draws)]


def most_confident(probabilities: Float[np.ndarray, "moments classes"], moments: int) -> list[int]:
    """SCSampler with the image-audio classifier.

    The moments with the largest probability of any class; of equals the first.
    """
    return sorted(np.argsort(-probabilities.max(1), kind="stable")[:moments].tolist())


# ---- the methods ---------------------------------------------------------------------------------


def class_probabilities(
    scores: Float[np.ndarray, "rows classes"],
) -> Float[np.ndarray, "rows classes"]:
    """Softmax of each row, in float64."""
    return torch.from_numpy(scores).double().softmax(1).numpy()


def features_of(read: VideoFeatures, factor: int = 1) -> dict[str, Tensor]:
    """A video's features as a batch of one.

    With a factor above 1, read of one moment in so many and interpolated between.
    """
    bank = {m: read_sparsely(torch.from_numpy(x), factor) for m, x in read.features.items()}
    return {m: x[None] for m, x in bank.items()}


def skim(fitted: TrainedSkimmer, read: VideoFeatures, factor: int = 1) -> SkimmerOutput:
    """Everything the skimmer says of one video.

    Scores, moments selected, weights (a batch of one).
    """
    assert isinstance(fitted.network, Skimmer)
    with torch.inference_mode():
        return fitted.network(
            features_of(read, factor), torch.ones(1, len(read), dtype=torch.bool), fitted.steps
        )


def answers(
    video: str,
    read: VideoFeatures,
    fitted: Mapping[Model, TrainedSkimmer],
    prices: Prices,
    config: EvaluationConfig,
    seed: int,
) -> dict[str, Answer]:
    """What every method says of one video, by name, in the order of Table 1.

    Args:
        video: its id, from which the random choice is drawn.
        read: its features.
        fitted: the networks on the CPU, all three.
        prices: of the student that made the features, and of `fitted`.
        config: moments looked at, factor, draws.
        seed: of the random choice.
    """
    count = len(read)
    by_moment = class_probabilities(read.scores)
    pair = prices.features_macs + prices.scores_macs
    draws = random_draws(count, config.moments, config.random_draws, video, seed)
    found = {
        "random": Answer(
            np.stack([by_moment[d].mean(0) for d in draws]), len(draws[0]), len(draws[0]) * pair
        ),
        "scsampler": Answer(
            _mean(by_moment, most_confident(by_moment, config.moments)),
            count,
            count * pair,
            count * pair,
        ),
        "dense": Answer(_mean(by_moment, list(range(count))), count, count * pair),
    }
    for method, pick in PICKS.items():
        picked = pick(count, config.moments)
        found[method] = Answer(_mean(by_moment, picked), len(picked), len(picked) * pair)
    for method, model, factor in (
        ("lstm", "lstm", 1),
        ("non_recurrent", "non_recurrent", 1),
        ("ours_sparse", "skimmer", config.sparse_factor),
        ("ours_dense", "skimmer", 1),
    ):
        found[method] = _network_answer(model, factor, read, fitted, prices)  # type: ignore[arg-type]
    return {method: found[method] for method in METHODS}


def _mean(
    by_moment: Float[np.ndarray, "moments classes"], picked: list[int]
) -> Float[np.ndarray, "1 classes"]:
    return by_moment[picked].mean(0, keepdims=True)


def _network_answer(
    model: Model,
    factor: int,
    read: VideoFeatures,
    fitted: Mapping[Model, TrainedSkimmer],
    prices: Prices,
) -> Answer:
    with torch.inference_mode():
        scores = fitted[model].scores(
            features_of(read, factor),  # type: ignore[arg-type]
            torch.ones(1, len(read), dtype=torch.bool),
        )
    moments = len(moments_read(len(read), factor))
    features_macs = moments * prices.features_macs
    return Answer(
        class_probabilities(scores.numpy()),
        moments,
        features_macs + prices.network_macs(model, len(read)),
        features_macs if model == "skimmer" else 0,
    )
