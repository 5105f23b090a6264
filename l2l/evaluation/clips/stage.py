"""Evaluation of single clips: the clip-level table, and where sound helps."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from l2l.errors import BadInput
from l2l.evaluation.artifact import write_evaluation_table
from l2l.evaluation.clips.audio import audio_rows
from l2l.evaluation.clips.scoring import student_outputs, teacher_outputs
from l2l.evaluation.clips.tables import FINETUNED, LINEAR_HEAD, TEACHER, clip_row
from l2l.evaluation.cost import count_macs, student_macs
from l2l.evaluation.measures.intervals import resamples
from l2l.evaluation.measures.probabilities import check_finite
from l2l.manifest.artifact import class_names, read_videos, usable_ids
from l2l.media.artifact import MediaReader, read_listed_media
from l2l.media.examples import Example, labelled_moments
from l2l.mels.artifact import read_mels
from l2l.shards import read_shards
from l2l.student.artifact import load_student
from l2l.student.network import Student
from l2l.teacher.artifact import DescriptorReader, load_teacher_network, read_descriptors
from l2l.teacher.head import described_moments, fit_head
from l2l.teacher.network import example_clip
from l2l.training import seed_and_pick_device


def evaluate_clips(
    teacher: Path,
    descriptors: list[Path],
    students: list[Path],
    videos: Path,
    media: list[Path],
    mels: list[Path],
    table: Path,
    seed: int,
    threads: int = 1,
    finetuned: Path | None = None,
) -> None:
    """Evaluate the teacher and each student on the labelled moments of the target's usable test
    videos.

    The teacher uses its own classifier where that knows every class of the target by name, and then
    only the scores of these; else a linear head is fit here on its descriptors of the
    target's labelled training moments. The name of its row says which. A teacher that was
    fine-tuned as a whole, as the paper's (section 4.1), has a separate row.

    Args:
        teacher: the teacher.
        descriptors: the teacher's descriptors of the target's moments, all shards.
        students: fine-tuned students.
        videos: the target's videos, as decoded.
        media: the target's media, all shards.
        mels: the target's mels, all shards.
        table: written: one row for the teacher, one for the fine-tuned one, if there is one, then
            one row per student; `top1` in percent of moments, and multiply-accumulates (10^9) of
            one clip, or of the frame and the second of sound that stand for it.
        seed: of the bootstrap.
        threads: of torch.
        finetuned: a copy of the teacher that was fine-tuned on the target, whose media then have
            its clips.

    Raises:
        BadInput: if there are no such moments, a student knows other classes, or a score is not
            finite.
    """
    device = seed_and_pick_device(seed, threads)
    listed = read_videos(videos)
    classes, ids = class_names(listed), usable_ids(listed)
    rows = []
    with (
        read_shards(media, read_listed_media(listed), ids) as m,
        read_shards(mels, read_mels, ids) as s,
        read_shards(descriptors, read_descriptors, ids) as d,
    ):
        counts = {video: shard.moments(video) for video, shard in m.items()}
        train = labelled_moments(listed, counts, classes, "train")
        test = labelled_moments(listed, counts, classes, "test")
        if not test:
            raise BadInput(f"{videos}: no labelled moments of usable test videos to score clips on")
        labels = np.array([example.label for example in test])
        ids_in_test, of_video = np.unique([example.video for example in test], return_inverse=True)
        resampled = resamples(len(ids_in_test), seed)
        model, scores, macs = teacher_scores(teacher, train, test, classes, d)
        rows.append(clip_row(model, "", "", scores, labels, macs, of_video, resampled))
        if finetuned:
            scores, macs = finetuned_scores(finetuned, test, classes, m, device)
            rows.append(clip_row(FINETUNED, "", "", scores, labels, macs, of_video, resampled))
        for path in students:
            student = load_student(path)
            check_classes(path, student.class_names, classes)
            macs = student_macs(student)
            _, scores = student_outputs(student.to(device), test, m, s, device)
            modalities = "-".join(student.modalities)
            distilled = "yes" if student.settings["distilled"] else "no"
            rows.append(
                clip_row(
                    "student", modalities, distilled, scores, labels, macs, of_video, resampled
                )
            )
    write_evaluation_table(table, "clips", rows)


def teacher_scores(
    path: Path,
    train: Sequence[Example],
    test: Sequence[Example],
    classes: Sequence[str],
    shards: Mapping[str, DescriptorReader],
) -> tuple[str, Float[np.ndarray, "clips classes"], int]:
    """The name of the teacher's row, by its classifier; its scores (logits) of the test moments for
    the target's classes; and its multiply-accumulates per clip.
    """
    network, settings = load_teacher_network(path)
    clip = example_clip(network, settings["clip_frames"], settings["frame_pixels"])
    known = {name: i for i, name in enumerate(settings["class_names"])}
    descriptors, scores = described_moments(test, shards)
    check_finite(descriptors, f"{path}: the teacher's descriptors")
    check_finite(scores, f"{path}: the teacher's class scores")
    if all(name in known for name in classes):
        macs = count_macs(lambda: network(*clip))
        return TEACHER, scores[:, [known[name] for name in classes]], macs
    if not train:
        raise BadInput(
            f"{path}: knows other classes than the target's, and there are no training moments to "
            "fit a classifier on"
        )
    labels = np.array([example.label for example in train])
    head = fit_head(described_moments(train, shards)[0], labels, len(classes))
    with torch.inference_mode():
        macs = count_macs(lambda: head(network.describe(*clip)))
        return LINEAR_HEAD, head(torch.from_numpy(descriptors)).numpy(), macs


def finetuned_scores(
    path: Path,
    test: Sequence[Example],
    classes: Sequence[str],
    media: Mapping[str, MediaReader],
    device: torch.device,
) -> tuple[Float[np.ndarray, "clips classes"], int]:
    """A fine-tuned teacher's scores (logits) of the test moments, read from their stored clips, and
    its multiply-accumulates per clip.
    """
    network, settings = load_teacher_network(path)
    check_classes(path, settings["class_names"], classes)
    clip = example_clip(network, settings["clip_frames"], settings["frame_pixels"])
    macs = count_macs(lambda: network(*clip))
    scores = teacher_outputs(network, test, media, device)
    check_finite(scores, f"{path}: the fine-tuned teacher's class scores")
    return scores, macs


def check_classes(path: Path, names: Sequence[str], expected: Sequence[str]) -> None:
    """Refuse a network that was fine-tuned on other classes than the target's."""
    if tuple(names) != tuple(expected):
        raise BadInput(
            f"{path}: fine-tuned on other classes than those of the target; run snakemake again"
        )


def evaluate_audio(
    image: Path,
    image_audio: Path,
    descriptors: list[Path],
    videos: Path,
    media: list[Path],
    mels: list[Path],
    table: Path,
    threads: int = 1,
) -> None:
    """Rank the source's labelled test clips by how much sound improves a student's descriptor.

    The students are those distilled on the source's train videos and not fine-tuned, which imitate
    the teacher's descriptors. A source without test videos, such as most copies of Kinetics, gives
    its val clips; no network is trained on them either, and a column says which split it is. A
    source with neither gives an empty table.

    Args:
        image: the distilled student that only sees.
        image_audio: the distilled student that sees and hears.
        descriptors: the teacher's descriptors of the source's moments, all shards.
        videos: the source's videos, as decoded.
        media: the source's media, all shards.
        mels: the source's mels, all shards.
        table: written: one row per clip; distances are L1.
        threads: of torch.
    """
    device = seed_and_pick_device(0, threads)
    listed = read_videos(videos)
    classes, ids = class_names(listed), usable_ids(listed)
    with (
        read_shards(media, read_listed_media(listed), ids) as m,
        read_shards(mels, read_mels, ids) as s,
        read_shards(descriptors, read_descriptors, ids) as d,
    ):
        sees = _distilled(image, ("image",), d).to(device)
        hears = _distilled(image_audio, ("image", "audio"), d).to(device)
        counts = {video: shard.moments(video) for video, shard in m.items()}
        split, clips = "test", labelled_moments(listed, counts, classes, "test")
        if not clips:
            split, clips = "val", labelled_moments(listed, counts, classes, "val")
        rows = audio_rows(sees, hears, clips, split, classes, m, s, d, device) if clips else []
    write_evaluation_table(table, "audio_helps", rows)


def _distilled(
    path: Path, modalities: tuple[str, ...], shards: Mapping[str, DescriptorReader]
) -> Student:
    """A student that imitates the teacher of these descriptors."""
    student = load_student(path)
    if student.modalities != modalities:
        raise BadInput(
            f"{path}: a student of {'-'.join(student.modalities)}, expected {'-'.join(modalities)}"
        )
    if any(student.class_names != tuple(shard.class_names) for shard in shards.values()):
        raise BadInput(
            f"{path}: knows other classes than the teacher; expected a student that is distilled "
            "and not fine-tuned"
        )
    return student
