"""Counted costs against known answers."""

import feature_world
import pytest
import torch
from evaluation_world import untrained_networks

from l2l import config
from l2l.evaluation.cost import CostModel, VideoCost, count_macs, student_macs
from l2l.skimmer.artifact import TrainedSkimmer, load_skimmer
from l2l.skimmer.early_exit import EarlyExit
from l2l.skimmer.network import Skimmer
from l2l.student.artifact import load_student
from l2l.student.network import Student


def test_matrix_products_convolutions_and_lstms_are_counted():
    assert count_macs(lambda: torch.nn.Linear(5, 7)(torch.zeros(3, 5))) == 3 * 5 * 7
    assert (
        count_macs(lambda: torch.nn.Conv2d(2, 3, 3)(torch.zeros(1, 2, 6, 6))) == 4 * 4 * 3 * 2 * 9
    )
    assert count_macs(lambda: torch.nn.LSTMCell(5, 6)(torch.zeros(2, 5))) == 2 * 4 * 6 * (5 + 6)
    assert count_macs(
        lambda: torch.nn.LSTM(5, 6, batch_first=True)(torch.zeros(2, 9, 5))
    ) == 2 * 9 * 4 * 6 * (5 + 6)
    assert count_macs(lambda: torch.zeros(3).exp().sum()) == 0


@pytest.mark.parametrize(("steps", "published"), [(10, 0.234), (3, 0.151), (1, 0.127)])
def test_skimming_220_moments_costs_what_is_published_less_the_work_that_is_skipped(
    steps, published
):
    """The public code computes a last query whose result it drops, classifies each step, and
    averages each feature once per query.
    """
    network = Skimmer({"image": 512, "audio": 512}, 200).eval()
    features = {m: torch.zeros(1, 220, 512) for m in ("image", "audio")}
    counted = count_macs(lambda: network(features, torch.ones(1, 220, dtype=torch.bool), steps))
    keys, psi, classifier = 2 * 220 * 512 * 512, 1024 * 1024 + 1024 * 512, 512 * 200
    lstm, queries, scores, modality_weights = (
        4 * 1024 * (512 + 1024),
        2 * (1024 * 1024 + 1024 * 512),
        2 * 220 * 512,
        1024 * 2,
    )
    asking = lstm + queries + scores + modality_weights
    # both features averaged by the weights summed over queries; that sum
    looking = 2 * 220 * 512 + 2 * 220
    assert counted == keys + steps * psi + (steps - 1) * (asking + looking) + classifier
    in_public_code = keys + steps * (psi + asking + 4 * 220 * 512 + 1024 * 200) + classifier
    assert round(in_public_code / 1e9, 3) == published


def test_the_full_size_student_costs_what_is_published_per_moment():
    """1.098 GMAC: image stream .4848, audio stream with stride 1 .6119, Psi and a classifier of
    200.
    """
    student = Student(("image", "audio"), 200).eval()
    student.settings = {"frame_pixels": 112, "mels": config.MelsConfig().model_dump()}
    assert student_macs(student) / 1e9 == pytest.approx(1.098, abs=5e-4)


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> feature_world.World:
    return feature_world.make_world(tmp_path_factory.mktemp("world"), train=2, val=0, test=2)


@pytest.fixture(scope="module")
def networks(tmp_path_factory) -> dict[str, TrainedSkimmer]:
    files = untrained_networks(tmp_path_factory.mktemp("networks"))
    return {model: load_skimmer(path) for model, path in files.items()}


@pytest.fixture(scope="module")
def costs(world) -> CostModel:
    return CostModel(load_student(world.student))


def test_a_moment_costs_its_features_and_its_scores(world, costs):
    student = load_student(world.student)
    assert costs.moment_macs(("image", "audio")) + costs.scores_macs == student_macs(student)
    assert costs.scores_macs == 32 * 32 + 32 * 16 + 16 * 6


def test_averaging_costs_the_scores_of_every_moment_that_is_computed(world, costs):
    scored = student_macs(load_student(world.student))
    assert costs.averaging(10) == VideoCost(10 * scored, 0, 10)
    assert costs.averaging(30, indexed=30) == VideoCost(30 * scored, 30 * scored, 30)


def test_a_network_costs_its_call_and_more_for_a_longer_video(networks, costs):
    features, present = (
        {m: torch.randn(1, 9, 16) for m in ("image", "audio")},
        torch.ones(1, 9, dtype=torch.bool),
    )
    for network in networks.values():
        if isinstance(network.network, EarlyExit):
            continue  # it costs what it was asked for: tests/test_early_exit.py
        assert costs.network_macs(network, 9) == count_macs(
            lambda n=network: n.scores(features, present)
        )
        assert costs.network_macs(network, 30) > costs.network_macs(network, 9)
