"""What reading fewer moments and stopping early costs in accuracy (paper, Figs. 6 and 11)."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int

from l2l.evaluation.cost import CostModel
from l2l.evaluation.inputs import video_batch
from l2l.evaluation.measures.metrics import mean_average_precision, top1
from l2l.evaluation.measures.probabilities import check_finite, class_probabilities
from l2l.features.artifact import Features
from l2l.progress import counted
from l2l.skimmer.artifact import TrainedSkimmer, named_features
from l2l.skimmer.network import Skimmer
from l2l.skimmer.padding import pad_videos
from l2l.skimmer.sparse import moments_read, read_sparsely

FACTORS = range(1, 21)
_BATCH_VIDEOS = 32  # changes no score
# Bound on the scores in memory: as many factors at a time as fit, at least one. For a million
# videos the features are read once per factor.
_SCORES_BYTES = 1 << 30


def scores_at_stops(
    trained: TrainedSkimmer, features: Features, videos: Sequence[str], factors: Sequence[int]
) -> Float[np.ndarray, "factors steps videos classes"]:
    """The skimmer's class scores (logits) for each factor, and for stopping after each step.

    Args:
        trained: the skimmer.
        features: of the videos.
        videos: ids.
        factors: features are read of one moment in so many and interpolated between.
    """
    network = trained.network
    assert isinstance(network, Skimmer)
    scores = np.empty(
        (len(factors), trained.steps, len(videos), len(trained.class_names)), np.float32
    )
    batches = range(0, len(videos), _BATCH_VIDEOS)
    for first in counted(batches, len(batches), "batches of videos"):
        batch = videos[first : first + _BATCH_VIDEOS]
        stored = [
            named_features(video, features.load(video), trained.feature_names, {})
            for video in batch
        ]
        for i, factor in enumerate(factors):
            padded, present = pad_videos(
                [{m: read_sparsely(x, factor) for m, x in video.items()} for video in stored]
            )
            with torch.inference_mode():
                stops = network.stops(network(padded, present, trained.steps))
            scores[i, :, first : first + len(batch)] = stops.transpose(0, 1).numpy()
    check_finite(scores, "class scores of the skimmer at a factor and step")
    return scores


def tradeoff_rows(
    trained: TrainedSkimmer,
    features: Features,
    videos: Sequence[str],
    labels: Int[np.ndarray, " videos"],
    costs: CostModel,
    factors: Sequence[int] = FACTORS,
) -> list[dict[str, str]]:
    """One row per factor and number of steps.

    Table 1 has the same figures where it has the same factor and steps.

    Args:
        trained: the skimmer.
        features: of the videos.
        videos: usable test videos.
        labels: the first label of each.
        costs: what each step costs.
        factors: features are read of one moment in so many.
    """
    counts = [features.moments(video) for video in videos]
    factor_bytes = 4 * trained.steps * len(videos) * len(trained.class_names)
    at_once = max(1, _SCORES_BYTES // factor_bytes)
    moment_macs = costs.moment_macs(trained.feature_names)
    rows = []
    for first in range(0, len(factors), at_once):
        group = factors[first : first + at_once]
        for factor, by_step in zip(
            group, scores_at_stops(trained, features, videos, group), strict=True
        ):
            moments = [len(moments_read(count, factor)) for count in counts]
            for steps, scores in enumerate(by_step, start=1):
                # float64, as in Table 1: in float32 all confident predictions have probability 1.
                probabilities = class_probabilities(scores)
                network_macs = [costs.network_macs(trained, count, steps) for count in counts]
                macs = moment_macs * np.mean(moments) + np.mean(network_macs)
                figures = _figures(probabilities, labels, float(macs), moments)
                rows.append(
                    {"network": "skimmer", "factor": str(factor), "steps": str(steps), **figures}
                )
    return rows


def one_look_rows(
    trained: TrainedSkimmer,
    features: Features,
    videos: Sequence[str],
    labels: Int[np.ndarray, " videos"],
    costs: CostModel,
    factors: Sequence[int] = FACTORS,
) -> list[dict[str, str]]:
    """One row per factor of one look, which has no steps; arguments as of `tradeoff_rows`."""
    counts = [features.moments(video) for video in videos]
    logits = np.empty((len(factors), len(videos), len(trained.class_names)), np.float32)
    for v, video in enumerate(videos):
        stored = features.load(video)
        for i, factor in enumerate(factors):
            read, present = video_batch(trained, video, stored, factor)
            with torch.inference_mode():
                logits[i, v] = trained.scores(read, present)[0].numpy()
    check_finite(logits, "class scores of one look at a factor")
    rows = []
    for factor, scores in zip(factors, logits, strict=True):
        of_videos = [costs.network(trained, count, factor) for count in counts]
        macs = float(np.mean([cost.macs for cost in of_videos]))
        moments = [cost.moments for cost in of_videos]
        figures = _figures(class_probabilities(scores), labels, macs, moments)
        rows.append({"network": "one_look", "factor": str(factor), "steps": "", **figures})
    return rows


def _figures(
    probabilities: Float[np.ndarray, "videos classes"],
    labels: Int[np.ndarray, " videos"],
    macs: float,
    moments: Sequence[int],
) -> dict[str, str]:
    """The columns of a row that are measured.

    Args:
        probabilities: of each class.
        labels: the first label of each video.
        macs: multiply-accumulates per video.
        moments: how many are read of each video.
    """
    return {
        "top1": f"{100 * top1(probabilities, labels):.2f}",
        "map": f"{100 * mean_average_precision(probabilities, labels):.2f}",
        "gmacs_per_video": f"{macs / 1e9:.6g}",
        "moments": f"{np.mean(moments):.2f}",
    }
