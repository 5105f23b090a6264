"""What the public code's training does that the paper does not state: how the network starts, and
what a step sees of a batch. The switches are those of `skimmer.public_code`, all off by default.
"""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

from l2l.config import FeatureName, PublicCodeConfig
from l2l.skimmer.examples import Example, collate
from l2l.skimmer.network import Keys, Skimmer, mask_selected

LSTM_WEIGHTS = ("weight_hh", "weight_ih")


def prepare(network: Skimmer, config: PublicCodeConfig) -> None:
    """Give a new network the public code's initial weights and its way to learn them.

    Call it before the student's Psi and classifier are copied into the network.
    """
    if config.initial_deviation:
        draw_initial_weights(network, config.initial_deviation)
    if config.weight_norm:
        for name in LSTM_WEIGHTS:
            parametrizations.weight_norm(network.rnn, name)
    for keys in _keys(network):
        keys.normalises_padding = config.normalises_padding


def restore(network: Skimmer) -> None:
    """Turn a trained network into one as any other: each direction and magnitude of the LSTM are
    multiplied.
    """
    for name in LSTM_WEIGHTS:
        if parametrize.is_parametrized(network.rnn, name):
            parametrize.remove_parametrizations(network.rnn, name)
    for keys in _keys(network):
        keys.normalises_padding = False


def _keys(network: Skimmer) -> list[Keys]:
    return [part for part in network.keys.modules() if isinstance(part, Keys)]


def draw_initial_weights(network: Skimmer, deviation: float) -> None:
    """Draw weights from a normal distribution of this standard deviation: with mean 0 those of all
    linear layers but the modality weights', with mean 1 the scales of the keys' batch norm. The
    biases of the LSTM and of that norm are zero; all else stays as it is.
    """
    linear = [
        layer
        for part in (network.fusion, network.classifier, network.queries, network.keys)
        for layer in part.modules()
        if isinstance(layer, nn.Linear)
    ]
    for layer in linear:
        nn.init.normal_(layer.weight, 0.0, deviation)
    for keys in _keys(network):
        nn.init.normal_(keys.norm.weight, 1.0, deviation)
        nn.init.zeros_(keys.norm.bias)
    nn.init.zeros_(network.rnn.bias_ih)
    nn.init.zeros_(network.rnn.bias_hh)


def without_a_random_moment(
    present: Bool[Tensor, "videos moments"],
) -> Bool[Tensor, "videos moments"]:
    """The moments that may be selected at first: of each video one present moment, drawn by torch's
    generator on the CPU, counts as used, unless it is the only one.
    """
    drawn = (torch.rand(present.shape).to(present.device) + present).argmax(1)
    return mask_selected(present, drawn, present)


def collate_crops(
    shortest: int, longest: int, batch: Sequence[tuple[Example, int]]
) -> tuple[dict[FeatureName, Tensor], Tensor, Tensor]:
    """A padded batch, as `collate` makes it, in which no video is longer than a length that is
    drawn for the batch; of longer ones so many successive moments are taken, from anywhere.

    Args:
        shortest: the least length, in moments.
        longest: the greatest length.
        batch: examples and their seeds; all is drawn by the first seed.
    """
    generator = torch.Generator().manual_seed(batch[0][1])
    length = _drawn(shortest, longest, generator)
    return collate([_cropped(example, length, generator) for example, _ in batch])


def _drawn(first: int, last: int, generator: torch.Generator) -> int:
    """A number from `first` to `last`, both included."""
    return int(torch.randint(first, last + 1, (1,), generator=generator))


def _cropped(example: Example, length: int, generator: torch.Generator) -> Example:
    features: Mapping[FeatureName, Float[Tensor, "_moments _channel"]] = example.features
    spare = len(next(iter(features.values()))) - length
    if spare <= 0:
        return example
    start = _drawn(0, spare, generator)
    return Example({m: x[start : start + length] for m, x in features.items()}, example.label)
