"""The published weights of EfficientAT mn04, and the names of its classes."""

import csv
from pathlib import Path

from torch import Tensor
from torchvision.models import MobileNetV3

from l2l.pretrained.efficientat.network import efficientat_mn04
from l2l.weights import PublishedFile, fill, read_published

WEIGHTS = PublishedFile(
    network="EfficientAT mn04",
    origin="https://github.com/fschmid56/EfficientAT/releases/download/v0.0.1/mn04_as_mAP_432.pt",
    sha256="899a8c6217063f6941793102a2780b3dd788ab11fce468d9cf5f0577c453321c",
)


def load_efficientat_mn04(path: Path) -> MobileNetV3:
    """The network with the published weights, in evaluation mode.

    Args:
        path: the file of `WEIGHTS`.

    Raises:
        BadInput: if the file is missing or is another one.
    """
    network = efficientat_mn04()
    state = torchvision_names(read_published(path, WEIGHTS))
    fill(network, state, str(path), WEIGHTS.network)
    return network.eval()


def torchvision_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The published weights by torchvision's names.

    The layers of its head are counted with pooling and flattening before them; its
    squeeze-and-excitation blocks have linear layers, which are convolutions of one pixel here.
    """
    renamed = {}
    for name, value in state.items():
        if ".conc_se_layers.0." in name and value.dim() == 2:
            value = value[:, :, None, None]
        name = name.replace("conc_se_layers.0.", "")
        name = name.replace("classifier.2.", "classifier.0.")
        renamed[name.replace("classifier.5.", "classifier.3.")] = value
    return renamed


def audioset_names() -> tuple[str, ...]:
    """The names of the 527 classes in the order of the logits: AudioSet's, CC BY 4.0."""
    table = Path(__file__).with_name("audioset_class_labels.csv")
    with open(table, encoding="utf-8", newline="") as file:
        return tuple(row["display_name"] for row in csv.DictReader(file))
