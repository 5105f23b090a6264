"""Where sound helps: clips ranked by how much closer sound brings the student to the teacher."""

from pathlib import Path

import feature_world
import numpy as np
import pytest
import torch

from l2l import config
from l2l.errors import BadInput
from l2l.evaluation.artifact import read_evaluation_table
from l2l.evaluation.clips.stage import evaluate_audio
from l2l.manifest.artifact import Video, read_videos, write_videos
from l2l.media.artifact import write_media
from l2l.media.decoded import Decoded
from l2l.media.pictures import EncodedPictures
from l2l.mels.artifact import write_mels
from l2l.student.artifact import load_student, save_student
from l2l.student.network import Student, frame_input, mel_input
from l2l.teacher.artifact import ClipDescriptors, write_descriptors
from l2l.teacher.network import R2Plus1D


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
        table=folder / "audio_helps.tsv",
    )
    return read_evaluation_table(folder / "audio_helps.tsv")


def test_clips_are_ranked_by_how_much_closer_sound_brings_the_student_to_the_teacher(
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
        assert float(same) < 0.02 < abs(float(row["l1_gain"]))  # half precision
        assert float(row["l1_gain"]) == pytest.approx(
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
