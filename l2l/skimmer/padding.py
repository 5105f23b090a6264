"""Videos of several lengths in one batch."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

Name = TypeVar("Name", bound=str)


def at_least_float32(values: Tensor) -> torch.dtype:
    """The type in which stored numbers enter a network."""
    return torch.promote_types(values.dtype, torch.float32)


def pad_videos(
    videos: Sequence[Mapping[Name, Float[Tensor, "_moments _channel"]]],
) -> tuple[dict[Name, Float[Tensor, "videos moments _channel"]], Bool[Tensor, "videos moments"]]:
    """Pad videos with zeros at their ends to one length.

    Each number is written once: what is stored as float16 becomes float32 on its way.

    Returns:
        The padded features by name, and which moments are present (not padding).
    """
    lengths = [len(next(iter(features.values()))) for features in videos]
    longest = max(lengths)
    padded = {
        name: torch.empty(len(videos), longest, first.shape[1], dtype=at_least_float32(first))
        for name, first in videos[0].items()
    }
    for name, rows in padded.items():
        for row, features, length in zip(rows, videos, lengths, strict=True):
            row[:length] = features[name]
            row[length:] = 0
    return padded, torch.arange(longest) < torch.tensor(lengths)[:, None]
