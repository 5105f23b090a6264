"""Fitting the skimmer, or a network it is compared with, on the target's training videos."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from l2l import config as sections
from l2l.checkpoints import resumable
from l2l.config import FeatureName, as_json
from l2l.errors import BadInput
from l2l.features.artifact import read_features
from l2l.jobs.processes import own_threads, team
from l2l.manifest.artifact import read_videos, usable_ids
from l2l.shards import check_videos, read_shards
from l2l.skimmer.artifact import Model, TrainedSkimmer, build, save_skimmer
from l2l.skimmer.examples import Examples, FeatureCache, RandomSparseReading, collate
from l2l.student.artifact import digest_of, load_start
from l2l.student.network import Head, Student
from l2l.teacher.artifact import read_descriptors
from l2l.training import seed_and_pick_device, train

VALIDATION_VIDEOS = 64  # scored at a time; changes no score


def train_skimmer(
    student: Path,
    videos: Path,
    features: Path,
    skimmer: Path,
    config: sections.SkimmerConfig,
    model: Model,
    seed: int,
    threads: int = 1,
    frozen_modality_weights: bool = False,
    variant: sections.Variant = sections.PLAIN,
    descriptors: list[Path] | None = None,
) -> None:
    """Fit a skimmer on the labels of the target's usable training videos, from the student's Psi
    and classifier on.

    Args:
        student: the student whose features are read, or the head of one; its Psi and classifier are
            where the skimmer's start.
        videos: the target's videos, as decoded.
        features: root of the target's features in Zarr.
        skimmer: written: the fitted network.
        config: sizes, steps and schedule.
        model: `skimmer`, or a network it is compared with: `lstm`, `non_recurrent`.
        seed: of the initial numbers and the order of the videos.
        threads: of the job: one fits, the others read features.
        frozen_modality_weights: leave the layer that scores the modalities as it is drawn, as the
            public code's command does, which has it in no parameter group.
        variant: what a skimmer reads, where that is not the student's modalities.
        descriptors: what the teacher says of the target's moments, all shards; where a variant
            reads it.
    """
    device, workers = seed_and_pick_device(seed), own_threads(threads) - 1
    origin = load_start(student)
    bank = read_features(features)
    bank.check_student(student, digest_of(origin))
    rows = [video for video in read_videos(videos) if video.usable]
    ids = usable_ids(rows), usable_ids(rows, "train_val")
    check_videos(features, bank.videos, ids[0])
    if model != "skimmer" and variant != sections.PLAIN:
        raise BadInput(f"--variant: found for {model}, expected for a skimmer alone")
    recognition = classified_by(variant, origin)
    names = tuple(dict.fromkeys((*recognition, *variant.indexing)))
    stores = [features / "zarr.json", *sorted(features.glob("*/zarr.json")), *(descriptors or [])]
    settings = [as_json(config), as_json(variant), model, seed, frozen_modality_weights]
    with (
        read_shards(descriptors or [], read_descriptors, *ids) as described,
        resumable(skimmer, [student, videos, *stores], settings) as checkpoints,
    ):
        cache = FeatureCache(bank, names, config.cache_bytes, described)
        train_videos, val = (
            Examples(cache, [v for v in rows if v.split == split]) for split in ("train", "val")
        )
        if len(train_videos) < 2:
            raise BadInput(
                f"{videos}: {len(train_videos)} usable training videos, expected at least 2 to "
                "fit the "
                "skimmer on (batch norm)"
            )
        widths, indexing = (
            {m: train_videos[0].features[m].shape[1] for m in read}
            for read in (recognition, variant.indexing)
        )
        psi = (0, sum(widths.values()))
        if recognition == origin.modalities:
            psi = (origin.fusion.fc1.out_features, origin.fusion.fc2.out_features)
        network = build(model, widths, len(bank.classes), *psi, config, indexing)
        fitted = TrainedSkimmer(
            network.to(device), model, bank.classes, config.steps, variant, bank.student_digest
        )
        groups = start_from_student(
            fitted, origin, config, ("modality_attention",) if frozen_modality_weights else ()
        )

        def loss(batch: tuple[dict[FeatureName, Tensor], Tensor, Tensor]) -> Tensor:
            read, present, labels = batch
            scores = fitted.scores({m: x.to(device) for m, x in read.items()}, present.to(device))
            return F.cross_entropy(scores.float(), labels.to(device))

        whole = set(recognition) - set(variant.indexing) if variant.selected else set()
        read = RandomSparseReading(train_videos, config.read_factors, whole)
        train(
            network,
            groups,
            read,
            loss,
            config.training,
            lambda: validate(fitted, val, device),
            collate,
            workers,
            checkpoints,
        )
        if team().is_main:
            save_skimmer(skimmer, fitted, widths, config)


def classified_by(variant: sections.Variant, student: Student | Head) -> tuple[FeatureName, ...]:
    """The features that are classified.

    If they are the student's modalities, in the order its Psi takes them.
    """
    same = not variant.recognition or set(variant.recognition) == set(student.modalities)
    return student.modalities if same else variant.recognition


def start_from_student(
    fitted: TrainedSkimmer,
    student: Student | Head,
    config: sections.SkimmerConfig,
    frozen: Sequence[str] = (),
) -> list[Mapping[str, Any]]:
    """Copy the student's Psi and classifier into the network where it reads the same; return the
    parameter groups to fit.

    What has rate 0, or is named in `frozen`, is left out and frozen: nothing is spent on its
    gradient. A classifier that reads no descriptor of the student's (the LSTM baseline's; of a
    single stream; of the teacher's descriptors) starts from nothing and learns at the full rate.
    """
    network, recognition = fitted.network, classified_by(fitted.variant, student)
    rates = {
        "fusion": config.fusion_lr_scale,
        "classifier": config.classifier_lr_scale,
        **dict.fromkeys(frozen, 0.0),
    }
    if recognition == student.modalities:
        network.fusion.load_state_dict(student.fusion.state_dict())
    if fitted.model == "lstm" or recognition not in (student.modalities, ("fused",)):
        rates["classifier"] = 1.0
    else:
        network.classifier.load_state_dict(student.classifier.state_dict())
    groups: list[Mapping[str, Any]] = []
    for name, module in network.named_children():
        rate = rates.get(name, 1.0)
        if rate:
            groups.append({"params": list(module.parameters()), "rate": rate})
        else:
            module.requires_grad_(False)
    return groups


def validate(fitted: TrainedSkimmer, val: Examples, device: torch.device) -> dict[str, float]:
    """Share of the videos that the network gets right; nothing to say without videos."""
    if not len(val):
        return {}
    right = 0
    with torch.inference_mode():
        for start in range(0, len(val), VALIDATION_VIDEOS):
            videos = range(start, min(start + VALIDATION_VIDEOS, len(val)))
            read, present, labels = collate([val[i] for i in videos])
            scores = fitted.scores({m: x.to(device) for m, x in read.items()}, present.to(device))
            right += int((scores.argmax(1).cpu() == labels).sum())
    return {"val_top1": right / len(val)}
