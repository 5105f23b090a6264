"""Which clips of a video are recognised: plain numbers in, places of clips out.

A saliency is one number per clip, larger where a clip is worth more; -inf where a sampler has
nothing to say, as of sound that is not there. Among equals the earlier clip comes first. A video
with fewer clips than asked for gives all of them, once. Clips are returned in the order of time.
"""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

Saliency = Float[np.ndarray, " clips"]


def ranked(saliency: Saliency) -> list[int]:
    """All clips that the sampler has something to say of, the most salient first."""
    order = np.argsort(-saliency, kind="stable").tolist()
    return [clip for clip in order if saliency[clip] > -math.inf]


def spread(clips: Sequence[int], count: int) -> list[int]:
    """`count` of the clips, evenly: the middles of as many spans of equal length."""
    size = min(count, len(clips))
    return [clips[(2 * i + 1) * len(clips) // (2 * size)] for i in range(size)]


def best(saliency: Saliency, clips: int) -> list[int]:
    """The `clips` most salient. Where the sampler has something to say of fewer, the rest are
    spread evenly over the others.
    """
    chosen = ranked(saliency)[:clips]
    others = [clip for clip in range(len(saliency)) if clip not in chosen]
    return sorted([*chosen, *spread(others, clips - len(chosen))])


def union_list(visual: Saliency, audio: Saliency, clips: int, seen: int) -> list[int]:
    """AV-union-list: the `seen` (K') best by the visual sampler, then the best others by the audio
    sampler; where that has too few, the next by the visual sampler.
    """
    by_eye = ranked(visual)
    chosen = by_eye[:seen]
    for clip in (*ranked(audio), *by_eye):
        if len(chosen) >= min(clips, len(visual)):
            break
        if clip not in chosen:
            chosen.append(clip)
    return sorted(chosen)


def convex_score(visual: Saliency, audio: Saliency, clips: int, weight: float) -> list[int]:
    """AV-convex-score: the best by `weight` x visual + (1 - `weight`) x audio saliency, which is 0
    where there is no sound.
    """
    heard = np.where(np.isneginf(audio), 0, audio)
    return best(weight * visual + (1 - weight) * heard, clips)


def convex_list(visual: Saliency, audio: Saliency, clips: int, weight: float) -> list[int]:
    """AV-convex-list: the same for places in both rankings instead of saliencies; clips without
    sound share the last place.
    """
    return best(-(weight * _places(visual) + (1 - weight) * _places(audio)), clips)


def intersection_list(visual: Saliency, audio: Saliency, clips: int) -> list[int]:
    """AV-intersect-list: the clips that both have among their m best, for the smallest m for which
    they are `clips`; of one too many, the visual sampler leaves out its last.
    """
    # a clip is among both m best as soon as m is the larger of its two places
    worse = np.maximum(_places(visual), _places(audio))
    order = sorted(range(len(visual)), key=lambda clip: (worse[clip], _places(visual)[clip], clip))
    return sorted(order[:clips])


def _places(saliency: Saliency) -> Float[np.ndarray, " clips"]:
    """The place of each clip in the ranking, from 0; those without saliency share the last."""
    places = np.full(len(saliency), len(saliency) - 1.0)
    order = ranked(saliency)
    places[order] = np.arange(len(order))
    return places


def histogram_of_oracle(
    truths: Sequence[Float[np.ndarray, " clips"]], clips: int, bins: int
) -> Float[np.ndarray, " bins"]:
    """Where in their videos the oracle's clips lie: the share of each of `bins` spans of equal
    length, over training videos.

    Args:
        truths: the recogniser's probability of the true class on each clip, one array per video.
        clips: chosen of each video.
        bins: spans.
    """
    counts = np.zeros(bins)
    for truth in truths:
        for clip in best(truth, clips):
            counts[bins * clip // len(truth)] += 1
    return counts / max(1.0, counts.sum())


def empirical(
    shares: Float[np.ndarray, " bins"], count: int, clips: int, generator: np.random.Generator
) -> list[int]:
    """Clips drawn without repeats, each with the share of its span of the video.

    A clip of an empty span is drawn where the others are too few.
    """
    of_clip = shares[len(shares) * np.arange(count) // count]
    # exponential races: the smallest of E / share are a draw without repeats
    arrival = generator.exponential(size=count) / np.maximum(of_clip, 1e-12)
    return sorted(np.argsort(arrival, kind="stable")[:clips].tolist())
