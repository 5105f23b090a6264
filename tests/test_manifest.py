"""videos.tsv, its shards, and when a damaged data set stops the run."""

import itertools
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from list_worlds import activitynet, entry, folder_dataset, touch

from l2l.__main__ import main
from l2l.config import ManifestConfig
from l2l.errors import BadInput
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
from l2l.manifest.stage import list_videos
from l2l.stores import checksum_path

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
    segments=st.none() | st.lists(segments).map(tuple),
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
    with pytest.raises(BadInput, match="no videos before decoding"):
        check_usable(
            [], tmp_path / "videos.tsv", ManifestConfig(max_bad_fraction=1), "before decoding"
        )


def test_annotations_alone_list_every_video_as_missing(tmp_path):
    dataset = activitynet(
        tmp_path,
        {
            "database": {
                "a": entry("training", ("x", 0, 1), ("y", 1, 2)),
                "b": entry("validation", ("x", 0, 1)),
            }
        },
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
