"""From the published release to scores, and to a training."""

import csv

import numpy as np
import pytest
import reference
import torch
from reference_world import HEAD, assert_same, ours, preset_of, small, theirs

from l2l import config
from l2l.__main__ import main
from l2l.errors import BadInput
from l2l.features.artifact import read_features
from l2l.reference.checkpoint import head_of
from l2l.reference.stage import import_checkpoint, import_features, score
from l2l.skimmer.artifact import TrainedSkimmer, load_skimmer
from l2l.skimmer.stage import start_from_student, train_skimmer
from l2l.student.artifact import load_start


def table(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.reader(file, delimiter="\t"))


def run(*arguments):
    assert main([str(argument) for argument in arguments]) == 0


@pytest.mark.parametrize("preset", ["paper", "reference"])
def test_a_user_of_the_release_gets_the_public_codes_scores_from_the_command_line(
    full, release, tmp_path, preset
):
    state = full["two"][1]
    torch.save(reference.checkpoint(state), tmp_path / "ref.pth")
    run("import_checkpoint", tmp_path / "ref.pth", tmp_path / "ours.pt")
    run(
        "import_features",
        release.pickled(),
        tmp_path / "store",
        "--checkpoint",
        tmp_path / "ours.pt",
    )
    files = (
        "--checkpoint",
        tmp_path / "ours.pt",
        "--features",
        tmp_path / "store",
        "--scores",
        tmp_path / "scores.tsv",
    )
    run("score", *files, "--preset", preset, "--seed", 3, "--factor", 2)
    header, *rows = table(tmp_path / "scores.tsv")
    assert header == ["video", *map(str, range(200))]
    assert [row[0] for row in rows] == list(release.videos)
    videos = [
        {m: torch.from_numpy(video[f"{m}_features"]) for m in ("image", "audio")}
        for video in release.videos.values()
    ]
    found = torch.tensor([[float(x) for x in row[1:]] for row in rows], dtype=torch.double)
    assert_same(
        found, theirs("two", state, videos, 10, 3, factor=2, accidents=preset == "reference")
    )
    exact = ours(full["two"][0], videos, 10, preset_of("two", preset == "reference"), 3, factor=2)
    assert torch.equal(found.float(), exact.float())  # no digit of float32 is lost


def test_a_user_of_the_single_modality_gets_the_public_codes_scores(release, tmp_path):
    state = reference.single_modality_state(classes=3, features=512, hidden=16, key=8, query=8)
    torch.save(reference.checkpoint(state, 4), tmp_path / "ref.pth")
    import_checkpoint(tmp_path / "ref.pth", tmp_path / "ours.pt")
    import_features(release.pickled(), tmp_path / "store", only="audio_features")
    assert read_features(tmp_path / "store").modalities == ("image",)
    for preset in ("paper", "reference"):
        score(
            tmp_path / "ours.pt",
            tmp_path / "store",
            tmp_path / "scores.tsv",
            preset=preset,
            hard=True,
            seed=1,
        )
        found = torch.tensor(
            [[float(x) for x in row[1:]] for row in table(tmp_path / "scores.tsv")[1:]],
            dtype=torch.double,
        )
        videos = [
            {"image": torch.from_numpy(video["audio_features"])}
            for video in release.videos.values()
        ]
        assert_same(
            found, theirs("single", state, videos, 4, 1, hard=True, accidents=preset == "reference")
        )


def test_the_size_of_a_batch_changes_no_score_of_the_paper(full, release, tmp_path):
    torch.save(full["two"][1], tmp_path / "ref.pth")
    import_checkpoint(tmp_path / "ref.pth", tmp_path / "ours.pt")
    import_features(release.pickled(), tmp_path / "store")
    found = []
    for size in (1, 3, 64):
        score(
            tmp_path / "ours.pt",
            tmp_path / "store",
            tmp_path / "scores.tsv",
            factor=3,
            batch_videos=size,
        )
        found.append(
            torch.tensor(
                [[float(x) for x in row[1:]] for row in table(tmp_path / "scores.tsv")[1:]]
            )
        )
    for other in found[
        1:
    ]:  # products of matrices of other sizes round otherwise, in the last of float32's digits
        torch.testing.assert_close(other, found[0], rtol=0, atol=1e-5)


def test_scores_of_moments_are_the_published_classifiers(full, release, tmp_path):
    state = {name: x for name, x in full["two"][1].items() if name.startswith(HEAD)}
    torch.save(state, tmp_path / "net.pth")
    import_checkpoint(tmp_path / "net.pth", tmp_path / "head.pt")
    import_features(release.pickled(), tmp_path / "store", checkpoint=tmp_path / "head.pt")
    bank = read_features(tmp_path / "store")
    assert bank.classes == tuple(map(str, range(200)))
    read = bank.load("v_2")
    expected = (
        read.fused @ state["net_classifier.classifier.weight"].numpy().T
        + state["net_classifier.classifier.bias"].numpy()
    )
    np.testing.assert_allclose(read.scores, expected, atol=1e-4)


def test_a_skimmer_is_trained_on_the_release_without_touching_video(full, release, tmp_path):
    head = {name: x for name, x in full["two"][1].items() if name.startswith(HEAD)}
    torch.save(head, tmp_path / "net.pth")
    import_checkpoint(tmp_path / "net.pth", tmp_path / "head.pt")
    import_features(
        release.pickled(), tmp_path / "store", split="train", checkpoint=tmp_path / "head.pt"
    )
    recipe = config.SkimmerConfig(
        lstm_width=16,
        key_width=8,
        query_width=8,
        steps=3,
        training=config.TrainingConfig(epochs=1, batch_size=4, learning_rate=0.01),
    )
    store = tmp_path / "store"
    train_skimmer(
        tmp_path / "head.pt",
        tmp_path / "store.videos.tsv",
        store,
        tmp_path / "trained.pt",
        recipe,
        "skimmer",
        seed=0,
    )
    trained = load_skimmer(tmp_path / "trained.pt")
    assert torch.equal(
        trained.network.fusion.fc1.weight, head["net_imageAudio.imageAudio_fc1.weight"]
    )
    score(tmp_path / "trained.pt", store, tmp_path / "scores.tsv")
    assert len(table(tmp_path / "scores.tsv")) == 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "--steps is 0, expected at least 1"),
        ({"factor": 0}, "--factor is 0"),
        ({"batch_videos": -1}, "--batch-videos is -1"),
        ({}, "image features: found 512 channels, expected 6 channels"),
    ],
)
def test_what_cannot_be_scored_is_refused(release, tmp_path, options, message):
    torch.save(small("two")[1], tmp_path / "ref.pth")
    import_checkpoint(tmp_path / "ref.pth", tmp_path / "ours.pt")
    import_features(release.pickled(), tmp_path / "store")
    with pytest.raises(BadInput, match=message):
        score(tmp_path / "ours.pt", tmp_path / "store", tmp_path / "scores.tsv", **options)


def test_a_head_is_no_skimmer(tmp_path):
    torch.save(
        {name: x for name, x in small("two")[1].items() if name.startswith(HEAD)},
        tmp_path / "net.pth",
    )
    import_checkpoint(tmp_path / "net.pth", tmp_path / "head.pt")
    with pytest.raises(BadInput, match="expected a skimmer that l2l wrote"):
        load_skimmer(tmp_path / "head.pt")
    with pytest.raises(BadInput, match="no such file"):
        load_start(tmp_path / "none.pt")


def test_a_head_needs_both_of_its_parts(tmp_path):
    state = {name: x for name, x in small("two")[1].items() if name.startswith("net_imageAudio.")}
    with pytest.raises(BadInput, match=r"no net_classifier\.classifier\.weight"):
        head_of(tmp_path / "net.pth", state)


def test_what_is_imported_can_be_looked_into(release, tmp_path, capsys, recwarn):
    torch.save(
        {name: x for name, x in small("two")[1].items() if name.startswith(HEAD)},
        tmp_path / "net.pth",
    )
    import_checkpoint(tmp_path / "net.pth", tmp_path / "head.pt")
    import_features(release.pickled(), tmp_path / "store")
    run("inspect", tmp_path / "head.pt")
    run("inspect", tmp_path / "store", "--check")
    message = capsys.readouterr().out
    assert "head.pt: student-head" in message
    assert "every checksum agrees" in message
    assert not [str(warning.message) for warning in recwarn if "Zarr" in str(warning.message)]


def test_modality_scores_may_be_left_as_they_were_drawn_as_by_the_public_code(tmp_path):
    head = {name: x for name, x in small("two")[1].items() if name.startswith(HEAD)}
    torch.save(head, tmp_path / "net.pth")
    import_checkpoint(tmp_path / "net.pth", tmp_path / "head.pt")
    trained = TrainedSkimmer(small("two")[0], "skimmer", tuple("01234"), 3)
    recipe = config.SkimmerConfig(
        training=config.TrainingConfig(epochs=1, batch_size=4, learning_rate=0.01)
    )
    layer = trained.network.modality_attention
    for frozen in ((), ("modality_attention",)):
        layer.requires_grad_(True)
        groups = start_from_student(trained, load_start(tmp_path / "head.pt"), recipe, frozen)
        in_groups = {id(parameter) for group in groups for parameter in group["params"]}
        assert (id(layer.weight) in in_groups) == (not frozen)
        assert layer.weight.requires_grad == (not frozen)
