"""The teacher: R(2+1)D (Tran et al., CVPR 2018) as in the paper, or another of torchvision's video
classifiers.

R(2+1)D is built from torchvision's own blocks at any width. At its default widths and blocks it
*is* torchvision's ``r2plus1d_18``: the same names, shapes and numbers, so torchvision's weights
load into it. A narrower one is trained where no weights are available, as in the demo. The others
are torchvision's own, cut before their last layer. `FrameTeacher` is no video network.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor, nn
from torchvision.models import get_model, get_model_weights
from torchvision.models.video.resnet import BasicBlock, Conv2Plus1D

from l2l.config import MediaConfig, TeacherNetwork
from l2l.errors import BadInput
from l2l.moments import WINDOW_SAMPLES
from l2l.pretrained.efficientat import network as efficientat
from l2l.pretrained.efficientat.spectrogram import CENTRE, SPREAD, spectrogram_shape
from l2l.pretrained.efficientnet import network as efficientnet
from l2l.pretrained.efficientnet.network import picture_input


@dataclass(frozen=True)
class Published:
    """A network of torchvision and the clips of its Kinetics-400 weights.

    Attributes:
        last_layer: torchvision's name of the last layer; its input is the descriptor.
        resize_pixels: of the shorter side, or (height, width).
        crop_pixels: the side of the square that the network sees.
        frame_rate: frames per second.
        frames: of a clip in torchvision's own evaluation of the weights.
    """

    last_layer: str
    resize_pixels: int | tuple[int, int]
    crop_pixels: int
    frame_rate: Fraction
    frames: int


# Source: torchvision 0.26, torchvision/models/video/{resnet,s3d,mvit,swin_transformer}.py. Sizes
# are those of `KINETICS400_V1.transforms()`; frame_rate and frames (clip_len) are stated only in
# the description of the weights.
PUBLISHED: dict[TeacherNetwork, Published] = {
    "r2plus1d_18": Published("fc", (128, 171), 112, Fraction(15), 16),
    "r3d_18": Published("fc", (128, 171), 112, Fraction(15), 16),
    "mc3_18": Published("fc", (128, 171), 112, Fraction(15), 16),
    "s3d": Published("classifier.1", (256, 256), 224, Fraction(15), 128),
    "mvit_v2_s": Published("head.1", 256, 224, Fraction(15, 2), 16),
    "swin3d_t": Published("head", 256, 224, Fraction(15), 32),
}


def as_input(
    clips: UInt8[Tensor, "clips time height width colour"], network: TeacherNetwork = "r2plus1d_18"
) -> Float[Tensor, "clips colour time rows columns"]:
    """Pictures as the input of a network: scaled to [0, 1], then normalized by the mean and the
    standard deviation of its Kinetics-400 weights; those of `frames` as EfficientNet-Lite0 takes
    them.
    """
    if network == "frames":
        pictures = picture_input(clips.flatten(0, 1))
        return pictures.unflatten(0, clips.shape[:2]).transpose(1, 2)
    prepared = get_model_weights(network)["KINETICS400_V1"].transforms()
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


class TorchvisionTeacher(nn.Module):
    """One of torchvision's own video classifiers.

    Its descriptor is what enters its last layer, ``fc`` here.
    """

    def __init__(self, network: TeacherNetwork, classes: int) -> None:
        super().__init__()
        self.network = network
        self.body = get_model(network, weights=None, num_classes=classes)
        name = PUBLISHED[network].last_layer
        last = self.body.get_submodule(name)
        self.body.set_submodule(name, nn.Identity())
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


class FrameTeacher(nn.Module):
    """What a clip shows and sounds like, by a network of single pictures and one of sound: a
    teacher where no video network is available.

    The descriptor is the mean of the pictures' features (EfficientNet-Lite0), the mean absolute
    change of each from one picture to the next, and the feature of the clip's second of sound
    (EfficientAT mn04), which is zero without sound. Both networks stay as they were published.
    """

    network: TeacherNetwork = "frames"
    descriptor_width = 2 * efficientnet.FEATURES + efficientat.FEATURES

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.image = efficientnet.efficientnet_lite0_trunk()
        self.audio = efficientat.efficientat_mn04().features
        self.fc = nn.Linear(self.descriptor_width, classes)

    def describe(
        self,
        clips: Float[Tensor, "clips colour time height width"],
        mels: Float[Tensor, "clips windows bands"],
        has_sound: Bool[Tensor, " clips"],
    ) -> Float[Tensor, "clips descriptor"]:
        """The descriptor of each clip; `mels` as they are stored."""
        pictures = self.image(clips.transpose(1, 2).flatten(0, 1)).mean((2, 3))
        features = pictures.unflatten(0, (len(clips), -1))  # (clips, time, channel)
        change = features.diff(dim=1).abs().sum(1) / max(1, features.shape[1] - 1)
        spectrograms = ((mels - CENTRE) / SPREAD).transpose(1, 2).unsqueeze(1)
        sound = self.audio(spectrograms).mean((2, 3)).masked_fill(~has_sound[:, None], 0)
        return torch.cat([features.mean(1), change, sound], 1)

    def forward(
        self,
        clips: Float[Tensor, "clips colour time height width"],
        mels: Float[Tensor, "clips windows bands"],
        has_sound: Bool[Tensor, " clips"],
    ) -> tuple[Float[Tensor, "clips descriptor"], Float[Tensor, "clips classes"]]:
        """The descriptor and the class scores (logits) of each clip."""
        descriptor = self.describe(clips, mels, has_sound)
        return descriptor, self.fc(descriptor)


AnyTeacher = R2Plus1D | TorchvisionTeacher | FrameTeacher


def build_teacher(
    network: TeacherNetwork, classes: int, widths: Sequence[int], blocks: Sequence[int]
) -> AnyTeacher:
    """A teacher with random initial weights; `widths` and `blocks` are those of R(2+1)D."""
    if network == "frames":
        return FrameTeacher(classes)
    if network == "r2plus1d_18":
        return R2Plus1D(classes, widths, blocks)
    return TorchvisionTeacher(network, classes)


def example_clip(teacher: AnyTeacher, frames: int, side: int) -> tuple[Tensor, ...]:
    """A batch of one clip of zeros, as a teacher takes it.

    Args:
        teacher: of which only the kind matters.
        frames: of the clip.
        side: of its pictures as they are stored, in pixels.
    """
    clip = as_input(torch.zeros(1, frames, side, side, 3, dtype=torch.uint8), teacher.network)
    if not isinstance(teacher, FrameTeacher):
        return (clip,)
    mel = torch.zeros(1, *spectrogram_shape(WINDOW_SAMPLES)[::-1])
    return clip, mel, torch.ones(1, dtype=torch.bool)


def check_size(network: TeacherNetwork, media: MediaConfig) -> None:
    """Refuse clips of a size that a network cannot take. Only shapes are computed.

    Raises:
        BadInput: if torchvision's network refuses the size.
    """
    if network in ("r2plus1d_18", "frames"):  # take any
        return
    size = (media.clip_frames, media.frame_pixels, media.frame_pixels)
    with torch.device("meta"), torch.no_grad():
        try:
            teacher = build_teacher(network, 1, (), ()).eval()
            teacher.describe(*example_clip(teacher, *size[:2]))
        except RuntimeError as error:
            message = str(error).partition("\n")[0]
            cure = (
                f"{network} does not take them ({message}); change media.clip_frames or "
                "media.frame_pixels"
            )
            raise BadInput(
                f"media: found clips of {size[0]} pictures of {size[1]} x {size[2]} pixels: {cure}"
            ) from None


def our_names(network: TeacherNetwork, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict of torchvision with the parameter names of this module."""
    if network == "r2plus1d_18":
        return dict(state)
    last = PUBLISHED[network].last_layer + "."
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
