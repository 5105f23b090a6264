"""What samplers are given and what they say: draws of clips, mirrors, the stored saliency."""

import weakref

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from l2l.config import MediaConfig, MelsConfig, MotionConfig, SamplerConfig
from l2l.manifest.artifact import Video, write_videos
from l2l.mels.artifact import write_mels
from l2l.motion.artifact import Motion, write_motion
from l2l.sampler.artifact import (
    SamplerNetwork,
    Scored,
    VideoSaliency,
    part_of,
    read_saliency,
    save_sampler,
    write_saliency,
)
from l2l.sampler.examples import Pictures, Target, VideoClips, collate
from l2l.sampler.stage import score_clips

CLIPS, LAST = 6, 5
SECTION = MotionConfig(pixels=32, stride=4)
SMALL = SamplerConfig(
    widths=(4, 4, 8, 8),
    blocks=(1, 1, 1, 1),
    stem_stride=1,
    audio_widths=(4, 4, 8, 8, 8),
    audio_layers=(1, 1, 1, 1, 1),
)


class Numbered(Pictures):
    """Three pictures of each of six clips; every number of the displacement differs."""

    def _read(self, video):
        shape = {"displacement": (2, 2, 2), "residual": (3, 2, 2), "audio": (1, 4, 2)}[self.kind]
        count = 3 * CLIPS * int(np.prod(shape))
        numbers = np.arange(1, count + 1, dtype=np.float32).reshape(CLIPS, 3, *shape)
        return list(numbers)


def entries(kinds, has_sound=None, clips=4, flip=False, sounding=False):
    """One video of six clips, four of them drawn with two pictures each."""
    sound = np.ones(CLIPS, bool) if has_sound is None else np.array(has_sound, bool)
    target = Target(3, np.arange(CLIPS, dtype=np.float32) / 10, np.arange(CLIPS) > 3)
    pictures = {kind: Numbered(kind, {}, 0) for kind in kinds}
    return VideoClips(["v"], pictures, {"v": target}, {"v": sound}, clips, 2, flip, sounding)


def drawn_clips(entry):
    """Which clips an entry has, by what each is worth."""
    return [round(10 * truth) for truth in entry.truth.tolist()]


@given(st.integers(0, (1 << 62) - 1))
def test_a_draw_has_different_clips_in_order_with_what_each_is_worth(seed):
    dataset = entries(("displacement", "audio"))
    entry = dataset[0, seed]
    clips = drawn_clips(entry)
    assert clips == sorted(set(clips))
    assert len(clips) == 4
    assert entry.right.tolist() == [clip > 3 for clip in clips]
    assert set(entry.label.tolist()) == {3}
    for kind in ("displacement", "audio"):
        stored = Numbered(kind, {}, 0).moments("v")
        assert entry.clip[kind].tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
        for place, clip in enumerate(clips):
            firsts = [picture.flat[0] for picture in stored[clip]]
            drawn = entry.pictures[kind][entry.clip[kind] == place]
            found = [firsts.index(picture.flat[0]) for picture in drawn]
            assert found == sorted(set(found)), "two pictures of this clip, in order"
    again = dataset[0, seed]
    assert all((again.pictures[kind] == entry.pictures[kind]).all() for kind in entry.pictures)


def test_a_sampler_that_hears_alone_is_never_given_a_clip_without_sound():
    silent = (0, 1, 0, 1, 1, 0)
    dataset = entries(("audio",), silent, sounding=True)
    assert {tuple(drawn_clips(dataset[0, seed])) for seed in range(20)} == {(1, 3, 4)}
    both = entries(("displacement", "audio"), silent, clips=CLIPS)[0, 0]
    assert both.has_sound.tolist() == [bool(each) for each in silent]
    assert len(entries(("audio",), [0] * CLIPS, sounding=True)) == 0


def test_a_mirror_turns_all_pictures_of_a_video_and_what_moves_right_but_no_sound():
    kinds = ("displacement", "residual", "audio")
    plain, flipped = entries(kinds), entries(kinds, flip=True)
    turned = 0
    for seed in range(40):
        # with the same seed the same clips, and pictures drawn after one number more
        entry = flipped[0, seed]
        assert drawn_clips(entry) == drawn_clips(plain[0, seed])
        stored = {kind: np.concatenate(Numbered(kind, {}, 0).moments("v")) for kind in kinds}
        numbers = {kind: set(x.ravel().tolist()) for kind, x in stored.items()}
        assert set(entry.pictures["audio"].ravel().tolist()) <= numbers["audio"]
        mirrored = bool((entry.pictures["displacement"] < 0).any())
        turned += mirrored
        step = -1 if mirrored else 1
        for kind in ("displacement", "residual"):
            pictures = entry.pictures[kind][..., ::step].copy()
            if kind == "displacement":
                pictures[:, 0] *= step
            found = [np.flatnonzero((stored[kind] == each).all((1, 2, 3))) for each in pictures]
            assert [len(each) for each in found] == [1] * len(pictures)
    assert 10 < turned < 30


def test_a_batch_keeps_each_pictures_clip_and_each_clips_video():
    one, other = entries(("displacement",), clips=3)[0, 0], entries(("displacement",))[0, 1]
    batch = collate([one, other])
    assert batch.video.tolist() == [0] * 3 + [1] * 4
    assert batch.clip["displacement"].tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6]
    assert batch.truth.tolist() == [*one.truth.tolist(), *other.truth.tolist()]


# ---- the stored saliency -------------------------------------------------------------------------

NETWORKS = {
    "displacement-class-resnet18": Scored("a1", {"displacement": 7}, 3),
    "joint": Scored("b2", {"residual": 8, "audio": 9}, 1),
}


@st.composite
def said_of_videos(draw):
    """What two networks say of up to four videos of up to five moments."""
    rows = {}
    for name in draw(st.lists(st.text(min_size=1, max_size=3), max_size=4, unique=True)):
        count = draw(st.integers(0, 5))
        numbers = st.floats(0, 1, width=32)
        outputs = {
            network: draw(arrays(np.float32, (count, scored.outputs), elements=numbers))
            for network, scored in NETWORKS.items()
        }
        pictures = draw(arrays(np.int32, count, elements=st.integers(0, 16)))
        rows[name] = VideoSaliency(
            outputs, pictures, draw(arrays(bool, count)), draw(st.integers(0, 99))
        )
    return rows


@settings(max_examples=15)
@given(said_of_videos())
def test_the_saliency_that_is_written_is_what_is_read(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("saliency") / "s.h5"
    write_saliency(path, rows, NETWORKS, ["a", "b", "c"])
    with read_saliency(path) as reader:
        assert (reader.networks, reader.class_names) == (NETWORKS, ("a", "b", "c"))
        assert reader.videos == tuple(rows)
        for video, written in rows.items():
            read = reader.saliency(video)
            assert reader.moments(video) == len(written.pictures)
            for name, values in written.outputs.items():
                np.testing.assert_array_equal(read.outputs[name], values, strict=True)
            np.testing.assert_array_equal(read.pictures, written.pictures, strict=True)
            np.testing.assert_array_equal(read.has_sound, written.has_sound, strict=True)
            assert read.coded == written.coded


# ---- scoring -------------------------------------------------------------------------------------


def shard(folder, lengths):
    """Motion and mels of videos of so many pictures of motion, and two samplers of them."""
    random = np.random.default_rng(0)
    sections = {"motion": SECTION, "media": MediaConfig(), "mels": MelsConfig()}
    videos = [Video(f"v{i}", f"v{i}.mp4", "test", ("a",)) for i in range(len(lengths))]
    write_videos(folder / "videos.tsv", videos)
    mels = {}
    with write_motion(folder / "motion.h5", SECTION, sections["media"]) as writer:
        for video, count in zip(videos, lengths, strict=True):
            position = (np.arange(count) % SECTION.gop_pictures).astype(np.uint8)
            moving = random.integers(-99, 99, (count, 5, 2, 2), np.int8)
            moving[position == 0] = 0
            writer.add(video.video, Motion(moving[:, :2], moving[:, 2:], position))
            moments = -(-count // SECTION.pictures_per_moment)
            mels[video.video] = (
                random.normal(size=(moments, 101, 40)).astype(np.float32),
                np.ones(moments, bool),
            )
    write_mels(folder / "mels.h5", mels, sections["mels"], (101, 40))
    plain = {name: section.model_dump(mode="json") for name, section in sections.items()}
    for name in ("displacement-class-resnet18", "audio-ranking-vgg"):
        network = SamplerNetwork([part_of(name)], 1, SMALL)
        of_kind = ("mels",) if name.startswith("audio") else ("motion", "media")
        read = {each: plain[each] for each in of_kind}
        save_sampler(folder / f"{name}.pt", network, False, ["a"], SMALL, read)
    return {
        "samplers": sorted(folder.glob("*.pt")),
        "videos": folder / "videos.tsv",
        "mels": folder / "mels.h5",
        "motion": folder / "motion.h5",
        "saliency": folder / "saliency.h5",
        "config": SMALL,
    }


def test_a_video_of_one_picture_has_a_saliency(tmp_path):
    score_clips(**shard(tmp_path, [1, 9]))
    with read_saliency(tmp_path / "saliency.h5") as reader:
        one, longer = map(reader.saliency, ("v0", "v1"))
    # of key pictures alone the networks are given one picture of zeros
    assert (one.coded, one.pictures.tolist()) == (1, [1])
    assert (longer.coded, longer.pictures.tolist()) == (9, [3, 4, 1])
    assert {name: len(values) for name, values in one.outputs.items()} == dict.fromkeys(
        ("displacement-class-resnet18", "audio-ranking-vgg"), 1
    )


def test_of_a_shard_the_pictures_of_one_video_are_in_memory_at_a_time(tmp_path, monkeypatch):
    inputs, read, held = shard(tmp_path, [30] * 6), Pictures._read, []
    most = 0

    def counted(self, video):
        nonlocal most
        most = max(most, len({name for name, array in held if array() is not None} - {video}))
        pictures = read(self, video)
        held.extend((video, weakref.ref(each)) for each in pictures)
        return pictures

    monkeypatch.setattr(Pictures, "_read", counted)
    score_clips(**inputs)
    assert len({name for name, _ in held}) == 6
    assert most <= 1
