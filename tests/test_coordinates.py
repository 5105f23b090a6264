"""Stores say of each row its video, its moment and its start; and of each video its labels."""

import json
import sys
import warnings

import h5py
import numpy as np
import pytest
import zarr
from features_files import rewrite
from small_stores import FEATURES, STORES, VIDEOS, write_some_features

from l2l.arrays import VideoLabels, chosen_coordinates, offsets_of, row_coordinates
from l2l.errors import BadInput
from l2l.features.artifact import read_features
from l2l.media.artifact import read_media
from l2l.mels.artifact import read_mels
from l2l.moments import start_seconds
from l2l.sampler.artifact import read_saliency

LABELLED = [VideoLabels(video.video, video.split, video.labels) for video in VIDEOS]
# Of each store: the group of its rows and their axis, and how many rows each moment has.
ROWS = {
    "mels.h5": ("", "moment", 1),
    "descriptors.h5": ("", "clip", 1),
    "motion.h5": ("", "picture", 16),
    "saliency.h5": ("", "moment", 1),
    "scores.h5": ("", "moment", 1),
    "media.h5": ("moments/", "moment", 1),
}


def made(tmp_path, name):
    STORES[name][0](tmp_path / name)
    return tmp_path / name


def test_rows_of_moments_start_when_their_moments_start():
    rows = row_coordinates(offsets_of([3, 0, 2]))
    assert rows.video_index.tolist() == [0, 0, 0, 2, 2]
    assert rows.moment.tolist() == [0, 1, 2, 0, 1]
    assert rows.start_seconds.tolist() == [float(start_seconds(k)) for k in (0, 1, 2, 0, 1)]
    chosen = chosen_coordinates(offsets_of([2, 1]), np.array([4, 7, 2], np.int32))
    assert chosen.video_index.tolist() == [0, 0, 1]
    assert chosen.start_seconds.tolist() == [float(start_seconds(k)) for k in (4, 7, 2)]


def test_rows_of_pictures_start_within_their_moments():
    rows = row_coordinates(offsets_of([10]), rows_per_moment=8)
    assert rows.moment.tolist() == [0] * 8 + [1] * 2
    assert rows.start_seconds.tolist() == [k / 15 for k in range(10)]


@pytest.mark.parametrize("name", ROWS)
def test_an_hdf5_store_says_whose_each_row_is_and_when_it_starts(tmp_path, name):
    group, axis, per_moment = ROWS[name]
    with h5py.File(made(tmp_path, name)) as file:
        index, moment, start = (
            file[f"{group}{array}"][:] for array in ("video_index", "moment", "start_seconds")
        )
        rows = len(index) // len(VIDEOS)
        assert index.tolist() == [0] * rows + [1] * rows
        assert moment[:rows].tolist() == [k // per_moment for k in range(rows)]
        assert start[:rows] == pytest.approx([k * 16 / 30 / per_moment for k in range(rows)])
        assert file[f"{group}start_seconds"].attrs["unit"] == "s"
        assert file[f"{group}video_index"].attrs["instance_dimension"] == "video"
        videos = file["videos/id" if name == "media.h5" else "video"]
        assert videos.asstr()[:].tolist() == [video.video for video in VIDEOS]
        assert videos.is_scale
        assert file[f"{group}moment"].is_scale
        assert file[f"{group}start_seconds"].dims[0][axis][:].tolist() == moment.tolist()


@pytest.mark.parametrize("name", [name for name in STORES if name.endswith(".h5")])
def test_every_dimension_of_an_hdf5_store_has_a_name(tmp_path, name):
    with h5py.File(made(tmp_path, name)) as file:
        names: list[str] = []
        file.visititems(lambda at, item: names.append(at) if isinstance(item, h5py.Dataset) else 0)
        for array in names:
            labels = [dimension.label for dimension in file[array].dims]
            assert labels == file[array].attrs["axes"].split()
            assert len(labels) == file[array].ndim


def test_scores_have_their_methods_and_classes_as_coordinates(tmp_path):
    with h5py.File(made(tmp_path, "scores.h5")) as file:
        probability = file["probability"]
        assert probability.dims[2]["class"].asstr()[:].tolist() == ["a", "b"]
        assert probability.dims[0]["video"].asstr()[0] == VIDEOS[0].video
        assert file["method"].asstr()[:].tolist() == ["random", "random", "ours_dense"]


def test_readers_have_the_splits_and_labels(tmp_path):
    for read, name in ((read_mels, "mels"), (read_media, "media"), (read_saliency, "saliency")):
        with read(made(tmp_path, f"{name}.h5")) as reader:
            assert reader.listed == LABELLED
    assert list(read_features(made(tmp_path, "features")).labels.values()) == LABELLED


def test_features_say_whose_each_row_is_in_plain_zarr(tmp_path):
    write_some_features(tmp_path / "features")
    shard = zarr.open_group(tmp_path / "features/shard-000", mode="r")
    assert shard["video_index"][:].tolist() == [0, 0, 0, 1, 1, 1]
    assert shard["moment"][:].tolist() == [0, 1, 2, 0, 1, 2]
    assert shard["start_seconds"][:].tolist() == [0, 16 / 30, 32 / 30] * 2
    assert shard["start_seconds"].attrs["unit"] == "s"
    assert shard["video_index"].attrs["instance_dimension"] == "video"
    assert shard["offset"].attrs["ragged"].startswith("ListOffsetArray")
    assert shard.attrs["splits"] == ["test", "test"]
    assert shard.attrs["labels"] == [["a", "b"], ["a", "b"]]


def test_features_are_one_labelled_dataset_of_xarray_without_a_warning(tmp_path):
    xarray = pytest.importorskip("xarray")
    write_some_features(tmp_path / "features")
    features = read_features(tmp_path / "features")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dataset = features.to_xarray()
        one = features.to_xarray([VIDEOS[1].video])
        repr(dataset)
        plain = xarray.open_zarr(tmp_path / "features/shard-000", consolidated=False, chunks=None)
        assert plain["image_feature"].dims == ("moment", "image_channel")
    assert dict(dataset.sizes) == {
        "moment": 6,
        "video": 2,
        "class": 2,
        "image_channel": 8,
        "descriptor": 6,
    }
    assert dataset["video"].values.tolist() == [video.video for video in VIDEOS]
    assert dataset["label"].values.tolist() == ["a", "a"]
    assert dataset["labelled"].values.all()
    assert dataset["split"].values.tolist() == ["test", "test"]
    assert dataset["row_size"].attrs["sample_dimension"] == "moment"
    assert dataset["row_size"].values.tolist() == [3, 3]
    assert dataset["score"].sel({"class": "b"}).shape == (6,)
    assert dataset["start_seconds"].sel(moment=2).values.tolist() == [32 / 30] * 2
    assert np.array_equal(one["fused_feature"].values, FEATURES.fused.astype(np.float16))
    with pytest.raises(BadInput, match="no features of video 'other'"):
        features.to_xarray(["other"])


def test_without_xarray_a_labelled_dataset_is_answered_in_one_line(tmp_path, monkeypatch):
    write_some_features(tmp_path / "features")
    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(BadInput, match=r"xarray is not installed.*pip install xarray"):
        read_features(tmp_path / "features").to_xarray()


def test_coordinates_of_features_that_are_not_those_of_their_videos_are_found(tmp_path):
    write_some_features(tmp_path / "features")
    store = tmp_path / "features/shard-000"
    array = zarr.open_group(store, mode="r+")["moment"]
    array[1] = 2
    features = read_features(tmp_path / "features")
    with pytest.raises(BadInput, match="moment is not that of its videos"):
        features.check()


def test_a_store_whose_labels_are_not_of_its_videos_is_refused(tmp_path):
    write_some_features(tmp_path / "features")
    store = tmp_path / "features/shard-000"
    attributes = json.loads((store / "zarr.json").read_text())["attributes"]
    rewrite(store, attributes={**attributes, "splits": ["test"]})
    with pytest.raises(BadInput, match="damaged"):
        read_features(tmp_path / "features")
