"""The motion of a shard: what is written is what is read, and a moment has its own pictures."""

import tracemalloc
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l2l.config import MediaConfig, MotionConfig
from l2l.errors import BadInput
from l2l.motion.artifact import Motion, read_motion, write_motion

MEDIA = MediaConfig()
SMALL = MotionConfig(pixels=48, stride=2)


def drawn(pictures: int, config: MotionConfig = SMALL, seed: int = 0) -> Motion:
    rng = np.random.default_rng(seed)
    cells = (config.cells, config.cells)
    return Motion(
        rng.integers(-127, 128, (pictures, 2, *cells), np.int8),
        rng.integers(-127, 128, (pictures, 3, *cells), np.int8),
        (np.arange(pictures) % config.gop_pictures).astype(np.uint8),
    )


def written(path: Path, lengths: list[int], config: MotionConfig = SMALL) -> dict[str, Motion]:
    videos = {f"v {i}/ü": drawn(n, config, seed=i) for i, n in enumerate(lengths)}
    with write_motion(path, config, MEDIA) as writer:
        for video, motion in videos.items():
            writer.add(video, motion)
    return videos


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(1, 40), max_size=4), st.sampled_from([1, 2, 16]))
def test_what_is_written_is_what_is_read(tmp_path_factory, lengths, stride):
    config = SMALL.model_copy(update={"stride": stride})
    path = tmp_path_factory.mktemp("motion") / "m.h5"
    videos = written(path, lengths, config)
    with read_motion(path) as reader:
        assert (reader.config, reader.media) == (config, MEDIA)
        assert reader.videos == tuple(videos)
        for video, motion in videos.items():
            assert reader.pictures(video) == len(motion.gop_position)
            moments = [reader.moment(video, k) for k in range(reader.moments(video))]
            assert all(len(each.gop_position) == 16 // stride for each in moments[:-1])
            assert 1 <= len(moments[-1].gop_position) <= 16 // stride
            for whole, stored, parts in zip(
                motion, reader.motion(video), zip(*moments, strict=True), strict=True
            ):
                assert whole.dtype == stored.dtype
                assert (whole == stored).all()
                assert (whole == np.concatenate(parts)).all()


def test_the_arrays_are_deflated_and_checksummed(tmp_path):
    written(tmp_path / "m.h5", [3])
    with h5py.File(tmp_path / "m.h5") as file:
        for name in ("displacement", "residual"):
            assert (file[name].compression, file[name].fletcher32) == ("gzip", True)
        assert file["gop_position"].fletcher32
        assert file["displacement"].attrs["axes"] == "picture direction row column"
        assert file.attrs["displacement_unit_pixels"] == file.attrs["residual_unit_levels"] == 0.5


def test_the_same_motion_gives_the_same_bytes(tmp_path):
    for name in ("a.h5", "b.h5"):
        written(tmp_path / name, [30, 1])
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_a_moment_that_is_not_there_is_refused(tmp_path):
    written(tmp_path / "m.h5", [9])
    with read_motion(tmp_path / "m.h5") as reader:
        assert reader.moments("v 0/ü") == 2
        for moment in (-1, 2):
            with pytest.raises(BadInput, match=f"m.h5: no moment {moment} in video"):
                reader.moment("v 0/ü", moment)


@pytest.mark.parametrize(
    "wrong",
    [
        drawn(0),
        drawn(3, MotionConfig(pixels=64)),
        drawn(3)._replace(gop_position=np.zeros(2, np.uint8)),
        drawn(3)._replace(residual=np.zeros((3, 3, 3, 3), np.int16)),
    ],
)
def test_arrays_of_another_shape_or_type_are_not_written(tmp_path, wrong):
    with (
        pytest.raises(ValueError, match=r"v: .* expected"),
        write_motion(tmp_path / "m.h5", SMALL, MEDIA) as writer,
    ):
        writer.add("v", wrong)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "values", [{"pixels": 100}, {"stride": 3}, {"gop_pictures": 1}, {"quality": 32}]
)
def test_a_section_that_cannot_be_is_refused(values):
    with pytest.raises(ValueError, match=next(iter(values))):
        MotionConfig(**values)


def test_memory_does_not_grow_with_the_number_of_videos(tmp_path, monkeypatch):
    monkeypatch.setattr("l2l.hdf5.FLUSH_BYTES", 1 << 16)
    motion = drawn(400)  # 20 kB
    with write_motion(tmp_path / "m.h5", SMALL, MEDIA) as writer:
        tracemalloc.start()
        for number in range(40):
            writer.add(f"{number}", motion._replace(residual=motion.residual.copy()))
            held, _ = tracemalloc.get_traced_memory()
            assert held < 2 << 16
        tracemalloc.stop()
    with read_motion(tmp_path / "m.h5") as reader:
        assert (reader.motion("39").residual == motion.residual).all()
