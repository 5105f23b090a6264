"""The student, ImgAud2Vid: a frame and a second of sound, fused to stand for a
clip (paper, section 3.2).

The paper's streams are ResNet-18 built from torchvision's own block, with torchvision's names, so
its weights load into them. `IMAGE_NETWORKS` and `AUDIO_FEATURES` list what they may be instead.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float, Shaped, UInt8
from torch import Tensor, nn
from torchvision.models import ResNet18_Weights
from torchvision.models.resnet import BasicBlock

from l2l.config import AudioNetworkName, ImageNetworkName, Modality
from l2l.pretrained.efficientat import network as efficientat
from l2l.pretrained.efficientat.spectrogram import CENTRE, SPREAD
from l2l.pretrained.efficientnet import network as efficientnet

_PRESET = ResNet18_Weights.IMAGENET1K_V1.transforms()


def frame_input(
    frames: UInt8[Tensor, "moments height width colour"],
) -> Float[Tensor, "moments colour height width"]:
    """Pictures in [0, 1], then ImageNet's mean and spread (torchvision's own numbers for
    ResNet-18).
    """
    mean, std = (
        torch.tensor(values, device=frames.device) for values in (_PRESET.mean, _PRESET.std)
    )
    return ((frames.float() / 255 - mean) / std).permute(0, 3, 1, 2)


def mel_input(
    mels: Float[Tensor, "moments windows bands"], floor: float
) -> Float[Tensor, "moments windows bands"]:
    """Log-mels on a scale where silence, ln(floor), is 0, as is the padding of a convolution, and
    unit power is 1.
    """
    return 1 - mels / math.log(floor)


def _layer(width_in: int, width: int, blocks: int, stride: int) -> nn.Sequential:
    downsample = None
    if stride != 1 or width_in != width:
        downsample = nn.Sequential(
            nn.Conv2d(width_in, width, 1, stride=stride, bias=False), nn.BatchNorm2d(width)
        )
    first = BasicBlock(width_in, width, stride, downsample)
    return nn.Sequential(first, *(BasicBlock(width, width) for _ in range(blocks - 1)))


class Trunk(nn.Module):
    """ResNet-18 up to its last stage, at any width, for pictures of any number of colours (one for
    a mel).
    """

    def __init__(
        self, colours: int, widths: Sequence[int], blocks: Sequence[int], stem_stride: int
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(colours, widths[0], 7, stride=stem_stride, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = _layer(widths[0], widths[0], blocks[0], 1)
        self.layer2 = _layer(widths[0], widths[1], blocks[1], 2)
        self.layer3 = _layer(widths[1], widths[2], blocks[2], 2)
        self.layer4 = _layer(widths[2], widths[3], blocks[3], 2)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(
        self, x: Float[Tensor, "moments colour height width"]
    ) -> Float[Tensor, "moments channel rows columns"]:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))


@dataclass(frozen=True)
class ImageNetwork:
    """A network that the image stream may be.

    Attributes:
        build_trunk: of the stream, by the widths and blocks of ResNet-18, which others do not read;
            it gives feature maps (moments, channel, rows, columns).
        as_input: from frames (moments, height, width, colour), uint8, to what the trunk takes.
        width: channels of the feature; None: as many as ResNet-18's last stage has.
    """

    build_trunk: Callable[[Sequence[int], Sequence[int]], nn.Module]
    as_input: Callable[[Tensor], Tensor]
    width: int | None = None


IMAGE_NETWORKS: Mapping[ImageNetworkName, ImageNetwork] = {
    "resnet18": ImageNetwork(
        lambda widths, blocks: Trunk(3, widths, blocks, stem_stride=2), frame_input
    ),
    "efficientnet_lite0": ImageNetwork(
        lambda *_: efficientnet.efficientnet_lite0_trunk(),
        efficientnet.picture_input,
        efficientnet.FEATURES,
    ),
}


class ImageStream(nn.Module):
    """The image feature: a network on the clip's first frame, averaged over space.

    At another width by a linear layer.
    """

    def __init__(
        self,
        widths: Sequence[int],
        blocks: Sequence[int],
        width: int | None = None,
        network: ImageNetworkName = "resnet18",
    ) -> None:
        super().__init__()
        kind = IMAGE_NETWORKS[network]
        self.network, self.as_input = network, kind.as_input
        self.trunk = kind.build_trunk(widths, blocks)
        self.narrow = nn.Linear(kind.width or widths[-1], width) if width else nn.Identity()

    def forward(
        self, frames: Float[Tensor, "moments 3 height width"]
    ) -> Float[Tensor, "moments channel"]:
        return self.narrow(self.trunk(frames).mean((2, 3)))


class AudioStream(nn.Module):
    """The audio feature: one-channel ResNet-18 on the mel, its bands joined by a learned sum,
    pooled over time only.

    At another width by a linear layer.
    """

    def __init__(
        self,
        widths: Sequence[int],
        blocks: Sequence[int],
        stem_stride: int,
        time_pooling: Literal["mean", "max"],
        mel_bands: int,
        width: int | None = None,
    ) -> None:
        super().__init__()
        self.time_pooling, self.as_input = time_pooling, mel_input
        self.trunk = Trunk(1, widths, blocks, stem_stride)
        columns = mel_bands
        for stride in (
            stem_stride,
            2,
            2,
            2,
            2,
        ):  # stem, max pool, layers 2 to 4: each halves and rounds up
            columns = -(-columns // stride)
        self.band_sum = nn.Conv2d(columns, 1, 1)
        self.narrow = nn.Linear(widths[-1], width) if width else nn.Identity()

    def forward(
        self, mels: Float[Tensor, "moments windows bands"]
    ) -> Float[Tensor, "moments channel"]:
        x = self.trunk(mels.unsqueeze(1))  # (moments, channel, time, band columns)
        x = self.band_sum(x.permute(0, 3, 2, 1)).squeeze(1)  # (moments, time, channel)
        return self.narrow(x.mean(1) if self.time_pooling == "mean" else x.amax(1))


class EfficientAtStream(nn.Module):
    """The audio feature by EfficientAT mn04: its last feature map on the spectrogram that it was
    trained on, averaged over bands and time.

    At another width by a linear layer.
    """

    def __init__(self, width: int | None = None) -> None:
        super().__init__()
        self.trunk = efficientat.efficientat_mn04().features
        self.narrow = nn.Linear(efficientat.FEATURES, width) if width else nn.Identity()

    @staticmethod
    def as_input(
        mels: Float[Tensor, "moments windows bands"], floor: float
    ) -> Float[Tensor, "moments windows bands"]:
        """Log-mels shifted and scaled as the weights were trained with."""
        return (mels - CENTRE) / SPREAD

    def forward(
        self, mels: Float[Tensor, "moments windows bands"]
    ) -> Float[Tensor, "moments channel"]:
        return self.narrow(self.trunk(mels.transpose(1, 2).unsqueeze(1)).mean((2, 3)))


# Channels of the audio feature; None: as many as ResNet-18's last stage has.
AUDIO_FEATURES: Mapping[AudioNetworkName, int | None] = {
    "resnet18": None,
    "efficientat_mn04": efficientat.FEATURES,
}


class Fusion(nn.Module):
    """Psi: the features side by side through two fully connected layers.

    No activation after the second.
    """

    def __init__(self, width_in: int, width_between: int, descriptor_width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width_in, width_between)
        self.fc2 = nn.Linear(width_between, descriptor_width)

    def forward(
        self, features: Float[Tensor, "*moments features"]
    ) -> Float[Tensor, "*moments descriptor"]:
        return self.fc2(torch.relu(self.fc1(features)))


class Head(nn.Module):
    """Psi and classifier of a student whose streams are not available.

    Enough to train a skimmer on features that are.
    """

    class_names: tuple[str, ...] = ()  # set where it is made or loaded

    def __init__(
        self,
        widths: Mapping[Modality, int],
        classes: int,
        fusion_hidden: int,
        descriptor_width: int,
    ) -> None:
        super().__init__()
        self.widths = dict(widths)
        self.modalities = tuple(widths)
        self.fusion = Fusion(sum(widths.values()), fusion_hidden, descriptor_width)
        self.classifier = nn.Linear(descriptor_width, classes)


class Student(nn.Module):
    """ImgAud2Vid on `modalities`; with one of the two it is the paper's image-only or audio-only
    student.

    A feature has `stream_width` channels: 256 in the supplement, by a linear layer, since ResNet-18
    has 512 and the paper does not say how they become 256; without one those of the trunk, as in
    the public code.

    The trunks of `frozen` streams are not trained: their weights and the statistics of their batch
    norms stay as they are.
    """

    class_names: tuple[str, ...] = ()  # set where a student is loaded, with what it was saved with
    settings: dict[str, Any]

    def __init__(
        self,
        modalities: Sequence[Modality],
        classes: int,
        descriptor_width: int = 512,
        image_widths: Sequence[int] = (64, 128, 256, 512),
        audio_widths: Sequence[int] = (64, 128, 256, 512),
        blocks: Sequence[int] = (2, 2, 2, 2),
        audio_stem_stride: int = 1,
        time_pooling: Literal["mean", "max"] = "mean",
        mel_bands: int = 40,
        stream_width: int | None = None,
        image_network: ImageNetworkName = "resnet18",
        audio_network: AudioNetworkName = "resnet18",
        frozen: Collection[Modality] = (),
    ) -> None:
        super().__init__()
        self.modalities = tuple(modalities)
        width = {
            "image": stream_width or IMAGE_NETWORKS[image_network].width or image_widths[-1],
            "audio": stream_width or AUDIO_FEATURES[audio_network] or audio_widths[-1],
        }
        if "image" in modalities:
            self.image = ImageStream(image_widths, blocks, stream_width, image_network)
        if "audio" in modalities and audio_network == "efficientat_mn04":
            self.audio: AudioStream | EfficientAtStream = EfficientAtStream(stream_width)
        elif "audio" in modalities:
            self.audio = AudioStream(
                audio_widths, blocks, audio_stem_stride, time_pooling, mel_bands, stream_width
            )
        self.fusion = Fusion(
            sum(width[m] for m in modalities), width["image"] + width["audio"], descriptor_width
        )
        self.classifier = nn.Linear(descriptor_width, classes)
        self._frozen_trunks = [getattr(self, m).trunk for m in self.modalities if m in frozen]
        for trunk in self._frozen_trunks:
            trunk.requires_grad_(False)

    def train(self, mode: bool = True) -> "Student":
        """Training or evaluation mode; a frozen trunk stays in evaluation mode."""
        super().train(mode)
        for trunk in self._frozen_trunks:
            trunk.eval()
        return self

    def inputs(
        self,
        frames: UInt8[Tensor, "moments height width colour"],
        mels: Float[Tensor, "moments windows bands"],
        floor: float,
    ) -> tuple[Tensor, Tensor]:
        """Frames and log-mels as the student's networks take them; what no network reads stays as
        it is.

        Args:
            frames: as they are stored.
            mels: as they are stored.
            floor: of the log-mels.
        """
        return (
            self.image.as_input(frames) if "image" in self.modalities else frames,
            self.audio.as_input(mels, floor) if "audio" in self.modalities else mels,
        )

    def features(
        self,
        frames: Shaped[Tensor, "moments ..."],
        mels: Float[Tensor, "moments windows bands"],
        has_sound: Bool[Tensor, " moments"],
    ) -> dict[Modality, Float[Tensor, "moments channel"]]:
        """The feature of each modality it has, of `inputs`.

        Where there is no sound the audio feature is zero, not that of silence.
        """
        features: dict[Modality, Tensor] = {}
        if "image" in self.modalities:
            features["image"] = self.image(frames)
        if "audio" in self.modalities:
            features["audio"] = self.audio(mels).masked_fill(~has_sound[:, None], 0)
        return features

    def fuse(
        self, features: Mapping[Modality, Float[Tensor, "moments channel"]]
    ) -> Float[Tensor, "moments descriptor"]:
        """Psi of the features of the student's modalities."""
        return self.fusion(torch.cat([features[m] for m in self.modalities], 1))

    def forward(
        self,
        frames: Shaped[Tensor, "moments ..."],
        mels: Float[Tensor, "moments windows bands"],
        has_sound: Bool[Tensor, " moments"],
    ) -> tuple[Float[Tensor, "moments descriptor"], Float[Tensor, "moments classes"]]:
        """The descriptor Psi(frame, mel) that stands for the clip, and class scores (logits), of
        `inputs`.
        """
        descriptor = self.fuse(self.features(frames, mels, has_sound))
        return descriptor, self.classifier(descriptor)
