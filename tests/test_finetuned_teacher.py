"""A copy of the teacher that is fine-tuned on the target, as the teacher of the paper's Fig. 5."""

from pathlib import Path

import pytest
import torch
from training_world import MEDIA, fitting, make_world, same, state
from workflow_runs import planned, snakemake, tiny_with

from l2l.config import TeacherConfig
from l2l.errors import BadInput
from l2l.manifest.artifact import read_videos, write_videos
from l2l.media.artifact import read_media, write_media
from l2l.media.decoded import Decoded
from l2l.media.pictures import EncodedPictures
from l2l.teacher import stage
from l2l.teacher.artifact import load_teacher_network, save_teacher
from l2l.teacher.network import R2Plus1D
from l2l.teacher.stage import finetune_teacher

SIZES = {"widths": (4, 4, 4, 8), "blocks": (1, 1, 1, 1)}
SCHEDULE = fitting(epochs=2, milestones=(1,), flip=True)
CONFIG = TeacherConfig(**SIZES, finetune=SCHEDULE)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> dict:
    """A teacher of three classes, and the videos of a target that has two others."""
    folder = tmp_path_factory.mktemp("target")
    world = make_world(folder)
    torch.manual_seed(0)
    teacher = R2Plus1D(3, **SIZES)
    path = folder / "teacher.pt"
    save_teacher(path, teacher, ["x", "y", "z"], MEDIA.frame_pixels, MEDIA.clip_frames)
    return {"teacher": path, "videos": world["videos"], "media": world["media"]}


def finetuned(inputs: dict, out: Path, **changes) -> Path:
    finetune_teacher(**{**inputs, "finetuned": out, "config": CONFIG, "seed": 1, **changes})
    return out


def test_every_weight_of_the_copy_changes_and_none_of_the_teacher(inputs, tmp_path):
    before = inputs["teacher"].read_bytes()
    out = finetuned(inputs, tmp_path / "finetuned.pt")
    assert inputs["teacher"].read_bytes() == before
    teacher, copy = state(inputs["teacher"]), state(out)
    assert teacher.keys() == copy.keys()
    changed = [
        name
        for name in teacher
        if teacher[name].shape != copy[name].shape or not torch.equal(teacher[name], copy[name])
    ]
    assert changed == list(teacher)
    network, settings = load_teacher_network(out)
    assert settings["class_names"] == ["a", "b"]
    assert network.fc.weight.shape == (2, 8)
    assert settings["config"]["finetune"]["epochs"] == 2
    assert not out.with_name("finetuned.pt.checkpoints").exists()


def test_it_starts_from_the_weights_of_the_teacher_with_a_new_classifier(inputs, tmp_path):
    """A step so small that no weight moves by a thousandth."""
    step = fitting(epochs=1, learning_rate=1e-7, milestones=())
    slow = CONFIG.model_copy(update={"finetune": step})
    copy = state(finetuned(inputs, tmp_path / "finetuned.pt", config=slow))
    weights = dict(R2Plus1D(2, **SIZES).named_parameters())
    for name, value in state(inputs["teacher"]).items():
        if name in weights and not name.startswith("fc."):
            torch.testing.assert_close(copy[name], value, atol=1e-3, rtol=0)


def test_the_same_seed_gives_the_same_network_and_another_seed_another_one(inputs, tmp_path):
    one, again, other = (
        finetuned(inputs, tmp_path / f"{name}.pt", seed=seed)
        for name, seed in (("one", 1), ("again", 1), ("other", 2))
    )
    assert same(one, again)
    assert not same(one, other)


def test_it_continues_from_its_checkpoint(inputs, tmp_path, monkeypatch, capsys):
    whole = finetuned(inputs, tmp_path / "whole.pt")
    out = tmp_path / "finetuned.pt"
    with monkeypatch.context() as patched:

        def no_disk(*_: object) -> None:
            raise BadInput("no space")

        patched.setattr(stage, "save_teacher", no_disk)
        with pytest.raises(BadInput, match="no space"):
            finetuned(inputs, out)
    capsys.readouterr()
    assert same(finetuned(inputs, out), whole)
    assert "epoch 1/2" not in capsys.readouterr().err


def test_another_teacher_does_not_continue_from_it(inputs, tmp_path, monkeypatch, capsys):
    teacher = tmp_path / "teacher.pt"
    teacher.write_bytes(inputs["teacher"].read_bytes())
    out = tmp_path / "finetuned.pt"
    with monkeypatch.context() as patched:
        patched.setattr(stage, "save_teacher", lambda *_: None)
        finetuned(inputs | {"teacher": teacher}, out)
        torch.manual_seed(1)
        names = ["x", "y", "z"]
        save_teacher(teacher, R2Plus1D(3, **SIZES), names, MEDIA.frame_pixels, MEDIA.clip_frames)
    capsys.readouterr()
    finetuned(inputs | {"teacher": teacher}, out)
    assert "epoch 1/2" in capsys.readouterr().err


def test_a_target_without_stored_clips_is_refused_in_one_line(inputs, tmp_path):
    media = tmp_path / "media.h5"
    rows = read_videos(inputs["videos"])[:2]
    write_videos(tmp_path / "videos.tsv", rows)
    with write_media(media, MEDIA, clips_stored=False) as writer:
        for row in rows:
            pictures = EncodedPictures.from_array(torch.zeros(4, 16, 16, 3).byte().numpy())
            sound = torch.zeros(0).short().numpy()
            writer.add(row, Decoded("ok", "", 60, 16, pictures, sound, grid=MEDIA.grid))
    target = {"videos": tmp_path / "videos.tsv", "media": [media]}
    with pytest.raises(BadInput, match=r"expected whole clips .* teacher\.finetune") as refused:
        finetuned(inputs | target, tmp_path / "finetuned.pt")
    assert "\n" not in str(refused.value)
    with read_media(media) as reader:
        assert not reader.clips_stored


def test_a_teacher_of_other_clips_and_a_missing_schedule_are_refused(inputs, tmp_path):
    teacher = tmp_path / "teacher.pt"
    save_teacher(teacher, R2Plus1D(3, **SIZES), ["x", "y", "z"], 32, MEDIA.clip_frames)
    with pytest.raises(BadInput, match=r"its clips are not those that .*teacher\.pt is made for"):
        finetuned(inputs | {"teacher": teacher}, tmp_path / "finetuned.pt")
    with pytest.raises(BadInput, match=r"teacher\.finetune: missing"):
        finetuned(inputs, tmp_path / "finetuned.pt", config=TeacherConfig(**SIZES))


def test_a_teacher_of_frames_is_not_fine_tuned():
    frames = {"network": "frames", "weights": "IMAGENET1K_PYPI", "audio_weights": "mn04.pt"}
    with pytest.raises(ValueError, match="`finetune` belongs to video networks"):
        TeacherConfig(**frames, finetune=SCHEDULE)


# ---- the workflow --------------------------------------------------------------------------------


@pytest.mark.workflow
def test_the_workflow_fine_tunes_it_only_where_the_configuration_says_how(tmp_path):
    asked = ("--dry-run", "--printshellcmds", "results/tiny/evaluation/clips.tsv")
    plain = snakemake(tmp_path, *asked)
    assert "finetune_teacher" not in planned(plain)
    assert "finetuned.pt" not in plain.stdout
    with_key = tiny_with(
        tmp_path / "c.yaml", teacher={"finetune": SCHEDULE.model_dump(mode="json")}
    )
    plan = snakemake(tmp_path, *asked, configfile=with_key)
    assert planned(plan) == planned(plain) | {"finetune_teacher"}
    assert "--finetuned results/tiny/teacher/finetuned.pt" in plan.stdout
    # only its own rule reads the key, and only the target's clips are stored for it
    lines = [line for line in plan.stdout.splitlines() if '"finetune": {' in line]
    assert len([line for line in lines if "--config" in line and '"network"' in line]) == 1
    assert plan.stdout.count("--role finetuned") == plain.stdout.count("--role target") > 0
    assert plan.stdout.count("--role source") == plain.stdout.count("--role source") > 0
