"""Where the skimmer looked and listened in a video: what the page shows of one test video."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from l2l.evaluation.videos.artifact import Attention
from l2l.evaluation.videos.methods import method_labels
from l2l.manifest.artifact import Video
from l2l.moments import MOMENT_SECONDS, SAMPLE_RATE_HZ, start_sample, start_seconds
from l2l.report.attention import OpenStores
from l2l.report.charts import binned, heat_paths, moments_per_column
from l2l.report.figures import picture_address
from l2l.report.sound import sound_address, spectrogram_address

NOUNS = {"image": "pictures", "audio": "sound", "fused": "moments"}
_SOUND_SECONDS = 4  # of the piece that can be played, from one second before the moment

Row = Mapping[str, str]


class Pick(NamedTuple):
    """The moment that one modality weighs most in one step."""

    modality: str
    step: int
    moment: int
    weight: float
    modality_weight: float


def picks_of(rows: Sequence[Row]) -> dict[str, list[Pick]]:
    """The picks of each video, from selections.tsv."""
    picks: dict[str, list[Pick]] = {}
    for row in rows:
        picks.setdefault(row["video"], []).append(
            Pick(
                row["modality"],
                int(row["step"]),
                int(row["moment"]),
                float(row["weight"]),
                float(row["modality_weight"]),
            )
        )
    return picks


def look(
    video: Video,
    answer: Row,
    picks: Sequence[Pick],
    stores: OpenStores,
    pictures: int,
    picked: Sequence[Row] = (),
) -> dict[str, object]:
    """What the page shows of one video.

    Args:
        video: the video.
        answer: its row of predictions.tsv, of ours (dense).
        picks: the moments that are weighed most.
        stores: with the video.
        pictures: per film strip: the moments of the first steps.
        picked: its rows of picks.tsv: what other methods pick.
    """
    shard = stores.media[video.video]
    count = shard.moments(video.video)
    strips: list[dict[str, object]] = []
    for modality in dict.fromkeys(pick.modality for pick in picks):
        first = [pick for pick in picks if pick.modality == modality]
        first = sorted(sorted(first, key=lambda pick: pick.step)[:pictures], key=_time)
        noun = NOUNS.get(modality, modality)
        strips.append(
            {
                "name": f"{noun} weighed most",
                "pictures": [
                    _picture(video, stores, pick.moment)
                    | {"note": f"step {pick.step}: {pick.weight:.2f}"}
                    for pick in first
                ],
            }
        )
    strips += _strips_of_methods(video, picked, stores, pictures)
    uniform = sorted({(2 * i + 1) * count // (2 * pictures) for i in range(pictures)})
    of_uniform = [_picture(video, stores, moment) for moment in uniform]
    strips.append({"name": "uniform", "pictures": of_uniform})
    return {
        "video": video.video,
        "label": ", ".join(video.labels),
        "predicted": answer["predicted"],
        "probability": f"{float(answer['probability']):.2f}",
        "right": answer["predicted"] in video.labels,
        "strips": strips,
        "timeline": _timeline(video, stores.attention(video.video), picks, count),
        "sound": _sound(shard.waveform(video.video), picks),
    }


def _strips_of_methods(
    video: Video, picked: Sequence[Row], stores: OpenStores, pictures: int
) -> list[dict[str, object]]:
    """A film strip of each method: the moments of the largest weights, or the first where the
    method gives none.
    """
    labels = method_labels()
    strips: list[dict[str, object]] = []
    for method in dict.fromkeys(row["method"] for row in picked):
        rows = [row for row in picked if row["method"] == method]
        most = sorted(rows, key=lambda row: -float(row["weight"] or 0))[:pictures]
        strips.append(
            {
                "name": labels.get(method, method),
                "pictures": [
                    _picture(video, stores, int(row["moment"]))
                    | ({"note": f"weight {float(row['weight']):.2f}"} if row["weight"] else {})
                    for row in sorted(most, key=lambda row: int(row["moment"]))
                ],
            }
        )
    return strips


def _time(pick: Pick) -> tuple[int, int]:
    return pick.moment, pick.step


def _picture(video: Video, stores: OpenStores, moment: int) -> dict[str, object]:
    seconds = float(start_seconds(moment))
    inside = any(s.start_seconds <= seconds + 0.5 < s.end_seconds for s in video.segments or ())
    mel = None
    if video.video in stores.mels:
        reader = stores.mels[video.video]
        mels = reader.mels(video.video)  # one scale of colours per video
        mel = spectrogram_address(mels[moment], float(mels.min()), float(mels.max()))
    return {
        "address": picture_address(stores.media[video.video].frame(video.video, moment)),
        "mel": mel,
        "seconds": f"{seconds:.1f}",
        "inside": inside,
    }


def _timeline(
    video: Video, attention: Attention | None, picks: Sequence[Pick], count: int
) -> dict[str, object] | None:
    """The attention as heat maps, one per modality: one row per step, one column per moment."""
    if attention is None or not len(attention.weights):
        return None
    size = moments_per_column(count)
    blocks = []
    for i, modality in enumerate(attention.modalities):
        weights = binned(attention.weights[:, i], size)
        blocks.append(
            {
                "name": NOUNS.get(modality, modality),
                "rows": len(weights),
                "paths": heat_paths(np.sqrt(weights)),
                "picks": [
                    {
                        "x": pick.moment // size,
                        "y": pick.step - 1,
                        "title": f"step {pick.step}, {_seconds(pick.moment)}: weight "
                        f"{pick.weight:.2f}, the largest; {pick.modality_weight:.2f} of the step",
                    }
                    for pick in sorted(picks, key=_time)
                    if pick.modality == modality
                ],
                "columns": [
                    f"{_seconds(x * size, size)}: at most {weights[:, x].max():.2f}, in step "
                    f"{weights[:, x].argmax() + 1}"
                    for x in range(weights.shape[1])
                ],
            }
        )
    return {
        "columns": -(-count // size),
        "seconds": f"{float(start_seconds(count)):.0f}",
        "half": f"{float(start_seconds(count)) / 2:.0f}",
        "segments": [
            {
                "x": f"{segment.start_seconds / float(MOMENT_SECONDS) / size:.2f}",
                "width": f"{_length(segment.start_seconds, segment.end_seconds) / size:.2f}",
                "title": f"{segment.label}: {segment.start_seconds:.1f} to "
                f"{segment.end_seconds:.1f} s",
            }
            for segment in video.segments or ()
        ],
        "blocks": blocks,
    }


def _length(start: float, end: float) -> float:
    return (end - start) / float(MOMENT_SECONDS)


def _seconds(moment: int, moments: int = 1) -> str:
    start, end = (float(start_seconds(each)) for each in (moment, moment + moments))
    return f"{start:.1f} to {end:.1f} s"


def _sound(waveform: np.ndarray, picks: Sequence[Pick]) -> dict[str, str] | None:
    """The sound around the moment that is weighed most, to be played; None without sound."""
    if not len(waveform) or not picks:
        return None
    heard = [pick for pick in picks if pick.modality == "audio"] or picks
    most = max(heard, key=lambda pick: pick.weight * pick.modality_weight)
    start = max(0, start_sample(most.moment) - SAMPLE_RATE_HZ)
    piece = waveform[start : start + _SOUND_SECONDS * SAMPLE_RATE_HZ]
    if not len(piece):
        return None
    first = start / SAMPLE_RATE_HZ
    return {
        "address": sound_address(piece),
        "span": f"{first:.1f} to {first + len(piece) / SAMPLE_RATE_HZ:.1f} s",
    }
