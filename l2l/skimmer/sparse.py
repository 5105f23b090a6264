"""Sparse indexing: features of one moment in `factor` are computed, the others lie between them
(paper, section 3.3).

Interpolation is on the true time axis: a moment that was read keeps its own feature, and moments
    after the last one read have that one's.
"""

import torch
from jaxtyping import Float
from torch import Tensor


def moments_read(count: int, factor: int) -> list[int]:
    """The moments whose features sparse indexing computes: 0, factor, 2 factor, ...

    Below `count`.
    """
    return list(range(0, count, factor))


def interpolate(
    read: Float[Tensor, "read channel"], factor: int, count: int
) -> Float[Tensor, "moments channel"]:
    """The features of all `count` moments from those of `moments_read(count, factor)`, linear
    between neighbours.

    A moment without sound has the audio feature zero like any other; so beside it an audio feature
    fades.

    Raises:
        ValueError: if `read` has not one row for each moment that is read.
    """
    if len(read) != len(moments_read(count, factor)):
        raise ValueError(
            f"{len(read)} moments read of {count}, expected every {factor}-th: "
            f"{len(moments_read(count, factor))}"
        )
    moment = torch.arange(count, device=read.device)
    before = moment // factor
    after = (before + 1).clamp(max=len(read) - 1)
    share = (moment % factor).to(read.dtype)[:, None] / factor  # of the later neighbour
    return torch.lerp(read[before], read[after], share)


def read_sparsely(
    features: Float[Tensor, "moments channel"], factor: int
) -> Float[Tensor, "moments channel"]:
    """Features as they are when only one moment in `factor` is read.

    The others are interpolated.
    """
    count = len(features)
    return (
        features
        if factor == 1
        else interpolate(features[moments_read(count, factor)], factor, count)
    )
