# What every rule file uses: the checked configuration, the names of shards, and where a stage's artifacts lie.

import os
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

sys.path.insert(0, str(Path(workflow.basedir)))

from l2l.config import FolderDataset, as_json, check_config
from l2l.errors import BadInput
from l2l.manifest.listing import folder_state

try:
    CONFIG = check_config(dict(config), " ".join(map(str, workflow.config_settings.configfiles or ["config.yaml"])))
except BadInput as error:
    raise WorkflowError(str(error)) from None

STUDENTS = ("image", "audio", "image-audio")
ORIGINS = ("distilled", "undistilled")
MAIN_STUDENT = "-".join(CONFIG.student.modalities)


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
