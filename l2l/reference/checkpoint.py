"""Checkpoints of the public code: read without unpickling anything but tensors and plain
containers, and renamed.

The public code saves {epoch, model, optimizer, scheduler, namespace}; a state dict alone is read
too. Its network is ours by other names, except for three things. The LSTM's weights are kept as
directions and magnitudes (weight norm): they are multiplied. Keys are made by a convolution of
width one: a linear layer. A classifier of single steps is left out, for no score needs it.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from l2l.config import PAPER_TRAINING, FeatureName, SkimmerConfig
from l2l.errors import BadInput
from l2l.skimmer.network import Skimmer
from l2l.student.network import Head, Modality
from l2l.torch_files import RefusedError, first_line, load_tensors
from l2l.weights import check_numbers

# Weight norm's names since torch 2.0, and those of the public code's time: magnitude and direction.
_WEIGHT_NORM = {
    f"rnn.parametrizations.weight_{which}.original{number}": f"rnn.weight_{which}_{part}"
    for which in ("ih", "hh")
    for number, part in ((0, "g"), (1, "v"))
}
_LEFT_OUT = {"prediction_fc.weight", "prediction_fc.bias"}
_PSI = {
    "fusion.fc1": "net_imageAudio.imageAudio_fc1",
    "fusion.fc2": "net_imageAudio.imageAudio_fc2",
}
_CLASSIFIER = {"classifier": "net_classifier.classifier"}


class Checkpoint(NamedTuple):
    """The contents of a checkpoint."""

    state: dict[str, Tensor]  # by the public code's names, weight norm's by the old ones
    steps: int | None  # T of its training, if it is stated


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint or a state dict.

    Raises:
        BadInput: if the file is missing, is none, or holds anything but tensors, plain containers
            and argparse's namespace.
    """
    try:
        # a namespace holds attributes and does nothing
        saved = load_tensors(path, {("argparse", "Namespace"): argparse.Namespace})
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file; expected a checkpoint of the public code") from None
    except RefusedError as error:
        raise BadInput(
            f"{path}: refused: it holds more than tensors and plain containers "
            f"({first_line(error)})"
        ) from None
    except Exception as error:  # a damaged file may raise anything
        raise BadInput(
            f"{path}: not readable ({first_line(error)}); expected a checkpoint of the public code"
        ) from None
    state = saved.get("model", saved) if isinstance(saved, dict) else saved
    if not isinstance(state, dict) or not all(
        isinstance(k, str) and isinstance(v, Tensor) for k, v in state.items()
    ):
        raise BadInput(
            f"{path}: no state dict, nor one under 'model'; expected a checkpoint of the public "
            "code"
        )
    steps = getattr(saved.get("namespace"), "episode_length", None)
    renamed: dict[str, Tensor] = {}
    check_numbers(path, state)
    for name, value in state.items():
        bare = name.removeprefix("module.")
        renamed[_WEIGHT_NORM.get(bare, bare)] = (
            value.float() if value.is_floating_point() else value
        )
    return Checkpoint(renamed, steps if type(steps) is int and steps > 0 else None)


def skimmer_of(
    path: Path, state: Mapping[str, Tensor], modality: Modality
) -> tuple[Skimmer, dict[FeatureName, int], SkimmerConfig]:
    """The skimmer that a checkpoint's numbers are of, in evaluation mode; its widths; its sizes and
    the public code's recipe.

    Args:
        path: for errors.
        state: of two modalities, or of the single-modality variant.
        modality: that a single-modality checkpoint reads.

    Raises:
        BadInput: if a name or a shape is not the public code's.
    """
    has_both = "modality_attention.weight" in state
    names: tuple[Modality, ...] = ("image", "audio") if has_both else (modality,)
    lstm_width = _size(path, state, "rnn.weight_hh_v", 1)
    features = _size(path, state, "rnn.weight_ih_v", 1)
    prefix: dict[Modality, str] = (
        {m: f"{m}_" for m in names} if has_both else dict.fromkeys(names, "")
    )
    published_names = {**(_PSI if has_both else {}), **_CLASSIFIER}
    for m in names:
        published_names |= {
            f"queries.{m}.{layer}": f"{prefix[m]}queryfeature_mlp.{layer}" for layer in (0, 1, 3)
        }
        published_names |= {
            f"keys.{m}.linear": f"{prefix[m]}key_conv1x1.0",
            f"keys.{m}.norm": f"{prefix[m]}key_conv1x1.1",
        }
    published_names |= {"modality_attention": "modality_attention"} if has_both else {}
    widths: dict[FeatureName, int] = {
        m: _size(path, state, f"{prefix[m]}key_conv1x1.0.weight", 1) for m in names
    }
    query = f"{prefix[names[0]]}queryfeature_mlp"
    config = SkimmerConfig(
        lstm_width=lstm_width,
        key_width=_size(path, state, f"{query}.3.weight", 0),
        query_width=_size(path, state, f"{query}.0.weight", 0),
        training=PAPER_TRAINING,
    )
    psi = _size(path, state, "net_imageAudio.imageAudio_fc1.weight", 0) if has_both else 0
    if not has_both and widths[modality] != features:
        raise BadInput(
            f"{path}: rnn.weight_ih_v reads {features} channels, key_conv1x1.0.weight "
            f"{widths[modality]}"
        )
    classes = _size(path, state, "net_classifier.classifier.weight", 0)
    network = Skimmer(
        widths, classes, psi, features, lstm_width, config.key_width, config.query_width
    )
    unused = dict(state)
    weights = {f"rnn.weight_{which}": _weight_of(path, unused, which) for which in ("ih", "hh")}
    weights |= {
        f"rnn.bias_{which}": unused.pop(f"rnn.bias_{which}", torch.empty(0))
        for which in ("ih", "hh")
    }
    _load(
        path,
        network,
        {k: v for k, v in unused.items() if k not in _LEFT_OUT},
        published_names,
        weights,
    )
    return network.eval(), widths, config


def head_of(path: Path, state: Mapping[str, Tensor]) -> Head:
    """Psi and classifier of the published image-audio network; what else the file holds is not
    read.

    Raises:
        BadInput: if they are not there, or not of the public code's shapes.
    """
    published_names = _PSI | _CLASSIFIER
    weights = {}
    for layer in published_names.values():
        for part in ("weight", "bias"):
            name = f"{layer}.{part}"
            short = f"{layer.rpartition('.')[2]}.{part}"  # the public code loads by ends of names
            weights[name] = state.get(name, state.get(short, torch.empty(0)))
    sizes = [
        _size(path, weights, f"{_PSI[layer]}.weight", 0) for layer in ("fusion.fc1", "fusion.fc2")
    ]
    joined = _size(path, weights, f"{_PSI['fusion.fc1']}.weight", 1)
    classes = _size(path, weights, "net_classifier.classifier.weight", 0)
    head = Head({"image": joined // 2, "audio": joined // 2}, classes, *sizes)
    _load(path, head, weights, published_names, {})
    return head.eval()


def _size(path: Path, state: Mapping[str, Tensor], name: str, axis: int) -> int:
    if name not in state or state[name].ndim < 2 or not state[name].numel():
        raise BadInput(
            f"{path}: no {name} of two axes with numbers in it; expected a checkpoint of the "
            "public code"
        )
    return state[name].shape[axis]


def _weight_of(path: Path, unused: dict[str, Tensor], which: str) -> Tensor:
    """The weight that a magnitude g and a direction v, one per row, stand for.

    Both are taken out of `unused`.
    """
    direction, magnitude = (
        unused.pop(f"rnn.weight_{which}_v"),
        unused.pop(f"rnn.weight_{which}_g", torch.empty(0)),
    )
    if magnitude.shape != (len(direction), 1):
        raise BadInput(
            f"{path}: rnn.weight_{which}_g is {tuple(magnitude.shape)}, expected "
            f"{(len(direction), 1)}: a row's magnitude"
        )
    lengths = direction.norm(dim=1, keepdim=True)
    if not lengths.all():
        raise BadInput(f"{path}: a row of rnn.weight_{which}_v is zero, which is no direction")
    return direction * (magnitude / lengths)


def _load(
    path: Path,
    network: nn.Module,
    weights: Mapping[str, Tensor],
    published_names: Mapping[str, str],
    renamed: Mapping[str, Tensor],
) -> None:
    """Load a network's parameters: those of `renamed` by our names, the others from `weights` by
    the public code's names.

    Args:
        path: for errors.
        network: loaded.
        weights: every one of them has to be a parameter of the network.
        published_names: of the network's layers.
        renamed: parameters that are there already.

    Raises:
        BadInput: if a parameter is missing, is one too many or has another shape.
    """
    unused, state = dict(weights), dict(renamed)
    for name, parameter in network.state_dict().items():
        layer, _, part = name.rpartition(".")
        published = f"{published_names[layer]}.{part}" if layer in published_names else name
        if name not in state:
            # older checkpoints do not have this count
            default: Any = torch.zeros(()) if part == "num_batches_tracked" else None
            value = unused.pop(published, default)
            if value is None:
                raise BadInput(f"{path}: no {published}; expected a checkpoint of the public code")
            is_convolution = value.ndim == 4 and value.shape[2:] == (1, 1)
            state[name] = value[..., 0, 0] if is_convolution else value
        if state[name].shape != parameter.shape:
            raise BadInput(
                f"{path}: {published} is {tuple(state[name].shape)}, expected "
                f"{tuple(parameter.shape)}"
            )
    if unused:
        raise BadInput(f"{path}: {min(unused)} is not of the public code's network")
    network.load_state_dict(state)
