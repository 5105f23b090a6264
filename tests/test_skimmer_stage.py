"""The skimmer on disk, and trained as a stage on a small world."""

from pathlib import Path

import feature_world
import pytest
import torch
from skimmer_world import shaken

from l2l.config import OneLookConfig
from l2l.errors import BadInput
from l2l.features.artifact import read_features
from l2l.manifest.artifact import read_videos
from l2l.skimmer.artifact import MODELS, TrainedSkimmer, build, load_skimmer, save_skimmer
from l2l.skimmer.examples import Example, Examples, FeatureCache, RandomSparseReading, collate
from l2l.skimmer.sparse import interpolate, moments_read
from l2l.skimmer.stage import start_from_student, train_skimmer
from l2l.student.artifact import load_student


@pytest.mark.parametrize("model", MODELS)
def test_what_is_written_is_what_is_read(tmp_path, model):
    widths = {"image": 5, "audio": 4}
    network = shaken(build(model, widths, 3, 11, 8, feature_world.SKIMMER))
    trained = TrainedSkimmer(network, model, ("a", "b", "c"), feature_world.SKIMMER.steps)
    save_skimmer(tmp_path / "skimmer.pt", trained, widths, feature_world.SKIMMER)
    back = load_skimmer(tmp_path / "skimmer.pt")
    assert (back.model, back.class_names, back.steps, back.network.training) == (
        model,
        ("a", "b", "c"),
        6,
        False,
    )
    features, present = (
        {m: torch.randn(2, 7, w) for m, w in widths.items()},
        torch.ones(2, 7, dtype=torch.bool),
    )
    assert torch.equal(back.scores(features, present), trained.scores(features, present))


def test_a_student_is_no_skimmer(tmp_path):
    world = feature_world.make_world(tmp_path, 4, 0, 0)
    with pytest.raises(BadInput, match="expected a skimmer that l2l wrote"):
        load_skimmer(world.student)


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> feature_world.World:
    return feature_world.make_world(tmp_path_factory.mktemp("world"))


def test_the_skimmer_starts_as_the_student_on_mean_features(world):
    """Psi and classifier are the student's, so one step gives the student's scores of the mean
    features.
    """
    student = load_student(world.student)
    network = build("skimmer", {"image": 16, "audio": 16}, 6, 32, 16, feature_world.SKIMMER)
    trained = TrainedSkimmer(network.eval(), "skimmer", feature_world.CLASSES, 1)
    groups = start_from_student(trained, student, feature_world.SKIMMER)
    read = {
        m: torch.from_numpy(x)[None]
        for m, x in read_features(world.features).load("test-000").features.items()
    }
    expected = student.classifier(student.fuse({m: x.mean(1) for m, x in read.items()}))
    torch.testing.assert_close(
        trained.scores(read, torch.ones(1, read["image"].shape[1], dtype=torch.bool)), expected
    )
    fitted_now = {id(p) for group in groups for p in group["params"]}
    left_out = [name for name, p in network.named_parameters() if id(p) not in fitted_now]
    assert all(name.startswith("fusion.") for name in left_out)
    assert left_out
    assert {group["rate"] for group in groups} == {1.0, 0.1}


@pytest.fixture(scope="module")
def trained(world, tmp_path_factory) -> TrainedSkimmer:
    path = tmp_path_factory.mktemp("trained") / "skimmer.pt"
    train_skimmer(
        world.student, world.videos, world.features, path, feature_world.SKIMMER, "skimmer", seed=0
    )
    return load_skimmer(path)


def test_a_trained_skimmer_sees_through_adverts_that_mislead_the_mean_of_all_moments(
    world, trained
):
    store = read_features(world.features)
    test = [video for video in read_videos(world.videos) if video.split == "test" and video.usable]
    features, present, labels = collate(
        list(Examples(FeatureCache(store, ("image", "audio"), 0, {}), test))
    )
    with torch.no_grad():
        ours = (trained.scores(features, present).argmax(1) == labels).double().mean()
    scores = [torch.from_numpy(store.load(video.video).scores) for video in test]
    means = [of_video.softmax(1).mean(0) for of_video in scores]
    dense = (torch.stack(means).argmax(1) == labels).double().mean()
    assert ours >= 0.9
    assert dense <= 0.75


def test_a_frozen_psi_stays_the_students_to_the_bit(world, trained):
    student = load_student(world.student)
    for name, value in student.fusion.state_dict().items():
        assert torch.equal(trained.network.fusion.state_dict()[name], value)
    assert not torch.equal(trained.network.classifier.weight, student.classifier.weight)


def test_fitting_twice_gives_the_same_file(world, tmp_path):
    two_epochs = feature_world.SKIMMER.training.model_copy(update={"epochs": 2, "milestones": ()})
    brief = feature_world.SKIMMER.model_copy(update={"training": two_epochs})
    for name in ("one.pt", "two.pt"):
        train_skimmer(
            world.student, world.videos, world.features, tmp_path / name, brief, "skimmer", seed=3
        )
    one, two = (
        torch.load(tmp_path / name, weights_only=True)["state"] for name in ("one.pt", "two.pt")
    )
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_one_look_trains_with_and_without_consistency(world, tmp_path):
    two_epochs = OneLookConfig().training.model_copy(update={"epochs": 2})
    weights = {}
    for share in (0.0, 0.5):
        one_look = OneLookConfig(width=8, consistency=share, training=two_epochs)
        settings = feature_world.SKIMMER.model_copy(update={"one_look": one_look})
        path = tmp_path / f"{share}.pt"
        train_skimmer(
            world.student, world.videos, world.features, path, settings, "one_look", seed=3
        )
        weights[share] = load_skimmer(path).network.scorer[0].weight
    assert not torch.equal(weights[0.0], weights[0.5])


@pytest.mark.parametrize("train", [0, 1])
def test_without_two_training_videos_there_is_nothing_to_fit(tmp_path, train):
    world = feature_world.make_world(tmp_path, train, 2, 2)
    with pytest.raises(BadInput, match=f"{train} usable training videos, expected at least 2"):
        train_skimmer(
            world.student,
            world.videos,
            world.features,
            tmp_path / "x.pt",
            feature_world.SKIMMER,
            "skimmer",
            seed=0,
        )
    assert not Path(tmp_path / "x.pt").exists()


def test_in_training_a_video_is_read_at_each_of_its_factors_and_as_sparse_indexing_reads_it():
    features = torch.randn(13, 4)
    whole = Example({"image": features}, 2)
    torch.manual_seed(0)
    read = RandomSparseReading([whole], (1, 5))
    drawn = read.draw(20).tolist()
    seen = {tuple(read[0, factor].features["image"].flatten().tolist()) for factor in drawn}
    sparse = interpolate(features[moments_read(13, 5)], 5, 13)
    assert seen == {tuple(features.flatten().tolist()), tuple(sparse.flatten().tolist())}
    assert read[0, 1].label == 2
    assert RandomSparseReading([whole], (1,))[0, 0].features["image"] is features
