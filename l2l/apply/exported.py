"""A finished run as one file: the networks that answer, and what made them, in safetensors.

A tensor's name is that of its network (student, skimmer, one_look), a dot, and its name in there.
The metadata have one key, `l2l`, with JSON: more keys are written in no fixed order.

    kind, layout, made_by   what the file is, and what wrote it
    run                     the name of the run
    settings                of each network: sizes, class names, pictures, sound and spectrogram
    config                  the configuration that made the run
    scores                  the rows of its Table 1; none of a run that was not evaluated
    licences                notes on the terms of the weights
    sha256                  of all this and of every tensor

Nothing heavy is imported before the tensors are read.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from l2l.errors import BadInput
from l2l.stores import MADE_BY, atomic_path

if TYPE_CHECKING:
    from torch import Tensor

    Networks = dict[str, tuple[dict[str, Any], dict[str, Tensor]]]
    """Settings and numbers by the network's name."""

KIND, LAYOUT = "run", 1
KEY = "l2l"  # of the metadata
EXPECTED = "expected a file that `l2l export` wrote"
NETWORKS = ("student", "skimmer", "one_look")
TEXTS = ("made_by", "run", "sha256")


def write_exported(path: Path, content: Mapping[str, Any], networks: "Networks") -> None:
    """Write a run's file under a temporary name, then rename it.

    Args:
        path: written.
        content: `run`, `config`, `scores` and `licences`.
        networks: settings and numbers by the network's name.
    """
    from safetensors.torch import save

    tensors = {
        f"{network}.{name}": value
        for network, (_, state) in networks.items()
        for name, value in state.items()
    }
    header = {
        "kind": KIND,
        "layout": LAYOUT,
        "made_by": MADE_BY,
        "settings": {network: settings for network, (settings, _) in networks.items()},
        **content,
    }
    header["sha256"] = _digest(header, tensors)
    # keys keep their order: that of a skimmer's widths is the order of its inputs
    saved = save(tensors, {KEY: json.dumps(header)})
    with atomic_path(path) as part:
        part.write_bytes(saved)


def read_header(path: Path) -> dict[str, Any]:
    """All that a run's file says; its numbers are neither read nor checked.

    Raises:
        BadInput: if the file is missing or cut short, is something else or has another layout.
    """
    with _opened(path, "np") as file:
        return _header(path, file)


def read_exported(path: Path) -> "Networks":
    """Settings and numbers by the network's name: what `write_exported` was given.

    Raises:
        BadInput: as `read_header`; or if the file is damaged, or holds numbers that are not finite.
    """
    from l2l.weights import check_numbers

    with _opened(path, "pt") as file:
        header = _header(path, file)
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    if _digest(header, tensors) != header["sha256"]:
        raise BadInput(f"{path}: damaged (its checksum does not agree); {EXPECTED}")
    check_numbers(path, tensors)
    return {
        network: (
            settings,
            {n.partition(".")[2]: x for n, x in tensors.items() if _of(n) == network},
        )
        for network, settings in header["settings"].items()
    }


@contextlib.contextmanager
def _opened(path: Path, framework: str) -> Iterator[Any]:
    if not path.is_file():
        status = "is no plain file" if os.path.lexists(path) else "no such file"
        raise BadInput(f"{path}: {status}; {EXPECTED}")
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework) as file:
            yield file
    except (SafetensorError, OSError) as error:
        reason = " ".join(str(error).split())
        raise BadInput(f"{path}: cannot be read ({reason}); {EXPECTED}") from None


def _header(path: Path, file: Any) -> dict[str, Any]:
    """The metadata of an opened file.

    Raises:
        BadInput: if they are not those of a run, or name other networks than the tensors.
    """
    text = (file.metadata() or {}).get(KEY)
    if text is None:
        raise BadInput(f"{path}: found safetensors that l2l did not write; {EXPECTED}")
    try:
        header = json.loads(text)
        if (header["kind"], header["layout"]) != (KIND, LAYOUT):
            raise BadInput(
                f"{path}: found layout {header['layout']!r} of {header['kind']!r}, expected "
                f"layout {LAYOUT} of {KIND!r}; export the run again"
            )
        settings = header["settings"]
        if not {"student", "skimmer"} <= settings.keys() <= set(NETWORKS):
            raise ValueError(f"it has the networks {', '.join(settings)}")
        if not all(isinstance(each, dict) for each in settings.values()):
            raise TypeError("the settings of a network are no table")
        if odd := set(map(_of, file.keys())) - settings.keys():
            raise ValueError(f"it has tensors of {min(odd)}, without settings")
        if not all(isinstance(header[name], str) for name in TEXTS):
            raise TypeError(f"one of {', '.join(TEXTS)} is no text")
        if not all(isinstance(row, dict) for row in header["scores"]):
            raise TypeError("a row of the scores is no table")
        if not all(isinstance(note, str) for note in header["licences"]):
            raise TypeError("a note on licences is no text")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        reason = " ".join(f"{type(error).__name__} {error}".split())[:300]
        raise BadInput(f"{path}: damaged ({reason}); {EXPECTED}") from None
    return header


def _of(name: str) -> str:
    """The network that a tensor is of."""
    return name.partition(".")[0]


def _digest(header: Mapping[str, Any], tensors: Mapping[str, "Tensor"]) -> str:
    """A checksum of the header without itself, and of the names and bytes of all tensors."""
    import torch

    signed = {name: value for name, value in header.items() if name != "sha256"}
    digest = hashlib.sha256(json.dumps(signed).encode())
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
