"""The skimmer and its layers in plain loops over NumPy arrays of one video."""

import math

import numpy as np
import torch
from skimmer_world import RULES
from torch import Tensor

from l2l.skimmer.network import HARD_RULES, Skimmer
from l2l.skimmer.padding import pad_videos


def linear(layer: torch.nn.Linear, x: np.ndarray) -> np.ndarray:
    weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    return np.array(
        [sum(weight[o, i] * x[i] for i in range(len(x))) + bias[o] for o in range(len(bias))]
    )


def norm(layer: torch.nn.BatchNorm1d, x: np.ndarray) -> np.ndarray:
    mean, variance = layer.running_mean.numpy(), layer.running_var.numpy()
    return (x - mean) / np.sqrt(
        variance + layer.eps
    ) * layer.weight.detach().numpy() + layer.bias.detach().numpy()


def relu(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x, 0)


def softmax(scores: dict[int, float]) -> dict[int, float]:
    top = max(scores.values())
    total = sum(math.exp(s - top) for s in scores.values())
    return {i: math.exp(s - top) / total for i, s in scores.items()}


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def lstm_by_hand(
    cell: torch.nn.LSTMCell, x: np.ndarray, h: np.ndarray, c: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    gates = cell.weight_ih.detach().numpy() @ x + cell.bias_ih.detach().numpy()
    gates = gates + cell.weight_hh.detach().numpy() @ h + cell.bias_hh.detach().numpy()
    i, f, g, o = np.split(gates, 4)  # torch's order
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def skim_by_hand(
    network: Skimmer, video: dict[str, np.ndarray], steps: int, how: str = "weighed"
) -> tuple[np.ndarray, list[list[int]], list]:
    """The paper's equations for one video, a loop at a time: logits, selected moments, weights of
    each look.

    `how` is `weighed` (eq. 9), `unaggregated` (G.3), `answers` (T queries, each answered by
    weighted means), or `selected` (D: the predictions for the moments with the largest weights are
    averaged; their logarithm in place of logits).
    """
    asking, classified_names, count = (
        network.modalities,
        list(network.widths),
        len(next(iter(video.values()))),
    )

    def psi(seen: dict[str, np.ndarray]) -> np.ndarray:
        joined = np.concatenate([seen[m] for m in classified_names])
        if isinstance(network.fusion, torch.nn.Identity):
            return joined
        return linear(network.fusion.fc2, relu(linear(network.fusion.fc1, joined)))

    def lstm_reads(seen: dict[str, np.ndarray]) -> np.ndarray:
        return np.concatenate([seen[m] for m in asking]) if network.indexing else psi(seen)

    keys = {
        m: [relu(norm(network.keys[m].norm, linear(network.keys[m].linear, x))) for x in video[m]]
        for m in asking
    }
    mean = {m: sum(x) / count for m, x in video.items()}
    h = c = np.zeros(network.rnn.hidden_size)
    used: dict[str, set[int]] = {m: set() for m in asking}
    reads, classified, selected, all_weights = lstm_reads(mean), [], [], []
    if how in ("weighed", "unaggregated"):
        classified.append(psi(mean))
    while len(classified) < steps:
        h, c = lstm_by_hand(network.rnn, reads, h, c)
        weights = {}
        for m in asking:
            first, batch_norm, _, second = network.queries[m]
            query = linear(second, relu(norm(batch_norm, linear(first, h))))
            if len(used[m]) == count:
                used[m] = set()
            scores = {
                k: float(query @ keys[m][k]) / math.sqrt(len(query))
                for k in range(count)
                if k not in used[m]
            }
            weights[m] = softmax(scores)
        trust = (
            [1.0]
            if len(asking) == 1
            else list(softmax(dict(enumerate(linear(network.modality_attention, h)))).values())
        )
        joint = [
            sum(trust[i] * weights[m].get(k, 0.0) for i, m in enumerate(asking))
            for k in range(count)
        ]
        weighed = {name: sum(joint[k] * x[k] for k in range(count)) for name, x in video.items()}
        chosen = {m: max(weights[m], key=lambda k, w=weights[m]: w[k]) for m in asking}
        best = max(range(count), key=lambda k, w=joint: w[k])
        looks = {
            "weighed": weighed,
            "answers": weighed,
            "unaggregated": {m: video[m][k] for m, k in chosen.items()},
            "selected": {m: x[best] for m, x in video.items()},
        }
        classified.append(psi(looks[how]))
        reads = lstm_reads(looks[how] if how == "unaggregated" else weighed)
        for m, k in chosen.items():
            used[m].add(k)
        selected.append(list(chosen.values()))
        all_weights.append([[weights[m].get(k, 0.0) for k in range(count)] for m in asking])
    if how == "selected":
        predictions = [softmax(dict(enumerate(linear(network.classifier, x)))) for x in classified]
        mean = [sum(p[c] for p in predictions) / steps for c in range(len(predictions[0]))]
        return np.log(mean), selected, all_weights
    return linear(network.classifier, sum(classified) / steps), selected, all_weights


def assert_by_hand(network: Skimmer, video: dict[str, Tensor], steps: int, how: str) -> None:
    bank = {m: x.double() for m, x in video.items()}
    rules = {**RULES, "unaggregated": HARD_RULES}[how]
    skimming = network.double()(*pad_videos([bank]), steps, rules)
    logits, selected, weights = skim_by_hand(
        network, {m: x.numpy() for m, x in bank.items()}, steps, how
    )
    np.testing.assert_allclose(skimming.logits[0].detach().numpy(), logits, rtol=0, atol=1e-10)
    assert skimming.selected[0].tolist() == selected
    np.testing.assert_allclose(
        skimming.weights[0].numpy(),
        np.array(weights).reshape(skimming.weights[0].shape),
        atol=1e-10,
    )
