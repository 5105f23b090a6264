"""Evaluation on the target's test videos: whole videos (the paper's Table 1) and single clips."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int

from l2l.config import Evaluation
from l2l.errors import BadInput
from l2l.evaluation.artifact import CLIP_COLUMNS, PREDICTION_COLUMNS, SELECTION_COLUMNS, TABLE1_COLUMNS
from l2l.evaluation.clips import described_moments, fit_head, student_scores
from l2l.evaluation.cost import Prices, count_macs, pair_macs
from l2l.evaluation.inputs import labels_of, load_fitted
from l2l.evaluation.methods import METHODS, Answer, answers, skim
from l2l.evaluation.metrics import mean_average_precision, top1
from l2l.features.artifact import read_features
from l2l.fitting import prepare
from l2l.manifest.artifact import Video, class_names, read_videos, usable_ids
from l2l.media.artifact import read_media
from l2l.media.examples import Example, labelled_moments
from l2l.mels.artifact import read_mels
from l2l.skimmer.artifact import FittedSkimmer, Model
from l2l.skimmer.network import Skimming
from l2l.stores import check_videos, read_shards, write_table
from l2l.student.artifact import load_student
from l2l.teacher.artifact import DescriptorReader, load_teacher_network, read_descriptors


def evaluate_videos(
    student: Path,
    skimmer: Path,
    lstm: Path,
    non_recurrent: Path,
    videos: Path,
    features: Path,
    table: Path,
    predictions: Path,
    selections: Path,
    config: Evaluation,
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
        table: written: a row a method. `top1` and `map` in percent, means over videos of multiply-accumulates (10^9), of moments
            whose features are computed, and of multiply-accumulates spent on features (for SCSampler: scores) of the moments
            that are read to find out where to look.
        predictions: written: a row a video and method, with the most probable class; of random its first draw.
        selections: written: what the skimmer, reading densely, selected in each step for the next.
        config: moments looked at, sparse factor, random draws.
        seed: of the random choice.
        threads: of torch.
    """
    prepare(seed, threads)
    origin, bank = load_student(student), read_features(features)
    paths: dict[Model, Path] = {"skimmer": skimmer, "lstm": lstm, "non_recurrent": non_recurrent}
    listed = read_videos(videos)
    fitted = {model: load_fitted(path, bank, model) for model, path in paths.items()}
    test = [video for video in listed if video.split == "test" and video.usable]
    if not test:
        raise BadInput(f"{videos}: no usable test videos to evaluate on")
    check_videos(features, bank.videos, usable_ids(listed))
    labels = labels_of(test, bank)

    prices = Prices(origin, fitted)
    found: dict[str, list[Answer]] = {method: [] for method in METHODS}
    looks: list[dict[str, object]] = []
    for video in test:
        read = bank.load(video.video)
        for method, answer in answers(video.video, read, fitted, prices, config, seed).items():
            found[method].append(answer)
        looks += selection_rows(video.video, fitted["skimmer"], skim(fitted["skimmer"], read))

    write_table(table, TABLE1_COLUMNS, [table1_row(method, found[method], labels) for method in METHODS])
    write_table(predictions, PREDICTION_COLUMNS, prediction_rows(test, found, bank.classes))
    write_table(selections, SELECTION_COLUMNS, looks)


def table1_row(method: str, found: list[Answer], labels: Int[np.ndarray, " videos"]) -> dict[str, str]:
    """A method's row; where it draws at random, the mean of the draws' metrics, not the metric of their mean."""
    draws: Float[np.ndarray, "draws videos classes"] = np.stack([answer.probabilities for answer in found], 1)
    return {
        "method": method,
        "top1": f"{100 * np.mean([top1(draw, labels) for draw in draws]):.2f}",
        "map": f"{100 * np.mean([mean_average_precision(draw, labels) for draw in draws]):.2f}",
        "gmacs_per_video": f"{np.mean([answer.macs for answer in found]) / 1e9:.6g}",
        "moments": f"{np.mean([answer.moments for answer in found]):.2f}",
        "index_gmacs_per_video": f"{np.mean([answer.index_macs for answer in found]) / 1e9:.6g}",
    }


def prediction_rows(videos: list[Video], found: Mapping[str, list[Answer]], classes: tuple[str, ...]) -> list[dict[str, str]]:
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


def selection_rows(video: str, fitted: FittedSkimmer, skimming: Skimming) -> list[dict[str, object]]:
    """For each step and modality the moment selected, its weight, and how much that modality's choice counts."""
    return [
        {
            "video": video,
            "moments": skimming.weights.shape[3],
            "step": look + 1,
            "modality": modality,
            "moment": moment,
            "weight": f"{float(skimming.weights[0, look, i, moment]):.6f}",
            "modality_score": f"{float(skimming.modality_scores[0, look, i]):.6f}",
        }
        for look, chosen in enumerate(skimming.selected[0].tolist())
        for i, (modality, moment) in enumerate(zip(fitted.network.modalities, chosen, strict=True))
    ]


def evaluate_clips(
    teacher: Path,
    descriptors: list[Path],
    students: list[Path],
    videos: Path,
    media: list[Path],
    mels: list[Path],
    table: Path,
    threads: int = 1,
) -> None:
    """Score the teacher and each student on the labelled moments of the target's usable test videos.

    The teacher answers with its own classifier where that knows every class of the target by name, and then only of these;
    else with a linear classifier fitted here on its descriptors of the target's labelled training moments.

    Args:
        teacher: the teacher.
        descriptors: what it says of the target's moments, all shards.
        students: fine-tuned students.
        videos: the target's videos, as decoded.
        media: the target's media, all shards.
        mels: the target's mels, all shards.
        table: written: a row for the teacher, then a row a student; `top1` in percent of moments, and multiply-accumulates
            (10^9) of one clip, or of the frame and the second of sound that stand for it.
        threads: of torch.
    """
    device = prepare(0, threads)
    listed = read_videos(videos)
    classes, ids = class_names(listed), usable_ids(listed)
    rows = []
    with (
        read_shards(media, read_media, ids) as m,
        read_shards(mels, read_mels, ids) as s,
        read_shards(descriptors, read_descriptors, ids) as d,
    ):
        counts = {video: shard.moments(video) for video, shard in m.items()}
        train, test = (labelled_moments(listed, counts, classes, split) for split in ("train", "test"))
        if not test:
            raise BadInput(f"{videos}: no labelled moments of usable test videos to score clips on")
        labels = np.array([example.label for example in test])
        scores, macs = teacher_answers(teacher, train, test, classes, d)
        rows.append(clip_row("teacher", "", "", scores, labels, macs))
        for path in students:
            student = load_student(path)
            if student.class_names != tuple(classes):
                raise BadInput(f"{path}: fine-tuned on other classes than those of {videos}; run snakemake again")
            macs = pair_macs(student)
            scores = student_scores(student.to(device), test, m, s, device)
            distilled = "yes" if student.settings["distilled"] else "no"
            rows.append(clip_row("student", "-".join(student.modalities), distilled, scores, labels, macs))
    write_table(table, CLIP_COLUMNS, rows)


def teacher_answers(
    path: Path, train: Sequence[Example], test: Sequence[Example], classes: Sequence[str], shards: Mapping[str, DescriptorReader]
) -> tuple[Float[np.ndarray, "clips classes"], int]:
    """The teacher's scores of the test moments for the target's classes, and its multiply-accumulates a clip."""
    network, settings = load_teacher_network(path)
    side = settings["frame_pixels"]
    clip = torch.zeros(1, 3, settings["clip_frames"], side, side)
    known = {name: i for i, name in enumerate(settings["class_names"])}
    read, scores = described_moments(test, shards)
    if all(name in known for name in classes):
        return scores[:, [known[name] for name in classes]], count_macs(lambda: network(clip))
    if not train:
        raise BadInput(f"{path}: knows other classes than the target's, and there are no training moments to fit a classifier on")
    head = fit_head(described_moments(train, shards)[0], np.array([example.label for example in train]), len(classes))
    with torch.inference_mode():
        return head(torch.from_numpy(read)).numpy(), count_macs(lambda: head(network.describe(clip)))


def clip_row(
    model: str,
    modalities: str,
    distilled: str,
    scores: Float[np.ndarray, "clips classes"],
    labels: Int[np.ndarray, " clips"],
    macs: int,
) -> dict[str, str]:
    """A row of the clip-level table."""
    return {
        "model": model,
        "modalities": modalities,
        "distilled": distilled,
        "top1": f"{100 * top1(scores, labels):.2f}",
        "gmacs_per_clip": f"{macs / 1e9:.6g}",
    }
