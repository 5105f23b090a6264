"""The branch of SCSampler from stores to tables, on numbers alone."""

import re

import evaluation_world
import feature_world
import markupsafe
import numpy as np
import pytest
import sampler_world
import torch
from sampler_world import ALL_ROWS, SAMPLER, evaluate, score, train
from scipy.special import softmax
from sklearn.metrics import average_precision_score
from training_world import Training, run

from l2l.__main__ import main
from l2l.config import MelsConfig, ReportConfig
from l2l.errors import BadInput
from l2l.evaluation.artifact import read_evaluation_table, write_evaluation_table
from l2l.evaluation.cost import count_macs
from l2l.evaluation.videos.predictions import random_draws
from l2l.features.artifact import read_features
from l2l.manifest.artifact import read_videos, write_videos
from l2l.media.artifact import read_media
from l2l.mels.artifact import read_mels, write_mels
from l2l.motion.artifact import read_motion, write_motion
from l2l.report.figures import picture_address
from l2l.report.scsampler.relations import PAIRS, poster_relations
from l2l.report.scsampler.stage import FILMED, write_scsampler_report
from l2l.sampler.artifact import load_sampler, read_saliency, save_sampler
from l2l.sampler.rows import POSTER_CLASSIFIERS, ROWS, chosen_rows, joint_start, single_networks
from l2l.sampler.stage import score_clips, train_sampler
from l2l.skimmer.artifact import load_skimmer
from l2l.skimmer.sparse import span_middles
from l2l.teacher.artifact import (
    ClipDescriptors,
    load_teacher_network,
    read_descriptors,
    save_teacher,
    write_descriptors,
)
from l2l.teacher.network import build_teacher

BRIEF = SAMPLER.model_copy(update={"training": SAMPLER.training.model_copy(update={"epochs": 1})})


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return sampler_world.make_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def samplers(world, tmp_path_factory):
    """Every network that a row reads."""
    folder = tmp_path_factory.mktemp("samplers")
    files = {}
    for name in single_networks(ROWS):
        config = SAMPLER if name.startswith(("displacement-r", "audio-r")) else BRIEF
        files[name] = train(world, name, folder / f"{name}.pt", config)
    start = [files[name] for name in joint_start()]
    files["joint"] = train(world, "joint", folder / "joint.pt", start=start)
    return files


@pytest.fixture(scope="module")
def saliency(world, samplers, tmp_path_factory):
    return score(world, samplers.values(), tmp_path_factory.mktemp("saliency") / "test-000.h5")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The run's networks by whose weights a row chooses."""
    files = evaluation_world.untrained_networks(tmp_path_factory.mktemp("trained"))
    return [files[name] for name in dict.fromkeys(row.trained for row in ROWS if row.trained)]


@pytest.fixture(scope="module")
def tables(world, saliency, trained, tmp_path_factory):
    return evaluate(world, saliency, trained, tmp_path_factory.mktemp("tables"), ALL_ROWS)


def auc(saliency, useful):
    above = saliency[useful][:, None] > saliency[~useful][None]
    return above.mean()


@pytest.mark.parametrize(
    "name", ["displacement-right-resnet18", "displacement-ranking-resnet18", "audio-ranking-vgg"]
)
def test_a_sampler_learns_which_clips_are_useful_to_the_teacher(world, saliency, name):
    with read_saliency(saliency) as reader:
        areas = [
            auc(reader.saliency(video).outputs[name][:, 0], world.useful[video])
            for video in reader.videos
        ]
    assert np.mean(areas) > 0.9


def test_the_scores_of_a_class_network_are_probabilities(world, saliency):
    with read_saliency(saliency) as reader:
        for video in reader.videos:
            said = reader.saliency(video)
            for name in single_networks(ROWS):
                x = said.outputs[name]
                assert len(x) == len(world.useful[video])
                assert ((x >= 0) & (x <= 1)).all()
                if "-class-" in name:
                    np.testing.assert_allclose(x.sum(1), 1, atol=1e-5)
            # a moment has 4 pictures of motion, one in 12 is a key picture
            assert said.pictures.sum() == said.coded - -(-said.coded // 12)


def test_the_table_has_every_row_and_the_oracle_is_above_all(tables):
    rows = {row["row"]: row for row in read_evaluation_table(tables[0])}
    assert list(rows) == [row.name for row in ROWS]
    top1 = {name: float(row["top1"]) for name, row in rows.items()}
    assert top1["oracle"] == max(top1.values()) == 100
    assert top1["visual_ranking"] > top1["random"]
    assert rows["scsampler"]["top1"] == rows["union"]["top1"]
    assert rows["motion"]["top1"] == rows["visual"]["top1"] == rows["visual_class"]["top1"]


def usable_test_videos(world):
    """The usable test videos."""
    listed = read_videos(world.features.videos)
    return [video for video in listed if video.usable and video.split == "test"]


def chosen_clips(path):
    """The clips of each row and video."""
    return {
        (row["row"], row["video"]): [int(clip) for clip in row["clips"].split()]
        for row in read_evaluation_table(path, "scsampler_clips")
    }


def plain_choice(row, said, probabilities, label):
    """The clips of a row that draws nothing, from what samplers and teacher say of a video."""
    count, clips = len(probabilities), SAMPLER.clips

    def saliency(sampler):
        if sampler is None:
            return np.zeros(count)
        outputs = [said.outputs[name].astype(np.float64) for name in sampler.networks]
        return np.mean(outputs, 0).max(1)

    def order(values):
        return sorted(range(count), key=lambda clip: (-values[clip], clip))

    seen, heard = saliency(row.visual), saliency(row.audio)
    alpha, by_eye = SAMPLER.visual_weight, order(saliency(row.visual))
    by_ear = [clip for clip in order(heard) if said.has_sound[clip]]
    if row.choice == "union":
        first = by_eye[: SAMPLER.seen]
        others = [clip for clip in by_ear if clip not in first]
        return [*first, *others[: clips - len(first)]]
    if row.choice == "audio":
        return by_ear[:clips]
    if row.choice == "intersection":
        m = next(m for m in range(count) if len({*by_eye[:m]} & {*by_ear[:m]}) >= clips)
        return sorted({*by_eye[:m]} & {*by_ear[:m]}, key=by_eye.index)[:clips]
    if row.choice == "uniform":
        return [(2 * i + 1) * count // (2 * clips) for i in range(clips)]
    if row.choice == "dense":
        return list(range(count))
    place = {clip: by_ear.index(clip) if clip in by_ear else count - 1 for clip in range(count)}
    values = {
        "visual": seen,
        "convex_score": alpha * seen + (1 - alpha) * heard * said.has_sound,
        "convex_list": [-alpha * by_eye.index(i) - (1 - alpha) * place[i] for i in range(count)],
        "joint": said.outputs["joint"][:, 0],
        "confidence": probabilities.max(1),
        "oracle": probabilities[:, label],
    }
    return order(values[row.choice])[:clips]


def test_each_row_equals_plain_code_on_what_its_samplers_say(world, tables, saliency):
    """Chosen clips by the formulas, top-1 and mAP by scikit-learn; of random draws the mean."""
    test = usable_test_videos(world)
    labels = np.array([feature_world.CLASSES.index(video.label) for video in test])
    with read_saliency(saliency) as scored, read_descriptors(world.descriptors[1]) as described:
        said = [scored.saliency(video.video) for video in test]
        scores = [described.described(video.video).scores.astype(np.float64) for video in test]
    probabilities = [softmax(each, 1) for each in scores]
    table = {row["row"]: row for row in read_evaluation_table(tables[0])}
    clips = chosen_clips(tables[1])
    for row in ROWS:
        draws = [[clips[row.name, video.video] for video in test]]
        assert {len(set(each)) for each in draws[0]} == {SAMPLER.clips} or row.choice == "dense"
        if row.choice == "random":
            count = sampler_world.EVALUATION.random_draws
            of_video = [
                random_draws(len(each), SAMPLER.clips, count, video.video, 0)
                for video, each in zip(test, probabilities, strict=True)
            ]
            draws = list(zip(*of_video, strict=True))
        elif row.choice != "empirical" and not row.trained:
            for i, found in enumerate(draws[0]):
                if said[i].has_sound.any():  # for the silent video see the next test
                    expected = plain_choice(row, said[i], probabilities[i], labels[i])
                    assert found == sorted(expected), (row.name, test[i].video)
        if row.choice == "empirical":  # of its draws the table has the first alone
            continue
        if row.weighted:  # see the test of what a network's weights choose
            continue
        answers = [
            np.stack([each[some].mean(0) for each, some in zip(probabilities, draw, strict=True)])
            for draw in draws
        ]
        top1 = np.mean([each.argmax(1) == labels for each in answers])
        precisions = [
            average_precision_score(labels == label, each[:, label])
            for each in answers
            for label in np.unique(labels)
        ]
        figures = [float(table[row.name][name]) for name in ("top1", "map")]
        expected = [100 * top1, 100 * np.mean(precisions)]
        assert figures == pytest.approx(expected, abs=0.006), row.name


def test_costs_are_those_of_what_a_row_reads(world, tables, saliency):
    rows = {row["row"]: row for row in read_evaluation_table(tables[0])}
    with read_saliency(saliency) as reader:
        macs = reader.networks["displacement-class-resnet18"].macs["displacement"]
        said = [reader.saliency(video) for video in reader.videos]
    expected = np.mean([macs * each.pictures.sum() for each in said]) / 1e9
    cost = {name: float(row["sampler_gmacs_per_video"]) for name, row in rows.items()}
    assert cost["displacement"] == pytest.approx(expected, rel=1e-4)
    assert cost["motion"] == pytest.approx(cost["displacement"] + cost["residual"], rel=1e-4)
    assert cost["union"] == pytest.approx(cost["visual"] + cost["audio"], rel=1e-4)
    assert cost["random"] == cost["dense"] == cost["oracle"] == 0
    assert 0 < cost["ours_sparse"] < cost["ours_dense"]
    assert 0 < cost["one_look_sparse"] < cost["one_look_dense"] == cost["one_look_dense_weighted"]
    recognising = {name: float(row["recogniser_gmacs_per_video"]) for name, row in rows.items()}
    moments = np.mean([len(each.pictures) for each in said])
    per_clip = recognising["uniform"] / SAMPLER.clips
    assert recognising["dense"] == pytest.approx(moments * per_clip, rel=1e-4)


def test_pictures_that_differ_and_seconds_of_sound_are_counted(world, tables, saliency):
    """A clip has 4 pictures, every eighth tick of the grid; how pictures move takes all ticks."""
    counts = {each.video: len(world.useful[each.video]) for each in usable_test_videos(world)}
    rows = {row["row"]: row for row in read_evaluation_table(tables[0])}
    clips = chosen_clips(tables[1])
    sparse = sampler_world.EVALUATION.sparse_factor
    framed = {"frame": 1, "ours_dense": 1, "ours_sparse": sparse}
    both = {"union", "joint", "intersection"}
    heard = dict.fromkeys(("audio", "ours_dense", *both), 1) | {"ours_sparse": sparse}
    moving = {"motion", "displacement", "motion_frame", *both}

    def ticks(name, video):
        read = {16 * clip + 8 * i for clip in clips[name, video] for i in range(4)}
        if name in framed:
            read |= {*range(0, 16 * counts[video], 16 * framed[name])}
        return read | {*range(16 * counts[video])} if name in moving else read

    def seconds(name, video):
        moments = (*range(0, counts[video], heard[name]), counts[video])
        return np.minimum(1, np.diff(moments) * 16 / 30).sum()

    with read_saliency(saliency) as reader:
        coded = np.mean([reader.saliency(video).coded for video in counts])
    for name in {"uniform", "random", "dense"} | framed.keys() | heard.keys() | moving:
        expected = {
            "pictures_decoded": np.mean([len(ticks(name, video)) for video in counts]),
            "pictures_coded": coded if name in moving else 0,
            "sound_seconds": np.mean([seconds(name, v) if name in heard else 0 for v in counts]),
        }
        found = {column: float(rows[name][column]) for column in expected}
        assert found == pytest.approx(expected, abs=0.051), name


@pytest.mark.parametrize("factor", [1, 5])
def test_one_look_chooses_by_its_weights_and_lends_them_to_the_recogniser(
    world, tables, trained, factor
):
    """Plain numpy on what the network itself says of the moments that are read."""
    name = f"one_look_{'dense' if factor == 1 else 'sparse'}"
    network = load_skimmer(trained[-1])
    assert network.model == "one_look"
    stored, clips = read_features(world.features.features), chosen_clips(tables[1])
    answers = {
        (row["row"], row["video"]): row["probability"]
        for row in read_evaluation_table(tables[1], "scsampler_clips")
    }
    with read_descriptors(world.descriptors[1]) as described:
        for video in [each.video for each in usable_test_videos(world)]:
            read = stored.load(video)
            moments = span_middles(len(read), factor)
            features = {m: torch.from_numpy(x[moments])[None] for m, x in read.features.items()}
            with torch.no_grad():
                weights = network.network(features, torch.ones(1, len(moments)).bool()).weights[0]
            order = np.argsort(-weights.numpy(), kind="stable")
            most = sorted(moments[i] for i in order[: SAMPLER.clips])
            chosen = clips[name, video]
            assert chosen == clips[f"{name}_weighted", video]
            assert set(most) <= set(chosen)
            assert len(chosen) == SAMPLER.clips
            probabilities = softmax(described.described(video).scores.astype(np.float64), 1)
            by_moment = dict(zip(moments, weights.double().numpy(), strict=True))
            of_chosen = np.array([by_moment.get(clip, 0) for clip in chosen])
            expected = of_chosen @ probabilities[chosen] / of_chosen.sum()
            assert float(answers[f"{name}_weighted", video]) == pytest.approx(
                expected.max(), abs=1e-5
            )
            plain = probabilities[chosen].mean(0).max()
            assert float(answers[name, video]) == pytest.approx(plain, abs=1e-5)


def test_where_all_clips_are_chosen_every_row_is_dense(world, saliency, trained, tmp_path):
    plain = tuple(row.name for row in ROWS if not row.weighted)
    config = SAMPLER.model_copy(update={"clips": 40, "seen": 30, "rows": plain})
    rows = read_evaluation_table(evaluate(world, saliency, trained, tmp_path, config)[0])
    names = ("top1", "map", "clips", "recogniser_gmacs_per_video")
    assert len({tuple(row[name] for name in names) for row in rows}) == 1


def test_a_silent_video_is_chosen_by_eye_alone(world, tables):
    silent = [video for video in read_videos(world.features.videos) if video.usable][-1].video
    chosen = {
        row["row"]: row["clips"]
        for row in read_evaluation_table(tables[1])
        if row["video"] == silent
    }
    assert chosen["union"] == chosen["visual"]
    assert chosen["audio"] == chosen["uniform"]


def test_the_log_says_how_often_sound_is_missing(world, saliency, trained, tmp_path, capsys):
    evaluate(world, saliency, trained, tmp_path)
    said = capsys.readouterr().err
    assert "clips without sound rank last by ear; 1 of 8 test videos have fewer than 6" in said
    seen = SAMPLER.model_copy(update={"rows": ("visual", "uniform")})
    evaluate(world, saliency, trained, tmp_path, seen)
    assert "sound" not in capsys.readouterr().err


def test_another_recogniser_is_priced_and_has_the_posters_own_line(
    world, saliency, trained, tmp_path
):
    other = build_teacher("mc3_18", len(feature_world.CLASSES), (), ())
    save_teacher(tmp_path / "mc3.pt", other, feature_world.CLASSES, 16, 4)
    few = SAMPLER.model_copy(update={"rows": ("union", "uniform", "dense")})
    table, _ = evaluate(world, saliency, trained, tmp_path, few, teacher=tmp_path / "mc3.pt")
    union, uniform, dense = read_evaluation_table(table)
    assert union["quoted_source"].endswith("miniSports")
    assert (uniform["quoted_top1"], dense["quoted_runtime"]) == ("64.80", "12.9 days")
    assert dense["quoted_source"].endswith("Sports1M, MC3-18")
    per_clip = count_macs(lambda: other.eval()(torch.zeros(1, 3, 4, 16, 16))) / 1e9
    assert float(uniform["recogniser_gmacs_per_video"]) == pytest.approx(6 * per_clip, rel=1e-5)


def test_a_teacher_of_other_classes_recognises_by_a_head_trained_for_those_of_the_target(
    world, saliency, trained, tmp_path
):
    """Its descriptors show the class where a clip is useful; its own scores say nothing. So it is
    right on the oracle's clips of every class that a training video has.
    """
    teacher, settings = load_teacher_network(world.teacher)
    listed, number = read_videos(world.features.videos), feature_world.CLASSES.index
    label = {each.video: number(each.label) for each in listed}
    known = {each.label for each in listed if each.split == "train"}
    paths = []
    for described in world.descriptors:
        with read_descriptors(described) as reader:
            rows = {}
            for video in reader.videos:
                moments = reader.described(video).moments
                descriptors = np.zeros((len(moments), teacher.descriptor_width), np.float16)
                descriptors[:, label[video]] = world.useful[video]
                no_scores = np.zeros((len(moments), len(feature_world.CLASSES)), np.float16)
                rows[video] = ClipDescriptors(moments, descriptors, no_scores)
        paths.append(tmp_path / described.name)
        others = [f"of {name}" for name in settings["class_names"]]
        write_descriptors(paths[-1], rows, teacher, others)
    few = SAMPLER.model_copy(update={"rows": ("uniform", "oracle")})
    table, _ = evaluate(world, saliency, trained, tmp_path, few, descriptors=paths)
    uniform, oracle = read_evaluation_table(table)
    learnt = [each.label in known for each in usable_test_videos(world)]
    assert float(oracle["top1"]) == 100 * np.mean(learnt) > 50
    clip = torch.zeros(1, 3, 4, 16, 16)
    head = teacher.descriptor_width * len(feature_world.CLASSES)
    per_clip = (count_macs(lambda: teacher.describe(clip)) + head) / 1e9
    gmacs = float(uniform["recogniser_gmacs_per_video"])
    assert gmacs == pytest.approx(SAMPLER.clips * per_clip, rel=1e-5)
    name = "displacement-right-resnet18"
    sampler = train(world, name, tmp_path / "s.pt", BRIEF, descriptors=paths[:1])
    assert load_sampler(sampler).name == name


def test_the_log_says_of_how_many_videos_the_teacher_is_right_on_all_or_no_clip(
    world, tmp_path, capsys
):
    teacher, settings = load_teacher_network(world.teacher)
    with read_descriptors(world.descriptors[0]) as reader:
        rows = {video: reader.described(video) for video in reader.videos}
    for video, value in zip(list(rows)[:3], (9, -9, 9), strict=True):
        label = feature_world.CLASSES.index(
            next(each.label for each in read_videos(world.features.videos) if each.video == video)
        )
        rows[video].scores[:, label] = value
    write_descriptors(tmp_path / "d.h5", rows, teacher, settings["class_names"])
    given = {"descriptors": [tmp_path / "d.h5"]}
    train(world, "displacement-right-resnet18", tmp_path / "s.pt", BRIEF, **given)
    said = capsys.readouterr().err
    assert "the teacher is right on all or on no clip of 3 of 14 videos" in said


def test_rows_that_are_not_asked_for_need_no_network(world, saliency, trained, samplers, tmp_path):
    only = SAMPLER.model_copy(update={"rows": ("audio", "uniform")})
    heard = score(
        world, [samplers["audio-ranking-vgg"]], tmp_path / "s.h5", motion=None, media=None
    )
    rows = read_evaluation_table(evaluate(world, heard, trained, tmp_path, only)[0])
    whole = read_evaluation_table(evaluate(world, saliency, trained, tmp_path, only)[0])
    assert rows == whole
    with pytest.raises(BadInput, match="expected displacement-class-resnet18 too, which row"):
        evaluate(world, heard, trained, tmp_path, SAMPLER)


def test_the_same_inputs_and_seed_give_the_same_bytes(world, samplers, tmp_path):
    name = "displacement-ranking-resnet18"
    again = train(world, name, tmp_path / "again.pt")
    assert again.read_bytes() == samplers[name].read_bytes()
    assert load_sampler(again).digest == load_sampler(samplers[name]).digest


def test_a_killed_training_goes_on_and_gives_the_same_bytes(world, tmp_path):
    brief = SAMPLER.model_copy(
        update={"training": SAMPLER.training.model_copy(update={"epochs": 3})}
    )
    inputs = {
        "network": "displacement-ranking-resnet18",
        "videos": world.features.videos,
        "mels": world.mels[:1],
        "motion": world.motion[:1],
        "descriptors": world.descriptors[:1],
        "config": brief,
        "seed": 0,
    }
    training = Training(train_sampler, inputs, "sampler")
    whole = run(training, tmp_path / "whole.pt")
    killed = run(training, tmp_path / "killed.pt", at=whole.events * 19 // 20)
    assert killed.status != (0,)
    assert not (tmp_path / "killed.pt").exists()
    again = run(training, tmp_path / "killed.pt")
    assert "resumed from epoch" in again.said
    assert (tmp_path / "killed.pt").read_bytes() == (tmp_path / "whole.pt").read_bytes()


def test_the_bytes_do_not_depend_on_the_threads_that_load(world, tmp_path):
    name = "displacement-class-resnet18"
    paths = [train(world, name, tmp_path / f"{n}.pt", BRIEF, threads=n) for n in (1, 3)]
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_a_killed_scoring_leaves_nothing_and_gives_the_same_bytes_again(
    world, samplers, saliency, tmp_path
):
    inputs = {
        "samplers": [samplers["displacement-class-resnet18"]],
        "videos": world.features.videos,
        "mels": world.mels[1],
        "motion": world.motion[1],
        "config": SAMPLER,
    }
    scoring = Training(score_clips, inputs, "saliency")
    whole = run(scoring, tmp_path / "whole.h5")
    killed = run(scoring, tmp_path / "killed.h5", at=whole.events * 19 // 20)
    assert killed.status != (0,)
    assert not (tmp_path / "killed.h5").exists()
    assert run(scoring, tmp_path / "killed.h5").status == (0,)
    assert (tmp_path / "killed.h5").read_bytes() == (tmp_path / "whole.h5").read_bytes()


def test_scores_do_not_depend_on_the_batch(world, saliency, samplers, tmp_path):
    few = SAMPLER.model_copy(update={"batch_pictures": 9})
    path = score(world, [samplers["joint"]], tmp_path / "s.h5", config=few)
    with read_saliency(path) as found, read_saliency(saliency) as expected:
        for video in found.videos:
            for name, values in found.saliency(video).outputs.items():
                batched = expected.saliency(video).outputs[name]
                np.testing.assert_allclose(values, batched, atol=2e-5)


def test_the_page_shows_the_tables_the_relations_and_the_chosen_clips(world, tables, tmp_path):
    networks = evaluation_world.untrained_networks(tmp_path)
    evaluation_world.evaluate(world.features, networks, tmp_path)

    def page_with(clips):
        write_scsampler_report(
            tables[0],
            clips,
            tmp_path / "table1.tsv",
            world.features.videos,
            world.media[1:],
            tmp_path / "scsampler.html",
            ReportConfig(film_strips=2),
            "tiny",
        )
        return (tmp_path / "scsampler.html").read_text(encoding="utf-8")

    some = [
        row
        for row in read_evaluation_table(tables[1], "scsampler_clips")
        if row["row"] in ("visual", "oracle", "motion")
    ]
    write_evaluation_table(tmp_path / "some.tsv", "scsampler_clips", some)
    page = page_with(tmp_path / "some.tsv")
    assert page.count("<img") == 2 * 2 * SAMPLER.clips, "also where no row is uniform"
    page = page_with(tables[1])
    for row in ROWS:
        assert str(markupsafe.escape(row.label)) in page
    listed = {video.video: video for video in read_videos(world.features.videos)}
    labels, chosen = {row.label: row.name for row in ROWS}, chosen_clips(tables[1])
    films = page.split('class="film"')[1:]
    assert len(films) == 2
    with read_media(world.media[1]) as media:
        for film in films:
            video = re.search("<h3>(.*?) · ", film)[1]
            strips = film.split('class="strip"')[1:]
            shown = [labels[re.search("<span>(.*?)<br>", strip)[1]] for strip in strips]
            assert shown == list(FILMED)
            assert {"visual", "audio", "union", "ours_dense", "uniform"} < set(shown)
            for name, strip in zip(shown, strips, strict=True):
                frames = [media.frame(video, clip) for clip in chosen[name, video]]
                addresses = re.findall('<img src="(.*?)"', strip)
                assert addresses == [picture_address(frame) for frame in frames]
            assert listed[video].label in film
    plot = page.partition("<svg")[2].partition("</svg>")[0]
    for label in ("union list", "Listen to Look (dense)", "Listen to Look (sparse)", "Uniform"):
        assert f">{label}</text>" in plot
    assert ">Listen to Look with the student</text>" in plot
    for each in POSTER_CLASSIFIERS:
        assert f'<td class="name">{each.name}</td>' in page
    assert page.count("<img") == 2 * len(FILMED) * SAMPLER.clips
    relations = poster_relations(read_evaluation_table(tables[0]))
    assert len(relations) == len(PAIRS)
    assert all(relation.poster > 0 for relation in relations)
    assert page.count(">yes<") + page.count(">no<") >= 2 * len(PAIRS)


def test_the_four_tables_are_printed_with_the_posters_figures(tables, capsys):
    assert main(["scsampler", str(tables[0])]) == 0
    printed = capsys.readouterr().out
    assert printed.count("top-1 % [95 %]") == 4
    (line,) = [each for each in printed.splitlines() if each.startswith("union list  ")]
    assert line.endswith("75.98")
    assert main(["scsampler", str(tables[1])]) == 1


# ---- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("network", "missing", "said"),
    [
        ("displacement-class-resnet18", "motion", "--motion: missing; a network of displacement"),
        ("frame-class-resnet18", "media", "--media: missing; a network of frame"),
        ("audio-ranking-vgg", "descriptors", "learns from what the teacher says"),
        ("joint", "start", "--start: found nothing, expected networks of different inputs"),
        ("colour-class-resnet18", "start", "network 'colour-class-resnet18': expected joint"),
        ("audio-class-resnet18", "start", "vgg for audio only"),
    ],
)
def test_what_a_training_needs_and_is_not_given_is_named(world, tmp_path, network, missing, said):
    with pytest.raises(BadInput, match=said):
        train(world, network, tmp_path / "s.pt", **{missing: None})
    assert not (tmp_path / "s.pt").exists()


def test_motion_made_in_another_way_is_refused(world, samplers, tmp_path):
    coarse = sampler_world.MOTION.model_copy(update={"pixels": 32})
    other = sampler_world.make_world(tmp_path, coarse)
    with pytest.raises(BadInput, match=r"trained on motion made with .*'pixels': 48.*, found"):
        score(other, [samplers["displacement-class-resnet18"]], tmp_path / "s.h5")
    mixed = [world.motion[0], other.motion[1]]
    with pytest.raises(BadInput, match=r"test-000\.h5: made with motion .*32.*, expected .*48"):
        train(world, "displacement-class-resnet18", tmp_path / "n.pt", motion=mixed)


def test_mels_or_media_made_in_another_way_than_other_shards_are_refused(world, tmp_path):
    with read_mels(world.mels[1]) as reader:
        rows = {each: (reader.mels(each), reader.has_sound(each)) for each in reader.videos}
    write_mels(tmp_path / "test-000.h5", rows, MelsConfig(floor=1e-4), (101, 40))
    with pytest.raises(
        BadInput, match=r"test-000\.h5: made with mels .*0\.0001.*, expected .*1e-06"
    ):
        train(
            world,
            "audio-ranking-vgg",
            tmp_path / "s.pt",
            mels=[world.mels[0], tmp_path / "test-000.h5"],
        )
    darker = sampler_world.MEDIA.model_copy(update={"jpeg_quality": 90})
    with (
        read_motion(world.motion[1]) as reader,
        write_motion(tmp_path / "motion.h5", sampler_world.MOTION, darker) as writer,
    ):
        for video in reader.videos:
            writer.add(video, reader.motion(video))
    with pytest.raises(BadInput, match=r"motion\.h5: made with media .*90.*, expected .*lossless"):
        train(
            world,
            "residual-class-resnet18",
            tmp_path / "s.pt",
            motion=[world.motion[0], tmp_path / "motion.h5"],
        )
    assert not (tmp_path / "s.pt").exists()


def test_numbers_that_are_not_finite_are_written_nowhere(world, samplers, tmp_path):
    sampler = load_sampler(samplers["displacement-ranking-resnet18"])
    last = sampler.network.networks["displacement"].head[-1]

    def written(value):
        with torch.no_grad():
            last.weight.fill_(value)
        parts = (sampler.network, False, sampler.class_names, sampler.config, sampler.sections)
        save_sampler(tmp_path / "s.pt", *parts)
        return tmp_path / "s.pt"

    with pytest.raises(BadInput, match=r"s\.pt.* not finite"):
        written(float("nan"))
    # finite weights, whose sums overflow
    network = sampler.network.networks["displacement"]
    with torch.no_grad():
        network.scale.weight.fill_(3e38)
        network.scale.bias.fill_(3e38)
    with pytest.raises(BadInput, match=r"c\.h5: not written: .*not finite"):
        score(world, [written(3e38)], tmp_path / "c.h5")
    assert not (tmp_path / "c.h5").exists()
    fast = SAMPLER.model_copy(
        update={"training": SAMPLER.training.model_copy(update={"learning_rate": 1e30})}
    )
    with pytest.raises(BadInput, match="learning_rate"):
        train(world, "displacement-class-resnet18", tmp_path / "t.pt", fast)
    assert not (tmp_path / "t.pt").exists()


def test_files_of_something_else_are_refused(world, samplers, trained, saliency, tmp_path):
    with pytest.raises(BadInput, match="found a skimmer; expected a sampler"):
        score(world, trained[:1], tmp_path / "s.h5")
    one = samplers["displacement-class-resnet18"]
    with pytest.raises(BadInput, match="holds displacement-class-resnet18, and so does another"):
        score(world, [one, one], tmp_path / "s.h5")
    with pytest.raises(BadInput, match="found kind"):
        evaluate(world, world.mels[1], trained, tmp_path)
    with pytest.raises(BadInput, match="made of another table of videos"):
        score(world, [one], tmp_path / "s.h5", motion=world.motion[0])


def test_a_sampler_that_hears_needs_two_videos_with_sound(world, tmp_path):
    with read_mels(world.mels[0]) as reader:
        rows = {each: (reader.mels(each), reader.has_sound(each)) for each in reader.videos}
    for _, has_sound in list(rows.values())[1:]:
        has_sound[:] = False
    write_mels(tmp_path / "m.h5", rows, MelsConfig(), (101, 40))
    with pytest.raises(BadInput, match="found 1 usable training videos with sound, expected at l"):
        train(world, "audio-class-vgg", tmp_path / "s.pt", mels=[tmp_path / "m.h5"])


def test_classes_that_differ_are_refused(world, samplers, tmp_path):
    videos = read_videos(world.features.videos)
    write_videos(
        tmp_path / "videos.tsv",
        [v._replace(labels=tuple(f"my {label}" for label in v.labels)) for v in videos],
    )
    with pytest.raises(BadInput, match="trained on other classes than those of"):
        score(
            world,
            [samplers["audio-ranking-vgg"]],
            tmp_path / "s.h5",
            videos=tmp_path / "videos.tsv",
        )


def test_descriptors_of_some_moments_only_are_refused(world, tmp_path):
    teacher, settings = load_teacher_network(world.teacher)
    with read_descriptors(world.descriptors[0]) as reader:
        for kept in (slice(1, None), slice(0, -1)):
            rows = {
                video: ClipDescriptors(
                    *(
                        getattr(reader.described(video), name)[kept]
                        for name in ("moments", "descriptors", "scores")
                    )
                )
                for video in reader.videos
            }
            write_descriptors(tmp_path / "d.h5", rows, teacher, settings["class_names"])
            with pytest.raises(BadInput, match="expected"):
                train(
                    world,
                    "audio-ranking-vgg",
                    tmp_path / "s.pt",
                    descriptors=[tmp_path / "d.h5"],
                )


def test_rows_of_networks_that_the_run_does_not_train_are_left_out_unless_they_are_named():
    names = [row.name for row in chosen_rows(None)]
    assert names == [row.name for row in ROWS if not row.name.startswith("one_look")]
    assert chosen_rows(None, ("skimmer", "lstm", "one_look")) == ROWS
    assert [row.name for row in chosen_rows(("oracle", "one_look_sparse"))] == [
        "one_look_sparse",
        "oracle",
    ]
