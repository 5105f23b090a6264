"""The skimmer: laws, the formula in plain loops, known answers, and a whole small fit."""

import math
from pathlib import Path

import feature_world
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from l2l.errors import BadInput
from l2l.features.artifact import read_features
from l2l.manifest.artifact import read_videos
from l2l.skimmer.artifact import MODELS, TrainedSkimmer, build, load_skimmer, save_skimmer
from l2l.skimmer.baselines import LstmBaseline, skim_once
from l2l.skimmer.examples import (
    Example,
    Examples,
    FeatureCache,
    RandomMoments,
    RandomSparseReading,
    collate,
)
from l2l.skimmer.network import (
    HARD_RULES,
    PAPER_RULES,
    SELECTED_ANSWERS,
    WEIGHTED_ANSWERS,
    Skimmer,
    StepRules,
    attend_to,
    joint_weights,
    log_mean_probabilities,
    mean_over_present,
)
from l2l.skimmer.one_look import OneLook
from l2l.skimmer.padding import pad_videos
from l2l.skimmer.sparse import interpolate, moments_read, span_middles
from l2l.skimmer.stage import start_from_student, train_skimmer
from l2l.student.artifact import load_student

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
BASELINES = ("lstm", "non_recurrent", "one_look", "one_look in context")


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
    return NonRecurrent().eval()


def logits_of(network, features: dict[str, Tensor], present: Tensor, steps: int = 2) -> Tensor:
    if isinstance(network, Skimmer):
        return network(features, present, steps).logits
    output = network(features, present)
    return output.logits if isinstance(network, OneLook) else output


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


# ---- laws ----------------------------------------------------------------------------------------

# Scores are equal within 1e-5: in float32, a batch of another size is rounded in another way.
lengths = st.lists(st.integers(1, 14), min_size=1, max_size=5)


@pytest.mark.parametrize("modalities", MODALITIES)
@given(lengths=lengths, steps=st.integers(1, 10), seed=st.integers(0, 99))
@settings(max_examples=25)
def test_a_videos_scores_are_those_it_gets_alone(modalities, lengths, steps, seed):
    network = small_skimmer(modalities, seed)
    videos = [only(v, modalities) for v in made_up(lengths, seed)]
    together = scores_of(network, *pad_videos(videos), steps)
    for row, video in zip(together, videos, strict=True):
        torch.testing.assert_close(
            row, scores_of(network, *pad_videos([video]), steps)[0], rtol=0, atol=1e-5
        )


@pytest.mark.parametrize("kind", BASELINES)
@given(lengths=lengths, seed=st.integers(0, 99))
@settings(max_examples=20)
def test_a_videos_scores_by_a_baseline_are_those_it_gets_alone(kind, lengths, seed):
    network, videos = small_network(kind), made_up(lengths, seed)
    together = scores_of(network, *pad_videos(videos))
    for row, video in zip(together, videos, strict=True):
        torch.testing.assert_close(
            row, scores_of(network, *pad_videos([video]))[0], rtol=0, atol=1e-5
        )


@pytest.mark.parametrize("kind", ["skimmer", *BASELINES])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("padding", [0.0, 1e30, math.nan, math.inf])
def test_the_content_and_number_of_absent_moments_change_no_score(kind, training, padding):
    """In training too: batch statistics are of present moments."""
    network = (small_skimmer() if kind == "skimmer" else small_network(kind)).train(training)
    features, present = pad_videos(made_up([3, 7, 5]))
    wider = {m: torch.full((3, 12, x.shape[2]), padding) for m, x in features.items()}
    for m, x in features.items():
        wider[m][:, :7][present] = x[present]
    more = torch.cat([present, torch.zeros(3, 5, dtype=torch.bool)], 1)
    expected = scores_of(network, features, present, 4)
    torch.testing.assert_close(scores_of(network, wider, more, 4), expected, rtol=0, atol=1e-5)


def test_absent_moments_get_exactly_nothing_and_present_ones_everything():
    skimming = small_skimmer()(*pad_videos(made_up([2, 12, 5])), 8)
    for video, length in enumerate((2, 12, 5)):
        assert (skimming.weights[video, :, :, length:] == 0).all()
        assert (skimming.selected[video] < length).all()
    torch.testing.assert_close(skimming.weights.sum(3), torch.ones(3, 7, 2))
    torch.testing.assert_close(skimming.modality_weights.sum(2), torch.ones(3, 7))


@given(length=st.integers(1, 13), steps=st.integers(2, 10), seed=st.integers(0, 99))
@settings(max_examples=30)
def test_no_moment_is_selected_twice_by_a_modality_while_others_remain(length, steps, seed):
    skimming = small_skimmer(seed=seed)(*pad_videos(made_up([length, 13], seed)), steps)
    for modality in range(2):
        chosen = skimming.selected[0, :, modality].tolist()
        for begin in range(
            0, len(chosen), length
        ):  # after `length` looks all moments are used up and the mask starts again
            assert len(set(chosen[begin : begin + length])) == len(chosen[begin : begin + length])


def test_a_used_moment_has_no_weight_until_all_are_used():
    skimming = small_skimmer()(*pad_videos(made_up([4])), 10)
    weights, selected = skimming.weights[0], skimming.selected[0]
    for look in range(9):
        for modality in range(2):
            used = selected[look - look % 4 : look, modality]
            assert (weights[look, modality, used] == 0).all()
            assert (weights[look, modality] > 0).sum() == 4 - look % 4


def test_nothing_is_masked_before_the_first_look():
    assert (small_skimmer()(*pad_videos(made_up([6])), 2).weights > 0).all()


def test_stopping_early_gives_the_same_looks_as_going_on():
    network, batch = small_skimmer(), pad_videos(made_up([9, 12]))
    long = network(*batch, 10)
    for steps in range(1, 10):
        short = network(*batch, steps)
        assert torch.equal(short.selected, long.selected[:, : steps - 1])
        assert short.selected.shape == (2, steps - 1, 2)


def test_one_step_is_the_classifier_on_the_fused_mean_features():
    network = small_skimmer()
    features, present = pad_videos(made_up([3, 8]))
    mean = torch.cat([mean_over_present(features[m], present) for m in WIDTHS], 1)
    torch.testing.assert_close(
        network(features, present, 1).logits, network.classifier(network.fusion(mean))
    )


def test_the_order_of_moments_changes_nothing_but_the_numbers_of_the_selected():
    """Attention knows no time: a video played in another order gets the same scores, and selects
    the same moments.
    """
    network, (video,) = small_skimmer(), made_up([11])
    order = torch.randperm(11, generator=torch.Generator().manual_seed(1))
    first, other = (
        network(*pad_videos([video]), 6),
        network(*pad_videos([{m: x[order] for m, x in video.items()}]), 6),
    )
    torch.testing.assert_close(first.logits, other.logits, rtol=0, atol=1e-5)
    assert torch.equal(order[other.selected], first.selected)


def test_with_one_modality_there_are_no_modality_scores_to_learn():
    network = small_skimmer(("audio",))
    assert not [name for name, _ in network.named_parameters() if "modality" in name]
    assert (
        network(*pad_videos([only(v, ("audio",)) for v in made_up([5])]), 4).modality_weights == 1
    ).all()


# ---- variants ------------------------------------------------------------------------------------

RULES = {"weighed": PAPER_RULES, "answers": WEIGHTED_ANSWERS, "selected": SELECTED_ANSWERS}


@given(
    variant=st.sampled_from([*VARIANTS]),
    lengths=lengths,
    steps=st.integers(1, 8),
    seed=st.integers(0, 99),
    rules=st.sampled_from([*RULES.values()]),
)
@settings(max_examples=25)
def test_a_videos_scores_by_a_variant_are_those_it_gets_alone(variant, lengths, steps, seed, rules):
    network, videos = small_variant(variant, seed), made_up(lengths, seed, ALL_WIDTHS)
    with torch.no_grad():
        together = network(*pad_videos(videos), steps, rules).logits
        alone = torch.cat([network(*pad_videos([video]), steps, rules).logits for video in videos])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)


@pytest.mark.parametrize("variant", [name for name, (_, indexing) in VARIANTS.items() if indexing])
def test_where_to_look_is_chosen_by_the_indexing_features_alone(variant):
    network, (video, other) = small_variant(variant), made_up([12, 12], widths=ALL_WIDTHS)
    asking = VARIANTS[variant][1]
    deaf = {m: video[m] if m in asking else x for m, x in other.items()}
    first, second = network(*pad_videos([video]), 6), network(*pad_videos([deaf]), 6)
    assert torch.equal(first.weights, second.weights)
    assert (first.logits - second.logits).abs().max() > 1e-3  # the answer is of the others


@pytest.mark.parametrize("variant", ["image_then_fused", "fused_then_teacher", "both_then_teacher"])
def test_expensive_features_are_read_of_the_selected_moments_alone(variant):
    network, (video,) = small_variant(variant), made_up([12], widths=ALL_WIDTHS)
    (expensive,), _ = VARIANTS[variant]
    with torch.no_grad():
        whole = network(*pad_videos([video]), 5, SELECTED_ANSWERS)
        looked_at = joint_weights(whole.weights, whole.modality_weights).argmax(2)[0]
        assert looked_at.shape == (5,)
        assert len(set(looked_at.tolist())) < 12
        kept = torch.full_like(video[expensive], math.nan)
        kept[looked_at] = video[expensive][looked_at]
        only_those = network(*pad_videos([{**video, expensive: kept}]), 5, SELECTED_ANSWERS)
    assert torch.equal(only_those.logits, whole.logits)


def test_a_single_query_has_one_key_per_moment_and_no_modality_scores():
    network = small_variant("single_query")
    assert set(network.queries) == set(network.keys) == {"fused"}
    assert network.modality_attention is None
    assert network(*pad_videos(made_up([9], widths=ALL_WIDTHS)), 4).weights.shape == (1, 3, 1, 9)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_parameter_of_a_variant_gets_a_gradient(variant):
    network = small_variant(variant).train()
    batch = pad_videos(made_up([5, 9, 12], widths=ALL_WIDTHS))
    torch.nn.functional.cross_entropy(
        network(*batch, 4, WEIGHTED_ANSWERS).logits, torch.tensor([0, 1, 2])
    ).backward()
    dead = [
        name
        for name, p in network.named_parameters()
        if p.grad is None or not p.grad.abs().sum() > 0
    ]
    assert all(name.endswith((".0.bias", ".linear.bias")) for name in dead)


# ---- sparse indexing -----------------------------------------------------------------------------

counts, factors = st.integers(1, 60), st.integers(1, 20)


@given(count=counts)
def test_reading_every_moment_leaves_features_as_they_are(count):
    features = torch.randn(count, 3)
    assert torch.equal(interpolate(features, 1, count), features)


@given(count=counts, factor=factors)
def test_a_moment_that_was_read_keeps_its_feature_and_the_last_one_read_holds_to_the_end(
    count, factor
):
    features, reads = torch.randn(count, 3), moments_read(count, factor)
    filled = interpolate(features[reads], factor, count)
    assert filled.shape == features.shape
    assert torch.equal(filled[reads], features[reads])
    assert torch.equal(filled[reads[-1] :], features[reads[-1]].expand(count - reads[-1], 3))


@given(count=counts, factor=factors)
def test_features_that_grow_evenly_are_reproduced_between_moments_read(count, factor):
    reads = moments_read(count, factor)
    features = torch.arange(count, dtype=torch.double)[:, None] * torch.tensor([1.0, -0.5]) + 3
    filled = interpolate(features[reads], factor, count)
    torch.testing.assert_close(filled[: reads[-1] + 1], features[: reads[-1] + 1])


@given(count=counts, factor=factors)
def test_interpolation_never_leaves_the_range_of_what_was_read(count, factor):
    read = torch.randn(len(moments_read(count, factor)), 2)
    filled = interpolate(read, factor, count)
    assert (filled <= read.amax(0) + 1e-6).all()
    assert (filled >= read.amin(0) - 1e-6).all()


def test_interpolation_refuses_another_number_of_moments():
    with pytest.raises(ValueError, match="3 moments read of 10, expected every 5-th: 2"):
        interpolate(torch.zeros(3, 4), 5, 10)


# ---- parity with the definition ------------------------------------------------------------------


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


@pytest.mark.parametrize("how", ["weighed", "unaggregated"])
@pytest.mark.parametrize("modalities", MODALITIES)
@pytest.mark.parametrize(("count", "steps"), [(12, 10), (3, 10), (1, 4), (7, 1)])
def test_the_skimmer_is_the_formula_in_plain_loops(modalities, count, steps, how):
    (video,) = made_up([count], seed=steps)
    assert_by_hand(small_skimmer(modalities, seed=count), only(video, modalities), steps, how)


@pytest.mark.parametrize("how", RULES)
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_variant_is_the_formula_in_plain_loops(variant, how):
    for count, steps in ((11, 7), (3, 5), (6, 1)):
        (video,) = made_up([count], seed=steps, widths=ALL_WIDTHS)
        assert_by_hand(small_variant(variant, seed=count), video, steps, how)


@pytest.mark.parametrize("variant", ["single_query", "image"])
def test_a_variant_of_one_query_unaggregated_is_the_formula_in_plain_loops(variant):
    (video,) = made_up([9], widths=ALL_WIDTHS)
    assert_by_hand(small_variant(variant), video, 6, "unaggregated")


def test_visual_indexing_reads_the_image_by_weights_and_sound_where_its_weight_is_largest():
    """Supplement, G.1, for one video, a loop at a time."""
    torch.manual_seed(5)
    network = shaken(Skimmer(WIDTHS, **SMALL, queried=("image",))).double()
    assert set(network.queries) == set(network.keys) == {"image"}
    (video,) = made_up([9], seed=3)
    bank = {m: x.double().numpy() for m, x in video.items()}

    def psi(image: np.ndarray, audio: np.ndarray) -> np.ndarray:
        joined = np.concatenate([image, audio])
        return linear(network.fusion.fc2, relu(linear(network.fusion.fc1, joined)))

    first, batch_norm, _, second = network.queries["image"]
    key = network.keys["image"]
    keys = [relu(norm(key.norm, linear(key.linear, x))) for x in bank["image"]]
    z = psi(bank["image"].mean(0), bank["audio"].mean(0))
    h = c = np.zeros(9)
    fused, used = [z], []
    for _ in range(4):
        h, c = lstm_by_hand(network.rnn, z, h, c)
        query = linear(second, relu(norm(batch_norm, linear(first, h))))
        free = [k for k in range(9) if k not in used]
        weights = softmax({k: float(query @ keys[k]) / math.sqrt(7) for k in free})
        best = max(free, key=lambda k, w=weights: w[k])
        z = psi(sum(weights[k] * bank["image"][k] for k in free), bank["audio"][best])
        fused.append(z)
        used.append(best)
    expected = linear(network.classifier, sum(fused) / 5)
    batch = pad_videos([{m: torch.from_numpy(x) for m, x in bank.items()}])
    output = network(*batch, 5, StepRules(next_input=attend_to(("image",))))
    np.testing.assert_allclose(output.logits[0].detach().numpy(), expected, rtol=0, atol=1e-10)
    assert output.selected[0, :, 0].tolist() == used


def test_averaged_predictions_are_a_distribution_and_not_the_prediction_for_the_mean():
    logits = torch.tensor([[[3.0, 0.0], [0.0, 1.0]]])
    averaged = log_mean_probabilities(logits).softmax(1)
    torch.testing.assert_close(averaged, logits.softmax(2).mean(1))
    assert (averaged - logits.mean(1).softmax(1)).abs().max() > 0.05


def test_the_lstm_baseline_classifies_the_hidden_state_of_the_last_moment():
    network = small_network("lstm").double()
    (video,) = made_up([6])
    video = {m: x.double() for m, x in video.items()}
    cell = torch.nn.LSTMCell(8, 9).double()
    cell.load_state_dict(
        {name.removesuffix("_l0"): value for name, value in network.rnn.state_dict().items()}
    )
    h = c = np.zeros(9)
    for k in range(6):
        joined = np.concatenate([video[m][k].numpy() for m in WIDTHS])
        z = linear(network.fusion.fc2, relu(linear(network.fusion.fc1, joined)))
        h, c = lstm_by_hand(cell, z, h, c)
    expected = linear(network.classifier, h)
    np.testing.assert_allclose(
        scores_of(network, *pad_videos([video]))[0].numpy(), expected, atol=1e-10
    )


@pytest.mark.parametrize("count", [6, 3])
def test_non_recurrent_classifies_the_moments_with_the_largest_weights_of_one_query(count):
    network = small_network("non_recurrent").double()
    skimmer = network.skimmer
    (video,) = made_up([count], seed=count)
    bank = {m: x.double().numpy() for m, x in video.items()}

    def psi(seen: dict[str, np.ndarray]) -> np.ndarray:
        joined = np.concatenate([seen[m] for m in WIDTHS])
        return linear(skimmer.fusion.fc2, relu(linear(skimmer.fusion.fc1, joined)))

    zeros = np.zeros(9)
    h, _ = lstm_by_hand(skimmer.rnn, psi({m: x.mean(0) for m, x in bank.items()}), zeros, zeros)
    trust = softmax(dict(enumerate(linear(skimmer.modality_attention, h))))
    joint = np.zeros(count)
    for i, m in enumerate(WIDTHS):
        first, batch_norm, _, second = skimmer.queries[m]
        query = linear(second, relu(norm(batch_norm, linear(first, h))))
        keys = [
            relu(norm(skimmer.keys[m].norm, linear(skimmer.keys[m].linear, x))) for x in bank[m]
        ]
        weights = softmax({k: float(query @ key) / math.sqrt(7) for k, key in enumerate(keys)})
        joint += trust[i] * np.array([weights[k] for k in range(count)])
    largest = sorted(range(count), key=lambda k: -joint[k])[:4]
    read = [psi({m: x[k] for m, x in bank.items()}) for k in largest]
    expected = linear(skimmer.classifier, sum(read) / len(read))
    batch = pad_videos([{m: torch.from_numpy(x) for m, x in bank.items()}])
    np.testing.assert_allclose(scores_of(network, *batch)[0].numpy(), expected, atol=1e-10)
    attended = psi({m: joint @ x for m, x in bank.items()})
    skimmer.training = True  # batch norms as in evaluation
    trained_by = scores_of(network, *batch)[0].numpy()
    np.testing.assert_allclose(trained_by, linear(skimmer.classifier, attended), atol=1e-10)


@pytest.mark.parametrize("context", [False, True])
def test_one_look_is_the_weighted_mean_of_the_probabilities_of_moments(context):
    torch.manual_seed(2)
    network = shaken(OneLook(WIDTHS, 4, 11, 8, 10, context=context)).double()
    (video,) = made_up([6])
    bank = {m: x.double().numpy() for m, x in video.items()}
    fused = [
        linear(network.fusion.fc2, relu(linear(network.fusion.fc1, np.concatenate(pair))))
        for pair in zip(*(bank[m] for m in WIDTHS), strict=True)
    ]
    seen = [
        np.concatenate([*pair, z])
        for *pair, z in zip(*(bank[m] for m in WIDTHS), fused, strict=True)
    ]
    if context:
        seen = [np.concatenate([x, sum(seen) / 6]) for x in seen]
    first, batch_norm, _, second = network.scorer
    scores = [linear(second, relu(norm(batch_norm, linear(first, x))))[0] for x in seen]
    weights = softmax(dict(enumerate(scores)))
    probabilities = [softmax(dict(enumerate(linear(network.classifier, z)))) for z in fused]
    expected = [sum(weights[k] * probabilities[k][c] for k in range(6)) for c in range(4)]
    output = network(*pad_videos([{m: torch.from_numpy(x) for m, x in bank.items()}]))
    np.testing.assert_allclose(output.logits[0].exp().detach().numpy(), expected, atol=1e-10)
    np.testing.assert_allclose(output.weights[0].numpy(), [weights[k] for k in range(6)])


def test_one_look_has_the_sizes_that_are_documented():
    network = OneLook({"image": 128, "audio": 64}, 16, 192, 96, 128)
    assert sum(p.numel() for p in network.scorer.parameters()) == 37_377


@given(count=st.integers(1, 60), factor=st.integers(1, 20))
def test_one_moment_is_read_in_the_middle_of_each_span(count, factor):
    middles = span_middles(count, factor)
    assert len(middles) == len(moments_read(count, factor))
    spans = [range(count)[start : start + factor] for start in range(0, count, factor)]
    assert middles == [span[len(span) // 2] for span in spans]


@given(count=st.integers(1, 40), seed=st.integers(0, 999))
def test_in_training_one_look_reads_one_moment_anywhere_in_each_span(count, seed):
    example = Example({"image": torch.arange(count)[:, None].double()}, 3)
    read = RandomMoments([example], 4)
    drawn, label = read[0, seed]
    moments = drawn["image"][:, 0].tolist()
    factors = [
        f
        for f in range(1, 5)
        if len(moments) == len(moments_read(count, f))
        and all(k * f <= moment < (k + 1) * f for k, moment in enumerate(moments))
    ]
    assert factors
    assert label == 3
    assert torch.equal(read[0, seed].features["image"], drawn["image"])


def test_every_moment_and_factor_is_drawn_at_times():
    read = RandomMoments([Example({"image": torch.arange(12)[:, None]}, 0)], 4)
    torch.manual_seed(0)
    drawn = [read[0, seed].features["image"][:, 0].tolist() for seed in read.draw(200).tolist()]
    assert {len(moments) for moments in drawn} == {12, 6, 4, 3}
    assert {k for moments in drawn for k in moments if len(moments) == 3} == set(range(12))


# ---- known answers and gradients -----------------------------------------------------------------


def test_the_full_size_skimmer_has_the_references_parameters_less_two_things():
    """The public code has 11,872,146 with 200 classes.

    A step classifier that nothing trains, and weight norm's magnitudes.
    """
    network = Skimmer({"image": 512, "audio": 512}, 200)
    step_classifier, magnitudes = 200 * 1024 + 200, 2 * 4096
    assert (
        sum(p.numel() for p in network.parameters())
        == 11_872_146 - step_classifier - magnitudes
        == 11_658_954
    )


@pytest.mark.parametrize("modalities", MODALITIES)
def test_every_parameter_gets_a_gradient(modalities):
    """Modality attention too, which the public code leaves as it was drawn."""
    network = small_skimmer(modalities).train()
    batch = [only(v, modalities) for v in made_up([5, 9, 12])]
    torch.nn.functional.cross_entropy(
        network(*pad_videos(batch), 4).logits, torch.tensor([0, 1, 2])
    ).backward()
    dead = [
        name
        for name, p in network.named_parameters()
        if p.grad is None or not p.grad.abs().sum() > 0
    ]
    assert set(dead) <= {f"queries.{m}.0.bias" for m in modalities} | {
        f"keys.{m}.linear.bias" for m in modalities
    }
    # a bias before batch norm has no effect in training


@pytest.mark.parametrize("kind", BASELINES)
def test_every_parameter_of_a_baseline_gets_a_gradient(kind):
    network = small_network(kind).train()
    torch.nn.functional.cross_entropy(
        logits_of(network, *pad_videos(made_up([5, 9, 12]))), torch.tensor([0, 1, 2])
    ).backward()
    dead = [
        name
        for name, p in network.named_parameters()
        if p.grad is None or not p.grad.abs().sum() > 0
    ]
    # the state of a single step is zero before it, so weight_hh is not reached; a number that is
    # added to all scores changes no softmax
    allowed = (".0.bias", ".linear.bias", "skimmer.rnn.weight_hh", "scorer.3.bias")
    assert all(name.endswith(allowed) for name in dead)


# ---- on disk and as a stage ----------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
def test_what_is_written_is_what_is_read(tmp_path, model):
    widths = {"image": 5, "audio": 4}
    network = shaken(build(model, widths, 3, 11, 8, feature_world.SKIMMER))
    trained = TrainedSkimmer(network, model, ("a", "b", "c"), feature_world.SKIMMER.steps)
    save_skimmer(tmp_path / "skimmer.pt", trained, widths, feature_world.SKIMMER)
    back = load_skimmer(tmp_path / "skimmer.pt")
    assert (back.model, back.class_names, back.steps, back.network.training) == (
        model,
        ("a", "b", "c"),
        6,
        False,
    )
    features, present = (
        {m: torch.randn(2, 7, w) for m, w in widths.items()},
        torch.ones(2, 7, dtype=torch.bool),
    )
    assert torch.equal(back.scores(features, present), trained.scores(features, present))


def test_a_student_is_no_skimmer(tmp_path):
    world = feature_world.make_world(tmp_path, 4, 0, 0)
    with pytest.raises(BadInput, match="expected a skimmer that l2l wrote"):
        load_skimmer(world.student)


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> feature_world.World:
    return feature_world.make_world(tmp_path_factory.mktemp("world"))


def test_the_skimmer_starts_as_the_student_on_mean_features(world):
    """Psi and classifier are the student's, so one step gives the student's scores of the mean
    features.
    """
    student = load_student(world.student)
    network = build("skimmer", {"image": 16, "audio": 16}, 6, 32, 16, feature_world.SKIMMER)
    trained = TrainedSkimmer(network.eval(), "skimmer", feature_world.CLASSES, 1)
    groups = start_from_student(trained, student, feature_world.SKIMMER)
    read = {
        m: torch.from_numpy(x)[None]
        for m, x in read_features(world.features).load("test-000").features.items()
    }
    expected = student.classifier(student.fuse({m: x.mean(1) for m, x in read.items()}))
    torch.testing.assert_close(
        trained.scores(read, torch.ones(1, read["image"].shape[1], dtype=torch.bool)), expected
    )
    fitted_now = {id(p) for group in groups for p in group["params"]}
    left_out = [name for name, p in network.named_parameters() if id(p) not in fitted_now]
    assert all(name.startswith("fusion.") for name in left_out)
    assert left_out
    assert {group["rate"] for group in groups} == {1.0, 0.1}


@pytest.fixture(scope="module")
def trained(world, tmp_path_factory) -> TrainedSkimmer:
    path = tmp_path_factory.mktemp("trained") / "skimmer.pt"
    train_skimmer(
        world.student, world.videos, world.features, path, feature_world.SKIMMER, "skimmer", seed=0
    )
    return load_skimmer(path)


def test_a_trained_skimmer_sees_through_adverts_that_mislead_the_mean_of_all_moments(
    world, trained
):
    store = read_features(world.features)
    test = [video for video in read_videos(world.videos) if video.split == "test" and video.usable]
    features, present, labels = collate(
        list(Examples(FeatureCache(store, ("image", "audio"), 0, {}), test))
    )
    with torch.no_grad():
        ours = (trained.scores(features, present).argmax(1) == labels).double().mean()
    scores = [torch.from_numpy(store.load(video.video).scores) for video in test]
    means = [of_video.softmax(1).mean(0) for of_video in scores]
    dense = (torch.stack(means).argmax(1) == labels).double().mean()
    assert ours >= 0.9
    assert dense <= 0.75


def test_a_frozen_psi_stays_the_students_to_the_bit(world, trained):
    student = load_student(world.student)
    for name, value in student.fusion.state_dict().items():
        assert torch.equal(trained.network.fusion.state_dict()[name], value)
    assert not torch.equal(trained.network.classifier.weight, student.classifier.weight)


def test_fitting_twice_gives_the_same_file(world, tmp_path):
    two_epochs = feature_world.SKIMMER.training.model_copy(update={"epochs": 2, "milestones": ()})
    brief = feature_world.SKIMMER.model_copy(update={"training": two_epochs})
    for name in ("one.pt", "two.pt"):
        train_skimmer(
            world.student, world.videos, world.features, tmp_path / name, brief, "skimmer", seed=3
        )
    one, two = (
        torch.load(tmp_path / name, weights_only=True)["state"] for name in ("one.pt", "two.pt")
    )
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize("train", [0, 1])
def test_without_two_training_videos_there_is_nothing_to_fit(tmp_path, train):
    world = feature_world.make_world(tmp_path, train, 2, 2)
    with pytest.raises(BadInput, match=f"{train} usable training videos, expected at least 2"):
        train_skimmer(
            world.student,
            world.videos,
            world.features,
            tmp_path / "x.pt",
            feature_world.SKIMMER,
            "skimmer",
            seed=0,
        )
    assert not Path(tmp_path / "x.pt").exists()


def test_in_training_a_video_is_read_at_each_of_its_factors_and_as_sparse_indexing_reads_it():
    features = torch.randn(13, 4)
    whole = Example({"image": features}, 2)
    torch.manual_seed(0)
    read = RandomSparseReading([whole], (1, 5))
    drawn = read.draw(20).tolist()
    seen = {tuple(read[0, factor].features["image"].flatten().tolist()) for factor in drawn}
    sparse = interpolate(features[moments_read(13, 5)], 5, 13)
    assert seen == {tuple(features.flatten().tolist()), tuple(sparse.flatten().tolist())}
    assert read[0, 1].label == 2
    assert RandomSparseReading([whole], (1,))[0, 0].features["image"] is features
