"""Metrics against scikit-learn and in plain loops; intervals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import average_precision_score, top_k_accuracy_score

from l2l.errors import BadInput
from l2l.evaluation.clips.tables import clip_row
from l2l.evaluation.cost import VideoCost
from l2l.evaluation.measures.intervals import (
    RESAMPLES,
    interval,
    resampled_average_precisions,
    resampled_mean_average_precisions,
    resamples,
)
from l2l.evaluation.measures.metrics import (
    average_precision,
    interpolated_average_precision,
    interpolated_mean_average_precision,
    mean_average_precision,
    top1,
    top_k,
)
from l2l.evaluation.measures.probabilities import check_finite
from l2l.evaluation.measures.truth import Truth
from l2l.evaluation.videos.predictions import MethodPrediction
from l2l.evaluation.videos.tables import table1_row

scores_and_truth = st.integers(1, 40).flatmap(
    lambda n: st.tuples(
        arrays(np.float64, n, elements=st.integers(0, 9).map(float)), arrays(bool, n)
    )
)


@given(drawn=scores_and_truth)
def test_average_precision_equals_scikit_learns_for_tied_scores_too(drawn):
    scores, positive = drawn
    if not positive.any():
        with pytest.raises(ValueError, match="at least one positive"):
            average_precision(scores, positive)
    else:
        assert average_precision(scores, positive) == pytest.approx(
            average_precision_score(positive, scores), abs=1e-12
        )


def test_average_precision_of_a_worked_example():
    """Correct, wrong, correct: precision 1 at recall 1/2, and 2/3 at recall 1."""
    assert average_precision(
        np.array([0.9, 0.8, 0.1]), np.array([True, False, True])
    ) == pytest.approx((1 + 2 / 3) / 2)


@given(seed=st.integers(0, 999), videos=st.integers(8, 60))
@settings(max_examples=50)
def test_the_metrics_equal_scikit_learns(seed, videos):
    random = np.random.default_rng(seed)
    probabilities, labels = (
        random.dirichlet(np.ones(6), videos),
        random.permutation(np.arange(videos) % 6),
    )
    truth = np.eye(6)[labels]
    expected = average_precision_score(truth, probabilities, average="macro")
    assert mean_average_precision(probabilities, labels) == pytest.approx(expected)
    for k in (1, 5):
        assert top_k(probabilities, labels, k) == pytest.approx(
            top_k_accuracy_score(labels, probabilities, k=k, labels=range(6))
        )
    assert top1(probabilities, labels) == np.mean(probabilities.argmax(1) == labels)


def test_a_class_without_videos_does_not_count_in_the_mean():
    probabilities = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1]])
    assert mean_average_precision(probabilities, np.array([0, 1])) == 1.0


def test_of_equally_probable_classes_the_first_is_predicted():
    equal = np.full((3, 3), 1 / 3)
    assert [top1(equal, np.full(3, label)) for label in range(3)] == [1, 0, 0]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused_and_counted(bad):
    check_finite(np.zeros((2, 3)), "scores")
    with pytest.raises(BadInput, match=r"scores of dense: found 1 of 6 numbers"):
        check_finite(np.array([[0, 1, 2], [3, 4, bad]]), "scores of dense")


def activitynet_average_precision(scores: np.ndarray, positive: np.ndarray) -> float:
    """ActivityNet's definition in plain loops.

    Sort by score; compute precision and recall after each video; make precision monotone from the
    right.
    """
    order = sorted(range(len(scores)), key=lambda i: -scores[i])
    precision, recall, hits = [0.0], [0.0], 0
    for taken, i in enumerate(order, start=1):
        hits += int(positive[i])
        precision.append(hits / taken)
        recall.append(hits / int(positive.sum()))
    precision.append(0.0)
    recall.append(1.0)
    for i in reversed(range(len(precision) - 1)):
        precision[i] = max(precision[i], precision[i + 1])
    return sum(
        (recall[i] - recall[i - 1]) * precision[i]
        for i in range(1, len(recall))
        if recall[i] != recall[i - 1]
    )


@given(positive=arrays(bool, st.integers(1, 40)).filter(np.any), seed=st.integers(0, 99))
def test_interpolated_average_precision_equals_activitynets(positive, seed):
    scores = np.random.default_rng(seed).permutation(len(positive)).astype(float)
    assert interpolated_average_precision(scores, positive) == pytest.approx(
        activitynet_average_precision(scores, positive), abs=1e-12
    )


def test_interpolated_average_precision_of_a_worked_example():
    """Correct, wrong, correct, correct, wrong: precision 1, 1/2, 2/3, 3/4, 3/5.

    Made monotone from the right: 1, 3/4, 3/4, 3/4, 3/5.
    """
    scores, positive = (
        np.array([0.9, 0.8, 0.7, 0.6, 0.5]),
        np.array([True, False, True, True, False]),
    )
    assert interpolated_average_precision(scores, positive) == pytest.approx(
        (1 + 3 / 4 + 3 / 4) / 3
    )
    assert average_precision(scores, positive) == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)


@given(
    drawn=st.integers(1, 30).flatmap(
        lambda n: st.tuples(
            arrays(np.float64, n, elements=st.integers(0, 4).map(float)),
            arrays(bool, n).filter(np.any),
        )
    ),
    seed=st.integers(0, 9),
)
def test_interpolation_never_lowers_precision_and_the_order_of_the_videos_does_not_matter(
    drawn, seed
):
    scores, positive = drawn
    assert (
        interpolated_average_precision(scores, positive)
        >= average_precision(scores, positive) - 1e-12
    )
    mixed = np.random.default_rng(seed).permutation(len(scores))
    assert interpolated_average_precision(
        scores[mixed], positive[mixed]
    ) == interpolated_average_precision(scores, positive)


def test_a_video_of_two_classes_counts_for_both():
    """Video 0 shows both classes, video 1 none.

    Video 0 ranks last of two for class 0, and first for class 1.
    """
    probabilities, shown = (
        np.array([[0.1, 0.9], [0.8, 0.2]]),
        np.array([[True, True], [False, False]]),
    )
    assert interpolated_mean_average_precision(probabilities, shown) == pytest.approx(
        (1 / 2 + 1) / 2
    )


# ---- intervals -----------------------------------------------------------------------------------


@given(
    drawn=st.integers(2, 20).flatmap(
        lambda n: st.tuples(
            arrays(np.float64, n, elements=st.integers(0, 5).map(float)),
            arrays(bool, n).filter(np.any),
            arrays(np.int64, (3, n), elements=st.integers(0, 3)),
        )
    )
)
def test_average_precision_of_a_resample_equals_that_of_its_repeated_videos(drawn):
    scores, positive, counts = drawn
    for precision, count in zip(
        resampled_average_precisions(counts, scores, positive), counts, strict=True
    ):
        repeated = np.repeat(positive, count)
        if repeated.any():
            assert precision == pytest.approx(
                average_precision_score(repeated, np.repeat(scores, count)), abs=1e-12
            )
        else:
            assert np.isnan(precision)


def test_resamples_have_as_many_videos_and_depend_only_on_the_seed():
    counts = resamples(50, 1)
    assert counts.shape == (RESAMPLES, 50)
    assert set(counts.sum(1)) == {50}
    assert counts.mean(0) == pytest.approx(1, abs=0.2)
    np.testing.assert_array_equal(counts, resamples(50, 1))
    assert (counts != resamples(50, 2)).any()


def test_the_interval_of_an_accuracy_has_the_width_of_the_binomial_interval():
    labels = np.arange(400) % 2
    row = table1_row(
        "m",
        [MethodPrediction(np.array([[0.6, 0.4]]), VideoCost(1, 0, 1))] * 400,
        Truth(labels, np.eye(2, dtype=bool)[labels], np.zeros(0, np.int64)),
        resamples(400, 0),
        [7.0, 8.0] * 200,
    )
    assert (row["top1"], row["videos"]) == ("50.00", "400")
    low, high = float(row["top1_low"]), float(row["top1_high"])
    assert low == pytest.approx(50 - 4.9, abs=0.7)  # 1.96 sqrt(1/4 / 400)
    assert high == pytest.approx(50 + 4.9, abs=0.7)


@given(seed=st.integers(0, 99))
@settings(max_examples=10)
def test_an_interval_of_mean_average_precision_contains_the_metric(seed):
    random = np.random.default_rng(seed)
    probabilities, labels = random.dirichlet(np.ones(8), 40), random.permutation(np.arange(40) % 8)
    figure = mean_average_precision(probabilities, labels)
    low, high = interval(
        resampled_mean_average_precisions(resamples(40, seed), probabilities, labels), figure
    )
    assert low < figure < high


def test_an_interval_lies_between_0_and_1():
    assert interval(np.array([0.0, 0.1, 0.5]), 0.05) == (0, pytest.approx(0.3300, abs=1e-4))
    low, high = interval(np.array([0.5, 0.9, 1.0]), 0.95)
    assert 0 < low < high == 1


def test_the_bootstrap_resamples_all_clips_of_a_video_together():
    """Two videos of ten clips: all correct, and all wrong.

    So a resample has 0, 50 or 100 %, and a wider interval than twenty independent clips.
    """
    scores = np.repeat([[1.0, 0.0], [0.0, 1.0]], 10, 0)
    row = clip_row(
        "student",
        "image",
        "yes",
        scores,
        np.zeros(20, np.int64),
        7,
        np.repeat([0, 1], 10),
        resamples(2, 0),
    )
    assert float(row["top1"]) == 50
    assert float(row["top1_low"]) == pytest.approx(0, abs=4)
    assert float(row["top1_high"]) == pytest.approx(100, abs=4)
    assert (row["clips"], row["videos"]) == ("20", "2")
