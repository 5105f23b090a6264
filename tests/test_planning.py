"""A job is planned for its own reason though a job before it has to run."""

import subprocess
import sys
from pathlib import Path

import pytest
from workflow_runs import ROOT, environment

RULES = """
import sys
sys.path.insert(0, {root!r})
from l2l.jobs.planning import compare_jobs_behind_ancient_inputs
compare_jobs_behind_ancient_inputs()

rule score:
    input: "table", "network"
    output: "score"
    shell: "cat {{input}} >{{output}}"

rule train:
    input: ancient("copy"), "numbers"
    output: "network"
    params: config["steps"]
    shell: "echo steps {{params}} >{{output}}; cat {{input}} >>{{output}}"

rule compute:
    input: ancient("copy")
    output: "numbers"
    params: config["width"]
    shell: "echo width {{params}} >{{output}}"

rule copy:
    input: "table"
    output: "copy"
    shell: "cp {{input}} {{output}}"

rule list:
    output: "table"
    params: config["videos"]
    shell: "test {{params}} != fail; echo videos {{params}} >{{output}}"
"""


def run(folder: Path, *arguments: str, **config: object) -> subprocess.CompletedProcess[str]:
    """Run the rules above, or plan them."""
    values = [f"{name}={value}" for name, value in config.items()]
    argv = [sys.executable, "-m", "snakemake", "--cores", "1", *arguments, "--config", *values]
    return subprocess.run(
        argv, cwd=folder, env=environment(), capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_a_changed_setting_counts_though_the_listing_runs_again_or_failed_before(tmp_path):
    (tmp_path / "Snakefile").write_text(RULES.format(root=str(ROOT)))
    assert run(tmp_path, videos=2, steps=10, width=4).returncode == 0
    alone = run(tmp_path, "-n", videos=3, steps=10, width=4).stdout
    assert "rule score" in alone
    assert "rule train" not in alone, "only what is not ancient makes a job run"
    assert run(tmp_path, videos="fail", steps=11, width=5).returncode == 1
    assert run(tmp_path, videos=3, steps=11, width=5).returncode == 0
    score = (tmp_path / "score").read_text().splitlines()
    assert score == ["videos 3", "steps 11", "videos 3", "width 5"]


OTHER = """
import sys
sys.path.insert(0, {root!r})
from snakemake.dag import DAG
{change}
before = getattr(DAG, "bfs", None)
from l2l.jobs.planning import compare_jobs_behind_ancient_inputs
compare_jobs_behind_ancient_inputs()
assert getattr(DAG, "bfs", None) is before, "changed"

rule copy:
    output: "copy"
    shell: "touch {{output}}"
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        "DAG.walk = DAG.bfs; del DAG.bfs",
        "before = DAG.bfs; DAG.bfs = lambda self, jobs, edges: before(self, edges, *jobs)",
        "import snakemake.io as io; del io._IOFile.is_ancient",
    ],
)
def test_another_snakemake_plans_by_itself_and_a_line_says_so(tmp_path, change):
    (tmp_path / "Snakefile").write_text(OTHER.format(root=str(ROOT), change=change))
    # --list reads the rules and plans nothing, which the changed class could not
    found = run(tmp_path, "--list")
    assert found.returncode == 0, found.stderr
    lines = [line for line in found.stderr.splitlines() if "plans in another way" in line]
    assert len(lines) == 1, found.stderr
    assert "constraints.txt" in lines[0]
