"""Adapters: data sets as people have them on disk all give the same listing, and nothing is
silently lost.
"""

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from l2l.config import ManifestConfig
from l2l.datasets import AnyDataset
from l2l.errors import BadInput
from l2l.manifest.adapters.kinetics_sounds import CLASSES
from l2l.manifest.artifact import SPLITS, Segment, Video
from l2l.manifest.listing import ADAPTERS
from l2l.manifest.lists import read_classes
from l2l.manifest.stage import list_videos
from l2l.manifest.unmatched import write_unmatched
from l2l.stores import read_table

# ---- worlds: the same videos, written down as each data set does ---------------------------------

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
            *(lines or [f"{CLASS_NAMES[0]}/v_nobody_g00_c00.avi"]),
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
        write(at / "lists" / f"{label}_test_split1.txt", *lines, "nobody.avi 0")
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
            at / f"{split}_partition.txt", *(lines or ["https://www.youtube.com/watch?v=nobody 0"])
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
        fields[split] = write(at / f"{split}_list.txt", *(lines or ["data/nobody.mp4 0"]))
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


@pytest.mark.parametrize("writer", WRITERS)
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    items=worlds(),
    layout=st.sampled_from(sorted(LAYOUTS)),
    suffix=st.sampled_from([".mp4", ".avi", ".MKV"]),
)
def test_every_adapter_finds_each_video_by_its_name_and_loses_none(
    tmp_path_factory, writer, items, layout, suffix
):
    at = tmp_path_factory.mktemp("world")
    fields, names = WRITERS[writer](at / "lists", items)
    if writer in IN_FOLDERS and layout == "split":
        layout = "split_and_class"
    files = put_files(at / "videos", items, names, layout, suffix)
    stranger = at / "videos" / "stranger of no list.mp4"
    stranger.parent.mkdir(exist_ok=True)
    stranger.touch()
    dataset = section(folder=at / "videos", **fields)
    rows = listed(dataset)
    found = {video.video: video for video in rows}
    assert len(found) == len(rows)
    expected = {names[item.video][0]: item for item in items}
    assert expected.keys() == {video for video in found if "nobody" not in video}
    tested = any(item.split == "test" for item in items)
    for video, item in expected.items():
        row = found[video]
        assert row.labels == (item.label,)
        assert row.split in (("test",) if item.split == "test" else ("train", "val")) or not tested
        if item.present:
            assert (row.path, row.status, row.reason) == (files[video], "ok", "")
        else:
            assert row.status == "missing"
            assert row.reason.startswith("no file named")
            assert row.path.parent == at / "videos"
            assert not row.path.exists()
    assert listed(dataset) == rows
    write_unmatched(dataset, rows, at / "o/videos.tsv")
    told = Counter(
        tuple(row.values()) for row in read_table(at / "o/videos.unmatched.tsv", ("what", "name"))
    )
    assert told == Counter(
        [
            ("file without an id", str(stranger)),
            *(("id without a file", v.video) for v in rows if v.status == "missing"),
        ]
    )


HOSTILE = (
    "../../x",
    "..",
    ".",
    "/etc/passwd",
    "a/../../b",
    "x\0y",
    "~root",
    "-rf",
    "$(id)",
    "%03d",
    "a;b",
    "é" * 300,
)


@pytest.mark.parametrize("writer", sorted(set(WRITERS) - {"ucf101", "hmdb51", "sports1m"}))
@pytest.mark.parametrize("video", HOSTILE)
def test_an_id_never_becomes_a_path(tmp_path, writer, video):
    (tmp_path / "x.mp4").touch()  # what it would reach
    fields, _ = WRITERS[writer](
        tmp_path / "lists/below", [Item(video, CLASS_NAMES[0], "train", False)]
    )
    dataset = section(folder=tmp_path / "videos/below", role="source", **fields)
    (row,) = (row for row in listed(dataset) if "nobody" not in row.video)
    assert row.status == "missing"
    assert row.path.parent == tmp_path / "videos/below"
    assert ".." not in row.path.parts
    list_videos(
        tmp_path / "o/videos.tsv",
        tmp_path / "o/shards",
        dataset,
        ManifestConfig(max_bad_fraction=1),
        seed=0,
    )
    assert sorted(os.listdir(tmp_path)) == ["lists", "o", "x.mp4"]
    tables = ("videos.tsv", "videos.unmatched.tsv")
    assert sorted(os.listdir(tmp_path / "o")) == sorted(
        ["shards", *tables, *(f"{table}.sha256" for table in tables)]
    )


# ---- label orders --------------------------------------------------------------------------------


def mmaction(at: Path, *lines: str, classes: Path, folder: Path | None = None):
    return section(
        "mmaction2",
        folder=folder or at / "videos",
        classes=classes,
        train=write(at / "train.txt", *lines),
    )


def test_two_label_orders_mixed_are_an_error(tmp_path):
    by_words = write(
        tmp_path / "a.csv", "id,name", "0,Applying sunscreen", "1,Archery", "2,Arm wrestling"
    )
    other = write(tmp_path / "b.csv", "action", "Applying sunscreen", "Arm wrestling", "Archery")
    lines = ("Archery/1.mp4 1", "arm_wrestling/2.mp4 2")
    assert [v.label for v in listed(mmaction(tmp_path, *lines, classes=by_words))] == [
        "Archery",
        "Arm wrestling",
    ]
    with pytest.raises(
        BadInput,
        match=r"line 1: class 1 is 'Arm wrestling' in .*b.csv but 'Archery' here; two label orders",
    ):
        listed(mmaction(tmp_path, *lines, classes=other))


def test_a_table_whose_names_and_numbers_disagree_is_an_error(tmp_path):
    classes = write(tmp_path / "c.txt", "0 zero", "1 one")
    fields = {
        "video_column": "v",
        "label_column": "name",
        "number_column": "n",
        "classes": classes,
        "folder": tmp_path,
    }
    good = section("table", tables=[write(tmp_path / "t.csv", "v,name,n", "a,One,1")], **fields)
    assert [v.label for v in listed(good)] == ["one"]
    bad = section("table", tables=[write(tmp_path / "u.csv", "v,name,n", "a,one,0")], **fields)
    with pytest.raises(BadInput, match="two label orders are mixed"):
        listed(bad)


def test_ucf_numbers_have_to_be_those_of_the_folders(tmp_path):
    as_ucf101(
        tmp_path,
        [Item("a", "ripping paper", "train", True), Item("b", "ripping paper", "test", True)],
    )
    write(tmp_path / "trainlist01.txt", "ripping paper/v_x_g01_c01.avi 1")
    with pytest.raises(
        BadInput,
        match=r"trainlist01.txt: line 1: class 1 is 'playing guitar' in .* but 'ripping paper' ",
    ):
        listed(section("ucf101", folder=tmp_path, lists=tmp_path))


@pytest.mark.parametrize("numbers", ["01", ("0.0", "1.0"), ("-1", "+1")])
def test_labels_that_are_numbers_need_their_names(tmp_path, numbers):
    table = write(
        tmp_path / "t.csv",
        "v,l",
        *(f"{video},{number}" for video, number in zip("ab", numbers, strict=True)),
    )
    with pytest.raises(BadInput, match="its labels are numbers; give `classes`"):
        listed(
            section("table", folder=tmp_path, tables=[table], video_column="v", label_column="l")
        )
    with pytest.raises(ValidationError, match="lists hold numbers: `classes` has to be the file"):
        section("kinetics_sounds", folder=tmp_path, train=table)


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        (("0 a", "b"), "'b' has no number, other lines have"),
        (("0 a", "0 b"), "number 0 stands there twice"),
        (("a", "b", "a"), "class 'a' stands there twice"),
        (("a", "", "b"), "line 2 is empty, so the numbers after it are not certain"),
        ((), "it is empty"),
    ],
)
def test_a_file_of_classes_that_is_not_certain_is_refused(tmp_path, lines, complaint):
    with pytest.raises(BadInput, match=complaint):
        read_classes(write(tmp_path / "c.txt", *lines))


@given(
    st.lists(
        st.text("ab c,9(", min_size=1, max_size=8).map(str.strip).filter(bool),
        unique=True,
        min_size=1,
        max_size=9,
    )
)
def test_classes_are_read_alike_from_every_layout(tmp_path_factory, names):
    at = tmp_path_factory.mktemp("classes")
    ids = range(3, 3 + len(names))
    layouts = [
        write(
            at / "a.txt",
            *(f"{number} {name}" for number, name in zip(ids, names, strict=True)),
            end="\r\n",
        ),
        write(
            at / "b.txt", *(f"{number}\t{name}" for number, name in zip(ids, names, strict=True))
        ),
        write(
            at / "c.csv",
            "id,name",
            *(quoted(str(number), name) for number, name in zip(ids, names, strict=True)),
        ),
        write(
            at / "d.tsv",
            "number\tlabel",
            *(f"{number}\t{name}" for number, name in zip(ids, names, strict=True)),
        ),
    ]
    for path in layouts:
        classes = read_classes(path)
        assert [classes.of(str(number), "here") for number in ids] == names == classes.names
        with pytest.raises(BadInput, match="here: class '2' is not in"):
            classes.of("2", "here")


def test_a_column_that_stands_there_twice_is_not_guessed(tmp_path):
    table = write(tmp_path / "t.csv", "v,label,label", "a,one,other")
    fields = {"folder": tmp_path, "tables": [table], "video_column": "v"}
    with pytest.raises(BadInput, match="column 'label' stands there twice"):
        listed(section("table", label_column="label", **fields))


# ---- single traps --------------------------------------------------------------------------------


def test_a_path_may_hold_spaces_and_is_split_at_the_last(tmp_path):
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos/my holiday 2 3.mp4").touch()
    (row,) = listed(
        mmaction(tmp_path, "my holiday 2 3.mp4 1", classes=write(tmp_path / "c.txt", "a", "b"))
    )
    assert (row.video, row.label, row.status) == ("my holiday 2 3.mp4", "b", "ok")


def test_one_name_in_the_folders_of_two_classes_is_not_mistaken(tmp_path):
    for label in "ab":
        (tmp_path / "videos" / label).mkdir(parents=True)
    (tmp_path / "videos/a/001.mp4").touch()
    classes = write(tmp_path / "c.txt", "a", "b")
    rows = listed(mmaction(tmp_path, "a/001.mp4 0", "b/001.mp4 1", classes=classes))
    assert [(row.video, row.status) for row in rows] == [
        ("a/001.mp4", "ok"),
        ("b/001.mp4", "missing"),
    ]


def test_a_video_that_is_listed_twice_keeps_both_labels_and_is_never_trained_and_tested_on(
    tmp_path,
):
    lists = {
        "train": write(
            tmp_path / "train.txt", "Bark&x&good&0&2", "Meow&x&good&3&4", "Bark&y&good&0&0"
        ),
        "test": write(tmp_path / "test.txt", "Bark&x&good&5&6"),
    }
    x, y = listed(section("ave", folder=tmp_path, **lists))
    assert (x.split, x.labels) == ("test", ("Bark", "Meow"))
    assert x.segments == (Segment(0, 2, "Bark"), Segment(3, 4, "Meow"), Segment(5, 6, "Bark"))
    assert "listed for test and train; kept for test alone" in x.reason
    assert (y.labels, y.segments) == (("Bark",), ())  # an event that lasts no time


def test_two_files_of_one_id_are_told(tmp_path):
    for file in ("videos/b/x_000001_000011.mp4", "videos/a/x_000001_000011.mp4"):
        (tmp_path / file).parent.mkdir(parents=True)
        (tmp_path / file).touch()
    csv = write(tmp_path / "k.csv", "label,youtube_id,time_start,time_end,split", "b,x,1,11,train")
    (row,) = listed(section("kinetics", folder=tmp_path / "videos", annotations=[csv]))
    assert row.path == tmp_path / "videos/b/x_000001_000011.mp4"  # that in the folder of its class


def test_without_labels_of_test_kinetics_is_tested_on_validation_and_validates_on_training(
    tmp_path, capsys
):
    rows = [
        f"{label},{label}{n},{n},{n + 10},{split}"
        for label in "ab"
        for n in range(10)
        for split in ("train",)
    ]
    rows += ["a,v,0,10,validate", ",t,0,10,test"]
    csv = write(tmp_path / "k.csv", "label,youtube_id,time_start,time_end,split", *rows)
    found = listed(section("kinetics", folder=tmp_path, annotations=[csv]))
    assert Counter(v.split for v in found) == {"train": 18, "val": 2, "test": 1}
    assert "1 clips without a label left out" in capsys.readouterr().err


def test_groups_of_ucf_are_not_divided(tmp_path):
    as_ucf101(tmp_path, [Item("b", "ripping paper", "test", True)])
    lines = [
        f"ripping paper/v_RippingPaper_g{g:02d}_c{c:02d}.avi 2"
        for g in range(8, 26)
        for c in range(1, 8)
    ]
    write(tmp_path / "trainlist01.txt", *lines)
    found = listed(section("ucf101", folder=tmp_path, lists=tmp_path))
    of = {group: {v.split for v in found if v.group == group} for group in {v.group for v in found}}
    assert all(len(splits) == 1 for splits in of.values())
    assert {v.split for v in found} == set(SPLITS)


def test_what_is_mere_training_is_split_by_a_table(tmp_path):
    table = write(tmp_path / "t.csv", "v,l,g", *(f"{n},x,{n // 5}" for n in range(100)))
    dataset = section(
        "table",
        folder=tmp_path,
        tables=[table],
        video_column="v",
        label_column="l",
        group_column="g",
    )
    found = listed(dataset)
    assert Counter(v.split for v in found) == {"train": 65, "val": 10, "test": 25}
    assert all(len({v.split for v in found if v.group == g}) == 1 for g in {v.group for v in found})
    assert listed(dataset, seed=1) != found


def test_ids_that_begin_as_the_prefix_does_keep_it(tmp_path):
    entry = {
        "subset": "training",
        "duration": 9,
        "annotations": [{"label": "x", "segment": [0, 1]}],
    }
    path = write(
        tmp_path / "a.json", json.dumps({"database": {"v_abcdefghi": entry, "12345678901": entry}})
    )
    for file in ("v_v_abcdefghi.mp4", "12345678901.webm"):
        (tmp_path / file).touch()
    found = {v.video: v for v in listed(section("activitynet", folder=tmp_path, annotations=path))}
    assert found["v_abcdefghi"].path == tmp_path / "v_v_abcdefghi.mp4"
    assert found["12345678901"].path == tmp_path / "12345678901.webm"


@pytest.mark.parametrize(
    ("adapter", "fields", "line", "complaint"),
    [
        ("kinetics", ("annotations",), "label,youtube_id", "no column 'time_start'"),
        (
            "kinetics",
            ("annotations",),
            "youtube_id,time_start,time_end,split\nx,1,2,never",
            "split is 'never'",
        ),
        (
            "kinetics",
            ("annotations",),
            "youtube_id,time_start,time_end,split\nx,soon,2,val",
            "a time is 'soon'",
        ),
        (
            "kinetics",
            ("annotations",),
            "youtube_id,time_start,time_end,split\nx,1",
            "has 2 columns, so no 'time_end'",
        ),
        ("vggsound", "annotations", "x,1,label", "no column '3'"),
        ("ave", ("train", "test"), "a,b,c", "expected `class&id&quality&start&end`"),
        ("mmaction2", "train", "justapath", "expected a path, a space"),
        ("mmaction2", "train", "a.mp4 99", "class '99' is not in"),
        ("mmaction2", "train", "a.mp4 -1", "class '-1' is not in"),
        (
            "mini_sports1m",
            ("train", "test"),
            "https://www.youtube.com/watch?v=x",
            "expected such as",
        ),
    ],
)
def test_a_list_that_is_not_as_expected_is_told_with_its_line(
    tmp_path, adapter, fields, line, complaint
):
    path = write(tmp_path / "list.csv", *line.split("\n"))
    given = dict.fromkeys([fields] if isinstance(fields, str) else fields, path)
    given |= {"annotations": [path]} if adapter == "kinetics" else {}
    given |= {"classes": class_file(tmp_path)} if adapter in ("mmaction2", "mini_sports1m") else {}
    with pytest.raises(BadInput, match=r"list\.csv") as caught:
        listed(section(adapter, folder=tmp_path, **given))
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("writer", WRITERS)
def test_a_list_that_is_not_there_is_named(tmp_path, writer):
    fields, _ = WRITERS[writer](
        tmp_path,
        [Item("a", CLASS_NAMES[0], "train", True), Item("b", CLASS_NAMES[0], "test", True)],
    )
    dataset = section(folder=tmp_path, **fields)
    gone = dataset.annotation_files[-1]
    shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    with pytest.raises(BadInput) as caught:
        listed(dataset)
    assert str(gone) in str(caught.value)


# ---- Mini-Sports1M is drawn ----------------------------------------------------------------------


def sports(at: Path, rows: list[tuple[str, str, list[int], float]], **fields):
    classes = write(at / "labels.txt", *CLASS_NAMES)
    lists = {
        split: write(
            at / f"{split}.txt",
            *(
                f"https://www.youtube.com/watch?v={v} {','.join(map(str, n))}"
                for v, s, n, _ in rows
                if s == split
            ),
        )
        for split in ("train", "test")
    }
    durations = write(at / "durations.csv", *(f"{v},{seconds}" for v, _, _, seconds in rows))
    return section(
        "mini_sports1m",
        folder=at / "videos",
        classes=classes,
        durations=durations,
        **lists,
        **fields,
    )


def test_videos_of_two_to_five_minutes_are_drawn_thirty_and_ten_a_class(tmp_path, capsys):
    rows = [
        (f"{split}{c}_{n:03d}", split, [c], 60.0 + n * 6)
        for c in range(len(CLASS_NAMES))
        for split in SPLITS[::2]
        for n in range(60)
    ]
    dataset = sports(tmp_path, rows)
    found = listed(dataset)
    lasts = {video: seconds for video, _, _, seconds in rows}
    assert all(120 <= lasts[v.video] <= 300 for v in found)
    assert Counter((v.label, v.split) for v in found) == {
        (label, split): count
        for label in CLASS_NAMES
        for split, count in (("train", 27), ("val", 3), ("test", 10))
    }
    assert listed(dataset) == found
    assert {v.video for v in listed(dataset, seed=1)} != {v.video for v in found}
    assert "fewer" not in capsys.readouterr().err


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        IDS,
        st.tuples(
            st.sampled_from(("train", "test")),
            st.lists(st.integers(0, 5), min_size=1, max_size=3, unique=True),
        ),
        min_size=1,
        max_size=40,
    )
)
def test_no_more_are_drawn_of_a_class_than_wanted_and_none_twice(tmp_path_factory, videos):
    rows = [("train_one", "train", [0], 200.0), ("test_one", "test", [0], 200.0)]
    rows += [(video, split, labels, 200.0) for video, (split, labels) in videos.items()]
    found = listed(sports(tmp_path_factory.mktemp("s"), rows, train_videos=3, test_videos=2))
    drawn = Counter((v.label, "test" if v.split == "test" else "train") for v in found)
    assert all(count <= (3 if split == "train" else 2) for (_, split), count in drawn.items())
    assert len({v.video for v in found}) == len(found)
    of = {video: set(labels) for video, _, labels, _ in rows}
    assert all({CLASS_NAMES.index(label) for label in v.labels} == of[v.video] for v in found)


def test_durations_may_be_those_that_the_files_declare(tmp_path, odd):
    (tmp_path / "videos").mkdir()
    for video, file in (
        ("one", "01_ref_25fps.mp4"),
        ("short", "14_very_short.mp4"),
        ("bad", "04_zero_bytes.mp4"),
    ):
        (tmp_path / "videos" / f"{video}.mp4").symlink_to(odd / file)
    rows = [(video, "train", [0], 0.0) for video in ("one", "short", "bad", "gone")] + [
        ("other", "test", [0], 0.0)
    ]
    dataset = sports(tmp_path, rows, min_seconds=2, val_fraction=0)
    found = listed(dataset.model_copy(update={"durations": "declared"}))
    assert [(v.video, v.status) for v in found] == [("one", "ok")]


def test_a_draw_without_any_duration_says_so(tmp_path):
    with pytest.raises(
        BadInput, match=r"none of 2 videos is known to last 120 to 300 s; durations of 2 are known"
    ):
        listed(sports(tmp_path, [("a", "train", [0], 10.0), ("b", "test", [0], 500.0)]))


# ---- the annotations as published ----------------------------------------------------------------


def test_kinetics_400_as_published(published, tmp_path):
    found = listed(
        section(
            "kinetics", folder=tmp_path, annotations=[published / "kinetics/kinetics-400_val.csv"]
        )
    )
    assert (len(found), len({v.label for v in found})) == (19906, 400)
    assert set(read_classes(published / "kinetics/kinetics_400_labels.csv").names) == {
        v.label for v in found
    }
    assert {(v.split, v.status) for v in found} == {("test", "missing")}


def test_ucf101_as_published(published, tmp_path):
    for layout in ("v_HandStandPushups_g01_c01", "v_HandstandPushups_g01_c02"):
        (tmp_path / "HandstandPushups").mkdir(exist_ok=True)
        (tmp_path / "HandstandPushups" / f"{layout}.avi").touch()
    found = listed(section("ucf101", folder=tmp_path, lists=published / "ucf101"))
    assert len({v.label for v in found}) == 101
    assert Counter("test" if v.split == "test" else "train" for v in found) == {
        "train": 9537,
        "test": 3783,
    }
    assert 800 < sum(v.split == "val" for v in found) < 1100
    present = [v for v in found if v.status == "ok"]
    assert [(v.label, v.path.stem) for v in present] == [
        ("HandstandPushups", "v_HandStandPushups_g01_c01"),
        ("HandstandPushups", "v_HandstandPushups_g01_c02"),
    ]


def test_kinetics_sounds_as_published(published, tmp_path):
    at = published / "kinetics_sounds"
    lists = {"train": at / "my_train.ogmge.txt", "test": at / "my_test.ogmge.txt"}
    found = listed(
        section("kinetics_sounds", folder=tmp_path, classes=at / "classes31.txt", **lists)
    )
    assert Counter("test" if v.split == "test" else "train" for v in found) == {
        "train": 14799,
        "test": 2597,
    }
    assert (
        set(read_classes(at / "classes31.txt").names)
        == {v.label for v in found}
        == set(CLASSES[31])
    )


@pytest.mark.parametrize(("count", "kept", "absent"), [(31, 31, 0), (32, 32, 0), (34, 27, 7)])
def test_kinetics_sounds_out_of_kinetics_as_published(
    published, tmp_path, capsys, count, kept, absent
):
    csv = published / "kinetics/kinetics-400_val.csv"
    found = listed(section("kinetics_sounds", folder=tmp_path, annotations=[csv], classes=count))
    assert len({v.label for v in found}) == kept
    assert (f"{absent} of {count} classes are in no csv" in capsys.readouterr().err) == bool(absent)


def test_vggsound_as_published(published, tmp_path):
    (tmp_path / "0_8-g2rof7E_000049.mkv").touch()
    found = listed(section("vggsound", folder=tmp_path, test=published / "vggsound/test.csv"))
    assert (len(found), len({v.label for v in found})) == (15446, 309)
    assert [(v.video, v.label) for v in found if v.status == "ok"] == [
        ("0_8-g2rof7E_000049", "heart sounds, heartbeat")
    ]


@pytest.mark.parametrize(
    "name", ["ab_cd-12345_000049", "ab_cd-12345_49000_59000", "ab_cd-12345_49", "ab_cd-12345"]
)
def test_vggsound_is_found_as_either_download_names_it(tmp_path, name):
    path = write(tmp_path / "videos/somewhere" / f"{name}.mp4")
    table = write(tmp_path / "v.csv", "ab_cd-12345,49,rapping,test")
    (row,) = listed(section("vggsound", folder=tmp_path / "videos", annotations=table))
    assert (row.video, row.path, row.status) == ("ab_cd-12345_000049", path, "ok")
    if len(name) > 15:
        table = write(tmp_path / "t.csv", "ab_cd-12345_000049.mp4,rapping")
        assert listed(section("vggsound", folder=tmp_path / "videos", test=table)) == [row]


def test_sports1m_labels_as_published(published):
    classes = read_classes(published / "sports1m/labels.txt")
    assert (classes.of("0", ""), classes.of("369", ""), classes.of("486", "")) == (
        "boomerang",
        "3x3 (basketball)",
        "model aircraft",
    )


def test_activitynet_as_published(published, tmp_path):
    at = published / "activitynet"
    (tmp_path / "v_QOlSCBRmfWY.mkv").touch()
    dataset = section(
        "activitynet",
        folder=tmp_path,
        annotations=at / "anet_anno_action.json",
        subsets=at / "video_info_new.csv",
    )
    found = listed(dataset)
    assert len({v.label for v in found}) == 200
    assert sum(len(v.labels) > 1 for v in found) == 11
    assert sum(v.reason.count("dropped") for v in found) == 13
    assert [v.video for v in found if v.status == "ok"] == ["QOlSCBRmfWY"]
    with pytest.raises(BadInput, match=r"has no subset .* give `subsets`"):
        listed(dataset.model_copy(update={"subsets": None}))


def test_the_two_orders_of_activitynet_are_not_taken_for_each_other(published, tmp_path):
    one, other = (
        read_classes(published / "activitynet" / name)
        for name in ("action_name.csv", "anet1.3_labels.csv")
    )
    assert set(one.names) == set(other.names)
    assert sum(a == b for a, b in zip(one.names, other.names, strict=True)) < 3
    lines = [f"{name}/v.mp4 {number}" for number, name in enumerate(other.names)]
    assert (
        len(
            listed(mmaction(tmp_path, *lines, classes=published / "activitynet/anet1.3_labels.csv"))
        )
        == 200
    )
    with pytest.raises(BadInput, match="two label orders are mixed"):
        listed(mmaction(tmp_path, *lines, classes=published / "activitynet/action_name.csv"))


@example("v_---9CpRcKoU")
@given(IDS)
def test_a_walk_through_a_link_to_itself_ends(tmp_path_factory, video):
    at = tmp_path_factory.mktemp("loop") / "videos"
    (at / "b").mkdir(parents=True)
    (at / "b" / f"{video}.mp4").touch()
    (at / "b/again").symlink_to(at)
    table = write(at.parent / "t.csv", "v,l", f"{video},x")
    (row,) = listed(
        section(
            "table", folder=at, tables=[table], video_column="v", label_column="l", val_fraction=0
        )
    )
    assert (row.status, row.path) == ("ok", at / "b" / f"{video}.mp4")
