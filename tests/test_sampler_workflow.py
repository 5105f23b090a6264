"""The branch of SCSampler on whole runs."""

import re
import shutil

import pytest
from workflow_runs import planned, snakemake

from l2l.evaluation.artifact import read_evaluation_table
from l2l.sampler.rows import ROWS, chosen_rows, single_networks

pytestmark = pytest.mark.workflow
BRANCH = {
    "extract_motion",
    "describe_all_clips",
    "train_sampler",
    "score_clips",
    "evaluate_scsampler",
    "write_scsampler_report",
    "scsampler",
}


def test_a_plain_run_makes_nothing_of_the_branch_and_scsampler_makes_all(tmp_path):
    assert not planned(snakemake(tmp_path, "--dry-run")) & BRANCH
    dry = snakemake(tmp_path, "--dry-run", "scsampler")
    assert planned(dry) >= BRANCH
    assert "evaluate_audio" not in planned(dry)
    # what Slurm is asked for, where sinfo does not say that there is no GPU
    on_gpu = {"describe_all_clips", "train_sampler", "score_clips"}
    for rule in BRANCH - {"scsampler"}:
        asked = dry.stdout.partition(f"rule {rule}:")[2].partition("resources: ")[2].partition("\n")
        assert ("gpu=1" in asked[0]) == (rule in on_gpu), rule
        assert {"mem_mb", "runtime"} <= {each.partition("=")[0] for each in asked[0].split(", ")}


def test_a_study_of_the_branch_makes_it_for_every_seed(tmp_path):
    dry = snakemake(tmp_path, "--dry-run", "scsampler_study")
    rules = re.findall(r"rule (\w+):", dry.stdout)
    assert rules.count("summarise_scsampler") == 1
    assert rules.count("evaluate_scsampler") == 3
    assert "summarise_study" not in rules


@pytest.mark.long
def test_the_branch_goes_from_a_finished_run_to_its_tables_and_a_second_time_does_nothing(
    tiny_run, tmp_path
):
    run = tmp_path / "run"
    shutil.copytree(tiny_run, run)
    plain = {
        path: path.read_bytes() for path in (run / "results/tiny").rglob("*") if path.is_file()
    }
    done = snakemake(run, "scsampler")
    assert done.returncode == 0, done.stdout + done.stderr
    results = run / "results/tiny"
    rows = read_evaluation_table(results / "evaluation/scsampler.tsv")
    assert [row["row"] for row in rows] == [row.name for row in chosen_rows(None)]
    trained = {path.stem for path in (results / "sampler").glob("*.pt")}
    assert trained == {*single_networks(ROWS), "joint"}
    assert (results / "scsampler.html").is_file()
    assert not planned(snakemake(run, "scsampler", "--dry-run"))
    assert {path: path.read_bytes() for path in plain} == plain

    table = results / "evaluation/scsampler.tsv"
    before = table.read_bytes()
    table.unlink()
    (results / "sampler/joint.pt").unlink()
    again = snakemake(run, str(table.relative_to(run)))
    assert again.returncode == 0, again.stdout + again.stderr
    assert table.read_bytes() == before
