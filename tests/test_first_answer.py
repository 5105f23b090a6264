"""`l2l predict --teacher`: Kinetics' 400 actions by published weights, without a run."""

import json
import re

import numpy as np
import pytest
import torch
from media_files import make_video
from torchvision.models.video import R2Plus1D_18_Weights, r2plus1d_18

import l2l
from l2l.__main__ import main
from l2l.apply.artifact import read_prediction
from l2l.apply.teacher import MEDIA, TeacherPredictor
from l2l.evaluation.videos.methods import uniform
from l2l.manifest.probe import probe_file
from l2l.media.decode import decode
from l2l.teacher.network import R2Plus1D

CLIP_GMACS = 40.519  # of R(2+1)D-18, 16 frames of 112 x 112, with its last layer


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A file like the published one, with random weights."""
    torch.manual_seed(3)
    network = r2plus1d_18(num_classes=400).eval()
    path = tmp_path_factory.mktemp("weights") / "r2plus1d_18.pth"
    torch.save(network.state_dict(), path)
    return path, network


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A video of three moments, one without sound, and a file that is no video."""
    folder = tmp_path_factory.mktemp("unlabelled")
    make_video(folder / "a.mp4", 2.2)
    make_video(folder / "deaf.mp4", 1.2, sound=None)
    (folder / "page.mp4").write_text("<!doctype html><html></html>")
    return folder


def by_torchvision(network, path):
    """The softmax of each clip, by torchvision's own network and preprocessing."""
    decoded = decode(probe_file(path).source(path), MEDIA, "clips", MEDIA.jpeg_quality)
    prepare = R2Plus1D_18_Weights.KINETICS400_V1.transforms(resize_size=(112, 112))
    with torch.inference_mode():
        each = [
            network(prepare(torch.from_numpy(decoded.clip(k)).permute(0, 3, 1, 2))[None])
            for k in range(decoded.moments)
        ]
    return torch.cat(each).double().softmax(1).numpy()


def test_dense_and_uniform_answers_are_torchvisions_own(published, folder):
    path, network = published
    predictor = TeacherPredictor(str(path), threads=1)
    video, names = folder / "a.mp4", R2Plus1D_18_Weights.KINETICS400_V1.meta["categories"]
    assert predictor.class_names == tuple(names)
    of_clips = by_torchvision(network, video)
    for moments, looked_at in ((None, [0, 1, 2]), (2, uniform(3, 2))):
        (answer,) = predictor.predict_many([video], moments=moments, top=400)
        expected = of_clips[looked_at].mean(0)
        assert answer.label == names[int(expected.argmax())]
        found = {each.label: each.probability for each in answer.classes}
        assert np.abs([found[n] for n in names] - expected).max() < 2e-6  # six digits are kept
        assert (answer.moments, answer.moments_read) == (3, len(looked_at))
        assert answer.factor == (0 if moments else 1)
        assert answer.gmacs == pytest.approx(len(looked_at) * CLIP_GMACS, abs=0.01)
        assert answer.selected == ()
        assert answer.decoded_pictures > 0


def test_the_command_prints_what_predict_prints_of_a_run(published, folder, capsys):
    asked = ["predict", str(folder), "--teacher", str(published[0]), "--threads", "1"]
    assert main([*asked, "--moments", "1"]) == 1  # one file is no video
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(
        rf"{folder}/a\.mp4: [\w ()',/-]+ \(0\.\d\d\); 1 of 3 moments seen; 40\.5 GMACs, "
        r"\d+ pictures decoded",
        lines[0],
    )
    assert lines[1].startswith(f"{folder}/deaf.mp4: ")
    assert (
        lines[2] == f"{folder}/page.mp4: corrupt: not a video: its contents look like an HTML page"
    )
    asked[1] = str(folder / "a.mp4")
    assert main([*asked, "--moments", "1", "--json", "--top", "3"]) == 0
    values = json.loads(capsys.readouterr().out)
    label, probability = values.pop("label"), values.pop("probability")
    prediction = read_prediction(values)
    assert (prediction.label, prediction.probability) == (label, probability)
    assert (prediction.status, len(prediction.classes)) == ("ok", 3)


def test_from_python_the_answers_are_those_of_the_command(published, folder, capsys):
    path, _ = published
    video = folder / "a.mp4"
    teacher = l2l.load_teacher(path, threads=1)
    assert repr(teacher) == f"TeacherPredictor({str(path)!r}, 400 classes)"
    answer = teacher.predict(video, moments=2, top=3)
    asked = ["predict", str(video), "--teacher", str(path), "--threads", "1", "--moments", "2"]
    assert main([*asked, "--json", "--top", "3"]) == 0
    values = json.loads(capsys.readouterr().out)
    values = {name: value for name, value in values.items() if name not in ("label", "probability")}
    assert answer == read_prediction(values)
    with pytest.raises(l2l.BadInput, match=r"^teacher: 'nowhere\.pth' is neither a file"):
        l2l.load_teacher("nowhere.pth")


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ([], "expected one of --run, a finished run, and --teacher KINETICS400_V1"),
        (["--run", "r", "--teacher", "w.pth"], "expected one of --run"),
        (["--run", "r", "--moments", "3"], "--moments belongs to --teacher"),
        (["--teacher", "w.pth", "--factor", "2"], "--budget-gmacs belong to --run"),
        (
            ["--teacher", "w.pth"],
            "teacher: 'w.pth' is neither a file nor one of KINETICS400_V1, the weights of "
            "r2plus1d_18; fetch https://download.pytorch.org/models/r2plus1d_18-",
        ),
        (["--teacher", "train"], "teacher: 'train' is neither a file nor one of KINETICS400_V1"),
        (["--teacher", "a.mp4"], "a.mp4: not a state dict of r2plus1d_18"),
        (["--teacher", "narrow.pth"], "narrow.pth: not the numbers of r2plus1d_18"),
        (["--teacher", "two.pth"], "two.pth: r2plus1d_18 with 2 classes, expected the 400"),
    ],
)
def test_what_is_not_there_is_answered_in_one_line(
    options, line, published, folder, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.mp4").symlink_to(folder / "a.mp4")
    torch.save(R2Plus1D(400, (4, 4, 8, 8), (1, 1, 1, 1)).state_dict(), tmp_path / "narrow.pth")
    if "two.pth" in options:
        state = published[1].state_dict()
        state |= {"fc.weight": torch.zeros(2, 512), "fc.bias": torch.zeros(2)}
        torch.save(state, tmp_path / "two.pth")
    assert main(["predict", "a.mp4", *options]) == 1
    said = capsys.readouterr()
    assert line in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""


def test_weights_that_cannot_be_downloaded_are_named_with_their_address(
    folder, monkeypatch, tmp_path, capsys
):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(
        R2Plus1D_18_Weights, "get_state_dict", lambda *_, **__: (_ for _ in ()).throw(OSError("no"))
    )
    assert main(["predict", str(folder / "a.mp4"), "--teacher", "KINETICS400_V1"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "KINETICS400_V1 could not be downloaded (no); fetch https://download.pytorch." in line
    assert re.search(r" and give the file: --teacher r2plus1d_18-\w+\.pth$", line)


def test_numbers_out_of_bounds_are_refused(published, folder, capsys):
    asked = ["predict", str(folder / "a.mp4"), "--teacher", str(published[0])]
    assert main([*asked, "--moments", "0"]) == 1
    assert "moments 0: expected 1 or more" in capsys.readouterr().err
