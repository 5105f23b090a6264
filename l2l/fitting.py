"""The training loop, one for every network, and how networks are kept on disk.

Everything random is drawn from torch's own generator, seeded once: the same inputs, config and seed give the same numbers on
one core and on many, since torch's threads are set and not guessed.
"""

import io
import json
import pickle
import sys
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, default_collate

from l2l.config import Fitting
from l2l.errors import BadInput
from l2l.stores import MADE_BY, aside

LAYOUT = 1
Network = TypeVar("Network", bound=nn.Module)


def laid_out(network: Network, device: torch.device) -> Network:
    """The network on a device, its channels innermost: a quarter faster on CPUs and on GPUs with tensor cores."""
    in_time = any(isinstance(module, nn.Conv3d) for module in network.modules())
    layout = torch.channels_last_3d if in_time else torch.channels_last
    return network.to(device, memory_format=layout)  # type: ignore[call-overload]


def prepare(seed: int, threads: int) -> torch.device:
    """Seed torch, set its number of threads, and name the device to compute on: the first visible GPU, else the CPU."""
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def rate_factor(epoch: float, fitting: Fitting) -> float:
    """The learning rate at a time in epochs, relative to `fitting.learning_rate`: warm-up, then a fall at each milestone."""
    warm = min(1.0, epoch / fitting.warmup_epochs) if fitting.warmup_epochs else 1.0
    return warm * fitting.decay ** sum(epoch >= milestone for milestone in fitting.milestones)


def flip_half(pictures: Tensor) -> Tensor:
    """Mirror each entry of a batch left to right (its last axis) with probability one half."""
    mirrored = torch.rand(len(pictures)) < 0.5
    shape = (-1,) + (1,) * (pictures.ndim - 1)
    return torch.where(mirrored.to(pictures.device).view(shape), pictures.flip(-1), pictures)


def _orders(count: int, batch_size: int) -> list[list[int]]:
    """One epoch's batches of a seeded shuffle; a last batch of one is joined to the one before (batch norm needs two)."""
    batches = [part.tolist() for part in torch.randperm(count).split(batch_size)]
    if len(batches) > 1 and len(batches[-1]) == 1:
        last = batches.pop()
        batches[-1] += last
    return batches


def fit(
    network: nn.Module,
    groups: Sequence[Mapping[str, Any]],
    dataset: Dataset,
    loss: Callable[[Any], Tensor],
    fitting: Fitting,
    validate: Callable[[], Mapping[str, float]],
    collate: Callable[[list[Any]], Any] = default_collate,
) -> None:
    """Fit a network in place, logging each epoch to stderr.

    Raises:
        BadInput: if the loss is no longer finite.

    Args:
        network: put into training mode for each epoch and into evaluation mode for `validate`.
        groups: parameter groups, each with ``params`` and, where it differs, ``rate`` relative to `fitting.learning_rate`.
        dataset: what `collate` makes batches of.
        loss: the mean loss of a batch.
        fitting: epochs, batches, rate and its schedule.
        validate: figures of the network as it is, computed on data that is not fitted on; only logged.
        collate: makes a batch of some entries.
    """
    rates = [group.get("rate", 1.0) for group in groups]
    optimizer = torch.optim.SGD(
        [{"params": list(group["params"])} for group in groups],
        lr=fitting.learning_rate,
        momentum=fitting.momentum,
        nesterov=fitting.momentum > 0,
        weight_decay=fitting.weight_decay,
    )
    for epoch in range(fitting.epochs):
        began, total = time.monotonic(), 0.0
        network.train()
        batches = _orders(len(dataset), fitting.batch_size)  # type: ignore[arg-type]
        for step, batch in enumerate(DataLoader(dataset, batch_sampler=batches, collate_fn=collate)):
            factor = rate_factor(epoch + (step + 1) / len(batches) if fitting.warmup_epochs > epoch else epoch, fitting)
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = fitting.learning_rate * rate * factor
            optimizer.zero_grad()
            value = loss(batch)
            if not torch.isfinite(value):
                where = f"epoch {epoch + 1}, step {step + 1}"
                raise BadInput(f"the loss is {value.item()} in {where}: learning_rate {fitting.learning_rate} is too high")
            value.backward()
            optimizer.step()
            total += value.item()
        network.eval()
        figures = {"loss": total / len(batches), **validate(), "seconds": time.monotonic() - began}
        print(f"epoch {epoch + 1}/{fitting.epochs}", *(f"{k} {v:.4g}" for k, v in figures.items()), file=sys.stderr, flush=True)
    network.eval()


def save_network(path: Path, kind: str, network: nn.Module, settings: Mapping[str, Any]) -> None:
    """Write a network's numbers and the plain `settings` that rebuild it, aside, then rename."""
    state = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    saved = {"kind": kind, "layout": LAYOUT, "made_by": MADE_BY, "settings": json.dumps(settings), "state": state}
    whole = io.BytesIO()  # torch's own writer does not say that a disk is full
    torch.save(saved, whole)
    with aside(path) as part:
        part.write_bytes(whole.getbuffer())


def load_network(path: Path, kind: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read what `save_network` wrote: its settings and its numbers. Nothing is unpickled but tensors and plain containers.

    Raises:
        BadInput: if the file is missing, damaged, is no such file or holds another kind of network.
    """
    saved = open_network(path, kind)
    if saved["kind"] != kind:
        raise BadInput(f"{path}: found a {saved['kind']}; expected a {kind} that l2l wrote; run the stage that writes it")
    return json.loads(saved["settings"]), saved["state"]


def open_network(path: Path, kind: str = "network") -> dict[str, Any]:
    """Read a network of whatever kind: `kind`, `made_by`, `settings` as JSON, and `state`, each tensor by its name.

    Raises:
        BadInput: if the file is missing, damaged or is no such file.
    """
    cure = f"expected a {kind} that l2l wrote; run the stage that writes it"
    try:
        with zipfile.ZipFile(path) as parts:  # torch's reader does not compare checksums
            if damaged := parts.testzip():
                raise BadInput(f"{path}: damaged (the checksum of {damaged} does not agree); {cure}")
        saved = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file; {cure}") from None
    except (zipfile.BadZipFile, RuntimeError, EOFError, pickle.UnpicklingError, OSError, ValueError) as error:
        complaint = str(error).partition("\n")[0] or "it is empty"
        raise BadInput(f"{path}: not readable ({complaint}); {cure}") from None
    found = (saved.get("layout"), "state" in saved) if isinstance(saved, dict) else type(saved).__name__
    if found != (LAYOUT, True):
        raise BadInput(f"{path}: found {found}; {cure}")
    return saved
