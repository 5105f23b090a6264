"""The public code's lists and features: read, checked, and stored as ours."""

import argparse
import collections
import pickle

import numpy as np
import pytest
from reference_world import Release, Trap

from l2l.errors import BadInput
from l2l.features.artifact import read_features
from l2l.manifest.artifact import read_videos
from l2l.reference import stage
from l2l.reference.lists import (
    Listed,
    class_indices,
    feature_paths,
    read_list,
    video_id,
)
from l2l.reference.stage import import_features


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_lists_are_read_from_pickles_of_every_protocol_and_from_text(release, protocol):
    expected = [Listed(p, label) for p, label in zip(release.paths, release.labels, strict=True)]
    assert read_list(release.pickled(protocol)) == expected
    assert read_list(release.text()) == expected


def test_a_path_may_have_spaces_and_a_label_may_be_a_name(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text(
        "my videos/imageAudio_features/a b.npy  Archery\n\nimageAudio_features/c.npy Diving\r\n",
        encoding="utf-8",
    )
    lines = read_list(path)
    assert lines == [
        Listed("my videos/imageAudio_features/a b.npy", "Archery"),
        Listed("imageAudio_features/c.npy", "Diving"),
    ]
    assert class_indices(path, lines, None) == (("Archery", "Diving"), [0, 1])
    assert class_indices(path, lines, ["Diving", "Dancing", "Archery"])[1] == [2, 0]
    with pytest.raises(BadInput, match="'Diving', not one of the 1 classes"):
        class_indices(path, lines, ["Archery"])
    with pytest.raises(BadInput, match="some labels are numbers"):
        class_indices(path, [*lines, Listed("x", 3)], None)


@pytest.mark.parametrize(
    "held", ["a numpy number", "an array", "a class", "a function call", "an ordered dict"]
)
def test_a_list_that_names_anything_is_refused_and_nothing_runs(tmp_path, held):
    label = {
        "a numpy number": np.int64(3),
        "an array": np.zeros(2),
        "a class": argparse.Namespace,
        "a function call": Trap(tmp_path / "sprung"),
        "an ordered dict": collections.OrderedDict(a=1),
    }[held]
    (tmp_path / "list.pkl").write_bytes(pickle.dumps((["imageAudio_features/a.npy"], [label])))
    with pytest.raises(
        BadInput, match=r"list\.pkl: refused \(it names .*lists, tuples, strings and numbers only"
    ):
        read_list(tmp_path / "list.pkl")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("held", "message"),
    [
        ({"paths": []}, "found dict"),
        ((["a"], [1], [2]), "found tuple"),
        ((["a", "b"], [1]), "2 paths, but 1 labels"),
        (([3], [1]), "entry 1: found 3 for a path"),
        ((["a"], [None]), "entry 1: found None for a label"),
        ((["a"], [True]), "found True"),
        ((["a"], [-1]), "found -1"),
        ((["a"], [0.5]), "found 0.5"),
        (([], []), "lists nothing"),
    ],
)
def test_a_pickle_of_another_shape_is_refused(tmp_path, held, message):
    (tmp_path / "list.pkl").write_bytes(pickle.dumps(held))
    with pytest.raises(BadInput, match=message):
        read_list(tmp_path / "list.pkl")


def test_a_videos_id_is_what_is_below_the_folder_of_features():
    assert video_id("/data/imageAudio_features/train/v_a.b.npy") == "train/v_a.b"
    assert video_id("somewhere/v_x.npy") == "v_x"
    with pytest.raises(BadInput, match="not below a folder imageAudio_features"):
        feature_paths("somewhere/v_x.npy", None, None)


def test_features_come_back_as_they_were_published(release, tmp_path):
    import_features(release.pickled(), tmp_path / "store")
    bank = read_features(tmp_path / "store")
    assert bank.classes == ("0", "1", "2")
    assert bank.videos == tuple(release.videos)
    for name, wanted in release.videos.items():
        read = bank.load(name)
        np.testing.assert_array_equal(read.features["image"], wanted["image_features"])
        np.testing.assert_array_equal(read.features["audio"], wanted["audio_features"])
        np.testing.assert_array_equal(read.fused, wanted["imageAudio_features"])
        assert read.scores.shape[1] == 0  # not known
        assert read.has_sound.all()
    rows = read_videos(tmp_path / "store.videos.tsv")
    assert [(row.video, row.label, row.split, row.usable) for row in rows] == [
        (name, str(label), "test", True)
        for name, label in zip(release.videos, release.labels, strict=True)
    ]


def test_the_lists_of_other_splits_are_added_and_the_same_split_is_replaced(release, tmp_path):
    store, other = tmp_path / "store", Release(tmp_path / "w", (11, 12, 13))
    import_features(release.pickled(), store, split="train")
    import_features(other.text(), store, split="val")
    assert set(read_features(store).videos) == {*release.videos, *other.videos}
    fewer = Release(tmp_path / "x", (9,))
    import_features(fewer.text(), store, split="train")
    bank = read_features(store)
    assert set(bank.videos) == {*fewer.videos, *other.videos}
    assert bank.classes == ("0", "1", "2")
    assert {(row.video, row.split) for row in read_videos(tmp_path / "store.videos.tsv")} == {
        *((name, "train") for name in fewer.videos),
        *((name, "val") for name in other.videos),
    }
    with pytest.raises(BadInput, match="a video 'x_0' is there already"):
        import_features(fewer.text(), store, split="val")


def test_many_videos_are_spread_over_shards(tmp_path, monkeypatch):
    monkeypatch.setattr("l2l.reference.stage.SHARD_VIDEOS", 2)
    release = Release(tmp_path / "v", (2, 3, 4, 5, 6))
    import_features(release.text(), tmp_path / "store")
    assert sorted(path.name for path in (tmp_path / "store").glob("test-*")) == [
        "test-000",
        "test-001",
        "test-002",
    ]
    bank = read_features(tmp_path / "store")
    assert [bank.moments(name) for name in bank.videos] == [2, 3, 4, 5, 6]


def test_the_folders_may_lie_elsewhere_than_the_list_says(release, tmp_path):
    release.paths = [path.replace(str(release.folder), "/vision/u/them") for path in release.paths]
    import_features(release.pickled(), tmp_path / "store", folder=release.folder)
    assert read_features(tmp_path / "store").videos == tuple(release.videos)


def test_a_video_listed_twice_has_both_labels(release, tmp_path):
    release.paths.append(release.paths[0])
    release.labels.append(2)
    import_features(release.pickled(), tmp_path / "store")
    assert read_videos(tmp_path / "store.videos.tsv")[0].labels == ("0", "2")


def test_a_moment_without_sound_is_one_whose_audio_feature_is_zero(release, tmp_path):
    path = release.folder / "audio_features" / "v_0.npy"
    features = np.load(path)
    features[4] = 0
    np.save(path, features)
    import_features(release.pickled(), tmp_path / "store")
    assert np.flatnonzero(~read_features(tmp_path / "store").load("v_0").has_sound).tolist() == [4]


@pytest.mark.parametrize(
    ("kind", "spoil", "message"),
    [
        ("audio_features", lambda path: path.unlink(), "no such file"),
        (
            "image_features",
            lambda path: np.save(path, np.zeros((5, 500), np.float32)),
            r"found \(5, 500\), expected \(moments, 512\)",
        ),
        (
            "audio_features",
            lambda path: np.save(path, np.zeros((6, 512), np.float32)),
            "6 moments, but .*imageAudio_features.* has 5",
        ),
        (
            "image_features",
            lambda path: np.save(path, np.zeros(512, np.float32)),
            r"found float32 \(512,\)",
        ),
        (
            "image_features",
            lambda path: np.save(path, np.zeros((0, 512), np.float32)),
            r"found float32 \(0, 512\)",
        ),
        (
            "image_features",
            lambda path: np.save(path, np.zeros((5, 512), int)),
            r"found int64 \(5, 512\)",
        ),
        (
            "image_features",
            lambda path: np.save(path, np.array([[Trap("x")]], object)),
            "not a readable .npy file",
        ),
        ("audio_features", lambda path: np.save(path, np.full((5, 512), np.inf)), "not finite"),
        ("audio_features", lambda path: path.write_bytes(b""), "not a readable .npy file"),
        (
            "audio_features",
            lambda path: path.write_bytes(path.read_bytes()[:999]),
            "not a readable .npy file",
        ),
    ],
)
def test_a_damaged_file_is_named_and_the_store_is_not_marked_as_whole(
    release, tmp_path, kind, spoil, message
):
    path = release.folder / kind / "v_1.npy"
    spoil(path)
    with pytest.raises(BadInput, match=f"^{path}: .*{message}"):
        import_features(release.pickled(), tmp_path / "store")
    assert not (tmp_path / "store" / "zarr.json").exists()


def test_a_folder_of_something_else_is_left_alone(release, tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "thesis.txt").write_text("expensive", encoding="utf-8")
    with pytest.raises(BadInput, match=r"holds thesis\.txt"):
        import_features(release.pickled(), tmp_path / "store")
    assert (tmp_path / "store" / "thesis.txt").read_text(encoding="utf-8") == "expensive"


def test_an_import_that_was_broken_off_is_done_again_and_no_class_is_lost(tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "SHARD_VIDEOS", 2)
    train, val, store = Release(tmp_path / "v"), Release(tmp_path / "w"), tmp_path / "store"

    def broken_off(release, split, names):
        path = release.folder / "audio_features" / f"{release.folder.name}_3.npy"
        good = np.load(path)
        np.save(path, np.full_like(good, np.nan))
        with pytest.raises(BadInput, match="not finite"):
            import_features(release.text(names), store, split=split)
        np.save(path, good)

    broken_off(train, "train", ["ant", "bee", "cat"])
    with pytest.raises(BadInput, match="the import of split train was not finished"):
        import_features(val.text(["bee", "cat", "cat"]), store, split="val")
    import_features(train.text(["ant", "bee", "cat"]), store, split="train")
    broken_off(val, "val", ["bee", "cat", "cat"])
    with pytest.raises(BadInput, match="the import of split val was not finished"):
        import_features(train.text(["ant", "bee", "cat"]), store, split="train")
    import_features(val.text(["bee", "cat", "cat"]), store, split="val")
    bank = read_features(store)
    assert bank.classes == ("ant", "bee", "cat")
    assert list(bank.videos) == [
        video.video for video in read_videos(tmp_path / "store.videos.tsv")
    ]
    assert len(bank.videos) == 8


def test_more_than_a_thousand_shards_are_all_in_the_store(tmp_path):
    shards = [
        tmp_path / f"{split}-{number:03d}"
        for split in ("train", "val")
        for number in (0, 7, 999, 1000, 10000)
    ]
    for shard in reversed(shards):
        shard.mkdir()
    assert stage._shards(tmp_path) == shards
