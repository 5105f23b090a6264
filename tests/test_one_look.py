"""One look: its formula in plain loops, its sizes, and the moments it reads."""

import numpy as np
import pytest
import torch
from by_hand import linear, norm, relu, softmax
from hypothesis import given
from hypothesis import strategies as st
from skimmer_world import WIDTHS, made_up, shaken

from l2l.skimmer.artifact import TrainedSkimmer
from l2l.skimmer.examples import Example, RandomMoments, RandomMomentsWithAll, collate_with_all
from l2l.skimmer.one_look import OneLook
from l2l.skimmer.padding import pad_videos
from l2l.skimmer.sparse import moments_read, span_middles
from l2l.skimmer.stage import consistency_loss


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


def test_consistency_is_the_cross_entropy_to_the_answer_on_all_moments():
    torch.manual_seed(3)
    trained = TrainedSkimmer(shaken(OneLook(WIDTHS, 4, 11, 8, 10)), "one_look", tuple("abcd"), 1)
    videos = [Example(video, label) for video, label in zip(made_up([9, 6]), (2, 0), strict=True)]
    reading = RandomMomentsWithAll(RandomMoments(videos, 4))
    read, everything = collate_with_all([reading[0, 5], reading[1, 7]])
    assert everything[1].sum(1).tolist() == [9, 6]
    assert all(few < all_ for few, all_ in zip(read[1].sum(1), everything[1].sum(1), strict=True))
    loss = consistency_loss(trained, read, everything, torch.device("cpu"), 0.25)
    answers, dense = (
        [softmax(dict(enumerate(logits))) for logits in trained.network(*batch[:2]).logits.tolist()]
        for batch in (read, everything)
    )
    expected = sum(
        -0.75 * np.log(answer[label]) - 0.25 * sum(all_[c] * np.log(answer[c]) for c in range(4))
        for answer, all_, label in zip(answers, dense, (2, 0), strict=True)
    )
    assert float(loss.detach()) == pytest.approx(expected / 2, rel=1e-5)
