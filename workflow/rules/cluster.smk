# What the rules ask of a machine or of a Slurm cluster: memory, time, GPUs, and the command that
# starts a training.

import functools
import math
import re
import subprocess
from typing import NamedTuple


def launcher(wildcards, resources):
    """The command that starts a training: python for one process; torchrun for several
    `processes` per node; srun with torchrun for several `nodes` of a Slurm job.
    """
    nodes, processes = resources.get("nodes", 1), resources.get("processes", 1)
    torchrun = f"python -P -m torch.distributed.run --nproc-per-node={processes}"
    if nodes == 1:
        return "python -P" if processes == 1 else f"{torchrun} --standalone"
    # Inside the job only its number is sure to be set: squeue answers with its nodes.
    nodes_of_job = "$(squeue --noheader --jobs=$SLURM_JOB_ID --format=%N)"
    head = f'"$(scontrol show hostnames "{nodes_of_job}" | head -n 1)"'
    meeting = (
        "--rdzv-backend=c10d --rdzv-id=$SLURM_JOB_ID "
        f"--rdzv-endpoint={head}:$((20000 + SLURM_JOB_ID % 10000))"
    )
    return (
        f"srun --nodes={nodes} --ntasks={nodes} --ntasks-per-node=1 {torchrun} "
        f"--nnodes={nodes} {meeting}"
    )


def escalating_memory(megabytes):
    """Memory that doubles each time a job is tried again, because too little memory may be why it
    failed. Never more than the largest node has.
    """

    def of_attempt(wildcards, attempt):
        return min(
            megabytes * 2 ** (attempt - 1),
            max_or_infinity(kind.memory_mb for kind in cluster() or ()),
        )

    return of_attempt


def escalating_minutes(amount):
    """A time limit that doubles each time a job is tried again. Never longer than the cluster
    allows: Slurm refuses such a job, or lets it wait without end.
    """

    def of_attempt(wildcards, attempt):
        return min(
            amount * 2 ** (attempt - 1),
            max_or_infinity(minutes(kind.time) for kind in cluster() or ()),
        )

    return of_attempt


def max_or_infinity(amounts):
    """The largest amount; infinity if there is none."""
    return max(amounts, default=math.inf)


class NodeKind(NamedTuple):
    """The properties that a group of nodes of a Slurm cluster shares."""

    gpus: str
    time: str  # the time limit of a job
    memory_mb: int


@functools.cache
def cluster():
    """Every kind of node that `sinfo` lists; None if there is no cluster or no usable answer."""
    try:
        answer = subprocess.run(
            ["sinfo", "--noheader", "--format=%G %l %m"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):  # not there, not executable, no answer
        return None
    kinds = re.findall(r"^(\S+) +(\S+) +(\d+)\+?$", answer.stdout, re.MULTILINE)
    if answer.returncode != 0 or not kinds:
        return None
    return [NodeKind(gpus, time, int(memory)) for gpus, time, memory in kinds]


def minutes(time):
    """The minutes of a time that Slurm writes as 1-12:30:00 or 30:00; infinity for other text."""
    if not (parts := re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)", time)):
        return math.inf
    days, hours, minutes, _ = (int(part or 0) for part in parts.groups())
    return (24 * days + hours) * 60 + minutes


def gpus(wildcards):
    """How many GPUs a job asks for: one, but none on a Slurm cluster that has no GPU, which would
    refuse the job.
    """
    return 1 if cluster() is None or any("gpu" in kind.gpus for kind in cluster()) else 0
