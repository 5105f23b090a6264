"""The `videos` section of the configuration: one class per adapter of `l2l/manifest/adapters`."""

from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from l2l.sections import Count, Fraction01, Section

# The two parts of a data set: networks are trained on the first only.
PARTS: tuple[Literal["train_val", "test"], ...] = ("train_val", "test")


class Dataset(Section):
    """What every data set has: its role in the chain and the number of its shards."""

    role: Literal["source", "target", "both", "apply"] = Field(
        description="What the data set is for: `source`, that the student is distilled from; "
        "`target`, that is skimmed and evaluated; `both`; or `apply`, that a finished run answers "
        "for: its labels and splits, if it has any, are not read."
    )
    shards: Count = Field(
        description="Number of shards of the train and val videos; a video's shard is a stable "
        "hash of its id. A shard is the unit of one job."
    )
    test_shards: Count | None = Field(
        default=None,
        description="Number of shards of the test videos; `null`: a quarter of `shards`.",
    )

    def shard_names(self, part: Literal["train_val", "test"]) -> tuple[str, ...]:
        """The names of the shards of train and val videos, or of those of test videos.

        A data set of role `apply` has no splits: all of its videos are in the former.
        """
        if self.role == "apply" and part == "test":
            return ()
        count = self.shards if part == "train_val" else self.test_shards or -(-self.shards // 4)
        digits = max(3, len(str(count - 1)))
        return tuple(
            f"{'shard' if part == 'train_val' else 'test'}-{number:0{digits}d}"
            for number in range(count)
        )

    @property
    def annotation_files(self) -> tuple[Path, ...]:
        """The lists and tables that name its videos: what is listed depends on them."""
        return ()


class DemoDataset(Dataset):
    """Videos drawn by l2l itself: `l2l.demo`."""

    adapter: Literal["demo"] = Field(description="Videos drawn by l2l itself.")
    kind: Literal["clips", "untrimmed"] = Field(
        description="`clips`: one action each; `untrimmed`: an action among distraction and "
        "adverts."
    )
    train: Count = Field(description="Number of train videos.")
    val: Count = Field(description="Number of val videos.")
    test: Count = Field(description="Number of test videos.")
    min_seconds: Annotated[float, Field(ge=1.5)] = Field(
        description="Shortest length of a video, in seconds."
    )
    max_seconds: Annotated[float, Field(ge=1.5)] = Field(
        description="Longest length of a video, in seconds."
    )
    side_pixels: Annotated[int, Field(ge=16, multiple_of=2)] = Field(
        default=64, description="Side of the square pictures, in pixels."
    )
    action_seconds: Annotated[float, Field(ge=1.1)] | None = Field(
        default=None,
        description="Length of each scene of the action of an untrimmed video, in seconds; there "
        "are one or two. `null`: together about a quarter of the video.",
    )

    @model_validator(mode="after")
    def _ordered(self) -> "DemoDataset":
        if self.min_seconds > self.max_seconds:
            raise ValueError(
                f"min_seconds {self.min_seconds} is above max_seconds {self.max_seconds}"
            )
        return self

    @model_validator(mode="after")
    def _action_fits(self) -> "DemoDataset":
        if self.action_seconds is None:
            return self
        if self.kind == "clips":
            raise ValueError(
                "action_seconds: found with kind clips, which are one action from end to end; "
                "expected it with untrimmed"
            )
        if self.action_seconds > self.min_seconds / 4:
            raise ValueError(
                f"action_seconds {self.action_seconds} is above a quarter of min_seconds "
                f"{self.min_seconds}: two of them may fill half of a video, and no more"
            )
        return self


class GroupTable(Section):
    """A tab-separated table of groups of videos; no group is divided over splits."""

    table: Path = Field(
        description="Tab-separated table of videos and their groups; no group is divided over "
        "splits."
    )
    file_column: str = Field(
        default="file",
        description="Column with a video's path, relative to the folder of the table.",
    )
    group_column: str = Field(default="group", description="Column with the group's name.")


class FolderDataset(Dataset):
    """A folder of `split/class/*` or `class/*`; of role `apply`, a folder in any layout.

    The latter of the two is split here, seeded, by group where a table names groups.
    """

    adapter: Literal["folder"] = Field(
        description="A folder `split/class/*`, or `class/*`, which is split by l2l; of role "
        "`apply`, a folder with videos in any layout below it."
    )
    folder: Path = Field(description="The folder of the videos.")
    val_fraction: Fraction01 = Field(
        default=0.15,
        description="Fraction of each class's videos (of the groups, if there are any) that "
        "becomes val; not read for `split/class/*`.",
    )
    test_fraction: Fraction01 = Field(
        default=0.25,
        description="Fraction that becomes test, counted in the same way; not read for "
        "`split/class/*`.",
    )
    groups: GroupTable | None = Field(
        default=None, description="Which videos must stay in one split; `null`: each for itself."
    )

    @property
    def annotation_files(self) -> tuple[Path, ...]:
        """The table of groups, if there is one."""
        return (self.groups.table,) if self.groups else ()


class ListedDataset(Dataset):
    """Videos in a folder, in any layout below it, named by lists."""

    folder: Path = Field(
        description="The folder of the videos, in any layout below it: a file is found by its name."
    )
    val_fraction: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.1,
        description="Fraction of the training videos that becomes val where the lists name no "
        "val videos.",
    )


class ActivityNetDataset(Dataset):
    """ActivityNet v1.3: the official JSON and a folder with `v_<id>.mp4|mkv|webm`."""

    adapter: Literal["activitynet"] = Field(description="ActivityNet v1.3.")
    folder: Path = Field(description="The folder of files `v_<id>.mp4`, `.mkv` or `.webm`.")
    annotations: Path = Field(description="The official JSON.")
    subsets: Path | None = Field(
        default=None,
        description="A csv with columns video and subset, for a JSON that is only a dictionary "
        "of videos; `null`: the JSON names them.",
    )
    val_fraction: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.1,
        description="Fraction of the training videos that becomes val, where training is watched. "
        "Its validation videos are the test split. Paper: 0 (all training videos are trained on).",
    )

    @property
    def annotation_files(self) -> tuple[Path, ...]:
        """The annotations, and the table of subsets if there is one."""
        return tuple(path for path in (self.annotations, self.subsets) if path)


class Ucf101Dataset(ListedDataset):
    """UCF-101: `classInd.txt`, `trainlist01.txt` and so on in one folder, the videos in another."""

    adapter: Literal["ucf101"] = Field(description="UCF-101.")
    lists: Path = Field(
        description="The folder of the official lists: classInd.txt, trainlist01.txt, ..."
    )
    division: Literal[1, 2, 3] = Field(
        default=1, description="Which of the three official divisions into training and test."
    )

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

    adapter: Literal["hmdb51"] = Field(description="HMDB51.")
    lists: Path = Field(
        description="The folder of the official lists: <class>_test_split1.txt, ..."
    )
    division: Literal[1, 2, 3] = Field(
        default=1, description="Which of the three official divisions into training and test."
    )

    @property
    def annotation_files(self) -> tuple[Path, ...]:
        """The folder of lists, one per class."""
        return (self.lists,)


class KineticsDataset(ListedDataset):
    """Kinetics-400, -600 or -700.

    Csv files with columns label, youtube_id, time_start, time_end, split.
    """

    adapter: Literal["kinetics"] = Field(description="Kinetics-400, -600 or -700.")
    annotations: Annotated[tuple[Path, ...], Field(min_length=1)] = Field(
        description="The csv files, with columns label, youtube_id, time_start, time_end, split."
    )

    @property
    def annotation_files(self) -> tuple[Path, ...]:
        """The csv files."""
        return self.annotations


class KineticsSoundsDataset(ListedDataset):
    """Kinetics-Sounds: either Kinetics' csv files and one of the published choices of classes, or
    lists `id,seconds,number`.
    """

    adapter: Literal["kinetics_sounds"] = Field(
        description="Kinetics-Sounds: csv files of Kinetics with a published choice of classes, "
        "or lists `id,seconds,number`."
    )
    annotations: tuple[Path, ...] = Field(
        default=(), description="The csv files of Kinetics; empty if `train` and `test` are given."
    )
    classes: Literal[31, 32, 34] | Path = Field(
        default=31,
        description="How many of the published classes; for lists, the file that names the "
        "class of each number.",
    )
    train: Path | None = Field(default=None, description="List of train videos, as of OGM-GE.")
    test: Path | None = Field(default=None, description="List of test videos, as of OGM-GE.")

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
    """Mini-Sports1M: lists of Sports-1M (per line a URL and numbers of classes), from which videos
    of each class are drawn.
    """

    adapter: Literal["mini_sports1m"] = Field(
        description="Mini-Sports1M: videos drawn from the lists of Sports-1M."
    )
    classes: Path = Field(description="labels.txt: one name per line, numbered from 0.")
    train: Path = Field(description="train_partition.txt, or a list that is already drawn.")
    test: Path = Field(description="test_partition.txt, or a list that is already drawn.")
    draw: bool = Field(
        default=True,
        description="Whether `train_videos` and `test_videos` of each class are drawn, with the "
        "run's seed; false: all videos of both lists.",
    )
    durations: Path | Literal["declared"] = Field(
        default="declared",
        description="A table of ids and seconds without a header; or `declared`: the length "
        "that each file declares.",
    )
    min_seconds: Annotated[float, Field(ge=0)] = Field(
        default=120, description="Shortest length of a drawn video, in seconds."
    )
    max_seconds: Annotated[float, Field(gt=0)] = Field(
        default=300, description="Longest length of a drawn video, in seconds."
    )
    train_videos: Count = Field(default=30, description="Drawn train videos per class. Paper: 30.")
    test_videos: Count = Field(default=10, description="Drawn test videos per class. Paper: 10.")

    @property
    def annotation_files(self) -> tuple[Path, ...]:
        """The classes, both lists and the table of durations if it is read."""
        durations = (self.durations,) if self.draw and isinstance(self.durations, Path) else ()
        return (self.classes, self.train, self.test, *durations)


class VggSoundDataset(ListedDataset):
    """VGGSound: the csv without header of all videos (id, second, label, split), or those of one
    split (file, label).
    """

    adapter: Literal["vggsound"] = Field(description="VGGSound.")
    annotations: Path | None = Field(
        default=None,
        description="The csv of all videos (id, second, label, split), without a header.",
    )
    train: Path | None = Field(
        default=None, description="The csv of the train videos (file, label), without a header."
    )
    test: Path | None = Field(
        default=None, description="The csv of the test videos (file, label), without a header."
    )

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
    """AVE: trainSet.txt, valSet.txt and testSet.txt, `class&id&quality&start&end` per line."""

    adapter: Literal["ave"] = Field(description="AVE.")
    train: Path = Field(description="trainSet.txt: `class&id&quality&start&end` per line.")
    val: Path | None = Field(
        default=None, description="valSet.txt; `null`: val is taken from training."
    )
    test: Path = Field(description="testSet.txt.")

    @property
    def annotation_files(self) -> tuple[Path, ...]:
        """The lists."""
        return tuple(path for path in (self.train, self.val, self.test) if path)


class Mmaction2Dataset(ListedDataset):
    """Lists of mmaction2, `path number` per line."""

    adapter: Literal["mmaction2"] = Field(description="Lists of mmaction2, `path number` per line.")
    classes: Path = Field(
        description="The file that names the class of each number: `number name` per line, a "
        "csv, or only names, numbered from 0."
    )
    train: Path = Field(description="List of train videos.")
    val: Path | None = Field(
        default=None, description="List of val videos; `null`: val is taken from training."
    )
    test: Path | None = Field(default=None, description="List of test videos.")

    @property
    def annotation_files(self) -> tuple[Path, ...]:
        """The classes and the lists."""
        return tuple(path for path in (self.classes, self.train, self.val, self.test) if path)


class TableDataset(ListedDataset):
    """A csv or tsv with any columns; without a header they are called "0", "1" and so on."""

    adapter: Literal["table"] = Field(description="A csv or tsv with any columns.")
    tables: Annotated[tuple[Path, ...], Field(min_length=1)] = Field(
        description="The tables, read one after another; without a header the columns are "
        'called "0", "1" and so on.'
    )
    delimiter: Annotated[str, Field(max_length=1)] = Field(
        default="", description="One character between cells; empty: a tab for .tsv, else a comma."
    )
    header: bool = Field(default=True, description="Whether the first line names the columns.")
    video_column: str = Field(
        description="Column with the name or path of the file, with or without suffix."
    )
    label_column: str | None = Field(
        default=None,
        description="Column with the class: a name, or a number where `classes` is given; `null` "
        "only with role `apply`.",
    )
    number_column: str | None = Field(
        default=None,
        description="Column with the number of the class, where there are names as well: both "
        "must agree with `classes`.",
    )
    classes: Path | None = Field(
        default=None, description="The file that names the class of each number."
    )
    split_column: str | None = Field(
        default=None,
        description="Column with train, val or test; `null`: the videos are split by l2l.",
    )
    group_column: str | None = Field(
        default=None, description="Column with the group, whose videos stay in one split."
    )
    start_column: str | None = Field(
        default=None,
        description="Column with the start of the labelled part, in seconds; `null`: the whole "
        "video.",
    )
    end_column: str | None = Field(
        default=None, description="Column with the end of the labelled part, in seconds."
    )
    test_fraction: Fraction01 = Field(
        default=0.25,
        description="Fraction of each class's videos (of the groups, if there are any) that "
        "becomes test; not read with `split_column`.",
    )

    @model_validator(mode="after")
    def _pairs(self) -> "TableDataset":
        if (self.start_column is None) != (self.end_column is None):
            raise ValueError("start_column and end_column go together")
        if self.label_column is None and self.role != "apply":
            raise ValueError(f"label_column: missing; a data set of role {self.role} needs labels")
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
