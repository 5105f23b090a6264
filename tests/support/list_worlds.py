"""The same videos, listed as each data set lists them."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hypothesis import strategies as st
from pydantic import TypeAdapter

from l2l.datasets import ActivityNetDataset, AnyDataset, FolderDataset
from l2l.manifest.artifact import Video
from l2l.manifest.listing import ADAPTERS

CLASS_NAMES = (
    "playing guitar",
    "ripping paper",
    "HandstandPushups",
    "wind, woodwind (low)",
    "3x3 (basketball)",
    "été",
)
IDS = st.text("-_aZ9", min_size=11, max_size=11)


@dataclass(frozen=True)
class Item:
    video: str
    label: str
    split: str
    present: bool


@st.composite
def worlds(draw) -> list[Item]:
    """Videos of a few classes; some have no file."""
    ids = draw(st.lists(IDS, unique=True, min_size=1, max_size=12))
    pick = st.tuples(
        st.sampled_from(CLASS_NAMES), st.sampled_from(("train", "train", "test")), st.booleans()
    )
    return [Item(video, *draw(pick)) for video in ids]


def section(adapter: str, **fields):
    values = {"adapter": adapter, "role": "both", "shards": 2, **fields}
    return TypeAdapter(AnyDataset).validate_json(json.dumps(values, default=str))


def listed(dataset, seed: int = 0) -> list[Video]:
    return ADAPTERS[dataset.adapter](dataset, seed)


def write(path: Path, *lines: str, end: str = "\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(line + end for line in lines).encode("utf-8", "surrogateescape"))
    return path


def quoted(*cells: str) -> str:
    return ",".join(f'"{cell}"' if "," in cell else cell for cell in cells)


def class_file(at: Path) -> Path:
    return write(
        at / "classes.txt", *(f"{number} {name}" for number, name in enumerate(CLASS_NAMES))
    )


# A writer puts a world's lists into a folder and gives the section to read them by, and for each
# video its id in the listing and its file's name without folder and suffix.
World = tuple[dict, dict[str, tuple[str, str]]]


def as_ucf101(at: Path, items: list[Item]) -> World:
    write(
        at / "classInd.txt",
        *(f"{n} {name}" for n, name in enumerate(CLASS_NAMES, start=1)),
        end="\r\n",
    )
    stems = {item.video: f"v_{item.label}_g{n % 3:02d}_c{n:02d}" for n, item in enumerate(items)}
    for split, of in (
        ("train", lambda i: f" {CLASS_NAMES.index(i.label) + 1}"),
        ("test", lambda i: ""),
    ):
        lines = [
            f"{item.label}/{stems[item.video]}.avi{of(item)}"
            for item in items
            if item.split == split
        ]
        write(
            at / f"{split}list01.txt",
            *(lines or [f"{CLASS_NAMES[0]}/v_absent_g00_c00.avi"]),
            "",
            end="\r\n",
        )
    names = {
        i.video: (f"{i.label}/{stems[i.video]}", stems[i.video].replace("HandstandP", "HandStandP"))
        for i in items
    }
    return {"adapter": "ucf101", "lists": at}, names


def as_hmdb51(at: Path, items: list[Item]) -> World:
    stems = {item.video: f"film{n % 3}_{item.label}_f_cm_{n}" for n, item in enumerate(items)}
    for label in {item.label for item in items}:
        lines = [
            f"{stems[i.video]}.avi {1 if i.split == 'train' else 2} "
            for i in items
            if i.label == label
        ]
        write(at / "lists" / f"{label}_test_split1.txt", *lines, "absent.avi 0")
    return {"adapter": "hmdb51", "lists": at / "lists"}, {
        i.video: (f"{i.label}/{stems[i.video]}", stems[i.video]) for i in items
    }


def as_kinetics(at: Path, items: list[Item]) -> World:
    lines = [
        quoted(item.label, item.video, str(n), str(n + 10), item.split, "0")
        for n, item in enumerate(items)
    ]
    path = write(at / "k.csv", "label,youtube_id,time_start,time_end,split,is_cc", *lines)
    clips = {item.video: f"{item.video}_{n:06d}_{n + 10:06d}" for n, item in enumerate(items)}
    return {"adapter": "kinetics", "annotations": [path]}, {
        video: (clip, clip) for video, clip in clips.items()
    }


def as_kinetics_with_bare_ids(at: Path, items: list[Item]) -> World:
    fields, names = as_kinetics(at, items)
    return fields, {video: (clip, video) for video, (clip, _) in names.items()}


def as_ogm_ge(at: Path, items: list[Item]) -> World:
    fields = {"adapter": "kinetics_sounds", "classes": class_file(at)}
    clips = {item.video: f"{item.video}_{n}" for n, item in enumerate(items)}
    for split in ("train", "test"):
        if of := [i for i in items if i.split == split]:
            lines = [f"{clips[i.video]},10,{CLASS_NAMES.index(i.label)}" for i in of]
            fields[split] = write(at / f"my_{split}.txt", *lines)
    return fields, {
        i.video: (clips[i.video], f"{i.video}_{n:06d}_{n + 10:06d}") for n, i in enumerate(items)
    }


def as_sports1m(at: Path, items: list[Item]) -> World:
    fields = {
        "adapter": "mini_sports1m",
        "draw": False,
        "classes": write(at / "labels.txt", *CLASS_NAMES),
    }
    for split in ("train", "test"):
        lines = [
            f"https://www.youtube.com/watch?v={i.video} {CLASS_NAMES.index(i.label)}"
            for i in items
            if i.split == split
        ]
        fields[split] = write(
            at / f"{split}_partition.txt", *(lines or ["https://www.youtube.com/watch?v=absent 0"])
        )
    return fields, {i.video: (i.video, i.video) for i in items}


def as_vggsound(at: Path, items: list[Item]) -> World:
    lines = [quoted(item.video, str(n), item.label, item.split) for n, item in enumerate(items)]
    clips = {item.video: f"{item.video}_{n:06d}" for n, item in enumerate(items)}
    return {"adapter": "vggsound", "annotations": write(at / "v.csv", *lines)}, {
        v: (clip, clip) for v, clip in clips.items()
    }


def as_ave(at: Path, items: list[Item]) -> World:
    fields = {"adapter": "ave"}
    for split in ("train", "test"):
        lines = [
            f"{i.label}&{i.video}&good&0&{n + 1}" for n, i in enumerate(items) if i.split == split
        ]
        fields[split] = write(
            at / f"{split}Set.txt", "Category&VideoID&Quality&StartTime&EndTime", *lines
        )
    return fields, {i.video: (i.video, i.video) for i in items}


def as_mmaction2(at: Path, items: list[Item]) -> World:
    fields = {"adapter": "mmaction2", "classes": class_file(at)}
    files = {i.video: f"data/{i.label.replace(' ', '_')}/{i.video} of mine.mp4" for i in items}
    for split in ("train", "test"):
        lines = [
            f"{files[i.video]} {CLASS_NAMES.index(i.label)}" for i in items if i.split == split
        ]
        fields[split] = write(at / f"{split}_list.txt", *(lines or ["data/absent.mp4 0"]))
    return fields, {i.video: (files[i.video], f"{i.video} of mine") for i in items}


def as_table(at: Path, items: list[Item]) -> World:
    lines = [f"{i.split}\t{i.label}\t{i.video}" for i in items]
    fields = {"video_column": "clip", "label_column": "what", "split_column": "part"}
    return {
        "adapter": "table",
        "tables": [write(at / "t.tsv", "part\twhat\tclip", *lines)],
        **fields,
    }, {i.video: (i.video, i.video) for i in items}


def as_table_of_numbers(at: Path, items: list[Item]) -> World:
    lines = [f"{i.video}|{CLASS_NAMES.index(i.label)}|{i.split}" for i in items]
    fields = {
        "video_column": "0",
        "label_column": "1",
        "split_column": "2",
        "header": False,
        "delimiter": "|",
    }
    return {
        "adapter": "table",
        "tables": [write(at / "t.csv", *lines)],
        "classes": class_file(at),
        **fields,
    }, {i.video: (i.video, i.video) for i in items}


def as_activitynet(at: Path, items: list[Item]) -> World:
    subsets = {"train": "training", "test": "validation"}
    database = {
        i.video: {
            "subset": subsets[i.split],
            "duration": 9.0,
            "annotations": [{"label": i.label, "segment": [1, 2]}],
        }
        for i in items
    }
    path = write(at / "anet.json", json.dumps({"version": "VERSION 1.3", "database": database}))
    return {"adapter": "activitynet", "annotations": path}, {
        i.video: (i.video, f"v_{i.video}") for i in items
    }


WRITERS: dict[str, Callable[[Path, list[Item]], World]] = {
    name.removeprefix("as_"): function
    for name, function in list(globals().items())
    if name.startswith("as_")
}
LAYOUTS = {
    "flat": lambda item: "",
    "class": lambda item: item.label,
    "class_with_underscores": lambda item: item.label.replace(" ", "_"),
    "split_and_class": lambda item: f"{item.split}/{item.label}",
    "split": lambda item: item.split,
}
# ids in these data sets bring the folder of their class, and 001 of one class is not 001 of another
IN_FOLDERS = {"ucf101", "hmdb51", "mmaction2"}


def put_files(
    folder: Path, items: list[Item], names: dict[str, tuple[str, str]], layout: str, suffix: str
) -> dict[str, Path]:
    files = {}
    for item in items:
        if item.present:
            path = folder / LAYOUTS[layout](item) / f"{names[item.video][1]}{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            files[names[item.video][0]] = path
    return files


def touch(folder: Path, *files: str) -> Path:
    """Make files that differ by their content."""
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(file.encode())
    return folder


def folder_dataset(folder: Path, **fields) -> FolderDataset:
    return FolderDataset(
        **{"adapter": "folder", "role": "both", "shards": 1, "folder": folder} | fields
    )


def table_of(folder: Path, table: Path, **fields):
    """A `table` section with the columns clip and action."""
    columns = {"video_column": "clip", "label_column": "action"}
    return section("table", folder=folder, tables=[table], **columns, **fields)


def mmaction(at: Path, *lines: str, classes: Path, folder: Path | None = None):
    return section(
        "mmaction2",
        folder=folder or at / "videos",
        classes=classes,
        train=write(at / "train.txt", *lines),
    )


def activitynet(folder: Path, database: dict) -> ActivityNetDataset:
    (folder / "anet.json").write_text(json.dumps(database))
    return ActivityNetDataset(
        adapter="activitynet",
        role="target",
        shards=2,
        folder=folder / "videos",
        annotations=folder / "anet.json",
    )


def entry(subset: str, *annotations: tuple[str, float, float], duration: float = 10.0) -> dict:
    return {
        "subset": subset,
        "duration": duration,
        "annotations": [
            {"label": label, "segment": [start, end]} for label, start, end in annotations
        ],
    }
