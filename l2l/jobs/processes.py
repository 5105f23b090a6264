"""Several processes that fit one network together, as torchrun starts them, and the device that
each computes on.
"""

import contextlib
import datetime
import fcntl
import functools
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import nn

Value = TypeVar("Value")
_PATIENCE = datetime.timedelta(
    days=1
)  # the others wait while the first validates; torchrun ends all when one has died


@dataclass(frozen=True)
class Team:
    """The processes of one training; one that torchrun did not start is a team of its own."""

    rank: int  # of this process
    size: int

    @property
    def is_main(self) -> bool:
        """Whether this process is the one that validates, logs and writes."""
        return self.rank == 0

    def broadcast(self, value: Value) -> Value:
        """What the leading process has; it waits for all."""
        values = [value]
        if self.size > 1:
            dist.broadcast_object_list(values, device=torch.device("cpu"))
        return values[0]

    def all_reduce(self, network: nn.Module, numbers: Sequence[float]) -> list[float]:
        """Sum the gradients and some numbers over the processes and average the statistics of batch
        norm, in one exchange.

        Afterwards all processes have the same bits. Processes do not overlap this with computing,
        which costs little while a step is long beside sending the network once.
        """
        if self.size == 1:
            return list(numbers)
        fitted = [p for p in network.parameters() if p.requires_grad]
        sums = [torch.zeros_like(p) if p.grad is None else p.grad for p in fitted]
        means = [buffer for buffer in network.buffers() if buffer.is_floating_point()]
        told = torch.tensor(numbers, dtype=torch.float32, device=fitted[0].device)
        flat = torch.cat(
            [x.flatten() for x in (*sums, *(mean / self.size for mean in means), told)]
        )
        dist.all_reduce(flat)
        *parts, told = flat.split([x.numel() for x in (*sums, *means, told)])
        for parameter, total, part in zip(fitted, sums, parts, strict=False):
            parameter.grad = total.copy_(part.view_as(total))
        for mean, part in zip(means, parts[len(sums) :], strict=True):
            mean.copy_(part.view_as(mean))
        return told.tolist()


def team() -> Team:
    """Who this process is, as torchrun says in its environment."""
    return Team(int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1)))


@contextlib.contextmanager
def process_group() -> Iterator[Team]:
    """Connect the processes of a training with each other: by gloo on CPUs, by nccl on GPUs."""
    us = team()
    if us.size == 1:
        yield us
        return
    dist.init_process_group(
        "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo", timeout=_PATIENCE
    )
    try:
        yield us
    finally:
        dist.destroy_process_group()


def own_threads(threads: int) -> int:
    """Of the threads of a job, those of one of the processes that torchrun has started in it, at
    least one.
    """
    return max(1, threads // int(os.environ.get("LOCAL_WORLD_SIZE", 1)))


def claim_gpu(names: Sequence[str], folder: Path) -> int:
    """Take the first GPU that no other job of ours has taken; where all are taken, one by this
    process's number.

    Args:
        names: of the GPUs that this process may use, the same for every job on this machine.
        folder: a file for each GPU is locked here until the process ends, however it ends.

    Returns:
        The place in `names`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for place, name in enumerate(names):
        file = os.open(folder / name.replace("/", "-"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(file)
        else:
            return place  # the file stays open, and with it the lock
    return os.getpid() % len(names)


@functools.cache
def device() -> torch.device:
    """Where this process computes: a GPU of its own among those it may see, by
    CUDA_VISIBLE_DEVICES; else the CPU.

    Of torchrun's processes each takes the GPU of its number; other jobs on the machine take the
    first that is not taken.
    """
    if not torch.cuda.is_available():
        return torch.device("cpu")
    count = torch.cuda.device_count()
    names = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")]
    names = names[:count] if len(names) >= count and names[0] else [str(i) for i in range(count)]
    folder = Path(tempfile.gettempdir()) / f"l2l-gpus-{os.getuid()}"
    if "LOCAL_RANK" in os.environ:
        place = int(os.environ["LOCAL_RANK"]) % count
        claim_gpu(names[place : place + 1], folder)  # so that others keep off it
    else:
        place = claim_gpu(names, folder)
    torch.cuda.set_device(place)
    return torch.device("cuda", place)
