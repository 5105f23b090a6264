"""`snakemake --profile slurm` from the repository's root, on a real Slurm.

Whole, in part, and when things break.
"""

import os
import re
import shutil
import signal
import subprocess
from collections import Counter
from pathlib import Path

import pytest
import yaml
from cluster import HOSTS, NAMES, Cluster, install, until, why_not
from kills import differences, smallest
from untrained_run import make_run
from workflow_runs import ROOT, environment, kill_group, snakemake, tiny_with

from l2l.apply.artifact import prediction_columns
from l2l.skimmer.artifact import load_skimmer
from l2l.stores import read_table

pytestmark = [pytest.mark.slurm, pytest.mark.workflow]

QUICK = (
    "--slurm-status-command",
    "squeue",
    "--slurm-init-seconds-before-status-checks",
    "4",
    "--latency-wait",
    "10",
)
"""Without accounting states come from squeue.

And a test cannot wait as long between two looks as people can.
"""
GPU_RULES = (
    "train_teacher",
    "extract_descriptors",
    "distil_student",
    "finetune_student",
    "extract_features",
    "train_skimmer",
    "evaluate_clips",
    "evaluate_audio",
)
SCSAMPLER_GPU_RULES = ("describe_all_clips", "train_sampler", "score_clips")
HUNGRY = "tests/support/hungry.smk"
STARTED: list[subprocess.Popen[str]] = []


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A cluster of three nodes, for all tests."""
    if reason := why_not():
        assert not os.environ.get("FAIL_WITHOUT_SLURM"), reason
        pytest.skip(reason)
    install()
    cluster = Cluster(tmp_path_factory.mktemp("slurm", numbered=False))
    try:
        cluster.up()
        yield cluster
    finally:
        for process in STARTED:
            if process.poll() is None:  # of a test that failed
                kill_group(process)
        cluster.down()


def checkout(folder: Path) -> Path:
    """A copy of what a run takes of the repository, with the smallest configuration."""
    for name in ("l2l", "workflow"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / HUNGRY).parent.mkdir(parents=True)
    shutil.copy(ROOT / HUNGRY, folder / HUNGRY)
    for name in ("Snakefile", "config.yaml", "environment.yml", "slurm", "profiles"):
        shutil.copy(ROOT / name, folder / name, follow_symlinks=False)
    smallest(folder / "small.yaml")
    return folder


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start `snakemake --profile slurm` there, in a separate process group.

    What it says goes to a file.
    """
    command = ["snakemake", "--profile", "slurm", "--configfile", "small.yaml", *QUICK, *arguments]
    paths = environment() | {"PYTHONPATH": ""}  # a node knows only what lies in the shared folder
    with open(folder / "said.txt", "w") as said:
        STARTED.append(
            subprocess.Popen(
                command,
                cwd=folder,
                env=paths,
                stdout=said,
                stderr=said,
                text=True,
                start_new_session=True,
            )
        )
    return STARTED[-1]


def ended(process: subprocess.Popen[str], folder: Path) -> str:
    """What it said, once it has ended well."""
    assert process.wait(1800) == 0, said(folder)[-3000:]
    return said(folder)


def said(folder: Path) -> str:
    return (folder / "said.txt").read_text()


@pytest.fixture(scope="module")
def hungry(cluster, tmp_path_factory):
    """Jobs that need more than they ask for; they run at the same time as the whole run."""
    folder = checkout(tmp_path_factory.mktemp("hungry"))
    targets = (
        "results/memory.txt",
        "results/time.txt",
        "--default-resources",
        "slurm_partition=gpu",
        "--snakefile",
    )
    return start(folder, *targets, HUNGRY), folder


@pytest.fixture(scope="module")
def whole(cluster, hungry, tmp_path_factory):
    """A whole run during which the controller was restarted and a node died."""
    folder = checkout(tmp_path_factory.mktemp("whole"))
    partitions = [f"{rule}:slurm_partition=gpu" for rule in GPU_RULES]
    process = start(folder, "--set-resources", *partitions)
    until("a job is done", lambda: "1 of" in said(folder), 600)
    cluster.restart_controller()
    on_c1 = ("squeue", "-h", "-w", "c1", "-t", "R", "-o", "%Z")
    until("c1 has a job", lambda: str(folder) in cluster.run(*on_c1), 600)
    cluster.kill_node("c1")
    cluster.revive_node("c1")
    ended(process, folder)
    return folder


def test_a_whole_run_is_not_stopped_by_a_restarted_controller_nor_a_node_that_dies(whole):
    assert (whole / "results/small/report.html").is_file()
    assert "NODE_FAIL" in said(whole)


def test_slurm_makes_the_bytes_that_one_machine_makes(whole, tmp_path):
    # The same checkout, since artifacts name the commit of the code that made them.
    alone = snakemake(tmp_path, configfile=whole / "small.yaml", checkout=whole)
    assert alone.returncode == 0, alone.stderr[-3000:]
    assert differences(tmp_path / "results", whole / "results") == []


def test_rules_that_train_run_where_the_gpu_is(cluster, whole):
    jobs = cluster.run("squeue", "-h", "--states=COMPLETED", "-o", "%k %N %Z").splitlines()
    nodes = {
        line.split()[1]
        for line in jobs
        if line.startswith("rule_train_teacher") and line.endswith(str(whole))
    }
    assert nodes == {"g1"}


def test_one_stage_is_run_again_alone(whole):
    (mels,) = list(whole.glob("results/small/mels/all/shard-000.h5"))
    before = mels.read_bytes()
    output = ended(start(whole, str(mels.relative_to(whole)), "--forcerun", "compute_mels"), whole)
    assert output.count("has been submitted") == 1
    assert mels.read_bytes() == before


def test_a_training_spreads_over_two_nodes(cluster, whole):
    """Its processes meet; that they fit what one would is held by tests/test_processes.py."""
    if NAMES not in HOSTS.read_text():
        pytest.skip(f"{HOSTS} is closed, so the nodes' made-up names mean nothing")
    spread = [
        f"train_skimmer:{output}"
        for output in ("nodes=2", "tasks=2", "mpi=srun", "gpu=0", "slurm_partition=cpu")
    ]
    skimmer = "results/small/skimmer/skimmer.pt"
    ended(start(whole, skimmer, "--forcerun", "train_skimmer", "--set-resources", *spread), whole)
    jobs = cluster.run("squeue", "-h", "--states=COMPLETED", "-o", "%k %N %Z").splitlines()
    assert f"rule_train_skimmer_wildcards_small_skimmer c[1-2] {whole}" in jobs
    assert load_skimmer(whole / skimmer).class_names


def test_scsampler_runs_as_jobs_and_makes_the_bytes_that_one_machine_makes(
    cluster, tiny_run, tmp_path
):
    folder, alone = checkout(tmp_path / "folder"), tmp_path / "alone"
    few = {"rows": ["union", "joint", "ours_sparse", "oracle"]}  # four networks
    config = tiny_with(folder / "small.yaml", sampler=few)
    for name in ("results", ".snakemake"):
        shutil.copytree(tiny_run / name, folder / name)
        shutil.copytree(tiny_run / name, alone / name)
    local = snakemake(alone, "scsampler", configfile=config, checkout=folder)
    assert local.returncode == 0, local.stderr[-3000:]
    partitions = [f"{rule}:slurm_partition=gpu" for rule in SCSAMPLER_GPU_RULES]
    ended(start(folder, "scsampler", "--set-resources", *partitions), folder)
    assert differences(alone / "results", folder / "results") == []

    columns = "Comment:150,tres-per-job:30,NodeList:30,WorkDir:300"
    jobs = cluster.run("squeue", "-h", "--states=COMPLETED", "-O", columns).splitlines()
    done = [line.split() for line in jobs if line.split()[-1] == str(folder)]
    rules = [comment.partition("_wildcards")[0].removeprefix("rule_") for comment, *_ in done]
    assert Counter(rules) == {
        "extract_motion": 3,
        "describe_all_clips": 3,
        "train_sampler": 4,
        "score_clips": 1,
        "evaluate_scsampler": 1,
        "write_scsampler_report": 1,
    }
    for rule, (_, asked, node, _) in zip(rules, done, strict=True):
        on_gpu = rule in SCSAMPLER_GPU_RULES
        assert ("gpu" in asked, node == "g1") == (on_gpu, on_gpu), rule


def test_a_run_answers_for_folders_of_videos_in_shards(cluster, media, tmp_path):
    folder, shards = checkout(tmp_path / "folder"), {"clips": 2, "fight": 4}
    make_run(folder / "finished")
    applied = {
        name: {"role": "apply", "adapter": "folder", "folder": str(media / name), "shards": count}
        for name, count in shards.items()
    }
    overlay = {"videos": applied, "apply": {"run": "finished", "film_strips": 1, "pictures": 2}}
    (folder / "apply.yaml").write_text(yaml.safe_dump(overlay))
    on_cpus = ("--set-resources", "apply_videos:gpu=0")
    ended(start(folder, "apply", *on_cpus, "--configfile", "small.yaml", "apply.yaml"), folder)
    for name, count in {"clips": 23, "fight": 186}.items():
        path = folder / f"results/small/apply/{name}/predictions.tsv"
        rows = read_table(path, prediction_columns(5))
        assert len(rows) == count
        assert [row["video"] for row in rows if not row["label_1"]] == []
    jobs = cluster.run("squeue", "-h", "--states=COMPLETED", "-o", "%k %N %Z").splitlines()
    answering = [line.split()[1] for line in jobs if line.startswith("rule_apply_videos")]
    assert len(answering) == sum(shards.values())
    assert set(answering) == {"c1", "c2"}


def test_a_job_out_of_memory_and_one_out_of_time_are_tried_again_with_more(hungry):
    process, folder = hungry
    output = ended(process, folder)
    assert int((folder / "results/memory.txt").read_text()) == 1000
    assert int((folder / "results/time.txt").read_text()) == 2
    assert "status is: 'TIMEOUT'" in output
    (log,) = folder.glob(
        "logs/slurm/rule_take_memory/*.log"
    )  # of the first try: that of a job that is done is removed
    assert "exceeded memory limit" in log.read_text()


def test_ctrl_c_leaves_no_job_behind_and_a_killed_snakemake_none_that_writes_over_a_new_one(
    cluster, tmp_path
):
    folder = checkout(tmp_path / "folder")
    sleeping = ("results/1.txt", "results/2.txt", "--snakefile", HUNGRY)

    def jobs():
        return sum(line == str(folder) for line in cluster.jobs("%Z"))

    killed = start(folder, *sleeping)
    until("both jobs are there", lambda: jobs() == 2)
    killed.kill()
    killed.wait()
    assert jobs() == 2
    start(folder, *sleeping, "--unlock").wait()
    refused = start(folder, *sleeping)
    assert refused.wait(300) != 0
    line = next(line for line in said(folder).splitlines() if "would write over" in line)
    doctor = subprocess.run(
        ["python", "-m", "l2l", "doctor"],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
    )
    cure = re.search(r"scancel [\d ]+\d", line)[0]
    assert re.search(rf"^orphans +Slurm jobs .*{cure}$", doctor.stdout, re.MULTILINE)
    cluster.run(*cure.split())
    until("they are gone", lambda: jobs() == 0)

    stopped = start(folder, *sleeping)
    until("both jobs are there", lambda: jobs() == 2)
    os.killpg(stopped.pid, signal.SIGINT)
    assert stopped.wait(300) != 0
    until("no job is left", lambda: jobs() == 0)
