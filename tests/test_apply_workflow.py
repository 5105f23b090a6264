"""`snakemake apply`: a finished run answers for a folder of videos, in shards."""

import json
import shutil
import time
from pathlib import Path

import pytest
import yaml
from media_files import make_video
from untrained_run import make_run
from workflow_runs import TINY, kill_group, planned, snakemake, start_snakemake

import l2l
from l2l.__main__ import main
from l2l.apply.artifact import prediction_columns
from l2l.config import read_config
from l2l.manifest.artifact import shard_of
from l2l.run_record import update_record
from l2l.stores import read_table

pytestmark = pytest.mark.workflow

ANSWERING = {"apply_videos", "collect_predictions", "write_predictions_page", "apply"}
LISTING = {"list_videos", "write_shard_fingerprint", "copy_shard_table"}
SHARDS = 2


@pytest.fixture(scope="module")
def videos(tiny_run, tmp_path_factory) -> Path:
    """Test videos of the tiny run in other folders, and two files that cannot be used."""
    folder = tmp_path_factory.mktemp("unlabelled") / "videos"
    tested = tiny_run / "results/tiny/videos/untrimmed/test"
    for path in sorted(tested.rglob("*.mp4")):
        copy = folder / path.relative_to(tested)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    (folder / "empty.mp4").touch()
    (folder / "text.mkv").write_text("no video")
    return folder


def overlay(folder: Path, videos: Path, run: Path, shards: int = SHARDS) -> list[Path]:
    """The configuration files of an apply."""
    dataset = {"role": "apply", "adapter": "folder", "folder": str(videos), "shards": shards}
    applied = {"run": str(run), "film_strips": 2, "pictures": 2}
    path = folder / "apply.yaml"
    path.write_text(yaml.safe_dump({"videos": {"mine": dataset}, "apply": applied}))
    return [TINY, path]


@pytest.fixture(scope="module")
def applied(tiny_run, videos, tmp_path_factory) -> Path:
    """The working directory of a finished apply; the run that answers is in another one."""
    folder = tmp_path_factory.mktemp("applied")
    configfile = overlay(folder, videos, tiny_run / "results/tiny")
    plan = snakemake(folder, "-n", "apply", configfile=configfile)
    assert planned(plan) | {"apply"} == LISTING | ANSWERING  # nothing is trained
    done = snakemake(folder, "apply", configfile=configfile)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def answers(folder: Path) -> dict[str, bytes]:
    """Every file of the answers."""
    below = folder / "results/tiny/apply/mine"
    return {
        str(path.relative_to(below)): path.read_bytes()
        for path in sorted(below.rglob("*"))
        if path.is_file()
    }


def test_a_run_answers_for_new_videos_as_its_evaluation_did(applied, tiny_run, videos):
    rows = read_table(applied / "results/tiny/apply/mine/predictions.tsv", prediction_columns(5))
    files = {path.relative_to(videos).as_posix() for path in videos.rglob("*.*")}
    assert [row["video"] for row in rows] == sorted(files)
    evaluated = {
        row["video"].removeprefix("test/"): row
        for row in read_table(
            tiny_run / "results/tiny/evaluation/predictions.tsv",
            ("video", "method", "predicted", "probability"),
        )
        if row["method"] == "ours_dense"
    }
    unusable = {row["video"]: row for row in rows if row["status"] == "corrupt"}
    assert set(unusable) == {"empty.mp4", "text.mkv"}
    assert all(row["reason"] and not row["label_1"] for row in unusable.values())
    compared = [row for row in rows if row["video"] not in unusable]
    assert len(compared) >= 4
    for row in compared:
        # the run's features are kept in half precision
        assert float(row["probability_1"]) == pytest.approx(
            float(evaluated[row["video"]]["probability"]), abs=2e-3
        )
        assert row["label_1"] == evaluated[row["video"]]["predicted"]
        assert int(row["decoded_pictures"]) > 0


def test_the_moments_are_those_that_the_evaluation_selected(applied, tiny_run):
    evaluated = {
        (row["video"].removeprefix("test/"), int(row["step"]), row["modality"]): int(row["moment"])
        for row in read_table(
            tiny_run / "results/tiny/evaluation/selections.tsv",
            ("video", "step", "modality", "moment"),
        )
    }
    lines = (applied / "results/tiny/apply/mine/moments.jsonl").read_text().splitlines()
    same = [
        evaluated[answer["id"], each["step"], each["modality"]] == each["moment"]
        for answer in map(json.loads, lines)
        for each in answer["moments"]
    ]
    assert same
    assert sum(same) >= 0.8 * len(same)  # of an untrained skimmer weights are close to each other


def test_one_video_more_is_answered_with_its_shard_alone(applied, tiny_run, videos, tmp_path):
    more = tmp_path / "videos"
    shutil.copytree(videos, more)
    configfile = overlay(tmp_path, more, tiny_run / "results/tiny")
    shutil.copytree(applied / "results", tmp_path / "results")
    shutil.copytree(applied / ".snakemake", tmp_path / ".snakemake")
    shutil.copy(next(more.rglob("0*.mp4")), more / "new.mp4")
    plan = snakemake(tmp_path, "-n", "apply", configfile=configfile)
    assert "apply_videos" in planned(plan)
    again = [line for line in plan.stdout.splitlines() if line.strip().startswith("output:")]
    shards = {name for line in again for name in line.split() if name.endswith(".jsonl")}
    shards = {Path(name).stem for name in shards if "/shards/" in name}
    assert shards == {f"shard-{shard_of('new.mp4', SHARDS):03d}"}


def test_a_run_that_is_not_finished_is_named_in_one_line(tmp_path, videos):
    for run, line in (("nowhere", "no such folder"), (".", "not the folder of a finished run")):
        configfile = overlay(tmp_path, videos, Path(run))
        refused = snakemake(tmp_path, "-n", "apply", configfile=configfile)
        assert refused.returncode != 0
        printed = refused.stdout + refused.stderr  # of a dry run, errors are on stdout
        assert f"apply.run: {run}: {line}" in printed
        assert "Traceback (most recent" not in printed


def test_without_a_data_set_of_that_role_it_says_what_is_missing(tmp_path):
    refused = snakemake(tmp_path, "-n", "apply")
    assert refused.returncode != 0
    assert "videos: no data set of role apply" in refused.stdout + refused.stderr
    assert "Traceback (most recent" not in refused.stdout + refused.stderr


@pytest.mark.long
def test_killed_and_run_again_it_leaves_the_same_bytes(applied, tiny_run, videos, tmp_path):
    configfile = overlay(tmp_path, videos, tiny_run / "results/tiny")
    shards = tmp_path / "results/tiny/apply/mine/shards"
    for count in range(SHARDS):
        process = start_snakemake(tmp_path, "apply", configfile=configfile)
        try:
            while len(list(shards.glob("*.jsonl"))) <= count and process.poll() is None:
                time.sleep(0.05)
        finally:
            kill_group(process)
        unlocked = snakemake(tmp_path, "--unlock", "apply", configfile=configfile)
        assert unlocked.returncode == 0, unlocked.stderr[-2000:]
    done = snakemake(tmp_path, "apply", configfile=configfile)
    assert done.returncode == 0, done.stderr[-3000:]
    assert answers(tmp_path) == answers(applied)


def test_an_exported_file_answers_through_the_whole_workflow(tmp_path):
    """Of untrained networks, and without the folder that it was made of."""
    run, file, folder = tmp_path / "finished", tmp_path / "run.safetensors", tmp_path / "videos"
    make_run(run)
    update_record(run, read_config(TINY))
    assert main(["export", str(run), str(file)]) == 0
    (folder / "of a class").mkdir(parents=True)
    make_video(folder / "of a class/heard.mp4", 2.2, sound="0.3*sin(700*t)*sin(3*t)")
    make_video(folder / "mute.mkv", 1.7, sound=None)
    (folder / "text.mp4").write_text("no video")
    configfile = overlay(tmp_path, folder, file, shards=1)
    kept = tmp_path / "kept"
    run.rename(kept)
    done = snakemake(tmp_path, "apply", configfile=configfile)
    assert done.returncode == 0, done.stderr[-3000:]
    rows = read_table(tmp_path / "results/tiny/apply/mine/predictions.tsv", prediction_columns(3))
    statuses = {"mute.mkv": "no_audio", "of a class/heard.mp4": "ok", "text.mp4": "corrupt"}
    assert {row["video"]: row["status"] for row in rows} == statuses
    by_folder = l2l.load(kept, threads=1).predict_many(
        folder / row["video"] for row in rows if row["status"] != "corrupt"
    )
    answered = [row for row in rows if row["label_1"]]
    for row, prediction in zip(answered, by_folder, strict=True):
        assert row["label_1"] == prediction.label
        assert float(row["probability_1"]) == prediction.probability
    page = (tmp_path / "results/tiny/apply/mine/report.html").read_text()
    assert "data:image/jpeg" in page
    assert planned(snakemake(tmp_path, "-n", "apply", configfile=configfile)) == set()
