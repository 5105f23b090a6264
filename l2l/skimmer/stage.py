"""Fitting the skimmer, or one of the networks it is compared with, on the target's training videos."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import Dataset

from l2l import config as sections
from l2l.checkpoints import resumable
from l2l.config import as_json
from l2l.errors import BadInput
from l2l.features.artifact import Features, read_features
from l2l.fitting import fit, prepare
from l2l.loading import Drawn
from l2l.manifest.artifact import Video, read_videos
from l2l.processes import own_threads, team
from l2l.skimmer.artifact import FittedSkimmer, Model, build, save_skimmer
from l2l.skimmer.padding import pad_videos
from l2l.skimmer.sparse import read_sparsely
from l2l.student.artifact import load_start
from l2l.student.network import Head, Modality, Student

VALIDATION_VIDEOS = 64  # scored at a time; changes no score


class Example(NamedTuple):
    """A video to fit on: its features, (moments, channel) each, and the index of its class."""

    features: dict[Modality, Tensor]
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
        threads: of the job: one fits, the others read features.
        frozen_modality_scores: leave the layer that scores the modalities as it is drawn, as the public code's command does,
            which has it in no parameter group.
    """
    device, workers = prepare(seed), own_threads(threads) - 1
    origin = load_start(student)
    bank = read_features(features)
    rows = [video for video in read_videos(videos) if video.usable]
    cache = FeatureCache(bank, origin.modalities, config.cache_bytes)
    train, val = (Examples(cache, [v for v in rows if v.split == split]) for split in ("train", "val"))
    if len(train) < 2:
        raise BadInput(f"{videos}: {len(train)} usable training videos, expected at least 2 to fit the skimmer on (batch norm)")
    widths = {m: train[0].features[m].shape[1] for m in origin.modalities}
    fusion = origin.fusion
    network = build(model, widths, len(bank.classes), fusion.fc1.out_features, fusion.fc2.out_features, config)
    fitted = FittedSkimmer(network.to(device), model, bank.classes, config.steps)
    groups = start_from_student(fitted, origin, config, ("modality_attention",) if frozen_modality_scores else ())

    def loss(batch: tuple[dict[Modality, Tensor], Tensor, Tensor]) -> Tensor:
        read, present, labels = batch
        scores = fitted.scores({m: x.to(device) for m, x in read.items()}, present.to(device))
        return F.cross_entropy(scores.float(), labels.to(device))

    stores = [features / "zarr.json", *sorted(features.glob("*/zarr.json"))]
    settings = [as_json(config), model, seed, frozen_modality_scores]
    with resumable(skimmer, [student, videos, *stores], settings) as checkpoints:
        read = ReadAtFactors(train, config.read_factors)
        fit(network, groups, read, loss, config.fit, lambda: validate(fitted, val, device), collate, workers, checkpoints)
        if team().leads:
            save_skimmer(skimmer, fitted, widths, config)


class FeatureCache:
    """Features as they are stored, of some modalities; those of the first videos to be added stay in memory, within a bound."""

    def __init__(self, bank: Features, modalities: Sequence[Modality], cache_bytes: int) -> None:
        self.bank, self._modalities, self._left_bytes = bank, tuple(modalities), cache_bytes
        self._kept: dict[str, dict[str, np.ndarray]] = {}

    def add(self, videos: Collection[str]) -> None:
        """Read videos, in the order they are stored, and keep them, until the bound is reached."""
        wanted = set(videos)
        for video in self.bank.videos:
            if video in wanted:
                read = self.bank.stored(video, self._modalities)
                self._left_bytes -= sum(x.nbytes for x in read.values())
                if self._left_bytes < 0:
                    return
                self._kept[video] = read

    def features(self, video: str) -> dict[Modality, Tensor]:
        """The features of a video, float32 (moments, channel) each; read now if they were not kept."""
        read = self._kept.get(video) or self.bank.stored(video, self._modalities)
        return {m: torch.from_numpy(read[m].astype(np.float32)) for m in self._modalities}


class Examples(Dataset):
    """The examples of some videos, whose features it adds to a cache."""

    def __init__(self, cache: FeatureCache, videos: Sequence[Video]) -> None:
        bank = cache.bank
        for video in videos:
            if video.label not in bank.classes:
                raise BadInput(
                    f"{bank.root}: video {video.video!r} is of class {video.label!r}, not one of {', '.join(bank.classes)}"
                )
        self.cache, self.videos = cache, [(video.video, bank.classes.index(video.label)) for video in videos]
        cache.add([video for video, _ in self.videos])

    def __len__(self) -> int:
        return len(self.videos)

    def __getitem__(self, i: int) -> Example:
        video, label = self.videos[i]
        return Example(self.cache.features(video), label)


class ReadAtFactors(Drawn):
    """Examples as the skimmer will meet them: for each, each epoch, a factor is drawn by which it is read sparsely."""

    def __init__(self, whole: "Examples | Sequence[Example]", factors: Sequence[int]) -> None:
        self.whole, self.factors = whole, factors

    def __len__(self) -> int:
        return len(self.whole)

    def draw(self, count: int) -> Tensor:
        """Which of the factors."""
        return torch.randint(len(self.factors), (count,))

    def __getitem__(self, key: tuple[int, int]) -> Example:
        example, factor = self.whole[key[0]], self.factors[key[1]]
        return Example({m: read_sparsely(x, factor) for m, x in example.features.items()}, example.label)


def collate(batch: Sequence[Example]) -> tuple[dict[Modality, Tensor], Tensor, Tensor]:
    """Pad a batch of videos; padding is never read."""
    features, present = pad_videos([example.features for example in batch])
    return features, present, torch.tensor([example.label for example in batch])


def start_from_student(
    fitted: FittedSkimmer, student: Student | Head, config: sections.Skimmer, frozen: Sequence[str] = ()
) -> list[Mapping[str, Any]]:
    """Copy the student's Psi, and its classifier where it fits, into the network; return the parameter groups to fit.

    What has rate 0, or is named in `frozen`, is left out and frozen: nothing is spent on its gradient. The LSTM baseline's
    classifier reads the LSTM and not a descriptor, so it starts from nothing and learns at the full rate.
    """
    network = fitted.network
    network.fusion.load_state_dict(student.fusion.state_dict())
    rates = {"fusion": config.fusion_rate, "classifier": config.classifier_rate, **dict.fromkeys(frozen, 0.0)}
    if fitted.model == "lstm":
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


def validate(fitted: FittedSkimmer, val: Examples, device: torch.device) -> dict[str, float]:
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
