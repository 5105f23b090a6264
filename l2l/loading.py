"""What a training draws at random before each epoch, and how its batches are loaded: by this
process or by several worker processes.
"""

import atexit
import functools
import multiprocessing
import signal
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_collate

from l2l.errors import BadInput


class RandomizedDataset(Dataset, ABC):
    """A data set with random augmentation.

    Each epoch `draw` draws one number per entry; ``dataset[i, number]`` is the augmented entry.
    """

    @abstractmethod
    def draw(self, count: int) -> Tensor:
        """Draw `count` numbers from torch's generator."""


class RandomHorizontalFlip(RandomizedDataset):
    """Mirrors half of the pictures or clips left to right.

    Args:
        dataset: each entry is a tuple that begins with a picture or clip (..., width, colour).
    """

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)  # type: ignore[arg-type]

    def draw(self, count: int) -> Tensor:
        """Whether to mirror each entry."""
        return torch.rand(count) < 0.5

    def __getitem__(self, key: tuple[int, bool]) -> tuple:
        index, mirrored = key
        picture, *rest = self.dataset[index]
        return np.flip(picture, -2).copy() if mirrored else picture, *rest


def plan_epoch(dataset: Dataset, batch_size: int) -> tuple[list[list], int]:
    """Draw the order of an epoch from torch's generator.

    Returns:
        The batches, and a seed for the data loader. A batch is a list of indices, or of (index,
        number) for a `RandomizedDataset`. A last batch of a single entry is appended to the one
        before, since batch norm needs two.
    """
    count: int = len(dataset)  # type: ignore[arg-type]
    keys: list = torch.randperm(count).tolist()
    loader_seed = int(torch.empty((), dtype=torch.int64).random_())
    if isinstance(dataset, RandomizedDataset):
        keys = list(zip(keys, dataset.draw(count).tolist(), strict=True))
    batches = [keys[i : i + batch_size] for i in range(0, count, batch_size)]
    if len(batches) > 1 and len(batches[-1]) == 1:
        last = batches.pop()
        batches[-1] += last
    return batches, loader_seed


def split_batch(batch: list, count: int) -> list[list]:
    """Cut a batch into `count` parts of nearly equal size, or into fewer if a part would have fewer
    than two entries.
    """
    count = max(1, min(count, len(batch) // 2))
    return [batch[len(batch) * i // count : len(batch) * (i + 1) // count] for i in range(count)]


def _ignore_signals(_: int) -> None:
    """Let a worker ignore signals that a cluster, or a terminal, sends to all processes of a job.

    The training has to finish its step first; it ends its workers itself. So it does after Ctrl-C.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)


@atexit.register
def _kill_remaining_workers() -> None:
    """Kill the workers that an error has left behind.

    At its end Python sends them SIGTERM, which they ignore, and would wait for them forever.
    """
    for worker in multiprocessing.active_children():
        worker.kill()


def load_batches(
    dataset: Dataset,
    workers: int,
    seed: int | None = None,
    collate: Callable[[list[Any]], Any] = default_collate,
    **options: Any,
) -> Iterator[Any]:
    """Iterate over the batches of a data set.

    Args:
        dataset: of the entries.
        workers: number of additional processes that load; 0: this process loads. They are forked,
            so that they share open files and memory with this process.
        seed: of the workers' generators; None: drawn from torch's generator at the first batch.
        collate: makes a batch from a list of entries.
        **options: of torch's DataLoader, such as ``batch_size``.

    Raises:
        BadInput: as the data set raised it, in a worker too, without the worker's traceback.
    """
    batches = DataLoader(
        _ErrorsAsEntries(dataset),
        num_workers=workers,
        multiprocessing_context="fork" if workers else None,
        worker_init_fn=_ignore_signals,
        generator=None if seed is None else torch.Generator().manual_seed(seed),
        collate_fn=functools.partial(_collate_or_first_error, collate),
        pin_memory=torch.cuda.is_available(),  # from there the GPU copies by itself
        **options,
    )
    for batch in batches:
        if isinstance(batch, BadInput):
            raise batch
        yield batch


class _ErrorsAsEntries(Dataset):
    """A data set that returns bad input as an entry, so that it passes from a worker as it is."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)  # type: ignore[arg-type]

    def __getitem__(self, key: Any) -> Any:
        try:
            return self.dataset[key]
        except BadInput as error:
            return BadInput(str(error))


def _collate_or_first_error(collate: Callable[[list[Any]], Any], entries: list[Any]) -> Any:
    errors = [entry for entry in entries if isinstance(entry, BadInput)]
    return errors[0] if errors else collate(entries)
