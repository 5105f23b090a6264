"""Evaluation: metrics against scikit-learn, counted cost against known answers, every method, and
the two tables.
"""

import math
from pathlib import Path

import feature_world
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, top_k_accuracy_score

from l2l import config
from l2l.errors import BadInput
from l2l.evaluation.artifact import (
    CLIP_COLUMNS,
    PREDICTION_COLUMNS,
    SELECTION_COLUMNS,
    TABLE1_COLUMNS,
)
from l2l.evaluation.clips import fit_head, student_scores
from l2l.evaluation.cost import Prices, count_macs, pair_macs
from l2l.evaluation.intervals import resamples
from l2l.evaluation.methods import METHODS, PICKS, Answer, answers, most_confident, random_draws
from l2l.evaluation.metrics import average_precision, mean_average_precision, top1, top_k
from l2l.evaluation.scores import Truth, table1_row
from l2l.evaluation.stage import evaluate_clips, evaluate_videos
from l2l.features.artifact import VideoFeatures, read_features
from l2l.manifest.artifact import Segment, Video, read_videos, write_videos
from l2l.media.artifact import read_media, write_media
from l2l.media.decoded import Decoded
from l2l.media.examples import Example
from l2l.media.pictures import EncodedPictures
from l2l.mels.artifact import read_mels, write_mels
from l2l.shards import read_shards
from l2l.skimmer.artifact import MODELS, TrainedSkimmer, build, load_skimmer, save_skimmer
from l2l.skimmer.network import Skimmer
from l2l.skimmer.stage import train_skimmer
from l2l.stores import read_table
from l2l.student.artifact import load_student, save_student
from l2l.student.network import Student, frame_input, mel_input
from l2l.teacher.artifact import ClipDescriptors, read_descriptors, save_teacher, write_descriptors
from l2l.teacher.network import R2Plus1D

EVALUATION = config.EvaluationConfig(random_draws=3)

# ---- metrics -------------------------------------------------------------------------------------

scores_and_truth = st.integers(1, 40).flatmap(
    lambda n: st.tuples(
        arrays(np.float64, n, elements=st.integers(0, 9).map(float)), arrays(bool, n)
    )
)


@given(drawn=scores_and_truth)
def test_average_precision_is_scikit_learns_with_equal_scores_too(drawn):
    scores, positive = drawn
    if not positive.any():
        with pytest.raises(ValueError, match="at least one positive"):
            average_precision(scores, positive)
    else:
        assert average_precision(scores, positive) == pytest.approx(
            average_precision_score(positive, scores), abs=1e-12
        )


def test_average_precision_of_a_worked_example():
    """Right, wrong, right: precision 1 at recall 1/2, and 2/3 at recall 1."""
    assert average_precision(
        np.array([0.9, 0.8, 0.1]), np.array([True, False, True])
    ) == pytest.approx((1 + 2 / 3) / 2)


@given(seed=st.integers(0, 999), videos=st.integers(8, 60))
@settings(max_examples=50)
def test_the_metrics_of_a_table_are_scikit_learns(seed, videos):
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


def test_a_class_without_videos_has_no_part_in_the_mean():
    probabilities = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1]])
    assert mean_average_precision(probabilities, np.array([0, 1])) == 1.0


def test_of_equally_probable_classes_the_first_is_the_answer():
    equal = np.full((3, 3), 1 / 3)
    assert [top1(equal, np.full(3, label)) for label in range(3)] == [1, 0, 0]


# ---- cost ----------------------------------------------------------------------------------------


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
def test_skimming_220_moments_costs_what_is_published_less_what_is_not_done(steps, published):
    """The public code asks a last query whose answer it drops, classifies each step, and weighs
    each bank once a query.
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
    looking = (
        2 * 220 * 512 + 2 * 220
    )  # both banks weighed by the weights summed over queries; that sum
    assert counted == keys + steps * psi + (steps - 1) * (asking + looking) + classifier
    in_public_code = keys + steps * (psi + asking + 4 * 220 * 512 + 1024 * 200) + classifier
    assert round(in_public_code / 1e9, 3) == published


def test_the_full_size_students_pair_costs_what_is_published():
    """1.098 GMAC: image stream .4848, audio stream with stride 1 .6119, Psi and a classifier of
    200.
    """
    student = Student(("image", "audio"), 200).eval()
    student.settings = {"frame_pixels": 112, "mels": config.MelsConfig().model_dump()}
    assert pair_macs(student) / 1e9 == pytest.approx(1.098, abs=5e-4)


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> feature_world.World:
    return feature_world.make_world(tmp_path_factory.mktemp("world"), train=64, val=0, test=24)


@pytest.fixture(scope="module")
def networks(world, tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("networks")
    for model in MODELS:
        train_skimmer(
            world.student,
            world.videos,
            world.features,
            folder / f"{model}.pt",
            feature_world.SKIMMER,
            model,
            seed=0,
        )
    return {model: folder / f"{model}.pt" for model in MODELS}


@pytest.fixture(scope="module")
def fitted(networks) -> dict[str, TrainedSkimmer]:
    return {model: load_skimmer(path) for model, path in networks.items()}


def test_a_moments_price_is_its_features_and_its_scores(world, fitted):
    student = load_student(world.student)
    prices = Prices(student, fitted)
    assert prices.features_macs + prices.scores_macs == pair_macs(student)
    assert prices.scores_macs == 32 * 32 + 32 * 16 + 16 * 6


def test_a_networks_price_is_that_of_the_call_and_grows_with_the_video(world, fitted):
    prices = Prices(load_student(world.student), fitted)
    features, present = (
        {m: torch.randn(1, 9, 16) for m in ("image", "audio")},
        torch.ones(1, 9, dtype=torch.bool),
    )
    for model, network in fitted.items():
        assert prices.network_macs(model, 9) == count_macs(
            lambda n=network: n.scores(features, present)
        )
        assert prices.network_macs(model, 30) > prices.network_macs(model, 9)


# ---- methods -------------------------------------------------------------------------------------


@given(count=st.integers(1, 300), moments=st.integers(1, 20), method=st.sampled_from(sorted(PICKS)))
def test_a_pick_is_of_the_videos_moments_in_order_each_once_and_as_many_as_there_are(
    count, moments, method
):
    picked = PICKS[method](count, moments)
    assert picked == sorted(set(picked))
    assert set(picked) <= set(range(count))
    assert len(picked) == min(count, moments)


def test_picks_of_a_video_of_forty_moments():
    assert PICKS["uniform"](40, 4) == [5, 15, 25, 35]
    assert PICKS["front"](40, 4) == [0, 1, 2, 3]
    assert PICKS["center"](40, 4) == [18, 19, 20, 21]
    assert PICKS["end"](40, 4) == [36, 37, 38, 39]


@given(count=st.integers(1, 60), seed=st.integers(0, 9))
def test_random_draws_are_of_distinct_moments_and_the_same_every_time(count, seed):
    draws = random_draws(count, 10, 5, "a video", seed)
    assert all(len(set(d)) == min(count, 10) and set(d) <= set(range(count)) for d in draws)
    assert draws == random_draws(count, 10, 5, "a video", seed)


def test_random_draws_differ_by_draw_video_and_seed_and_reach_every_moment():
    draws = random_draws(50, 10, 100, "a video", 0)
    assert set().union(*draws) == set(range(50))
    assert draws[0] != draws[1]
    assert draws != random_draws(50, 10, 100, "another", 0)
    assert draws != random_draws(50, 10, 100, "a video", 1)


def test_scsampler_takes_the_moments_with_the_largest_probability_of_any_class():
    probabilities = np.array([[0.5, 0.5], [0.1, 0.9], [0.8, 0.2], [0.45, 0.55]])
    assert most_confident(probabilities, 2) == [1, 2]


def a_video(count: int, seed: int = 0) -> VideoFeatures:
    random = np.random.default_rng(seed)
    features = {m: random.normal(size=(count, 16)).astype(np.float32) for m in ("image", "audio")}
    scores = random.normal(size=(count, 6)).astype(np.float32)
    return VideoFeatures(features, np.zeros((count, 16), np.float32), scores, np.ones(count, bool))


@pytest.fixture(scope="module")
def prices(world, fitted) -> Prices:
    return Prices(load_student(world.student), fitted)


@pytest.mark.parametrize("count", [1, 4, 10, 37])
def test_every_method_answers_for_a_video_of_any_length(fitted, prices, count):
    read = a_video(count)
    found = answers("v", read, fitted, prices, EVALUATION, 0)
    assert tuple(found) == METHODS
    for method, answer in found.items():
        assert answer.probabilities.shape == (3 if method == "random" else 1, 6)
        np.testing.assert_allclose(answer.probabilities.sum(1), 1)
    pair, features_macs = prices.features_macs + prices.scores_macs, prices.features_macs
    for method in ("random", "uniform", "front", "center", "end"):
        assert (found[method].moments, found[method].macs) == (
            min(count, 10),
            min(count, 10) * pair,
        )
    reads = math.ceil(count / 5)
    expected = {
        "scsampler": (count, count * pair, count * pair),
        "dense": (count, count * pair, 0),
        "lstm": (count, count * features_macs + prices.network_macs("lstm", count), 0),
        "non_recurrent": (
            count,
            count * features_macs + prices.network_macs("non_recurrent", count),
            0,
        ),
        "ours_sparse": (
            reads,
            reads * features_macs + prices.network_macs("skimmer", count),
            reads * features_macs,
        ),
        "ours_dense": (
            count,
            count * features_macs + prices.network_macs("skimmer", count),
            count * features_macs,
        ),
    }
    for method, price in expected.items():
        assert (found[method].moments, found[method].macs, found[method].index_macs) == price


def test_a_video_of_ten_moments_or_fewer_is_the_same_to_all_who_average_ten(fitted, prices):
    for count in (1, 7, 10):
        found = answers("v", a_video(count), fitted, prices, EVALUATION, 0)
        for method in ("random", "uniform", "front", "center", "end", "scsampler"):
            for draw in found[method].probabilities:
                np.testing.assert_allclose(draw, found["dense"].probabilities[0], atol=1e-12)


def test_dense_is_the_mean_of_class_probabilities_and_not_of_scores(fitted, prices):
    read = a_video(12)
    expected = np.mean([np.exp(s) / np.exp(s).sum() for s in read.scores.astype(np.float64)], 0)
    np.testing.assert_allclose(
        answers("v", read, fitted, prices, EVALUATION, 0)["dense"].probabilities[0], expected
    )


def test_reading_sparsely_changes_nothing_where_features_do_not_change(fitted, prices):
    read = a_video(1)
    still = VideoFeatures(
        {m: x.repeat(23, 0) for m, x in read.features.items()},
        read.fused,
        read.scores,
        np.ones(23, bool),
    )
    still = VideoFeatures(
        still.features, read.fused.repeat(23, 0), read.scores.repeat(23, 0), still.has_sound
    )
    found = answers("v", still, fitted, prices, EVALUATION, 0)
    np.testing.assert_allclose(
        found["ours_sparse"].probabilities, found["ours_dense"].probabilities, atol=1e-9
    )


def test_sparse_reading_looks_at_no_feature_between_the_moments_read(fitted, prices):
    read = a_video(23)
    spoilt = {m: x.copy() for m, x in read.features.items()}
    for x in spoilt.values():
        x[np.arange(23) % 5 != 0] = np.nan
    found = answers(
        "v",
        VideoFeatures(spoilt, read.fused, read.scores, read.has_sound),
        fitted,
        prices,
        EVALUATION,
        0,
    )
    expected = answers("v", read, fitted, prices, EVALUATION, 0)
    np.testing.assert_array_equal(
        found["ours_sparse"].probabilities, expected["ours_sparse"].probabilities
    )
    assert np.isnan(found["ours_dense"].probabilities).all()


# ---- whole videos --------------------------------------------------------------------------------


def evaluate(world, networks: dict[str, Path], folder: Path, **changed: Path) -> Path:
    paths = {
        "student": world.student,
        "videos": world.videos,
        "features": world.features,
        **networks,
        **changed,
    }
    outputs = {
        name: folder / f"{name}.tsv" for name in ("table", "classes", "predictions", "selections")
    }
    evaluate_videos(**paths, **outputs, config=EVALUATION, seed=0)
    return folder


@pytest.fixture(scope="module")
def evaluated(world, networks, tmp_path_factory) -> Path:
    return evaluate(world, networks, tmp_path_factory.mktemp("evaluated"))


def test_table1_has_a_row_a_method_and_ours_beats_the_mean_of_all_moments(evaluated):
    rows = {row["method"]: row for row in read_table(evaluated / "table.tsv", TABLE1_COLUMNS)}
    assert tuple(rows) == METHODS
    assert float(rows["ours_dense"]["top1"]) >= float(rows["dense"]["top1"]) + 5
    sparse, dense = (
        float(rows[f"ours_{how}"]["index_gmacs_per_video"]) for how in ("sparse", "dense")
    )
    assert 0 < sparse <= 0.3 * dense
    assert 0 < float(rows["uniform"]["gmacs_per_video"]) < float(rows["dense"]["gmacs_per_video"])


def test_table1_is_what_the_predictions_say(world, evaluated):
    predictions = read_table(evaluated / "predictions.tsv", PREDICTION_COLUMNS)
    rows = {row["method"]: row for row in read_table(evaluated / "table.tsv", TABLE1_COLUMNS)}
    test = [
        video.video for video in read_videos(world.videos) if video.split == "test" and video.usable
    ]
    for method in set(METHODS) - {"random"}:  # whose figures are means over draws
        said = [p for p in predictions if p["method"] == method]
        assert [p["video"] for p in said] == test
        right = np.mean([p["predicted"] == p["label"] for p in said])
        assert float(rows[method]["top1"]) == pytest.approx(100 * right, abs=0.005)


def truth(labels: np.ndarray, classes: int, lost: tuple[int, ...] = ()) -> Truth:
    """Each video with its one label."""
    return Truth(labels, np.eye(classes, dtype=bool)[labels], np.array(lost, np.int64))


def test_randoms_figures_are_means_over_draws_and_not_those_of_the_mean():
    """Two draws, each wrong on another of two videos.

    Half right each time, though their mean is right on both.
    """
    first = np.array([[0.2, 0.8], [0.99, 0.01]])  # a video of class 0, by draw
    second = np.array([[0.3, 0.7], [0.6, 0.4]])  # one of class 1
    row = table1_row(
        "random",
        [Answer(first, 10, 3), Answer(second, 10, 5)],
        truth(np.array([0, 1]), 2),
        resamples(2, 0),
    )
    assert row["top1"] == "50.00"
    assert row["map"] == "75.00"  # 50 and 100; the mean of the draws would have 100 of both
    assert float(row["gmacs_per_video"]) == 4e-9


def test_selections_are_the_skimmers_by_step_and_modality(world, fitted, evaluated):
    rows = [
        row
        for row in read_table(evaluated / "selections.tsv", SELECTION_COLUMNS)
        if row["video"] == "test-001"
    ]
    read = read_features(world.features).load("test-001")
    features = {m: torch.from_numpy(x)[None] for m, x in read.features.items()}
    with torch.no_grad():
        skimming = fitted["skimmer"].network(
            features, torch.ones(1, len(read), dtype=torch.bool), 6
        )
    expected = [
        (step + 1, m, int(skimming.selected[0, step, i]))
        for step in range(5)
        for i, m in enumerate(("image", "audio"))
    ]
    assert [(int(row["step"]), row["modality"], int(row["moment"])) for row in rows] == expected
    assert {int(row["moments"]) for row in rows} == {len(read)}
    assert sum(float(row["modality_score"]) for row in rows) == pytest.approx(5, abs=1e-4)


def test_evaluating_twice_gives_the_same_files(world, networks, evaluated, tmp_path):
    evaluate(world, networks, tmp_path)
    for name in ("table.tsv", "classes.tsv", "predictions.tsv", "selections.tsv"):
        assert (tmp_path / name).read_bytes() == (evaluated / name).read_bytes()


def test_a_baseline_in_the_skimmers_place_is_refused(world, networks, tmp_path):
    with pytest.raises(BadInput, match="found lstm, expected skimmer"):
        evaluate(world, networks, tmp_path, skimmer=networks["lstm"])
    assert not list(tmp_path.glob("*.tsv"))


def test_a_skimmer_of_other_classes_is_refused(world, networks, tmp_path):
    widths = {"image": 16, "audio": 16}
    other = TrainedSkimmer(
        build("skimmer", widths, 2, 32, 16, feature_world.SKIMMER), "skimmer", ("a", "b"), 6
    )
    save_skimmer(tmp_path / "other.pt", other, widths, feature_world.SKIMMER)
    with pytest.raises(BadInput, match="fitted on other classes"):
        evaluate(world, networks, tmp_path, skimmer=tmp_path / "other.pt")


def test_without_usable_test_videos_there_is_nothing_to_evaluate(world, networks, tmp_path):
    train = [
        video for video in read_videos(world.videos) if video.split != "test" or not video.usable
    ]
    write_videos(tmp_path / "videos.tsv", train)
    with pytest.raises(BadInput, match="no usable test videos"):
        evaluate(world, networks, tmp_path, videos=tmp_path / "videos.tsv")


# ---- single clips --------------------------------------------------------------------------------
TARGET = ("jump", "spin")
CLIP_VIDEOS = (  # moments, and where the action is, in seconds; nowhere: everywhere
    (Video("train-a", "a.mp4", "train", ("jump",)), 9),
    (Video("train-b", "b.mp4", "train", ("spin",)), 8),
    (Video("test-a", "c.mp4", "test", ("jump",), (Segment(1.0, 3.2, "jump"),)), 9),
    (Video("test-b", "d.mp4", "test", ("spin",), status="no_audio"), 5),
    (Video("test-c", "e.mp4", "test", ("spin",), status="corrupt"), 0),
)
IDS = {video.video for video, count in CLIP_VIDEOS if count}
TEST_MOMENTS = [("test-a", k, 0) for k in (2, 3, 4)] + [
    ("test-b", k, 1) for k in range(5)
]  # wholly inside, and their class


@pytest.fixture
def clip_files(tmp_path) -> dict:
    """Media, mels, two students, a teacher of three classes and its descriptors, in two shards."""
    random = np.random.default_rng(0)
    grid = config.MediaConfig(resize_pixels=(32, 40), frame_pixels=32, jpeg_quality="lossless")
    files: dict = {
        "videos": tmp_path / "videos.tsv",
        "teacher": tmp_path / "teacher.pt",
        "media": [],
        "mels": [],
        "descriptors": [],
    }
    write_videos(files["videos"], [video for video, _ in CLIP_VIDEOS])
    teacher = R2Plus1D(3, (2, 2, 2, 4), (1, 1, 1, 1))
    save_teacher(files["teacher"], teacher, ["spin", "walk", "jump"], 32, 16)
    for shard in range(2):
        heard, described = {}, {}
        part = {name: tmp_path / f"{name}-{shard}.h5" for name in ("media", "mels", "descriptors")}
        with write_media(part["media"], grid, clips_stored=False) as writer:
            for video, count in CLIP_VIDEOS[shard::2]:
                if not count:
                    writer.add_unusable(video, "corrupt", "made so")
                    continue
                pictures = random.integers(0, 256, (count, 32, 32, 3), np.uint8)
                writer.add(
                    video,
                    Decoded(
                        "ok",
                        "",
                        16 * (count - 1) + 31,
                        16,
                        EncodedPictures.from_array(pictures),
                        np.zeros(0, np.int16),
                    ),
                )
                heard[video.video] = (
                    random.normal(size=(count, 101, 40)),
                    np.full(count, video.status == "ok"),
                )
                toward = {"jump": [0, 0, 1], "spin": [1, 0, 0]}[video.label]
                z = random.normal(size=(count, 4)) + 6 * np.array([*toward, 0])
                described[video.video] = ClipDescriptors(
                    np.arange(count), z, np.array([toward] * count, float)
                )
        write_mels(part["mels"], heard, config.MelsConfig(), (101, 40))
        write_descriptors(part["descriptors"], described, teacher, ["spin", "walk", "jump"])
        for name, path in part.items():
            files[name].append(path)
    files["students"] = [tmp_path / "image.pt", tmp_path / "image-audio.pt"]
    for path, modalities in zip(files["students"], (("image",), ("image", "audio")), strict=True):
        torch.manual_seed(len(modalities))
        student = Student(modalities, 2, 16, (4, 4, 4, 16), (4, 4, 4, 16), (1, 1, 1, 1))
        section = feature_world.STUDENT.model_copy(update={"modalities": modalities})
        save_student(
            path,
            student,
            section,
            TARGET,
            distilled=len(modalities) == 2,
            media=grid,
            mels=config.MelsConfig(),
        )
    return files


def clip_rows(files: dict, folder: Path) -> list[dict[str, str]]:
    evaluate_clips(**files, table=folder / "clips.tsv", seed=0)
    return read_table(folder / "clips.tsv", CLIP_COLUMNS)


def one_by_one(student: Student, files: dict) -> np.ndarray:
    """A student's scores of the test moments, each alone."""
    scores = []
    with (
        read_shards(files["media"], read_media, IDS) as media,
        read_shards(files["mels"], read_mels, IDS) as mels,
        torch.no_grad(),
    ):
        for video, moment, _ in TEST_MOMENTS:
            frame = frame_input(torch.from_numpy(media[video].frame(video, moment))[None])
            mel = mel_input(
                torch.from_numpy(mels[video].mel(video, moment))[None], config.MelsConfig().floor
            )
            has_sound = torch.tensor([video == "test-a"])
            scores.append(student(frame, mel, has_sound)[1][0].numpy())
    return np.array(scores)


def test_a_students_scores_of_many_moments_are_those_of_each_alone_and_deaf_where_there_is_no_sound(
    clip_files,
):
    student = load_student(clip_files["students"][1])
    student.settings["config"]["batch_moments"] = 3
    examples = [Example(*moment) for moment in TEST_MOMENTS]
    with (
        read_shards(clip_files["media"], read_media, IDS) as media,
        read_shards(clip_files["mels"], read_mels, IDS) as mels,
    ):
        scores = student_scores(student, examples, media, mels, torch.device("cpu"))
    np.testing.assert_allclose(scores, one_by_one(student, clip_files), atol=1e-5)


def test_the_clip_table_has_the_teacher_first_and_each_student_on_the_same_moments(
    clip_files, tmp_path
):
    rows = clip_rows(clip_files, tmp_path)
    assert [(row["model"], row["modalities"], row["distilled"]) for row in rows] == [
        ("teacher", "", ""),
        ("student", "image", "no"),
        ("student", "image-audio", "yes"),
    ]
    assert float(rows[0]["top1"]) == 100  # its own scores point at the right name
    labels = np.array([label for *_, label in TEST_MOMENTS])
    for row, path in zip(rows[1:], clip_files["students"], strict=True):
        student = load_student(path)
        right = (one_by_one(student, clip_files).argmax(1) == labels).mean()
        assert float(row["top1"]) == pytest.approx(100 * right, abs=0.005)
        assert float(row["gmacs_per_clip"]) == pytest.approx(pair_macs(student) / 1e9, rel=1e-5)
    assert float(rows[1]["gmacs_per_clip"]) < float(rows[2]["gmacs_per_clip"])


def test_a_teacher_of_other_classes_gets_a_linear_classifier_of_its_descriptors(
    clip_files, tmp_path
):
    teacher = R2Plus1D(3, (2, 2, 2, 4), (1, 1, 1, 1))
    own = clip_rows(clip_files, tmp_path)[0]
    save_teacher(clip_files["teacher"], teacher, ["crawl", "walk", "run"], 32, 16)
    row = clip_rows(clip_files, tmp_path)[0]
    assert float(row["top1"]) == 100  # descriptors of the two classes are far apart
    fewer = 4 * (3 - 2) / 1e9  # the classifier of 4 numbers has 2 classes, not 3
    assert float(row["gmacs_per_clip"]) == pytest.approx(
        float(own["gmacs_per_clip"]) - fewer, rel=1e-5
    )


def test_a_moment_the_teacher_was_not_asked_about_is_named(clip_files, tmp_path):
    teacher = R2Plus1D(3, (2, 2, 2, 4), (1, 1, 1, 1))
    for path in clip_files["descriptors"]:
        with read_descriptors(path) as shard:
            some = dict.fromkeys(
                shard.videos, ClipDescriptors(np.arange(3), np.zeros((3, 4)), np.zeros((3, 3)))
            )
        write_descriptors(path, some, teacher, ["spin", "walk", "jump"])
    with pytest.raises(BadInput, match="lack moment 3 of video 'test-a'"):
        clip_rows(clip_files, tmp_path)


def test_a_student_of_other_classes_is_refused(clip_files, tmp_path):
    other = Video("x", "x.mp4", "train", ("fly",), status="corrupt")
    write_videos(clip_files["videos"], [*(video for video, _ in CLIP_VIDEOS), other])
    with pytest.raises(BadInput, match="fine-tuned on other classes"):
        clip_rows(clip_files, tmp_path)


def test_the_linear_classifier_is_scikit_learns_logistic_regression():
    random = np.random.default_rng(0)
    labels = random.integers(3, size=200)
    descriptors = (
        random.normal(size=(200, 5)) * [1, 10, 0.1, 1, 1] + labels[:, None] * [1, 0, 0.1, 0, 5]
    ).astype(np.float32)
    head = fit_head(descriptors, labels, 3)
    scaled = (descriptors - descriptors.mean(0)) / descriptors.std(0)
    theirs = (
        LogisticRegression(C=1 / (2 * 200 * 1e-4), max_iter=1000, tol=1e-10)
        .fit(scaled, labels)
        .predict_proba(scaled)
    )
    with torch.no_grad():
        ours = head(torch.from_numpy(descriptors)).softmax(1).numpy()
    np.testing.assert_allclose(ours, theirs, atol=2e-3)
