"""From the methods' predictions for the test videos to rows of tables.

Accuracies are in percent, costs in 10^9 multiply-accumulates.
"""

from collections.abc import Mapping, Sequence
from statistics import fmean

import numpy as np
from jaxtyping import Float, Int

from l2l.evaluation.measures.intervals import (
    interval,
    resampled_mean_average_precisions,
    resampled_shares,
)
from l2l.evaluation.measures.metrics import (
    average_precision,
    interpolated_mean_average_precision,
    mean_average_precision,
    top1,
    top_k,
)
from l2l.evaluation.measures.selection import key_frame_rate, scene_hit_rate
from l2l.evaluation.measures.truth import Truth
from l2l.evaluation.videos.predictions import MethodPrediction
from l2l.manifest.artifact import Video
from l2l.skimmer.artifact import TrainedSkimmer
from l2l.skimmer.network import SkimmerOutput

Draws = Float[np.ndarray, "draws videos classes"]


def draws_of(predictions: Sequence[MethodPrediction]) -> Draws:
    """A method's class probabilities for all videos; several draws for a random method."""
    return np.stack([prediction.probabilities for prediction in predictions], 1)


def table1_row(
    method: str,
    predictions: Sequence[MethodPrediction],
    truth: Truth,
    counts: Int[np.ndarray, "resamples videos"],
    pictures: Sequence[float],
) -> dict[str, str]:
    """A method's row of Table 1.

    For a random method it has the mean of the draws' metrics, not the metric of their mean.

    Args:
        method: its name.
        predictions: for each usable test video.
        truth: what the videos show.
        counts: how many times each video is in each resample of the bootstrap.
        pictures: how many pictures of each video are decoded for the method; empty: not known.
    """
    draws, labels = draws_of(predictions), truth.labels
    accuracy = fmean([top1(draw, labels) for draw in draws])
    right = np.mean([draw.argmax(1) == labels for draw in draws], 0)
    low, high = interval(resampled_shares(counts, right, np.ones(len(labels))), accuracy)
    precision = fmean([mean_average_precision(draw, labels) for draw in draws])
    resampled = [resampled_mean_average_precisions(counts, draw, labels) for draw in draws]
    map_low, map_high = interval(np.mean(resampled, 0), precision)
    all_labels = np.append(labels, truth.unusable)
    # An unusable video has probability 0 of every class: it ranks below every predicted video.
    unpredicted = np.zeros((len(truth.unusable), draws.shape[2]))
    shares: dict[str, float] = {
        "top1": accuracy,
        "map": precision,
        "top5": fmean([top_k(draw, labels, 5) for draw in draws]),
        "map_interpolated": fmean(
            [interpolated_mean_average_precision(draw, truth.shown) for draw in draws]
        ),
        "top1_low": low,
        "top1_high": high,
        "map_low": map_low,
        "map_high": map_high,
        "top1_all": accuracy * len(labels) / len(all_labels),
        "map_all": fmean(
            [mean_average_precision(np.vstack([draw, unpredicted]), all_labels) for draw in draws]
        ),
    }
    costs = [prediction.cost for prediction in predictions]
    return {
        "method": method,
        **{name: f"{100 * share:.2f}" for name, share in shares.items()},
        "gmacs_per_video": f"{np.mean([cost.macs for cost in costs]) / 1e9:.6g}",
        "moments": f"{np.mean([cost.moments for cost in costs]):.2f}",
        "pictures_decoded": f"{fmean(pictures):.2f}" if pictures else "",
        "index_gmacs_per_video": f"{np.mean([cost.index_macs for cost in costs]) / 1e9:.6g}",
        "videos": str(len(labels)),
        "videos_all": str(len(all_labels)),
    }


def selection_quality_rows(
    videos: Sequence[Video],
    counts: Sequence[int],
    predictions: Mapping[str, Sequence[MethodPrediction]],
) -> list[dict[str, str]]:
    """One row per method that picks moments: how its picks lie in the labelled segments.

    Means over the videos with segments, and over a random method's draws.

    Args:
        videos: the usable test videos.
        counts: number of moments of each.
        predictions: of each method for each video.
    """
    labelled = [
        (i, [(segment.start_seconds, segment.end_seconds) for segment in video.segments])
        for i, video in enumerate(videos)
        if video.segments
    ]
    rows = []
    for method, by_video in predictions.items():
        picked = [
            (i, spans, picks) for i, spans in labelled for picks in by_video[i].picks if picks
        ]
        if picked:
            key = fmean(key_frame_rate(picks, spans, counts[i]) for i, spans, picks in picked)
            hit = fmean(scene_hit_rate(picks, spans, counts[i]) for i, spans, picks in picked)
            rows.append(
                {
                    "method": method,
                    "key_frame_rate": f"{100 * key:.2f}",
                    "scene_hit_rate": f"{100 * hit:.2f}",
                    "picks": f"{fmean(len(picks) for *_, picks in picked):.2f}",
                    "videos": str(len({i for i, *_ in picked})),
                }
            )
    return rows


def class_rows(
    ours: Draws, uniform: Draws, labels: Int[np.ndarray, " videos"], classes: Sequence[str]
) -> list[dict[str, str]]:
    """One row per class that has a usable test video, the largest gain of ours over uniform first.

    Gain is in top-1 accuracy; among equal gains the larger gain in average precision comes first.
    """
    names = [f"{who}_{metric}" for metric in ("top1", "ap") for who in ("ours", "uniform", "gain")]
    rows = []
    for c in np.unique(labels):
        of_class = labels == c
        top = [float(np.mean(draws[:, of_class].argmax(2) == c)) for draws in (ours, uniform)]
        ap = [
            float(np.mean([average_precision(draw[:, c], of_class) for draw in draws]))
            for draws in (ours, uniform)
        ]
        values = [f"{100 * x:.2f}" for x in (*top, top[0] - top[1], *ap, ap[0] - ap[1])]
        rows.append(
            {
                "class": classes[c],
                "videos": str(of_class.sum()),
                **dict(zip(names, values, strict=True)),
            }
        )
    return sorted(
        rows, key=lambda row: (-float(row["gain_top1"]), -float(row["gain_ap"]), row["class"])
    )


def prediction_rows(
    videos: Sequence[Video],
    predictions: Mapping[str, Sequence[MethodPrediction]],
    classes: Sequence[str],
) -> list[dict[str, str]]:
    """The most probable class of each video by each method."""
    rows = []
    for i, video in enumerate(videos):
        for method, by_video in predictions.items():
            probabilities = by_video[i].probabilities[0]
            best = int(probabilities.argmax())
            rows.append(
                {
                    "video": video.video,
                    "label": video.label,
                    "method": method,
                    "predicted": classes[best],
                    "probability": f"{probabilities[best]:.6f}",
                }
            )
    return rows


def pick_rows(
    videos: Sequence[Video], predictions: Mapping[str, Sequence[MethodPrediction]]
) -> list[dict[str, object]]:
    """The picked moments of each video by each method that picks some, in order of time."""
    rows: list[dict[str, object]] = []
    for i, video in enumerate(videos):
        for method, by_video in predictions.items():
            prediction = by_video[i]
            for k, moment in enumerate(prediction.picks[0] if prediction.picks else ()):
                weight = f"{prediction.weights[k]:.6f}" if prediction.weights else ""
                rows.append(
                    {"video": video.video, "method": method, "moment": moment, "weight": weight}
                )
    return rows


def selection_rows(
    video: str, trained: TrainedSkimmer, output: SkimmerOutput
) -> list[dict[str, object]]:
    """The selected moment, its attention weight and the modality's weight, by step and modality."""
    return [
        {
            "video": video,
            "moments": output.weights.shape[3],
            "step": step + 1,
            "modality": modality,
            "moment": moment,
            "weight": f"{float(output.weights[0, step, i, moment]):.6f}",
            "modality_weight": f"{float(output.modality_weights[0, step, i]):.6f}",
        }
        for step, selected in enumerate(output.selected[0].tolist())
        for i, (modality, moment) in enumerate(
            zip(trained.network.modalities, selected, strict=True)
        )
    ]
