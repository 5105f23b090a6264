"""The processes that train one network together, started by torchrun, and the device of each."""

import contextlib
import datetime
import fcntl
import functools
import os
import stat
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import nn

Value = TypeVar("Value")
# The others wait while the main process validates; torchrun ends all when one has died.
_TIMEOUT = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Team:
    """The processes of one training. A process that torchrun did not start is a team of one."""

    rank: int  # of this process
    size: int

    @property
    def is_main(self) -> bool:
        """Whether this process is the one that validates, logs and writes."""
        return self.rank == 0

    def broadcast(self, value: Value) -> Value:
        """The value of the main process, in every process; all wait for each other."""
        values = [value]
        if self.size > 1:
            dist.broadcast_object_list(values, device=torch.device("cpu"))
        return values[0]

    def all_reduce(self, network: nn.Module, numbers: Sequence[float]) -> list[float]:
        """Sum the gradients and some numbers over the processes and average the statistics of batch
        norm, in one exchange.

        Afterwards all processes have the same bits. This is not overlapped with the backward pass,
        which costs little while a step takes long compared with sending the network once.
        """
        if self.size == 1:
            return list(numbers)
        trained = [p for p in network.parameters() if p.requires_grad]
        sums = [torch.zeros_like(p) if p.grad is None else p.grad for p in trained]
        means = [buffer for buffer in network.buffers() if buffer.is_floating_point()]
        values = torch.tensor(numbers, dtype=torch.float32, device=trained[0].device)
        flat = torch.cat(
            [x.flatten() for x in (*sums, *(mean / self.size for mean in means), values)]
        )
        dist.all_reduce(flat)
        *parts, totals = flat.split([x.numel() for x in (*sums, *means, values)])
        for parameter, total, part in zip(trained, sums, parts, strict=False):
            parameter.grad = total.copy_(part.view_as(total))
        for mean, part in zip(means, parts[len(sums) :], strict=True):
            mean.copy_(part.view_as(mean))
        return totals.tolist()


def team() -> Team:
    """The team of this process, from the environment that torchrun sets."""
    return Team(int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1)))


@contextlib.contextmanager
def process_group() -> Iterator[Team]:
    """Connect the processes of a training with each other: by gloo on CPUs, by nccl on GPUs."""
    this_team = team()
    if this_team.size == 1:
        yield this_team
        return
    dist.init_process_group(
        "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo", timeout=_TIMEOUT
    )
    try:
        yield this_team
    finally:
        dist.destroy_process_group()


def own_threads(threads: int) -> int:
    """The share of a job's threads that each of its torchrun processes uses, at least one."""
    return max(1, threads // int(os.environ.get("LOCAL_WORLD_SIZE", 1)))


def claim_gpu(names: Sequence[str], folder: Path) -> int:
    """Take the first GPU that no other job of this user has taken. If all are taken, or the locks
    cannot be made, the process number decides.

    Args:
        names: the GPUs that this process may use, the same for every job on this machine.
        folder: one file per GPU is locked here until the process ends, however it ends. It belongs
            to the user alone; links in it are not followed, since anybody may write to its parent.

    Returns:
        The index in `names`.
    """
    if not _is_private(folder):
        print(f"{folder}: not a folder of this user alone; GPUs are not locked", file=sys.stderr)
        return os.getpid() % len(names)
    flags = os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
    for index, name in enumerate(names):
        with contextlib.suppress(OSError):  # a link, or a folder without write permission
            file = os.open(folder / name.replace("/", "-"), flags, mode=0o600)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(file)
            else:
                return index  # the file stays open, and with it the lock
    return os.getpid() % len(names)


def _is_private(folder: Path) -> bool:
    """Make a folder, if it is missing, and say whether only this user owns it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.lstat()
    except OSError:  # no write permission, or a file or a link to nowhere of that name
        return False
    others_write = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not others_write


def _temporary_folder() -> Path:
    try:
        return Path(tempfile.gettempdir())
    except OSError:  # no such folder can be written to
        return Path(os.devnull)


@functools.cache
def device() -> torch.device:
    """The device of this process: one GPU among those in CUDA_VISIBLE_DEVICES, else the
    CPU.

    Each torchrun process takes the GPU of its local rank; other jobs on the machine take the first
    free one.
    """
    if not torch.cuda.is_available():
        return torch.device("cpu")
    count = torch.cuda.device_count()
    names = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")]
    names = names[:count] if len(names) >= count and names[0] else [str(i) for i in range(count)]
    folder = _temporary_folder() / f"l2l-gpus-{os.getuid()}"
    if "LOCAL_RANK" in os.environ:
        index = int(os.environ["LOCAL_RANK"]) % count
        claim_gpu(names[index : index + 1], folder)  # so that other jobs do not take it
    else:
        index = claim_gpu(names, folder)
    torch.cuda.set_device(index)
    return torch.device("cuda", index)
