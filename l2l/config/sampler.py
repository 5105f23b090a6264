"""The section `sampler`."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from l2l.config.training import TrainingConfig
from l2l.config.types import RESNET_18, TWO_EACH, Four, Name
from l2l.sections import Count, Fraction01, Section

Three = tuple[Count, Count, Count]
Five = tuple[Count, Count, Count, Count, Count]
SHUFFLENET_STEM = 24  # channels of the first convolution of ShuffleNet


class SamplerConfig(Section):
    """The samplers of SCSampler (Korbar, Tran, Torresani, ICCV 2019), of which only a poster and an
    abstract were available: light networks that choose the clips that the teacher recognises.
    `snakemake scsampler` trains and compares them; the chain itself does not use them.
    """

    clips: Annotated[int, Field(ge=2)] = Field(
        default=10,
        description="K: clips of a video that are chosen and recognised. Paper: 10.",
    )
    seen: Count = Field(
        default=8,
        description="K': of these, clips that the union list takes by the visual sampler; the "
        "others are taken by the audio sampler. Less than `clips`. Paper: 8.",
    )
    visual_weight: Fraction01 = Field(
        default=0.8,
        description="Alpha: weight (0 to 1) of the visual sampler in both convex choices. "
        "Paper: not known.",
    )
    margin: Annotated[float, Field(ge=0)] = Field(
        default=0.5,
        description="Eta: margin of the ranking loss, in logits of saliency. Paper: not known.",
    )
    clips_of_a_video: Annotated[int, Field(ge=2)] = Field(
        default=16,
        description="Clips of a video that are drawn for a training step; the ranking loss "
        "compares all pairs of them. Paper: not known.",
    )
    pictures_of_a_clip: Count = Field(
        default=4,
        description="Pictures of motion of a clip that are drawn for a training step; all are read "
        "when clips are scored. Paper: not known.",
    )
    widths: Four = Field(
        default=RESNET_18,
        description="Channels of the four stages of ResNet-18, for displacement, residual and "
        "frame. Paper: [64, 128, 256, 512].",
    )
    blocks: Four = Field(
        default=TWO_EACH,
        description="Residual blocks of its four stages. Paper: [2, 2, 2, 2].",
    )
    stem_stride: Literal[1, 2] = Field(
        default=2,
        description="Stride of the first convolution of ResNet-18 and ShuffleNet-26 on motion; 1 "
        "where that has few cells; on frames it is 2. Paper: 2 (that of ResNet-18).",
    )
    shuffle_widths: Three = Field(
        default=(240, 480, 960),
        description="Channels of the three stages of ShuffleNet-26, whose 3 groups need multiples "
        "of 12; rising from more than 24. Paper: not known; [240, 480, 960] is ShuffleNet "
        "with 3 groups.",
    )
    audio_widths: Five = Field(
        default=(64, 128, 256, 512, 512),
        description="Channels of the five stages of the audio network. Paper: not known; these "
        "are VGG-19's.",
    )
    audio_layers: Five = Field(
        default=(2, 2, 4, 4, 4),
        description="Convolutions of its five stages. Paper: not known; with two linear layers "
        "these make the 18 layers that its VGG has.",
    )
    batch_pictures: Count = Field(
        default=256,
        description="Pictures per batch when clips are scored; changes no number that matters. "
        "Paper: not known.",
    )
    cache_bytes: Annotated[int, Field(ge=0)] = Field(
        default=1 << 30,
        description="Memory for pictures that are kept between epochs, in bytes; the others are "
        "read from disk each time. Paper: not known.",
    )
    rows: tuple[Name, ...] | None = Field(
        default=None,
        description="Rows of scsampler.tsv, by their names in l2l/sampler/rows.py; `null`: all of "
        "that list. Paper: the rows of its four tables.",
    )
    training: TrainingConfig = Field(
        default=TrainingConfig(
            epochs=50, batch_size=48, learning_rate=0.02, milestones=(20, 40), flip=True
        ),
        description="Training of each network on the target's videos; the batch counts videos. "
        "Paper: not known; the default is that of its re-implementation in AR-Net.",
    )
    joint: TrainingConfig = Field(
        default=TrainingConfig(epochs=10, batch_size=48, learning_rate=0.002, flip=True),
        description="Training of the visual and the audio networks together, from where they are. "
        "Paper: not known.",
    )

    @model_validator(mode="after")
    def _heard_too(self) -> "SamplerConfig":
        if self.seen >= self.clips:
            raise ValueError(
                f"seen {self.seen} must be less than clips {self.clips}, so that some are chosen "
                "by ear"
            )
        return self

    @model_validator(mode="after")
    def _three_groups(self) -> "SamplerConfig":
        widths = (SHUFFLENET_STEM, *self.shuffle_widths)
        if any(width % 12 for width in widths) or list(widths) != sorted(set(widths)):
            raise ValueError(
                f"shuffle_widths {self.shuffle_widths} must be multiples of 12 that rise from "
                f"more than {SHUFFLENET_STEM}"
            )
        return self
