"""Early exit in a fixed order: the order as FrameExit published it, the gates and the loss in plain
loops.
"""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from skimmer_world import made_up, small_network

from l2l.skimmer.early_exit import EarlyExit
from l2l.skimmer.examples import Example, FixedOrder
from l2l.skimmer.padding import pad_videos
from l2l.skimmer.sparse import coarse_to_fine

PUBLISHED = [5, 0, 9, 2, 7, 4, 6, 3, 8, 1]  # config/activitynet_inference_2d.yml of FrameExit


def levels_of_the_paper(count: int) -> list[list[int]]:
    """Algorithm 1 of FrameExit, in its own words; it counts from one, this from zero. Each level
    without the moments of those before.
    """
    levels = [[(count + 1) // 2, 1, count]]
    q = 2
    while sum(map(len, levels)) < count:
        interval = [math.floor(1 + i * (count - 1) / q) for i in range(q + 1)]
        known = {moment for level in levels for moment in level}
        middles = [(start + end) // 2 for start, end in pairwise(interval)]
        levels.append([moment for moment in middles if moment not in known])
        q *= 2
    return [[moment - 1 for moment in level] for level in levels]


def test_the_order_of_ten_moments_is_the_published_one():
    assert coarse_to_fine(10, 10) == PUBLISHED


@pytest.mark.parametrize("count", [3, 5, 9, 17, 33])
def test_the_levels_are_those_of_the_algorithm_where_every_middle_is_a_moment(count):
    levels = levels_of_the_paper(count)
    order = coarse_to_fine(count, count)
    assert order[:3] == levels[0]
    for level in levels:
        assert sorted(order[: len(level)]) == sorted(level)
        order = order[len(level) :]
    assert not order


def test_ten_moments_are_taken_at_equal_distances_from_the_first_to_the_last():
    """As the public code takes ten pictures of a video, then puts them in order."""
    spread = np.clip(np.linspace(0, 62, 10), 0, 61).astype(int)
    assert coarse_to_fine(62, 10) == spread[PUBLISHED].tolist()


@given(count=st.integers(1, 200), moments=st.integers(2, 40))
def test_the_order_has_different_moments_and_all_of_a_short_video(count, moments):
    order = coarse_to_fine(count, moments)
    assert len(order) == len(set(order)) == min(count, moments)
    assert set(order) <= set(range(count))


def test_training_reads_the_same_moments_in_the_same_order():
    example = Example({"image": torch.arange(64)[:, None]}, 2)
    read = FixedOrder([example], 5)
    assert len(read) == 1
    assert read[0].features["image"][:, 0].tolist() == coarse_to_fine(64, 5) == [32, 0, 63, 16, 48]
    assert read[0].label == 2


def gated(network: EarlyExit, *biases: float, first_probability: float = 1.0) -> EarlyExit:
    """Gates that say the same of every video: to stop where the bias is not negative."""
    network.first_probability = first_probability
    with torch.no_grad():
        for gate, bias in zip(network.gates, biases, strict=True):
            gate.stop.weight.zero_()
            gate.stop.bias.fill_(bias)
    return network


@pytest.mark.parametrize(("biases", "read"), [((-1, 1, 1), 3), ((1, -1, -1), 2)])
def test_a_video_is_classified_after_the_first_gate_that_says_stop(biases, read):
    network = gated(small_network("early_exit"), *biases)
    (video,) = videos = made_up([5])
    output = network(*pad_videos(videos))
    assert output.read.tolist() == [read]
    first = {m: x[:read] for m, x in video.items()}
    with torch.no_grad():
        fused = network.fusion(torch.cat(list(first.values()), 1))
        expected = network.classifiers[read - 1](fused.max(0).values)
    torch.testing.assert_close(output.logits[0], expected)
    later = {m: x.clone() for m, x in video.items()}
    for x in later.values():
        x[read:] = math.nan
    torch.testing.assert_close(network(*pad_videos([later])).logits[0], expected)


def test_after_the_first_moment_the_probability_decides():
    network = small_network("early_exit")
    features, present = pad_videos(made_up([5]))
    with torch.no_grad():
        best = network.classifiers[0](network.pooled(features, present)[:, 0]).softmax(1).max()
    for first_probability, read in ((float(best) - 1e-4, 1), (float(best) + 1e-4, 2)):
        gated(network, 1, 1, 1, first_probability=first_probability)
        assert network(features, present).read.tolist() == [read]


def test_a_gate_sees_the_maximum_before_and_after_through_the_same_layers():
    network = small_network("early_exit")
    features, present = pad_videos(made_up([5]))
    with torch.no_grad():
        pooled = network.pooled(features, present)[0]
        for read in (2, 3, 4):
            gate = network.gates[read - 2]
            one, _, two, _ = gate.shared
            hidden = [torch.relu(two(torch.relu(one(pooled[k])))) for k in (read - 1, read - 2)]
            expected = gate.stop(torch.cat(hidden))
            torch.testing.assert_close(network.gate_logits(pooled[None], read), expected)


def test_a_video_with_fewer_moments_ends_with_its_last_and_none_goes_beyond_the_most():
    network = gated(small_network("early_exit"), -1, -1, -1)
    assert network(*pad_videos(made_up([2, 5, 9]))).read.tolist() == [2, 5, 5]


def test_what_is_counted_of_an_exit_is_what_is_computed_until_there():
    network = gated(small_network("early_exit"), -1, 1, 1)
    for read in (1, 2, 3):
        features, present = pad_videos(made_up([read]))
        with torch.no_grad():
            counted = network.answer_after(features)
            torch.testing.assert_close(counted, network(features, present).logits)


def test_a_network_for_two_moments_has_no_gate_and_learns():
    network = EarlyExit({"image": 3}, 4, 11, 8, moments=2)
    features, present = {"image": torch.rand(2, 2, 3)}, torch.ones(2, 2, dtype=torch.bool)
    assert len(network.gates) == 0
    assert network.loss(features, present, torch.tensor([0, 1]), 0.1).isfinite()
    assert network(features, present).read.tolist() == [2, 2]


def test_the_loss_is_that_of_every_classifier_and_of_every_gate():
    network, beta = small_network("early_exit"), 0.3
    features, present = pad_videos(made_up([5, 3]))
    labels = torch.tensor([0, 2])
    classifying, gating = [], []
    with torch.no_grad():
        pooled = network.pooled(features, present)
        for t in range(1, 6):
            videos = [i for i in range(2) if present[i, t - 1]]
            losses = [
                F.cross_entropy(network.classifiers[t - 1](pooled[i, t - 1]), labels[i])
                for i in videos
            ]
            classifying.append(sum(losses) / len(losses))
            if 1 < t < 5:
                terms = []
                for i, loss in zip(videos, losses, strict=True):
                    stop = network.gate_logits(pooled[i : i + 1], t).sigmoid()
                    good = loss <= beta * math.exp(t / 2)
                    terms.append(-torch.log(stop if good else 1 - stop))
                gating.append(sum(terms) / len(terms))
    expected = sum(classifying) / 5 + sum(gating) / 3
    loss = network.loss(features, present, labels, beta)
    torch.testing.assert_close(loss, expected[0])
    loss.backward()
    assert all(p.grad is not None for p in network.classifiers.parameters())
    assert all(p.grad is not None for p in network.gates.parameters())
