"""Skimmers, variants and baselines are their formulas in plain loops."""

import math

import numpy as np
import pytest
import torch
from by_hand import assert_by_hand, linear, lstm_by_hand, norm, relu, softmax
from skimmer_world import (
    ALL_WIDTHS,
    MODALITIES,
    RULES,
    SMALL,
    VARIANTS,
    WIDTHS,
    made_up,
    only,
    scores_of,
    shaken,
    small_network,
    small_skimmer,
    small_variant,
)

from l2l.skimmer.network import Skimmer, StepRules, attend_to, log_mean_probabilities
from l2l.skimmer.padding import pad_videos


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
