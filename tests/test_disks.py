"""Full and read-only disks: one line that says so, and a rerun that completes."""

import os
import random
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from kills import smallest
from small_stores import STORES, VIDEOS
from workflow_runs import ROOT, environment, snakemake, snakemake_argv

from l2l.__main__ import main
from l2l.errors import BadInput
from l2l.manifest.artifact import write_videos
from l2l.tools.inspect import inspect


@contextmanager
def mounted(at: Path, size: str) -> Iterator[Path]:
    """A disk of this size."""
    at.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "l2l-test", str(at)]
    if (
        os.geteuid() != 0
        or not shutil.which("mount")
        or subprocess.run(mount, capture_output=True, check=False).returncode
    ):
        pytest.skip("a small disk can only be mounted by root, where the system lets it")
    try:
        yield at
    finally:
        subprocess.run(
            ["umount", "--lazy", str(at)], check=True
        )  # where a test failed, something may still run there


@pytest.fixture
def disk(tmp_path) -> Iterator[Path]:
    """A disk of 16 kB."""
    with mounted(tmp_path / "disk", "16k") as at:
        yield at


def remount(at: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(at)], check=True)


def write_a_long_table(path: Path) -> None:
    write_videos(path, VIDEOS * 1000)


WRITERS = {name: write for name, (write, _) in STORES.items()} | {"videos.tsv": write_a_long_table}


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_is_reported_in_a_line_and_the_rerun_completes(disk, name):
    small = ("features", "descriptors.h5", "saliency.h5", "scores.h5")
    remount(disk, "size=4k" if name in small else "size=16k")
    with pytest.raises(
        BadInput, match=rf"{name}.*: cannot be written \(No space left on device\)"
    ) as error:
        WRITERS[name](disk / name)
    assert "\n" not in str(error.value)
    assert [path for path in disk.rglob("*") if path.is_file()] == []
    remount(disk, "size=4m")
    WRITERS[name](disk / name)
    if name in STORES:
        STORES[name][1](disk / name)


@pytest.mark.parametrize("name", WRITERS)
def test_a_read_only_folder_is_reported_in_a_line_and_the_rerun_completes(disk, name):
    remount(disk, "size=4m,ro")
    with pytest.raises(BadInput, match=rf"{name}.*: cannot be written \(Read-only file system\)"):
        WRITERS[name](disk / name)
    remount(disk, "rw")
    WRITERS[name](disk / name)


def test_what_the_system_refuses_is_one_line_of_the_command(tmp_path, capsys):
    write_videos(tmp_path / "videos.tsv", VIDEOS)
    (tmp_path / "file").touch()
    assert (
        main(["check", str(tmp_path / "videos.tsv"), "--tsv", str(tmp_path / "file/out.tsv")]) == 1
    )
    said = capsys.readouterr().err.splitlines()
    assert said[-1].startswith("l2l check: ")
    assert "file/out.tsv: cannot be written (" in said[-1]


MOST_FILES = 110  # of the smallest run, before its last tables
FULL, CLOSED = "No space left on device", "Read-only file system"


def files_below(folder: Path) -> int:
    """How many files there are by now.

    Folders may come and go meanwhile, which os.walk, unlike rglob, takes as it comes.
    """
    return sum(len(files) for _, _, files in os.walk(folder))


def shut(at: Path, how: str) -> None:
    """Fill a disk, or take away the permission to write to it, once nothing is open there."""
    while True:
        used = subprocess.run(
            ["du", "--summarize", "--block-size=4096", str(at)],
            capture_output=True,
            text=True,
            check=False,
        )
        options = f"nr_blocks={used.stdout.split()[0]}" if how == FULL else "ro"
        if (
            subprocess.run(
                ["mount", "-o", f"remount,{options}", str(at)], capture_output=True, check=False
            ).returncode
            == 0
        ):
            return


@pytest.mark.kills
@pytest.mark.workflow
def test_a_run_whose_disk_fills_or_turns_read_only_says_where_and_a_rerun_completes(tmp_path):
    """At random places all along a run, chosen by the count of files it has left by then."""
    config, run, rng = smallest(tmp_path / "small.yaml"), tmp_path / "run", random.Random(5)
    with mounted(run / "results", "64m") as results:
        for number, files in enumerate([*sorted(rng.sample(range(1, MOST_FILES), 4)), None]):
            how = (FULL, CLOSED)[number % 2]
            with open(tmp_path / "said", "w+", encoding="utf-8") as said:
                argv = snakemake_argv(run, configfile=config)
                process = subprocess.Popen(
                    argv, stdout=said, stderr=subprocess.STDOUT, env=environment()
                )
                while files and process.poll() is None and files_below(results) < files:
                    time.sleep(0.02)
                if files and process.poll() is None:
                    shut(results, how)
                if how == CLOSED and process.wait():
                    again = snakemake(run, configfile=config)
                    assert again.returncode == 1
                    assert re.search(
                        f"{results}: cannot be written|Write-protected output files",
                        again.stderr,
                    )
                    assert "Traceback" not in again.stderr
                status = process.wait()
                said.seek(0)
                lines = said.read().splitlines()
            subprocess.run(["mount", "-o", "remount,rw,nr_blocks=16384", str(results)], check=True)
            if status == 0:  # the last run; or one whose rest fits where old results were
                break
            assert status == 1, (files, lines[-40:])
            reported = [line for line in lines if how in line]
            assert reported, (files, lines[-40:])
            ours = [
                line for line in reported if not line.startswith("OSError: ")
            ]  # which Snakemake may meet before any job does
            assert all("results/small/" in line for line in ours), (files, reported)
            traced = [line for line in lines if line.startswith('  File "')]
            assert not any(f"{ROOT}/l2l/" in line for line in traced), (files, lines)
        assert number >= 2, "closed at least twice"
        artifacts = [
            path for path in results.rglob("*") if path.suffix in (".tsv", ".h5", ".pt", ".html")
        ]
        assert len(artifacts) > 40
        assert [
            inspect(path, check=True) for path in (*artifacts, results / "small/features/all")
        ] == [0] * (len(artifacts) + 1)
        assert not list(results.rglob("*.part"))
