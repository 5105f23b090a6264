"""videos.tsv, its shards and splits, and the adapters that list data sets."""

import itertools
import json
import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l2l.__main__ import main
from l2l.config import ManifestConfig
from l2l.datasets import ActivityNetDataset, FolderDataset, GroupTable
from l2l.errors import BadInput
from l2l.manifest.adapters.activitynet import list_activitynet
from l2l.manifest.adapters.demo import list_demo
from l2l.manifest.adapters.folder import list_folder
from l2l.manifest.artifact import (
    SPLITS,
    STATUSES,
    Segment,
    Video,
    class_names,
    read_videos,
    shard_of,
    write_videos,
)
from l2l.manifest.limit import check_usable
from l2l.manifest.splits import split_groups
from l2l.manifest.stage import list_videos
from l2l.manifest.unmatched import write_unmatched
from l2l.stores import checksum_path, read_table

# ---- the table -----------------------------------------------------------------------------------

encodable = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
paths = (
    st.binary(min_size=1)
    .filter(lambda name: b"\0" not in name)
    .map(lambda name: Path("/videos", os.fsdecode(name)))
)
labels = st.text(st.characters())  # lone surrogates too: they come from JSON
numbers = st.floats(0, 1e6)
segments = st.builds(Segment, numbers, numbers, labels)
videos = st.builds(
    Video,
    video=paths.map(lambda path: path.name),
    file=paths.map(str),
    split=st.sampled_from(SPLITS),
    labels=st.lists(labels, min_size=1).map(tuple),
    segments=st.lists(segments).map(tuple),
    group=encodable,
    duration_seconds=numbers,
    frame_rate=numbers,
    width=st.integers(0, 9999),
    height=st.integers(0, 9999),
    audio=encodable,
    video_stream=st.integers(-1, 9),
    audio_stream=st.integers(-1, 9),
    fingerprint=encodable,
    status=st.sampled_from(STATUSES),
    reason=encodable,
)


@given(st.lists(videos, max_size=3))
def test_what_is_written_is_what_is_read(tmp_path_factory, listed):
    table = tmp_path_factory.mktemp("table") / "videos.tsv"
    write_videos(table, listed)
    assert read_videos(table) == listed


def video(name: str, **fields) -> Video:
    return Video(**{"video": name, "file": name, "split": "train", "labels": ("a",), **fields})


def test_a_row_that_is_not_one_of_a_video_is_named(tmp_path):
    table = tmp_path / "videos.tsv"
    write_videos(table, [video("a"), video("b", split="dev")])
    with pytest.raises(BadInput, match=r"row 2: split is 'dev', expected one of train, val, test"):
        read_videos(table)
    write_videos(table, [video("a", labels=())])
    with pytest.raises(BadInput, match="row 1: no labels"):
        read_videos(table)
    table.write_text(table.read_text().replace("\t-1\t", "\tfirst\t", 1))
    checksum_path(table).unlink()
    with pytest.raises(BadInput, match="row 1: not a row of a video"):
        read_videos(table)


def test_class_names_are_sorted_and_hold_every_label_once():
    assert class_names(
        [video("1", labels=("b", "a")), video("2", labels=("c",), status="missing"), video("3")]
    ) == [
        "a",
        "b",
        "c",
    ]


def test_a_shard_is_the_same_on_every_machine():
    assert [shard_of(name, 1000) for name in ("train/a/0001.mp4", "v_QOlSCBRmfWY", "é", "")] == [
        924,
        202,
        743,
        876,
    ]


@given(st.lists(encodable, unique=True, min_size=1, max_size=30), st.integers(1, 9))
def test_one_more_video_changes_one_shard(names, shards):
    *before, added = names
    of = {name: shard_of(name, shards) for name in names}
    cut = [[name for name in before if of[name] == shard] for shard in range(shards)]
    cut_with_it = [[name for name in names if of[name] == shard] for shard in range(shards)]
    assert [a == b for a, b in zip(cut, cut_with_it, strict=True)] == [
        shard != of[added] for shard in range(shards)
    ]
    assert sorted(itertools.chain(*cut_with_it)) == sorted(names)


# ---- splits --------------------------------------------------------------------------------------

FRACTIONS = {"train": 0.6, "val": 0.15, "test": 0.25}
grouped = st.dictionaries(
    st.text(max_size=5),
    st.lists(st.sampled_from("abc"), min_size=1, max_size=6),
    min_size=1,
    max_size=40,
)


@given(grouped, st.integers(0, 3), st.randoms())
def test_a_split_depends_on_the_seed_and_not_on_the_order(groups, seed, random):
    names = list(groups)
    random.shuffle(names)
    assert split_groups(groups, FRACTIONS, seed) == split_groups(
        {name: groups[name] for name in names}, FRACTIONS, seed
    )


def test_another_seed_gives_another_split():
    groups = {str(i): ["a"] for i in range(40)}
    assert split_groups(groups, FRACTIONS, 0) != split_groups(groups, FRACTIONS, 1)


@given(grouped, st.integers(0, 3))
def test_each_class_is_split_by_the_fractions_to_within_the_largest_groups(groups, seed):
    chosen = split_groups(groups, FRACTIONS, seed)
    assert chosen.keys() == groups.keys()
    total = sum(len(classes) for classes in groups.values())
    for split, fraction in FRACTIONS.items():
        found = sum(len(groups[group]) for group in groups if chosen[group] == split)
        assert abs(found - fraction * total) <= 2 * max(len(classes) for classes in groups.values())


def test_videos_without_groups_are_split_within_one_of_the_fraction_in_every_class():
    groups = {
        f"{label}{i}": [label]
        for label, count in (("a", 20), ("b", 100), ("c", 7))
        for i in range(count)
    }
    chosen = split_groups(groups, FRACTIONS, 0)
    for label, count in (("a", 20), ("b", 100), ("c", 7)):
        found = Counter(chosen[group] for group in groups if group[0] == label)
        assert all(
            abs(found[split] - fraction * count) <= 1 for split, fraction in FRACTIONS.items()
        )


# ---- folders -------------------------------------------------------------------------------------


def touch(folder: Path, *files: str) -> Path:
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(file.encode())
    return folder


def folder_dataset(folder: Path, **fields) -> FolderDataset:
    return FolderDataset(
        **{"adapter": "folder", "role": "both", "shards": 1, "folder": folder} | fields
    )


names_of_files = st.text(
    st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=9
)
trees = st.sets(
    st.tuples(
        st.sampled_from(("train", "val", "test")),
        names_of_files.filter(
            lambda name: not name.startswith(".") and name not in ("train", "val", "test")
        ),
        st.builds(str.__add__, names_of_files, st.sampled_from((".mp4", ".MKV", ".txt", ""))),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=60)
@given(trees, st.booleans(), st.integers(0, 9))
def test_the_videos_of_any_folder_are_its_files_named_as_videos_and_the_rest_is_told(
    tmp_path_factory, tree, splits, seed
):
    at = tmp_path_factory.mktemp("any")
    files = {Path(*(parts if splits else parts[1:])) for parts in tree}
    files -= {file for file in files if file.name in (".", "..")}
    for file in files:
        (at / "videos" / file).parent.mkdir(parents=True, exist_ok=True)
        (at / "videos" / file).touch()
    if not files:
        return
    dataset = folder_dataset(at / "videos", val_fraction=0.2, test_fraction=0.2)
    named = {
        file
        for file in files
        if file.suffix.lower() in (".mp4", ".mkv") and not file.name.startswith(".")
    }
    if not named:
        with pytest.raises(BadInput, match="no video in "):
            list_folder(dataset, seed)
        return
    rows = list_folder(dataset, seed)
    assert [row.video for row in rows] == sorted(file.as_posix() for file in named)
    for row in rows:
        assert row.path == at / "videos" / row.video
        assert row.labels == (row.path.parent.name,)
        assert (
            row.split == row.path.parent.parent.name
            if splits
            else row.split in ("train", "val", "test")
        )
    assert list_folder(dataset, seed) == rows
    write_unmatched(dataset, rows, at / "o/videos.tsv")
    beside = at / "o/videos.unmatched.tsv"
    told = (
        [tuple(row.values()) for row in read_table(beside, ("what", "name"))]
        if beside.exists()
        else []
    )
    assert sorted(told) == sorted(
        ("file without an id", str(at / "videos" / file)) for file in files - named
    )


def test_split_and_class_are_the_names_of_the_folders(tmp_path):
    touch(
        tmp_path,
        "train/a/1.mp4",
        "train/b/2.MKV",
        "test/a/3.webm",
        "test/a/notes.txt",
        "test/a/.hidden.mp4",
        "readme.md",
    )
    found = [
        (v.video, v.path, v.split, v.labels) for v in list_folder(folder_dataset(tmp_path), seed=0)
    ]
    assert found == [
        ("test/a/3.webm", tmp_path / "test/a/3.webm", "test", ("a",)),
        ("train/a/1.mp4", tmp_path / "train/a/1.mp4", "train", ("a",)),
        ("train/b/2.MKV", tmp_path / "train/b/2.MKV", "train", ("b",)),
    ]


def test_class_folders_are_split_here(tmp_path):
    touch(tmp_path, *(f"{label}/{i}.mp4" for label in "ab" for i in range(20)))
    dataset = folder_dataset(tmp_path, val_fraction=0.2, test_fraction=0.3)
    found = list_folder(dataset, seed=5)
    assert Counter((v.label, v.split) for v in found) == {
        (label, split): count
        for label in "ab"
        for split, count in (("train", 10), ("val", 4), ("test", 6))
    }
    assert list_folder(dataset, seed=5) == found != list_folder(dataset, seed=6)


def groups_of(folder: Path, rows: dict[str, str]) -> GroupTable:
    table = folder / "groups.tsv"
    table.write_text(
        "file\tsource\n" + "".join(f"{file}\t{group}\n" for file, group in rows.items())
    )
    return GroupTable(table=table, group_column="source")


def test_no_group_is_divided(tmp_path):
    files = [f"{label}/{i}.mp4" for label in "ab" for i in range(30)]
    touch(tmp_path / "videos", *files)
    table = groups_of(
        tmp_path, {f"videos/{file}": f"source {i % 12}" for i, file in enumerate(files)}
    )
    found = list_folder(folder_dataset(tmp_path / "videos", groups=table), seed=0)
    assert {v.split for v in found} == set(SPLITS)
    splits = {
        group: {v.split for v in found if v.group == group} for group in {v.group for v in found}
    }
    assert len(splits) == 12
    assert all(len(each) == 1 for each in splits.values())


def test_a_video_that_the_table_of_groups_does_not_name_is_named(tmp_path):
    touch(tmp_path / "videos", "a/1.mp4", "a/2.mp4", "a/3.mp4")
    table = groups_of(tmp_path, {"videos/a/1.mp4": "x", "videos/a/2.mp4": ""})
    with pytest.raises(
        BadInput, match=r"groups.tsv: no source for 2 videos, the first of them '.*a/2.mp4'"
    ):
        list_folder(folder_dataset(tmp_path / "videos", groups=table), seed=0)


def test_a_group_that_given_splits_divide_is_named(tmp_path):
    touch(tmp_path, "train/a/1.mp4", "test/a/2.mp4")
    table = groups_of(tmp_path, {"train/a/1.mp4": "x", "test/a/2.mp4": "x"})
    with pytest.raises(BadInput, match="group 'x' is divided over test, train"):
        list_folder(folder_dataset(tmp_path, groups=table), seed=0)


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ((), "No such file"),
        (("train/a/1.mp4", "b/2.mp4"), "found 'train' beside 'b'"),
        (("training/a/1.mp4", "validation/a/2.mp4"), "no video in 'training', 'validation'"),
        (("1.mp4",), "no video in it"),
    ],
)
def test_a_folder_in_no_known_layout_is_told_what_is_expected(tmp_path, files, found):
    touch(tmp_path / "videos", *files) if files else None
    with pytest.raises(
        BadInput,
        match=f"{found}.*; expected folders train, val, test with a folder for each class inside",
    ):
        list_folder(folder_dataset(tmp_path / "videos"), seed=0)


def test_fractions_that_leave_nothing_to_train_on_are_refused(tmp_path):
    touch(tmp_path, "a/1.mp4")
    with pytest.raises(BadInput, match="leave nothing to train on"):
        list_folder(folder_dataset(tmp_path, val_fraction=0.5, test_fraction=0.5), seed=0)


def test_a_drawn_folder_gives_its_segments(tmp_path):
    touch(tmp_path, "train/a/0000.mp4", "val/b/0000.mp4")
    assert [v.segments for v in list_demo(tmp_path)] == [(), ()]
    (tmp_path / "segments.tsv").write_text(
        "file\tstart_seconds\tend_seconds\tlabel\nval/b/0000.mp4\t1.5\t3\tb\n"
    )
    assert [(v.split, v.segments) for v in list_demo(tmp_path)] == [
        ("train", ()),
        ("val", (Segment(1.5, 3.0, "b"),)),
    ]


# ---- ActivityNet ---------------------------------------------------------------------------------


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


def test_activitynet_is_read_as_published(tmp_path, capsys):
    database = {
        "---9CpRcKoU": entry("training", ("Drinking", 1, 3), ("Ballet", 4, 5)),
        "0000000000a": entry("validation", ("Ballet", 0, 10)),
        "0000000000b": entry("validation", ("Ballet", 0, 10)),
        "0000000000c": entry("testing"),
    }
    dataset = activitynet(
        tmp_path, {"version": "VERSION 1.3", "taxonomy": [], "database": database}
    )
    touch(
        tmp_path / "videos",
        "v_---9CpRcKoU.mkv",
        "v_0000000000a.mp4",
        "v_0000000000a.webm",
        "v_stranger.mp4",
    )
    found = {v.video: v for v in list_activitynet(dataset, seed=0)}
    assert list(found) == ["---9CpRcKoU", "0000000000a", "0000000000b"]
    two_classes = found["---9CpRcKoU"]
    assert two_classes.labels == ("Drinking", "Ballet")
    assert two_classes.segments == (Segment(1, 3, "Drinking"), Segment(4, 5, "Ballet"))
    assert two_classes.path == tmp_path / "videos/v_---9CpRcKoU.mkv"
    assert (two_classes.split, two_classes.status) == ("train", "ok")
    assert found["0000000000a"].path.name == "v_0000000000a.mp4"
    assert (found["0000000000a"].split, found["0000000000a"].reason) == (
        "test",
        "v_0000000000a.webm not read",
    )
    assert (found["0000000000b"].status, found["0000000000b"].reason) == (
        "missing",
        "no file named 'v_0000000000b', with whatever suffix",
    )
    assert "1 videos without labels left out" in capsys.readouterr().err


def test_a_tenth_of_each_training_class_validates(tmp_path):
    database = {
        f"{label}{i:03d}": entry("training", (label, 0, 1))
        for label in ("x", "y")
        for i in range(50)
    }
    found = list_activitynet(activitynet(tmp_path, {"database": database}), seed=0)
    assert Counter((v.label, v.split) for v in found) == {
        ("x", "train"): 45,
        ("x", "val"): 5,
        ("y", "train"): 45,
        ("y", "val"): 5,
    }
    assert {v.status for v in found} == {"missing"}


@pytest.mark.parametrize(("start", "end"), [(3, 3), (5, 2), (0, 0), (9, 12), (-1, 2), (11, 12)])
def test_a_bad_segment_is_dropped_and_named(tmp_path, start, end):
    database = {"a": entry("training", ("x", start, end), ("x", 1, 10.01))}
    (found,) = list_activitynet(activitynet(tmp_path, {"database": database}), seed=0)
    assert found.segments == (
        Segment(1, 10.01, "x"),
    )  # durations are rounded, so this one is not outside
    assert found.labels == ("x",)
    assert f"segment {start} to {end} s of 10 s dropped" in found.reason


def test_an_id_never_leads_out_of_the_folder(tmp_path):
    database = {
        "../../etc/passwd": entry("training", ("x", 0, 1)),
        "..": entry("training", ("x", 0, 1)),
    }
    for found in list_activitynet(activitynet(tmp_path, {"database": database}), seed=0):
        assert found.status == "missing"
        assert found.path.parent == tmp_path / "videos"


def test_a_dictionary_of_videos_is_read_where_it_tells_the_subsets(tmp_path):
    database = {
        "v_abc": {
            "subset": "validation",
            "duration_second": 9.0,
            "annotations": [{"label": "x", "segment": [1, 2]}],
        }
    }
    (found,) = list_activitynet(activitynet(tmp_path, database), seed=0)
    assert (found.video, found.split, found.segments) == ("abc", "test", (Segment(1, 2, "x"),))


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ({"v_abc": {"duration_second": 9.0, "annotations": []}}, "video 'v_abc' has no subset"),
        ({"database": {"abc": {"subset": "dev"}}}, "video 'abc' has no subset"),
        (
            {"database": {"abc": {"subset": "training", "annotations": [{"segment": [0, 1]}]}}},
            "video 'abc' is not as expected",
        ),
        ({"database": []}, "no database in it"),
        ([], "no database in it"),
    ],
)
def test_annotations_in_another_layout_are_told_the_expected_one(tmp_path, content, complaint):
    with pytest.raises(BadInput, match=r'expected \{"database": \{id: ') as caught:
        list_activitynet(activitynet(tmp_path, content), seed=0)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_annotations_that_are_no_json_are_named(tmp_path):
    dataset = activitynet(tmp_path, {})
    dataset.annotations.write_text("<html>")
    with pytest.raises(BadInput, match=r"anet.json: not JSON"):
        list_activitynet(dataset, seed=0)
    dataset.annotations.unlink()
    with pytest.raises(BadInput, match=r"anet.json: no such file"):
        list_activitynet(dataset, seed=0)
    dataset.annotations.mkdir()
    with pytest.raises(BadInput, match=r"anet.json: cannot be read \(Is a directory\)"):
        list_activitynet(dataset, seed=0)


# ---- too much damage -----------------------------------------------------------------------------


def test_a_run_stops_past_the_bad_fraction_and_not_at_it(tmp_path):
    table = tmp_path / "videos.tsv"
    known = [video(str(i), status="ok" if i < 8 else "missing", reason="gone") for i in range(10)]
    check_usable(known, table, ManifestConfig(max_bad_fraction=0.2), "before decoding")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(
        BadInput,
        match=r"2 of 10 videos are unusable before decoding.*'8' \(missing: gone\), '9' "
        r".*refused.tsv",
    ):
        check_usable(known, table, ManifestConfig(max_bad_fraction=0.19), "before decoding")
    assert read_videos(tmp_path / "videos.refused.tsv") == [*known[8:], *known[:8]]
    assert not table.exists()
    check_usable(known, table, ManifestConfig(max_bad_fraction=0.2), "before decoding")
    assert list(tmp_path.iterdir()) == []  # what no longer holds is not left behind


@pytest.mark.parametrize(
    ("splits", "role", "missing"),
    [
        (("train", "val"), "both", "test"),
        (("train",), "target", "test"),
        (("val", "test"), "source", "train"),
    ],
)
def test_a_split_that_the_last_stage_would_miss_stops_the_first(tmp_path, splits, role, missing):
    touch(tmp_path / "videos", *(f"{split}/a/1.mp4" for split in splits))
    dataset = folder_dataset(tmp_path / "videos", role=role)
    with pytest.raises(
        BadInput, match=f"no {missing} videos, which a data set of role {role} needs; .* have 1 "
    ):
        list_videos(
            tmp_path / "o/videos.tsv",
            tmp_path / "o",
            dataset,
            ManifestConfig(max_bad_fraction=1),
            seed=0,
        )


def test_a_data_set_without_videos_stops(tmp_path):
    with pytest.raises(BadInput, match="no videos at all"):
        check_usable(
            [], tmp_path / "videos.tsv", ManifestConfig(max_bad_fraction=1), "before decoding"
        )


def test_annotations_alone_list_every_video_as_missing(tmp_path):
    dataset = activitynet(
        tmp_path,
        {"database": {"a": entry("training", ("x", 0, 1)), "b": entry("validation", ("x", 0, 1))}},
    )
    list_videos(
        tmp_path / "videos.tsv",
        tmp_path / "shards",
        dataset,
        ManifestConfig(max_bad_fraction=1),
        seed=0,
    )
    listed = read_videos(tmp_path / "videos.tsv")
    assert [(v.video, v.status) for v in listed] == [("a", "missing"), ("b", "missing")]
    cut = [
        read_videos(tmp_path / "shards" / f"{shard}.tsv")
        for shard in ("shard-000", "shard-001", "test-000")
    ]
    assert sorted(itertools.chain(*cut), key=lambda v: v.video) == listed
    arguments = [
        "--videos",
        tmp_path / "v.tsv",
        "--shards",
        tmp_path / "s",
        "--dataset",
        dataset.model_dump_json(),
        "--seed",
        "0",
    ]
    assert main(["list_videos", *map(str, arguments), "--config", "{}"]) == 1
    assert not (tmp_path / "v.tsv").exists()
    assert not (tmp_path / "s").exists()
    assert read_videos(tmp_path / "v.refused.tsv") == [v._replace(status="missing") for v in listed]
