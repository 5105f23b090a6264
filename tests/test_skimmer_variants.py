"""Variants of the skimmer, and sparse reading."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimmer_world import ALL_WIDTHS, RULES, VARIANTS, made_up, small_variant

from l2l.skimmer.network import SELECTED_ANSWERS, WEIGHTED_ANSWERS, joint_weights
from l2l.skimmer.padding import pad_videos
from l2l.skimmer.sparse import interpolate, moments_read

lengths = st.lists(st.integers(1, 14), min_size=1, max_size=5)


# ---- variants ------------------------------------------------------------------------------------


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
