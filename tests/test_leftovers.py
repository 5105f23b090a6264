"""What killed runs left is named, with what repairs it. test_kills shows all of it in real runs."""

import base64
import subprocess
import sys

import pytest

from l2l.jobs import leftovers
from l2l.tools import doctor


def test_in_a_clean_directory_there_is_nothing_to_repair(tmp_path):
    assert {check(tmp_path) for check in leftovers.CHECKS.values()} == {leftovers.NOTHING}


def test_a_long_name_that_snakemake_keeps_in_pieces_is_put_together(tmp_path):
    name = f"results/{'x' * 300}.h5"
    coded = base64.urlsafe_b64encode(name.encode()).decode()
    record = tmp_path / ".snakemake/incomplete" / f"@{coded[:254]}" / coded[254:]
    record.parent.mkdir(parents=True)
    record.touch()
    assert leftovers.incomplete(tmp_path) == (
        f"1, such as {name}: a run was interrupted: run the same command again",
        True,
    )


def test_the_cure_for_part_files_removes_them_and_nothing_else(tmp_path):
    part = tmp_path / "results/run/media/.shard-000.h5.abcdef_8.part"
    part.mkdir(parents=True)
    (part / "shard-000.h5").write_bytes(b"x" * 2**20)
    (part.parent / "shard-000.h5").touch()
    line, is_well = leftovers.part_files(tmp_path)
    assert not is_well
    assert line.startswith(
        "1 of killed jobs, 1 MiB, such as results/run/media/.shard-000.h5.abcdef_8.part: find"
    )
    subprocess.run(
        line.partition(": ")[2], shell=True, cwd=tmp_path, check=False, stderr=subprocess.DEVNULL
    )
    assert [path.name for path in part.parent.iterdir()] == ["shard-000.h5"]


def test_a_job_that_outlived_its_snakemake_is_named_with_the_command_that_ends_it(tmp_path):
    job = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)", "-m", "l2l", "a_stage"], cwd=tmp_path
    )
    try:
        line, is_well = leftovers.orphans(tmp_path)
        assert not is_well
        assert line == f"processes that outlived their Snakemake: kill -9 {job.pid}"
        assert leftovers.orphans(tmp_path.parent)[1], "a job elsewhere is not of this directory"
    finally:
        job.kill()
        job.wait()


@pytest.fixture
def queue(tmp_path, monkeypatch):
    """A fake squeue that lists three jobs, one of which is a rule's in this directory."""
    program = tmp_path / "bin/squeue"
    program.parent.mkdir()
    lines = "\\n".join(
        [
            f"11|rule_train_teacher|{tmp_path}",
            f"12|(null)|{tmp_path}",
            f"13|rule_train_teacher|{tmp_path}/other",
        ]
    )
    program.write_text(f"#!/bin/sh\nprintf '{lines}\\n'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    return tmp_path


def test_slurm_jobs_of_this_directory_are_abandoned_unless_another_snakemake_holds_a_lock(queue):
    assert leftovers.orphans(queue) == (
        "Slurm jobs of an earlier Snakemake, if none runs on another machine: scancel 11",
        False,
    )
    assert leftovers.abandoned_slurm_jobs(queue).endswith("scancel 11")
    for number in range(2):
        (queue / ".snakemake/locks").mkdir(parents=True, exist_ok=True)
        (queue / f".snakemake/locks/{number}.output.lock").touch()
    assert leftovers.abandoned_slurm_jobs(queue) == ""


def test_the_doctor_looks_at_the_directory_it_is_run_in(tmp_path, monkeypatch, capsys):
    (tmp_path / ".snakemake/locks").mkdir(parents=True)
    (tmp_path / ".snakemake/locks/0.input.lock").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(doctor, "MODULES", {})
    assert doctor.doctor() == 1
    output = capsys.readouterr().out
    assert "locked          by a Snakemake that was killed" in output
    assert output.endswith("\nbroken: locked\n")


def test_to_the_doctor_an_interrupted_run_is_not_broken(tmp_path, monkeypatch, capsys):
    (tmp_path / ".snakemake/incomplete").mkdir(parents=True)
    name = base64.urlsafe_b64encode(b"results/a.h5").decode()
    (tmp_path / ".snakemake/incomplete" / name).touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(doctor, "MODULES", {})
    assert doctor.doctor() == 0
    said = "a run was interrupted: run the same command again\n"
    output = capsys.readouterr().out
    assert f"incomplete      1, such as results/a.h5: {said}" in output
    assert output.endswith(f"\nnothing is broken; {said}")
