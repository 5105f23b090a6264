"""The teacher: R(2+1)D (Tran et al., CVPR 2018) as in the paper, or another of torchvision's video
classifiers.

R(2+1)D is built from torchvision's own blocks at any width. At its default widths and blocks it
*is* torchvision's ``r2plus1d_18``: the same names, shapes and numbers, so torchvision's weights
load into it. A narrower one is fitted where no weights are at hand, as in the demo. The others are
torchvision's own, cut before their last layer.
"""

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torchvision.models import get_model, get_model_weights
from torchvision.models.video.resnet import BasicBlock, Conv2Plus1D

from l2l.config import MediaConfig, TeacherNetwork
from l2l.errors import BadInput

LAST = {
    "r3d_18": "fc",
    "mc3_18": "fc",
    "s3d": "classifier.1",
    "mvit_v2_s": "head.1",
    "swin3d_t": "head",
}
"""Where torchvision has the last layer of each; what enters it is the descriptor."""


def preset(network: TeacherNetwork) -> Any:
    """How pictures are prepared for a network's Kinetics-400 weights.

    Resize_size, crop_size, mean, std.
    """
    return get_model_weights(network)["KINETICS400_V1"].transforms()


def frame_rate(network: TeacherNetwork) -> Fraction:
    """Pictures a second in the clips of a network's Kinetics-400 weights.

    Torchvision has it only in a sentence about them.
    """
    told = get_model_weights(network)["KINETICS400_V1"].meta["_docs"]
    return Fraction(re.search(r"frame_rate=([\d.]+)`", told)[1])  # type: ignore[index]


def as_input(
    clips: UInt8[Tensor, "clips time height width colour"], network: TeacherNetwork = "r2plus1d_18"
) -> Float[Tensor, "clips colour time height width"]:
    """Pictures as a network's weights want them.

    In [0, 1], then their mean and spread (torchvision's own numbers).
    """
    prepared = preset(network)
    mean, std = (
        torch.tensor(values, device=clips.device) for values in (prepared.mean, prepared.std)
    )
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
        downsample = nn.Sequential(
            nn.Conv3d(width_in, width, 1, stride=stride, bias=False), nn.BatchNorm3d(width)
        )
    first = BasicBlock(width_in, width, Conv2Plus1D, stride, downsample)
    return nn.Sequential(first, *(BasicBlock(width, width, Conv2Plus1D) for _ in range(blocks - 1)))


class R2Plus1D(nn.Module):
    """R(2+1)D with `blocks[i]` residual blocks of `widths[i]` channels in its four stages and
    `classes` outputs.
    """

    network: TeacherNetwork = "r2plus1d_18"

    def __init__(
        self,
        classes: int,
        widths: Sequence[int] = (64, 128, 256, 512),
        blocks: Sequence[int] = (2, 2, 2, 2),
    ) -> None:
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

    def describe(
        self, clips: Float[Tensor, "clips colour time height width"]
    ) -> Float[Tensor, "clips descriptor"]:
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


class Published(nn.Module):
    """One of torchvision's own video classifiers.

    Its descriptor is what enters its last layer, ``fc`` here.
    """

    def __init__(self, network: TeacherNetwork, classes: int) -> None:
        super().__init__()
        self.network = network
        self.body = get_model(network, weights=None, num_classes=classes)
        last = self.body.get_submodule(LAST[network])
        self.body.set_submodule(LAST[network], nn.Identity())
        self.descriptor_width = last.weight.shape[1]
        self.fc = nn.Linear(self.descriptor_width, classes)
        self.fc.weight.data, self.fc.bias.data = last.weight.data.flatten(1), last.bias.data

    def describe(
        self, clips: Float[Tensor, "clips colour time height width"]
    ) -> Float[Tensor, "clips descriptor"]:
        """The descriptor of each clip, pooled as the network pools it."""
        return self.body(clips)

    def forward(
        self, clips: Float[Tensor, "clips colour time height width"]
    ) -> tuple[Float[Tensor, "clips descriptor"], Float[Tensor, "clips classes"]]:
        """The descriptor and the class scores (logits) of each clip."""
        descriptor = self.describe(clips)
        return descriptor, self.fc(descriptor)


AnyTeacher = R2Plus1D | Published


def build_teacher(
    network: TeacherNetwork, classes: int, widths: Sequence[int], blocks: Sequence[int]
) -> AnyTeacher:
    """A teacher with fresh random numbers; `widths` and `blocks` are R(2+1)D's."""
    return (
        R2Plus1D(classes, widths, blocks)
        if network == "r2plus1d_18"
        else Published(network, classes)
    )


def check_size(network: TeacherNetwork, media: MediaConfig) -> None:
    """Refuse clips of a size that a network cannot take, whatever its numbers; found out without
    computing any.

    Raises:
        BadInput: saying what torchvision says.
    """
    if network == "r2plus1d_18":  # takes any
        return
    size = (media.clip_frames, media.frame_pixels, media.frame_pixels)
    with torch.device("meta"), torch.no_grad():
        try:
            build_teacher(network, 1, (), ()).eval().describe(torch.zeros(1, 3, *size))
        except RuntimeError as error:
            told = str(error).partition("\n")[0]
            cure = (
                f"{network} does not take them ({told}); change media.clip_frames or "
                "media.frame_pixels"
            )
            raise BadInput(
                f"media: found clips of {size[0]} pictures of {size[1]} x {size[2]} pixels: {cure}"
            ) from None


def our_names(network: TeacherNetwork, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict of torchvision's under the names it has here."""
    if network == "r2plus1d_18":
        return dict(state)
    last = LAST[network] + "."
    layer = {
        "fc." + name.removeprefix(last): value
        for name, value in state.items()
        if name.startswith(last)
    }
    if "fc.weight" in layer:
        layer["fc.weight"] = layer["fc.weight"].flatten(1)  # S3D's is a convolution of width one
    return {
        "body." + name: value for name, value in state.items() if not name.startswith(last)
    } | layer
