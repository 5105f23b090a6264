"""The teacher: torchvision's own network at torchvision's sizes, and what is kept of it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.models import get_model, get_model_weights
from torchvision.models.video import R2Plus1D_18_Weights, r2plus1d_18
from training_world import training

from l2l.config import MediaConfig, TeacherConfig, TrainingConfig
from l2l.errors import BadInput
from l2l.evaluation.cost import count_macs
from l2l.manifest.artifact import read_videos, write_videos
from l2l.teacher.artifact import (
    ClipDescriptors,
    load_teacher_network,
    read_descriptors,
    save_teacher,
    write_descriptors,
)
from l2l.teacher.network import PUBLISHED, R2Plus1D, as_input, build_teacher, our_names
from l2l.teacher.stage import extract_descriptors, load_teacher

LARGE = {"resize_pixels": 256, "frame_pixels": 224}
MEDIA = {
    "r2plus1d_18": {},
    "r3d_18": {},
    "mc3_18": {},
    "s3d": {"resize_pixels": (256, 256), "frame_pixels": 224},
    "mvit_v2_s": LARGE | {"clip_stride": 4},  # trained on 7.5 frames per second, the others on 15
    "swin3d_t": LARGE,
}
WIDTHS = {"s3d": 1024, "mvit_v2_s": 768, "swin3d_t": 768}  # of the descriptor; the others' is 512
# Small clips, (time, side): MViT's position is learned for one size; S3D pools windows of 2 x 7 x
# 7, of which these hold two.
SMALL = {"s3d": (24, 209), "mvit_v2_s": (16, 224)}


@pytest.fixture(scope="module")
def torchvisions():
    torch.manual_seed(0)
    return r2plus1d_18(weights=None, num_classes=400).eval()


def test_at_torchvisions_sizes_it_has_torchvisions_parameters(torchvisions):
    ours = R2Plus1D(400)
    assert sum(p.numel() for p in ours.parameters()) == 31_505_325
    assert {k: v.shape for k, v in ours.state_dict().items()} == {
        k: v.shape for k, v in torchvisions.state_dict().items()
    }


def test_with_torchvisions_weights_it_gives_torchvisions_numbers(torchvisions):
    ours = R2Plus1D(400)
    ours.load_state_dict(torchvisions.state_dict())
    ours.eval()
    clips = torch.randn(2, 3, 4, 32, 32)
    with torch.no_grad():
        descriptor, scores = ours(clips)
        assert torch.equal(scores, torchvisions(clips))
        assert torch.equal(torchvisions.fc(descriptor), scores)
    assert descriptor.shape == (2, 512)


def test_a_teacher_survives_the_disk(tmp_path):
    torch.manual_seed(1)
    teacher = R2Plus1D(3, (4, 4, 8, 8), (1, 1, 1, 1)).eval()
    save_teacher(tmp_path / "t.pt", teacher, ["a", "b", "c"], 32, 4)
    again, settings = load_teacher_network(tmp_path / "t.pt")
    clips = torch.randn(2, 3, 4, 32, 32)
    assert torch.equal(again(clips)[1], teacher(clips)[1])
    assert settings["class_names"] == ["a", "b", "c"]
    assert (settings["frame_pixels"], settings["clip_frames"]) == (32, 4)


def test_a_local_file_of_torchvisions_weights_becomes_the_teacher(tmp_path, torchvisions):
    torch.save(torchvisions.state_dict(), tmp_path / "r2plus1d_18.pth")
    load_teacher(
        tmp_path / "teacher.pt",
        TeacherConfig(weights=str(tmp_path / "r2plus1d_18.pth")),
        MediaConfig(),
    )
    teacher, settings = load_teacher_network(tmp_path / "teacher.pt")
    assert settings["class_names"] == R2Plus1D_18_Weights.KINETICS400_V1.meta["categories"]
    assert torch.equal(teacher.fc.weight, torchvisions.fc.weight)


@pytest.mark.parametrize("network", PUBLISHED)
def test_the_clips_of_the_weights_are_those_that_torchvision_states(network):
    weights, published = get_model_weights(network)["KINETICS400_V1"], PUBLISHED[network]
    preset = weights.transforms()
    resize = published.resize_pixels
    assert preset.resize_size == ([resize] if isinstance(resize, int) else list(resize))
    assert preset.crop_size == [published.crop_pixels] * 2
    description = weights.meta["_docs"]
    assert f"`frame_rate={float(published.frame_rate):g}`" in description
    assert f"`clip_len={published.frames}`" in description


@pytest.mark.parametrize("network", MEDIA)
def test_each_network_has_torchvisions_parameters_and_costs_what_torchvision_says(network):
    published = get_model_weights(network)["KINETICS400_V1"]
    side = published.transforms().crop_size[0]
    with torch.device("meta"):  # shapes without numbers
        teacher = build_teacher(network, 400, (64, 128, 256, 512), (2, 2, 2, 2)).eval()
        clip = torch.zeros(1, 3, 16, side, side)
        assert (
            teacher.describe(clip).shape
            == (1, teacher.descriptor_width)
            == (1, WIDTHS.get(network, 512))
        )
        gmacs = count_macs(lambda: teacher(clip)) / 1e9
    assert sum(p.numel() for p in teacher.parameters()) == published.meta["num_params"]
    assert gmacs == pytest.approx(published.meta["_ops"], abs=6e-4)


@pytest.mark.parametrize(
    "network",
    ["r3d_18", "mc3_18", "s3d", pytest.param("mvit_v2_s", marks=pytest.mark.slow), "swin3d_t"],
)
def test_the_last_layer_of_the_descriptor_is_torchvisions_own_answer(network):
    torch.manual_seed(0)
    theirs = get_model(network, weights=None, num_classes=5).eval()
    teacher = build_teacher(network, 5, (), ()).eval()
    teacher.load_state_dict(our_names(network, theirs.state_dict()))
    time, side = SMALL.get(network, (4, 32))
    clip = torch.randn(1, 3, time, side, side)
    with torch.inference_mode():
        assert torch.allclose(
            teacher.fc(teacher.describe(clip)), theirs(clip), rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize("network", ["mc3_18", "s3d"])
def test_a_local_file_becomes_a_teacher_of_any_network_and_keeps_its_numbers(tmp_path, network):
    torch.manual_seed(0)
    theirs = get_model(network, weights=None, num_classes=7)
    torch.save(theirs.state_dict(), tmp_path / "w.pth")
    media = MediaConfig(**MEDIA[network])
    load_teacher(
        tmp_path / "t.pt", TeacherConfig(network=network, weights=str(tmp_path / "w.pth")), media
    )
    teacher, settings = load_teacher_network(tmp_path / "t.pt")
    assert settings["class_names"] == [f"class {i}" for i in range(7)]
    assert (settings["network"], settings["frame_pixels"]) == (network, media.frame_pixels)
    kept = our_names(network, theirs.state_dict())
    assert all(torch.equal(value, kept[name]) for name, value in teacher.state_dict().items())


def test_weights_by_name_are_torchvisions_download(tmp_path, monkeypatch, torchvisions):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    (tmp_path / "hub/checkpoints").mkdir(parents=True)
    file = tmp_path / "hub/checkpoints" / R2Plus1D_18_Weights.KINETICS400_V1.url.rpartition("/")[2]
    torch.save(torchvisions.state_dict(), file)  # as if it had been fetched before
    load_teacher(tmp_path / "t.pt", TeacherConfig(), MediaConfig())
    assert torch.equal(load_teacher_network(tmp_path / "t.pt")[0].fc.weight, torchvisions.fc.weight)
    file.write_bytes(b"cut short")
    with pytest.raises(
        BadInput,
        match=r"KINETICS400_V1 .*fetch https://.*r2plus1d_18-91a641e6.pth",
    ):
        load_teacher(tmp_path / "t.pt", TeacherConfig(), MediaConfig())


@pytest.mark.parametrize("network", MEDIA)
def test_clips_that_the_weights_do_not_take_are_refused_before_anything_is_loaded(
    tmp_path, network
):
    for wrong, message in (
        (
            {"resize_pixels": (224, 300), "frame_pixels": 224},
            f"as the weights of {network} were trained with; found",
        ),
        (MEDIA[network] | {"clip_frames": 8}, r"clip_frames must be 16.*; found 8"),
        (MEDIA[network] | {"clip_frames": 129}, r"clip_frames must be 16.*; found 129"),
        (
            MEDIA[network] | {"clip_stride": 8},
            r"clip_stride must be [24], .* on clips of (15|7\.5) frames per second; found 8",
        ),
    ):
        with pytest.raises(BadInput, match=message):
            load_teacher(
                tmp_path / "t.pt",
                TeacherConfig(network=network, weights="nowhere.pth"),
                MediaConfig(**wrong),
            )


@pytest.mark.parametrize("network", ["mc3_18", "r3d_18"])
def test_another_network_is_trained_from_nothing_on_clips_of_any_size_it_takes(
    inputs, tmp_path, network
):
    train = training("teacher", inputs, epochs=2, milestones=())
    config = TeacherConfig(
        network=network, weights="train", training=train.options["config"].training
    )
    train.function(**train.options | {"config": config}, teacher=tmp_path / "t.pt")
    _, settings = load_teacher_network(tmp_path / "t.pt")
    assert (settings["network"], settings["class_names"]) == (network, ["a", "b"])
    describe_row = {
        "media": inputs["media"][0],
        "teacher": tmp_path / "t.pt",
        "descriptors": tmp_path / "d.h5",
    }
    write_videos(
        tmp_path / "shard.tsv",
        [v for i, v in enumerate(read_videos(inputs["videos"])) if i % 2 == 0],
    )
    extract_descriptors(tmp_path / "shard.tsv", **describe_row, part="all", config=config)
    with read_descriptors(tmp_path / "d.h5") as reader:
        described = reader.described("v0")
    assert described.descriptors.shape == (len(described.moments), 512)
    assert np.isfinite(described.scores).all()


@pytest.mark.parametrize("network", ["s3d", "mvit_v2_s"])
def test_clips_that_a_network_cannot_take_are_refused_before_it_is_trained(
    inputs, tmp_path, network
):
    train = training("teacher", inputs)
    config = TeacherConfig(
        network=network, weights="train", training=train.options["config"].training
    )
    with pytest.raises(
        BadInput, match=f"found clips of 4 pictures of 16 x 16 pixels: {network} does not take them"
    ):
        train.function(**train.options | {"config": config}, teacher=tmp_path / "t.pt")


@pytest.mark.parametrize("network", MEDIA)
def test_pictures_are_prepared_as_each_networks_weights_say(network):
    published = get_model_weights(network)["KINETICS400_V1"].transforms
    clip = torch.randint(0, 256, (1, 2, 32, 32, 3), dtype=torch.uint8)
    theirs = published(crop_size=(32, 32), resize_size=(32, 32))(clip[0].permute(0, 3, 1, 2))
    assert torch.allclose(as_input(clip, network)[0], theirs, atol=1e-6)


def test_media_of_another_size_than_the_weights_were_made_with_are_refused(tmp_path):
    with pytest.raises(
        BadInput, match=r"resize_pixels and frame_pixels must be \(\(128, 171\), 112\)"
    ):
        load_teacher(
            tmp_path / "t.pt", TeacherConfig(), MediaConfig(resize_pixels=(64, 64), frame_pixels=56)
        )


class Evil:
    def __reduce__(self):
        return (print, ("unpickled",))


@pytest.mark.parametrize(
    "content", [{"x": Evil()}, {"fc.weight": torch.zeros(2, 512)}, [1, 2], b"no torch file"]
)
def test_weights_that_are_no_state_dict_are_refused_and_never_unpickled(tmp_path, content, capsys):
    path = tmp_path / "w.pth"
    path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)
    with pytest.raises(BadInput, match=r"w\.pth: not a state dict"):
        load_teacher(tmp_path / "t.pt", TeacherConfig(weights=str(path)), MediaConfig())
    assert "unpickled" not in capsys.readouterr().out


def test_weights_that_are_nowhere_are_named_with_what_is_known(tmp_path):
    with pytest.raises(
        BadInput,
        match=r"teacher\.weights: 'KINETICS500' is neither a file nor one of KINETICS400_V1, the "
        "weights of r2",
    ):
        load_teacher(tmp_path / "t.pt", TeacherConfig(weights="KINETICS500"), MediaConfig())


def test_a_state_dict_of_other_widths_is_refused(tmp_path):
    torch.save(R2Plus1D(400, (4, 4, 8, 8), (1, 1, 1, 1)).state_dict(), tmp_path / "w.pth")
    with pytest.raises(BadInput, match="not the numbers of r2plus1d_18"):
        load_teacher(
            tmp_path / "t.pt", TeacherConfig(weights=str(tmp_path / "w.pth")), MediaConfig()
        )


def test_a_schedule_without_training_is_refused():
    with pytest.raises(ValueError, match="belongs to weights: train"):
        TeacherConfig(
            weights="KINETICS400_V1",
            training=TrainingConfig(epochs=1, batch_size=2, learning_rate=1),
        )
    with pytest.raises(ValueError, match="belong to network: r2plus1d_18"):
        TeacherConfig(network="r3d_18", widths=(4, 4, 8, 8))


def test_only_what_is_no_name_of_torchvisions_is_a_file_that_has_to_be_there():
    assert TeacherConfig().weights_files == ()
    assert TeacherConfig(weights="IMAGENET22K_V1").weights_files == ()
    assert TeacherConfig(weights="mine.pth").weights_files == (Path("mine.pth"),)


def test_descriptors_written_are_those_read(tmp_path):
    teacher = R2Plus1D(3, (4, 4, 8, 8), (1, 1, 1, 1))
    rng = np.random.default_rng(0)
    rows = {
        f"v{i}": ClipDescriptors(
            np.arange(n, dtype=np.int32) * 2,
            rng.random((n, 8)).astype("f2"),
            rng.random((n, 3)).astype("f2"),
        )
        for i, n in enumerate((3, 0, 2))
    }
    write_descriptors(tmp_path / "d.h5", rows, teacher, ["a", "b", "c"])
    with read_descriptors(tmp_path / "d.h5") as reader:
        assert reader.videos == ("v0", "v1", "v2")
        assert reader.class_names == ["a", "b", "c"]
        for video, row in rows.items():
            read = reader.described(video)
            assert (read.moments == row.moments).all()
            assert (read.descriptors == row.descriptors).all()
            assert (read.scores == row.scores).all()
