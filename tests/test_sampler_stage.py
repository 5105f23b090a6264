"""The branch of SCSampler from stores to tables, on numbers alone."""

import evaluation_world
import feature_world
import markupsafe
import numpy as np
import pytest
import sampler_world
import torch
from sampler_world import SAMPLER, evaluate, score, train
from training_world import Training, run

from l2l.__main__ import main
from l2l.config import MelsConfig, ReportConfig
from l2l.errors import BadInput
from l2l.evaluation.artifact import read_evaluation_table, write_evaluation_table
from l2l.evaluation.cost import count_macs
from l2l.manifest.artifact import read_videos, write_videos
from l2l.mels.artifact import read_mels, write_mels
from l2l.motion.artifact import read_motion, write_motion
from l2l.report.scsampler.relations import PAIRS, poster_relations
from l2l.report.scsampler.stage import write_scsampler_report
from l2l.sampler.artifact import load_sampler, read_saliency, save_sampler
from l2l.sampler.rows import POSTER_CLASSIFIERS, ROWS, chosen_rows, joint_start, single_networks
from l2l.sampler.stage import score_clips, train_sampler
from l2l.teacher.artifact import (
    ClipDescriptors,
    load_teacher_network,
    read_descriptors,
    save_teacher,
    write_descriptors,
)
from l2l.teacher.network import build_teacher


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return sampler_world.make_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def samplers(world, tmp_path_factory):
    """Every network that a row reads."""
    folder = tmp_path_factory.mktemp("samplers")
    brief = SAMPLER.model_copy(
        update={"training": SAMPLER.training.model_copy(update={"epochs": 1})}
    )
    files = {}
    for name in single_networks(ROWS):
        config = SAMPLER if name.startswith(("displacement-r", "audio-r")) else brief
        files[name] = train(world, name, folder / f"{name}.pt", config)
    start = [files[name] for name in joint_start()]
    files["joint"] = train(world, "joint", folder / "joint.pt", start=start)
    return files


@pytest.fixture(scope="module")
def saliency(world, samplers, tmp_path_factory):
    return score(world, samplers.values(), tmp_path_factory.mktemp("saliency") / "test-000.h5")


@pytest.fixture(scope="module")
def skimmer(tmp_path_factory):
    return evaluation_world.untrained_networks(tmp_path_factory.mktemp("skimmer"))["skimmer"]


@pytest.fixture(scope="module")
def tables(world, saliency, skimmer, tmp_path_factory):
    return evaluate(world, saliency, skimmer, tmp_path_factory.mktemp("tables"))


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
    recognising = {name: float(row["recogniser_gmacs_per_video"]) for name, row in rows.items()}
    moments = np.mean([len(each.pictures) for each in said])
    per_clip = recognising["uniform"] / SAMPLER.clips
    assert recognising["dense"] == pytest.approx(moments * per_clip, rel=1e-4)
    assert float(rows["motion"]["pictures_decoded"]) == pytest.approx(16 * moments, abs=0.1)
    assert float(rows["uniform"]["pictures_coded"]) == 0
    # 4 pictures per clip, every eighth: clips that follow each other share half of theirs
    assert float(rows["dense"]["pictures_decoded"]) == pytest.approx(2 * moments + 2, abs=0.1)


def test_where_all_clips_are_chosen_every_row_is_dense(world, saliency, skimmer, tmp_path):
    config = SAMPLER.model_copy(update={"clips": 40, "seen": 30})
    rows = read_evaluation_table(evaluate(world, saliency, skimmer, tmp_path, config)[0])
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


def test_the_log_says_how_often_sound_is_missing(world, saliency, skimmer, tmp_path, capsys):
    evaluate(world, saliency, skimmer, tmp_path)
    said = capsys.readouterr().err
    assert "clips without sound rank last by ear; 1 of 8 test videos have fewer than 6" in said
    seen = SAMPLER.model_copy(update={"rows": ("visual", "uniform")})
    evaluate(world, saliency, skimmer, tmp_path, seen)
    assert "sound" not in capsys.readouterr().err


def test_another_recogniser_is_priced_and_has_the_posters_own_line(
    world, saliency, skimmer, tmp_path
):
    other = build_teacher("mc3_18", len(feature_world.CLASSES), (), ())
    save_teacher(tmp_path / "mc3.pt", other, feature_world.CLASSES, 16, 4)
    few = SAMPLER.model_copy(update={"rows": ("union", "uniform", "dense")})
    table, _ = evaluate(world, saliency, skimmer, tmp_path, few, teacher=tmp_path / "mc3.pt")
    union, uniform, dense = read_evaluation_table(table)
    assert union["quoted_source"].endswith("miniSports")
    assert (uniform["quoted_top1"], dense["quoted_runtime"]) == ("64.80", "12.9 days")
    assert dense["quoted_source"].endswith("Sports1M, MC3-18")
    per_clip = count_macs(lambda: other.eval()(torch.zeros(1, 3, 4, 16, 16))) / 1e9
    assert float(uniform["recogniser_gmacs_per_video"]) == pytest.approx(6 * per_clip, rel=1e-5)


def test_rows_that_are_not_asked_for_need_no_network(world, saliency, skimmer, samplers, tmp_path):
    only = SAMPLER.model_copy(update={"rows": ("audio", "uniform")})
    heard = score(
        world, [samplers["audio-ranking-vgg"]], tmp_path / "s.h5", motion=None, media=None
    )
    rows = read_evaluation_table(evaluate(world, heard, skimmer, tmp_path, only)[0])
    whole = read_evaluation_table(evaluate(world, saliency, skimmer, tmp_path, only)[0])
    assert rows == whole
    with pytest.raises(BadInput, match="expected displacement-class-resnet18 too, which row"):
        evaluate(world, heard, skimmer, tmp_path, SAMPLER)


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
    brief = SAMPLER.model_copy(
        update={"training": SAMPLER.training.model_copy(update={"epochs": 1})}
    )
    name = "displacement-class-resnet18"
    paths = [train(world, name, tmp_path / f"{n}.pt", brief, threads=n) for n in (1, 3)]
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


def test_the_page_shows_the_tables_the_relations_and_the_chosen_clips(
    world, tables, skimmer, tmp_path
):
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
    assert page.count('class="film"') == 2
    for each in POSTER_CLASSIFIERS:
        assert f'<td class="name">{each.name}</td>' in page
    assert page.count("<img") == 2 * 7 * SAMPLER.clips
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


def test_files_of_something_else_are_refused(world, samplers, skimmer, saliency, tmp_path):
    with pytest.raises(BadInput, match="found a skimmer; expected a sampler"):
        score(world, [skimmer], tmp_path / "s.h5")
    one = samplers["displacement-class-resnet18"]
    with pytest.raises(BadInput, match="holds displacement-class-resnet18, and so does another"):
        score(world, [one, one], tmp_path / "s.h5")
    with pytest.raises(BadInput, match="found kind"):
        evaluate(world, world.mels[1], skimmer, tmp_path)
    with pytest.raises(BadInput, match="made of another table of videos"):
        score(world, [one], tmp_path / "s.h5", motion=world.motion[0])


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


def test_every_chosen_row_is_known():
    assert chosen_rows(None) == ROWS
