"""Videos of several lengths in one batch."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

Name = TypeVar("Name", bound=str)


def pad_videos(
    videos: Sequence[Mapping[Name, Float[Tensor, "_moments _channel"]]],
) -> tuple[dict[Name, Float[Tensor, "videos moments _channel"]], Bool[Tensor, "videos moments"]]:
    """Pad videos with zeros at their ends to one length.

    Returns:
        The padded features by name, and which moments are present (not padding).
    """
    lengths = torch.tensor([len(next(iter(features.values()))) for features in videos])
    padded = {
        name: pad_sequence([features[name] for features in videos], batch_first=True)
        for name in videos[0]
    }
    return padded, torch.arange(int(lengths.max())) < lengths[:, None]
