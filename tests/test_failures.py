"""A job that fails leaves nothing behind that a later run takes for its result."""

import os
import re
import shutil
import sys
from pathlib import Path

import pytest
from kills import differences
from workflow_runs import ROOT, planned, snakemake, tiny_with

from l2l.datasets import DemoDataset
from l2l.demo.stage import render_demo

pytestmark = pytest.mark.workflow
SIZES = {"train": 12, "val": 2, "test": 4, "min_seconds": 4, "max_seconds": 5, "side_pixels": 32}


@pytest.fixture
def videos(tmp_path):
    """A folder of few drawn videos, and the files that are added to it later, one per split."""
    drawn = DemoDataset(adapter="demo", role="both", kind="untrimmed", shards=1, **SIZES)
    render_demo(tmp_path / "videos", drawn, 1)
    added = {}
    for split in ("train", "test"):
        file = sorted((tmp_path / "videos" / split).glob("*/*.mp4"))[-1]
        added[file] = file.rename(tmp_path / f"{split}.mp4")
    return added


def configured(folder: Path, name: str = "c", **sections: dict) -> Path:
    """A configuration whose only data set is the folder of videos."""
    dataset = {"adapter": "folder", "role": "both", "folder": str(folder / "videos"), "shards": 2}
    return tiny_with(folder / f"{name}.yaml", {"all": dataset}, run="small", **sections)


def test_a_listing_that_fails_once_is_planned_again_and_redoes_only_the_shards_that_changed(
    videos, tmp_path
):
    config, run = configured(tmp_path), tmp_path / "run"
    target = "results/small/media/all/training/videos.tsv"
    assert snakemake(run, target, configfile=config).returncode == 0
    media = {path: path.stat().st_mtime_ns for path in run.glob("results/small/media/all/*.h5")}
    for place, file in videos.items():
        file.rename(place)
    bad = next(place.parent for place in videos if "/test/" in str(place)) / "bad.mp4"
    bad.write_bytes(b"no video")
    strict = configured(tmp_path, "strict", manifest={"max_bad_fraction": 0.0})
    assert snakemake(run, target, configfile=strict).returncode == 1
    bad.unlink()
    plan = snakemake(run, target, "--dry-run", configfile=config)
    assert "list_videos" in planned(plan)
    # Snakemake does not look at a shard's own reasons to run while the listing has to run; what
    # reads the shard does, and stops
    if (first := snakemake(run, target, configfile=config)).returncode:
        assert "made of another table of videos" in first.stdout + first.stderr
        assert snakemake(run, target, configfile=config).returncode == 0
    table = (run / target).read_text()
    assert all(str(place.relative_to(tmp_path / "videos")) in table for place in videos)
    kept = [path for path, time in media.items() if path.stat().st_mtime_ns == time]
    assert len(kept) == len(media) - 2, "two shards have a new video, the others are left alone"
    again = snakemake(run, target, configfile=config)
    assert "Nothing to be done" in again.stdout + again.stderr


@pytest.mark.long
def test_a_run_in_which_each_rule_fails_at_its_start_and_at_its_end_gives_the_same_bytes(
    videos, tmp_path, monkeypatch
):
    config, run = configured(tmp_path), tmp_path / "run"
    assert snakemake(run, configfile=config).returncode == 0
    for place, file in videos.items():
        file.rename(place)
    whole = snakemake(tmp_path / "whole", configfile=config)
    assert whole.returncode == 0, whole.stderr[-3000:]

    failed, programs = tmp_path / "failed", tmp_path / "programs"
    failed.mkdir()
    programs.mkdir()
    for program in ("python", "cp"):
        shutil.copy(ROOT / "tests/support/fail_once.sh", programs / program)
    monkeypatch.setenv("FAIL_ONCE", str(failed))
    paths = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    monkeypatch.setenv("FAIL_REAL", paths)
    first = f"export PATH={programs}:{paths}; "
    monkeypatch.setenv("BASH_ENV", str(tmp_path / "path.sh"))
    (tmp_path / "path.sh").write_text(first)
    count = -1
    while len(list(failed.iterdir())) > count:  # until a start in which nothing new has failed
        count = len(list(failed.iterdir()))
        finished = snakemake(run, configfile=config)
    assert finished.returncode == 0, finished.stderr[-3000:]
    rules = set(re.findall(r"^(?:local)?rule (\w+):$", whole.stderr + whole.stdout, re.MULTILINE))
    rules -= {"all", "write_shard_fingerprint"}  # which only echoes: no program of it can fail
    assert {path.name for path in failed.iterdir()} == {
        f"{rule}.{moment}" for rule in rules for moment in ("start", "end")
    }
    # What Snakemake watches may depend on what was listed before; no result does.
    different = differences(run / "results", tmp_path / "whole/results")
    assert [name for name in different if ".fingerprint: " not in name] == []
