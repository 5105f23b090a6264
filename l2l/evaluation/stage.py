"""Evaluation on the target's test videos: whole videos (the paper's Table 1) and single clips."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from l2l.config import EvaluationConfig
from l2l.errors import BadInput
from l2l.evaluation.artifact import (
    AUDIO_COLUMNS,
    CLASS_COLUMNS,
    CLIP_COLUMNS,
    FRONTIER_COLUMNS,
    PREDICTION_COLUMNS,
    SELECTION_COLUMNS,
    TABLE1_COLUMNS,
    TRADEOFF_COLUMNS,
)
from l2l.evaluation.audio import audio_rows
from l2l.evaluation.clips import described_moments, fit_head, student_scores
from l2l.evaluation.cost import Prices, count_macs, pair_macs
from l2l.evaluation.frontier import frontier_rows
from l2l.evaluation.inputs import load_student_and_features, load_trained, test_videos
from l2l.evaluation.intervals import resamples
from l2l.evaluation.methods import METHODS, Answer, answers, skim
from l2l.evaluation.scores import class_rows, clip_row, draws_of, table1_row
from l2l.evaluation.tradeoff import tradeoff_rows
from l2l.manifest.artifact import Video, class_names, read_videos, usable_ids
from l2l.media.artifact import read_media
from l2l.media.examples import Example, labelled_moments
from l2l.mels.artifact import read_mels
from l2l.shards import read_shards
from l2l.skimmer.artifact import Model, TrainedSkimmer
from l2l.skimmer.network import SkimmerOutput
from l2l.stores import read_table, write_table
from l2l.student.artifact import load_student
from l2l.student.network import Student
from l2l.teacher.artifact import DescriptorReader, load_teacher_network, read_descriptors
from l2l.training import seed_and_pick_device


def evaluate_videos(
    student: Path,
    skimmer: Path,
    lstm: Path,
    non_recurrent: Path,
    videos: Path,
    features: Path,
    table: Path,
    classes: Path,
    predictions: Path,
    selections: Path,
    config: EvaluationConfig,
    seed: int,
    threads: int = 1,
) -> None:
    """Ask every method of Table 1 about each usable test video of the target.

    Args:
        student: the one the features were made with.
        skimmer: the fitted skimmer.
        lstm: the fitted LSTM baseline.
        non_recurrent: the fitted non-recurrent baseline.
        videos: the target's videos, as decoded.
        features: root of the target's features in Zarr.
        table: written: a row a method. `top1` and `map` in percent, means over videos of
            multiply-accumulates (10^9), of moments whose features are computed, and of
            multiply-accumulates spent on features (for SCSampler: scores) of the moments that are
            read to find out where to look; then what `TABLE1_COLUMNS` says.
        classes: written: a row a class, ours dense beside uniform.
        predictions: written: a row a video and method, with the most probable class; of random its
            first draw.
        selections: written: what the skimmer, reading densely, selected in each step for the next.
        config: moments looked at, sparse factor, random draws.
        seed: of the random choice and of the bootstrap.
        threads: of torch.
    """
    seed_and_pick_device(seed, threads)
    origin, bank = load_student_and_features(student, features)
    paths: dict[Model, Path] = {"skimmer": skimmer, "lstm": lstm, "non_recurrent": non_recurrent}
    fitted = {model: load_trained(path, bank, model) for model, path in paths.items()}
    test, truth = test_videos(videos, bank)

    prices = Prices(origin, fitted)
    found: dict[str, list[Answer]] = {method: [] for method in METHODS}
    looks: list[dict[str, object]] = []
    for video in test:
        read = bank.load(video.video)
        for method, answer in answers(video.video, read, fitted, prices, config, seed).items():
            found[method].append(answer)
        looks += selection_rows(video.video, fitted["skimmer"], skim(fitted["skimmer"], read))

    counts = resamples(len(test), seed)
    write_table(
        table,
        TABLE1_COLUMNS,
        [table1_row(method, found[method], truth, counts) for method in METHODS],
    )
    ours, uniform = draws_of(found["ours_dense"]), draws_of(found["uniform"])
    write_table(classes, CLASS_COLUMNS, class_rows(ours, uniform, truth.labels, bank.classes))
    write_table(predictions, PREDICTION_COLUMNS, prediction_rows(test, found, bank.classes))
    write_table(selections, SELECTION_COLUMNS, looks)


def prediction_rows(
    videos: list[Video], found: Mapping[str, list[Answer]], classes: tuple[str, ...]
) -> list[dict[str, str]]:
    """The most probable class of each video by each method."""
    rows = []
    for i, video in enumerate(videos):
        for method, by_video in found.items():
            probabilities = by_video[i].probabilities[0]
            best = int(probabilities.argmax())
            rows.append(
                {
                    "video": video.video,
                    "label": video.label,
                    "method": method,
                    "predicted": classes[best],
                    "probability": f"{probabilities[best]:.6f}",
                }
            )
    return rows


def selection_rows(
    video: str, fitted: TrainedSkimmer, skimming: SkimmerOutput
) -> list[dict[str, object]]:
    """For each step and modality the moment selected, its weight, and how much that modality's
    choice counts.
    """
    return [
        {
            "video": video,
            "moments": skimming.weights.shape[3],
            "step": look + 1,
            "modality": modality,
            "moment": moment,
            "weight": f"{float(skimming.weights[0, look, i, moment]):.6f}",
            "modality_score": f"{float(skimming.modality_weights[0, look, i]):.6f}",
        }
        for look, chosen in enumerate(skimming.selected[0].tolist())
        for i, (modality, moment) in enumerate(zip(fitted.network.modalities, chosen, strict=True))
    ]


def evaluate_tradeoff(
    student: Path,
    skimmer: Path,
    videos: Path,
    features: Path,
    table1: Path,
    dataset: str,
    tradeoff: Path,
    frontier: Path,
    threads: int = 1,
) -> None:
    """Ask the skimmer about each usable test video at every factor and after every step, and set
    the costs beside others'.

    Args:
        student: the one the features were made with.
        skimmer: the fitted skimmer.
        videos: the target's videos, as decoded.
        features: root of the target's features in Zarr.
        table1: what `evaluate_videos` wrote of the same videos.
        dataset: the target's name.
        tradeoff: written: a row for each factor and number of steps (paper, Figs. 6 and 11).
        frontier: written: mean average precision and cost of this run's systems, then of published
            ones (paper, Fig. 7).
        threads: of torch.
    """
    seed_and_pick_device(0, threads)
    origin, bank = load_student_and_features(student, features)
    fitted = load_trained(skimmer, bank)
    test, truth = test_videos(videos, bank)
    rows = tradeoff_rows(
        fitted,
        bank,
        [video.video for video in test],
        truth.labels,
        Prices(origin, {"skimmer": fitted}),
    )
    write_table(tradeoff, TRADEOFF_COLUMNS, rows)
    points = frontier_rows(
        read_table(table1, TABLE1_COLUMNS), rows, "-".join(origin.modalities), dataset
    )
    write_table(frontier, FRONTIER_COLUMNS, points)


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
) -> None:
    """Score the teacher and each student on the labelled moments of the target's usable test
    videos.

    The teacher answers with its own classifier where that knows every class of the target by name,
    and then only of these; else with a linear classifier fitted here on its descriptors of the
    target's labelled training moments.

    Args:
        teacher: the teacher.
        descriptors: what it says of the target's moments, all shards.
        students: fine-tuned students.
        videos: the target's videos, as decoded.
        media: the target's media, all shards.
        mels: the target's mels, all shards.
        table: written: a row for the teacher, then a row a student; `top1` in percent of moments,
            and multiply-accumulates (10^9) of one clip, or of the frame and the second of sound
            that stand for it; then what `CLIP_COLUMNS` says.
        seed: of the bootstrap.
        threads: of torch.
    """
    device = seed_and_pick_device(seed, threads)
    listed = read_videos(videos)
    classes, ids = class_names(listed), usable_ids(listed)
    rows = []
    with (
        read_shards(media, read_media, ids) as m,
        read_shards(mels, read_mels, ids) as s,
        read_shards(descriptors, read_descriptors, ids) as d,
    ):
        counts = {video: shard.moments(video) for video, shard in m.items()}
        train, test = (
            labelled_moments(listed, counts, classes, split) for split in ("train", "test")
        )
        if not test:
            raise BadInput(f"{videos}: no labelled moments of usable test videos to score clips on")
        labels = np.array([example.label for example in test])
        seen, of_video = np.unique([example.video for example in test], return_inverse=True)
        drawn = resamples(len(seen), seed)
        scores, macs = teacher_answers(teacher, train, test, classes, d)
        rows.append(clip_row("teacher", "", "", scores, labels, macs, of_video, drawn))
        for path in students:
            student = load_student(path)
            if student.class_names != tuple(classes):
                raise BadInput(
                    f"{path}: fine-tuned on other classes than those of {videos}; run snakemake "
                    "again"
                )
            macs = pair_macs(student)
            scores = student_scores(student.to(device), test, m, s, device)
            modalities, distilled = (
                "-".join(student.modalities),
                "yes" if student.settings["distilled"] else "no",
            )
            rows.append(
                clip_row("student", modalities, distilled, scores, labels, macs, of_video, drawn)
            )
    write_table(table, CLIP_COLUMNS, rows)


def teacher_answers(
    path: Path,
    train: Sequence[Example],
    test: Sequence[Example],
    classes: Sequence[str],
    shards: Mapping[str, DescriptorReader],
) -> tuple[Float[np.ndarray, "clips classes"], int]:
    """The teacher's scores of the test moments for the target's classes, and its
    multiply-accumulates a clip.
    """
    network, settings = load_teacher_network(path)
    side = settings["frame_pixels"]
    clip = torch.zeros(1, 3, settings["clip_frames"], side, side)
    known = {name: i for i, name in enumerate(settings["class_names"])}
    read, scores = described_moments(test, shards)
    if all(name in known for name in classes):
        return scores[:, [known[name] for name in classes]], count_macs(lambda: network(clip))
    if not train:
        raise BadInput(
            f"{path}: knows other classes than the target's, and there are no training moments to "
            "fit a classifier on"
        )
    head = fit_head(
        described_moments(train, shards)[0],
        np.array([example.label for example in train]),
        len(classes),
    )
    with torch.inference_mode():
        return head(torch.from_numpy(read)).numpy(), count_macs(
            lambda: head(network.describe(clip))
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
    """Rank the source's labelled test clips by how much nearer sound brings a student's descriptor
    to the teacher's.

    The students are those distilled on the source's train videos and not fine-tuned: it is the
    teacher's descriptors that they imitate. A source without test videos, such as Kinetics as it is
    mostly had, gives its val clips, which nothing is fitted on either; a column says which. A
    source with neither gives an empty table.

    Args:
        image: the distilled student that only sees.
        image_audio: the one that hears as well.
        descriptors: what the teacher says of the source's moments, all shards.
        videos: the source's videos, as decoded.
        media: the source's media, all shards.
        mels: the source's mels, all shards.
        table: written: a row a clip; distances are L1.
        threads: of torch.
    """
    device = seed_and_pick_device(0, threads)
    listed = read_videos(videos)
    classes, ids = class_names(listed), usable_ids(listed)
    with (
        read_shards(media, read_media, ids) as m,
        read_shards(mels, read_mels, ids) as s,
        read_shards(descriptors, read_descriptors, ids) as d,
    ):
        sees, hears = (
            _distilled(image, ("image",), d).to(device),
            _distilled(image_audio, ("image", "audio"), d).to(device),
        )
        counts = {video: shard.moments(video) for video, shard in m.items()}
        held_out = {
            split: labelled_moments(listed, counts, classes, split) for split in ("test", "val")
        }
        split = "test" if held_out["test"] else "val"
        rows = (
            audio_rows(sees, hears, held_out[split], split, classes, m, s, d, device)
            if held_out[split]
            else []
        )
    write_table(table, AUDIO_COLUMNS, rows)


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
