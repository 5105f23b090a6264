"""The configuration: one frozen class for each section of config.yaml, with types, bounds and units in one place.

A key that is misspelt, missing or out of bounds stops the run before anything starts, with a line that names it.
"""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from l2l.errors import BadInput
from l2l.moments import ClipGrid

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
Fraction01 = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Modality = Literal["image", "audio"]  # what is seen, what is heard
Four = tuple[Count, Count, Count, Count]


class Section(BaseModel):
    """A frozen part of the configuration that takes no key it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# ---- videos -----------------------------------------------------------------------------------------------------------


class Dataset(Section):
    """What every data set has: its role in the chain and the number of jobs its videos are cut into."""

    role: Literal["source", "target", "both"]  # distilled from; skimmed and evaluated; or both
    shards: Count  # sets of videos, by a stable hash of the video's id: the unit of one job


class DemoDataset(Dataset):
    """Videos drawn by l2l itself: `l2l.demo`."""

    adapter: Literal["demo"]
    kind: Literal["clips", "untrimmed"]  # one action each; or an action amid distraction and adverts
    train: Count  # videos of each split
    val: Count
    test: Count
    min_seconds: Annotated[float, Field(ge=1.5)]  # shortest and longest video
    max_seconds: Annotated[float, Field(ge=1.5)]
    side_pixels: Annotated[int, Field(ge=16, multiple_of=2)] = 64

    @model_validator(mode="after")
    def _ordered(self) -> "DemoDataset":
        if self.min_seconds > self.max_seconds:
            raise ValueError(f"min_seconds {self.min_seconds} is above max_seconds {self.max_seconds}")
        return self


class GroupTable(Section):
    """A tab-separated table that says which videos belong together, so that no group is split over train, val and test."""

    table: Path
    file_column: str = "file"  # the video's path, relative to the table's folder
    group_column: str = "group"


class FolderDataset(Dataset):
    """A folder of `split/class/*` or `class/*`; the latter is split here, seeded, by group where a table names groups."""

    adapter: Literal["folder"]
    folder: Path
    val_fraction: Fraction01 = 0.15  # of the groups, or of each class's videos; not read for split/class/*
    test_fraction: Fraction01 = 0.25
    groups: GroupTable | None = None


class ActivityNetDataset(Dataset):
    """ActivityNet v1.3: the official JSON and a folder with `v_<id>.mp4|mkv|webm`."""

    adapter: Literal["activitynet"]
    folder: Path
    annotations: Path


AnyDataset = Annotated[DemoDataset | FolderDataset | ActivityNetDataset, Field(discriminator="adapter")]


# ---- the stages, in the order of the chain -----------------------------------------------------------------------------


class Manifest(Section):
    """How the videos are listed and when a data set counts as too damaged to go on."""

    max_bad_fraction: Fraction01 = 0.1  # of a data set's videos that may be unusable, before and after decoding


class Media(Section):
    """What is kept of each video: pictures on the 30 fps grid and mono 16 kHz sound."""

    resize_pixels: tuple[Count, Count] = (128, 171)  # height, width of the whole picture before the central crop
    frame_pixels: Count = 112  # side of the central crop
    clip_frames: Count = 16  # pictures of a clip
    clip_stride: Count = 2  # of the 30 fps grid, from one to the next
    clips: Literal["stored", "decoded"] = "stored"  # of a source: kept on disk, or decoded for the teacher and dropped
    jpeg_quality: Annotated[int, Field(ge=1, le=100)] | Literal["lossless"] = 95
    time_limit_seconds: Annotated[float, Field(gt=0)] = 3600  # for one video

    @model_validator(mode="after")
    def _whole(self) -> "Media":
        ClipGrid(self.clip_frames, self.clip_stride)
        if self.frame_pixels > min(self.resize_pixels):
            raise ValueError(f"frame_pixels {self.frame_pixels} is larger than resize_pixels {self.resize_pixels}")
        return self

    @property
    def grid(self) -> ClipGrid:
        """How clips are taken from the 30 fps grid."""
        return ClipGrid(self.clip_frames, self.clip_stride)


class Mels(Section):
    """The log-mel spectrogram of a moment's second of sound."""

    window_samples: Count = 400  # Hann, 25 ms
    hop_samples: Count = 160  # 10 ms
    fft_samples: Count = 400
    bands: Count = 40
    floor: Annotated[float, Field(gt=0)] = 1e-6  # log(power + floor)


class Fitting(Section):
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

    @model_validator(mode="after")
    def _milestones_inside(self) -> "Fitting":
        if list(self.milestones) != sorted(self.milestones) or any(m >= self.epochs for m in self.milestones):
            raise ValueError(f"milestones {self.milestones} must rise and lie before epoch {self.epochs}")
        return self


class Teacher(Section):
    """R(2+1)D. `weights` is `train`, a name of torchvision's R2Plus1D_18_Weights, or a file with its state dict."""

    weights: str = "KINETICS400_V1"
    widths: Four = (64, 128, 256, 512)  # channels of the four stages; torchvision's weights need these
    blocks: Four = (2, 2, 2, 2)
    batch_clips: Count = 16
    fit: Fitting | None = None  # only for `train`

    @model_validator(mode="after")
    def _fit_if_trained(self) -> "Teacher":
        if (self.weights == "train") != (self.fit is not None):
            raise ValueError("`fit` belongs to weights: train, and only to that")
        return self


class Student(Section):
    """ImgAud2Vid: its networks, its distillation from the teacher and its fine-tuning on the target's labels."""

    modalities: Annotated[tuple[Modality, ...], Field(min_length=1, max_length=2)] = ("image", "audio")
    image_widths: Four = (64, 128, 256, 512)
    audio_widths: Four = (64, 128, 256, 512)
    blocks: Four = (2, 2, 2, 2)
    audio_stem_stride: Literal[1, 2] = 1  # supplement: 2; public code: 1
    time_pooling: Literal["mean", "max"] = "mean"  # supplement: mean; public code: max
    soft_weight: Annotated[float, Field(ge=0)] = 100  # lambda, of the soft cross-entropy beside L1
    batch_moments: Count = 64  # when nothing is fitted
    distil: Fitting
    finetune: Fitting


class Features(Section):
    """What the skimmer reads of a moment; kept in Zarr."""

    dtype: Literal["float16", "float32"] = "float16"
    chunk_moments: Count = 2048


class Skimmer(Section):
    """ImgAud-Skimming: the attention LSTM."""

    hidden: Count = 1024  # of the LSTM
    key: Count = 512  # width of queries and keys
    query_hidden: Count = 1024  # between the two layers of a query MLP
    steps: Count = 10  # T
    read_factors: Annotated[tuple[Count, ...], Field(min_length=1)] = (1,)  # in training, one is drawn each time a video is read
    fusion_rate: Annotated[float, Field(ge=0)] = 0  # learning rate of Psi relative to the rest; 0: as the student left it
    classifier_rate: Annotated[float, Field(ge=0)] = 0.1  # of the classifier, relative to the rest
    fit: Fitting


class Evaluation(Section):
    """Table 1 and the clip-level table."""

    moments: Count = 10  # looked at by the methods that pick
    sparse_factor: Annotated[int, Field(ge=2)] = 5  # ours sparse reads features of one moment in so many
    random_draws: Count = 10  # over which the random choice is averaged


class Report(Section):
    """The page for people."""

    title: str = "Listen to Look"
    film_strips: Annotated[int, Field(ge=0)] = 8  # test videos shown
    pictures: Count = 5  # in a strip


class Study(Section):
    """The same chain with several seeds: `snakemake study`."""

    seeds: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)] = (1, 2, 3)


class Config(Section):
    """A whole configuration: what `config.yaml` holds."""

    run: Name  # everything goes below results/<run>
    seed: Annotated[int, Field(ge=0)] = 0
    videos: dict[Name, AnyDataset]
    manifest: Manifest = Manifest()
    media: Media = Media()
    mels: Mels = Mels()
    teacher: Teacher = Teacher()
    student: Student
    features: Features = Features()
    skimmer: Skimmer
    evaluation: Evaluation = Evaluation()
    report: Report = Report()
    study: Study = Study()

    @model_validator(mode="after")
    def _one_of_each_role(self) -> "Config":
        for role in ("source", "target"):
            if len(self._with_role(role)) != 1:
                raise ValueError(
                    f"videos: found {self._with_role(role) or 'no'} {role} data set, expected one (role {role} or both)"
                )
        return self

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


def _line(error: dict[str, Any]) -> str:
    """One finding of pydantic's in one line: where, what was found, what was expected."""
    where = ".".join(str(part) for part in error["loc"]) or "the whole"
    if error["type"] == "extra_forbidden":
        return f"{where}: no such key"
    if error["type"] == "missing":
        return f"{where}: missing"
    found = repr(error["input"])
    return f"{where}: {error['msg']} (found {found if len(found) < 60 else found[:57] + '...'})"


def _allowed(where: tuple[Any, ...]) -> str:
    """The keys allowed beside the one at `where`, where that can be told."""
    section: Any = Config
    for part in where[:-1]:
        field = getattr(section, "model_fields", {}).get(part)
        kinds = [field.annotation, *getattr(field.annotation, "__args__", ())] if field else []
        section = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Section)), None)
        if section is None:
            return ""
    return f"; allowed in {'.'.join(map(str, where[:-1])) or 'the top level'}: {', '.join(section.model_fields)}"


def check_config(values: dict[str, Any], origin: str) -> Config:
    """Validate a configuration that is already read.

    Raises:
        BadInput: one line that names `origin`, each wrong key, what was found and what is allowed.
    """
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        findings = [_line(dict(e)) + (_allowed(e["loc"]) if e["type"] == "extra_forbidden" else "") for e in error.errors()]
        raise BadInput(f"{origin}: " + " | ".join(findings)) from None


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
        raise BadInput(f"{path}: expected sections such as {', '.join(Config.model_fields)}, found {type(values).__name__}")
    return check_config(values, str(path))


def as_json(section: Section) -> str:
    """A section as the JSON that a stage's command line takes; the same section always gives the same text."""
    return json.dumps(section.model_dump(mode="json"), sort_keys=True)
