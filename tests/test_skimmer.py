"""The skimmer: laws, known answers and gradients."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimmer_world import (
    BASELINES,
    CHOOSERS,
    MODALITIES,
    WIDTHS,
    logits_of,
    made_up,
    only,
    scores_of,
    small_network,
    small_skimmer,
)

from l2l.skimmer.network import Skimmer, mean_over_present
from l2l.skimmer.padding import pad_videos

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


@pytest.mark.parametrize("kind", [*BASELINES, *CHOOSERS])
@given(lengths=lengths, seed=st.integers(0, 99))
@settings(max_examples=20)
def test_a_videos_scores_by_a_baseline_are_those_it_gets_alone(kind, lengths, seed):
    network, videos = small_network(kind), made_up(lengths, seed)
    together = scores_of(network, *pad_videos(videos))
    for row, video in zip(together, videos, strict=True):
        torch.testing.assert_close(
            row, scores_of(network, *pad_videos([video]))[0], rtol=0, atol=1e-5
        )


@pytest.mark.parametrize("kind", ["skimmer", *BASELINES, *CHOOSERS])
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
