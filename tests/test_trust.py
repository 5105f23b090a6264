"""What is on disk is believed only where it is whole and belongs together."""

import random
import re
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from inspect import signature
from pathlib import Path

import feature_world
import pytest
import torch
from small_stores import (
    FEATURES,
    STORES,
    VIDEOS,
    same,
    write_a_media,
    write_some_features,
    write_some_mels,
)

from l2l.config import EvaluationConfig, ManifestConfig
from l2l.errors import BadInput
from l2l.evaluation.inputs import load_trained
from l2l.evaluation.variants.stage import evaluate_variants
from l2l.evaluation.videos.stage import evaluate_tradeoff, evaluate_videos
from l2l.features.artifact import complete_root, read_features, write_features
from l2l.manifest.artifact import write_videos
from l2l.media.artifact import read_listed_media
from l2l.media.stage import collect_statuses
from l2l.mels.artifact import read_mels
from l2l.reference.stage import score
from l2l.shards import check_videos, read_shards
from l2l.skimmer.artifact import load_skimmer, save_skimmer
from l2l.skimmer.stage import train_skimmer
from l2l.student.artifact import digest_of, load_student
from l2l.tools.predict import predict
from l2l.training import save_network


@pytest.mark.parametrize("name", STORES)
def test_a_flipped_byte_is_noticed_or_changes_nothing(tmp_path, name):
    write, read = STORES[name]
    write(tmp_path / name)
    whole = read(tmp_path / name)
    files = sorted(
        path for path in [tmp_path / name, *(tmp_path / name).rglob("*")] if path.is_file()
    )
    draw, messages = random.Random(0), []
    for _ in range(150):
        path = draw.choice(files)
        content = path.read_bytes()
        at = draw.randrange(len(content))
        path.write_bytes(
            content[:at] + bytes([content[at] ^ 1 << draw.randrange(8)]) + content[at + 1 :]
        )
        try:
            assert same(read(tmp_path / name), whole), (path.name, at)
        except BadInput as error:
            messages.append(str(error))
        path.write_bytes(content)
    assert len(messages) > 50
    assert all(name in each and "\n" not in each for each in messages)


def test_a_flipped_letter_of_an_id_or_a_setting_is_noticed(tmp_path):
    """Text on a heap would have no checksum."""
    for name, word in (
        ("mels.h5", b"test/a/one"),
        ("descriptors.h5", b"test/a/one"),
        ("media.h5", b"jpeg_quality"),
    ):
        STORES[name][0](tmp_path / name)
        content = (tmp_path / name).read_bytes()
        assert content.count(word) == 1
        (tmp_path / name).write_bytes(content.replace(word, word[:-1] + b"X"))
        with pytest.raises(BadInput, match=name):
            STORES[name][1](tmp_path / name)


# ---- stores and tables that do not belong together -----------------------------------------------


def test_a_shard_of_other_videos_than_the_tables_is_refused(tmp_path):
    write_some_mels(tmp_path / "mels.h5")
    ids = {video.video for video in VIDEOS}
    with read_shards([tmp_path / "mels.h5"], read_mels, ids) as shards:
        assert set(shards) == ids
    for wanted, message in (
        (ids | {"x"}, "2 videos, without 'x'"),
        (ids - {"test/a/one.mp4"}, "with 'test/a/one.mp4'"),
    ):
        with (
            pytest.raises(BadInput, match=message),
            read_shards([tmp_path / "mels.h5"], read_mels, wanted),
        ):
            pass
    with (
        pytest.raises(BadInput, match="with"),
        read_shards([tmp_path / "mels.h5"] * 2, read_mels, ids),
    ):
        pass  # a video in two shards
    check_videos(tmp_path, ids, ids)


def test_media_decoded_from_another_content_than_the_listed_one_are_refused(tmp_path):
    manifest, media = tmp_path / "videos.tsv", tmp_path / "media.h5"
    write_a_media(media)

    def collect() -> None:
        collect_statuses(manifest, [media], tmp_path / "statuses.tsv", ManifestConfig())

    write_videos(manifest, VIDEOS)
    collect()
    replaced = [*VIDEOS[:-1], VIDEOS[-1]._replace(fingerprint="7-0123456789abcdef")]
    write_videos(manifest, replaced)
    with pytest.raises(BadInput, match="made of another file than the listed one of video"):
        collect()
    ids = {video.video for video in VIDEOS}
    with (
        pytest.raises(BadInput, match="expected 7-0123456789abcdef; run snakemake again"),
        read_shards([media], read_listed_media(replaced), ids),
    ):
        pass


def test_features_of_two_students_do_not_become_one_set(tmp_path):
    shards = [tmp_path / f"shard-{i:03d}" for i in range(3)]

    def write(i: int, **made_with: object) -> None:
        write_features(shards[i], [(f"v{i}", FEATURES)], ("a", "b"), "float16", 4, made_with)

    write(0, student="s", student_digest="1")
    write(1, student="s", student_digest="1")
    write(2, student="s", student_digest="1")
    complete_root(tmp_path, shards)
    assert read_features(tmp_path).provenance == {"student": "s", "student_digest": "1"}
    for other in (
        {"student": "s", "student_digest": "2"},
        {"student": "t", "student_digest": "1"},
        {},
    ):
        write(2, **other)
        for use in (lambda: complete_root(tmp_path, shards), lambda: read_features(tmp_path)):
            with pytest.raises(
                BadInput, match=r"shard-002: made with another student than .*shard-000"
            ):
                use()


def test_another_student_than_the_one_that_made_the_features_is_refused(tmp_path):
    """Of the same sizes, classes and settings: only its numbers are others."""
    world = feature_world.make_world(tmp_path, 4, 2, 2)
    student = load_student(world.student)
    with torch.no_grad():
        student.fusion.fc1.bias[0] += 1e-3
    save_network(tmp_path / "other.pt", "student", student, student.settings)
    given = {"student": tmp_path / "other.pt", "videos": world.videos, "features": world.features}
    others: dict[Callable[..., None], dict[str, object]] = {
        train_skimmer: {"config": feature_world.SKIMMER, "model": "skimmer", "seed": 0},
        evaluate_videos: {"trained": [], "media": [], "config": EvaluationConfig(), "seed": 0},
        evaluate_tradeoff: {"dataset": "made up"},
        evaluate_variants: {"skimmers": []},
    }
    for stage, options in others.items():
        needed = [p.name for p in signature(stage).parameters.values() if p.default is p.empty]
        with pytest.raises(
            BadInput, match=r"features: made with another student than .*other\.pt"
        ) as error:
            stage(**dict.fromkeys(needed, Path("nowhere")) | options | given)
        assert "\n" not in str(error.value)
    read_features(world.features).check_student(
        world.student, digest_of(load_student(world.student))
    )
    write_some_features(tmp_path / "imported")  # whose maker is not known
    read_features(tmp_path / "imported").check_student(tmp_path / "other.pt", digest_of(student))


def test_a_skimmer_is_refused_with_another_student_than_it_was_trained_for(tmp_path):
    world = feature_world.make_world(tmp_path, 4, 2, 2)
    run, bank = tmp_path / "run", read_features(world.features)
    path, student = run / "skimmer/skimmer.pt", run / "student/finetuned/image-audio-distilled.pt"
    for file in (path, student):
        file.parent.mkdir(parents=True)
    shutil.copy(world.student, student)
    train_skimmer(
        world.student, world.videos, world.features, path, feature_world.SKIMMER, "skimmer", 0
    )
    trained = load_skimmer(path)
    assert trained.student_digest == bank.student_digest == digest_of(load_student(student))
    uses = {
        world.features: (
            lambda: load_trained(path, bank),
            lambda: score(path, world.features, tmp_path / "scores.tsv"),
        ),
        student: (lambda: predict([], run=run),),
    }
    for digest in (trained.student_digest, "", "0123456789abcdef"):
        widths = trained.network.widths
        save_skimmer(path, replace(trained, student_digest=digest), widths, feature_world.SKIMMER)
        for other, users in uses.items():
            message = (
                f"skimmer.pt: trained for another student than that of {re.escape(str(other))}"
            )
            for use in users:
                with (
                    pytest.raises(BadInput, match=message)
                    if digest.startswith("0123")
                    else nullcontext()
                ):
                    use()
