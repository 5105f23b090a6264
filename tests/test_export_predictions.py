"""Predictions as ActivityNet's official results JSON."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from l2l.__main__ import main
from l2l.config import read_config
from l2l.evaluation.artifact import write_evaluation_table
from l2l.manifest.artifact import Video, write_videos
from l2l.run_record import update_record

ROOT = Path(__file__).parents[1]
PRESETS = ROOT / "workflow/configs"
ROWS = [
    {"video": video, "label": "a", "method": method, "predicted": predicted, "probability": p}
    for video, method, predicted, p in (
        ("x", "ours_dense", "Räk; ing", "0.512300"),
        ("x", "uniform", "b", "0.400000"),
        ("y", "ours_dense", "a", "1.000000"),
        ("y", "uniform", "a", "0.900000"),
    )
]


def make(run, config=None):
    update_record(run, config or read_config(PRESETS / "fight.yaml"))
    write_evaluation_table(run / "evaluation/predictions.tsv", "predictions", ROWS)


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def exported(*options):
    assert main(["export_predictions", "run", "out.json", *options]) == 0
    return json.loads(Path("out.json").read_text(encoding="utf-8"))


def test_each_video_has_its_label_and_probability_in_the_official_form():
    make(Path("run"))
    assert exported() == {
        "version": "fight",
        "results": {
            "x": [{"label": "Räk; ing", "score": 0.5123}],
            "y": [{"label": "a", "score": 1.0}],
        },
        "external_data": {"used": False, "details": ""},
    }


def test_another_method_is_chosen_by_name(capsys):
    make(Path("run"))
    assert exported("--method", "uniform")["results"]["x"] == [{"label": "b", "score": 0.4}]
    printed = capsys.readouterr()
    assert printed.out == "out.json: uniform, 2 videos, the most probable class of each\n"
    assert "no probabilities of the other classes" in printed.err


def test_activitynets_version_and_what_else_was_learned_from():
    make(Path("run"), read_config(PRESETS / "paper.yaml", PRESETS / "activitynet.yaml"))
    content = exported()
    assert content["version"] == "VERSION 1.3"
    assert content["external_data"]["used"] is True
    assert content["external_data"]["details"] == (
        "teacher from KINETICS400_V1; student distilled on kinetics400"
    )


def test_test_videos_without_a_prediction_are_counted(capsys):
    make(Path("run"))
    videos = [Video(name, name, split, ("a",)) for name, split in (("x", "test"), ("t", "train"))]
    videos.append(Video("broken", "broken", "test", ("a",), status="corrupt"))
    write_videos(Path("run/media/fight/videos.tsv"), videos)
    exported()
    assert "1 test videos could not be used" in capsys.readouterr().err


def test_the_same_run_gives_the_same_bytes_and_nothing_is_replaced(capsys):
    make(Path("run"))
    exported()
    before = Path("out.json").read_bytes()
    assert main(["export_predictions", "run", "again.json"]) == 0
    assert Path("again.json").read_bytes() == before
    assert main(["export_predictions", "run", "out.json", "--method", "uniform"]) == 1
    assert "out.json: exists and is not replaced" in capsys.readouterr().err
    assert Path("out.json").read_bytes() == before


@pytest.mark.parametrize(
    ("damage", "options", "line"),
    [
        (
            lambda run: None,
            ["--method", "ours"],
            "no prediction of method 'ours'; it has ours_dense",
        ),
        (lambda run: (run / "evaluation/predictions.tsv").unlink(), [], "predictions.tsv: no such"),
        (lambda run: (run / "config.json").unlink(), [], "config.json: no such file"),
    ],
)
def test_a_run_without_them_is_refused_in_one_line(capsys, damage, options, line):
    make(Path("run"))
    damage(Path("run"))
    assert main(["export_predictions", "run", "out.json", *options]) == 1
    error = capsys.readouterr().err
    assert line in error
    assert error.count("\n") == 1
    assert not Path("out.json").exists()


def test_it_imports_no_torch():
    make(Path("run"))
    program = (
        "import sys; from l2l.__main__ import main; "
        "assert main(['export_predictions', 'run', 'out.json']) == 0; "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=300)
