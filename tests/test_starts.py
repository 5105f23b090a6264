"""What a start and a dry run refuse in one line, and what profiles make of the rules."""

import os
import re
import subprocess
import sys

import pytest
from workflow_runs import (
    ROOT,
    TINY,
    VIDEO_LEVEL,
    environment,
    planned,
    snakemake,
    snakemake_argv,
    tiny_with,
)

from l2l.jobs.start import configfile_words

pytestmark = pytest.mark.workflow


def test_a_misspelt_key_stops_before_any_job_and_names_section_key_and_what_is_allowed(tmp_path):
    config = tiny_with(tmp_path / "c.yaml", mels={"bnads": 40})
    stopped = snakemake(tmp_path, "--dry-run", configfile=config)
    assert stopped.returncode == 1
    message = (
        f"{config}: mels.bnads: no such key; allowed in mels: window_samples, hop_samples, "
        "fft_samples, bands, floor"
    )
    profile, line = stopped.stderr.splitlines()
    assert profile.startswith("Using workflow specific profile ")
    assert line.startswith(message)
    assert "Job stats" not in stopped.stdout + stopped.stderr


def test_a_folder_of_videos_that_is_not_there_stops_the_dry_run_after_the_plan(tmp_path):
    videos = {
        "all": {
            "adapter": "folder",
            "role": "both",
            "folder": str(tmp_path / "nowhere"),
            "shards": 1,
        }
    }
    dry = snakemake(tmp_path, "--dry-run", configfile=tiny_with(tmp_path / "c.yaml", videos))
    assert dry.returncode == 1
    assert planned(dry) > VIDEO_LEVEL
    assert dry.stderr.splitlines()[-1].startswith(
        f"videos.all: {tmp_path}/nowhere: No such file or directory; expected folders train, val, "
    )
    videos = {
        "all": videos["all"]
        | {"adapter": "table", "tables": ["t.csv"], "video_column": "v", "label_column": "c"}
    }
    (tmp_path / "t.csv").write_text("v,c\n1,a\n2,b\n3,a\n")
    dry = snakemake(
        tmp_path, "--dry-run", "--quiet", configfile=tiny_with(tmp_path / "c.yaml", videos)
    )
    line = f"videos.all: {tmp_path}/nowhere: none of the files of the 3 listed videos exists"
    assert (dry.returncode, dry.stderr.splitlines()[-1]) == (1, line)
    (tmp_path / "t.csv").unlink()
    for asked in (["--dry-run"], ["--quiet"]):  # a run ends as a dry run does
        stopped = snakemake(tmp_path, *asked, configfile=tmp_path / "c.yaml")
        line = (
            f"videos.all: {tmp_path}/t.csv: no such file; docs/datasets.md says under table where "
            "it comes from"
        )
        assert (stopped.returncode, stopped.stderr.splitlines()[-1]) == (1, line)
        printed = stopped.stdout + stopped.stderr
        assert printed.count("t.csv") == 1
        assert "Traceback" not in printed
        assert "Wildcards" not in printed


def test_a_stage_is_a_target_and_a_dry_run_quiet_about_rules_prints_a_table_of_jobs(tmp_path):
    dry = snakemake(tmp_path, "media", "-n", "--quiet", "rules")
    counts = dict(re.findall(r"^(\w+) +(\d+)$", dry.stdout, re.MULTILINE))
    counts = {job: int(count) for job, count in counts.items()}
    assert counts.pop("total") == sum(counts.values())
    assert counts.keys() == {
        *("render_demo", "list_videos", "write_shard_fingerprint", "copy_shard_table"),
        *("check_leaks", "decode_videos", "collect_statuses", "media"),
    }
    assert "--manifest" not in dry.stdout
    assert "jobid" not in dry.stdout


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--configfile", "nowhere.yaml"], "l2l: nowhere.yaml: no such file in "),
        (
            ["--configfile", str(TINY), "results/tiny/report.html"],
            "l2l: results/tiny/report.html: no configuration file; --configfile takes every word "
            "that follows, so targets come first: snakemake results/tiny/report.html --configfile ",
        ),
        (
            ["--config", "run=a", "skimmer.training.epochs=3"],
            "l2l: skimmer.training.epochs: Snakemake takes no key with a dot: "
            """--config 'skimmer={"training": {"epochs": 3}}'""",
        ),
        (["-C", "skimmer"], "l2l: --config skimmer: expected a section and its keys, such as "),
        (["--configfile=results"], "l2l: results: a folder; expected a configuration file"),
        ([], "l2l: config.yaml: no such file in "),
    ],
)
def test_what_is_no_configuration_file_is_answered_in_one_line(arguments, line, tmp_path):
    (tmp_path / "results").mkdir()
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "-n"]
    stopped = subprocess.run(
        [*command, *arguments],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
    )
    first, last = stopped.stderr.splitlines()
    assert first.startswith("Using workflow specific profile ")
    assert last.startswith(line)
    assert stopped.returncode == 1


def test_targets_and_other_options_after_configuration_files_are_distinguished():
    words = ["--cores", "2", "--configfile", "a.yaml", "b.yaml", "-n", "target", "--configfile=c"]
    assert configfile_words(words) == ["c"]
    assert configfile_words(words[:-1]) == ["a.yaml", "b.yaml"]
    assert configfile_words(["target", "--config", "run=x"]) == []


def test_the_profile_without_its_plugin_says_make_slurm(tmp_path):
    script = f"""
import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: (
    None if name == "snakemake_executor_plugin_slurm" else found(name, *more)
)
from snakemake.cli import main
main(["--profile", "slurm", "-n", "--directory", {str(tmp_path)!r}])
"""
    stopped = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert stopped.returncode == 1
    assert stopped.stderr.splitlines()[-1].startswith("l2l: Snakemake's plugin for Slurm is not ")
    assert "make slurm" in stopped.stderr
    assert "Traceback" not in stopped.stderr


@pytest.mark.parametrize("profile", ["slurm", "profiles/local", "profiles/ci"])
def test_every_profile_is_found_from_the_repository_root(profile, tmp_path):
    command = [
        sys.executable,
        "-m",
        "snakemake",
        "--profile",
        profile,
        "--directory",
        str(tmp_path),
        "--configfile",
        str(TINY),
    ]
    command.append("--dry-run")
    result = subprocess.run(
        command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=900
    )
    assert planned(result) > VIDEO_LEVEL
    assert f"{profile} and workflow specific profile profiles/default" in result.stderr


@pytest.mark.parametrize(
    ("sinfo", "asked"),
    [
        (
            "echo '(null) 1-00:00:00 4000+'; echo 'gpu:2 2:00:00 2000'",
            {"runtime=1440", "gpu=1", "mem_mb=4000"},
        ),
        ("echo '(null) 90:30 64000'", {"runtime=90", "gpu=0", "mem_mb=8000"}),
        (
            "echo 'gpu:2 infinite 64000'; echo '(null) 90:30 64000'",
            {"runtime=2880", "gpu=1", "mem_mb=8000"},
        ),
        ("exit 1", {"runtime=2880", "gpu=1", "mem_mb=8000"}),
        (r"printf '\377\n'", {"runtime=2880", "gpu=1", "mem_mb=8000"}),
    ],
)
def test_a_training_asks_for_no_gpu_time_or_memory_that_the_cluster_does_not_have(
    sinfo, asked, tmp_path, monkeypatch
):
    # Snakemake's plugin for Slurm, where it finds sinfo, refuses to be imported without squeue
    for program, body in (("sinfo", sinfo), ("squeue", "exit 1")):
        (tmp_path / program).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / program).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    output = snakemake(tmp_path, "--dry-run", "results/tiny/teacher/teacher.pt").stdout
    resources = (
        output.partition("rule train_teacher:")[2].partition("resources: ")[2].partition("\n")[0]
    )
    assert asked <= set(resources.split(", ")), resources


def test_without_the_slurm_plugin_nothing_is_missed(tmp_path):
    argv = snakemake_argv(tmp_path, "--dry-run")[3:]
    script = f"""
import pkgutil
every = pkgutil.iter_modules
pkgutil.iter_modules = lambda *folders: (
    module for module in every(*folders) if "slurm" not in module.name
)
from snakemake.cli import main
main({argv!r})
"""
    result = subprocess.run(
        [sys.executable, "-c", script],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert planned(result) > VIDEO_LEVEL
