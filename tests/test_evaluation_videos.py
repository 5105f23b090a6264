"""Whole videos: Table 1, classes, predictions and selections."""

from dataclasses import replace
from pathlib import Path

import feature_world
import numpy as np
import pytest
import torch
from evaluation_world import EVALUATION, OUTPUTS, evaluate, train_networks
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from l2l.errors import BadInput
from l2l.evaluation.artifact import BY_NAME, read_evaluation_table
from l2l.evaluation.cost import VideoCost
from l2l.evaluation.measures.intervals import resamples
from l2l.evaluation.measures.truth import Truth
from l2l.evaluation.videos.methods import METHODS, chosen_methods
from l2l.evaluation.videos.predictions import MethodPrediction
from l2l.evaluation.videos.tables import class_rows, selection_quality_rows, table1_row
from l2l.features.artifact import Features, complete_root, read_features, write_features
from l2l.manifest.artifact import Segment, Video, read_videos, write_videos
from l2l.skimmer.artifact import TrainedSkimmer, build, load_skimmer, save_skimmer
from l2l.student.artifact import digest_of, load_student


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> feature_world.World:
    return feature_world.make_world(tmp_path_factory.mktemp("world"), train=64, val=0, test=24)


@pytest.fixture(scope="module")
def networks(world, tmp_path_factory) -> dict[str, Path]:
    return train_networks(world, tmp_path_factory.mktemp("networks"))


@pytest.fixture(scope="module")
def evaluated(world, networks, tmp_path_factory) -> Path:
    return evaluate(world, networks, tmp_path_factory.mktemp("evaluated"))


def test_table1_has_one_row_per_method_and_ours_beats_the_mean_of_all_moments(evaluated):
    rows = {row["method"]: row for row in read_evaluation_table(evaluated / "table1.tsv")}
    assert list(rows) == [method.name for method in chosen_methods(None)]
    assert float(rows["ours_dense"]["top1"]) >= float(rows["dense"]["top1"]) + 5
    sparse = float(rows["ours_sparse"]["index_gmacs_per_video"])
    dense = float(rows["ours_dense"]["index_gmacs_per_video"])
    assert 0 < sparse <= 0.3 * dense
    assert 0 < float(rows["uniform"]["gmacs_per_video"]) < float(rows["dense"]["gmacs_per_video"])


def test_table1_counts_the_pictures_that_the_moments_read_need(world, evaluated):
    rows = {row["method"]: row for row in read_evaluation_table(evaluated / "table1.tsv")}
    pictures = {name: float(row["pictures_decoded"]) for name, row in rows.items()}
    moments = {name: float(row["moments"]) for name, row in rows.items()}
    for name in rows:  # each frame of this world takes 5
        assert pictures[name] == pytest.approx(5 * moments[name], abs=0.05)
    assert pictures["scsampler"] == pictures["dense"] == pictures["ours_dense"] == pictures["lstm"]
    assert pictures["uniform"] == 5 * EVALUATION.moments


def test_table1_agrees_with_the_predictions(world, evaluated):
    predictions = read_evaluation_table(evaluated / "predictions.tsv")
    rows = {row["method"]: row for row in read_evaluation_table(evaluated / "table1.tsv")}
    test = [
        video.video for video in read_videos(world.videos) if video.split == "test" and video.usable
    ]
    for method in set(rows) - {"random"}:  # whose metrics are means over draws
        of_method = [p for p in predictions if p["method"] == method]
        assert [p["video"] for p in of_method] == test
        right = np.mean([p["predicted"] == p["label"] for p in of_method])
        assert float(rows[method]["top1"]) == pytest.approx(100 * right, abs=0.005)


def truth_of(labels: np.ndarray, classes: int, unusable: tuple[int, ...] = ()) -> Truth:
    """Each video with its one label."""
    return Truth(labels, np.eye(classes, dtype=bool)[labels], np.array(unusable, np.int64))


def test_metrics_of_the_random_method_are_means_over_draws_and_not_metrics_of_the_mean():
    """Two draws, each wrong on one of two videos; the mean of the draws is right on both."""
    first = np.array([[0.2, 0.8], [0.99, 0.01]])  # a video of class 0, by draw
    second = np.array([[0.3, 0.7], [0.6, 0.4]])  # one of class 1
    row = table1_row(
        "random",
        [
            MethodPrediction(first, VideoCost(3, 0, 10)),
            MethodPrediction(second, VideoCost(5, 0, 10)),
        ],
        truth_of(np.array([0, 1]), 2),
        resamples(2, 0),
        [30.0, 41.0],
    )
    assert row["pictures_decoded"] == "35.50"
    assert row["top1"] == "50.00"
    assert row["map"] == "75.00"  # 50 and 100; the mean of the draws would have 100 of both
    assert float(row["gmacs_per_video"]) == 4e-9


def test_selections_are_the_skimmers_by_step_and_modality(world, networks, evaluated):
    rows = [
        row
        for row in read_evaluation_table(evaluated / "selections.tsv")
        if row["video"] == "test-001"
    ]
    read = read_features(world.features).load("test-001")
    features = {m: torch.from_numpy(x)[None] for m, x in read.features.items()}
    with torch.no_grad():
        output = load_skimmer(networks["skimmer"]).network(
            features, torch.ones(1, len(read), dtype=torch.bool), 6
        )
    expected = [
        (step + 1, m, int(output.selected[0, step, i]))
        for step in range(5)
        for i, m in enumerate(("image", "audio"))
    ]
    assert [(int(row["step"]), row["modality"], int(row["moment"])) for row in rows] == expected
    assert {int(row["moments"]) for row in rows} == {len(read)}
    assert sum(float(row["modality_weight"]) for row in rows) == pytest.approx(5, abs=1e-4)


def test_one_look_and_the_oracle_are_rows_where_they_are_asked_for(world, networks, tmp_path):
    names = tuple(method.name for method in METHODS)
    section = EVALUATION.model_copy(update={"methods": names, "moments": 3})
    folder = evaluate(world, networks, tmp_path, section)
    rows = {row["method"]: row for row in read_evaluation_table(folder / "table1.tsv")}
    assert tuple(rows) == names
    top1 = {name: float(row["top1"]) for name, row in rows.items()}
    assert top1["oracle"] == max(top1.values())
    assert top1["one_look_dense"] >= top1["dense"] + 5  # it sees through the adverts
    assert top1["ranked_dense"] >= top1["dense"] + 5
    assert top1["early_exit"] > top1["front"]
    picks = read_evaluation_table(folder / "picks.tsv")
    own = [method.name for method in METHODS if not method.paper]
    assert list(dict.fromkeys(row["method"] for row in picks)) == own
    of_one = [
        row for row in picks if row["method"] == "one_look_dense" and row["video"] == "test-000"
    ]
    moments = [int(row["moment"]) for row in of_one]
    assert len(moments) == 3
    assert moments == sorted(moments)
    assert 0 < sum(float(row["weight"]) for row in of_one) <= 1
    assert {row["weight"] for row in picks if row["method"] == "oracle"} == {""}
    cheap, whole = (
        float(rows[f"one_look_{how}"]["gmacs_per_video"]) for how in ("sparse", "dense")
    )
    assert cheap < 0.3 * whole
    assert read_evaluation_table(folder / "selection.tsv") == []  # no segments in this world


def test_selection_has_the_means_over_videos_with_segments_and_over_draws():
    """Moments 0 to 5 lie inside 0 to 4 s, and 19 and 20 inside 10 to 12 s."""
    here, nothing = Segment(0.0, 4.0, "a"), VideoCost(0, 0, 0)
    video = Video("v", "v.mp4", "test", ("a",), (here, Segment(10.0, 12.0, "a")))
    videos = [video, video._replace(segments=None), video._replace(segments=(here,))]
    one_row = np.ones((1, 1))
    by_method = {
        "random": [MethodPrediction(one_row, nothing, [[0, 30], [6, 19]])] * 3,
        "lstm": [MethodPrediction(one_row, nothing)] * 3,
    }
    (row,) = selection_quality_rows(videos, [40] * 3, by_method)
    # of the first video 1/2 and 1/2 are inside, of the last 1/2 and 0; hit are 1/2, 1/2, 1 and 0
    assert row == {
        "method": "random",
        "key_frame_rate": "37.50",
        "scene_hit_rate": "50.00",
        "picks": "2.00",
        "videos": "2",
    }


def test_evaluating_twice_gives_the_same_files(world, networks, evaluated, tmp_path):
    evaluate(world, networks, tmp_path)
    for name in OUTPUTS.values():
        assert (tmp_path / name).read_bytes() == (evaluated / name).read_bytes()


def test_trained_networks_are_recognised_by_their_content(world, networks, evaluated, tmp_path):
    shuffled = {}
    for model, path in reversed(networks.items()):
        shuffled[model] = tmp_path / f"not-{model}.pt"
        shuffled[model].write_bytes(path.read_bytes())
    evaluate(world, shuffled, tmp_path)
    for name in OUTPUTS.values():
        assert (tmp_path / name).read_bytes() == (evaluated / name).read_bytes()


def test_a_network_given_twice_or_missing_is_named(world, networks, tmp_path):
    with pytest.raises(BadInput, match=r"--trained: .*holds lstm"):
        evaluate(world, networks | {"again": networks["lstm"]}, tmp_path)
    fewer = {model: path for model, path in networks.items() if model != "lstm"}
    with pytest.raises(BadInput, match=r"--trained: .*expected lstm too"):
        evaluate(world, fewer, tmp_path)
    assert not list(tmp_path.glob("*.tsv"))


def test_a_prediction_that_is_not_finite_is_refused_with_method_and_video(
    world, networks, tmp_path, monkeypatch
):
    load = Features.load

    def spoilt(self, video):
        read = load(self, video)
        read.scores[:, 0] = np.nan
        return read

    monkeypatch.setattr(Features, "load", spoilt)
    with pytest.raises(BadInput, match=r"Random: video 'test-000': .* not finite"):
        evaluate(world, networks, tmp_path)


def test_features_without_scores_are_refused_before_anything_is_evaluated(
    world, networks, tmp_path
):
    stored, student = read_features(world.features), load_student(world.student)
    rows = [
        (video, replace(stored.load(video), scores=np.zeros((stored.moments(video), 0), "f4")))
        for video in stored.videos
    ]
    made_with = {"student": student.settings, "student_digest": digest_of(student)}
    shard = tmp_path / "features/shard-000"
    write_features(shard, rows, stored.classes, "float32", 256, made_with)
    complete_root(tmp_path / "features", [shard])
    with pytest.raises(BadInput, match=r"features: holds no class scores of moments"):
        evaluate(world, networks, tmp_path, features=tmp_path / "features")
    assert not list(tmp_path.glob("*.tsv"))


def test_a_skimmer_of_other_classes_is_refused(world, networks, tmp_path):
    widths = {"image": 16, "audio": 16}
    other = TrainedSkimmer(
        build("skimmer", widths, 2, 32, 16, feature_world.SKIMMER), "skimmer", ("a", "b"), 6
    )
    save_skimmer(tmp_path / "other.pt", other, widths, feature_world.SKIMMER)
    with pytest.raises(BadInput, match="trained on other classes"):
        evaluate(world, networks | {"skimmer": tmp_path / "other.pt"}, tmp_path)


def test_without_usable_test_videos_there_is_nothing_to_evaluate(world, networks, tmp_path):
    train = [
        video for video in read_videos(world.videos) if video.split != "test" or not video.usable
    ]
    write_videos(tmp_path / "videos.tsv", train)
    with pytest.raises(BadInput, match="no usable test videos"):
        evaluate(world, networks, tmp_path, videos=tmp_path / "videos.tsv")


def predictions_of(probabilities: np.ndarray) -> list[MethodPrediction]:
    return [MethodPrediction(row[None], VideoCost(1, 0, 1)) for row in probabilities]


@given(seed=st.integers(0, 99), unusable=st.lists(st.integers(0, 3), max_size=9))
@settings(max_examples=20)
def test_an_unusable_video_counts_as_wrong_and_as_probability_zero(seed, unusable):
    random = np.random.default_rng(seed)
    probabilities, labels = random.dirichlet(np.ones(4), 16), random.permutation(np.arange(16) % 4)
    row = table1_row(
        "m",
        predictions_of(probabilities),
        truth_of(labels, 4, tuple(unusable)),
        resamples(16, 0),
        [1.0] * 16,
    )
    right = (probabilities.argmax(1) == labels).sum()
    assert float(row["top1_all"]) == pytest.approx(100 * right / (16 + len(unusable)), abs=0.005)
    everything = np.vstack([probabilities, np.zeros((len(unusable), 4))])
    expected = average_precision_score(np.eye(4)[[*labels, *unusable]], everything, average="macro")
    assert float(row["map_all"]) == pytest.approx(100 * expected, abs=0.005)
    assert (row["videos"], row["videos_all"]) == ("16", str(16 + len(unusable)))
    if not unusable:
        assert (row["top1_all"], row["map_all"]) == (row["top1"], row["map"])


def test_classes_are_sorted_by_the_gain_of_ours_over_uniform():
    labels = np.array([0, 0, 1, 1, 2, 2])
    ours = np.eye(3)[[0, 0, 1, 0, 0, 0]][None] * 0.9 + 0.05
    uniform = np.eye(3)[[0, 0, 0, 0, 2, 0]][None] * 0.9 + 0.05
    rows = class_rows(ours, uniform, labels, ("a", "b", "c"))
    assert [row["class"] for row in rows] == ["b", "a", "c"]
    assert tuple(rows[0]) == BY_NAME["classes"].column_names
    assert [rows[0][key] for key in ("videos", "ours_top1", "uniform_top1", "gain_top1")] == [
        "2",
        "50.00",
        "0.00",
        "50.00",
    ]
    assert float(rows[0]["ours_ap"]) == pytest.approx(100 * (1 / 2 * 1 + 1 / 2 * 2 / 6), abs=0.005)
    assert float(rows[0]["uniform_ap"]) == pytest.approx(100 / 3, abs=0.005)
