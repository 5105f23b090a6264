"""Predictions in the forms of ActivityNet, mmaction2 and FiftyOne."""

import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from l2l.__main__ import main
from l2l.config import read_config
from l2l.evaluation.measures.metrics import interpolated_mean_average_precision
from l2l.evaluation.videos.artifact import Attention, read_scores, write_scores
from l2l.manifest.artifact import Video, write_videos
from l2l.run_record import update_record

ROOT = Path(__file__).parents[1]
PRESETS = ROOT / "workflow/configs"
CLASSES = ("Räk; ing", "a", "b")
VIDEOS = [Video("x", "x.mp4", "test", ("a",)), Video("y", "y.mp4", "test", ("a", "b"))]
PROBABILITIES = {
    "random": np.array([[[0.25, 0.5, 0.25], [0, 0, 1]], [[0, 1, 0], [1, 0, 0]]]),
    "ours_dense": np.array([[[0.5, 0.375, 0.125]], [[0, 1, 0]]]),
}
WEIGHTS = np.array(
    [[[0.25, 0.5, 0.25], [0.5, 0.25, 0.25]], [[0, 0, 1], [0.125, 0.75, 0.125]]], np.float32
)
LOOK = Attention(("image", "audio"), WEIGHTS, np.array([[0.25, 0.75], [0.5, 0.5]], np.float32))


def make(run, config=None):
    update_record(run, config or read_config(PRESETS / "fight.yaml"))
    (run / "evaluation").mkdir(parents=True, exist_ok=True)
    probabilities = {name: list(each) for name, each in PROBABILITIES.items()}
    write_scores(run / "evaluation/scores.h5", VIDEOS, CLASSES, probabilities, [LOOK, LOOK])


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def exported(*options):
    assert main(["export_predictions", "run", "out.json", *options]) == 0
    return json.loads(Path("out.json").read_text(encoding="utf-8"))


def scored(row):
    return [(each["label"], each["score"]) for each in row]


def test_each_video_has_every_class_and_probability_in_activitynets_official_form():
    make(Path("run"))
    content = exported()
    assert list(content) == ["version", "results", "external_data"]
    assert content["version"] == "fight"
    assert content["external_data"] == {"used": False, "details": ""}
    assert scored(content["results"]["x"]) == [("Räk; ing", 0.5), ("a", 0.375), ("b", 0.125)]
    assert scored(content["results"]["y"])[0] == ("a", 1.0)


def test_the_mean_average_precision_of_the_file_is_that_of_the_run():
    make(Path("run"))
    results = exported()["results"]
    with read_scores(Path("run/evaluation/scores.h5")) as scores:
        rows = [dict(scored(results[video])) for video in scores.videos]
        from_file = np.array([[row[name] for name in scores.classes] for row in rows])
        assert interpolated_mean_average_precision(
            from_file, scores.shown
        ) == interpolated_mean_average_precision(
            scores.probabilities("ours_dense")[0], scores.shown
        )


def test_another_method_is_chosen_by_name_and_of_a_random_one_the_first_draw(capsys):
    make(Path("run"))
    assert scored(exported("--method", "random")["results"]["x"])[0] == ("a", 0.5)
    assert capsys.readouterr().out == "out.json: random, 2 videos, every class of each\n"


def test_activitynets_version_and_what_else_was_learned_from():
    make(Path("run"), read_config(PRESETS / "paper.yaml", PRESETS / "activitynet.yaml"))
    content = exported()
    assert content["version"] == "VERSION 1.3"
    assert content["external_data"]["used"] is True
    assert content["external_data"]["details"] == (
        "teacher from KINETICS400_V1; student distilled on kinetics400"
    )


def test_mmaction2_reads_a_pickle_of_tensors_per_video(tmp_path):
    make(Path("run"))
    arguments = ["export_predictions", "run", "dump.pkl", "--format", "mmaction2"]
    assert main(arguments) == 0
    samples = pickle.loads(Path("dump.pkl").read_bytes())
    assert [sample["video"] for sample in samples] == ["x", "y"]
    for sample, row in zip(samples, PROBABILITIES["ours_dense"], strict=True):
        # what mmaction2's AccMetric does with a sample
        assert sample["pred_score"].cpu().numpy().tolist() == row[0].tolist()
        assert sample["pred_score"].dtype == torch.float32
        assert sample["gt_label"].size(0) == 1
        assert sample["gt_label"].item() == 1
        assert sample["gt_label"].dtype == sample["pred_label"].dtype == torch.int64
        assert sample["num_classes"] == 3
    assert [sample["pred_label"].item() for sample in samples] == [0, 1]


def test_a_dump_for_mmaction2_has_the_ending_that_it_reads(capsys):
    make(Path("run"))
    assert main(["export_predictions", "run", "dump.json", "--format", "mmaction2"]) == 1
    assert "dump.json: expected a name that ends in .pkl or .pickle" in capsys.readouterr().err


def test_fiftyone_has_the_class_over_the_whole_video_and_the_moments_weighed_most(
    monkeypatch, capsys
):
    run = Path("results/run").absolute()
    make(run)
    table = run / "media/fight/videos.tsv"
    write_videos(table, [each._replace(duration_seconds=3.5) for each in VIDEOS])
    Path("x.mp4").touch()
    Path("elsewhere").mkdir()

    def exported(*options):
        assert main(["export_predictions", str(run), "out.json", *options]) == 0
        return json.loads(Path("out.json").read_text(encoding="utf-8"))

    monkeypatch.chdir("elsewhere")
    content = exported("--format", "fiftyone")
    monkeypatch.chdir("..")
    Path("elsewhere/out.json").rename("out.json")
    absent = f"1 of 2 videos are not where the labels name them, such as {Path('y.mp4').absolute()}"
    assert absent in capsys.readouterr().err
    assert list(content) == ["labels"]
    assert list(content["labels"]) == [str(Path(name).absolute()) for name in ("x.mp4", "y.mp4")]
    whole, *moments = content["labels"][str(Path("x.mp4").absolute())]
    assert whole == {"label": "Räk; ing", "timestamps": [0, 3.5], "confidence": 0.5}
    assert [(each["label"], each["confidence"]) for each in moments] == [
        ("picture weighed most", 0.5),
        ("sound weighed most", 0.5),
        ("picture weighed most", 1),
        ("sound weighed most", 0.75),
    ]
    assert moments[0]["timestamps"] == pytest.approx([16 / 30, 32 / 30])
    assert moments[1]["attributes"] == {"step": 1, "modality_weight": 0.75}
    Path("out.json").unlink()
    only = exported("--format", "fiftyone", "--method", "random")["labels"]
    assert {len(detections) for detections in only.values()} == {1}


def test_test_videos_without_a_prediction_are_counted(capsys):
    make(Path("run"))
    videos = [Video(name, name, split, ("a",)) for name, split in (("x", "test"), ("t", "train"))]
    videos.append(Video("broken", "broken", "test", ("a",), status="corrupt"))
    write_videos(Path("run/media/fight/videos.tsv"), videos)
    exported()
    assert "1 test videos could not be used" in capsys.readouterr().err


@pytest.mark.parametrize("form", ["activitynet", "mmaction2", "fiftyone"])
def test_the_same_run_gives_the_same_bytes_and_nothing_is_replaced(capsys, form):
    make(Path("run"))
    write_videos(Path("run/media/fight/videos.tsv"), VIDEOS)
    command = ["export_predictions", "run", "out.pkl", "--format", form]
    assert main(command) == 0
    before = Path("out.pkl").read_bytes()
    assert main([*command[:2], "again.pkl", *command[3:]]) == 0
    assert Path("again.pkl").read_bytes() == before
    assert main([*command, "--method", "random"]) == 1
    assert "out.pkl: exists and is not replaced" in capsys.readouterr().err
    assert Path("out.pkl").read_bytes() == before


@pytest.mark.parametrize(
    ("damage", "options", "line"),
    [
        (
            lambda run: None,
            ["--method", "ours"],
            "no prediction of method 'ours'; it has random, ours_dense",
        ),
        (lambda run: (run / "evaluation/scores.h5").unlink(), [], "scores.h5: no such file"),
        (lambda run: (run / "config.json").unlink(), [], "config.json: no such file"),
        (lambda run: None, ["--format", "fiftyone"], "videos.tsv: no such file"),
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
