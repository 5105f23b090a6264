"""The skimmer's variants as a run has them.

Fitted, kept, started from the student, priced, and side by side in two tables.
"""

import json
from pathlib import Path

import feature_world
import numpy as np
import pytest
import torch

from l2l import config
from l2l.config import VARIANTS, Variant, check_config
from l2l.errors import BadInput
from l2l.evaluation.ablations import LINES
from l2l.evaluation.artifact import ABLATION_COLUMNS, FOUND_COLUMNS, RECOGNITION_COLUMNS
from l2l.evaluation.comparison import evaluate_variants
from l2l.evaluation.cost import Prices, count_macs, descriptor_macs, moment_macs
from l2l.evaluation.inputs import load_student_and_features
from l2l.evaluation.variants import Costs
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

BRIEF = feature_world.SKIMMER.model_copy(
    update={
        "training": config.TrainingConfig(epochs=1, batch_size=8, learning_rate=0.05),
        "read_factors": (1, 5),
    }
)
FITTED = ("skimmer", "visual_indexing", "single_query", "image_then_fused", "fused_then_teacher")


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> feature_world.World:
    return feature_world.make_world(tmp_path_factory.mktemp("world"), train=8, val=2, test=4)


@pytest.fixture(scope="module")
def described(world, tmp_path_factory) -> dict:
    """A teacher and its descriptors, four wide, of every moment."""
    folder, random = tmp_path_factory.mktemp("teacher"), np.random.default_rng(0)
    teacher, bank = R2Plus1D(3, (2, 2, 2, 4), (1, 1, 1, 1)), read_features(world.features)
    save_teacher(folder / "teacher.pt", teacher, ["a", "b", "c"], 32, 4)
    rows = {}
    for video in bank.videos:
        count = bank.moments(video)
        rows[video] = ClipDescriptors(
            np.arange(count), random.normal(size=(count, 4)), np.zeros((count, 3))
        )
    write_descriptors(folder / "shard.h5", rows, teacher, ["a", "b", "c"])
    return {"teacher": folder / "teacher.pt", "descriptors": [folder / "shard.h5"]}


@pytest.fixture(scope="module")
def files(world, described, tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("fitted")
    for name in FITTED:
        fit(world, folder / f"{name}.pt", VARIANTS.get(name, Variant()), described["descriptors"])
    return {name: folder / f"{name}.pt" for name in FITTED}


def fit(world, path: Path, variant: Variant, descriptors=None) -> None:
    train_skimmer(
        world.student,
        world.videos,
        world.features,
        path,
        BRIEF,
        "skimmer",
        0,
        variant=variant,
        descriptors=descriptors,
    )


@pytest.fixture(scope="module")
def fitted(files) -> dict[str, TrainedSkimmer]:
    return {name: load_skimmer(path) for name, path in files.items()}


def asked(world, described, skimmer: TrainedSkimmer, video: str, unaggregated: bool = False):
    """What a skimmer says of one video."""
    names = (*skimmer.network.modalities, *skimmer.network.widths)
    bank = read_features(world.features)
    with read_shards(described["descriptors"], read_descriptors, bank.videos) as shards:
        read = named_features(video, bank.load(video), names, shards)
    count = len(next(iter(read.values())))
    with torch.no_grad():
        return skimmer.skim(
            {m: x[None] for m, x in read.items()},
            torch.ones(1, count, dtype=torch.bool),
            unaggregated,
        )


# ---- fitted --------------------------------------------------------------------------------------


def test_a_file_tells_what_its_skimmer_reads(fitted):
    for name, skimmer in fitted.items():
        assert skimmer.variant == VARIANTS.get(name, Variant())
    read = {
        name: (tuple(skimmer.network.widths), skimmer.network.modalities)
        for name, skimmer in fitted.items()
    }
    assert read == {
        "skimmer": (("image", "audio"), ("image", "audio")),
        "visual_indexing": (("image", "audio"), ("image",)),
        "single_query": (("fused",), ("fused",)),
        "image_then_fused": (("fused",), ("image",)),
        "fused_then_teacher": (("teacher",), ("fused",)),
    }


def test_a_file_of_before_there_were_variants_gives_the_same_scores(
    world, described, files, fitted, tmp_path
):
    saved = torch.load(files["skimmer"], weights_only=True)
    settings = json.loads(saved["settings"])
    saved["settings"] = json.dumps(
        {k: v for k, v in settings.items() if k not in ("variant", "indexing")}
    )
    torch.save(saved, tmp_path / "old.pt")
    old = load_skimmer(tmp_path / "old.pt")
    new = asked(world, described, fitted["skimmer"], "test-000").logits
    assert torch.equal(asked(world, described, old, "test-000").logits, new)


@pytest.mark.parametrize("name", FITTED)
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


def test_selected_features_are_weighed_in_training_and_picked_after(world, described, files):
    skimmer = load_skimmer(files["image_then_fused"])
    read = read_features(world.features).load("test-000")
    batch = {
        "image": torch.from_numpy(read.features["image"])[None],
        "fused": torch.from_numpy(read.fused)[None],
    }
    present = torch.ones(1, len(read), dtype=torch.bool)
    for module in skimmer.network.modules():
        module.training = module is skimmer.network  # batch norms as in evaluation
    weighed = skimmer.skim(batch, present)
    skimmer.network.eval()
    picked = skimmer.skim(batch, present)
    torch.testing.assert_close(weighed.weights, picked.weights)
    assert (weighed.logits - picked.logits).abs().max() > 1e-4


def test_a_variant_of_a_baseline_is_refused(world, tmp_path):
    with pytest.raises(BadInput, match="--variant: found for lstm, expected for a skimmer alone"):
        train_skimmer(
            world.student,
            world.videos,
            world.features,
            tmp_path / "x.pt",
            BRIEF,
            "lstm",
            0,
            variant=VARIANTS["single_query"],
        )


def test_a_moment_that_the_teacher_did_not_describe_stops_with_the_cure(world, described, tmp_path):
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
        BadInput, match=r"described 3 of the \d+ moments of video .*evaluation\.variants"
    ):
        fit(world, tmp_path / "x.pt", VARIANTS["fused_then_teacher"], [tmp_path / "some.h5"])
    with pytest.raises(BadInput, match="the teacher's descriptors have no video"):
        fit(world, tmp_path / "x.pt", VARIANTS["fused_then_teacher"])


def scored(world, path: Path, out: Path, **how) -> torch.Tensor:
    """What `score` says of each video of the store, in its order: (videos, classes)."""
    score(path, world.features, out, **how)
    rows = {row["video"]: row for row in read_table(out, ("video", *feature_world.CLASSES))}
    return torch.tensor(
        [
            [float(rows[video][c]) for c in feature_world.CLASSES]
            for video in read_features(world.features).videos
        ]
    )


STORED = tuple(name for name in FITTED if name != "fused_then_teacher")


@pytest.mark.parametrize("name", STORED)
def test_scoring_a_store_gives_what_each_variant_says_of_a_video(
    world, described, files, fitted, tmp_path, name
):
    found = scored(world, files[name], tmp_path / "scores.tsv")
    said = [
        asked(world, described, fitted[name], video).logits[0]
        for video in read_features(world.features).videos
    ]
    torch.testing.assert_close(found, torch.stack(said), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", STORED)
@pytest.mark.parametrize(
    "how", [{"hard": True}, {"steps": 3}, {"factor": 4}, {"hard": True, "factor": 2, "steps": 5}]
)
def test_a_variant_is_scored_in_other_steps_sparsely_and_hard_and_in_any_batch(
    world, files, tmp_path, name, how
):
    plain, found = (scored(world, files[name], tmp_path / "s.tsv", **each) for each in ({}, how))
    assert not torch.allclose(plain, found, atol=1e-4)
    alone = scored(world, files[name], tmp_path / "s.tsv", batch_videos=1, **how)
    torch.testing.assert_close(alone, found, rtol=0, atol=1e-5)


def test_what_a_store_cannot_be_scored_by_is_told_in_one_line(world, files, tmp_path):
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


# ---- priced --------------------------------------------------------------------------------------


def test_a_moments_features_cost_what_each_stream_costs_once(world, fitted, described):
    student = load_student(world.student)
    image, audio = moment_macs(student, ["image"]), moment_macs(student, ["audio"])
    prices = Prices(student, {"skimmer": fitted["skimmer"]})
    assert image > 0
    assert moment_macs(student, ["image", "audio"]) == image + audio == prices.features_macs
    psi = 32 * 32 + 32 * 16
    assert (
        moment_macs(student, ["fused"])
        == moment_macs(student, ["fused", "image"])
        == image + audio + psi
    )
    clip_macs = descriptor_macs(described["teacher"])
    network = load_teacher_network(described["teacher"])[0]
    assert clip_macs == count_macs(lambda: network.describe(torch.zeros(1, 3, 4, 32, 32)))
    assert moment_macs(student, ["image", "teacher"], clip_macs) == image + clip_macs


def test_an_answer_costs_the_indexing_of_all_moments_the_recognition_of_those_read_and_the_call(
    world, described, fitted
):
    student, clip_macs = load_student(world.student), descriptor_macs(described["teacher"])
    image, audio = moment_macs(student, ["image"]), moment_macs(student, ["audio"])
    fused = moment_macs(student, ["fused"])
    for name, index, further in (
        ("skimmer", image + audio, 0),
        ("visual_indexing", image, audio),
        ("single_query", fused, 0),
        ("image_then_fused", image, fused - image),
        ("fused_then_teacher", fused, clip_macs),
    ):
        skimming = asked(world, described, fitted[name], "test-002")
        count = skimming.weights.shape[3]
        joint = (skimming.modality_weights[..., None] * skimming.weights).sum(2)[0]
        looked = len(set(joint.argmax(1).tolist())) if "_then_" in name else count
        assert (looked < count) == ("_then_" in name)
        costs = Costs(student, fitted[name], False, clip_macs)
        widths = fitted[name].network.widths | (fitted[name].network.indexing or {})
        zeros = {m: torch.zeros(1, count, w) for m, w in widths.items()}
        called = count_macs(
            lambda f=fitted[name], z=zeros, n=count: f.skim(z, torch.ones(1, n, dtype=torch.bool))
        )
        assert costs.of(skimming) == (
            count * index + looked * further + called,
            count * index,
            looked,
        )


# ---- side by side --------------------------------------------------------------------------------


def compare(world, described, skimmers: list[Path], folder: Path) -> tuple[list[dict], list[dict]]:
    tables = {"ablations": folder / "ablations.tsv", "recognition": folder / "recognition.tsv"}
    evaluate_variants(world.student, skimmers, world.videos, world.features, **tables, **described)
    return read_table(tables["ablations"], ABLATION_COLUMNS), read_table(
        tables["recognition"], RECOGNITION_COLUMNS
    )


@pytest.fixture(scope="module")
def compared(world, described, files, tmp_path_factory) -> tuple[list[dict], list[dict]]:
    return compare(world, described, list(files.values()), tmp_path_factory.mktemp("compared"))


def test_each_ablation_has_its_lines_with_the_papers_numbers_beside_ours(
    world, described, fitted, compared
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
    for row, line in zip(rows, LINES, strict=True):
        said = [
            asked(
                world, described, fitted[line.way.model], v.video, line.way.unaggregated
            ).logits.argmax()
            for v in videos
        ]
        right = np.mean(
            [feature_world.CLASSES[int(i)] == v.label for i, v in zip(said, videos, strict=True)]
        )
        assert float(row["top1"]) == pytest.approx(100 * right, abs=0.005)


def test_table_2_has_a_row_a_skimmer_and_marks_what_is_quoted(compared):
    _, rows = compared
    ours = [row for row in rows if row["quoted"] == "no"]
    assert [(row["model"], row["recognition"], row["indexing"], row["read"]) for row in ours] == [
        ("skimmer", "image-audio", "image-audio", "weighed"),
        ("visual_indexing", "image-audio", "image", "weighed"),
        ("single_query", "fused", "fused", "weighed"),
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


def test_what_was_not_fitted_is_empty_and_the_papers_numbers_stay(
    world, described, files, tmp_path
):
    rows, table2 = compare(world, {}, [files["skimmer"]], tmp_path)
    empty = [row["variant"] for row in rows if all(row[column] == "" for column in FOUND_COLUMNS)]
    assert empty == ["visual", "single", "unaggregated", "aggregated"]
    assert all(row["quoted_activitynet_top1"] for row in rows)
    assert [row["model"] for row in table2] == ["skimmer", ""]


def test_a_student_of_one_modality_has_no_audio_visual_line(world, files, tmp_path, monkeypatch):
    def of_one(student, features):
        origin, bank = load_student_and_features(student, features)
        origin.modalities = ("image",)
        return origin, bank

    monkeypatch.setattr("l2l.evaluation.comparison.load_student_and_features", of_one)
    rows, table2 = compare(world, {}, [files["skimmer"]], tmp_path)
    assert all(row[column] == "" for row in rows for column in FOUND_COLUMNS)
    assert table2[0]["top1"]


def test_comparing_twice_gives_the_same_files(world, described, files, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        compare(world, described, [files["single_query"]], tmp_path / name)
    for name in ("ablations.tsv", "recognition.tsv"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_skimmer_under_anothers_name_is_refused(world, described, files, tmp_path):
    (tmp_path / "visual_indexing.pt").write_bytes(files["single_query"].read_bytes())
    with pytest.raises(BadInput, match=r"found a skimmer that reads .*fused.*, expected .*image"):
        compare(world, described, [tmp_path / "visual_indexing.pt"], tmp_path)


# ---- named in the configuration ------------------------------------------------------------------


def sections(**changed) -> dict:
    fitting = {"epochs": 1, "batch_size": 2, "learning_rate": 1}
    dataset = {"role": "both", "adapter": "folder", "folder": "x", "shards": 1}
    base = {
        "run": "r",
        "videos": {"d": dataset},
        "student": {"distil": fitting, "finetune": fitting},
        "skimmer": {"training": fitting},
    }
    return {
        name: {**base.get(name, {}), **changed.get(name, {})}
        for name in {**base, **changed}
        if name != "run"
    } | {"run": "r"}


def test_two_variants_are_compared_unless_told_otherwise_and_none_of_a_single_modality():
    assert check_config(sections(), "c").compared == ("visual_indexing", "single_query")
    assert check_config(sections(student={"modalities": ["image"]}), "c").compared == ()
    assert check_config(sections(evaluation={"variants": ["image"]}), "c").compared == ("image",)


def test_variants_of_ones_own_are_named_in_the_skimmers_section():
    own = {"heard": {"indexing": ["audio"], "recognition": ["fused"], "selected": True}}
    known = check_config(
        sections(skimmer={"variants": own}, evaluation={"variants": ["heard"]}), "c"
    )
    assert known.skimmer.all_variants["heard"] == Variant(
        indexing=("audio",), recognition=("fused",), selected=True
    )


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (
            {"evaluation": {"variants": ["visual"]}},
            "evaluation.variants: no visual; expected some of visual_indexing, ",
        ),
        (
            {"evaluation": {"variants": ["image", "audio"]}, "student": {"modalities": ["image"]}},
            "evaluation.variants: audio reads audio features, which the student has not",
        ),
        ({"skimmer": {"variants": {"lstm": {}}}}, "lstm is one of l2l's own"),
        (
            {"skimmer": {"variants": {"x": {"recognition": ["smell"]}}}},
            "skimmer.variants.x.recognition",
        ),
    ],
)
def test_a_variant_that_cannot_be_is_told(changed, told):
    with pytest.raises(BadInput, match=told):
        check_config(sections(**changed), "c")
