"""Early exit in a fixed order: the order, the gates and the loss in plain loops."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from skimmer_world import made_up, small_network

from l2l.skimmer.early_exit import EarlyExit
from l2l.skimmer.examples import Example, FixedOrder
from l2l.skimmer.padding import pad_videos
from l2l.skimmer.sparse import halves


@given(count=st.integers(1, 200), moments=st.integers(1, 40))
def test_the_order_has_different_moments_and_goes_on_as_it_began(count, moments):
    order = halves(count, moments)
    assert len(order) == len(set(order)) == min(count, moments)
    assert set(order) <= set(range(count))
    assert halves(count, moments + 1)[: len(order)] == order


def test_the_order_goes_from_the_middle_to_the_middles_of_halves_and_of_quarters():
    assert halves(64, 7) == [32, 16, 48, 8, 24, 40, 56]


def test_training_reads_the_same_moments_in_the_same_order():
    example = Example({"image": torch.arange(64)[:, None]}, 2)
    read = FixedOrder([example], 3)
    assert len(read) == 1
    assert read[0].features["image"][:, 0].tolist() == [32, 16, 48]
    assert read[0].label == 2


def gated(network: EarlyExit, *biases: float) -> EarlyExit:
    """Gates that say the same of every video: to stop where the bias is not negative."""
    with torch.no_grad():
        for gate, bias in zip(network.gates, biases, strict=True):
            gate[-1].weight.zero_()
            gate[-1].bias.fill_(bias)
    return network


@pytest.mark.parametrize(("biases", "read"), [((-1, -1, 1, 1), 3), ((1, -1, -1, -1), 1)])
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


def test_a_video_with_fewer_moments_ends_with_its_last_and_none_goes_beyond_the_most():
    network = gated(small_network("early_exit"), -1, -1, -1, -1)
    assert network(*pad_videos(made_up([2, 5, 9]))).read.tolist() == [2, 5, 5]


def test_what_is_counted_of_an_exit_is_what_is_computed_until_there():
    network = gated(small_network("early_exit"), -1, 1, 1, 1)
    features, present = pad_videos(made_up([2]))
    with torch.no_grad():
        counted = network.answer_after(features)
        torch.testing.assert_close(counted, network(features, present).logits)


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
            if t < 5:
                terms = []
                for i, loss in zip(videos, losses, strict=True):
                    before = pooled[i, t - 2] if t > 1 else torch.zeros(8)
                    stop = network.gates[t - 1](torch.cat([before, pooled[i, t - 1]])).sigmoid()
                    good = loss <= beta * math.exp(t / 2)
                    terms.append(-torch.log(stop if good else 1 - stop))
                gating.append(sum(terms) / len(terms))
    expected = sum(classifying) / 5 + sum(gating) / 4
    loss = network.loss(features, present, labels, beta)
    torch.testing.assert_close(loss, expected[0])
    loss.backward()
    assert all(p.grad is not None for p in network.classifiers.parameters())
    assert all(p.grad is not None for p in network.gates.parameters())
