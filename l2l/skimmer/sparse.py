"""Sparse indexing: the features of one moment in `factor` are computed, and those of the moments
between are interpolated (paper, section 3.3).

Interpolation is linear in time. A moment that was read keeps its own feature; moments after the
last one that was read have the feature of that one.
"""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from l2l.skimmer.padding import at_least_float32


def moments_read(count: int, factor: int) -> list[int]:
    """The moments whose features sparse indexing computes: 0, factor, 2 factor, ..."""
    return list(range(0, count, factor))


def span_middles(count: int, factor: int) -> list[int]:
    """The middle moment of each span of `factor` moments; the last span may be shorter.

    As many moments as `moments_read` has. One look reads these.
    """
    return [start + min(factor, count - start) // 2 for start in range(0, count, factor)]


def coarse_to_fine(count: int, moments: int) -> list[int]:
    """`moments` moments from the first to the last at equal distances, or all of a shorter video,
    in a fixed order: the one in the middle, the first, the last, then again and again the middle of
    the widest gap. Early exit reads in this order.

    Among gaps of equal width the one nearest to the middle is first; a middle between two moments
    is the even one, but the first is the later one. That is FrameExit's published order of ten,
    5, 0, 9, 2, 7, 4, 6, 3, 8, 1. Its Algorithm 1 has the same levels (middle, ends, middles of the
    halves, of the quarters, ...), each from first to last.
    """
    size = min(count, moments)
    spread = [min(i * count // max(1, size - 1), count - 1) for i in range(size)]
    middle = size // 2
    order = dict.fromkeys([middle, 0, size - 1])
    while len(order) < size:
        gaps = [gap for gap in pairwise(sorted(order)) if gap[1] - gap[0] > 1]
        middles = {round((start + end) / 2): end - start for start, end in gaps}
        order[min(middles, key=lambda k: (-middles[k], abs(k - middle)))] = None
    return [spread[i] for i in order]


def interpolate(
    read: Float[Tensor, "read channel"], factor: int, count: int
) -> Float[Tensor, "moments channel"]:
    """The features of all `count` moments, from those of `moments_read(count, factor)`.

    A moment without sound has the audio feature zero and is treated like any other, so an audio
    feature fades towards it.

    Raises:
        ValueError: if `read` does not have one row for each moment that is read.
    """
    if len(read) != len(moments_read(count, factor)):
        raise ValueError(
            f"{len(read)} moments read of {count}, expected every {factor}-th: "
            f"{len(moments_read(count, factor))}"
        )
    moment = torch.arange(count, device=read.device)
    before = moment // factor
    after = (before + 1).clamp(max=len(read) - 1)
    weight_after = (moment % factor).to(read.dtype)[:, None] / factor
    return torch.lerp(read[before], read[after], weight_after)


def read_sparsely(
    features: Float[Tensor, "moments channel"], factor: int
) -> Float[Tensor, "moments channel"]:
    """The features when only one moment in `factor` is read and the others are interpolated, as
    float32; at factor 1 they are returned as they are.
    """
    if factor == 1:
        return features
    return interpolate(features[::factor].to(at_least_float32(features)), factor, len(features))
