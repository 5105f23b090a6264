"""The teacher: torchvision's own network at torchvision's sizes, and what is kept of it."""

import numpy as np
import pytest
import torch
from torchvision.models.video import R2Plus1D_18_Weights, r2plus1d_18

from l2l.config import Fitting, Media, Teacher
from l2l.errors import BadInput
from l2l.teacher.artifact import Described, load_teacher_network, read_descriptors, save_teacher, write_descriptors
from l2l.teacher.network import R2Plus1D, as_input
from l2l.teacher.stage import load_teacher


@pytest.fixture(scope="module")
def torchvisions():
    torch.manual_seed(0)
    return r2plus1d_18(weights=None, num_classes=400).eval()


def test_at_torchvisions_sizes_it_has_torchvisions_parameters(torchvisions):
    ours = R2Plus1D(400)
    assert sum(p.numel() for p in ours.parameters()) == 31_505_325
    assert {k: v.shape for k, v in ours.state_dict().items()} == {k: v.shape for k, v in torchvisions.state_dict().items()}


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


def test_pictures_are_prepared_as_the_weights_say():
    clip = torch.randint(0, 256, (1, 4, 112, 112, 3), dtype=torch.uint8)
    preset = R2Plus1D_18_Weights.KINETICS400_V1.transforms(crop_size=(112, 112), resize_size=(112, 112))
    assert torch.allclose(as_input(clip)[0], preset(clip[0].permute(0, 3, 1, 2)), atol=1e-6)


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
    load_teacher(tmp_path / "teacher.pt", Teacher(weights=str(tmp_path / "r2plus1d_18.pth")), Media())
    teacher, settings = load_teacher_network(tmp_path / "teacher.pt")
    assert settings["class_names"] == R2Plus1D_18_Weights.KINETICS400_V1.meta["categories"]
    assert torch.equal(teacher.fc.weight, torchvisions.fc.weight)


def test_media_of_another_size_than_the_weights_were_made_with_are_refused(tmp_path):
    with pytest.raises(BadInput, match=r"resize_pixels and frame_pixels must be \(\(128, 171\), 112\)"):
        load_teacher(tmp_path / "t.pt", Teacher(), Media(resize_pixels=(64, 64), frame_pixels=56))


class Evil:
    def __reduce__(self):
        return (print, ("unpickled",))


@pytest.mark.parametrize("content", [{"x": Evil()}, {"fc.weight": torch.zeros(2, 512)}, [1, 2], b"no torch file"])
def test_weights_that_are_no_state_dict_are_refused_and_never_unpickled(tmp_path, content, capsys):
    path = tmp_path / "w.pth"
    path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)
    with pytest.raises(BadInput, match=r"w\.pth: not a state dict"):
        load_teacher(tmp_path / "t.pt", Teacher(weights=str(path)), Media())
    assert "unpickled" not in capsys.readouterr().out


def test_weights_that_are_nowhere_are_told_with_what_is_known(tmp_path):
    with pytest.raises(BadInput, match="neither train, nor a file, nor one of KINETICS400_V1"):
        load_teacher(tmp_path / "t.pt", Teacher(weights="KINETICS500"), Media())


def test_a_state_dict_of_other_widths_is_refused(tmp_path):
    torch.save(R2Plus1D(400, (4, 4, 8, 8), (1, 1, 1, 1)).state_dict(), tmp_path / "w.pth")
    with pytest.raises(BadInput, match="not the numbers of R"):
        load_teacher(tmp_path / "t.pt", Teacher(weights=str(tmp_path / "w.pth")), Media())


def test_a_schedule_without_training_is_refused():
    with pytest.raises(ValueError, match="belongs to weights: train"):
        Teacher(weights="KINETICS400_V1", fit=Fitting(epochs=1, batch_size=2, learning_rate=1))


def test_descriptors_written_are_those_read(tmp_path):
    teacher = R2Plus1D(3, (4, 4, 8, 8), (1, 1, 1, 1))
    rng = np.random.default_rng(0)
    rows = {
        f"v{i}": Described(np.arange(n, dtype=np.int32) * 2, rng.random((n, 8)).astype("f2"), rng.random((n, 3)).astype("f2"))
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
