"""From the recognised videos to rows of scsampler.tsv."""

from collections.abc import Sequence
from statistics import fmean
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from l2l.config import SamplerConfig
from l2l.evaluation.cost import VideoCost
from l2l.evaluation.measures.truth import Truth
from l2l.evaluation.videos.predictions import MethodPrediction
from l2l.evaluation.videos.tables import table1_row
from l2l.sampler.rows import POSTER, Row, quote

METRICS = ("top1", "top1_low", "top1_high", "map", "map_low", "map_high", "top1_all", "videos")


class Recognised(NamedTuple):
    """What a row predicts for one video, and what that costs.

    Attributes:
        probabilities: of each class, one row per draw of a random choice.
        clips: those of the first draw.
        sampler_macs: multiply-accumulates of choosing.
        recogniser_macs: of the recogniser.
        pictures_decoded: pictures of the video that it needs.
        pictures_coded: of these, pictures that are coded again to find how they move.
        sound_seconds: sound that it hears.
    """

    probabilities: Float[np.ndarray, "draws classes"]
    clips: list[int]
    sampler_macs: int
    recogniser_macs: int
    pictures_decoded: int
    pictures_coded: int
    sound_seconds: float


def scsampler_row(
    row: Row,
    recognised: Sequence[Recognised],
    truth: Truth,
    counts: Int[np.ndarray, "resamples videos"],
    config: SamplerConfig,
    network: str,
) -> dict[str, str]:
    """A row of scsampler.tsv: metrics and mean costs over the usable test videos; the poster's own
    figures, of the recogniser that `teacher.network` names.
    """
    predictions = [
        MethodPrediction(each.probabilities, VideoCost(each.sampler_macs, 0, len(each.clips)))
        for each in recognised
    ]
    pictures = [float(each.pictures_decoded) for each in recognised]
    metrics = table1_row(row.name, predictions, truth, counts, pictures)
    samplers = [each for each in (row.visual, row.audio) if each is not None]
    sampler, recogniser = (
        fmean([getattr(each, name) for each in recognised]) / 1e9
        for name in ("sampler_macs", "recogniser_macs")
    )
    quoted = quote(row, network)
    return {
        "table": row.table,
        "row": row.name,
        "inputs": " ".join(kind for each in samplers for kind in each.inputs),
        "network": " ".join(dict.fromkeys(each.network for each in samplers)),
        "objective": " ".join(dict.fromkeys(each.objective for each in samplers)),
        "choice": row.choice,
        **{name: metrics[name] for name in METRICS},
        "clips": f"{fmean([len(each.clips) for each in recognised]):.2f}",
        "seen": str(config.seen) if row.choice == "union" else "",
        "gmacs_per_video": f"{sampler + recogniser:.6g}",
        "sampler_gmacs_per_video": f"{sampler:.6g}",
        "recogniser_gmacs_per_video": f"{recogniser:.6g}",
        "pictures_decoded": f"{fmean([each.pictures_decoded for each in recognised]):.1f}",
        "pictures_coded": f"{fmean([each.pictures_coded for each in recognised]):.1f}",
        "sound_seconds": f"{fmean([each.sound_seconds for each in recognised]):.1f}",
        "quoted_top1": "" if quoted.top1 is None else f"{quoted.top1:.2f}",
        "quoted_runtime": quoted.runtime,
        "quoted_source": "" if quoted.top1 is None else f"{POSTER}, {quoted.dataset}",
    }


def clip_rows(
    video: str, label: str, classes: Sequence[str], row: Row, recognised: Recognised
) -> dict[str, str]:
    """A row of scsampler_clips.tsv: the clips that are chosen, and the most probable class."""
    best = int(recognised.probabilities[0].argmax())
    return {
        "video": video,
        "label": label,
        "row": row.name,
        "predicted": classes[best],
        "probability": f"{recognised.probabilities[0, best]:.6f}",
        "clips": " ".join(map(str, recognised.clips)),
    }
