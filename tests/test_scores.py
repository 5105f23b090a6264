"""What is kept of every test video: who keeps it can compute each number of Table 1 again."""

import evaluation_world
import feature_world
import h5py
import numpy as np
import pytest
from evaluation_world import EVALUATION

from l2l.errors import BadInput
from l2l.evaluation.artifact import read_evaluation_table
from l2l.evaluation.measures.metrics import (
    interpolated_mean_average_precision,
    mean_average_precision,
    top1,
)
from l2l.evaluation.videos.artifact import read_scores
from l2l.features.artifact import read_features

MOST_BYTES_PER_CLASS_AND_VIDEO = 300


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return feature_world.make_world(tmp_path_factory.mktemp("world"), train=12, val=0, test=9)


@pytest.fixture(scope="module")
def evaluated(world, tmp_path_factory):
    networks = evaluation_world.untrained_networks(tmp_path_factory.mktemp("networks"))
    return evaluation_world.evaluate(world, networks, tmp_path_factory.mktemp("evaluated"))


def test_the_accuracies_of_table_1_are_computed_again_from_the_scores(evaluated):
    rows = read_evaluation_table(evaluated / "table1.tsv")
    with read_scores(evaluated / "scores.h5") as scores:
        assert set(scores.methods) == {row["method"] for row in rows}
        for row in rows:
            draws = scores.probabilities(row["method"])
            assert len(draws) == (EVALUATION.random_draws if row["method"] == "random" else 1)
            assert np.allclose(draws.sum(2), 1)
            for column, values in (
                ("top1", [top1(draw, scores.labels) for draw in draws]),
                ("map", [mean_average_precision(draw, scores.labels) for draw in draws]),
                (
                    "map_interpolated",
                    [interpolated_mean_average_precision(draw, scores.shown) for draw in draws],
                ),
            ):
                assert row[column] == f"{100 * np.mean(values):.2f}"


def test_the_selected_moments_are_those_of_the_largest_attention(evaluated):
    rows = read_evaluation_table(evaluated / "selections.tsv")
    with read_scores(evaluated / "scores.h5") as scores:
        assert scores.videos
        for row in rows:
            look = scores.attention(row["video"])
            step, i = int(row["step"]) - 1, look.modalities.index(row["modality"])
            assert look.weights.shape[2] == scores.moments(row["video"]) == int(row["moments"])
            assert f"{look.weights[step, i, int(row['moment'])]:.6f}" == row["weight"]
            assert f"{look.modality_weights[step, i]:.6f}" == row["modality_weight"]
            assert np.allclose(look.weights.sum(2), 1, atol=1e-5)


def test_videos_are_the_usable_test_videos_with_their_labels(world, evaluated):
    with read_scores(evaluated / "scores.h5") as scores:
        usable = [video for video in read_features(world.features) if video.startswith("test")]
        assert list(scores.videos) == sorted(usable)
        assert {each.split for each in scores.listed} == {"test"}
        assert [scores.classes[i] for i in scores.labels] == [v.labels[0] for v in scores.listed]
        assert repr(scores).endswith("9 videos, 6 classes, 11 methods)")
        assert repr(scores.attention(scores.videos[0])).startswith("Attention(image and audio, 5")


def test_it_takes_few_bytes_per_class_and_video(evaluated):
    with h5py.File(evaluated / "scores.h5") as file:
        videos, predictions, classes = file["probability"].shape
        taken = videos * predictions * classes * file["probability"].dtype.itemsize
    assert taken / (videos * classes) <= MOST_BYTES_PER_CLASS_AND_VIDEO


def test_a_method_that_was_not_run_is_named_with_those_that_were(evaluated):
    with (
        read_scores(evaluated / "scores.h5") as scores,
        pytest.raises(BadInput, match=r"scores\.h5: no method 'oracle'; it has random, uniform"),
    ):
        scores.probabilities("oracle")


def test_a_run_without_scores_is_answered_in_one_line(tmp_path):
    with (
        pytest.raises(BadInput, match=r"scores\.h5: no such file"),
        read_scores(tmp_path / "scores.h5"),
    ):
        pass
