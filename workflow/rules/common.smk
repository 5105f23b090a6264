# The checked configuration, the names of shards, where a stage's artifacts lie: what the rules are written with.

import functools
import os
import subprocess
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

sys.path.insert(0, str(Path(workflow.basedir)))

from l2l.config import FolderDataset, as_json, check_config
from l2l.errors import BadInput
from l2l.leftovers import abandoned_slurm_jobs
from l2l.manifest.listing import folder_state

try:
    CONFIG = check_config(dict(config), " ".join(map(str, workflow.config_settings.configfiles or ["config.yaml"])))
except BadInput as error:
    raise WorkflowError(str(error)) from None

# A job's own shell and the Snakemake that started it, whose end is the job's: see l2l/orphans.py.
shell.prefix('set -euo pipefail; export L2L_JOB="$(uname -n) $$ $PPID"; ')

STUDENTS = ("image", "audio", "image-audio")
ORIGINS = ("distilled", "undistilled")
MAIN_STUDENT = "-".join(CONFIG.student.modalities)
DRAWN = [name for name, dataset in CONFIG.videos.items() if dataset.adapter == "demo"]
ZARR_MARK = f"{os.sep}zarr.json"  # the file of a Zarr store that is written last: what Snakemake watches


wildcard_constraints:
    run=rf"{CONFIG.run}(-seed\d+)?",
    dataset="|".join(CONFIG.videos),
    shard=r"shard-\d+",
    modalities="|".join(STUDENTS),
    origin="|".join(ORIGINS),


def shards(dataset):
    """The names of a data set's shards."""
    return [f"shard-{number:03d}" for number in range(CONFIG.videos[dataset].shards)]


def shard_files(stage, dataset, suffix=".h5"):
    """The paths of a stage's artifacts, one a shard, with {run} left open."""
    return [f"results/{{run}}/{stage}/{dataset}/{shard}{suffix}" for shard in shards(dataset)]


def seed(wildcards):
    """A run's seed: the configuration's, or the number that a study's run carries in its name."""
    return int(wildcards.run.rpartition("-seed")[2]) if wildcards.run != CONFIG.run else CONFIG.seed


def grown(amount):
    """A resource that doubles each time a job is tried again, since what it lacked may have been this."""

    def of_attempt(wildcards, attempt):
        return amount * 2 ** (attempt - 1)

    return of_attempt


@functools.cache
def gpus_of_cluster():
    """What `sinfo` says of the cluster's GPUs, a line a kind of node; None where there is no cluster, or no answer."""
    try:
        said = subprocess.run(["sinfo", "--noheader", "--format=%G"], capture_output=True, text=True, timeout=10)
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return None
    return said.stdout if said.returncode == 0 else None


def gpus(wildcards):
    """How many GPUs a job asks for: one, but none of a Slurm cluster without any, which would refuse the job."""
    known = gpus_of_cluster()
    return 1 if known is None or "gpu" in known else 0


def dataset_section(wildcards):
    """The configuration of one data set."""
    return as_json(CONFIG.videos[wildcards.dataset])


def videos_folder(dataset):
    """The drawn folder that a demo's manifest waits for; other data sets lie where their section says."""
    return [f"results/{{run}}/videos/{dataset}"] if dataset in DRAWN else []


def annotation_files(dataset):
    """The lists and tables a data set is told by, so that a dry run names one that is not there."""
    return [str(path) for path in CONFIG.videos[dataset].annotation_files]


def media_of_dataset(wildcards):
    """Every shard's media of the data set."""
    return [path.format(run=wildcards.run) for path in shard_files("media", wildcards.dataset)]


def described_part(wildcards):
    """The teacher describes all moments that are distilled from; of a mere target only the labelled ones."""
    return "all" if wildcards.dataset == CONFIG.source else "segments"


def modality_names(wildcards):
    """The modalities of a student, as its command line takes them."""
    return wildcards.modalities.split("-")


def distilled_student(wildcards):
    """The student that fine-tuning starts from, if it starts from one."""
    if wildcards.origin == "undistilled":
        return []
    return f"results/{wildcards.run}/student/distilled/{wildcards.modalities}.pt"


def store_folder(wildcards, output):
    """The folder of a shard's store; what Snakemake watches is the file in it that is written last."""
    return os.path.dirname(output.features)


def features_of_dataset(wildcards):
    """Every shard's features of the data set."""
    return [path.format(run=wildcards.run) for path in shard_files("features", wildcards.dataset, suffix=ZARR_MARK)]
