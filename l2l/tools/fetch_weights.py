"""Download the published weights that a configuration names, before jobs need them."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.request import getproxies

import torch
from torchvision.models import ResNet18_Weights, get_model_weights

from l2l.config import Config, read_config
from l2l.errors import BadInput
from l2l.pretrained.efficientat.weights import WEIGHTS
from l2l.terminal import escape
from l2l.tools.download import InterruptedDownloadError, download


class Wanted(NamedTuple):
    """A file of weights that a key of the configuration names."""

    key: str
    name: str  # of the weights
    url: str
    sha256: str  # its first characters, or all
    path: Path  # where jobs look for it


def fetch_weights(configfile: list[Path]) -> None:
    """Download the published weights that a configuration names.

    They are written to where jobs look for them. For a login node, where jobs run without a
    network. Torchvision's weights are kept below TORCH_HOME, by default ~/.cache/torch; a file that
    a key names is written where it says. A file that is there already is compared with its checksum
    and kept. An interrupted download goes on where it stopped when this is run again. https_proxy
    and no_proxy are obeyed.

    Args:
        configfile: of the run; of several files later ones win key by key.

    Raises:
        BadInput: if the configuration is not valid, or a file could not be downloaded or is
            another one by its checksum.

    Example:
        l2l fetch_weights --configfile workflow/configs/paper.yaml workflow/configs/activitynet.yaml
    """
    wanted = list(wanted_weights(read_config(*configfile)))
    for each in wanted:
        if _is_whole(each):
            print(escape(f"{each.key}: {each.name}: {each.path} is there"))
            continue
        _download(each)
        print(escape(f"{each.key}: {each.name}: {each.path}"), flush=True)
    if not wanted:
        print("this configuration names no weights that are downloaded")


def wanted_weights(config: Config) -> Iterator[Wanted]:
    """The files of weights that a configuration names and that are published, each once."""
    seen: set[Path] = set()
    for each in _named_weights(config):
        if each.path not in seen:
            seen.add(each.path)
            yield each


def _named_weights(config: Config) -> Iterator[Wanted]:
    if config.teacher.network != "frames":
        named = get_model_weights(config.teacher.network).__members__
        if config.teacher.weights in named:
            yield _of_torchvision("teacher.weights", named[config.teacher.weights])
    images = {
        "student.image_weights": config.student.image_weights,
        "student.undistilled_image_weights": config.student.weights_of_undistilled,
    }
    for key, name in images.items():
        if name in ResNet18_Weights.__members__:
            yield _of_torchvision(key, ResNet18_Weights[name])
    sounds = {
        "teacher.audio_weights": config.teacher.audio_weights,
        "student.audio_weights": config.student.audio_weights,
    }
    for key, path in sounds.items():
        if path is not None and str(path) != "none":
            yield Wanted(key, WEIGHTS.network, WEIGHTS.origin, WEIGHTS.sha256, Path(path))


def _of_torchvision(key: str, weights: ResNet18_Weights) -> Wanted:
    """A file whose name ends in the first characters of its checksum."""
    file = weights.url.rpartition("/")[2]
    checksum = re.search(r"-([0-9a-f]{8,})\.", file)
    assert checksum is not None
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    return Wanted(key, str(weights), weights.url, checksum[1], folder / file)


def _is_whole(wanted: Wanted) -> bool:
    """Whether the file is there.

    Raises:
        BadInput: if it is another one, which may be the user's own.
    """
    try:
        with open(wanted.path, "rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return False
    if not sha256.startswith(wanted.sha256):
        raise BadInput(
            f"{wanted.path}: a file with sha256 {sha256[:16]}...; expected {wanted.name} with "
            f"sha256 {wanted.sha256[:16]}...; move it away and run this again"
        )
    return True


def _download(wanted: Wanted) -> None:
    try:
        download(wanted.url, wanted.path, wanted.sha256)
    except InterruptedDownloadError as error:
        variable = f"{wanted.url.partition(':')[0]}_proxy"
        is_set = "is set" if getproxies().get(variable.removesuffix("_proxy")) else "is not set"
        raise BadInput(
            f"{wanted.key}: {wanted.name} could not be downloaded ({error}): {variable}, for a "
            f"network behind a proxy, {is_set}; run this again, which goes on where it stopped, or "
            f"fetch {wanted.url} to {wanted.path}"
        ) from None
