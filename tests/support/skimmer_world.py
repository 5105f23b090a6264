"""Small skimmers, baselines and one look, and videos of random features for them."""

import torch
from torch import Tensor

from l2l.skimmer.baselines import LstmBaseline, skim_once
from l2l.skimmer.early_exit import EarlyExit
from l2l.skimmer.network import PAPER_RULES, SELECTED_ANSWERS, WEIGHTED_ANSWERS, Skimmer
from l2l.skimmer.one_look import OneLook
from l2l.skimmer.ranked import RankedSampler

WIDTHS = {"image": 6, "audio": 5}
ALL_WIDTHS = {**WIDTHS, "fused": 8, "teacher": 4}
SMALL = {
    "classes": 4,
    "fusion_hidden": 11,
    "descriptor_width": 8,
    "lstm_width": 9,
    "key_width": 7,
    "query_width": 10,
}
MODALITIES = (("image", "audio"), ("image",), ("audio",))
RULES = {"weighed": PAPER_RULES, "answers": WEIGHTED_ANSWERS, "selected": SELECTED_ANSWERS}
BASELINES = ("lstm", "non_recurrent", "one_look", "one_look in context")
CHOOSERS = ("ranked", "early_exit")  # what is chosen has no gradient from the answer


def shaken(network: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """The network in evaluation mode, with batch norms as after some training and weights that make
    attention choosy.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm1d):
                for value, low, high in (
                    (module.running_mean, -0.5, 0.5),
                    (module.running_var, 0.5, 2.0),
                ):
                    value.uniform_(low, high, generator=generator)
                module.weight.uniform_(0.5, 2.0, generator=generator)
                module.bias.uniform_(-0.5, 0.5, generator=generator)
            elif isinstance(module, torch.nn.Linear):
                module.weight.mul_(2)
    return network.eval()


def small_skimmer(modalities=("image", "audio"), seed: int = 0) -> Skimmer:
    torch.manual_seed(seed)
    return shaken(Skimmer({m: WIDTHS[m] for m in modalities}, **SMALL), seed)


# what is classified, through Psi where it is both modalities; by what it is found, where by others
VARIANTS = {
    "image_then_both": (("image", "audio"), ("image",)),
    "single_query": (("fused",), ()),
    "image": (("image",), ()),
    "image_then_fused": (("fused",), ("image",)),
    "fused_then_teacher": (("teacher",), ("fused",)),
    "both_then_teacher": (("teacher",), ("image", "audio")),
}


def small_variant(name: str, seed: int = 0) -> Skimmer:
    """A skimmer that reads as one of the variants does; one feature is read as it is."""
    recognition, indexing = ({m: ALL_WIDTHS[m] for m in names} for names in VARIANTS[name])
    psi = (
        {}
        if len(recognition) > 1
        else {"fusion_hidden": 0, "descriptor_width": sum(recognition.values())}
    )
    torch.manual_seed(seed)
    return shaken(Skimmer(recognition, **{**SMALL, **psi}, indexing=indexing), seed)


class NonRecurrent(torch.nn.Module):
    """The baseline that looks once and classifies four moments."""

    def __init__(self) -> None:
        super().__init__()
        self.skimmer = small_skimmer()

    def forward(self, features: dict[str, Tensor], present: Tensor) -> Tensor:
        return skim_once(self.skimmer, features, present, 4).logits


def small_network(kind: str):
    torch.manual_seed(0)
    if kind == "lstm":
        return shaken(LstmBaseline(WIDTHS, 4, 11, 8, 9))
    if kind.startswith("one_look"):
        return shaken(OneLook(WIDTHS, 4, 11, 8, 10, context=kind == "one_look in context"))
    if kind == "ranked":
        network = RankedSampler(WIDTHS, 4, 11, 8, 10)
        network.picks = 3
        return shaken(network)
    if kind == "early_exit":
        return shaken(EarlyExit(WIDTHS, 4, 11, 8, 5))
    return NonRecurrent().eval()


def logits_of(network, features: dict[str, Tensor], present: Tensor, steps: int = 2) -> Tensor:
    if isinstance(network, Skimmer):
        return network(features, present, steps).logits
    output = network(features, present)
    return output.logits if isinstance(network, OneLook | EarlyExit) else output


def scores_of(network, features: dict[str, Tensor], present: Tensor, steps: int = 2) -> Tensor:
    with torch.no_grad():
        return logits_of(network, features, present, steps)


def made_up(lengths, seed: int = 0, widths=WIDTHS) -> list[dict[str, Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    return [
        {m: torch.randn(n, width, generator=generator) for m, width in widths.items()}
        for n in lengths
    ]


def only(video: dict[str, Tensor], modalities) -> dict[str, Tensor]:
    return {m: video[m] for m in modalities}
