"""The teacher: R(2+1)D (Tran et al., CVPR 2018), built from torchvision's own blocks at any width.

At its default widths and blocks it *is* torchvision's ``r2plus1d_18``: the same names, shapes and numbers, so torchvision's
weights load into it. A narrower one is fitted where no weights are at hand, as in the demo.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torchvision.models.video import R2Plus1D_18_Weights
from torchvision.models.video.resnet import BasicBlock, Conv2Plus1D

_PRESET = R2Plus1D_18_Weights.KINETICS400_V1.transforms()


def as_input(clips: UInt8[Tensor, "clips time height width colour"]) -> Float[Tensor, "clips colour time height width"]:
    """Pictures as the weights want them: in [0, 1], then Kinetics' mean and spread (torchvision's own numbers)."""
    mean, std = (torch.tensor(values, device=clips.device) for values in (_PRESET.mean, _PRESET.std))
    return ((clips.float() / 255 - mean) / std).permute(0, 4, 1, 2, 3)


def _stem(width: int) -> nn.Sequential:
    """torchvision's R2Plus1dStem at any width: 7x7 in space, then 3 in time."""
    between = 45 * width // 64
    return nn.Sequential(
        nn.Conv3d(3, between, (1, 7, 7), stride=(1, 2, 2), padding=(0, 3, 3), bias=False),
        nn.BatchNorm3d(between),
        nn.ReLU(inplace=True),
        nn.Conv3d(between, width, (3, 1, 1), padding=(1, 0, 0), bias=False),
        nn.BatchNorm3d(width),
        nn.ReLU(inplace=True),
    )


def _layer(width_in: int, width: int, blocks: int, stride: int) -> nn.Sequential:
    downsample = None
    if stride != 1 or width_in != width:
        downsample = nn.Sequential(nn.Conv3d(width_in, width, 1, stride=stride, bias=False), nn.BatchNorm3d(width))
    first = BasicBlock(width_in, width, Conv2Plus1D, stride, downsample)
    return nn.Sequential(first, *(BasicBlock(width, width, Conv2Plus1D) for _ in range(blocks - 1)))


class R2Plus1D(nn.Module):
    """R(2+1)D with `blocks[i]` residual blocks of `widths[i]` channels in its four stages and `classes` outputs."""

    def __init__(self, classes: int, widths: Sequence[int] = (64, 128, 256, 512), blocks: Sequence[int] = (2, 2, 2, 2)) -> None:
        super().__init__()
        self.widths, self.blocks, self.descriptor_width = tuple(widths), tuple(blocks), widths[-1]
        self.stem = _stem(widths[0])
        self.layer1 = _layer(widths[0], widths[0], blocks[0], 1)
        self.layer2 = _layer(widths[0], widths[1], blocks[1], 2)
        self.layer3 = _layer(widths[1], widths[2], blocks[2], 2)
        self.layer4 = _layer(widths[2], widths[3], blocks[3], 2)
        self.avgpool = nn.AdaptiveAvgPool3d(1)
        self.fc = nn.Linear(widths[-1], classes)
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, 0, 0.01)
                nn.init.zeros_(module.bias)

    def describe(self, clips: Float[Tensor, "clips colour time height width"]) -> Float[Tensor, "clips descriptor"]:
        """The descriptor z_V of each clip: what the pooled last stage gives to ``fc``."""
        x = self.stem(clips)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.avgpool(x).flatten(1)

    def forward(
        self, clips: Float[Tensor, "clips colour time height width"]
    ) -> tuple[Float[Tensor, "clips descriptor"], Float[Tensor, "clips classes"]]:
        """The descriptor and the class scores (logits) of each clip."""
        descriptor = self.describe(clips)
        return descriptor, self.fc(descriptor)
