"""The training loop, one for every network, and how networks are kept on disk.

Everything random is drawn from torch's own generator, seeded once, and before an epoch begins;
dropout alone draws within one, from what is seeded anew for each step. So the same inputs, config
and seed give the same numbers with any number of processes that load data, and in a training that
was killed and went on.
"""

import io
import json
import math
import pickle
import signal
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset, default_collate

from l2l.checkpoints import Checkpoints, captured_signal
from l2l.config import TrainingConfig
from l2l.errors import BadInput
from l2l.jobs.processes import device, process_group
from l2l.loading import iterate, loader, plan_epoch, split_batch
from l2l.stores import MADE_BY, atomic_path

LAYOUT = 1
Network = TypeVar("Network", bound=nn.Module)


def to_channels_last(network: Network, device: torch.device) -> Network:
    """The network on a device, its channels innermost.

    A quarter faster on CPUs and on GPUs with tensor cores.
    """
    in_time = any(isinstance(module, nn.Conv3d) for module in network.modules())
    layout = torch.channels_last_3d if in_time else torch.channels_last
    return network.to(device, memory_format=layout)  # type: ignore[call-overload]


def seed_and_pick_device(seed: int, threads: int = 1) -> torch.device:
    """Seed torch, set the number of threads it computes with, and name the device: a GPU where one
    is visible, else the CPU.

    A training computes with one: on a CPU, others would add up in another order and give other
        numbers.
    """
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    return device()


def learning_rate_scale(epoch: float, fitting: TrainingConfig) -> float:
    """The learning rate at a time in epochs, relative to `fitting.learning_rate`.

    Warm-up, then a fall at each milestone.
    """
    warm = min(1.0, epoch / fitting.warmup_epochs) if fitting.warmup_epochs else 1.0
    return warm * fitting.decay ** sum(epoch >= milestone for milestone in fitting.milestones)


class _Progress(NamedTuple):
    """How far a training is, beside what its network and its optimizer hold."""

    epoch: int
    steps: int  # of the epoch
    loss: float  # sum over these steps
    random: Tensor  # state of torch's generator as the epoch began


def _state(
    network: nn.Module, optimizer: torch.optim.Optimizer, progress: _Progress
) -> dict[str, Any]:
    """What a checkpoint holds."""
    return {
        "network": dict(network.state_dict()),
        "optimizer": optimizer.state_dict(),
        "progress": progress._asdict(),
    }


def _resume(
    state: dict[str, Any] | None, network: nn.Module, optimizer: torch.optim.Optimizer
) -> _Progress:
    """Put network and optimizer where a checkpoint has them.

    Without one the training is at its beginning.
    """
    if state is None:
        return _Progress(0, 0, 0.0, torch.get_rng_state())
    network.load_state_dict(state["network"])
    optimizer.load_state_dict(state["optimizer"])
    progress = _Progress(**state["progress"])
    print(
        f"going on from epoch {progress.epoch + 1}, step {progress.steps}",
        file=sys.stderr,
        flush=True,
    )
    return progress


def _add_gradients(
    loss: Callable[[Any], Tensor],
    loaded: Iterator[Any],
    shares: Sequence[float],
    precision: torch.autocast,
) -> float:
    """Compute the parts of a batch that are this process's, each of them a share of the batch.

    Their part of its mean loss.
    """
    total = 0.0
    for share in shares:
        with precision:
            value = loss(next(loaded)) * share
        value.backward()
        total += value.item()
    return total


def _not_finite(network: nn.Module) -> str | None:
    """The name of a weight or statistic with a number in it that is not finite.

    A GPU is waited for once, not for each.
    """
    state = {
        name: value for name, value in network.state_dict().items() if value.is_floating_point()
    }
    finite = torch.stack(
        [value.sum() for value in state.values()]
    ).isfinite()  # one pass over the numbers, and no copy
    return (
        None
        if finite.all()
        else next(name for name, good in zip(state, finite.tolist(), strict=True) if not good)
    )


def train(
    network: nn.Module,
    groups: Sequence[Mapping[str, Any]],
    dataset: Dataset,
    loss: Callable[[Any], Tensor],
    fitting: TrainingConfig,
    validate: Callable[[], Mapping[str, float]],
    collate: Callable[[list[Any]], Any] = default_collate,
    workers: int = 0,
    checkpoints: Checkpoints | None = None,
) -> None:
    """Fit a network in place, logging each epoch to stderr, from the last of its checkpoints on.

    Each batch is cut into `fitting.gradient_accumulation` parts for each process that torchrun has
    started; the gradients of the parts add up to that of the batch's mean loss, so the step is that
    of the whole batch, except that batch norm sees parts: it normalises each by its own statistics,
    and the running ones move once a part in one process, and to the processes' mean where there are
    several.

    SIGTERM ends the process as it does, after the step under way and a checkpoint.

    Raises:
        BadInput: if the loss, a weight or a statistic is no longer finite, before a checkpoint of
            it is written; or if a batch is too small to be shared.

    Args:
        network: put into training mode for each epoch and into evaluation mode for `validate`.
        groups: parameter groups, each with ``params`` and, where it differs, ``rate`` relative to
            `fitting.learning_rate`.
        dataset: what `collate` makes batches of; where chance is in it, a `Drawn`.
        loss: the mean loss of a batch, in float32.
        fitting: epochs, batches, rate and its schedule.
        validate: figures of the network as it is, computed on data that is not fitted on; only
            logged.
        collate: makes a batch of some entries.
        workers: processes that load data beside this one; they change no number.
        checkpoints: where the training goes on from, and leaves how far it is.
    """
    rates = [group.get("rate", 1.0) for group in groups]
    optimizer = torch.optim.SGD(
        [{"params": list(group["params"])} for group in groups],
        lr=fitting.learning_rate,
        momentum=fitting.momentum,
        nesterov=fitting.momentum > 0,
        weight_decay=fitting.weight_decay,
    )
    precision = torch.autocast(
        "cuda", torch.bfloat16, enabled=fitting.bfloat16 and torch.cuda.is_available()
    )
    with process_group() as team:
        count = fitting.gradient_accumulation * team.size  # of a batch's parts
        if fitting.batch_size < 2 * count:
            raise BadInput(
                f"batch_size {fitting.batch_size}: expected two entries (batch norm) for each of "
                f"{count} parts"
            )
        progress = _resume(
            team.broadcast(checkpoints.latest() if checkpoints and team.is_main else None),
            network,
            optimizer,
        )
        while progress.epoch < fitting.epochs:
            began = time.monotonic()
            progress = team.broadcast(progress)
            torch.set_rng_state(progress.random)
            batches, loader_seed = plan_epoch(dataset, fitting.batch_size)
            mine = [
                split_batch(batch, count)[team.rank * fitting.gradient_accumulation :][
                    : fitting.gradient_accumulation
                ]
                for batch in batches
            ]
            left = [part for each in mine[progress.steps :] for part in each]
            loaded = iterate(
                loader(dataset, workers, loader_seed, batch_sampler=left, collate_fn=collate)
            )
            planned = torch.get_rng_state()
            network.train()
            ending = 0.0
            with captured_signal(signal.SIGTERM) as told:
                for step in range(progress.steps, len(batches)):
                    warming = (
                        (step + 1) / len(batches) if fitting.warmup_epochs > progress.epoch else 0
                    )
                    factor = learning_rate_scale(progress.epoch + warming, fitting)
                    for group, rate in zip(optimizer.param_groups, rates, strict=True):
                        group["lr"] = fitting.learning_rate * rate * factor
                    optimizer.zero_grad()
                    torch.manual_seed(
                        loader_seed + step * team.size + team.rank
                    )  # for dropout, and for nothing else
                    total = _add_gradients(
                        loss,
                        loaded,
                        [len(part) / len(batches[step]) for part in mine[step]],
                        precision,
                    )
                    total, ending = team.all_reduce(network, (total, len(told)))
                    where = f"epoch {progress.epoch + 1}, step {step + 1}"
                    if not math.isfinite(total):
                        raise BadInput(
                            f"the loss is {total} in {where}: learning_rate "
                            f"{fitting.learning_rate} is too high"
                        )
                    optimizer.step()
                    if odd := _not_finite(
                        network
                    ):  # a gradient may be while the loss is still finite
                        cure = (
                            f"lower learning_rate {fitting.learning_rate}"
                            + " or train without bfloat16" * fitting.bfloat16
                        )
                        raise BadInput(f"{odd} is not finite after {where}: {cure}")
                    progress = progress._replace(steps=step + 1, loss=progress.loss + total)
                    if (
                        checkpoints
                        and team.is_main
                        and (ending or progress.steps == len(batches) or checkpoints.due())
                    ):
                        done = progress.epoch * len(batches) + progress.steps
                        checkpoints.save(done, _state(network, optimizer, progress))
                    if ending:
                        break
            if ending:
                team.broadcast(None)  # nobody goes before the checkpoint is written
            if ending or told:
                signal.raise_signal(signal.SIGTERM)
            torch.set_rng_state(planned)
            network.eval()
            if team.is_main:
                figures = {
                    "loss": progress.loss / len(batches),
                    **validate(),
                    "seconds": time.monotonic() - began,
                }
                said = (f"{name} {value:.4g}" for name, value in figures.items())
                print(
                    f"epoch {progress.epoch + 1}/{fitting.epochs}",
                    *said,
                    file=sys.stderr,
                    flush=True,
                )
            progress = _Progress(progress.epoch + 1, 0, 0.0, torch.get_rng_state())


def save_network(path: Path, kind: str, network: nn.Module, settings: Mapping[str, Any]) -> None:
    """Write a network's numbers and the plain `settings` that rebuild it, aside, then rename."""
    state = {
        name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()
    }
    saved = {
        "kind": kind,
        "layout": LAYOUT,
        "made_by": MADE_BY,
        "settings": json.dumps(settings),
        "state": state,
    }
    whole = io.BytesIO()  # torch's own writer does not say that a disk is full
    torch.save(saved, whole)
    with atomic_path(path) as part:
        part.write_bytes(whole.getbuffer())


def load_network(path: Path, kind: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read what `save_network` wrote: its settings and its numbers. Nothing is unpickled but
    tensors and plain containers.

    Raises:
        BadInput: if the file is missing, damaged, is no such file or holds another kind of network.
    """
    saved = open_network(path, kind)
    if saved["kind"] != kind:
        raise BadInput(
            f"{path}: found a {saved['kind']}; expected a {kind} that l2l wrote; run the stage "
            "that writes it"
        )
    return json.loads(saved["settings"]), saved["state"]


def open_network(path: Path, kind: str = "network") -> dict[str, Any]:
    """Read a network of whatever kind: `kind`, `made_by`, `settings` as JSON, and `state`, each
    tensor by its name.

    Raises:
        BadInput: if the file is missing, damaged or is no such file.
    """
    cure = f"expected a {kind} that l2l wrote; run the stage that writes it"
    try:
        with zipfile.ZipFile(path) as parts:  # torch's reader does not compare checksums
            if damaged := parts.testzip():
                raise BadInput(
                    f"{path}: damaged (the checksum of {damaged} does not agree); {cure}"
                )
        saved = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file; {cure}") from None
    except (
        zipfile.BadZipFile,
        RuntimeError,
        EOFError,
        pickle.UnpicklingError,
        OSError,
        ValueError,
    ) as error:
        complaint = str(error).partition("\n")[0] or "it is empty"
        raise BadInput(f"{path}: not readable ({complaint}); {cure}") from None
    found = (
        (saved.get("layout"), "state" in saved) if isinstance(saved, dict) else type(saved).__name__
    )
    if found != (LAYOUT, True):
        raise BadInput(f"{path}: found {found}; {cure}")
    return saved
