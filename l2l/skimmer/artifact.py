"""A fitted skimmer on disk: one file, which one it is, its sizes, its classes, its steps."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from torch import Tensor

from l2l.config import Skimmer as SkimmerConfig
from l2l.fitting import load_network, save_network
from l2l.skimmer.baselines import LstmBaseline, NonRecurrent
from l2l.skimmer.network import Skimmer
from l2l.student.network import Fusion, Modality

KIND = "skimmer"
Model = Literal["skimmer", "lstm", "non_recurrent"]
MODELS: tuple[Model, ...] = get_args(Model)
Network = Skimmer | LstmBaseline | NonRecurrent


@dataclass(frozen=True)
class FittedSkimmer:
    """A network that reads the features of all moments of a video, and what it was fitted for."""

    network: Network
    model: Model
    class_names: tuple[str, ...]
    steps: int  # T; the baselines have no steps and do not read it

    def scores(self, features: dict[Modality, Tensor], present: Tensor) -> Tensor:
        """Class scores (logits) of a batch: (videos, classes)."""
        if isinstance(self.network, Skimmer):
            return self.network(features, present, self.steps).logits
        return self.network(features, present)


def build(
    model: Model, widths: dict[Modality, int], classes: int, fusion_hidden: int, descriptor_width: int, config: SkimmerConfig
) -> Network:
    """A network of this name at the config's sizes, newly initialised."""
    if model == "skimmer":
        return Skimmer(widths, classes, fusion_hidden, descriptor_width, config.hidden, config.key, config.query_hidden)
    if model == "lstm":
        return LstmBaseline(widths, classes, fusion_hidden, descriptor_width, config.hidden)
    return NonRecurrent(widths, classes, fusion_hidden, descriptor_width, config.key, config.query_hidden)


def save_skimmer(path: Path, fitted: FittedSkimmer, widths: dict[Modality, int], config: SkimmerConfig) -> None:
    """Write a fitted skimmer, aside, then rename."""
    fusion = fitted.network.fusion
    psi = (fusion.fc1.out_features, fusion.fc2.out_features) if isinstance(fusion, Fusion) else (0, sum(widths.values()))
    settings = {
        "model": fitted.model,
        "classes": fitted.class_names,
        "widths": widths,  # modality: channels, in the order of the fusion
        "fusion_hidden": psi[0],  # 0: no Psi
        "descriptor_width": psi[1],
        "config": config.model_dump(mode="json"),
    }
    save_network(path, KIND, fitted.network, settings)


def load_skimmer(path: Path) -> FittedSkimmer:
    """Read what `save_skimmer` wrote; the network is in evaluation mode on the CPU.

    Raises:
        BadInput: if the file is missing, damaged or holds something else.
    """
    settings, state = load_network(path, KIND)
    config = SkimmerConfig.model_validate(settings["config"])
    names = tuple(settings["classes"])
    network = build(
        settings["model"], settings["widths"], len(names), settings["fusion_hidden"], settings["descriptor_width"], config
    )
    network.load_state_dict(state)
    return FittedSkimmer(network.eval(), settings["model"], names, config.steps)
