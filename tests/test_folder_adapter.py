"""Videos in folders named after their class."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from list_worlds import folder_dataset, touch

from l2l.datasets import GroupTable
from l2l.errors import BadInput
from l2l.manifest.adapters.demo import list_demo
from l2l.manifest.adapters.folder import list_folder
from l2l.manifest.artifact import SPLITS, Segment
from l2l.manifest.listing import list_dataset
from l2l.manifest.unmatched import write_unmatched
from l2l.stores import read_table

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
def test_the_videos_of_any_folder_are_its_files_named_as_videos_and_the_rest_is_listed(
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
    table_path = at / "o/videos.unmatched.tsv"
    unmatched = (
        [tuple(row.values()) for row in read_table(table_path, ("kind", "name"))]
        if table_path.exists()
        else []
    )
    assert sorted(unmatched) == sorted(
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
    listing = [
        (v.video, v.path, v.split, v.labels) for v in list_folder(folder_dataset(tmp_path), seed=0)
    ]
    assert listing == [
        ("test/a/3.webm", tmp_path / "test/a/3.webm", "test", ("a",)),
        ("train/a/1.mp4", tmp_path / "train/a/1.mp4", "train", ("a",)),
        ("train/b/2.MKV", tmp_path / "train/b/2.MKV", "train", ("b",)),
    ]


def test_class_folders_are_split_by_the_seed(tmp_path):
    touch(tmp_path, *(f"{label}/{i}.mp4" for label in "ab" for i in range(20)))
    dataset = folder_dataset(tmp_path, val_fraction=0.2, test_fraction=0.3)
    listing = list_folder(dataset, seed=5)
    assert {(v.label, v.split) for v in listing} == {(a, b) for a in "ab" for b in SPLITS}
    assert list_folder(dataset, seed=5) == listing != list_folder(dataset, seed=6)


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
    listing = list_folder(folder_dataset(tmp_path / "videos", groups=table), seed=0)
    assert {v.split for v in listing} == set(SPLITS)
    splits = {
        group: {v.split for v in listing if v.group == group}
        for group in {v.group for v in listing}
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
    with pytest.raises(
        BadInput, match=r"group 'x' is divided over train \('train/a/1.mp4'\), test \('test/a/2"
    ):
        list_dataset(folder_dataset(tmp_path, groups=table), seed=0)


def test_a_video_with_two_groups_is_refused(tmp_path):
    touch(tmp_path / "videos", "a/1.mp4", "a/2.mp4")
    table = tmp_path / "groups.tsv"
    table.write_text("file\tsource\nvideos/a/1.mp4\tx\nvideos/a/2.mp4\tx\nvideos/a/1.mp4\ty\n")
    groups = GroupTable(table=table, group_column="source")
    with pytest.raises(BadInput, match=r"line 4: 'videos/a/1.mp4' has source 'y', and 'x' on"):
        list_folder(folder_dataset(tmp_path / "videos", groups=groups), seed=0)


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ((), "No such file"),
        (("train/a/1.mp4", "b/2.mp4"), "found 'train' next to 'b'"),
        (("training/a/1.mp4", "validation/a/2.mp4"), "no video in 'training', 'validation'"),
        (("1.mp4",), r"videos \(1\) in no folder of a class"),
    ],
)
def test_a_folder_in_another_layout_is_answered_with_the_expected_one(tmp_path, files, complaint):
    touch(tmp_path / "videos", *files) if files else None
    with pytest.raises(
        BadInput,
        match=f"{complaint}.*; expected folders train, val, test with a folder for each class",
    ):
        list_folder(folder_dataset(tmp_path / "videos"), seed=0)


def test_a_rendered_folder_gives_its_segments(tmp_path):
    touch(tmp_path, "train/a/0000.mp4", "val/b/0000.mp4")
    assert [v.segments for v in list_demo(tmp_path)] == [None, None]
    (tmp_path / "segments.tsv").write_text(
        "file\tstart_seconds\tend_seconds\tlabel\nval/b/0000.mp4\t1.5\t3\tb\n"
    )
    assert [(v.split, v.segments) for v in list_demo(tmp_path)] == [
        ("train", None),
        ("val", (Segment(1.5, 3.0, "b"),)),
    ]
