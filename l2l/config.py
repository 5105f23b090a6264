"""The configuration: one frozen class for each section of config.yaml, with types, bounds and units in one place.

A key that is misspelt, missing or out of bounds stops the run before anything starts, with a line that names it.
"""

import json
import re
from collections.abc import Mapping
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
FeatureName = Literal["image", "audio", "fused", "teacher"]  # a student's streams and Psi of them; the teacher's descriptor
Four = tuple[Count, Count, Count, Count]
RESNET_18: Four = (64, 128, 256, 512)  # channels of its four stages, and of R(2+1)D-18's
TWO_EACH: Four = (2, 2, 2, 2)  # its blocks
TeacherNetwork = Literal["r2plus1d_18", "r3d_18", "mc3_18", "s3d", "mvit_v2_s", "swin3d_t"]  # torchvision's names


class Section(BaseModel):
    """A frozen part of the configuration that takes no key it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _named_file(weights: str) -> tuple[Path, ...]:
    """The file of weights, if it is one that is named: torchvision's names are capital letters, digits and underscores."""
    return () if re.fullmatch(r"[A-Z0-9_]+|train|none", weights) else (Path(weights),)


# ---- videos -----------------------------------------------------------------------------------------------------------


PARTS: tuple[Literal["fit", "test"], ...] = ("fit", "test")  # of a data set: train and val, which networks are fitted with


class Dataset(Section):
    """What every data set has: its role in the chain and the number of jobs its videos are cut into."""

    role: Literal["source", "target", "both"]  # distilled from; skimmed and evaluated; or both
    shards: Count  # sets of train and val videos, by a stable hash of the video's id: the unit of one job
    test_shards: Count | None = None  # sets of test videos, which nothing is fitted to; without a number a quarter as many

    def shard_names(self, part: Literal["fit", "test"]) -> tuple[str, ...]:
        """The names of the shards of train and val videos, or of those of test videos."""
        count = self.shards if part == "fit" else self.test_shards or -(-self.shards // 4)
        digits = max(3, len(str(count - 1)))
        return tuple(f"{'shard' if part == 'fit' else 'test'}-{number:0{digits}d}" for number in range(count))

    @property
    def annotation_files(self) -> tuple[Path, ...]:
        """The lists and tables it is told by: what is listed depends on them."""
        return ()


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

    @property
    def annotation_files(self) -> tuple[Path, ...]:
        """The table of groups, if there is one."""
        return (self.groups.table,) if self.groups else ()


class ListedDataset(Dataset):
    """Videos in a folder, in whatever layout below it, told apart by lists: a file is found by its name."""

    folder: Path
    val_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.1  # of training, set aside where the lists have no videos to validate


class ActivityNetDataset(Dataset):
    """ActivityNet v1.3: the official JSON and a folder with `v_<id>.mp4|mkv|webm`."""

    adapter: Literal["activitynet"]
    folder: Path
    annotations: Path
    subsets: Path | None = None  # a csv with columns video and subset, for a JSON that is a mere dictionary of videos

    @property
    def annotation_files(self) -> tuple[Path, ...]:
        """The annotations, and the table of subsets if there is one."""
        return tuple(path for path in (self.annotations, self.subsets) if path)


class Ucf101Dataset(ListedDataset):
    """UCF-101: `classInd.txt`, `trainlist01.txt` and so on in one folder, the videos in another."""

    adapter: Literal["ucf101"]
    lists: Path
    division: Literal[1, 2, 3] = 1  # which of the three official ones into training and test

    @property
    def annotation_files(self) -> tuple[Path, ...]:
        """The classes, the training list and the test list."""
        names = ("classInd.txt", f"trainlist{self.division:02d}.txt", f"testlist{self.division:02d}.txt")
        return tuple(self.lists / name for name in names)


class Hmdb51Dataset(ListedDataset):
    """HMDB51: the folder of lists `<class>_test_split1.txt` and so on, the videos in another."""

    adapter: Literal["hmdb51"]
    lists: Path
    division: Literal[1, 2, 3] = 1

    @property
    def annotation_files(self) -> tuple[Path, ...]:
        """The folder of lists, of which there is one a class."""
        return (self.lists,)


class KineticsDataset(ListedDataset):
    """Kinetics-400, -600 or -700: csv files with columns label, youtube_id, time_start, time_end, split."""

    adapter: Literal["kinetics"]
    annotations: Annotated[tuple[Path, ...], Field(min_length=1)]

    @property
    def annotation_files(self) -> tuple[Path, ...]:
        """The csv files."""
        return self.annotations


class KineticsSoundsDataset(ListedDataset):
    """Kinetics-Sounds: either Kinetics' csv files and one of the published choices of classes, or lists `id,seconds,number`."""

    adapter: Literal["kinetics_sounds"]
    annotations: tuple[Path, ...] = ()  # Kinetics' own csv files, of which the classes are kept
    classes: Literal[31, 32, 34] | Path = 31  # how many of the published names; for lists, the file that names their numbers
    train: Path | None = None  # lists as those of OGM-GE
    test: Path | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> "KineticsSoundsDataset":
        lists = [path for path in (self.train, self.test) if path]
        if bool(lists) == bool(self.annotations):
            raise ValueError("give either `annotations` (csv files of Kinetics) or lists as `train` and `test`")
        if lists and isinstance(self.classes, int):
            raise ValueError("lists hold numbers: `classes` has to be the file that says which class each number is")
        return self

    @property
    def annotation_files(self) -> tuple[Path, ...]:
        """The csv files or the lists, and the file of classes if there is one."""
        named = self.classes if isinstance(self.classes, Path) else None
        return tuple(path for path in (*self.annotations, self.train, self.test, named) if path)


class MiniSports1mDataset(ListedDataset):
    """Mini-Sports1M: lists of Sports-1M, a URL and numbers of classes a line, from which videos of each class are drawn."""

    adapter: Literal["mini_sports1m"]
    classes: Path  # labels.txt: a name a line, counted from 0
    train: Path  # train_partition.txt, or a list that is drawn already
    test: Path
    draw: bool = True  # False: every video of both lists is taken
    durations: Path | Literal["declared"] = "declared"  # a table (id, seconds) without header; or as the files at hand declare
    min_seconds: Annotated[float, Field(ge=0)] = 120
    max_seconds: Annotated[float, Field(gt=0)] = 300
    train_videos: Count = 30  # of each class
    test_videos: Count = 10

    @property
    def annotation_files(self) -> tuple[Path, ...]:
        """The classes, both lists and the table of durations if it is read."""
        durations = (self.durations,) if self.draw and isinstance(self.durations, Path) else ()
        return (self.classes, self.train, self.test, *durations)


class VggSoundDataset(ListedDataset):
    """VGGSound: the csv without header of all videos (id, second, label, split), or those of one split (file, label)."""

    adapter: Literal["vggsound"]
    annotations: Path | None = None
    train: Path | None = None
    test: Path | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> "VggSoundDataset":
        if bool(self.annotations) == bool(self.train or self.test):
            raise ValueError("give either `annotations` (all videos, with their split) or lists as `train` and `test`")
        return self

    @property
    def annotation_files(self) -> tuple[Path, ...]:
        """Those of the csv files that are given."""
        return tuple(path for path in (self.annotations, self.train, self.test) if path)


class AveDataset(ListedDataset):
    """AVE: trainSet.txt, valSet.txt and testSet.txt, `class&id&quality&start&end` a line."""

    adapter: Literal["ave"]
    train: Path
    val: Path | None = None
    test: Path

    @property
    def annotation_files(self) -> tuple[Path, ...]:
        """The lists."""
        return tuple(path for path in (self.train, self.val, self.test) if path)


class Mmaction2Dataset(ListedDataset):
    """Lists of mmaction2, `path number` a line."""

    adapter: Literal["mmaction2"]
    classes: Path  # which class each number is: `number name` a line, a csv, or names alone, counted from 0
    train: Path
    val: Path | None = None
    test: Path | None = None

    @property
    def annotation_files(self) -> tuple[Path, ...]:
        """The classes and the lists."""
        return tuple(path for path in (self.classes, self.train, self.val, self.test) if path)


class TableDataset(ListedDataset):
    """A csv or tsv with any columns; without a header they are called "0", "1" and so on."""

    adapter: Literal["table"]
    tables: Annotated[tuple[Path, ...], Field(min_length=1)]  # one below the other
    delimiter: Annotated[str, Field(max_length=1)] = ""  # empty: a tab for .tsv, else a comma
    header: bool = True
    video_column: str  # the file: its name or path, with or without suffix
    label_column: str  # a name; or a number, where `classes` is given
    number_column: str | None = None  # of the class, where names are told as well: both have to agree with `classes`
    classes: Path | None = None  # which class each number is
    split_column: str | None = None  # without one the videos are split here, seeded
    group_column: str | None = None  # videos that may not be divided over splits
    start_column: str | None = None  # seconds; a row is then a labelled span of its video
    end_column: str | None = None
    test_fraction: Fraction01 = 0.25  # of the groups, or of each class's videos; not read where splits are told

    @model_validator(mode="after")
    def _pairs(self) -> "TableDataset":
        if (self.start_column is None) != (self.end_column is None):
            raise ValueError("start_column and end_column go together")
        if self.number_column is not None and self.classes is None:
            raise ValueError("number_column needs `classes`, the file that says which class each number is")
        return self

    @property
    def annotation_files(self) -> tuple[Path, ...]:
        """The tables, and the file of classes if there is one."""
        return (*self.tables, *([self.classes] if self.classes else []))


_Listed = (
    Ucf101Dataset
    | Hmdb51Dataset
    | KineticsDataset
    | KineticsSoundsDataset
    | MiniSports1mDataset
    | VggSoundDataset
    | AveDataset
    | Mmaction2Dataset
    | TableDataset
)
AnyDataset = Annotated[DemoDataset | FolderDataset | ActivityNetDataset | _Listed, Field(discriminator="adapter")]


# ---- the stages, in the order of the chain -----------------------------------------------------------------------------


class Manifest(Section):
    """How the videos are listed and when a data set counts as too damaged to go on."""

    max_bad_fraction: Fraction01 = 0.1  # of a data set's videos that may be unusable, before and after decoding


class Media(Section):
    """What is kept of each video: pictures on the 30 fps grid and mono 16 kHz sound."""

    resize_pixels: tuple[Count, Count] | Count = (128, 171)  # height, width before the central crop; or of the shorter side
    frame_pixels: Count = 112  # side of the central crop
    clip_frames: Count = 16  # pictures of a clip
    clip_stride: Count = 2  # of the 30 fps grid, from one to the next
    clips: Literal["stored", "decoded"] = "stored"  # of a source: kept on disk, or decoded for the teacher and dropped
    jpeg_quality: Annotated[int, Field(ge=1, le=100)] | Literal["lossless"] = 95
    time_limit_seconds: Annotated[float, Field(gt=0)] = 3600  # for one video

    @model_validator(mode="after")
    def _whole(self) -> "Media":
        ClipGrid(self.clip_frames, self.clip_stride)
        if self.frame_pixels > (self.resize_pixels if isinstance(self.resize_pixels, int) else min(self.resize_pixels)):
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
    accumulate: Count = 1  # parts a batch is computed in, one after another, where a GPU is small; batch norm sees a part
    bfloat16: bool = False  # networks compute in it on a GPU; losses, weights and sums stay in float32

    @model_validator(mode="after")
    def _two_in_a_part(self) -> "Fitting":
        if self.batch_size < 2 * self.accumulate:
            raise ValueError(
                f"batch_size {self.batch_size} is less than two entries in each of {self.accumulate} parts (accumulate)"
            )
        return self

    @model_validator(mode="after")
    def _milestones_inside(self) -> "Fitting":
        if list(self.milestones) != sorted(self.milestones) or any(m >= self.epochs for m in self.milestones):
            raise ValueError(f"milestones {self.milestones} must rise and lie before epoch {self.epochs}")
        return self


class Teacher(Section):
    """One of torchvision's video classifiers. `weights` is `train`, a name of torchvision's, or a file with its state dict."""

    network: TeacherNetwork = "r2plus1d_18"  # paper; the others want other media and give other descriptors
    weights: str = "KINETICS400_V1"
    widths: Four = RESNET_18  # of R(2+1)D: channels of the four stages; torchvision's weights need these
    blocks: Four = TWO_EACH
    batch_clips: Count = 16
    fit: Fitting | None = None  # only for `train`

    @model_validator(mode="after")
    def _fit_if_trained(self) -> "Teacher":
        if (self.weights == "train") != (self.fit is not None):
            raise ValueError("`fit` belongs to weights: train, and only to that")
        if self.network != "r2plus1d_18" and (self.widths, self.blocks) != (RESNET_18, TWO_EACH):
            raise ValueError("`widths` and `blocks` belong to network: r2plus1d_18, and only to that")
        return self

    @property
    def weights_files(self) -> tuple[Path, ...]:
        """The file of weights, if that is what is named."""
        return _named_file(self.weights)


class Student(Section):
    """ImgAud2Vid: its networks, its distillation from the teacher and its fine-tuning on the target's labels."""

    modalities: Annotated[tuple[Modality, ...], Field(min_length=1, max_length=2)] = ("image", "audio")
    image_widths: Four = RESNET_18
    audio_widths: Four = RESNET_18
    blocks: Four = TWO_EACH
    image_start: str = "none"  # of the image trunk: drawn; a name of torchvision's for ResNet-18; or a file with its state dict
    stream_width: Count | None = None  # of a feature; supplement: 256, by a linear layer; public code: the trunk's own 512
    audio_stem_stride: Literal[1, 2] = 1  # supplement: 2; public code: 1
    time_pooling: Literal["mean", "max"] = "mean"  # supplement: mean; public code: max
    soft_weight: Annotated[float, Field(ge=0)] = 100  # lambda, of the soft cross-entropy beside L1
    batch_moments: Count = 64  # when nothing is fitted
    distil: Fitting
    finetune: Fitting

    @property
    def weights_files(self) -> tuple[Path, ...]:
        """The file that the image trunk starts from, if one is named."""
        return _named_file(self.image_start)


class Features(Section):
    """What the skimmer reads of a moment; kept in Zarr."""

    dtype: Literal["float16", "float32"] = "float16"
    chunk_moments: Count = 2048


class Variant(Section):
    """What a skimmer reads, where that is other than the features of the student's modalities, found and fused by themselves."""

    recognition: tuple[FeatureName, ...] = ()  # what is averaged and classified; empty: the student's modalities, through Psi
    indexing: tuple[FeatureName, ...] = ()  # by which moments are found, and what the LSTM reads; empty: those of recognition
    selected: bool = False  # recognition features are those of the T selected moments, not means weighed over all moments

    @property
    def features(self) -> tuple[FeatureName, ...]:
        """All that it names."""
        return (*self.recognition, *self.indexing)


PLAIN = Variant()
VARIANTS: Mapping[str, Variant] = {
    "visual_indexing": Variant(indexing=("image",)),  # supplement, G.1: where to look is chosen by the image alone
    "single_query": Variant(recognition=("fused",)),  # G.2: one query, one key a moment, of the fused feature
    "image": Variant(recognition=("image",)),  # D: a single modality
    "audio": Variant(recognition=("audio",)),
    "image_then_fused": Variant(recognition=("fused",), indexing=("image",), selected=True),  # cheap to index, dear to recognise
    "fused_then_teacher": Variant(recognition=("teacher",), indexing=("fused",), selected=True),
}


class Skimmer(Section):
    """ImgAud-Skimming: the attention LSTM."""

    hidden: Count = 1024  # of the LSTM
    key: Count = 512  # width of queries and keys
    query_hidden: Count = 1024  # between the two layers of a query MLP
    steps: Count = 10  # T
    read_factors: Annotated[tuple[Count, ...], Field(min_length=1)] = (1,)  # in training, one is drawn each time a video is read
    fusion_rate: Annotated[float, Field(ge=0)] = 0  # learning rate of Psi relative to the rest; 0: as the student left it
    classifier_rate: Annotated[float, Field(ge=0)] = 0.1  # of the classifier, relative to the rest
    cache_bytes: Annotated[int, Field(ge=0)] = 4 << 30  # of features kept in memory; the others are read each time
    fit: Fitting
    variants: dict[Name, Variant] = {}  # further ones by name, beside `VARIANTS`; see evaluation.variants

    @model_validator(mode="after")
    def _new_names(self) -> "Skimmer":
        taken = {"skimmer", "lstm", "non_recurrent", *VARIANTS} & set(self.variants)
        if taken:
            raise ValueError(f"variants: {min(taken)} is one of l2l's own; give yours another name")
        return self

    @property
    def all_variants(self) -> Mapping[str, Variant]:
        """The paper's and those of this configuration, by name."""
        return {**VARIANTS, **self.variants}


class Evaluation(Section):
    """Table 1 and the clip-level table."""

    moments: Count = 10  # looked at by the methods that pick
    sparse_factor: Annotated[int, Field(ge=2)] = 5  # ours sparse reads features of one moment in so many
    random_draws: Count = 10  # over which the random choice is averaged
    # Skimmers compared in ablations.tsv and recognition.tsv, each one more fit; none told: those of G.1 and G.2, if the
    # student has two modalities. One that reads `teacher` has it describe all moments of the target (in the paper 40 GMACs each).
    variants: tuple[Name, ...] | None = None


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

    @model_validator(mode="after")
    def _known_variants(self) -> "Config":
        for name in self.compared:
            if name not in self.skimmer.all_variants:
                raise ValueError(f"evaluation.variants: no {name}; expected some of {', '.join(self.skimmer.all_variants)}")
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
