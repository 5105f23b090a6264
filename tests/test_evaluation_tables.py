"""What the tables say: mAP in both definitions, intervals, lost videos, factors and steps, others'
points, where sound helps.
"""

from pathlib import Path

import feature_world
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import average_precision_score

from l2l import config
from l2l.errors import BadInput
from l2l.evaluation.artifact import (
    AUDIO_COLUMNS,
    CLASS_COLUMNS,
    FRONTIER_COLUMNS,
    TABLE1_COLUMNS,
    TRADEOFF_COLUMNS,
)
from l2l.evaluation.cost import Prices, count_macs
from l2l.evaluation.frontier import frontier_rows
from l2l.evaluation.intervals import (
    RESAMPLES,
    interval,
    resampled_average_precisions,
    resampled_mean_average_precisions,
    resamples,
)
from l2l.evaluation.methods import Answer, class_probabilities
from l2l.evaluation.metrics import (
    average_precision,
    interpolated_average_precision,
    interpolated_mean_average_precision,
    mean_average_precision,
)
from l2l.evaluation.scores import Truth, class_rows, clip_row, table1_row
from l2l.evaluation.stage import evaluate_audio, evaluate_tradeoff, evaluate_videos
from l2l.evaluation.tradeoff import scores_at_stops, tradeoff_rows
from l2l.features.artifact import read_features
from l2l.manifest.artifact import Video, read_videos, write_videos
from l2l.media.artifact import write_media
from l2l.media.decoded import Decoded
from l2l.media.pictures import EncodedPictures
from l2l.mels.artifact import write_mels
from l2l.skimmer.artifact import MODELS, TrainedSkimmer, build, load_skimmer, save_skimmer
from l2l.skimmer.network import Skimmer
from l2l.skimmer.sparse import read_sparsely
from l2l.stores import read_table, write_table
from l2l.student.artifact import load_student, save_student
from l2l.student.network import Student, frame_input, mel_input
from l2l.teacher.artifact import ClipDescriptors, write_descriptors
from l2l.teacher.network import R2Plus1D
from l2l.tools.study import summarise_study

# ---- mean average precision, both definitions ----------------------------------------------------


def as_activitynet_has_it(scores: np.ndarray, positive: np.ndarray) -> float:
    """Its definition in plain loops.

    Sort by score, precision and recall after each video, precision monotone from the right.
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
def test_interpolated_average_precision_is_activitynets(positive, seed):
    scores = np.random.default_rng(seed).permutation(len(positive)).astype(float)
    assert interpolated_average_precision(scores, positive) == pytest.approx(
        as_activitynet_has_it(scores, positive), abs=1e-12
    )


def test_interpolated_average_precision_of_a_worked_example():
    """Right, wrong, right, right, wrong: precision 1, 1/2, 2/3, 3/4, 3/5.

    From the right no less than 1, 3/4, 3/4, 3/4, 3/5.
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
def test_interpolating_never_lowers_and_the_order_of_the_videos_plays_no_part(drawn, seed):
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

    Of class 0 it comes last of two, of class 1 first.
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
def test_average_precision_of_a_resample_is_that_of_its_videos_written_out(drawn):
    scores, positive, counts = drawn
    for found, count in zip(
        resampled_average_precisions(counts, scores, positive), counts, strict=True
    ):
        written_out = np.repeat(positive, count)
        if written_out.any():
            assert found == pytest.approx(
                average_precision_score(written_out, np.repeat(scores, count)), abs=1e-12
            )
        else:
            assert np.isnan(found)


def test_resamples_are_of_as_many_videos_and_the_same_for_a_seed():
    counts = resamples(50, 1)
    assert counts.shape == (RESAMPLES, 50)
    assert set(counts.sum(1)) == {50}
    assert counts.mean(0) == pytest.approx(1, abs=0.2)
    np.testing.assert_array_equal(counts, resamples(50, 1))
    assert (counts != resamples(50, 2)).any()


def test_the_interval_of_an_accuracy_is_as_wide_as_its_binomial_says():
    labels = np.arange(400) % 2
    row = table1_row(
        "m", [Answer(np.array([[0.6, 0.4]]), 1, 1)] * 400, a_truth(labels, 2), resamples(400, 0)
    )
    assert (row["top1"], row["videos"]) == ("50.00", "400")
    low, high = float(row["top1_low"]), float(row["top1_high"])
    assert low == pytest.approx(50 - 4.9, abs=0.7)  # 1.96 sqrt(1/4 / 400)
    assert high == pytest.approx(50 + 4.9, abs=0.7)


@given(seed=st.integers(0, 99))
@settings(max_examples=10)
def test_an_interval_of_mean_average_precision_holds_the_figure(seed):
    random = np.random.default_rng(seed)
    probabilities, labels = random.dirichlet(np.ones(8), 40), random.permutation(np.arange(40) % 8)
    figure = mean_average_precision(probabilities, labels)
    low, high = interval(
        resampled_mean_average_precisions(resamples(40, seed), probabilities, labels), figure
    )
    assert low < figure < high


def test_no_end_of_an_interval_is_below_nothing_or_above_all():
    assert interval(np.array([0.0, 0.1, 0.5]), 0.05) == (0, pytest.approx(0.3300, abs=1e-4))
    low, high = interval(np.array([0.5, 0.9, 1.0]), 0.95)
    assert 0 < low < high == 1


def test_clips_of_one_video_are_drawn_together():
    """Two videos of ten clips, all right and all wrong.

    A resample has 0, 50 or 100 %, and never what twenty clips would give.
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


# ---- videos that cannot be used, and classes -----------------------------------------------------


def a_truth(labels: np.ndarray, classes: int, lost: tuple[int, ...] = ()) -> Truth:
    return Truth(labels, np.eye(classes, dtype=bool)[labels], np.array(lost, np.int64))


def answers_of(probabilities: np.ndarray) -> list[Answer]:
    return [Answer(row[None], 1, 1) for row in probabilities]


@given(seed=st.integers(0, 99), lost=st.lists(st.integers(0, 3), max_size=9))
@settings(max_examples=20)
def test_a_video_that_is_lost_counts_as_wrong_and_as_probability_zero(seed, lost):
    random = np.random.default_rng(seed)
    probabilities, labels = random.dirichlet(np.ones(4), 16), random.permutation(np.arange(16) % 4)
    row = table1_row(
        "m", answers_of(probabilities), a_truth(labels, 4, tuple(lost)), resamples(16, 0)
    )
    right = (probabilities.argmax(1) == labels).sum()
    assert float(row["top1_all"]) == pytest.approx(100 * right / (16 + len(lost)), abs=0.005)
    everything = np.vstack([probabilities, np.zeros((len(lost), 4))])
    expected = average_precision_score(np.eye(4)[[*labels, *lost]], everything, average="macro")
    assert float(row["map_all"]) == pytest.approx(100 * expected, abs=0.005)
    assert (row["videos"], row["videos_all"]) == ("16", str(16 + len(lost)))
    if not lost:
        assert (row["top1_all"], row["map_all"]) == (row["top1"], row["map"])


def test_classes_come_by_what_ours_gains_over_uniform():
    labels = np.array([0, 0, 1, 1, 2, 2])
    ours = np.eye(3)[[0, 0, 1, 0, 0, 0]][None] * 0.9 + 0.05
    uniform = np.eye(3)[[0, 0, 0, 0, 2, 0]][None] * 0.9 + 0.05
    rows = class_rows(ours, uniform, labels, ("a", "b", "c"))
    assert [row["class"] for row in rows] == ["b", "a", "c"]
    assert tuple(rows[0]) == CLASS_COLUMNS
    assert [rows[0][key] for key in ("videos", "ours_top1", "uniform_top1", "gain_top1")] == [
        "2",
        "50.00",
        "0.00",
        "50.00",
    ]
    assert float(rows[0]["ours_ap"]) == pytest.approx(100 * (1 / 2 * 1 + 1 / 2 * 2 / 6), abs=0.005)
    assert float(rows[0]["uniform_ap"]) == pytest.approx(100 / 3, abs=0.005)


# ---- factors and steps ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> feature_world.World:
    return feature_world.make_world(tmp_path_factory.mktemp("world"), train=2, val=0, test=40)


@pytest.fixture(scope="module")
def networks(world, tmp_path_factory) -> dict[str, Path]:
    """Networks as they are drawn: what holds of them holds of fitted ones."""
    folder = tmp_path_factory.mktemp("networks")
    widths = {"image": 16, "audio": 16}
    for model in MODELS:
        torch.manual_seed(1)
        network = build(model, widths, 6, 32, 16, feature_world.SKIMMER)
        save_skimmer(
            folder / f"{model}.pt",
            TrainedSkimmer(network, model, feature_world.CLASSES, 6),
            widths,
            feature_world.SKIMMER,
        )
    return {model: folder / f"{model}.pt" for model in MODELS}


@pytest.fixture(scope="module")
def tables(world, networks, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("tables")
    files = {name: folder / f"{name}.tsv" for name in ("classes", "predictions", "selections")}
    same = {
        "student": world.student,
        "videos": world.videos,
        "features": world.features,
        "skimmer": networks["skimmer"],
    }
    rest = {"lstm": networks["lstm"], "non_recurrent": networks["non_recurrent"]}
    evaluate_videos(
        **same,
        **rest,
        table=folder / "table1.tsv",
        **files,
        config=config.EvaluationConfig(random_draws=2),
        seed=0,
    )
    out = {name: folder / f"{name}.tsv" for name in ("tradeoff", "frontier")}
    evaluate_tradeoff(**same, table1=folder / "table1.tsv", dataset="made", **out)
    return folder


@given(seed=st.integers(0, 99), moments=st.integers(1, 12))
@settings(max_examples=10)
def test_stopping_after_a_step_is_skimming_in_so_many_steps(seed, moments):
    torch.manual_seed(seed)
    network = Skimmer({"image": 4, "audio": 4}, 3, 8, 8, 16, 4, 8).eval()
    features = {m: torch.randn(2, moments, 4) for m in ("image", "audio")}
    present = torch.ones(2, moments, dtype=torch.bool)
    with torch.no_grad():
        stops = network.stops(network(features, present, 7))
        for steps in range(1, 8):
            torch.testing.assert_close(
                stops[:, steps - 1], network(features, present, steps).logits, atol=1e-6, rtol=1e-6
            )


def test_what_is_said_at_each_factor_and_step_is_what_a_video_alone_gets(world, networks):
    fitted, bank = load_skimmer(networks["skimmer"]), read_features(world.features)
    videos = ["test-000", "test-001", "test-039"]
    said = scores_at_stops(fitted, bank, videos, (1, 4))
    for v, video in enumerate(videos):
        read = bank.load(video).features
        for f, factor in enumerate((1, 4)):
            features = {
                m: read_sparsely(torch.from_numpy(x), factor)[None] for m, x in read.items()
            }
            for steps in (1, 3, 6):
                with torch.no_grad():
                    logits = fitted.network(
                        features, torch.ones(1, len(features["image"][0]), dtype=torch.bool), steps
                    ).logits
                np.testing.assert_allclose(said[f, steps - 1, v], logits[0].numpy(), atol=1e-5)


def test_as_many_factors_at_once_as_there_is_memory_for_say_the_same(world, networks, monkeypatch):
    fitted, bank = load_skimmer(networks["skimmer"]), read_features(world.features)
    videos, prices = (
        ["test-000", "test-001"],
        Prices(load_student(world.student), {"skimmer": fitted}),
    )
    at_once = []

    def scored(*given):
        at_once.append(len(given[-1]))
        return scores_at_stops(*given)

    monkeypatch.setattr("l2l.evaluation.tradeoff.scores_at_stops", scored)
    whole = tradeoff_rows(fitted, bank, videos, np.array([0, 1]), prices, range(1, 6))
    monkeypatch.setattr(
        "l2l.evaluation.tradeoff._KEPT_BYTES", 2 * 4 * 6 * len(videos) * len(feature_world.CLASSES)
    )
    assert tradeoff_rows(fitted, bank, videos, np.array([0, 1]), prices, range(1, 6)) == whole
    assert at_once == [5, 2, 2, 1]


def test_sure_answers_have_the_average_precision_of_table_1(world, networks, monkeypatch):
    """Logits 20 apart: in float32 their probabilities are all 1."""
    fitted, bank = load_skimmer(networks["skimmer"]), read_features(world.features)
    sure = np.zeros((1, 1, 3, 2), np.float32)
    sure[..., 0] = 30, 25, 20
    monkeypatch.setattr("l2l.evaluation.tradeoff.scores_at_stops", lambda *_: sure)
    labels, prices = np.array([0, 1, 1]), Prices(load_student(world.student), {"skimmer": fitted})
    (row,) = tradeoff_rows(fitted, bank, ["test-000", "test-001", "test-002"], labels, prices, (1,))
    assert (
        row["map"]
        == "100.00"
        == f"{100 * mean_average_precision(class_probabilities(sure[0, 0]), labels):.2f}"
    )


def test_the_tradeoff_has_every_factor_and_step_and_table_1s_figures_where_that_has_them(tables):
    rows = {
        (int(r["factor"]), int(r["steps"])): r
        for r in read_table(tables / "tradeoff.tsv", TRADEOFF_COLUMNS)
    }
    assert list(rows) == [(factor, steps) for factor in range(1, 21) for steps in range(1, 7)]
    table1 = {row["method"]: row for row in read_table(tables / "table1.tsv", TABLE1_COLUMNS)}
    for factor, method in ((1, "ours_dense"), (5, "ours_sparse")):
        for column in ("top1", "map", "gmacs_per_video", "moments"):
            assert rows[factor, 6][column] == table1[method][column]


def test_fewer_steps_and_fewer_moments_cost_less_and_what_is_counted(world, networks, tables):
    rows = {
        (int(r["factor"]), int(r["steps"])): float(r["gmacs_per_video"])
        for r in read_table(tables / "tradeoff.tsv", ())
    }
    assert all(
        rows[factor, steps] < rows[factor, steps + 1] for factor in (1, 20) for steps in range(1, 6)
    )
    assert all(rows[factor, 3] >= rows[factor + 1, 3] for factor in range(1, 20))
    fitted = load_skimmer(networks["skimmer"])
    prices = Prices(load_student(world.student), {"skimmer": fitted})
    features, present = (
        {m: torch.zeros(1, 9, 16) for m in ("image", "audio")},
        torch.ones(1, 9, dtype=torch.bool),
    )
    assert prices.network_macs("skimmer", 9, 2) == count_macs(
        lambda: fitted.network(features, present, 2)
    )


# ---- beside published systems --------------------------------------------------------------------


def test_the_frontier_has_the_runs_points_and_then_quoted_ones_each_with_its_source(tables):
    rows = read_table(tables / "frontier.tsv", FRONTIER_COLUMNS)
    own = [row for row in rows if row["quoted"] == "no"]
    assert own == rows[: len(own)]
    assert {row["method"] for row in own} == {"ours", "uniform", "dense", "scsampler"}
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
        {"factor": "2", "steps": str(k), "map": f"{k}.50", "gmacs_per_video": "9"} for k in (1, 2)
    ]
    own = [row for row in frontier_rows(table1, tradeoff, "image", "d") if row["quoted"] == "no"]
    points = [
        ("ours", "1", "1.50"),
        ("ours", "2", "2.50"),
        ("uniform", "", "1.00"),
        ("dense", "", "2.00"),
    ]
    assert [(row["method"], row["steps"], row["map"]) for row in own] == points


# ---- where sound helps ---------------------------------------------------------------------------


@pytest.fixture
def source(tmp_path) -> dict:
    """A source of four clips of one moment or two; the teacher says what the image-audio student
    says of `near` and what the image student says of `far`."""
    random = np.random.default_rng(0)
    videos = [
        Video(name, f"{name}.mp4", "test", (label,))
        for name, label in (("far", "spin"), ("near", "jump"))
    ]
    videos += [
        Video("seen", "s.mp4", "train", ("jump",)),
        Video("lost", "l.mp4", "test", ("spin",), status="corrupt"),
    ]
    files = {
        name: tmp_path / name
        for name in ("media", "mels", "descriptors", "videos", "image", "image_audio")
    }
    write_videos(files["videos"], videos)
    students = {}
    for name, modalities in (("image", ("image",)), ("image_audio", ("image", "audio"))):
        torch.manual_seed(len(modalities))
        student = Student(modalities, 3, 16, (4, 4, 4, 16), (4, 4, 4, 16), (1, 1, 1, 1))
        section = feature_world.STUDENT.model_copy(update={"modalities": modalities})
        save_student(
            files[name],
            student,
            section,
            ("x", "y", "z"),
            True,
            feature_world.MEDIA,
            config.MelsConfig(),
        )
        students[name] = load_student(files[name])
    pictures = {v.video: random.integers(0, 256, (2, 32, 32, 3), np.uint8) for v in videos[:3]}
    mels = {
        name: (random.normal(size=(2, 101, 40)).astype(np.float16), np.array([True, False]))
        for name in pictures
    }
    media = feature_world.MEDIA.model_copy(update={"jpeg_quality": "lossless"})
    with write_media(files["media"], media, clips_stored=False) as writer:
        for video in videos[:3]:
            writer.add(
                video,
                Decoded(
                    "ok",
                    "",
                    47,
                    16,
                    EncodedPictures.from_array(pictures[video.video]),
                    np.zeros(0, np.int16),
                ),
            )
        writer.add_unusable(videos[3], "corrupt", "made so")
    write_mels(files["mels"], mels, config.MelsConfig(), (101, 40))
    says = {}
    for name, imitated in (("far", "image"), ("near", "image_audio"), ("seen", "image")):
        heard, has_sound = mels[name]
        with torch.no_grad():
            mel = mel_input(torch.from_numpy(heard.astype(np.float32)), config.MelsConfig().floor)
            z, _ = students[imitated](
                frame_input(torch.from_numpy(pictures[name])), mel, torch.from_numpy(has_sound)
            )
        says[name] = ClipDescriptors(np.arange(2, dtype=np.int32), z.numpy(), np.zeros((2, 3)))
    teacher = R2Plus1D(3, (2, 2, 2, 16), (1, 1, 1, 1))
    write_descriptors(files["descriptors"], says, teacher, ["x", "y", "z"])
    return files


def rank(files: dict, folder: Path) -> list[dict[str, str]]:
    shards = {name: [files[name]] for name in ("media", "mels", "descriptors")}
    evaluate_audio(
        files["image"],
        files["image_audio"],
        videos=files["videos"],
        **shards,
        table=folder / "audio.tsv",
    )
    return read_table(folder / "audio.tsv", AUDIO_COLUMNS)


def test_clips_are_ranked_by_how_much_nearer_sound_brings_the_student_to_the_teacher(
    source, tmp_path
):
    rows = rank(source, tmp_path)
    assert [row["video"] for row in rows] == ["near", "near", "far", "far"]
    assert {(row["video"], row["label"]) for row in rows} == {("near", "jump"), ("far", "spin")}
    assert {(row["moment"], row["start_seconds"], row["has_sound"]) for row in rows} == {
        ("0", "0.000", "yes"),
        ("1", "0.533", "no"),
    }
    for row in rows:
        same = row["image_audio" if row["video"] == "near" else "image"]
        assert float(same) < 0.02 < abs(float(row["nearer"]))  # half precision
        assert float(row["nearer"]) == pytest.approx(
            float(row["image"]) - float(row["image_audio"]), abs=2e-4
        )


def test_a_source_without_test_videos_gives_its_val_clips_and_says_so(source, tmp_path):
    listed = [video for video in read_videos(source["videos"]) if video.video != "lost"]
    write_videos(
        source["videos"],
        [v._replace(split="val" if v.split == "test" else "train") for v in listed],
    )
    assert {row["split"] for row in rank(source, tmp_path)} == {"val"}
    write_videos(source["videos"], [v._replace(split="train") for v in listed])
    assert rank(source, tmp_path) == []


def test_a_student_that_knows_other_classes_than_the_teacher_or_other_senses_is_refused(
    source, tmp_path
):
    with pytest.raises(BadInput, match="a student of image-audio, expected image"):
        rank(source | {"image": source["image_audio"]}, tmp_path)
    section = feature_world.STUDENT.model_copy(update={"modalities": ("image",)})
    student = Student(("image",), 2, 16, (4, 4, 4, 16), (4, 4, 4, 16), (1, 1, 1, 1))
    save_student(
        source["image"],
        student,
        section,
        ("jump", "spin"),
        True,
        feature_world.MEDIA,
        config.MelsConfig(),
    )
    with pytest.raises(BadInput, match="not fine-tuned"):
        rank(source, tmp_path)


# ---- several seeds -------------------------------------------------------------------------------


def test_a_study_gives_mean_and_spread_of_every_figure_over_its_runs(tmp_path):
    for seed, top1 in enumerate((50.0, 60.0)):
        row = dict.fromkeys(TABLE1_COLUMNS, "1.0") | {"method": "ours_dense", "top1": str(top1)}
        write_table(tmp_path / f"t{seed}", TABLE1_COLUMNS, [row])
        clip = {
            "model": "teacher",
            "modalities": "",
            "distilled": "",
            "top1": str(top1),
            "gmacs_per_clip": "1",
        }
        write_table(tmp_path / f"c{seed}", tuple(clip), [clip])
    summarise_study(
        [tmp_path / "t0", tmp_path / "t1"],
        [tmp_path / "c0", tmp_path / "c1"],
        tmp_path / "t",
        tmp_path / "c",
    )
    (row,) = read_table(
        tmp_path / "t", ("map_interpolated_mean", "top1_all_std", "gmacs_per_video")
    )
    assert (row["top1_mean"], row["top1_std"], row["top1_min"], row["top1_max"]) == (
        "55.00",
        "7.07",
        "50.00",
        "60.00",
    )
    assert read_table(tmp_path / "c", ("top1_mean",))[0]["top1_mean"] == "55.00"
