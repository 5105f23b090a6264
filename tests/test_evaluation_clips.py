"""Single clips: the teacher and the students on labelled moments."""

from pathlib import Path

import feature_world
import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from l2l import config
from l2l.errors import BadInput
from l2l.evaluation.artifact import read_evaluation_table
from l2l.evaluation.clips.scoring import student_outputs
from l2l.evaluation.clips.stage import evaluate_clips
from l2l.evaluation.cost import student_macs
from l2l.manifest.artifact import Segment, Video, write_videos
from l2l.media.artifact import read_media, write_media
from l2l.media.decoded import Decoded
from l2l.media.examples import Example
from l2l.media.pictures import EncodedPictures
from l2l.mels.artifact import read_mels, write_mels
from l2l.shards import read_shards
from l2l.student.artifact import load_student, save_student
from l2l.student.network import Student, frame_input, mel_input
from l2l.teacher.artifact import ClipDescriptors, read_descriptors, save_teacher, write_descriptors
from l2l.teacher.head import fit_head
from l2l.teacher.network import R2Plus1D, as_input

TARGET = ("jump", "spin")
CLIP_VIDEOS = (  # with the number of moments; without a segment the action is everywhere
    (Video("train-a", "a.mp4", "train", ("jump",)), 9),
    (Video("train-b", "b.mp4", "train", ("spin",)), 8),
    (Video("test-a", "c.mp4", "test", ("jump",), (Segment(1.0, 3.2, "jump"),)), 9),
    (Video("test-b", "d.mp4", "test", ("spin",), status="no_audio"), 5),
    (Video("test-c", "e.mp4", "test", ("spin",), status="corrupt"), 0),
)
IDS = {video.video for video, count in CLIP_VIDEOS if count}
# moments that lie inside an action, and their class
TEST_MOMENTS = [("test-a", k, 0) for k in (2, 3, 4)] + [("test-b", k, 1) for k in range(5)]


@pytest.fixture
def clip_files(tmp_path) -> dict:
    """Media, mels, two students, a teacher of three classes and its descriptors, in two shards."""
    random = np.random.default_rng(0)
    grid = config.MediaConfig(resize_pixels=(32, 40), frame_pixels=32, jpeg_quality="lossless")
    files: dict = {
        "videos": tmp_path / "videos.tsv",
        "teacher": tmp_path / "teacher.pt",
        "media": [],
        "mels": [],
        "descriptors": [],
    }
    write_videos(files["videos"], [video for video, _ in CLIP_VIDEOS])
    teacher = R2Plus1D(3, (2, 2, 2, 4), (1, 1, 1, 1))
    save_teacher(files["teacher"], teacher, ["spin", "walk", "jump"], 32, 16)
    for shard in range(2):
        sounds, described = {}, {}
        part = {name: tmp_path / f"{name}-{shard}.h5" for name in ("media", "mels", "descriptors")}
        with write_media(part["media"], grid, clips_stored=False) as writer:
            for video, count in CLIP_VIDEOS[shard::2]:
                if not count:
                    writer.add_unusable(video, "corrupt", "made so")
                    continue
                pictures = random.integers(0, 256, (count, 32, 32, 3), np.uint8)
                writer.add(
                    video,
                    Decoded(
                        "ok",
                        "",
                        16 * (count - 1) + 31,
                        16,
                        EncodedPictures.from_array(pictures),
                        np.zeros(0, np.int16),
                    ),
                )
                sounds[video.video] = (
                    random.normal(size=(count, 101, 40)),
                    np.full(count, video.status == "ok"),
                )
                toward = {"jump": [0, 0, 1], "spin": [1, 0, 0]}[video.label]
                z = random.normal(size=(count, 4)) + 6 * np.array([*toward, 0])
                described[video.video] = ClipDescriptors(
                    np.arange(count), z, np.array([toward] * count, float)
                )
        write_mels(part["mels"], sounds, config.MelsConfig(), (101, 40))
        write_descriptors(part["descriptors"], described, teacher, ["spin", "walk", "jump"])
        for name, path in part.items():
            files[name].append(path)
    files["students"] = [tmp_path / "image.pt", tmp_path / "image-audio.pt"]
    for path, modalities in zip(files["students"], (("image",), ("image", "audio")), strict=True):
        torch.manual_seed(len(modalities))
        student = Student(modalities, 2, 16, (4, 4, 4, 16), (4, 4, 4, 16), (1, 1, 1, 1))
        section = feature_world.STUDENT.model_copy(update={"modalities": modalities})
        save_student(
            path,
            student,
            section,
            TARGET,
            distilled=len(modalities) == 2,
            media=grid,
            mels=config.MelsConfig(),
        )
    return files


def clip_rows(files: dict, folder: Path) -> list[dict[str, str]]:
    evaluate_clips(**files, table=folder / "clips.tsv", seed=0)
    return read_evaluation_table(folder / "clips.tsv")


def one_by_one(student: Student, files: dict) -> np.ndarray:
    """A student's scores of the test moments, each alone."""
    scores = []
    with (
        read_shards(files["media"], read_media, IDS) as media,
        read_shards(files["mels"], read_mels, IDS) as mels,
        torch.no_grad(),
    ):
        for video, moment, _ in TEST_MOMENTS:
            frame = frame_input(torch.from_numpy(media[video].frame(video, moment))[None])
            mel = mel_input(
                torch.from_numpy(mels[video].mel(video, moment))[None], config.MelsConfig().floor
            )
            has_sound = torch.tensor([video == "test-a"])
            scores.append(student(frame, mel, has_sound)[1][0].numpy())
    return np.array(scores)


def test_a_students_scores_in_a_batch_equal_those_of_each_moment_alone_with_and_without_sound(
    clip_files,
):
    student = load_student(clip_files["students"][1])
    student.settings["config"]["batch_moments"] = 3
    examples = [Example(*moment) for moment in TEST_MOMENTS]
    with (
        read_shards(clip_files["media"], read_media, IDS) as media,
        read_shards(clip_files["mels"], read_mels, IDS) as mels,
    ):
        _, scores = student_outputs(student, examples, media, mels, torch.device("cpu"))
    np.testing.assert_allclose(scores, one_by_one(student, clip_files), atol=1e-5)


def test_the_clip_table_has_the_teacher_first_then_each_student_on_the_same_moments(
    clip_files, tmp_path
):
    rows = clip_rows(clip_files, tmp_path)
    assert [(row["model"], row["modalities"], row["distilled"]) for row in rows] == [
        ("teacher", "", ""),
        ("student", "image", "no"),
        ("student", "image-audio", "yes"),
    ]
    assert float(rows[0]["top1"]) == 100  # its own scores point at the right name
    labels = np.array([label for *_, label in TEST_MOMENTS])
    for row, path in zip(rows[1:], clip_files["students"], strict=True):
        student = load_student(path)
        right = (one_by_one(student, clip_files).argmax(1) == labels).mean()
        assert float(row["top1"]) == pytest.approx(100 * right, abs=0.005)
        assert float(row["gmacs_per_clip"]) == pytest.approx(student_macs(student) / 1e9, rel=1e-5)
    assert float(rows[1]["gmacs_per_clip"]) < float(rows[2]["gmacs_per_clip"])


def test_a_teacher_of_other_classes_gets_a_linear_classifier_of_its_descriptors(
    clip_files, tmp_path
):
    teacher = R2Plus1D(3, (2, 2, 2, 4), (1, 1, 1, 1))
    own = clip_rows(clip_files, tmp_path)[0]
    save_teacher(clip_files["teacher"], teacher, ["crawl", "walk", "run"], 32, 16)
    row = clip_rows(clip_files, tmp_path)[0]
    assert row["model"] == "teacher_linear_head"
    assert float(row["top1"]) == 100  # descriptors of the two classes are far apart
    fewer = 4 * (3 - 2) / 1e9  # the classifier of 4 numbers has 2 classes, not 3
    assert float(row["gmacs_per_clip"]) == pytest.approx(
        float(own["gmacs_per_clip"]) - fewer, rel=1e-5
    )


def store_clips(files: dict, folder: Path) -> None:
    """Put media that keep whole clips, of noise, in place of those of first frames."""
    random = np.random.default_rng(1)
    grid = config.MediaConfig(resize_pixels=(32, 40), frame_pixels=32, jpeg_quality="lossless")
    for shard in range(2):
        path = folder / f"clips-{shard}.h5"
        with write_media(path, grid, clips_stored=True) as writer:
            for video, count in CLIP_VIDEOS[shard::2]:
                if not count:
                    writer.add_unusable(video, "corrupt", "made so")
                    continue
                pictures = random.integers(0, 256, (8 * count + 8, 32, 32, 3), np.uint8)
                encoded = EncodedPictures.from_array(pictures)
                ticks = 16 * (count - 1) + 31
                writer.add(video, Decoded("ok", "", ticks, 2, encoded, np.zeros(0, np.int16)))
        files["media"][shard] = path


def test_a_fine_tuned_teacher_has_a_separate_row_below_the_linear_classifiers(clip_files, tmp_path):
    names = ["crawl", "walk", "run"]
    save_teacher(clip_files["teacher"], R2Plus1D(3, (2, 2, 2, 4), (1, 1, 1, 1)), names, 32, 16)
    store_clips(clip_files, tmp_path)
    without = clip_rows(clip_files, tmp_path)
    torch.manual_seed(0)
    teacher = R2Plus1D(2, (2, 2, 2, 4), (1, 1, 1, 1)).eval()
    clip_files["finetuned"] = tmp_path / "finetuned.pt"
    save_teacher(clip_files["finetuned"], teacher, TARGET, 32, 16)
    rows = clip_rows(clip_files, tmp_path)
    assert [rows[0], *rows[2:]] == without
    assert [row["model"] for row in rows[:3]] == [
        *("teacher_linear_head", "teacher_finetuned", "student")
    ]
    with read_shards(clip_files["media"], read_media, IDS) as media, torch.no_grad():
        clips = np.stack([media[video].clip(video, moment) for video, moment, _ in TEST_MOMENTS])
        answers = teacher(as_input(torch.from_numpy(clips)))[1].argmax(1).numpy()
    right = (answers == [label for *_, label in TEST_MOMENTS]).mean()
    assert float(rows[1]["top1"]) == pytest.approx(100 * right, abs=0.005)
    assert rows[1]["gmacs_per_clip"] == rows[0]["gmacs_per_clip"]  # both name two classes
    assert float(rows[1]["gmacs_per_clip"]) > float(rows[-1]["gmacs_per_clip"])


def test_a_fine_tuned_teacher_of_other_classes_or_without_stored_clips_is_refused(
    clip_files, tmp_path
):
    teacher = R2Plus1D(2, (2, 2, 2, 4), (1, 1, 1, 1))
    clip_files["finetuned"] = tmp_path / "finetuned.pt"
    save_teacher(clip_files["finetuned"], teacher, TARGET, 32, 16)
    with pytest.raises(BadInput, match=r"'test-[ab]': found the first frame of each moment"):
        clip_rows(clip_files, tmp_path)
    save_teacher(clip_files["finetuned"], teacher, ["fly", "jump"], 32, 16)
    with pytest.raises(BadInput, match=r"finetuned\.pt: fine-tuned on other classes"):
        clip_rows(clip_files, tmp_path)


def test_a_moment_that_the_teacher_has_not_described_is_named(clip_files, tmp_path):
    teacher = R2Plus1D(3, (2, 2, 2, 4), (1, 1, 1, 1))
    for path in clip_files["descriptors"]:
        with read_descriptors(path) as shard:
            fewer = dict.fromkeys(
                shard.videos, ClipDescriptors(np.arange(3), np.zeros((3, 4)), np.zeros((3, 3)))
            )
        write_descriptors(path, fewer, teacher, ["spin", "walk", "jump"])
    with pytest.raises(BadInput, match="lack moment 3 of video 'test-a'"):
        clip_rows(clip_files, tmp_path)


def test_a_student_of_other_classes_is_refused(clip_files, tmp_path):
    other = Video("x", "x.mp4", "train", ("fly",), status="corrupt")
    write_videos(clip_files["videos"], [*(video for video, _ in CLIP_VIDEOS), other])
    with pytest.raises(BadInput, match="fine-tuned on other classes"):
        clip_rows(clip_files, tmp_path)


def test_the_linear_classifier_equals_scikit_learns_logistic_regression():
    random = np.random.default_rng(0)
    labels = random.integers(3, size=200)
    descriptors = (
        random.normal(size=(200, 5)) * [1, 10, 0.1, 1, 1] + labels[:, None] * [1, 0, 0.1, 0, 5]
    ).astype(np.float32)
    head = fit_head(descriptors, labels, 3)
    scaled = (descriptors - descriptors.mean(0)) / descriptors.std(0)
    expected = (
        LogisticRegression(C=1 / (2 * 200 * 1e-4), max_iter=1000, tol=1e-10)
        .fit(scaled, labels)
        .predict_proba(scaled)
    )
    with torch.no_grad():
        probabilities = head(torch.from_numpy(descriptors)).softmax(1).numpy()
    np.testing.assert_allclose(probabilities, expected, atol=2e-3)
