"""Fewer moments and fewer steps, and points next to published systems."""

from pathlib import Path

import feature_world
import numpy as np
import pytest
import torch
from evaluation_world import EVALUATION, evaluate, untrained_networks
from hypothesis import given, settings
from hypothesis import strategies as st

from l2l.errors import BadInput
from l2l.evaluation.artifact import read_evaluation_table
from l2l.evaluation.cost import CostModel, count_macs
from l2l.evaluation.measures.metrics import mean_average_precision
from l2l.evaluation.measures.probabilities import class_probabilities
from l2l.evaluation.published.frontier import frontier_rows
from l2l.evaluation.videos.methods import chosen_methods
from l2l.evaluation.videos.stage import evaluate_tradeoff
from l2l.evaluation.videos.tradeoff import scores_at_stops, tradeoff_rows
from l2l.features.artifact import read_features
from l2l.skimmer.artifact import load_skimmer
from l2l.skimmer.network import Skimmer
from l2l.skimmer.sparse import read_sparsely
from l2l.student.artifact import load_student


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> feature_world.World:
    return feature_world.make_world(tmp_path_factory.mktemp("world"), train=2, val=0, test=40)


@pytest.fixture(scope="module")
def networks(tmp_path_factory) -> dict[str, Path]:
    return untrained_networks(tmp_path_factory.mktemp("networks"))


@pytest.fixture(scope="module")
def tables(world, networks, tmp_path_factory) -> Path:
    paper = [method.name for method in chosen_methods(None)]
    methods = (*paper, "one_look_sparse", "one_look_dense", "oracle")
    section = EVALUATION.model_copy(update={"methods": methods})
    folder = evaluate(world, networks, tmp_path_factory.mktemp("tables"), section)
    evaluate_tradeoff(
        world.student,
        networks["skimmer"],
        world.videos,
        world.features,
        folder / "table1.tsv",
        "made",
        folder / "tradeoff.tsv",
        folder / "frontier.tsv",
        one_look=networks["one_look"],
    )
    return folder


def rows_of(tables: Path, network: str) -> list[dict[str, str]]:
    """A network's rows of tradeoff.tsv."""
    rows = read_evaluation_table(tables / "tradeoff.tsv")
    return [row for row in rows if row["network"] == network]


@pytest.fixture(scope="module")
def costs(world) -> CostModel:
    return CostModel(load_student(world.student))


@given(seed=st.integers(0, 99), moments=st.integers(1, 12))
@settings(max_examples=10)
def test_stopping_after_a_step_equals_skimming_with_that_number_of_steps(seed, moments):
    torch.manual_seed(seed)
    network = Skimmer({"image": 4, "audio": 4}, 3, 8, 8, 16, 4, 8).eval()
    features = {m: torch.randn(2, moments, 4) for m in ("image", "audio")}
    present = torch.ones(2, moments, dtype=torch.bool)
    with torch.no_grad():
        stops = network.stops(network(features, present, 7))
        for steps in range(1, 8):
            torch.testing.assert_close(
                stops[:, steps - 1], network(features, present, steps).logits, atol=1e-5, rtol=0
            )


def test_scores_at_each_factor_and_step_are_those_of_each_video_alone(world, networks):
    skimmer, stored = load_skimmer(networks["skimmer"]), read_features(world.features)
    videos = ["test-000", "test-001", "test-039"]
    scores = scores_at_stops(skimmer, stored, videos, (1, 4))
    for v, video in enumerate(videos):
        read = stored.load(video).features
        for f, factor in enumerate((1, 4)):
            features = {
                m: read_sparsely(torch.from_numpy(x), factor)[None] for m, x in read.items()
            }
            for steps in (1, 3, 6):
                with torch.no_grad():
                    logits = skimmer.network(
                        features, torch.ones(1, len(features["image"][0]), dtype=torch.bool), steps
                    ).logits
                np.testing.assert_allclose(scores[f, steps - 1, v], logits[0].numpy(), atol=1e-5)


def test_the_number_of_factors_in_memory_changes_no_row(world, networks, costs, monkeypatch):
    skimmer, stored = load_skimmer(networks["skimmer"]), read_features(world.features)
    videos = ["test-000", "test-001"]
    at_once = []

    def counted(*arguments):
        at_once.append(len(arguments[-1]))
        return scores_at_stops(*arguments)

    monkeypatch.setattr("l2l.evaluation.videos.tradeoff.scores_at_stops", counted)
    all_at_once = tradeoff_rows(skimmer, stored, videos, np.array([0, 1]), costs, range(1, 6))
    monkeypatch.setattr(
        "l2l.evaluation.videos.tradeoff._SCORES_BYTES",
        2 * 4 * 6 * len(videos) * len(feature_world.CLASSES),
    )
    assert (
        tradeoff_rows(skimmer, stored, videos, np.array([0, 1]), costs, range(1, 6)) == all_at_once
    )
    assert at_once == [5, 2, 2, 1]


def test_confident_predictions_have_the_average_precision_of_table_1(
    world, networks, costs, monkeypatch
):
    """Logits 20 apart: in float32 their probabilities are all 1."""
    skimmer, stored = load_skimmer(networks["skimmer"]), read_features(world.features)
    confident = np.zeros((1, 1, 3, 2), np.float32)
    confident[..., 0] = 30, 25, 20
    monkeypatch.setattr("l2l.evaluation.videos.tradeoff.scores_at_stops", lambda *_: confident)
    labels, videos = np.array([0, 1, 1]), ["test-000", "test-001", "test-002"]
    (row,) = tradeoff_rows(skimmer, stored, videos, labels, costs, (1,))
    assert (
        row["map"]
        == "100.00"
        == f"{100 * mean_average_precision(class_probabilities(confident[0, 0]), labels):.2f}"
    )


def test_the_tradeoff_has_every_factor_and_step_and_agrees_with_table_1(tables):
    rows = {(int(r["factor"]), int(r["steps"])): r for r in rows_of(tables, "skimmer")}
    assert list(rows) == [(factor, steps) for factor in range(1, 21) for steps in range(1, 7)]
    table1 = {row["method"]: row for row in read_evaluation_table(tables / "table1.tsv")}
    for factor, method in ((1, "ours_dense"), (5, "ours_sparse")):
        for column in ("top1", "map", "gmacs_per_video", "moments"):
            assert rows[factor, 6][column] == table1[method][column]


def test_one_look_has_a_row_per_factor_which_agrees_with_table_1(tables):
    rows = {int(row["factor"]): row for row in rows_of(tables, "one_look")}
    assert list(rows) == list(range(1, 21))
    assert {row["steps"] for row in rows.values()} == {""}
    table1 = {row["method"]: row for row in read_evaluation_table(tables / "table1.tsv")}
    for factor, method in ((1, "one_look_dense"), (5, "one_look_sparse")):
        for column in ("top1", "map", "gmacs_per_video", "moments"):
            assert rows[factor][column] == table1[method][column], (method, column)
    costs = [float(row["gmacs_per_video"]) for row in rows.values()]
    assert costs == sorted(costs, reverse=True)
    assert len(set(costs)) > 10


def test_fewer_steps_and_fewer_moments_cost_less_and_as_much_as_is_counted(networks, costs, tables):
    rows = {
        (int(r["factor"]), int(r["steps"])): float(r["gmacs_per_video"])
        for r in rows_of(tables, "skimmer")
    }
    assert all(
        rows[factor, steps] < rows[factor, steps + 1] for factor in (1, 20) for steps in range(1, 6)
    )
    assert all(rows[factor, 3] >= rows[factor + 1, 3] for factor in range(1, 20))
    skimmer = load_skimmer(networks["skimmer"])
    features, present = (
        {m: torch.zeros(1, 9, 16) for m in ("image", "audio")},
        torch.ones(1, 9, dtype=torch.bool),
    )
    assert costs.network_macs(skimmer, 9, 2) == count_macs(
        lambda: skimmer.network(features, present, 2)
    )


def test_the_frontier_has_the_runs_points_and_then_quoted_ones_each_with_its_source(tables):
    rows = read_evaluation_table(tables / "frontier.tsv")
    own = [row for row in rows if row["quoted"] == "no"]
    assert own == rows[: len(own)]
    assert {row["method"] for row in own} == {"ours", "one_look", "uniform", "dense", "scsampler"}
    one_look = [row for row in own if row["method"] == "one_look"]
    assert len(one_look) == 9
    assert {row["steps"] for row in one_look} == {""}
    assert {(row["dataset"], row["recognition_features"]) for row in own} == {
        ("made", "image-audio")
    }
    assert (
        len([row for row in own if row["method"] == "ours"]) == 9 * 3
    )  # factors; 1, 3 and all 6 steps
    quoted = rows[len(own) :]
    assert all(row["source"] and row["dataset"] == "ActivityNet v1.3" for row in quoted)
    named = (
        "AdaFrame MultiAgent LiteEval SCSampler FastForward FrameGlimpse AR-Net AdaMML FrameExit "
        "OCSampler AdaFocus ListenToLook"
    )
    assert set(named.split()) <= {row["method"] for row in quoted}
    best = [
        row
        for row in quoted
        if row["method"] == "ListenToLook" and row["gmacs_per_video"] == "112.65"
    ]
    assert [row["map"] for row in best] == ["76.61"]


def test_a_runs_points_are_those_of_its_tables():
    table1 = [
        {"method": m, "map": f"{i}.00", "gmacs_per_video": f"{i}"}
        for i, m in enumerate(("uniform", "dense", "lstm"), 1)
    ]
    tradeoff = [
        {"network": "skimmer", "factor": "2", "map": f"{k}.50", "gmacs_per_video": "9"}
        | {"steps": str(k)}
        for k in (1, 2)
    ]
    own = [row for row in frontier_rows(table1, tradeoff, "image", "d") if row["quoted"] == "no"]
    points = [
        ("ours", "1", "1.50"),
        ("ours", "2", "2.50"),
        ("uniform", "", "1.00"),
        ("dense", "", "2.00"),
    ]
    assert [(row["method"], row["steps"], row["map"]) for row in own] == points


def test_scores_that_are_not_finite_are_refused(world, networks):
    skimmer, stored = load_skimmer(networks["skimmer"]), read_features(world.features)
    with torch.no_grad():
        skimmer.network.classifier.bias[0] = np.inf
    with pytest.raises(BadInput, match="not finite"):
        scores_at_stops(skimmer, stored, ["test-000"], (1,))
