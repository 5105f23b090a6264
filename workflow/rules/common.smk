# The checked configuration, the names of shards, where a stage's artifacts lie: what the rules are written with.

import functools
import gc
import os
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

sys.path.insert(0, str(Path(workflow.basedir)))

from l2l.config import PARTS, as_json, check_config
from l2l.errors import BadInput
from l2l.manifest.listing import dataset_state

try:
    CONFIG = check_config(dict(config), " ".join(map(str, workflow.config_settings.configfiles or ["config.yaml"])))
except BadInput as error:
    raise WorkflowError(str(error)) from None

STUDENTS = ("image", "audio", "image-audio")
ORIGINS = ("distilled", "undistilled")
MAIN_STUDENT = "-".join(CONFIG.student.modalities)
DRAWN = [name for name, dataset in CONFIG.videos.items() if dataset.adapter == "demo"]
ZARR_MARK = f"{os.sep}zarr.json"  # the file of a Zarr store that is written last: what Snakemake watches


wildcard_constraints:
    run=rf"{CONFIG.run}(-seed\d+)?",
    dataset="|".join(CONFIG.videos),
    shard=r"(shard|test)-\d+",
    modalities="|".join(STUDENTS),
    origin="|".join(ORIGINS),


def shard_files(stage, dataset, suffix=".h5", parts=PARTS):
    """The paths of a stage's artifacts, one a shard of these parts, with {run} left open."""
    names = [name for part in parts for name in CONFIG.videos[dataset].shard_names(part)]
    return [f"results/{{run}}/{stage}/{dataset}/{name}{suffix}" for name in names]


def spans(stage, dataset=None, suffix=".h5", parts=PARTS):
    """`shard_files` as a command line takes them, however many: results/.../shard-{000..119}.h5 and the same for test."""

    def of_job(wildcards):
        found = []
        for part in parts:
            names = CONFIG.videos[dataset or wildcards.dataset].shard_names(part)
            kind, first, last = (*names[0].split("-"), names[-1].partition("-")[2])
            found.append(f"results/{wildcards.run}/{stage}/{dataset or wildcards.dataset}/{kind}-{{{first}..{last}}}{suffix}")
        return found

    return of_job


def seed(wildcards):
    """A run's seed: the configuration's, or the number that a study's run carries in its name."""
    return int(wildcards.run.rpartition("-seed")[2]) if wildcards.run != CONFIG.run else CONFIG.seed


@functools.cache
def state_of(dataset, seed):
    """What is listed of a data set; looked up only for the jobs that ask, and once."""
    gc.disable()  # which would look through a million videos again and again: a fifth of the time
    try:
        return dataset_state(CONFIG.videos[dataset], seed)
    finally:
        gc.enable()


def listed(dataset):
    """The state of all that a data set lists."""
    return lambda wildcards: state_of(dataset, seed(wildcards)).whole


def classes_of(dataset):
    """The state of a data set's classes: networks that name them are fitted anew when these change."""
    return lambda wildcards: state_of(dataset, seed(wildcards)).classes


def shard_state(wildcards):
    """The state of a shard's videos."""
    return state_of(wildcards.dataset, seed(wildcards)).shards[wildcards.shard]


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
