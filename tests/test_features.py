"""Features in Zarr: what is written is what is read, and what is damaged is never believed."""

import dataclasses
import json
import warnings

import numpy as np
import pytest
import torch
import zarr
from features_files import rewrite
from hypothesis import given, settings
from hypothesis import strategies as st

from l2l.errors import BadInput
from l2l.features.artifact import VideoFeatures, complete_root, read_features, write_features
from l2l.features.extract import extract_video_features
from l2l.student.inference import StudentInference
from l2l.student.network import Student, frame_input, mel_input

CLASSES = ("a", "b", "c")


def made_up(moments: int, modalities=("image", "audio"), seed: int = 0) -> VideoFeatures:
    rng = np.random.default_rng([seed, moments])
    half = lambda *shape: rng.normal(size=shape).astype(np.float16).astype(np.float32)  # noqa: E731
    return VideoFeatures(
        {m: half(moments, 8) for m in modalities},
        half(moments, 6),
        half(moments, len(CLASSES)),
        rng.random(moments) < 0.5,
    )


def store(root, shards, modalities=("image", "audio")):
    """Write shards, lists of (video, moments), and their mark of completeness."""
    names = []
    for i, rows in enumerate(shards):
        names.append(root / f"shard-{i:03d}")
        write_features(
            names[-1],
            [(v, made_up(n, modalities)) for v, n in rows],
            CLASSES,
            "float16",
            4,
            {"made": "here"},
        )
    complete_root(root, names)
    return root


lengths = st.lists(st.lists(st.integers(1, 11), max_size=3), min_size=1, max_size=3)


@settings(max_examples=15)
@given(lengths, st.sampled_from([("image", "audio"), ("image",), ("audio",)]))
def test_what_is_written_is_what_is_read(tmp_path_factory, lengths, modalities):
    shards = [[(f"s{i}/v {j}.mp4", n) for j, n in enumerate(row)] for i, row in enumerate(lengths)]
    features = read_features(store(tmp_path_factory.mktemp("f") / "set", shards, modalities))
    rows = dict(row for shard in shards for row in shard)
    assert list(features.videos) == list(rows)
    assert not rows or features.modalities == modalities
    for video, moments in rows.items():
        read, written = features.load(video), made_up(moments, modalities)
        assert features.moments(video) == moments
        assert all((read.features[m] == written.features[m]).all() for m in modalities)
        assert (read.fused == written.fused).all()
        assert (read.scores == written.scores).all()
        assert (read.has_sound == written.has_sound).all()


def test_it_opens_with_plain_zarr_without_a_warning_and_says_what_it_is(tmp_path):
    root = store(tmp_path / "set", [[("v", 5)], [("w", 2)]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        group = zarr.open(root, mode="r")
        assert sorted(group.group_keys()) == ["shard-000", "shard-001"]
    assert group.attrs["complete"] is True
    array = group["shard-000/fused_feature"]
    assert array.metadata.dimension_names == ("moment", "descriptor")
    assert group["shard-000/score"].attrs["unit"] == "logit"
    assert group["shard-000"].attrs["provenance"] == {"made": "here"}
    assert array[:].shape == (5, 6)


def test_a_store_that_snakemake_has_taken_the_marker_of_is_written_again(tmp_path):
    root = store(tmp_path / "f", [[("v", 5)]])
    (shard,) = (path for path in root.iterdir() if path.is_dir())
    (shard / "zarr.json").unlink()
    store(tmp_path / "f", [[("v", 7)]])
    assert read_features(root).moments("v") == 7
    (shard / "zarr.json").unlink()
    (shard / "a letter.txt").write_text("not of l2l")
    with pytest.raises(BadInput, match=f"{shard}: is a folder and is not replaced"):
        store(tmp_path / "f", [[("v", 7)]])


def test_the_same_features_give_the_same_bytes(tmp_path):
    roots = [store(tmp_path / name, [[("v", 5), ("w", 3)]]) for name in ("one", "two")]
    files = [sorted(p.relative_to(root) for p in root.rglob("*") if p.is_file()) for root in roots]
    assert files[0] == files[1]
    assert all((roots[0] / f).read_bytes() == (roots[1] / f).read_bytes() for f in files[0])


def test_a_flipped_bit_is_an_error_that_names_the_chunk(tmp_path):
    root = store(tmp_path / "set", [[("v", 9)]])
    chunk = root / "shard-000/image_feature/c/1/0"
    stored = bytearray(chunk.read_bytes())
    stored[3] ^= 4
    chunk.write_bytes(stored)
    with pytest.raises(BadInput, match="image_feature/c: damaged"):
        read_features(root).load("v")


def test_a_missing_chunk_is_an_error_and_never_zeros(tmp_path):
    root = store(tmp_path / "set", [[("v", 9)]])
    (root / "shard-000/score/c/2/0").unlink()
    with pytest.raises(BadInput, match="chunk 2 of score is missing"):
        read_features(root).load("v")


def test_zeros_are_stored_as_zeros_and_not_as_missing_chunks(tmp_path):
    silent = VideoFeatures(
        {"audio": np.zeros((3, 4), "f4")},
        np.zeros((3, 4), "f4"),
        np.zeros((3, 3), "f4"),
        np.zeros(3, bool),
    )
    write_features(tmp_path / "set/shard-000", [("v", silent)], CLASSES, "float16", 4, {})
    complete_root(tmp_path / "set", [tmp_path / "set/shard-000"])
    assert (read_features(tmp_path / "set").load("v").fused == 0).all()


def test_any_flipped_byte_of_what_is_said_of_an_array_is_noticed(tmp_path):
    """Axes and units too, which no number depends on."""
    root = store(tmp_path / "set", [[("v", 9)]])
    said = root / "shard-000/fused_feature/zarr.json"
    content = said.read_bytes()
    read_features(root).check()
    for at in range(0, len(content), 9):
        said.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        with pytest.raises(BadInput, match=r"fused_feature: damaged \(the checksum of zarr.json"):
            read_features(root).check()
    said.unlink()
    with pytest.raises(BadInput, match="fused_feature: damaged"):
        read_features(root).check()


@pytest.mark.parametrize("where", ["", "shard-000"])
def test_a_store_without_its_mark_is_refused(tmp_path, where):
    root = store(tmp_path / "set", [[("v", 2)]])
    mark = root / where / "zarr.json"
    content = json.loads(mark.read_text())
    del content["attributes"]["complete"]
    mark.write_text(json.dumps(content))
    with pytest.raises(BadInput, match=r"complete = \('features', \d, False\)"):
        read_features(root)


BYTES = {"name": "bytes", "configuration": {"endian": "little"}}
HOSTILE = [
    {"codecs": [BYTES, {"name": "numcodecs.pickle"}]},
    {"codecs": [BYTES, {"name": "gzip", "configuration": {"level": 1}}]},
    {"codecs": [BYTES]},
    {"codecs": [{"name": "vlen-utf8"}]},
    {"data_type": "string"},
    {"shape": [1 << 40, 8]},
    {"shape": [9, 1 << 40]},
    {"shape": [-9, 8]},
    {"shape": [9.0, 8]},
    {"shape": 10**400},
    {"shape": []},
    {"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [1 << 40, 8]}}},
    {"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [0, 8]}}},
    {"chunk_grid": {"name": "other"}},
    {"storage_transformers": [{"name": "x"}]},
    {"zarr_format": 2},
    {"node_type": "group"},
]


@pytest.mark.parametrize("changes", HOSTILE, ids=str)
def test_an_array_that_is_stored_otherwise_than_l2l_stores_is_refused(tmp_path, changes):
    """Other codecs, which Zarr opens, run code or take memory that no file holds."""
    root = store(tmp_path / "set", [[("v", 9)]])
    rewrite(root / "shard-000/image_feature", **changes)
    with pytest.raises(BadInput, match="image_feature"):
        read_features(root).load("v")


def test_a_store_of_zarr_2_with_a_pickle_compressor_runs_no_code(tmp_path):
    """With numcodecs before 0.16.6, opening it would."""
    root, shown = tmp_path / "set", tmp_path / "code ran"
    payload = f"cos\nsystem\n(S'touch {str(shown)!r}'\ntR.".encode()
    (root / "offset").mkdir(parents=True)
    (root / ".zgroup").write_text('{"zarr_format": 2}')
    (root / ".zattrs").write_text(
        json.dumps({"kind": "features", "layout": 2, "complete": True, "videos": ["v"]})
    )
    (root / "offset/.zarray").write_text(
        json.dumps(
            {
                "zarr_format": 2,
                "shape": [2],
                "chunks": [2],
                "dtype": "<i8",
                "compressor": {"id": "pickle"},
                "fill_value": 0,
                "order": "C",
                "filters": None,
            }
        )
    )
    (root / "offset/0").write_bytes(payload)
    with pytest.raises(BadInput, match=r"set: a folder without zarr\.json"):
        read_features(root)
    assert not shown.exists()


@pytest.mark.parametrize("shards", [["../elsewhere"], ["/tmp"], [1], "shard-000", None, 10**400])
def test_shards_are_folders_of_the_store_and_nothing_else(tmp_path, shards):
    root = store(tmp_path / "set", [[("v", 2)]])
    content = json.loads((root / "zarr.json").read_text())
    rewrite(root, attributes={**content["attributes"], "shards": shards})
    with pytest.raises(BadInput, match="set"):
        read_features(root)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e6])
@pytest.mark.parametrize("name", ["features", "fused", "scores"])
def test_numbers_that_are_not_finite_are_not_written(tmp_path, name, value):
    """Nor those that float16 cannot hold."""
    video = made_up(3)
    array = video.features["audio"] if name == "features" else getattr(video, name)
    array[1, 1] = value
    with pytest.raises(BadInput, match=r"not written: .* of 'v' holds numbers .* not finite"):
        write_features(tmp_path / "shard", [("v", video)], CLASSES, "float16", 4, {})
    assert not list(tmp_path.iterdir())


def test_numbers_that_are_not_finite_are_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr("l2l.features.artifact.np.isfinite", lambda array: np.array(True))
    video = made_up(3)
    video.scores[2, 0] = np.nan
    write_features(tmp_path / "shard", [("v", video)], CLASSES, "float16", 4, {})
    monkeypatch.undo()
    with pytest.raises(BadInput, match="shard: score holds numbers that are not finite"):
        read_features(tmp_path / "shard").load("v")


def test_scores_that_are_not_known_are_not_stored(tmp_path):
    video = made_up(3)
    unknown = dataclasses.replace(video, scores=np.zeros((3, 0), np.float32))
    write_features(tmp_path / "shard", [("v", unknown)], CLASSES, "float16", 4, {})
    features = read_features(tmp_path / "shard")
    assert not features.has_scores
    assert features.load("v").scores.shape == (3, 0)
    assert (features.load("v").fused == video.fused).all()


def test_features_of_an_older_layout_say_so_in_one_line(tmp_path):
    root = store(tmp_path / "set", [[("v", 2)]])
    content = json.loads((root / "zarr.json").read_text())
    rewrite(root, attributes={**content["attributes"], "layout": 1})
    with pytest.raises(BadInput, match=r"set: made by an older version.*run snakemake again"):
        read_features(root)


def test_a_shard_that_is_not_there_leaves_the_set_without_its_mark(tmp_path):
    with pytest.raises(BadInput, match="shard-001"):
        store_dir = tmp_path / "set"
        write_features(store_dir / "shard-000", [("v", made_up(2))], CLASSES, "float16", 4, {})
        complete_root(store_dir, [store_dir / "shard-000", store_dir / "shard-001"])
    assert not (tmp_path / "set/zarr.json").exists()


def test_features_are_those_of_the_student_for_any_batch(tmp_path):
    torch.manual_seed(0)
    student = Student(("image", "audio"), 3, 8, (4, 4, 8, 8), (4, 4, 8, 8), (1, 1, 1, 1)).eval()
    rng = np.random.default_rng(0)
    frames, mels = (
        rng.integers(0, 256, (7, 32, 32, 3)).astype(np.uint8),
        rng.normal(size=(7, 101, 40)).astype(np.float32),
    )
    has_sound = np.array([True] * 6 + [False])
    student.settings = {"mels": {"floor": 1e-6}}
    found = []
    for size in (2, 7):
        describe = StudentInference(student, torch.device("cpu"), size)
        found.append(extract_video_features(describe, frames, mels, has_sound))
    with torch.no_grad():
        descriptor, scores = student(
            frame_input(torch.from_numpy(frames)),
            mel_input(torch.from_numpy(mels), 1e-6),
            torch.from_numpy(has_sound),
        )
    for each in found:
        assert np.allclose(each.fused, descriptor, atol=1e-5)
        assert np.allclose(each.scores, scores, atol=1e-5)
        assert (each.features["audio"][6] == 0).all()
