"""The teacher of single pictures and sound: what it says of a clip, and how it is made."""

import numpy as np
import pytest
import torch
import training_world

from l2l.config import MelsConfig, TeacherConfig
from l2l.errors import BadInput
from l2l.evaluation.cost import count_macs, descriptor_macs
from l2l.manifest.artifact import read_videos, write_videos
from l2l.media.artifact import read_media
from l2l.mels.artifact import read_mels, write_mels
from l2l.mels.spectrogram import mel_shape
from l2l.pretrained.efficientnet.package import installed_file
from l2l.pretrained.efficientnet.weights import NAME
from l2l.teacher.artifact import load_teacher_network, read_descriptors
from l2l.teacher.network import FrameTeacher, as_input, example_clip
from l2l.teacher.stage import extract_descriptors, fit_frame_teacher

HEARD = MelsConfig(spectrogram="efficientat")


def test_a_descriptor_is_mean_change_and_sound():
    torch.manual_seed(0)
    teacher = FrameTeacher(3).eval()
    clips = torch.randint(256, (2, 3, 8, 8, 3), dtype=torch.uint8)
    mels, has_sound = torch.randn(2, *mel_shape(HEARD)), torch.tensor([True, False])
    with torch.no_grad():
        described, scores = teacher(as_input(clips, "frames"), mels, has_sound)
        for clip in range(2):
            pictures = as_input(clips[clip : clip + 1], "frames")[0].transpose(0, 1)
            a, b, c = (teacher.image(each[None]).mean((2, 3))[0] for each in pictures)
            mean, change = (a + b + c) / 3, ((b - a).abs() + (c - b).abs()) / 2
            # Features of random weights are tiny: rounding is compared with the largest.
            assert torch.allclose(described[clip, :1280], mean, 0, 1e-3 * mean.max())
            assert torch.allclose(described[clip, 1280:2560], change, 0, 1e-3 * change.max())
    assert (described[0, 2560:] != 0).any()
    assert (described[1, 2560:] == 0).all()
    assert described.shape == (2, 2944)
    assert torch.equal(scores, teacher.fc(described))
    still = clips[:, :1]
    with torch.no_grad():
        alone = teacher.describe(as_input(still, "frames"), mels, has_sound)
    assert (alone[:, 1280:2560] == 0).all()  # one picture does not change


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The small world of trainings with the spectrogram that this teacher hears."""
    world = training_world.make_world(tmp_path_factory.mktemp("world"))
    rng = np.random.default_rng(1)
    for path in world["mels"]:
        with read_mels(path) as reader:
            counts = {video: reader.moments(video) for video in reader.videos}
        rows = {
            video: (rng.normal(-5, 2, (n, *mel_shape(HEARD))).astype("f4"), np.ones(n, bool))
            for video, n in counts.items()
        }
        write_mels(path, rows, HEARD, mel_shape(HEARD))
    return world


@pytest.fixture(scope="module")
def teacher(world, weights, tmp_path_factory):
    """Its configuration and its file."""
    try:
        installed_file("teacher.weights", NAME)
    except BadInput as error:
        pytest.skip(str(error))
    config = TeacherConfig(
        network="frames", weights=NAME, audio_weights=weights / "mn04_as_mAP_432.pt"
    )
    path = tmp_path_factory.mktemp("teacher") / "teacher.pt"
    fit_frame_teacher(world["videos"], world["media"], world["mels"], path, config)
    return config, path


def test_its_classifier_is_fit_on_the_labelled_clips_and_its_descriptors_are_stored(
    world, teacher, tmp_path
):
    config, path = teacher
    network, settings = load_teacher_network(path)
    assert isinstance(network, FrameTeacher)
    assert settings["class_names"] == ["a", "b"]
    assert settings["network"] == "frames"
    right = videos = 0
    for shard, (media, mels) in enumerate(zip(world["media"], world["mels"], strict=True)):
        out = tmp_path / f"{shard}.h5"
        manifest = tmp_path / f"{shard}.tsv"
        with read_media(media) as reader:
            held = set(reader.videos)
        write_videos(manifest, [v for v in read_videos(world["videos"]) if v.video in held])
        extract_descriptors(manifest, media, path, out, "all", config, mels=mels)
        with read_descriptors(out) as reader:
            for video in reader.videos:
                described = reader.described(video)
                assert described.descriptors.shape[1] == 2944
                best = described.scores.argmax(1)
                if int(video[1:]) < 8:  # a train video
                    right += (best == int(video[1:]) % 2).sum()
                    videos += len(best)
    assert videos > 8
    assert right == videos  # 2944 numbers separate any few clips


def test_two_makings_give_the_same_bytes(world, teacher, tmp_path):
    config, path = teacher
    fit_frame_teacher(world["videos"], world["media"], world["mels"], tmp_path / "t.pt", config)
    assert (tmp_path / "t.pt").read_bytes() == path.read_bytes()


def test_without_mels_it_is_refused(world, teacher, tmp_path):
    config, path = teacher
    with pytest.raises(BadInput, match="a teacher that hears needs mels"):
        extract_descriptors(
            world["videos"], world["media"][0], path, tmp_path / "d.h5", "all", config
        )


def test_its_cost_is_that_of_its_pictures_and_its_sound(teacher):
    _, path = teacher
    network, settings = load_teacher_network(path)
    one_picture = count_macs(lambda: network.describe(*example_clip(network, 1, 16)))
    assert one_picture == 383_907_552 + 12_281_728
    frames = settings["clip_frames"]
    assert descriptor_macs(path) == frames * 383_907_552 + 12_281_728


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"network": "frames", "weights": NAME}, "`audio_weights` belongs to network: frames"),
        ({"audio_weights": "a.pt"}, "`audio_weights` belongs to network: frames"),
        (
            {"network": "frames", "weights": "KINETICS400_V1", "audio_weights": "a.pt"},
            "weights: found KINETICS400_V1, expected IMAGENET1K_PYPI or a file",
        ),
    ],
)
def test_keys_that_do_not_go_together_are_refused(changes, message):
    with pytest.raises(ValueError, match="Value error") as refused:
        TeacherConfig(**changes)
    assert message in str(refused.value)
