"""The `videos` section of the configuration.

What is told of a data set, a class for each adapter of `l2l/manifest/adapters`.
"""

from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from l2l.sections import Count, Fraction01, Section

PARTS: tuple[Literal["train_val", "test"], ...] = (
    "train_val",
    "test",
)  # of a data set: train and val, which networks are fitted with


class Dataset(Section):
    """What every data set has: its role in the chain and the number of jobs its videos are cut
    into.
    """

    role: Literal["source", "target", "both"]  # distilled from; skimmed and evaluated; or both
    # sets of train and val videos, by a stable hash of the video's id: the unit of one job
    shards: Count
    test_shards: Count | None = (
        None  # sets of test videos, which nothing is fitted to; without a number a quarter as many
    )

    def shard_names(self, part: Literal["train_val", "test"]) -> tuple[str, ...]:
        """The names of the shards of train and val videos, or of those of test videos."""
        count = self.shards if part == "train_val" else self.test_shards or -(-self.shards // 4)
        digits = max(3, len(str(count - 1)))
        return tuple(
            f"{'shard' if part == 'train_val' else 'test'}-{number:0{digits}d}"
            for number in range(count)
        )

    @property
    def annotation_files(self) -> tuple[Path, ...]:
        """The lists and tables it is told by: what is listed depends on them."""
        return ()


class DemoDataset(Dataset):
    """Videos drawn by l2l itself: `l2l.demo`."""

    adapter: Literal["demo"]
    kind: Literal[
        "clips", "untrimmed"
    ]  # one action each; or an action amid distraction and adverts
    train: Count  # videos of each split
    val: Count
    test: Count
    min_seconds: Annotated[float, Field(ge=1.5)]  # shortest and longest video
    max_seconds: Annotated[float, Field(ge=1.5)]
    side_pixels: Annotated[int, Field(ge=16, multiple_of=2)] = 64

    @model_validator(mode="after")
    def _ordered(self) -> "DemoDataset":
        if self.min_seconds > self.max_seconds:
            raise ValueError(
                f"min_seconds {self.min_seconds} is above max_seconds {self.max_seconds}"
            )
        return self


class GroupTable(Section):
    """A tab-separated table that says which videos belong together, so that no group is split over
    train, val and test.
    """

    table: Path
    file_column: str = "file"  # the video's path, relative to the table's folder
    group_column: str = "group"


class FolderDataset(Dataset):
    """A folder of `split/class/*` or `class/*`.

    The latter is split here, seeded, by group where a table names groups.
    """

    adapter: Literal["folder"]
    folder: Path
    val_fraction: Fraction01 = (
        0.15  # of the groups, or of each class's videos; not read for split/class/*
    )
    test_fraction: Fraction01 = 0.25
    groups: GroupTable | None = None

    @property
    def annotation_files(self) -> tuple[Path, ...]:
        """The table of groups, if there is one."""
        return (self.groups.table,) if self.groups else ()


class ListedDataset(Dataset):
    """Videos in a folder, in whatever layout below it, told apart by lists.

    A file is found by its name.
    """

    folder: Path
    val_fraction: Annotated[float, Field(ge=0, lt=1)] = (
        0.1  # of training, set aside where the lists have no videos to validate
    )


class ActivityNetDataset(Dataset):
    """ActivityNet v1.3: the official JSON and a folder with `v_<id>.mp4|mkv|webm`."""

    adapter: Literal["activitynet"]
    folder: Path
    annotations: Path
    subsets: Path | None = (
        None  # a csv with columns video and subset, for a JSON that is a mere dictionary of videos
    )

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
        names = (
            "classInd.txt",
            f"trainlist{self.division:02d}.txt",
            f"testlist{self.division:02d}.txt",
        )
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
    """Kinetics-400, -600 or -700.

    Csv files with columns label, youtube_id, time_start, time_end, split.
    """

    adapter: Literal["kinetics"]
    annotations: Annotated[tuple[Path, ...], Field(min_length=1)]

    @property
    def annotation_files(self) -> tuple[Path, ...]:
        """The csv files."""
        return self.annotations


class KineticsSoundsDataset(ListedDataset):
    """Kinetics-Sounds: either Kinetics' csv files and one of the published choices of classes, or
    lists `id,seconds,number`.
    """

    adapter: Literal["kinetics_sounds"]
    annotations: tuple[Path, ...] = ()  # Kinetics' own csv files, of which the classes are kept
    classes: Literal[31, 32, 34] | Path = (
        31  # how many of the published names; for lists, the file that names their numbers
    )
    train: Path | None = None  # lists as those of OGM-GE
    test: Path | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> "KineticsSoundsDataset":
        lists = [path for path in (self.train, self.test) if path]
        if bool(lists) == bool(self.annotations):
            raise ValueError(
                "give either `annotations` (csv files of Kinetics) or lists as `train` and `test`"
            )
        if lists and isinstance(self.classes, int):
            raise ValueError(
                "lists hold numbers: `classes` has to be the file that says which class each "
                "number is"
            )
        return self

    @property
    def annotation_files(self) -> tuple[Path, ...]:
        """The csv files or the lists, and the file of classes if there is one."""
        named = self.classes if isinstance(self.classes, Path) else None
        return tuple(path for path in (*self.annotations, self.train, self.test, named) if path)


class MiniSports1mDataset(ListedDataset):
    """Mini-Sports1M: lists of Sports-1M, a URL and numbers of classes a line, from which videos of
    each class are drawn.
    """

    adapter: Literal["mini_sports1m"]
    classes: Path  # labels.txt: a name a line, counted from 0
    train: Path  # train_partition.txt, or a list that is drawn already
    test: Path
    draw: bool = True  # False: every video of both lists is taken
    durations: Path | Literal["declared"] = (
        "declared"  # a table (id, seconds) without header; or as the files at hand declare
    )
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
    """VGGSound: the csv without header of all videos (id, second, label, split), or those of one
    split (file, label).
    """

    adapter: Literal["vggsound"]
    annotations: Path | None = None
    train: Path | None = None
    test: Path | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> "VggSoundDataset":
        if bool(self.annotations) == bool(self.train or self.test):
            raise ValueError(
                "give either `annotations` (all videos, with their split) or lists as `train` and "
                "`test`"
            )
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
    # which class each number is: `number name` a line, a csv, or names alone, counted from 0
    classes: Path
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
    number_column: str | None = (
        None  # of the class, where names are told as well: both have to agree with `classes`
    )
    classes: Path | None = None  # which class each number is
    split_column: str | None = None  # without one the videos are split here, seeded
    group_column: str | None = None  # videos that may not be divided over splits
    start_column: str | None = None  # seconds; a row is then a labelled span of its video
    end_column: str | None = None
    test_fraction: Fraction01 = (
        0.25  # of the groups, or of each class's videos; not read where splits are told
    )

    @model_validator(mode="after")
    def _pairs(self) -> "TableDataset":
        if (self.start_column is None) != (self.end_column is None):
            raise ValueError("start_column and end_column go together")
        if self.number_column is not None and self.classes is None:
            raise ValueError(
                "number_column needs `classes`, the file that says which class each number is"
            )
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
_Any = DemoDataset | FolderDataset | ActivityNetDataset | _Listed
AnyDataset = Annotated[_Any, Field(discriminator="adapter")]
BY_ADAPTER: dict[str, type[Dataset]] = {
    get_args(each.model_fields["adapter"].annotation)[0]: each for each in get_args(_Any)
}
