"""A finished run on videos without labels: its answers, their cost, and what the stages write."""

import json
import os
import re
import shutil
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from media_files import make_video
from untrained_run import add_one_look, make_run
from workflow_runs import TINY

import l2l
from l2l.__main__ import main
from l2l.apply import networks
from l2l.apply.artifact import (
    ClassProbability,
    Prediction,
    SelectedMoment,
    prediction_columns,
    prediction_values,
    read_prediction,
    read_predictions,
    write_predictions,
)
from l2l.apply.cost import AnswerCost
from l2l.apply.predictor import Options, Predictor
from l2l.apply.reading import Request
from l2l.apply.stage import apply_videos, collect_predictions, write_predictions_page
from l2l.config import ApplyConfig, FeaturesConfig, ManifestConfig, read_config
from l2l.datasets import FolderDataset, TableDataset
from l2l.errors import BadInput
from l2l.evaluation.cost import CostModel
from l2l.evaluation.inputs import video_batch
from l2l.evaluation.videos.predictions import skim
from l2l.features.artifact import VideoFeatures, complete_root, read_features
from l2l.features.extract import extract_video_features
from l2l.manifest.artifact import UNLABELLED, read_videos
from l2l.manifest.listing import list_dataset
from l2l.manifest.probe import probe_files
from l2l.manifest.stage import list_videos
from l2l.media.artifact import read_media
from l2l.mels.artifact import read_mels
from l2l.run_record import update_record
from l2l.skimmer.artifact import load_skimmer
from l2l.skimmer.sparse import moments_read, span_middles
from l2l.stores import read_table
from l2l.student.artifact import load_student
from l2l.student.inference import StudentInference

SECONDS = {"b/long.mp4": 14.0, "a/short.mp4": 0.4, "mid.mp4": 6.1, "b/other.mp4": 3.0}


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    return make_run(tmp_path_factory.mktemp("untrained") / "run")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Videos of several lengths, one without sound, and files that are none."""
    folder = tmp_path_factory.mktemp("videos")
    for i, (name, seconds) in enumerate(SECONDS.items()):
        (folder / name).parent.mkdir(exist_ok=True)
        sound = f"0.3*sin({700 * i}*t)*sin({i}*t)" if i else None
        make_video(folder / name, seconds, sound=sound)
    (folder / "b/not.mp4").write_text("no video")
    (folder / "gone.mp4").symlink_to("nowhere.mp4")
    (folder / "notes.txt").write_text("no name of a video")
    return folder


@pytest.fixture(scope="module")
def paths(folder) -> list[Path]:
    return [folder / name for name in (*SECONDS, "b/not.mp4", "gone.mp4")]


@pytest.fixture(scope="module")
def predictor(run) -> Predictor:
    return l2l.load(run, threads=2)


@pytest.fixture(scope="module")
def dense(predictor, paths) -> list[Prediction]:
    return list(predictor.predict_many(paths))


@pytest.fixture(scope="module")
def requests(paths) -> list[Request]:
    return list(map(Request.of_file, paths, probe_files(paths)))


# ---- answers -------------------------------------------------------------------------------------


def test_an_answer_is_the_same_alone_in_any_order_and_between_any_others(predictor, paths, dense):
    assert sum(each.moments for each in dense) > 2 * predictor.networks.batch_moments
    assert [predictor.predict(path) for path in paths] == dense
    assert list(predictor.predict_many(paths[::-1]))[::-1] == dense
    assert list(predictor.predict_many(paths * 2)) == dense * 2


def test_features_have_the_same_bits_in_any_batch(predictor, requests):
    def features(order: list[Request]) -> dict[str, list[bytes]]:
        return {
            answer.prediction.video: [
                x.tobytes() for x in (*answer.features.features.values(), answer.features.scores)
            ]
            for answer in predictor.answers(order, Options())
        }

    together = features(requests)
    assert features(requests[::-1]) == together
    for request in requests:
        assert features([request]) == {request.video: together[request.video]}


def test_few_videos_wait_for_a_batch_and_the_answers_stay_the_same(
    predictor, requests, dense, monkeypatch
):
    """Also unusable ones behind one whose moments do not fill a batch."""
    short, unusable = requests[1], requests[-1]
    taken = []

    def order():
        for number, request in enumerate([short, *[unusable] * 20]):
            taken.append(number)
            yield request

    monkeypatch.setattr(networks, "MAX_WAITING", 4)
    answers = predictor.answers(order(), Options())
    assert next(answers).prediction == dense[1]
    assert len(taken) <= 4 + predictor._threads + 1
    assert [each.prediction for each in answers] == [dense[-1]] * 20
    monkeypatch.setattr(networks, "MAX_WAITING", 1)
    again = predictor.answers(requests, Options())
    assert [each.prediction for each in again] == dense


def test_an_answer_is_that_of_the_student_and_the_skimmer_on_the_whole_video(
    predictor, requests, dense, run
):
    student = load_student(run / "student/finetuned/image-audio-distilled.pt")
    trained = load_skimmer(run / "skimmer/skimmer.pt")
    for answer, prediction in zip(
        predictor.answers(requests[:3], Options()), dense[:3], strict=True
    ):
        read = answer.read
        moments = len(read.read)
        size = student.settings["config"]["batch_moments"]
        describe = StudentInference(student, torch.device("cpu"), size)
        features = extract_video_features(
            describe, read.frames(0, moments), read.mels, read.has_sound
        )
        output = skim(trained, read.video, features)
        probabilities = output.logits.softmax(1)[0]
        assert prediction.label == trained.class_names[int(probabilities.argmax())]
        assert prediction.probability == pytest.approx(float(probabilities.max()), abs=1e-4)
        first_look = [each.moment for each in prediction.selected if each.step == 1]
        assert first_look == output.selected[0, 0].tolist()


def test_with_a_factor_only_its_moments_are_read_and_the_others_interpolated(
    predictor, requests, run
):
    trained = load_skimmer(run / "skimmer/skimmer.pt")
    whole = {a.read.video: a for a in predictor.answers(requests[:4], Options())}
    for answer in predictor.answers(requests[:4], Options(factor=3)):
        dense, read = whole[answer.read.video], answer.read.read
        assert read == moments_read(answer.read.moments, 3)
        assert len(answer.read.decoded.pictures) == len(answer.read.mels) == len(read)
        for name, values in answer.features.features.items():
            np.testing.assert_array_equal(values, dense.features.features[name][read])
        features = VideoFeatures(
            dense.features.features,
            dense.features.fused,
            dense.features.scores,
            dense.read.has_sound,
        )
        with torch.inference_mode():
            output = trained.skim(*video_batch(trained, "v", features, factor=3))
        assert answer.prediction.probability == pytest.approx(
            float(output.logits.softmax(1).max()), abs=1e-5
        )
        assert answer.prediction.factor == 3
        assert answer.prediction.moments_read == len(read)


def test_fewer_steps_are_the_first_looks_of_more(run, paths, dense):
    brief = l2l.load(run, threads=1, steps=3).predict(paths[0])
    assert brief.steps == 3
    assert brief.selected == tuple(each for each in dense[0].selected if each.step <= 2)
    for steps in (0, 7):
        with pytest.raises(BadInput, match=rf"steps {steps}: expected 1 to 6"):
            l2l.load(run, steps=steps)


def test_the_cost_of_an_answer_is_what_its_calls_cost(run):
    student = load_student(run / "student/finetuned/image-audio-distilled.pt")
    trained = load_skimmer(run / "skimmer/skimmer.pt")
    for skimmer in (trained, replace(trained, steps=2)):
        cost, counted = AnswerCost(student, skimmer), CostModel(student)
        for moments, factor in ((1, 1), (2, 1), (7, 3), (26, 1), (40, 5), (41, 100)):
            assert cost.macs(moments, factor) == counted.network(skimmer, moments, factor).macs


def test_a_budget_takes_the_smallest_factor_that_is_within_it(predictor, paths, dense):
    cost, moments = predictor.networks.cost, dense[0].moments
    for budget in (0.003, 0.01, 0.02, 1.0):
        prediction = predictor.predict(paths[0], budget_gmacs=budget)
        assert prediction.gmacs <= budget
        factor = prediction.factor
        assert factor == 1 or cost.macs(moments, factor - 1) > budget * 1e9
    unaffordable = predictor.predict(paths[0], budget_gmacs=1e-6)
    assert (unaffordable.status, unaffordable.answered) == ("refused", False)
    assert "more than the budget" in unaffordable.reason


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ({"factor": 0}, "factor 0: expected 1 or more"),
        ({"top": 0}, "top 0: expected 1 or more"),
        ({"budget_gmacs": -1.0}, "budget_gmacs -1: expected a number above 0"),
        ({"budget_gmacs": 1.0, "factor": 2}, "give one of them"),
    ],
)
def test_a_number_that_makes_no_sense_is_refused(predictor, paths, wrong, line):
    with pytest.raises(BadInput, match=line):
        predictor.predict(paths[0], **wrong)


def test_files_that_cannot_be_used_have_a_status_and_a_reason_in_their_place(dense, paths):
    assert [each.video for each in dense] == list(map(str, paths))
    assert [each.status for each in dense] == [
        "no_audio",
        "too_short",
        "ok",
        "ok",
        "corrupt",
        "missing",
    ]
    assert all(each.reason and each.label is None for each in dense if not each.answered)
    assert [each.answered for each in dense] == [True] * 4 + [False] * 2


def test_an_answer_says_what_it_is(dense):
    for each in dense:
        assert each.video in repr(each)
        assert (each.label or each.status) in repr(each)
        assert read_prediction(json.loads(json.dumps(prediction_values(each)))) == each
    answer = dense[0]
    assert [c.probability for c in answer.classes] == sorted(
        (c.probability for c in answer.classes), reverse=True
    )
    assert len(answer.classes) == 5
    for selected in answer.selected:
        assert Fraction(selected.moment * 16, 30) == pytest.approx(selected.start_seconds, abs=1e-3)
        assert selected.end_seconds - selected.start_seconds == pytest.approx(16 / 30, abs=1.1e-3)
        assert selected.modality in repr(selected)
    assert answer.selected_seconds("audio") == []  # a video without sound
    assert answer.frame_timestamps == sorted(set(answer.selected_seconds("image")))


@pytest.mark.parametrize("missing", [".", "skimmer", "student"])
def test_a_run_that_is_missing_or_not_finished_is_one_line(tmp_path, run, paths, missing, capsys):
    other = tmp_path / "run"
    if missing != ".":
        kept = "student" if missing == "skimmer" else "skimmer"
        other.mkdir()
        (other / kept).symlink_to(run / kept)
    with pytest.raises(BadInput) as refused:
        l2l.load(other)
    assert str(other) in str(refused.value)
    assert main(["predict", str(paths[0]), "--run", str(other)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert str(other) in line


def test_predict_takes_folders_and_prints_what_python_returns(
    run, folder, predictor, dense, capsys
):
    assert main(["predict", str(folder), "--run", str(run), "--json", "--threads", "1"]) == 1
    printed = capsys.readouterr()
    answers = {each["video"]: each for each in map(json.loads, printed.out.splitlines())}
    left_out, scope = printed.err.splitlines()
    assert left_out.endswith(": not the name of a video, so it is left out")
    assert scope == (
        f"each answer is one of the {len(predictor.class_names)} classes of run {run.name}; a "
        "video of anything else is given one of these too"
    )
    assert set(answers) == {each.video for each in dense}
    for each in dense:
        values = answers[each.video]
        assert values.pop("label", None) == each.label
        assert values.pop("probability", None) == each.probability
        for modality in each.modalities:
            seconds = values.pop(f"{modality}_selected_seconds")
            assert seconds == each.selected_seconds(modality)
        assert read_prediction(values) == each


# ---- one look ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def looking(run, tmp_path_factory) -> Path:
    """The run, with a one look next to its skimmer."""
    folder = tmp_path_factory.mktemp("looking") / "run"
    shutil.copytree(run, folder)
    add_one_look(folder)
    return folder


@pytest.fixture(scope="module")
def look(looking) -> Predictor:
    return l2l.load(looking, threads=2, method="one_look")


@pytest.mark.parametrize("factor", [1, 3, 4])
def test_one_look_reads_the_middle_of_each_span_and_nothing_else(
    look, predictor, requests, looking, factor
):
    trained = load_skimmer(looking / "skimmer/one_look.pt")
    cost = CostModel(load_student(looking / "student/finetuned/image-audio-distilled.pt"))
    whole = {a.read.video: a for a in predictor.answers(requests[:4], Options())}
    for answer in look.answers(requests[:4], Options(factor=factor)):
        dense, read = whole[answer.read.video], answer.read.read
        moments, prediction = dense.read.moments, answer.prediction
        assert read == span_middles(moments, factor)
        assert len(answer.read.mels) == len(read)
        if factor > 1:
            assert answer.read.decoded.chosen.tolist() == read
        for name, values in answer.features.features.items():
            np.testing.assert_array_equal(values, dense.features.features[name][read])
        batch = {
            m: trained.read(torch.from_numpy(x), factor)[None]
            for m, x in dense.features.features.items()
        }
        with torch.inference_mode():
            output = trained.network(batch, torch.ones(1, len(read), dtype=torch.bool))
        probabilities = output.logits.softmax(1)[0]
        assert prediction.label == trained.class_names[int(probabilities.argmax())]
        assert prediction.probability == pytest.approx(float(probabilities.max()), abs=1e-5)
        weights = dict(zip(read, output.weights[0].tolist(), strict=True))
        largest = sorted(read, key=lambda k: -weights[k])[: trained.steps]
        assert [each.moment for each in prediction.selected] == largest
        assert [each.weight for each in prediction.selected] == pytest.approx(
            [weights[k] for k in largest], abs=1e-5
        )
        assert prediction.modalities == ("both",)
        assert prediction.frame_timestamps == sorted(prediction.selected_seconds("both"))
        assert (prediction.steps, prediction.moments_read) == (1, len(read))
        counted = cost.network(trained, moments, factor).macs
        assert prediction.gmacs == pytest.approx(counted / 1e9, abs=1e-6)


def test_one_look_answers_with_any_others_and_decodes_less(look, paths):
    sparse = list(look.predict_many(paths, factor=5))
    assert [look.predict(path, factor=5) for path in paths[2:4]] == sparse[2:4]
    cost, dense = look.networks.cost, look.predict(paths[2])
    assert sparse[2].decoded_pictures < dense.decoded_pictures
    within = look.predict(paths[2], budget_gmacs=dense.gmacs / 2)
    assert within.gmacs <= dense.gmacs / 2 < cost.macs(within.moments, within.factor - 1) / 1e9


def test_predict_by_one_look_says_which_moments_are_weighed_most(looking, run, paths, capsys):
    asked = ["predict", str(paths[2]), "--factor", "4", "--method", "one_look", "--run"]
    assert main([*asked, str(looking)]) == 0
    found = re.search(
        r"\) by one_look; moments weighed most at ([\d., ]+) s; ", capsys.readouterr().out
    )
    seconds = [float(each) for each in found[1].split(", ")]
    assert seconds == sorted(seconds)
    for words, line in (
        ([str(run)], f"{run}: found no one look (no {run}/skimmer/one_look.pt), expected one"),
        ([str(looking), "--steps", "3"], "steps 3: found with method one_look"),
    ):
        assert main([*asked, *words]) == 1
        (printed,) = capsys.readouterr().err.splitlines()
        assert line in printed


def test_predict_takes_the_name_of_a_row_of_table_1(looking, paths, tmp_path, capsys):
    shutil.copytree(looking, tmp_path / "run")
    config = read_config(TINY)
    update_record(tmp_path / "run", config)
    factor = str(config.evaluation.sparse_factor)
    asked = ["predict", str(paths[2]), "--json", "--run", str(tmp_path / "run"), "--method"]
    for row, network, read in (
        ("one_look_sparse", "one_look", factor),
        ("ours_dense", "ours", "1"),
    ):
        assert main([*asked, row]) == 0
        answer = capsys.readouterr().out
        assert main([*asked, network, "--factor", read]) == 0
        assert capsys.readouterr().out == answer
    assert main([*asked, "ours_sparse", "--factor", "3"]) == 1
    assert "this row of Table 1 sets itself; give --method ours" in capsys.readouterr().err


def test_a_data_set_is_answered_by_one_look(manifest, looking, tmp_path):
    config = ApplyConfig(method="one_look", factor=3, film_strips=2, pictures=3)
    shards, videos = applied(manifest, looking, tmp_path, config), manifest / "videos.tsv"
    answers = [each for path in shards for each in read_predictions(path) if each.answered]
    assert {each.steps for each in answers} == {1}
    assert {each.modality for answer in answers for each in answer.selected} == {"both"}
    write_predictions_page(shards, videos, looking, tmp_path / "report.html", config)
    page = (tmp_path / "report.html").read_text()
    assert "moments weighed most" in page
    assert "pictures weighed most" not in page


# ---- stages --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def manifest(folder, tmp_path_factory) -> Path:
    """The tables of the data set: two shards."""
    at = tmp_path_factory.mktemp("manifest") / "mine"
    dataset = FolderDataset(adapter="folder", role="apply", folder=folder, shards=2)
    list_videos(at / "videos.tsv", at / "shards", dataset, ManifestConfig(), seed=0)
    return at


def applied(
    manifest: Path, run: Path, out: Path, config: ApplyConfig, **stores: Path
) -> list[Path]:
    shards = []
    for table in sorted((manifest / "shards").glob("*.tsv")):
        shards.append(out / "shards" / f"{table.stem}.jsonl")
        apply_videos(table, run, shards[-1], config, FeaturesConfig(), **stores)
    return shards


@pytest.fixture(scope="module")
def answered(manifest, run, tmp_path_factory) -> Path:
    """The folder of the data set's answers."""
    out, config = tmp_path_factory.mktemp("answered"), ApplyConfig(film_strips=2, pictures=3)
    shards = applied(manifest, run, out, config)
    videos = manifest / "videos.tsv"
    collect_predictions(shards, videos, out / "predictions.tsv", out / "moments.jsonl", config)
    write_predictions_page(shards, videos, run, out / "report.html", config)
    return out


def test_every_file_is_listed_without_a_label_and_answered_or_has_a_reason(
    manifest, answered, folder, dense
):
    listed = read_videos(manifest / "videos.tsv")
    assert [video.video for video in listed] == sorted([*SECONDS, "b/not.mp4", "gone.mp4"])
    assert {(video.split, video.labels) for video in listed} == {(UNLABELLED, ())}
    rows = read_table(answered / "predictions.tsv", prediction_columns(5))
    assert [row["video"] for row in rows] == [video.video for video in listed]
    by_path = {each.video: each for each in dense}
    for row in rows:
        prediction = by_path[str(folder / row["video"])]
        assert (row["status"], row["reason"]) == (prediction.status, prediction.reason)
        assert row["label_1"] == (prediction.label or "")
        if prediction.answered:
            assert float(row["probability_1"]) == prediction.probability
            assert (float(row["gmacs"]), int(row["moments"])) == (
                prediction.gmacs,
                prediction.moments,
            )


def test_the_selected_moments_are_there_with_times_and_in_the_form_of_kfs_bench(
    answered, dense, folder
):
    by_path = {each.video: each for each in dense}
    lines = (answered / "moments.jsonl").read_text().splitlines()
    assert len(lines) == len(dense)
    for values in map(json.loads, lines):
        prediction = by_path[str(folder / values["id"])]
        assert values["frame_timestamps"] == prediction.frame_timestamps
        assert len(values["moments"]) == len(prediction.selected)
        for moment in values["moments"]:
            assert 0 <= moment["start_seconds"] < moment["end_seconds"]
            assert {"modality", "weight", "step"} <= set(moment)


def test_the_page_shows_film_strips_and_what_could_not_be_used(answered, capsys):
    page = (answered / "report.html").read_text()
    assert page.startswith("<!doctype html>")
    assert page.count('<div class="film">') == 2
    assert page.count("data:image/jpeg;base64,") >= 2 * 3 * 2
    assert "answered for 4 of 6 videos" in " ".join(page.split())
    assert "gone.mp4" in page
    for name in ("report.html", "predictions.tsv", "shards/shard-000.jsonl", "moments.jsonl"):
        assert main(["inspect", str(answered / name), "--check"]) == 0, name
    printed = capsys.readouterr().out
    assert printed.count("every checksum agrees") == 4
    assert "6 videos" in printed


def test_a_shard_has_the_same_bytes_whichever_way_it_is_computed(manifest, run, answered, tmp_path):
    (_, second) = sorted((manifest / "shards").glob("*.tsv"))
    for threads in (1, 3):
        out = tmp_path / f"{threads}.jsonl"
        apply_videos(second, run, out, ApplyConfig(), FeaturesConfig(), threads=threads)
        assert out.read_bytes() == (answered / "shards" / f"{second.stem}.jsonl").read_bytes()


def test_kept_stores_hold_every_moment_and_open_as_those_of_a_run(manifest, run, tmp_path):
    (_, table) = sorted((manifest / "shards").glob("*.tsv"))
    stores = {
        "media": tmp_path / "media.h5",
        "mels": tmp_path / "mels.h5",
        "features": tmp_path / "features/shard-001",
    }
    config = ApplyConfig(keep=("media", "mels", "features"))
    out = tmp_path / "shard.jsonl"
    apply_videos(table, run, out, config, FeaturesConfig(dtype="float32"), **stores)
    answered = {each.video: each for each in read_predictions(out)}
    usable = [video for video, each in answered.items() if each.answered]
    complete_root(tmp_path / "features", [stores["features"]])
    features = read_features(tmp_path / "features")
    with read_media(stores["media"]) as media, read_mels(stores["mels"]) as mels:
        assert list(media.statuses) == list(answered)
        assert list(media.videos) == list(mels.videos) == list(features.videos) == usable
        for video in usable:
            assert media.moments(video) == mels.moments(video) == answered[video].moments
            assert len(features.load(video)) == answered[video].moments
            assert media.windows(video).shape == (answered[video].moments, 16_000)
    without = tmp_path / "without.jsonl"
    apply_videos(table, run, without, ApplyConfig(), FeaturesConfig())
    assert without.read_bytes() == out.read_bytes()


def test_shards_of_another_table_are_refused(manifest, answered, tmp_path):
    shards = sorted((answered / "shards").glob("*.jsonl"))
    arguments = tmp_path / "p.tsv", tmp_path / "m.jsonl", ApplyConfig()
    with pytest.raises(BadInput, match="made of another table of videos"):
        collect_predictions(shards[:1], manifest / "videos.tsv", *arguments)
    damaged = tmp_path / "shard-000.jsonl"
    damaged.write_text('{"video": "v"}\n')
    with pytest.raises(BadInput, match=r"line 1: .*expected the predictions of a shard"):
        collect_predictions([damaged], manifest / "videos.tsv", *arguments)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("gmacs", float("nan")), ("gmacs", float("inf")), ("gmacs", 10**400), ("gmacs", "1")),
        *(("moments", 2.5), ("moments", 0), ("moments", True), ("video", None), ("reason", 3)),
        *(("classes/0/probability", float("nan")), ("classes/0/probability", None)),
        *(("classes/0/label", 7), ("selected/0/weight", float("nan")), ("selected/0/moment", -1)),
        *(("selected/0/moment", 4), ("selected/0/has_sound", 1), ("selected", [None])),
        *(("classes", 5), ("steps", 10**30)),
    ],
)
def test_an_answer_with_a_value_that_cannot_be_is_refused_in_one_line(tmp_path, field, value):
    look = SelectedMoment(1, "image", 2, 1.067, 1.6, 0.5, 0.5, has_sound=True)
    answer = Prediction("v", "ok", "", (ClassProbability("a", 0.9),), (look,), moments=4, steps=1)
    values = json.loads(json.dumps(prediction_values(answer)))
    assert read_prediction(values) == answer
    *folders, last = field.split("/")
    inner = values
    for folder in folders:
        inner = inner[int(folder) if folder.isdigit() else folder]
    inner[last] = value
    path = tmp_path / "shard-000.jsonl"
    path.write_text(json.dumps(values) + "\n")
    with pytest.raises(BadInput, match=r"shard-000\.jsonl: line 1: .*expected the predictions"):
        read_predictions(path)


def test_an_answer_that_is_not_finite_is_not_written(tmp_path):
    answer = Prediction("v", "ok", "", (ClassProbability("a", float("nan")),))
    with pytest.raises(BadInput, match="not written: it holds numbers that are not finite"):
        write_predictions(tmp_path / "a.jsonl", [answer])
    assert not list(tmp_path.iterdir())


def test_a_video_of_any_name_goes_through_the_files(tmp_path):
    names = [os.fsdecode(b"\xff.mp4"), "a\tb\n.mp4", "=1+1.mp4", "\u202e.mp4"]
    written = [Prediction(name, "missing", "no such file") for name in names]
    write_predictions(tmp_path / "s.jsonl", written)
    assert read_predictions(tmp_path / "s.jsonl") == written


# ---- data sets without labels --------------------------------------------------------------------


def test_an_adapter_that_reads_lists_gives_their_videos_without_labels(folder, tmp_path):
    table = tmp_path / "list.csv"
    table.write_text("name\nmid.mp4\nb/other.mp4\nb/nowhere.mp4\n")
    fields = {"adapter": "table", "folder": folder, "tables": (table,), "video_column": "name"}
    dataset = TableDataset(role="apply", shards=3, **fields)
    listed = list_dataset(dataset, seed=0)
    assert {(v.split, v.labels, v.segments, v.group) for v in listed} == {
        (UNLABELLED, (), None, "")
    }
    assert Counter(v.status for v in listed) == {"ok": 2, "missing": 1}
    assert (len(dataset.shard_names("train_val")), dataset.shard_names("test")) == (3, ())
    with pytest.raises(ValueError, match="label_column: missing"):
        TableDataset(role="both", shards=3, **fields)


def test_a_folder_without_videos_is_refused(tmp_path):
    for path, line in ((tmp_path, "found no video"), (tmp_path / "no", "no such folder")):
        dataset = FolderDataset(adapter="folder", role="apply", folder=path, shards=1)
        with pytest.raises(BadInput, match=line):
            list_dataset(dataset, seed=0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"factor": 2, "budget_gmacs": 1},
        {"factor": 2, "keep": ["media"]},
        {"budget_gmacs": 1, "keep": ["mels"]},
        {"keep": ["teacher"]},
        {"method": "one_look", "steps": 3},
        {"top": 0},
    ],
)
def test_settings_that_contradict_each_other_are_refused(wrong):
    with pytest.raises(ValueError, match="validation error"):
        ApplyConfig.model_validate(wrong)
