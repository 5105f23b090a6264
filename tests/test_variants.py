"""The skimmer's variants in a run: trained, stored, scored, costed and compared in two tables."""

from pathlib import Path

import feature_world
import numpy as np
import pytest
import torch
from evaluation_world import train_variant

from l2l.config import VARIANTS, Variant
from l2l.errors import BadInput
from l2l.evaluation.artifact import VARIANT_METRICS, read_evaluation_table
from l2l.evaluation.cost import CostModel, count_macs, descriptor_macs, example_moment
from l2l.evaluation.inputs import load_student_and_features
from l2l.evaluation.variants.ablations import ABLATIONS
from l2l.evaluation.variants.stage import evaluate_variants
from l2l.features.artifact import read_features
from l2l.manifest.artifact import read_videos
from l2l.reference.stage import score
from l2l.shards import read_shards
from l2l.skimmer.artifact import TrainedSkimmer, load_skimmer, named_features
from l2l.skimmer.stage import start_from_student, train_skimmer
from l2l.stores import read_table
from l2l.student.artifact import load_student
from l2l.teacher.artifact import (
    ClipDescriptors,
    load_teacher_network,
    read_descriptors,
    save_teacher,
    write_descriptors,
)
from l2l.teacher.network import R2Plus1D

TRAINED = ("skimmer", "visual_indexing", "single_query", "image_then_fused", "fused_then_teacher")


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> feature_world.World:
    return feature_world.make_world(tmp_path_factory.mktemp("world"), train=8, val=2, test=4)


@pytest.fixture(scope="module")
def described(world, tmp_path_factory) -> dict:
    """A teacher and its descriptors, four wide, of every moment."""
    folder, random = tmp_path_factory.mktemp("teacher"), np.random.default_rng(0)
    teacher, stored = R2Plus1D(3, (2, 2, 2, 4), (1, 1, 1, 1)), read_features(world.features)
    save_teacher(folder / "teacher.pt", teacher, ["a", "b", "c"], 32, 4)
    rows = {}
    for video in stored.videos:
        count = stored.moments(video)
        rows[video] = ClipDescriptors(
            np.arange(count), random.normal(size=(count, 4)), np.zeros((count, 3))
        )
    write_descriptors(folder / "shard.h5", rows, teacher, ["a", "b", "c"])
    return {"teacher": folder / "teacher.pt", "descriptors": [folder / "shard.h5"]}


@pytest.fixture(scope="module")
def files(world, described, tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("trained")
    for name in TRAINED:
        variant = VARIANTS.get(name, Variant())
        train_variant(world, folder / f"{name}.pt", variant, described["descriptors"])
    return {name: folder / f"{name}.pt" for name in TRAINED}


@pytest.fixture(scope="module")
def trained(files) -> dict[str, TrainedSkimmer]:
    return {name: load_skimmer(path) for name, path in files.items()}


def skim(world, described, skimmer: TrainedSkimmer, video: str, unaggregated: bool = False):
    """The skimmer's output for one video."""
    names = (*skimmer.network.modalities, *skimmer.network.widths)
    stored = read_features(world.features)
    with read_shards(described["descriptors"], read_descriptors, stored.videos) as shards:
        read = named_features(video, stored.load(video), names, shards)
    count = len(next(iter(read.values())))
    with torch.no_grad():
        return skimmer.skim(
            {m: x[None] for m, x in read.items()},
            torch.ones(1, count, dtype=torch.bool),
            unaggregated,
        )


# ---- trained -------------------------------------------------------------------------------------


def test_a_file_says_which_features_its_skimmer_reads(trained):
    for name, skimmer in trained.items():
        assert skimmer.variant == VARIANTS.get(name, Variant())
    read = {
        name: (tuple(skimmer.network.widths), skimmer.network.modalities)
        for name, skimmer in trained.items()
    }
    assert read == {
        "skimmer": (("image", "audio"), ("image", "audio")),
        "visual_indexing": (("image", "audio"), ("image",)),
        "single_query": (("fused",), ("fused",)),
        "image_then_fused": (("fused",), ("image",)),
        "fused_then_teacher": (("teacher",), ("fused",)),
    }


@pytest.mark.parametrize("name", TRAINED)
def test_a_variant_starts_from_the_students_classifier_where_it_reads_the_students_descriptor(
    world, files, name
):
    student, skimmer = load_student(world.student), load_skimmer(files[name])
    before = skimmer.network.classifier.weight.clone()
    groups = start_from_student(skimmer, student, feature_world.SKIMMER)
    (rate,) = (
        g["rate"]
        for g in groups
        if any(p is skimmer.network.classifier.weight for p in g["params"])
    )
    if name == "fused_then_teacher":
        assert rate == 1
        assert torch.equal(skimmer.network.classifier.weight, before)
    else:
        assert rate == 0.1
        assert torch.equal(skimmer.network.classifier.weight, student.classifier.weight)


def test_selected_features_are_weighted_means_in_training_and_single_moments_afterwards(
    world, described, files
):
    skimmer = load_skimmer(files["image_then_fused"])
    read = read_features(world.features).load("test-000")
    batch = {
        "image": torch.from_numpy(read.features["image"])[None],
        "fused": torch.from_numpy(read.fused)[None],
    }
    present = torch.ones(1, len(read), dtype=torch.bool)
    for module in skimmer.network.modules():
        module.training = module is skimmer.network  # batch norms as in evaluation
    weighted = skimmer.skim(batch, present)
    skimmer.network.eval()
    picked = skimmer.skim(batch, present)
    torch.testing.assert_close(weighted.weights, picked.weights)
    assert (weighted.logits - picked.logits).abs().max() > 1e-4


def test_a_variant_of_a_baseline_is_refused(world, tmp_path):
    with pytest.raises(BadInput, match=r"--variant: .*lstm, .*skimmer"):
        train_skimmer(
            world.student,
            world.videos,
            world.features,
            tmp_path / "x.pt",
            feature_world.SKIMMER,
            "lstm",
            0,
            variant=VARIANTS["single_query"],
        )


def test_a_moment_that_the_teacher_has_not_described_is_an_error_that_names_the_remedy(
    world, described, tmp_path
):
    with read_shards(
        described["descriptors"], read_descriptors, read_features(world.features).videos
    ) as shards:
        rows = {video: shards[video].described(video) for video in shards}
    some = {
        v: ClipDescriptors(d.moments[:3], d.descriptors[:3], d.scores[:3]) for v, d in rows.items()
    }
    write_descriptors(
        tmp_path / "some.h5", some, load_teacher_network(described["teacher"])[0], ["a", "b", "c"]
    )
    with pytest.raises(
        BadInput, match=r"video .* descriptors of 3 of \d+ moments.*evaluation\.variants"
    ):
        train_variant(
            world, tmp_path / "x.pt", VARIANTS["fused_then_teacher"], [tmp_path / "some.h5"]
        )
    with pytest.raises(BadInput, match="the teacher's descriptors have no video"):
        train_variant(world, tmp_path / "x.pt", VARIANTS["fused_then_teacher"])


def scored(world, path: Path, out: Path, **how) -> torch.Tensor:
    """Scores by `score` of each video of the store, in its order: (videos, classes)."""
    score(path, world.features, out, **how)
    rows = {row["video"]: row for row in read_table(out, ("video", *feature_world.CLASSES))}
    return torch.tensor(
        [
            [float(rows[video][c]) for c in feature_world.CLASSES]
            for video in read_features(world.features).videos
        ]
    )


STORED = tuple(name for name in TRAINED if name != "fused_then_teacher")


@pytest.mark.parametrize("name", STORED)
def test_scoring_a_store_equals_skimming_each_video(
    world, described, files, trained, tmp_path, name
):
    scores = scored(world, files[name], tmp_path / "scores.tsv")
    expected = [
        skim(world, described, trained[name], video).logits[0]
        for video in read_features(world.features).videos
    ]
    torch.testing.assert_close(scores, torch.stack(expected), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", STORED)
@pytest.mark.parametrize(
    "how", [{"hard": True}, {"steps": 3}, {"factor": 4}, {"hard": True, "factor": 2, "steps": 5}]
)
def test_a_variant_is_scored_in_other_steps_sparsely_and_hard_and_in_any_batch(
    world, files, tmp_path, name, how
):
    plain = scored(world, files[name], tmp_path / "s.tsv")
    changed = scored(world, files[name], tmp_path / "s.tsv", **how)
    assert not torch.allclose(plain, changed, atol=1e-4)
    alone = scored(world, files[name], tmp_path / "s.tsv", batch_videos=1, **how)
    torch.testing.assert_close(alone, changed, rtol=0, atol=1e-5)


def test_a_skimmer_that_a_store_cannot_serve_is_refused_in_one_line(world, files, tmp_path):
    with pytest.raises(
        BadInput,
        match=r"found image and audio and fused features, expected teacher too, as "
        ".*fused_then_teacher",
    ):
        score(files["fused_then_teacher"], world.features, tmp_path / "scores.tsv")
    with pytest.raises(
        BadInput, match="which the public code has not; leave out --preset reference"
    ):
        score(files["visual_indexing"], world.features, tmp_path / "scores.tsv", preset="reference")


# ---- costs ---------------------------------------------------------------------------------------


def test_a_moments_features_cost_what_each_stream_costs_once(world, described):
    student = load_student(world.student)
    moment_macs = CostModel(student).moment_macs
    image, audio = moment_macs(("image",)), moment_macs(("audio",))
    frame, mel, has_sound = example_moment(student)
    assert image == count_macs(lambda: student.image(frame)) > 0
    assert moment_macs(("image", "audio")) == image + audio
    assert image + audio == count_macs(lambda: student.features(frame, mel, has_sound))
    psi = 32 * 32 + 32 * 16
    assert moment_macs(("fused",)) == moment_macs(("fused", "image")) == image + audio + psi
    clip_macs = descriptor_macs(described["teacher"])
    network = load_teacher_network(described["teacher"])[0]
    assert clip_macs == count_macs(lambda: network.describe(torch.zeros(1, 3, 4, 32, 32)))
    assert CostModel(student, clip_macs).moment_macs(("image", "teacher")) == image + clip_macs


def test_a_prediction_costs_indexing_of_all_moments_recognition_of_those_read_and_the_call(
    world, described, trained
):
    student, clip_macs = load_student(world.student), descriptor_macs(described["teacher"])
    costs = CostModel(student, clip_macs)
    image, audio = costs.moment_macs(("image",)), costs.moment_macs(("audio",))
    fused = costs.moment_macs(("fused",))
    for name, index, further in (
        ("skimmer", image + audio, 0),
        ("visual_indexing", image, audio),
        ("single_query", fused, 0),
        ("image_then_fused", image, fused - image),
        ("fused_then_teacher", fused, clip_macs),
    ):
        output = skim(world, described, trained[name], "test-002")
        count = output.weights.shape[3]
        joint = (output.modality_weights[..., None] * output.weights).sum(2)[0]
        looked = len(set(joint.argmax(1).tolist())) if "_then_" in name else count
        assert (looked < count) == ("_then_" in name)
        widths = trained[name].network.widths | (trained[name].network.indexing or {})
        zeros = {m: torch.zeros(1, count, w) for m, w in widths.items()}
        called = count_macs(
            lambda f=trained[name], z=zeros, n=count: f.skim(z, torch.ones(1, n, dtype=torch.bool))
        )
        assert costs.network(trained[name], count, output=output) == (
            count * index + looked * further + called,
            count * index,
            looked,
        )


# ---- compared ------------------------------------------------------------------------------------


def compare(world, described, skimmers: list[Path], folder: Path) -> tuple[list[dict], list[dict]]:
    tables = {"ablations": folder / "ablations.tsv", "recognition": folder / "recognition.tsv"}
    evaluate_variants(world.student, skimmers, world.videos, world.features, **tables, **described)
    return (
        read_evaluation_table(tables["ablations"]),
        read_evaluation_table(tables["recognition"]),
    )


@pytest.fixture(scope="module")
def compared(world, described, files, tmp_path_factory) -> tuple[list[dict], list[dict]]:
    return compare(world, described, list(files.values()), tmp_path_factory.mktemp("compared"))


def test_each_ablation_has_its_rows_with_the_papers_numbers_next_to_ours(
    world, described, trained, compared
):
    rows, _ = compared
    assert [(row["ablation"][:3], row["variant"], row["model"]) for row in rows] == [
        ("G.1", "visual", "visual_indexing"),
        ("G.1", "audio-visual", "skimmer"),
        ("G.2", "single", "single_query"),
        ("G.2", "separate", "skimmer"),
        ("G.3", "unaggregated", "single_query"),
        ("G.3", "aggregated", "single_query"),
    ]
    quoted = [(row["quoted_activitynet_top1"], row["quoted_mini_sports1m_top1"]) for row in rows]
    assert quoted == [
        ("70.0", "39.2"),
        ("71.1", "39.9"),
        ("70.5", "38.9"),
        ("71.1", "39.9"),
        ("70.1", "38.4"),
        ("70.5", "38.9"),
    ]
    assert all("supplement" in row["quoted_source"] for row in rows)
    videos = [v for v in read_videos(world.videos) if v.split == "test" and v.usable]
    for row, ablation in zip(rows, ABLATIONS, strict=True):
        predicted = [
            skim(
                world,
                described,
                trained[ablation.evaluated.model],
                v.video,
                ablation.evaluated.unaggregated,
            ).logits.argmax()
            for v in videos
        ]
        right = np.mean(
            [
                feature_world.CLASSES[int(i)] == v.label
                for i, v in zip(predicted, videos, strict=True)
            ]
        )
        assert float(row["top1"]) == pytest.approx(100 * right, abs=0.005)


def test_table_2_has_one_row_per_skimmer_and_marks_quoted_rows(compared):
    _, rows = compared
    ours = [row for row in rows if row["quoted"] == "no"]
    assert [
        (row["model"], row["recognition"], row["indexing"], row["aggregation"]) for row in ours
    ] == [
        ("skimmer", "image-audio", "image-audio", "weighted"),
        ("visual_indexing", "image-audio", "image", "weighted"),
        ("single_query", "fused", "fused", "weighted"),
        ("image_then_fused", "fused", "image", "selected"),
        ("fused_then_teacher", "teacher", "fused", "selected"),
    ]
    student = "image-audio student, distilled"
    assert [row["features_of"] for row in ours] == [student] * 4 + [
        f"{student}; teacher r2plus1d_18"
    ]
    assert all(
        row["dataset"] == "features" and row["source"] == "this run" for row in ours
    )  # the folder's name
    assert all(
        float(row["gmacs_per_video"]) > float(row["index_gmacs_per_video"]) > 0 for row in ours
    )
    quoted = [row for row in rows if row["quoted"] == "yes"]
    assert [(row["dataset"], row["map"], row["top1"]) for row in quoted] == [
        ("ActivityNet", "89.90", "")
    ]
    assert all(row["source"] for row in quoted)


def test_a_skimmer_that_was_not_trained_has_empty_cells_next_to_the_papers_numbers(
    world, described, files, tmp_path
):
    rows, table2 = compare(world, {}, [files["skimmer"]], tmp_path)
    empty = [row["variant"] for row in rows if all(row[column] == "" for column in VARIANT_METRICS)]
    assert empty == ["visual", "single", "unaggregated", "aggregated"]
    assert all(row["quoted_activitynet_top1"] for row in rows)
    assert [row["model"] for row in table2] == ["skimmer", ""]


def test_a_student_of_one_modality_has_no_audio_visual_ablation(
    world, files, tmp_path, monkeypatch
):
    def of_one(student, features):
        network, stored = load_student_and_features(student, features)
        network.modalities = ("image",)
        return network, stored

    monkeypatch.setattr("l2l.evaluation.variants.stage.load_student_and_features", of_one)
    rows, table2 = compare(world, {}, [files["skimmer"]], tmp_path)
    assert all(row[column] == "" for row in rows for column in VARIANT_METRICS)
    assert table2[0]["top1"]


def test_comparing_twice_gives_the_same_files(world, described, files, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        compare(world, described, [files["single_query"]], tmp_path / name)
    for name in ("ablations.tsv", "recognition.tsv"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_file_that_holds_another_variant_than_its_name_says_is_refused(
    world, described, files, tmp_path
):
    (tmp_path / "visual_indexing.pt").write_bytes(files["single_query"].read_bytes())
    with pytest.raises(BadInput, match=r"found a skimmer that reads .*fused.*, expected .*image"):
        compare(world, described, [tmp_path / "visual_indexing.pt"], tmp_path)
