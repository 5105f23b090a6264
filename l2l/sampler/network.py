"""The networks of a sampler: one per kind of input, each on single pictures.

ResNet-18 and ShuffleNet-26 read displacement, residual or frame, a VGG reads the mel. What a clip
gives is the mean over its pictures; what several networks give is averaged too (late fusion).
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torchvision.models.shufflenetv2 import channel_shuffle

from l2l.config import SHUFFLENET_STEM, SamplerConfig
from l2l.student.network import Trunk

Input = Literal["displacement", "residual", "frame", "audio"]
NetworkName = Literal["resnet18", "shufflenet26", "vgg"]
CHANNELS: Mapping[Input, int] = {"displacement": 2, "residual": 3, "frame": 3, "audio": 1}
GROUPS = 3
SHUFFLE_UNITS = (2, 4, 2)  # 8 units of 3 convolutions, the stem and the classifier: 26 layers


class _ShuffleUnit(nn.Module):
    """ShuffleNet's unit (Zhang et al., CVPR 2018, Fig. 2): grouped 1 x 1, shuffle, 3 x 3 per
    channel, grouped 1 x 1; added to its input or, at stride 2, put next to it.
    """

    def __init__(self, width_in: int, width: int, stride: int, groups_of_first: int) -> None:
        super().__init__()
        between, out = width // 4, width if stride == 1 else width - width_in
        self.stride = stride
        self.first = nn.Sequential(
            nn.Conv2d(width_in, between, 1, groups=groups_of_first, bias=False),
            nn.BatchNorm2d(between),
            nn.ReLU(inplace=True),
        )
        self.rest = nn.Sequential(
            nn.Conv2d(between, between, 3, stride, padding=1, groups=between, bias=False),
            nn.BatchNorm2d(between),
            nn.Conv2d(between, out, 1, groups=GROUPS, bias=False),
            nn.BatchNorm2d(out),
        )

    def forward(
        self, x: Float[Tensor, "pictures channel rows columns"]
    ) -> Float[Tensor, "pictures wide fewer_rows fewer_columns"]:
        y = self.rest(channel_shuffle(self.first(x), GROUPS))
        if self.stride == 1:
            return torch.relu(x + y)
        pooled = nn.functional.avg_pool2d(x, 3, 2, padding=1)
        return torch.relu(torch.cat([pooled, y], 1))


def _shufflenet(channels: int, widths: Sequence[int], stem_stride: int) -> nn.Sequential:
    """ShuffleNet-26 without its classifier: 3 groups, stages of `SHUFFLE_UNITS` units."""
    layers: list[nn.Module] = [
        nn.Conv2d(channels, SHUFFLENET_STEM, 3, stem_stride, padding=1, bias=False),
        nn.BatchNorm2d(SHUFFLENET_STEM),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, 2, padding=1),
    ]
    width_in = SHUFFLENET_STEM
    for width, units in zip(widths, SHUFFLE_UNITS, strict=True):
        for unit in range(units):
            # the first has too few channels for groups
            groups = 1 if width_in == SHUFFLENET_STEM else GROUPS
            layers.append(_ShuffleUnit(width_in, width, 2 if unit == 0 else 1, groups))
            width_in = width
    return nn.Sequential(*layers)


def _vgg(channels: int, widths: Sequence[int], layers: Sequence[int]) -> nn.Sequential:
    """VGG's stages of 3 x 3 convolutions, with batch norm, each halved at its end."""
    modules: list[nn.Module] = []
    width_in = channels
    for width, count in zip(widths, layers, strict=True):
        for _ in range(count):
            modules += [
                nn.Conv2d(width_in, width, 3, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
            ]
            width_in = width
        modules.append(nn.MaxPool2d(2, ceil_mode=True))
    return nn.Sequential(*modules)


def _head(width: int, hidden: int | None, outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    if hidden is not None:
        layers = [nn.Linear(width, hidden), nn.ReLU(inplace=True)]
        width = hidden
    return nn.Sequential(*layers, nn.Linear(width, outputs))


class PictureNetwork(nn.Module):
    """A trunk on single pictures, averaged over space, then linear; averaged over the pictures of
    each clip.

    Batch norm on the input takes the place of fixed means and deviations, as in CoViAR.
    """

    def __init__(self, channels: int, trunk: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.scale = nn.BatchNorm2d(channels)
        self.trunk, self.head = trunk, head

    def forward(
        self,
        pictures: Float[Tensor, "pictures channel rows columns"],
        clip: Int[Tensor, " pictures"],
        clips: int,
    ) -> Float[Tensor, "clips outputs"]:
        """Outputs (logits) of each clip.

        Args:
            pictures: of all clips.
            clip: the clip of each picture, 0 to `clips` - 1; each clip has one or more.
            clips: their number.
        """
        scores = self.head(self.trunk(self.scale(pictures)).mean((2, 3))).float()
        sums = scores.new_zeros(clips, scores.shape[1]).index_add(0, clip, scores)
        counts = torch.bincount(clip, minlength=clips).to(scores.dtype)
        return sums / counts[:, None]


def build_network(
    kind: Input, network: NetworkName, outputs: int, config: SamplerConfig
) -> PictureNetwork:
    """A newly initialised network for one kind of input.

    Args:
        kind: of its input.
        network: which trunk.
        outputs: numbers per clip: one per class, or one logit of saliency.
        config: sizes.

    Raises:
        ValueError: if the VGG is given a picture of motion, or another network the mel.
    """
    channels = CHANNELS[kind]
    if (network == "vgg") != (kind == "audio"):
        raise ValueError(f"{network} does not read {kind}")
    if network == "vgg":
        width = config.audio_widths[-1]
        trunk: nn.Module = _vgg(channels, config.audio_widths, config.audio_layers)
        return PictureNetwork(channels, trunk, _head(width, width, outputs))
    # pictures of many pixels keep the trunks' own stem
    stem_stride = 2 if kind == "frame" else config.stem_stride
    if network == "resnet18":
        trunk = Trunk(channels, config.widths, config.blocks, stem_stride)
        return PictureNetwork(channels, trunk, _head(config.widths[-1], None, outputs))
    trunk = _shufflenet(channels, config.shuffle_widths, stem_stride)
    return PictureNetwork(channels, trunk, _head(config.shuffle_widths[-1], None, outputs))
