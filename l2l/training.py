"""The training loop, one for every network, and how networks are stored on disk.

All random numbers come from torch's own generator, which is seeded once, and are drawn before an
epoch begins. Only dropout draws during an epoch, from a seed that is set for each step. So the same
inputs, config and seed give the same numbers with any number of processes that load data, and after
a training that was killed and resumed.
"""

import io
import json
import math
import signal
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset, default_collate

from l2l.acceleration import autocast
from l2l.checkpoints import Checkpoints, captured_signal, postponed_interrupt
from l2l.config import TrainingConfig
from l2l.errors import BadInput
from l2l.jobs.processes import device, process_group
from l2l.loading import load_batches, plan_epoch, split_batch
from l2l.progress import CountedLines, duration
from l2l.stores import MADE_BY, atomic_path
from l2l.torch_files import first_line, load_tensors
from l2l.weights import check_numbers

LAYOUT = 2  # of the files that `save_network` writes


def seed_and_pick_device(seed: int, threads: int = 1) -> torch.device:
    """Seed torch, set its number of threads, and return the device: a GPU where one is visible,
    otherwise the CPU.

    A training computes with one thread: on a CPU, another number of threads sums in another order
    and gives other numbers.
    """
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    return device()


def learning_rate_scale(epoch: float, config: TrainingConfig) -> float:
    """The learning rate after `epoch` epochs, relative to `config.learning_rate`.

    It rises linearly in the warm-up. Then it is multiplied by `config.decay` at each milestone, or
    it is a half cosine over all epochs.
    """
    warmup = min(1.0, epoch / config.warmup_epochs) if config.warmup_epochs else 1.0
    if config.schedule == "cosine":
        return warmup * (1 + math.cos(math.pi * epoch / config.epochs)) / 2
    return warmup * config.decay ** sum(epoch >= milestone for milestone in config.milestones)


def build_optimizer(
    groups: Sequence[Mapping[str, Any]], config: TrainingConfig
) -> torch.optim.Optimizer:
    """The optimizer of these parameter groups."""
    parameters = [{"params": list(group["params"])} for group in groups]
    if config.optimizer == "adamw":
        return torch.optim.AdamW(
            parameters, lr=config.learning_rate, weight_decay=config.weight_decay
        )
    return torch.optim.SGD(
        parameters,
        lr=config.learning_rate,
        momentum=config.momentum,
        nesterov=config.momentum > 0,
        weight_decay=config.weight_decay,
    )


class _Progress(NamedTuple):
    """How far a training is, apart from what its network and its optimizer hold."""

    epoch: int  # epochs that are finished
    steps: int  # steps of the current epoch that are finished
    loss: float  # sum over these steps
    random: Tensor  # state of torch's generator when the epoch began


def _state(
    network: nn.Module, optimizer: torch.optim.Optimizer, progress: _Progress
) -> dict[str, Any]:
    """The content of a checkpoint."""
    return {
        "network": dict(network.state_dict()),
        "optimizer": optimizer.state_dict(),
        "progress": progress._asdict(),
    }


def _resume(
    state: dict[str, Any] | None, network: nn.Module, optimizer: torch.optim.Optimizer
) -> _Progress:
    """Restore network and optimizer from a checkpoint; without one, start at the first epoch."""
    if state is None:
        return _Progress(0, 0, 0.0, torch.get_rng_state())
    network.load_state_dict(state["network"])
    optimizer.load_state_dict(state["optimizer"])
    progress = _Progress(**state["progress"])
    print(
        f"resumed from epoch {progress.epoch + 1}, step {progress.steps}",
        file=sys.stderr,
        flush=True,
    )
    return progress


def _add_gradients(
    loss: Callable[[Any], Tensor],
    batches: Iterator[Any],
    weights: Sequence[float],
    precision: torch.autocast,
) -> float:
    """Run forward and backward on this process's parts of a batch, one after another.

    Args:
        loss: the mean loss of a part.
        batches: the loaded parts; `len(weights)` of them are taken.
        weights: the share of the batch's entries that each part has.
        precision: for the forward pass.

    Returns:
        The sum of the weighted losses: this process's term of the batch's mean loss.
    """
    total = 0.0
    for weight in weights:
        with precision:
            weighted_loss = loss(next(batches)) * weight
        weighted_loss.backward()
        total += weighted_loss.item()
    return total


def _first_not_finite(network: nn.Module) -> str | None:
    """The name of the first weight or statistic that holds a NaN or an infinity.

    All are summed before the results are read, so that a GPU is waited for once.
    """
    state = {
        name: value for name, value in network.state_dict().items() if value.is_floating_point()
    }
    # a sum is one pass over the numbers without a copy; it is finite only if all terms are
    finite = torch.stack([value.sum() for value in state.values()]).isfinite()
    if finite.all():
        return None
    return next(name for name, good in zip(state, finite.tolist(), strict=True) if not good)


def _stop(interrupts: Sequence[signal.Signals]) -> None:
    if interrupts:
        raise KeyboardInterrupt
    signal.raise_signal(signal.SIGTERM)


def train(
    network: nn.Module,
    groups: Sequence[Mapping[str, Any]],
    dataset: Dataset,
    loss: Callable[[Any], Tensor],
    config: TrainingConfig,
    validate: Callable[[], Mapping[str, float]],
    collate: Callable[[list[Any]], Any] = default_collate,
    workers: int = 0,
    checkpoints: Checkpoints | None = None,
) -> None:
    """Train a network in place, from its last checkpoint on; log each epoch to stderr.

    Each batch is cut into `config.gradient_accumulation` parts for each process that torchrun
    started. The gradients of the parts add up to the gradient of the batch's mean loss, so a step
    is that of the whole batch. Batch norm is the exception: it normalises each part by the part's
    own statistics. Its running statistics move once per part in one process, and to the mean over
    the processes where there are several.

    SIGTERM and Ctrl-C end the process as usual, but after the current step and a checkpoint.

    Args:
        network: in training mode during an epoch and in evaluation mode during `validate`.
        groups: parameter groups, each with ``params`` and, optionally, ``rate``, relative to
            `config.learning_rate`.
        dataset: the entries; a `RandomizedDataset` where they are augmented at random.
        loss: the mean loss of a batch, in float32.
        config: epochs, batch size, learning rate and its schedule.
        validate: figures of the current network on held-out data; they are only logged.
        collate: makes a batch from a list of entries.
        workers: number of additional processes that load data; changes no number.
        checkpoints: where checkpoints are read and written.

    Raises:
        BadInput: if the loss, a weight or a statistic is not finite (no checkpoint of it is
            written), or if a batch is too small to be cut.
    """
    # ---- set up: optimizer, precision, processes, the last checkpoint

    rate_scales = [group.get("rate", 1.0) for group in groups]
    optimizer = build_optimizer(groups, config)
    precision = autocast(config.bfloat16)
    with process_group() as team, postponed_interrupt() as interrupts:
        parts_per_batch = config.gradient_accumulation * team.size
        if config.batch_size < 2 * parts_per_batch:
            raise BadInput(
                f"batch_size {config.batch_size}: expected at least {2 * parts_per_batch}, two "
                f"entries (for batch norm) in each of {parts_per_batch} parts"
            )
        first_part = team.rank * config.gradient_accumulation
        own_parts = slice(first_part, first_part + config.gradient_accumulation)
        progress = _resume(
            team.broadcast(checkpoints.latest() if checkpoints and team.is_main else None),
            network,
            optimizer,
        )

        while progress.epoch < config.epochs:
            # ---- plan the epoch: its batches, and this process's parts of each

            start_seconds = time.monotonic()
            progress = team.broadcast(progress)
            torch.set_rng_state(progress.random)
            batches, epoch_seed = plan_epoch(dataset, config.batch_size)
            parts = [split_batch(batch, parts_per_batch)[own_parts] for batch in batches]
            remaining = [part for step_parts in parts[progress.steps :] for part in step_parts]
            loaded = load_batches(dataset, workers, epoch_seed, collate, batch_sampler=remaining)
            random_after_planning = torch.get_rng_state()
            network.train()
            stopping = 0.0
            with captured_signal(signal.SIGTERM) as signals:
                noun = f"steps of epoch {progress.epoch + 1}"
                lines = CountedLines(len(batches), noun, progress.steps, shown=team.is_main)
                for step in range(progress.steps, len(batches)):
                    # ---- learning rate

                    # within an epoch it rises in the warm-up and falls along a cosine
                    in_warmup = config.warmup_epochs > progress.epoch
                    steps = step + 1 if in_warmup else step if config.schedule == "cosine" else 0
                    rate = config.learning_rate * learning_rate_scale(
                        progress.epoch + steps / len(batches), config
                    )
                    for group, scale in zip(optimizer.param_groups, rate_scales, strict=True):
                        group["lr"] = rate * scale

                    # ---- forward, backward, step

                    optimizer.zero_grad()
                    # dropout draws from it, and what a loss draws
                    torch.manual_seed(epoch_seed + step * team.size + team.rank)
                    weights = [len(part) / len(batches[step]) for part in parts[step]]
                    own_loss = _add_gradients(loss, loaded, weights, precision)
                    # any process may have the signal; all stop after the same step
                    asked = len(signals) + len(interrupts)
                    mean_loss, stopping = team.all_reduce(network, (own_loss, asked))
                    place = f"epoch {progress.epoch + 1}, step {step + 1}"
                    if not math.isfinite(mean_loss):
                        raise BadInput(
                            f"the loss is {mean_loss} in {place}: learning_rate "
                            f"{config.learning_rate} is too high"
                        )
                    optimizer.step()
                    # a gradient may be infinite while the loss is still finite
                    if name := _first_not_finite(network):
                        cure = " or train without bfloat16" * config.bfloat16
                        raise BadInput(
                            f"{name} is not finite after {place}: lower learning_rate "
                            f"{config.learning_rate}{cure}"
                        )

                    # ---- checkpoint: at the end of an epoch, when due, and before stopping

                    progress = progress._replace(steps=step + 1, loss=progress.loss + mean_loss)
                    lines.count(progress.steps)
                    epoch_done = progress.steps == len(batches)
                    if (
                        checkpoints
                        and team.is_main
                        and (stopping or epoch_done or checkpoints.due())
                    ):
                        steps = progress.epoch * len(batches) + progress.steps
                        checkpoints.save(steps, _state(network, optimizer, progress))
                    if stopping:
                        break
            if stopping:
                team.broadcast(None)  # wait until the checkpoint is written
            if stopping or signals:
                _stop(interrupts)

            # ---- validate and log

            torch.set_rng_state(random_after_planning)
            network.eval()
            if team.is_main:
                figures = {
                    "loss": progress.loss / len(batches),
                    **validate(),
                    "seconds": time.monotonic() - start_seconds,
                }
                left = (config.epochs - progress.epoch - 1) * figures["seconds"]
                print(
                    f"epoch {progress.epoch + 1}/{config.epochs}",
                    *(f"{name} {value:.4g}" for name, value in figures.items()),
                    f"({duration(left)} left)",
                    file=sys.stderr,
                    flush=True,
                )
            progress = _Progress(progress.epoch + 1, 0, 0.0, torch.get_rng_state())


def save_network(path: Path, kind: str, network: nn.Module, settings: Mapping[str, Any]) -> None:
    """Write a network's numbers and the plain `settings` that rebuild it, atomically.

    Raises:
        BadInput: if a number is not finite.
    """
    state = {
        name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()
    }
    check_numbers(path, state)
    saved = {
        "kind": kind,
        "layout": LAYOUT,
        "made_by": MADE_BY,
        "settings": json.dumps(settings),
        "state": state,
    }
    # written to memory first: torch's own writer does not report a full disk
    content = io.BytesIO()
    torch.save(saved, content)
    with atomic_path(path) as temporary:
        temporary.write_bytes(content.getbuffer())


def load_network(path: Path, kind: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read the settings and the numbers that `save_network` wrote. Only tensors and plain
    containers are unpickled.

    Raises:
        BadInput: if the file is missing or damaged, is not from `save_network`, holds another kind
            of network, or numbers that are not finite.
    """
    saved = open_network(path, kind)
    if saved["kind"] != kind:
        raise BadInput(
            f"{path}: found a {saved['kind']}; expected a {kind} that l2l wrote; run the stage "
            "that writes it"
        )
    return saved["settings"], saved["state"]


def open_network(path: Path, kind: str = "network") -> dict[str, Any]:
    """Read a network of any kind: `kind`, `made_by`, `settings`, and `state`, each tensor by
    its name.

    Args:
        path: of the file.
        kind: of network that the caller expects, for error messages.

    Raises:
        BadInput: if the file is missing or damaged, is not from `save_network`, or holds numbers
            that are not finite.
    """
    expected = f"expected a {kind} that l2l wrote; run the stage that writes it"
    try:
        with zipfile.ZipFile(path) as entries:  # torch's reader does not compare checksums
            if damaged := entries.testzip():
                raise BadInput(
                    f"{path}: damaged (the checksum of {damaged} does not match); {expected}"
                )
        saved = load_tensors(path)
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file; {expected}") from None
    except BadInput:
        raise
    except Exception as error:  # zipfile and torch raise many types on a malformed file
        raise BadInput(f"{path}: not readable ({first_line(error)}); {expected}") from None
    if not isinstance(saved, dict) or not {"kind", "layout", "settings", "state"} <= saved.keys():
        raise BadInput(f"{path}: found a file that l2l did not write; {expected}")
    if saved["layout"] != LAYOUT:
        raise BadInput(
            f"{path}: found layout {saved['layout']!r} of another version of l2l, expected "
            f"{LAYOUT}; {expected}"
        )
    state = saved["state"]
    if not isinstance(state, dict) or not all(isinstance(x, Tensor) for x in state.values()):
        raise BadInput(f"{path}: found no tensors by name under 'state'; {expected}")
    check_numbers(path, state)
    try:
        settings = json.loads(saved["settings"])
        if not isinstance(settings, dict):
            raise ValueError("no table of names")
    except (TypeError, ValueError, RecursionError) as error:
        raise BadInput(f"{path}: damaged settings ({first_line(error)}); {expected}") from None
    return {**saved, "settings": settings}
