"""What is lost by reading fewer moments and by stopping early (paper, Figs.

6 and 11): ours at every factor and step.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int

from l2l.evaluation.cost import Prices
from l2l.evaluation.methods import class_probabilities
from l2l.evaluation.metrics import mean_average_precision, top1
from l2l.features.artifact import Features
from l2l.skimmer.artifact import TrainedSkimmer
from l2l.skimmer.network import Skimmer
from l2l.skimmer.padding import pad_videos
from l2l.skimmer.sparse import moments_read, read_sparsely

FACTORS = range(1, 21)
_BATCH_VIDEOS = 32  # changes no score
# Of scores: as many factors at once as fit, at least one; a million videos are read
# once per factor.
_KEPT_BYTES = 1 << 30


def scores_at_stops(
    fitted: TrainedSkimmer, bank: Features, videos: Sequence[str], factors: Sequence[int]
) -> Float[np.ndarray, "factors steps videos classes"]:
    """The skimmer's class scores (logits) of each video, reading one moment in each of `factors`
    and stopping after each step.
    """
    network = fitted.network
    assert isinstance(network, Skimmer)
    said = np.empty((len(factors), fitted.steps, len(videos), len(fitted.class_names)), np.float32)
    for first in range(0, len(videos), _BATCH_VIDEOS):
        batch = videos[first : first + _BATCH_VIDEOS]
        read = [
            {m: torch.from_numpy(x) for m, x in bank.load(video).features.items()}
            for video in batch
        ]
        for i, factor in enumerate(factors):
            features, present = pad_videos(
                [{m: read_sparsely(x, factor) for m, x in video.items()} for video in read]
            )
            with torch.inference_mode():
                stops = network.stops(network(features, present, fitted.steps))
            said[i, :, first : first + len(batch)] = stops.transpose(0, 1).numpy()
    return said


def tradeoff_rows(
    fitted: TrainedSkimmer,
    bank: Features,
    videos: Sequence[str],
    labels: Int[np.ndarray, " videos"],
    prices: Prices,
    factors: Sequence[int] = FACTORS,
) -> list[dict[str, str]]:
    """A row for each factor and number of steps; the figures are those of Table 1 where that has
    the same factor and steps.

    Args:
        fitted: the skimmer.
        bank: features of the videos.
        videos: usable test videos.
        labels: the first label of each.
        prices: of the student that made the features, and of the skimmer.
        factors: one moment in so many is read.
    """
    counts = [bank.moments(video) for video in videos]
    at_once = max(1, _KEPT_BYTES // (4 * fitted.steps * len(videos) * len(fitted.class_names)))
    groups = [factors[first : first + at_once] for first in range(0, len(factors), at_once)]
    scored = (
        pair
        for group in groups
        for pair in zip(group, scores_at_stops(fitted, bank, videos, group), strict=True)
    )
    rows = []
    for factor, by_step in scored:
        moments = [len(moments_read(count, factor)) for count in counts]
        for steps, scores in enumerate(by_step, start=1):
            probabilities = class_probabilities(
                scores
            )  # float64, as in Table 1: in float32 all sure answers are equal
            skimming_macs = [prices.network_macs("skimmer", count, steps) for count in counts]
            macs = prices.features_macs * np.mean(moments) + np.mean(skimming_macs)
            row = {
                "factor": str(factor),
                "steps": str(steps),
                "top1": f"{100 * top1(probabilities, labels):.2f}",
                "map": f"{100 * mean_average_precision(probabilities, labels):.2f}",
                "gmacs_per_video": f"{macs / 1e9:.6g}",
                "moments": f"{np.mean(moments):.2f}",
            }
            rows.append(row)
    return rows
