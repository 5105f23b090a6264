"""The configuration: one frozen class for each section of config.yaml, with types, bounds and units
in one place.

A key that is misspelt, missing or out of bounds stops the run before anything starts, with a line
that names it.
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from l2l.datasets import BY_ADAPTER, AnyDataset
from l2l.errors import BadInput
from l2l.moments import WINDOW_SAMPLES, ClipGrid
from l2l.sections import Count, Fraction01, Section

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
Modality = Literal["image", "audio"]  # what is seen, what is heard
FeatureName = Literal[
    "image", "audio", "fused", "teacher"
]  # a student's streams and Psi of them; the teacher's descriptor
Four = tuple[Count, Count, Count, Count]
RESNET_18: Four = (64, 128, 256, 512)  # channels of its four stages, and of R(2+1)D-18's
TWO_EACH: Four = (2, 2, 2, 2)  # its blocks
TeacherNetwork = Literal[
    "r2plus1d_18", "r3d_18", "mc3_18", "s3d", "mvit_v2_s", "swin3d_t"
]  # torchvision's names


def _named_file(weights: str) -> tuple[Path, ...]:
    """The file of weights, if it is one that is named.

    Torchvision's names are capital letters, digits and underscores.
    """
    return () if re.fullmatch(r"[A-Z0-9_]+|train|none", weights) else (Path(weights),)


# ---- the stages, in the order of the chain -------------------------------------------------------


class ManifestConfig(Section):
    """How the videos are listed and when a data set counts as too damaged to go on."""

    max_bad_fraction: Fraction01 = (
        0.1  # of a data set's videos that may be unusable, before and after decoding
    )


class MediaConfig(Section):
    """What is kept of each video: pictures on the 30 fps grid and mono 16 kHz sound."""

    resize_pixels: tuple[Count, Count] | Count = (
        128,
        171,
    )  # height, width before the central crop; or of the shorter side
    frame_pixels: Count = 112  # side of the central crop
    clip_frames: Count = 16  # pictures of a clip
    clip_stride: Count = 2  # of the 30 fps grid, from one to the next
    clips: Literal["stored", "decoded"] = (
        "stored"  # of a source: kept on disk, or decoded for the teacher and dropped
    )
    jpeg_quality: Annotated[int, Field(ge=1, le=100)] | Literal["lossless"] = 95
    time_limit_seconds: Annotated[float, Field(gt=0)] = 3600  # for one video

    @model_validator(mode="after")
    def _whole(self) -> "MediaConfig":
        ClipGrid(self.clip_frames, self.clip_stride)
        if self.frame_pixels > (
            self.resize_pixels if isinstance(self.resize_pixels, int) else min(self.resize_pixels)
        ):
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
    """The log-mel spectrogram of a moment's second of sound."""

    window_samples: Count = 400  # Hann, 25 ms
    hop_samples: Count = 160  # 10 ms
    fft_samples: Count = 400
    bands: Count = 40
    floor: Annotated[float, Field(gt=0, lt=1)] = 1e-6  # log(power + floor)

    @model_validator(mode="after")
    def _fits(self) -> "MelsConfig":
        if self.fft_samples % 2 or not self.window_samples <= self.fft_samples < 2 * WINDOW_SAMPLES:
            least, most = self.window_samples, 2 * WINDOW_SAMPLES
            raise ValueError(
                f"fft_samples {self.fft_samples} must be even, at least window_samples {least}, "
                f"and below {most}"
            )
        return self


class TrainingConfig(Section):
    """One training: SGD with Nesterov momentum; the rate falls by `decay` at each milestone."""

    epochs: Count
    batch_size: Annotated[int, Field(ge=2)]
    learning_rate: Annotated[float, Field(gt=0)]
    milestones: tuple[Annotated[float, Field(gt=0)], ...] = ()  # in epochs
    decay: Annotated[float, Field(gt=0, lt=1)] = 0.1
    warmup_epochs: Annotated[float, Field(ge=0)] = 0  # the rate rises linearly from nothing
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4
    flip: bool = False  # mirror each picture or clip left to right, half of the time
    # parts a batch is computed in, one after another, where a GPU is small; batch norm sees a part
    gradient_accumulation: Count = 1
    bfloat16: bool = (
        False  # networks compute in it on a GPU; losses, weights and sums stay in float32
    )

    @model_validator(mode="after")
    def _two_in_a_part(self) -> "TrainingConfig":
        if self.batch_size < 2 * self.gradient_accumulation:
            raise ValueError(
                f"batch_size {self.batch_size} is less than two entries in each of "
                f"{self.gradient_accumulation} parts (gradient_accumulation)"
            )
        return self

    @model_validator(mode="after")
    def _milestones_inside(self) -> "TrainingConfig":
        if list(self.milestones) != sorted(self.milestones) or any(
            m >= self.epochs for m in self.milestones
        ):
            raise ValueError(
                f"milestones {self.milestones} must rise and lie before epoch {self.epochs}"
            )
        return self


class TeacherConfig(Section):
    """One of torchvision's video classifiers.

    `weights` is `train`, a name of torchvision's, or a file with its state dict.
    """

    network: TeacherNetwork = (
        "r2plus1d_18"  # paper; the others want other media and give other descriptors
    )
    weights: str = "KINETICS400_V1"
    widths: Four = (
        RESNET_18  # of R(2+1)D: channels of the four stages; torchvision's weights need these
    )
    blocks: Four = TWO_EACH
    batch_clips: Count = 16
    training: TrainingConfig | None = None  # only for `train`

    @model_validator(mode="after")
    def _training_if_trained(self) -> "TeacherConfig":
        if (self.weights == "train") != (self.training is not None):
            raise ValueError("`training` belongs to weights: train, and only to that")
        if self.network != "r2plus1d_18" and (self.widths, self.blocks) != (RESNET_18, TWO_EACH):
            raise ValueError(
                "`widths` and `blocks` belong to network: r2plus1d_18, and only to that"
            )
        return self

    @property
    def weights_files(self) -> tuple[Path, ...]:
        """The file of weights, if that is what is named."""
        return _named_file(self.weights)


class StudentConfig(Section):
    """ImgAud2Vid: its networks, its distillation from the teacher and its fine-tuning on the
    target's labels.
    """

    modalities: Annotated[tuple[Modality, ...], Field(min_length=1, max_length=2)] = (
        "image",
        "audio",
    )
    image_widths: Four = RESNET_18
    audio_widths: Four = RESNET_18
    blocks: Four = TWO_EACH
    # of the image trunk: drawn; a name of torchvision's for ResNet-18; or a file with its state
    # dict
    image_weights: str = "none"
    stream_width: Count | None = (
        None  # of a feature; supplement: 256, by a linear layer; public code: the trunk's own 512
    )
    audio_stem_stride: Literal[1, 2] = 1  # supplement: 2; public code: 1
    time_pooling: Literal["mean", "max"] = "mean"  # supplement: mean; public code: max
    soft_loss_weight: Annotated[float, Field(ge=0)] = (
        100  # lambda, of the soft cross-entropy beside L1
    )
    batch_moments: Count = 64  # when nothing is fitted
    distil: TrainingConfig
    finetune: TrainingConfig

    @model_validator(mode="after")
    def _one_or_both(self) -> "StudentConfig":
        if self.modalities not in (("image", "audio"), ("image",), ("audio",)):
            raise ValueError(
                "modalities must be [image, audio], [image] or [audio], found "
                f"[{', '.join(self.modalities)}]"
            )
        return self

    @property
    def weights_files(self) -> tuple[Path, ...]:
        """The file that the image trunk starts from, if one is named."""
        return _named_file(self.image_weights)


class FeaturesConfig(Section):
    """What the skimmer reads of a moment; kept in Zarr."""

    dtype: Literal["float16", "float32"] = "float16"
    chunk_moments: Count = 2048


class Variant(Section):
    """What a skimmer reads, where that is other than the features of the student's modalities,
    found and fused by themselves.
    """

    recognition: tuple[
        FeatureName, ...
    ] = ()  # what is averaged and classified; empty: the student's modalities, through Psi
    indexing: tuple[
        FeatureName, ...
    ] = ()  # by which moments are found, and what the LSTM reads; empty: those of recognition
    # recognition features are those of the T selected moments, not means weighed over all moments
    selected: bool = False

    @property
    def features(self) -> tuple[FeatureName, ...]:
        """All that it names."""
        return (*self.recognition, *self.indexing)


PLAIN = Variant()
VARIANTS: Mapping[str, Variant] = {
    "visual_indexing": Variant(
        indexing=("image",)
    ),  # supplement, G.1: where to look is chosen by the image alone
    "single_query": Variant(
        recognition=("fused",)
    ),  # G.2: one query, one key a moment, of the fused feature
    "image": Variant(recognition=("image",)),  # D: a single modality
    "audio": Variant(recognition=("audio",)),
    "image_then_fused": Variant(
        recognition=("fused",), indexing=("image",), selected=True
    ),  # cheap to index, dear to recognise
    "fused_then_teacher": Variant(recognition=("teacher",), indexing=("fused",), selected=True),
}


class SkimmerConfig(Section):
    """ImgAud-Skimming: the attention LSTM."""

    lstm_width: Count = 1024  # of the LSTM
    key_width: Count = 512  # width of queries and keys
    query_width: Count = 1024  # between the two layers of a query MLP
    steps: Count = 10  # T
    read_factors: Annotated[tuple[Count, ...], Field(min_length=1)] = (
        1,
    )  # in training, one is drawn each time a video is read
    fusion_lr_scale: Annotated[float, Field(ge=0)] = (
        0  # learning rate of Psi relative to the rest; 0: as the student left it
    )
    classifier_lr_scale: Annotated[float, Field(ge=0)] = (
        0.1  # of the classifier, relative to the rest
    )
    cache_bytes: Annotated[int, Field(ge=0)] = (
        4 << 30
    )  # of features kept in memory; the others are read each time
    training: TrainingConfig
    variants: dict[Name, Variant] = Field(
        default_factory=dict
    )  # by name, beside `VARIANTS`; see evaluation.variants

    @model_validator(mode="after")
    def _new_names(self) -> "SkimmerConfig":
        taken = {"skimmer", "lstm", "non_recurrent", *VARIANTS} & set(self.variants)
        if taken:
            raise ValueError(f"variants: {min(taken)} is one of l2l's own; give yours another name")
        return self

    @property
    def all_variants(self) -> Mapping[str, Variant]:
        """The paper's and those of this configuration, by name."""
        return {**VARIANTS, **self.variants}


class EvaluationConfig(Section):
    """Table 1 and the clip-level table."""

    moments: Count = 10  # looked at by the methods that pick
    sparse_factor: Annotated[int, Field(ge=2)] = (
        5  # ours sparse reads features of one moment in so many
    )
    random_draws: Count = 10  # over which the random choice is averaged
    # Skimmers compared in ablations.tsv and recognition.tsv, each one more fit; none told: those of
    # G.1 and G.2, if the student has two modalities. One that reads `teacher` has it describe all
    # moments of the target (in the paper 40 GMACs each).
    variants: tuple[Name, ...] | None = None


class ReportConfig(Section):
    """The page for people."""

    title: str = "Listen to Look"
    film_strips: Annotated[int, Field(ge=0)] = 8  # test videos shown
    pictures: Count = 5  # in a strip


class StudyConfig(Section):
    """The same chain with several seeds: `snakemake study`."""

    seeds: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)] = (1, 2, 3)


class Config(Section):
    """A whole configuration: what `config.yaml` holds."""

    run: Name  # everything goes below results/<run>
    seed: Annotated[int, Field(ge=0)] = 0
    videos: dict[Name, AnyDataset]
    manifest: ManifestConfig = ManifestConfig()
    media: MediaConfig = MediaConfig()
    mels: MelsConfig = MelsConfig()
    teacher: TeacherConfig = TeacherConfig()
    student: StudentConfig
    features: FeaturesConfig = FeaturesConfig()
    skimmer: SkimmerConfig
    evaluation: EvaluationConfig = EvaluationConfig()
    report: ReportConfig = ReportConfig()
    study: StudyConfig = StudyConfig()

    @model_validator(mode="after")
    def _one_of_each_role(self) -> "Config":
        for role in ("source", "target"):
            if len(found := self._with_role(role)) != 1:
                raise ValueError(
                    f"videos: role {role} (or both): found {' and '.join(found) or 'none'}, "
                    "expected one data set"
                )
        return self

    @model_validator(mode="after")
    def _known_variants(self) -> "Config":
        for name in self.compared:
            if name not in self.skimmer.all_variants:
                raise ValueError(
                    f"evaluation.variants: no {name}; expected some of "
                    f"{', '.join(self.skimmer.all_variants)}"
                )
            had = (*self.student.modalities, "fused", "teacher")
            if lacking := [
                feature
                for feature in self.skimmer.all_variants[name].features
                if feature not in had
            ]:
                raise ValueError(
                    f"evaluation.variants: {name} reads {lacking[0]} features, which the student "
                    "has not"
                )
        return self

    @property
    def compared(self) -> tuple[str, ...]:
        """The skimmer's variants that are fitted and evaluated beside it."""
        if self.evaluation.variants is not None:
            return self.evaluation.variants
        return ("visual_indexing", "single_query") if len(self.student.modalities) == 2 else ()

    def _with_role(self, role: str) -> list[str]:
        return [name for name, dataset in self.videos.items() if dataset.role in (role, "both")]

    @property
    def source(self) -> str:
        """The data set the teacher reads and the student is distilled from."""
        return self._with_role("source")[0]

    @property
    def target(self) -> str:
        """The data set that is skimmed and evaluated."""
        return self._with_role("target")[0]


def _line(error: ErrorDetails) -> str:
    """One finding of pydantic's in one line: where, what was found, what was expected."""
    keys = tuple(map(str, error["loc"]))
    if keys[:1] == ("videos",):
        keys = keys[:2] + keys[3:]  # the third is the adapter, by which pydantic chose the class
    where, told = ".".join(keys), error.get("ctx", {})
    if error["type"] == "extra_forbidden":
        beside = ".".join(keys[:-1]) or "the top level"
        return (
            f"{where}: no such key; allowed in {beside}: "
            f"{', '.join(_section(error['loc'][:-1]).model_fields)}"
        )
    if error["type"] == "missing":
        return f"{where}: missing"
    if error["type"] == "union_tag_not_found":
        return f"{where}.adapter: missing; expected one of {', '.join(BY_ADAPTER)}"
    if error["type"] == "union_tag_invalid":
        return f"{where}.adapter: found {told['tag']!r}, expected one of {', '.join(BY_ADAPTER)}"
    if error["type"] == "value_error":  # one of ours, which says what was found
        return f"{where}: {told['error']}" if where else str(told["error"])
    found = repr(error["input"])
    return f"{where}: {error['msg']} (found {found if len(found) < 60 else found[:57] + '...'})"


def _section(where: Sequence[int | str]) -> type[Section]:
    """The section at the place that pydantic names."""
    if where[:1] == ("videos",):
        return _inner(BY_ADAPTER[str(where[2])], where[3:])
    return _inner(Config, where)


def _inner(section: type[Section], where: Sequence[int | str]) -> type[Section]:
    for part in where:
        if field := section.model_fields.get(
            str(part)
        ):  # else the name of one of several, as of variants
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


def read_config(path: Path) -> Config:
    """Read and validate a configuration file.

    Raises:
        BadInput: if it is missing, is no YAML mapping, or is not valid.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadInput(f"{path}: no such configuration file") from None
    except yaml.YAMLError as error:
        raise BadInput(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict):
        raise BadInput(
            f"{path}: expected sections such as {', '.join(Config.model_fields)}, found "
            f"{type(values).__name__}"
        )
    return check_config(values, str(path))


def as_json(section: Section) -> str:
    """A section as the JSON that a stage's command line takes.

    The same section always gives the same text.
    """
    return json.dumps(section.model_dump(mode="json"), sort_keys=True)
