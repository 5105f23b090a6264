"""Fitting the skimmer, or one of the networks it is compared with, on the target's training videos."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import Dataset

from l2l import config as sections
from l2l.config import FeatureName
from l2l.errors import BadInput
from l2l.features.artifact import Features, read_features
from l2l.fitting import fit, prepare
from l2l.manifest.artifact import Video, read_videos, usable_ids
from l2l.skimmer.artifact import FittedSkimmer, Model, build, named_features, save_skimmer
from l2l.skimmer.padding import pad_videos
from l2l.skimmer.sparse import read_sparsely
from l2l.stores import check_videos, read_shards
from l2l.student.artifact import load_start
from l2l.student.network import Head, Student
from l2l.teacher.artifact import DescriptorReader, read_descriptors

VALIDATION_VIDEOS = 64  # scored at a time; changes no score


class Example(NamedTuple):
    """A video to fit on: its features, (moments, channel) each, and the index of its class."""

    features: dict[FeatureName, Tensor]
    label: int


def fit_skimmer(
    student: Path,
    videos: Path,
    features: Path,
    skimmer: Path,
    config: sections.Skimmer,
    model: Model,
    seed: int,
    threads: int = 1,
    frozen_modality_scores: bool = False,
    variant: sections.Variant = sections.PLAIN,
    descriptors: list[Path] | None = None,
) -> None:
    """Fit a skimmer on the labels of the target's usable training videos, from the student's Psi and classifier on.

    Args:
        student: the student whose features are read, or the head of one; its Psi and classifier are where the skimmer's start.
        videos: the target's videos, as decoded.
        features: root of the target's features in Zarr.
        skimmer: written: the fitted network.
        config: sizes, steps and schedule.
        model: `skimmer`, or a network it is compared with: `lstm`, `non_recurrent`.
        seed: of the initial numbers and the order of the videos.
        threads: of torch.
        frozen_modality_scores: leave the layer that scores the modalities as it is drawn, as the public code's command does,
            which has it in no parameter group.
        variant: what a skimmer reads, where that is not the student's modalities.
        descriptors: what the teacher says of the target's moments, all shards; where a variant reads it.
    """
    device = prepare(seed, threads)
    origin = load_start(student)
    bank = read_features(features)
    rows = [video for video in read_videos(videos) if video.usable]
    ids = usable_ids(rows)
    check_videos(features, bank.videos, ids)
    if model != "skimmer" and variant != sections.PLAIN:
        raise BadInput(f"--variant: found for {model}, expected for a skimmer alone")
    recognition = classified_by(variant, origin)
    names = tuple(dict.fromkeys((*recognition, *variant.indexing)))
    with read_shards(descriptors or [], read_descriptors, ids) as described:
        train, val = (examples(bank, [v for v in rows if v.split == split], names, described) for split in ("train", "val"))
    if len(train) < 2:
        raise BadInput(f"{videos}: {len(train)} usable training videos, expected at least 2 to fit the skimmer on (batch norm)")
    widths, indexing = ({m: train[0].features[m].shape[1] for m in read} for read in (recognition, variant.indexing))
    psi = (0, sum(widths.values()))
    if recognition == origin.modalities:
        psi = (origin.fusion.fc1.out_features, origin.fusion.fc2.out_features)
    network = build(model, widths, len(bank.classes), *psi, config, indexing)
    fitted = FittedSkimmer(network.to(device), model, bank.classes, config.steps, variant)
    groups = start_from_student(fitted, origin, config, ("modality_attention",) if frozen_modality_scores else ())

    def loss(batch: tuple[dict[FeatureName, Tensor], Tensor, Tensor]) -> Tensor:
        read, present, labels = batch
        scores = fitted.scores({m: x.to(device) for m, x in read.items()}, present.to(device))
        return F.cross_entropy(scores, labels.to(device))

    whole = set(recognition) - set(variant.indexing) if variant.selected else set()
    read = ReadAtFactors(train, config.read_factors, whole)
    fit(network, groups, read, loss, config.fit, lambda: validate(fitted, val, device), collate)
    save_skimmer(skimmer, fitted, widths, config)


class ReadAtFactors(Dataset):
    """Examples as the skimmer will meet them: each time one is asked for, a factor is drawn by which it is read sparsely.

    Features named in `selected` are read of selected moments alone, and so stay as they are.
    """

    def __init__(self, whole: Sequence[Example], factors: Sequence[int], selected: Collection[FeatureName] = ()) -> None:
        self.whole, self.factors, self.selected = whole, factors, selected

    def __len__(self) -> int:
        return len(self.whole)

    def __getitem__(self, i: int) -> Example:
        example, factor = self.whole[i], self.factors[int(torch.randint(len(self.factors), ()))]
        read = {m: x if m in self.selected else read_sparsely(x, factor) for m, x in example.features.items()}
        return Example(read, example.label)


def classified_by(variant: sections.Variant, student: Student | Head) -> tuple[FeatureName, ...]:
    """The features that are classified; if they are the student's modalities, in the order its Psi takes them."""
    same = not variant.recognition or set(variant.recognition) == set(student.modalities)
    return student.modalities if same else variant.recognition


def examples(
    bank: Features, videos: Sequence[Video], names: Sequence[FeatureName], described: Mapping[str, DescriptorReader]
) -> list[Example]:
    """The features of these names and the labels of videos, all in memory."""
    found = []
    for video in videos:
        if video.label not in bank.classes:
            raise BadInput(
                f"{bank.root}: video {video.video!r} is of class {video.label!r}, not one of {', '.join(bank.classes)}"
            )
        read = named_features(video.video, bank.load(video.video), names, described)
        found.append(Example(read, bank.classes.index(video.label)))
    return found


def collate(batch: Sequence[Example]) -> tuple[dict[FeatureName, Tensor], Tensor, Tensor]:
    """Pad a batch of videos; padding is never read."""
    features, present = pad_videos([example.features for example in batch])
    return features, present, torch.tensor([example.label for example in batch])


def start_from_student(
    fitted: FittedSkimmer, student: Student | Head, config: sections.Skimmer, frozen: Sequence[str] = ()
) -> list[Mapping[str, Any]]:
    """Copy the student's Psi and classifier into the network where it reads the same; return the parameter groups to fit.

    What has rate 0, or is named in `frozen`, is left out and frozen: nothing is spent on its gradient. A classifier that reads
    no descriptor of the student's (the LSTM baseline's; of a single stream; of the teacher's descriptors) starts from nothing and
    learns at the full rate.
    """
    network, recognition = fitted.network, classified_by(fitted.variant, student)
    rates = {"fusion": config.fusion_rate, "classifier": config.classifier_rate, **dict.fromkeys(frozen, 0.0)}
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


def validate(fitted: FittedSkimmer, val: Sequence[Example], device: torch.device) -> dict[str, float]:
    """Share of the videos that the network gets right; nothing to say without videos."""
    if not val:
        return {}
    right = 0
    with torch.inference_mode():
        for start in range(0, len(val), VALIDATION_VIDEOS):
            read, present, labels = collate(val[start : start + VALIDATION_VIDEOS])
            scores = fitted.scores({m: x.to(device) for m, x in read.items()}, present.to(device))
            right += int((scores.argmax(1).cpu() == labels).sum())
    return {"val_top1": right / len(val)}
