"""Adapters: data sets as people have them on disk give the same listing, and no video is lost."""

import json
import os
import shutil
from collections import Counter

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from list_worlds import (
    CLASS_NAMES,
    IDS,
    IN_FOLDERS,
    LAYOUTS,
    WRITERS,
    Item,
    as_ucf101,
    class_file,
    listed,
    mmaction,
    put_files,
    section,
    worlds,
    write,
)

from l2l.config import ManifestConfig
from l2l.errors import BadInput
from l2l.manifest.artifact import SPLITS, Segment
from l2l.manifest.stage import list_videos
from l2l.manifest.unmatched import write_unmatched
from l2l.stores import read_table


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
    listing = {video.video: video for video in rows}
    assert len(listing) == len(rows)
    expected = {names[item.video][0]: item for item in items}
    assert expected.keys() == {video for video in listing if "absent" not in video}
    tested = any(item.split == "test" for item in items)
    for video, item in expected.items():
        row = listing[video]
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
    unmatched = Counter(
        tuple(row.values()) for row in read_table(at / "o/videos.unmatched.tsv", ("kind", "name"))
    )
    assert unmatched == Counter(
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
    (row,) = (row for row in listed(dataset) if "absent" not in row.video)
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


@pytest.mark.parametrize("writer", ["ave", "kinetics", "mmaction2", "table", "vggsound"])
def test_a_nul_character_in_a_list_is_refused(tmp_path, writer):
    fields, _ = WRITERS[writer](tmp_path / "lists", [Item("x\0y", CLASS_NAMES[0], "train", False)])
    with pytest.raises(BadInput, match=r"line \d has a NUL character"):
        listed(section(folder=tmp_path / "videos", role="source", **fields))


def test_a_path_may_have_spaces_before_the_last_which_is_the_separator(tmp_path):
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
    assert (y.labels, y.segments) == (
        ("Bark",),
        (),
    )  # it lasts no time


def test_of_two_files_of_one_id_the_one_in_its_class_folder_is_read(tmp_path):
    for file in ("videos/b/x_000001_000011.mp4", "videos/a/x_000001_000011.mp4"):
        (tmp_path / file).parent.mkdir(parents=True)
        (tmp_path / file).touch()
    csv = write(tmp_path / "k.csv", "label,youtube_id,time_start,time_end,split", "b,x,1,11,train")
    (row,) = listed(section("kinetics", folder=tmp_path / "videos", annotations=[csv]))
    assert row.path == tmp_path / "videos/b/x_000001_000011.mp4"


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
    listing = listed(section("kinetics", folder=tmp_path, annotations=[csv]))
    splits = Counter(v.split for v in listing)
    assert splits["test"] == 1
    assert 1 <= splits["val"] <= 6
    assert splits["val"] + splits["train"] == 20
    assert "1 clips without a label" in capsys.readouterr().err


def test_groups_of_ucf_are_not_divided(tmp_path):
    as_ucf101(tmp_path, [Item("b", "ripping paper", "test", True)])
    lines = [
        f"ripping paper/v_RippingPaper_g{g:02d}_c{c:02d}.avi 2"
        for g in range(8, 26)
        for c in range(1, 8)
    ]
    write(tmp_path / "trainlist01.txt", *lines)
    listing = listed(section("ucf101", folder=tmp_path, lists=tmp_path))
    of = {
        group: {v.split for v in listing if v.group == group}
        for group in {v.group for v in listing}
    }
    assert all(len(splits) == 1 for splits in of.values())
    assert {v.split for v in listing} == set(SPLITS)


def test_a_table_without_splits_is_split_by_group(tmp_path):
    table = write(tmp_path / "t.csv", "v,l,g", *(f"{n},x,{n // 5}" for n in range(100)))
    dataset = section(
        "table",
        folder=tmp_path,
        tables=[table],
        video_column="v",
        label_column="l",
        group_column="g",
    )
    listing = listed(dataset)
    assert {v.split for v in listing} == set(SPLITS)
    assert all(
        len({v.split for v in listing if v.group == g}) == 1 for g in {v.group for v in listing}
    )
    assert listed(dataset, seed=1) != listing


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
    listing = {
        v.video: v for v in listed(section("activitynet", folder=tmp_path, annotations=path))
    }
    assert listing["v_abcdefghi"].path == tmp_path / "v_v_abcdefghi.mp4"
    assert listing["12345678901"].path == tmp_path / "12345678901.webm"


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
            "line 2 has 2 cells, so no 'time_end'",
        ),
        ("vggsound", "annotations", "x,1,label", "line 1 has 3 cells, expected 4"),
        ("ave", ("train", "test"), "a,b,c", "expected `class&id&quality&start&end`"),
        ("mmaction2", "train", "justapath", "expected a path, a space"),
        ("mmaction2", "train", "a.mp4 99", "class '99' is not in"),
        ("mmaction2", "train", "a.mp4 -1", "class '-1' is not in"),
        (
            "mini_sports1m",
            ("train", "test"),
            "https://www.youtube.com/watch?v=x",
            "expected for instance",
        ),
    ],
)
def test_a_line_that_is_not_as_expected_is_named(tmp_path, adapter, fields, line, complaint):
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
