"""The methods of Table 1: what each picks, predicts and costs; and adding one."""

import math
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction

import feature_world
import numpy as np
import pytest
import torch
from evaluation_world import EVALUATION, evaluate, train_variant, untrained_networks
from hypothesis import given
from hypothesis import strategies as st

from l2l.config import VARIANTS, OneLookConfig, StopConfig
from l2l.errors import BadInput
from l2l.evaluation.artifact import read_evaluation_table
from l2l.evaluation.cost import CostModel
from l2l.evaluation.measures.selection import key_frame_rate, scene_hit_rate
from l2l.evaluation.videos import methods as methods_file
from l2l.evaluation.videos.methods import (
    METHODS,
    Method,
    average_of,
    center,
    chosen_methods,
    classified_by,
    computed_methods,
    end,
    front,
    trained_networks,
    uniform,
)
from l2l.evaluation.videos.predictions import (
    MethodPrediction,
    VideoInput,
    most_confident,
    next_moments,
    random_draws,
)
from l2l.features.artifact import VideoFeatures
from l2l.moments import moments_inside, start_seconds
from l2l.skimmer.artifact import TrainedSkimmer, build, load_skimmer
from l2l.skimmer.sparse import span_middles
from l2l.student.artifact import load_student

PAPER = (
    *("random", "uniform", "front", "center", "end", "scsampler", "dense"),
    *("lstm", "non_recurrent", "ours_sparse", "ours_dense"),
)
ROWS = tuple(method.name for method in chosen_methods(None))
PICKS = (uniform, front, center, end)


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> feature_world.World:
    return feature_world.make_world(tmp_path_factory.mktemp("world"), train=2, val=0, test=6)


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict:
    return untrained_networks(tmp_path_factory.mktemp("networks"))


@pytest.fixture(scope="module")
def networks(files) -> dict[str, TrainedSkimmer]:
    return {model: load_skimmer(path) for model, path in files.items()}


@pytest.fixture(scope="module")
def costs(world) -> CostModel:
    return CostModel(load_student(world.student))


def video_features(count: int, seed: int = 0) -> VideoFeatures:
    random = np.random.default_rng(seed)
    features = {m: random.normal(size=(count, 16)).astype(np.float32) for m in ("image", "audio")}
    scores = random.normal(size=(count, 6)).astype(np.float32)
    return VideoFeatures(features, np.zeros((count, 16), np.float32), scores, np.ones(count, bool))


def predict(read: VideoFeatures, networks, costs) -> dict[str, MethodPrediction]:
    given_video = VideoInput("v", read, networks, costs, EVALUATION, 0, label=2)
    return {method.name: method.predict(given_video) for method in METHODS}


# ---- the list ------------------------------------------------------------------------------------


def test_the_list_has_the_papers_methods_in_its_order_with_the_papers_labels():
    of_paper = [method for method in METHODS if method.name in PAPER]
    assert tuple(method.name for method in of_paper) == PAPER
    assert [method.label for method in of_paper[5:]] == [
        *("SCSampler", "Dense", "LSTM", "Non-Recurrent", "Ours (sparse)", "Ours (dense)")
    ]
    assert trained_networks(PAPER) == ("skimmer", "lstm", "non_recurrent")


def test_the_chosen_methods_keep_the_order_of_the_configuration():
    assert [method.name for method in chosen_methods(["dense", "front"])] == ["dense", "front"]
    assert chosen_methods(None) == tuple(method for method in METHODS if method.paper)
    assert trained_networks(["one_look_sparse"]) == ("skimmer", "one_look")


def test_the_skimmer_and_the_compared_methods_are_computed_for_any_choice():
    computed = [method.name for method in computed_methods(["front"])]
    assert computed == ["front", "ours_dense", "uniform"]
    assert trained_networks(["front"]) == ("skimmer",)
    assert trained_networks(["lstm"]) == ("skimmer", "lstm")


@pytest.mark.parametrize(
    ("names", "facts"),
    [
        (["dence"], ["evaluation.methods", "'dence'", "dense"]),
        (["dense", "dense"], ["evaluation.methods", "'dense' twice"]),
    ],
)
def test_an_unknown_or_repeated_method_is_named(names, facts):
    with pytest.raises(BadInput) as error:
        chosen_methods(names)
    assert all(fact in str(error.value) for fact in facts)


def test_importing_the_list_and_the_tables_imports_nothing_heavy():
    code = (
        "import sys, l2l.evaluation.videos.methods, l2l.evaluation.artifact; "
        "print({'torch', 'numpy', 'zarr', 'jaxtyping'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={}
    )
    assert done.stdout.strip() == "set()"


# ---- picked moments ------------------------------------------------------------------------------


@given(count=st.integers(1, 300), moments=st.integers(1, 20), pick=st.sampled_from(PICKS))
def test_a_pick_has_distinct_moments_of_the_video_in_order_as_many_as_there_are(
    count, moments, pick
):
    picked = pick(count, moments)
    assert picked == sorted(set(picked))
    assert set(picked) <= set(range(count))
    assert len(picked) == min(count, moments)


def test_picks_of_a_video_of_forty_moments():
    assert uniform(40, 4) == [5, 15, 25, 35]
    assert front(40, 4) == [0, 1, 2, 3]
    assert center(40, 4) == [18, 19, 20, 21]
    assert end(40, 4) == [36, 37, 38, 39]


@given(count=st.integers(1, 60), seed=st.integers(0, 9))
def test_random_draws_have_distinct_moments_and_are_reproducible(count, seed):
    draws = random_draws(count, 10, 5, "a video", seed)
    assert all(len(set(d)) == min(count, 10) and set(d) <= set(range(count)) for d in draws)
    assert draws == random_draws(count, 10, 5, "a video", seed)


def test_random_draws_differ_by_draw_video_and_seed_and_reach_every_moment():
    draws = random_draws(50, 10, 100, "a video", 0)
    assert set().union(*draws) == set(range(50))
    assert draws[0] != draws[1]
    assert draws != random_draws(50, 10, 100, "another", 0)
    assert draws != random_draws(50, 10, 100, "a video", 1)


def test_scsampler_picks_the_moments_with_the_largest_probability_of_any_class():
    probabilities = np.array([[0.5, 0.5], [0.1, 0.9], [0.8, 0.2], [0.45, 0.55]])
    assert most_confident(probabilities, 2) == [1, 2]


# ---- predictions and their cost ------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 4, 10, 37])
def test_every_method_predicts_for_a_video_of_any_length(networks, costs, count):
    predicted = predict(video_features(count), networks, costs)
    for method, prediction in predicted.items():
        assert prediction.probabilities.shape == (3 if method == "random" else 1, 6)
        np.testing.assert_allclose(prediction.probabilities.sum(1), 1)
    features_macs = costs.moment_macs(("image", "audio"))
    scored = features_macs + costs.scores_macs
    picked, sparse = min(count, 10), math.ceil(count / 5)
    macs = {
        model: costs.network_macs(network, count)
        for model, network in networks.items()
        if model != "early_exit"  # which reads at most ten
    }
    expected = {
        **dict.fromkeys(
            ("random", "uniform", "front", "center", "end"), (picked * scored, 0, picked)
        ),
        "scsampler": (count * scored, count * scored, count),
        "dense": (count * scored, 0, count),
        "lstm": (count * features_macs + macs["lstm"], 0, count),
        "non_recurrent": (
            count * features_macs + macs["non_recurrent"],
            count * features_macs,
            count,
        ),
        "ours_sparse": (
            sparse * features_macs + macs["skimmer"],
            sparse * features_macs,
            sparse,
        ),
        "ours_dense": (count * features_macs + macs["skimmer"], count * features_macs, count),
        "one_look_sparse": (
            sparse * features_macs + costs.network_macs(networks["one_look"], sparse),
            sparse * features_macs,
            sparse,
        ),
        "one_look_dense": (
            count * features_macs + macs["one_look"],
            count * features_macs,
            count,
        ),
        "ranked_sparse": (
            sparse * features_macs + costs.network_macs(networks["ranked"], sparse),
            sparse * features_macs,
            sparse,
        ),
        "ranked_dense": (
            count * features_macs + macs["ranked"],
            count * features_macs,
            count,
        ),
        "oracle": (count * scored, count * scored, count),
    }
    for name, network in (("one_look_stop", "one_look"), ("early_exit", "early_exit")):
        read = predicted[name].cost.moments
        assert read == len(predicted[name].seen[0]) <= 12  # 4 and 8 more; at most 10
        expected[name] = (
            read * features_macs + costs.network_macs(networks[network], read),
            read * features_macs if network == "one_look" else 0,
            read,
        )
    assert set(expected) == set(predicted)
    assert {name: tuple(predicted[name].cost) for name in expected} == expected


@pytest.mark.parametrize("count", [1, 7, 10])
def test_methods_that_average_ten_moments_agree_on_a_video_of_ten_or_fewer(networks, costs, count):
    predicted = predict(video_features(count), networks, costs)
    for method in ("random", "uniform", "front", "center", "end", "scsampler"):
        for draw in predicted[method].probabilities:
            np.testing.assert_allclose(draw, predicted["dense"].probabilities[0], atol=1e-12)


def test_dense_averages_class_probabilities_and_not_scores(networks, costs):
    read = video_features(12)
    expected = np.mean([np.exp(s) / np.exp(s).sum() for s in read.scores.astype(np.float64)], 0)
    np.testing.assert_allclose(predict(read, networks, costs)["dense"].probabilities[0], expected)


def test_sparse_reading_changes_nothing_where_features_are_constant(networks, costs):
    read = video_features(1)
    constant = VideoFeatures(
        {m: x.repeat(23, 0) for m, x in read.features.items()},
        read.fused.repeat(23, 0),
        read.scores.repeat(23, 0),
        np.ones(23, bool),
    )
    predicted = predict(constant, networks, costs)
    np.testing.assert_allclose(
        predicted["ours_sparse"].probabilities, predicted["ours_dense"].probabilities, atol=1e-9
    )


def test_one_look_reads_the_middles_of_the_spans_and_nothing_else(networks, costs):
    read = video_features(23)
    damaged = {m: x.copy() for m, x in read.features.items()}
    middles = [2, 7, 12, 17, 21]  # of 0-4, 5-9, 10-14, 15-19, 20-22
    for x in damaged.values():
        x[[k for k in range(23) if k not in middles]] = np.nan
    spoilt = VideoFeatures(damaged, read.fused, read.scores, read.has_sound)
    sparse = predict(spoilt, networks, costs)["one_look_sparse"]
    np.testing.assert_array_equal(
        sparse.probabilities, predict(read, networks, costs)["one_look_sparse"].probabilities
    )
    assert sparse.picks == [middles]


def test_more_moments_are_read_near_the_largest_weights_first():
    weights = {5: 0.1, 15: 0.7, 25: 0.2}
    assert next_moments(weights, 30, 2, 5) == [17, 13, 27, 23, 7]
    assert next_moments({0: 0.6, 1: 0.4}, 4, 2, 9) == [2, 3]
    assert next_moments({0: 0.5, 1: 0.5}, 2, 2, 9) == []


@pytest.mark.parametrize("context", [False, True])
@pytest.mark.parametrize("probability", [1e-9, 1.0])
def test_one_look_stops_where_it_is_sure_or_has_read_as_many_as_it_may(
    networks, costs, context, probability
):
    torch.manual_seed(3)
    looking = networks["one_look"]
    if context:
        config = feature_world.SKIMMER.model_copy(update={"one_look": OneLookConfig(context=True)})
        widths = {"image": 16, "audio": 16}
        network = build("one_look", widths, 6, 32, 16, config).eval()
        looking = replace(looking, network=network)
    stop = StopConfig(factor=10, more=5, at_a_time=2, probability=probability)
    config, read = EVALUATION.model_copy(update={"stop": stop}), video_features(40)
    video = VideoInput("v", read, {"one_look": looking}, costs, config, 0, label=2)
    prediction = video.look_until_sure("one_look")
    rounds = [4] if probability < 0.5 else [4, 6, 8, 9]
    (seen,) = prediction.seen
    assert len(seen) == len(set(seen)) == rounds[-1] == prediction.cost.moments
    assert set(span_middles(40, 10)) <= set(seen)
    per_moment = costs.moment_macs(("image", "audio"))
    scored = rounds if context else rounds[-1:]  # how many moments, in each round that counts
    network_macs = sum(costs.network_macs(looking, count) for count in scored)
    assert prediction.cost.macs == rounds[-1] * per_moment + network_macs
    given = {m: torch.from_numpy(x[sorted(seen)])[None] for m, x in read.features.items()}
    with torch.no_grad():
        logits = looking.network(given, torch.ones(1, len(seen), dtype=torch.bool)).logits
    np.testing.assert_allclose(prediction.probabilities, logits.exp().numpy(), atol=1e-6)


def test_the_oracle_averages_the_moments_with_the_largest_probability_of_the_class(networks, costs):
    read = video_features(30)
    probabilities = np.exp(read.scores) / np.exp(read.scores).sum(1, keepdims=True)
    best = sorted(sorted(range(30), key=lambda k: -probabilities[k, 2])[:10])
    predicted = predict(read, networks, costs)["oracle"]
    assert predicted.picks == [best]
    np.testing.assert_allclose(predicted.probabilities[0], probabilities[best].mean(0), rtol=1e-5)


def test_key_frames_and_scenes_are_those_of_the_labelled_segments():
    """A moment begins every 16/30 s and lasts a second: moments 0 to 5 lie inside 0 to 4 s."""
    segments = [(0.0, 4.0), (10.0, 12.0)]
    assert moments_inside(segments[:1], 40) == [0, 1, 2, 3, 4, 5]
    assert key_frame_rate([0, 5, 6, 30], segments, 40) == 0.5
    assert scene_hit_rate([0, 5, 6, 30], segments, 40) == 0.5
    assert scene_hit_rate([0, 19, 20], segments, 40) == 1


def kfs_bench(timestamps: list[Fraction], scenes: list[list[tuple[float, float]]]):
    """Key Frame Rate and Scene Hit Rate, plainly: a scene is a list of intervals."""

    def inside(timestamp: Fraction, scene: list[tuple[float, float]]) -> bool:
        return any(start <= timestamp <= end for start, end in scene)

    keys = sum(any(inside(t, scene) for scene in scenes) for t in timestamps)
    hits = sum(any(inside(t, scene) for t in timestamps) for scene in scenes)
    return keys / len(timestamps), hits / len(scenes)


@given(
    picks=st.sets(st.integers(0, 59), min_size=1, max_size=12),
    starts=st.lists(st.integers(0, 28), min_size=1, max_size=3),
    quarters=st.integers(7, 36),
)
def test_key_frame_rate_and_scene_hit_rate_are_the_formulas_of_kfs_bench(picks, starts, quarters):
    """A moment's second lies inside a segment where its start lies between the segment's start and
    one second before its end; seven quarters of a second hold at least one such moment.
    """
    count = 60  # the last begins at 31.5 s, so segments that begin by 28 s have a whole moment
    segments = [(float(start), start + quarters / 4) for start in starts]
    timestamps = [start_seconds(k) for k in sorted(picks)]
    expected = kfs_bench(timestamps, [[(start, end - 1)] for start, end in segments])
    measured = key_frame_rate(picks, segments, count), scene_hit_rate(picks, segments, count)
    assert measured == pytest.approx(expected)


def test_sparse_reading_reads_no_feature_between_the_moments_read(networks, costs):
    read = video_features(23)
    damaged = {m: x.copy() for m, x in read.features.items()}
    for x in damaged.values():
        x[np.arange(23) % 5 != 0] = np.nan
    predicted = predict(
        VideoFeatures(damaged, read.fused, read.scores, read.has_sound), networks, costs
    )
    expected = predict(read, networks, costs)
    np.testing.assert_array_equal(
        predicted["ours_sparse"].probabilities, expected["ours_sparse"].probabilities
    )
    assert np.isnan(predicted["ours_dense"].probabilities).all()


# ---- adding a method -----------------------------------------------------------------------------


def last_and_first(count: int, moments: int) -> list[int]:
    """The first and the last moment."""
    return sorted({0, count - 1})[:moments]


def test_a_picked_method_added_to_the_list_becomes_a_row(world, files, tmp_path, monkeypatch):
    added = Method("first_last", "First and last", average_of(last_and_first))
    monkeypatch.setattr(methods_file, "METHODS", (*METHODS, added))
    folder = evaluate(world, files, tmp_path)
    rows = read_evaluation_table(folder / "table1.tsv")
    assert [row["method"] for row in rows] == [*ROWS, "first_last"]
    assert rows[-1]["moments"] == "2.00"
    predictions = read_evaluation_table(folder / "predictions.tsv")
    assert {row["method"] for row in predictions} == {*ROWS, "first_last"}


def test_a_trained_method_added_to_the_list_needs_its_network_and_becomes_a_row(
    world, files, tmp_path, monkeypatch
):
    """The network is found by what its file holds: here a variant of the skimmer."""
    trained = train_variant(world, tmp_path / "any-name.pt", VARIANTS["audio"])
    added = Method("ours_audio", "Ours (audio alone)", classified_by("audio"), trained="audio")
    monkeypatch.setattr(methods_file, "METHODS", (*METHODS, added))
    assert trained_networks(None)[-1] == "audio"
    with pytest.raises(BadInput, match=r"--trained: .*expected audio too"):
        evaluate(world, files, tmp_path)
    folder = evaluate(world, files | {"audio": trained}, tmp_path)
    rows = {row["method"]: row for row in read_evaluation_table(folder / "table1.tsv")}
    assert list(rows) == [*ROWS, "ours_audio"]
    cheaper = float(rows["ours_audio"]["index_gmacs_per_video"])
    assert 0 < cheaper < float(rows["ours_dense"]["index_gmacs_per_video"])


def test_the_configuration_chooses_the_rows_and_their_order(world, files, tmp_path):
    section = EVALUATION.model_copy(update={"methods": ("dense", "front")})
    folder = evaluate(world, {"skimmer": files["skimmer"]}, tmp_path, section)
    rows = read_evaluation_table(folder / "table1.tsv")
    assert [row["method"] for row in rows] == ["dense", "front"]
    predictions = read_evaluation_table(folder / "predictions.tsv")
    assert {row["method"] for row in predictions} == {"dense", "front", "ours_dense", "uniform"}
    everything = evaluate(world, files, tmp_path / "all")
    kept = {row["method"]: row for row in read_evaluation_table(everything / "table1.tsv")}
    assert rows == [kept["dense"], kept["front"]]
    assert (folder / "classes.tsv").read_bytes() == (everything / "classes.tsv").read_bytes()
