"""One frame of the demo's world shows the object, the sound the motion, and only both the class."""

from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l2l.config import read_config
from l2l.datasets import DemoDataset
from l2l.demo import films, sounds, world
from l2l.demo.stage import render_demo
from l2l.evaluation.videos.methods import METHODS, chosen_methods

ROOT = Path(__file__).parents[1]
seeds = st.integers(0, 2**32 - 1)
things = st.sampled_from(world.OBJECTS)
motions = st.sampled_from(world.MOTIONS)


@settings(max_examples=25)
@given(seeds, things)
def test_the_first_picture_is_the_same_for_every_motion(seed, thing):
    firsts = [
        world.paint(world.draw_scene(np.random.default_rng(seed), thing, motion, 32), np.zeros(1))
        for motion in world.MOTIONS
    ]
    assert all((first == firsts[0]).all() for first in firsts)


@settings(max_examples=25)
@given(seeds, things, motions)
def test_a_scene_changes_if_and_only_if_it_has_a_motion(seed, thing, motion):
    for kind, moves in ((motion, True), ("still", False)):
        scene = world.draw_scene(np.random.default_rng(seed), thing, kind, 32)
        pictures = world.paint(scene, np.linspace(0, 1, 8))
        assert (pictures != pictures[0]).any() == moves


@settings(max_examples=10)
@given(seeds, motions)
def test_a_sound_does_not_depend_on_the_object(seed, motion):
    heard = []
    for thing in world.OBJECTS:
        film = films.trimmed_clip(
            np.random.default_rng(seed), world.class_name(thing, motion), 1.5, 32
        )
        # scene and sound use one generator, and every scene takes as many numbers of it
        heard.append(film.waveform)
    assert all((waveform == heard[0]).all() for waveform in heard)


@settings(max_examples=20)
@given(seeds)
def test_sounds_are_finite_and_hardly_ever_clip(seed):
    for motion in world.MOTIONS:
        heard = sounds.motion_sound(np.random.default_rng(seed), motion, 1.0)
        assert heard.shape == (16_000,)
        assert np.isfinite(heard).all()
        assert (np.abs(heard) > 1).mean() < 1e-3


@settings(max_examples=15)
@given(seeds, st.sampled_from(world.CLASSES), st.floats(20, 40))
def test_the_action_fills_about_a_quarter_of_an_untrimmed_video(seed, name, seconds):
    film = films.untrimmed_video(np.random.default_rng(seed), name, seconds, 16)
    length = len(film.pictures) / films.FRAME_RATE
    assert abs(length - seconds) < 0.1
    assert abs(len(film.waveform) / sounds.RATE_HZ - length) < 0.01
    assert 0.2 < sum(end - start for start, end in film.actions) / length < 0.3
    assert all(0 <= start < end <= length + 1e-9 for start, end in film.actions)


@settings(max_examples=15)
@given(seeds, st.sampled_from(world.CLASSES), st.floats(28, 40))
def test_each_scene_of_a_short_action_is_as_long_as_asked_and_the_rest_is_filled(
    seed, name, seconds
):
    rng = np.random.default_rng(seed)
    film = films.untrimmed_video(rng, name, seconds, 16, action_seconds=2.7)
    assert abs(len(film.pictures) / films.FRAME_RATE - seconds) < 0.1
    assert len(film.waveform) / sounds.RATE_HZ == pytest.approx(len(film.pictures) / 15, abs=0.01)
    assert len(film.actions) in (1, 2)
    assert [end - start for start, end in film.actions] == pytest.approx(
        [5 * 16 / 30] * len(film.actions)
    )


def test_the_order_of_the_random_numbers_of_a_video_of_the_demo_is_fixed():
    """Another order would draw other videos, and every published number of the demo would move."""
    rng = np.random.default_rng(3)
    film = films.untrimmed_video(rng, "moon_bouncing", 12, 16)
    assert film.actions == ((85 / 15, 127 / 15),)
    assert int(rng.integers(2**31)) == 1728729370


@pytest.mark.parametrize(
    ("changes", "fact"),
    [
        ({"kind": "clips", "action_seconds": 2.0}, "found with kind clips"),
        ({"action_seconds": 2.1}, "action_seconds 2.1 is above a quarter of min_seconds 8"),
        ({"action_seconds": 1.0}, "greater than or equal to 1.1"),
    ],
)
def test_a_length_of_the_action_that_cannot_be_drawn_is_refused(changes, fact):
    with pytest.raises(ValueError, match=fact):
        dataset(**changes)


def test_a_configuration_lays_short_actions_over_the_demo():
    demo = read_config(ROOT / "config.yaml")
    short = read_config(ROOT / "config.yaml", ROOT / "workflow/configs/short.yaml")
    drawn = demo.videos["untrimmed"].model_copy(update={"action_seconds": 2.7})
    assert short.videos == {**demo.videos, "untrimmed": drawn}
    assert short.run != demo.run
    paper = [method.name for method in chosen_methods(None)]
    own = ["one_look_sparse", "one_look_dense", "oracle"]
    assert list(short.evaluation.methods or ()) == [*paper, *own]


def test_a_configuration_adds_the_rivals_rows_to_the_demo():
    demo = read_config(ROOT / "config.yaml")
    rivals = read_config(ROOT / "config.yaml", ROOT / "workflow/configs/rivals.yaml")
    own = {method.name for method in METHODS if not method.paper}
    rows = {method.name for method in chosen_methods(rivals.evaluation.methods)}
    assert own | {"uniform", "ours_sparse", "ours_dense"} == rows
    changed = {"skimmer", "evaluation"}
    assert rivals.model_dump(exclude=changed) == demo.model_dump(exclude=changed)
    assert rivals.skimmer.one_look == demo.skimmer.one_look


def test_an_advert_keeps_the_whole_scene_inside_a_frame_of_one_colour():
    scene = world.draw_scene(np.random.default_rng(0), "moon", "spinning", 64)
    pictures = world.paint(scene, np.zeros(2))
    framed = world.frame_like_an_advert(pictures, np.array([1.0, 0.5, 0.0]))
    assert (framed[:, :10] == [255, 128, 0]).all()
    assert (framed[:, :, -10:] == [255, 128, 0]).all()
    rows = (np.arange(44) * 64) // 44
    assert (framed[:, 10:-10, 10:-10] == pictures[:, rows][:, :, rows]).all()


def test_an_unknown_object_is_refused_by_name():
    with pytest.raises(ValueError, match="unknown scene 'pear'"):
        world.draw_scene(np.random.default_rng(0), "pear", "spinning", 32)


def dataset(**changes: object) -> DemoDataset:
    values = {
        "role": "target",
        "shards": 1,
        "adapter": "demo",
        "kind": "untrimmed",
        "train": 3,
        "val": 1,
        "test": 1,
    }
    return DemoDataset(
        **{**values, "min_seconds": 8, "max_seconds": 9, "side_pixels": 32, **changes}
    )


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rendered") / "videos"
    render_demo(folder, dataset(), 5)
    return folder


def test_rendered_files_are_h264_and_aac_of_the_right_length(rendered):
    files = sorted(rendered.glob("*/*/*.mp4"))
    assert len(files) == 5
    for file in files:
        with av.open(str(file)) as container:
            video, audio = container.streams.video[0], container.streams.audio[0]
            assert (video.codec_context.name, audio.codec_context.name) == ("h264", "aac")
            assert 8 <= float(video.duration * video.time_base) <= 9.1
            assert sum(1 for _ in container.decode(video)) == video.frames


def test_the_same_seed_renders_the_same_bytes_on_one_core_and_on_two(rendered, tmp_path):
    render_demo(tmp_path / "again", dataset(), 5, threads=2)
    for file in sorted(path for path in rendered.rglob("*") if path.is_file()):
        assert (tmp_path / "again" / file.relative_to(rendered)).read_bytes() == file.read_bytes()


def test_no_two_splits_or_seeds_share_a_video(rendered, tmp_path):
    render_demo(tmp_path / "other", dataset(), 6)
    of_seed_5, of_seed_6 = (
        {p.read_bytes() for p in folder.glob("*/*/*.mp4")}
        for folder in (rendered, tmp_path / "other")
    )
    assert len(of_seed_5) == 5
    assert not of_seed_5 & of_seed_6
