"""What a training draws before each epoch, and how its batches are loaded, by this process or by
several beside it.
"""

import atexit
import multiprocessing
import signal
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from l2l.errors import BadInput


class RandomizedDataset(Dataset, ABC):
    """A data set with chance in it: each epoch `draw` draws one number an entry.

    `dataset[i, number]` is the entry.
    """

    @abstractmethod
    def draw(self, count: int) -> Tensor:
        """So many numbers, as a tensor."""


class RandomHorizontalFlip(RandomizedDataset):
    """A data set whose entries begin with a picture or clip (..., width, colour).

    Mirrored left to right half of the time.
    """

    def __init__(self, whole: Dataset) -> None:
        self.whole = whole

    def __len__(self) -> int:
        return len(self.whole)  # type: ignore[arg-type]

    def draw(self, count: int) -> Tensor:
        """Whether to mirror."""
        return torch.rand(count) < 0.5

    def __getitem__(self, key: tuple[int, bool]) -> tuple:
        picture, *rest = self.whole[key[0]]
        return np.flip(picture, -2).copy() if key[1] else picture, *rest


def plan_epoch(dataset: Dataset, batch_size: int) -> tuple[list[list], int]:
    """Draw an epoch from torch's own generator.

    Returns:
        Its batches of indices, or of indices with what a `Drawn` draws; a last batch of one is
        joined to the one before (batch norm needs two). And a seed for the loader.
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
    """A batch in `count` parts, as even as can be.

    In fewer where one would be of a single entry.
    """
    count = max(1, min(count, len(batch) // 2))
    return [batch[len(batch) * i // count : len(batch) * (i + 1) // count] for i in range(count)]


def _left_to_the_training(_: int) -> None:
    """A worker ends with the training, not at a signal to all of a job's processes.

    The training still has to finish a step.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)


@atexit.register
def _end_what_is_left() -> None:
    """Workers that an error has left.

    Python sends them SIGTERM when it ends, which they do not heed, and waits for them.
    """
    for worker in multiprocessing.active_children():
        worker.kill()


def loader(dataset: Dataset, workers: int, seed: int | None = None, **how: Any) -> DataLoader:
    """A DataLoader with so many processes beside this one, forked, so that they share what is open
    and what is in memory.

    Without a seed it draws one from torch's own generator.
    """
    return DataLoader(
        dataset,
        num_workers=workers,
        multiprocessing_context="fork" if workers else None,
        worker_init_fn=_left_to_the_training,
        generator=None if seed is None else torch.Generator().manual_seed(seed),
        **how,
    )


def iterate(load: DataLoader) -> Iterator[Any]:
    """What a loader loads; bad input that a worker comes upon is told in its own line, without the
    worker's traceback.
    """
    try:
        yield from load
    except BadInput as error:
        raise BadInput(str(error).rpartition("BadInput: ")[2].strip()) from None
