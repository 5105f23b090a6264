"""The numbers of published networks.

Torchvision's, by the name of their weights or from a file with such a state dict; others from a
file that is known by its checksum.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from l2l.errors import BadInput
from l2l.torch_files import first_line, load_tensors


@dataclass(frozen=True)
class PublishedFile:
    """A file of published weights that is fetched by hand."""

    network: str
    origin: str  # where it comes from
    sha256: str


def read_published(path: Path, published: PublishedFile) -> dict[str, Tensor]:
    """The state dict in a file of published weights, under the names of its publisher.

    Raises:
        BadInput: if the file cannot be read, or is another one by its checksum.
    """
    cure = f"expected {published.network}'s weights, from {published.origin}"
    try:
        with open(path, "rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}; {cure}") from None
    if sha256 != published.sha256:
        raise BadInput(
            f"{path}: a file with sha256 {sha256[:16]}...; {cure}, with sha256 "
            f"{published.sha256[:16]}..."
        )
    return load_tensors(path)


def published_state(key: str, weights: str, named: type[Enum], network: str) -> dict[str, Tensor]:
    """A state dict under torchvision's own names. Nothing is unpickled but tensors and plain
    containers.

    Args:
        key: of the configuration, for errors.
        weights: one of `named`, downloaded once and checked by torchvision; or a file.
        named: the weights that torchvision publishes for the network, a `WeightsEnum`; it is not
            imported here, since every job with a network imports this module, and importing
            torchvision takes longer than importing torch.
        network: its name, for errors.

    Raises:
        BadInput: if it is neither, could not be downloaded, is no state dict or holds numbers
            that are not finite.
    """
    if weights in named.__members__:
        return _downloaded(key, named[weights])
    try:
        state = load_tensors(weights)
    except FileNotFoundError:
        published = ", ".join(weight.name for weight in named)
        addresses = ", ".join(weight.value.url for weight in named)
        raise BadInput(
            f"{key}: {weights!r} is neither a file nor one of {published}, the weights of "
            f"{network}; fetch {addresses} and give the file"
        ) from None
    except Exception as error:  # a damaged file may raise anything
        raise BadInput(
            f"{weights}: not a state dict of {network} with only tensors in it "
            f"({first_line(error)})"
        ) from None
    if not isinstance(state, dict) or not all(
        isinstance(k, str) and isinstance(v, Tensor) for k, v in state.items()
    ):
        raise BadInput(f"{weights}: not a state dict of {network}: expected tensors by name")
    check_numbers(weights, state)
    return state


def check_numbers(where: object, state: Mapping[str, Tensor]) -> None:
    """Refuse tensors whose numbers cannot be taken as they stand.

    Raises:
        BadInput: naming the first that is sparse, quantized, complex or without content, or has
            numbers that are not finite.
    """
    for name, value in state.items():
        if (
            value.layout != torch.strided
            or value.is_quantized
            or value.is_complex()
            or value.is_meta
            # an expanded tensor claims more numbers than the file has
            or value.numel() * value.element_size() > value.untyped_storage().nbytes()
        ):
            raise BadInput(
                f"{where}: {name} is not a plain tensor ({value.dtype}, {value.layout}, "
                f"{value.device}, shape {tuple(value.shape)})"
            )
        if value.is_floating_point() and not torch.isfinite(value.float()).all():
            raise BadInput(f"{where}: {name} holds numbers that are not finite")


def _downloaded(key: str, weights: Any) -> dict[str, Tensor]:
    try:
        return dict(weights.get_state_dict(check_hash=True, progress=False, weights_only=True))
    except Exception as error:  # nothing to download from; a damaged file
        if "." not in key:  # an option of the command line, without any configuration
            cure = f": --{key} {weights.url.rpartition('/')[2]}"
        else:
            cure = ", or, where there is a network, run l2l fetch_weights --configfile FILE"
        raise BadInput(
            f"{key}: {weights} could not be downloaded ({first_line(error)}); fetch {weights.url} "
            f"and give the file{cure}"
        ) from None


def fill(network: nn.Module, state: dict[str, Tensor], weights: str, name: str) -> None:
    """Give a network these numbers, all of them and no others.

    Raises:
        BadInput: if a name or a shape is another.
    """
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        difference = str(error).splitlines()[1].strip()
        raise BadInput(f"{weights}: not the numbers of {name} ({difference})") from None
