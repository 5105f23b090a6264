"""Train the skimmer, or a network that it is compared with, on the target's training videos."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import Dataset

from l2l.checkpoints import resumable
from l2l.config import (
    PLAIN,
    FeatureName,
    PublicCodeConfig,
    SkimmerConfig,
    TrainingConfig,
    Variant,
    as_json,
)
from l2l.errors import BadInput
from l2l.features.artifact import read_features
from l2l.jobs.processes import own_threads, team
from l2l.manifest.artifact import read_videos, usable_ids
from l2l.shards import check_videos, read_shards
from l2l.skimmer.artifact import Model, TrainedSkimmer, build, save_skimmer
from l2l.skimmer.early_exit import EarlyExit
from l2l.skimmer.examples import (
    Batch,
    Example,
    Examples,
    FeatureCache,
    FixedOrder,
    RandomMoments,
    RandomMomentsWithAll,
    RandomSparseReading,
    SeededReading,
    collate,
    collate_with_all,
)
from l2l.skimmer.network import Skimmer
from l2l.skimmer.public_code import collate_crops, prepare, restore, without_a_random_moment
from l2l.skimmer.ranked import RankedSampler
from l2l.student.artifact import digest_of, load_start
from l2l.student.network import Head, Student
from l2l.teacher.artifact import read_descriptors
from l2l.training import seed_and_pick_device, train

VALIDATION_VIDEOS = 64  # per batch of `validate`; changes no logit


def train_skimmer(
    student: Path,
    videos: Path,
    features: Path,
    skimmer: Path,
    config: SkimmerConfig,
    model: Model,
    seed: int,
    threads: int = 1,
    variant: Variant = PLAIN,
    descriptors: list[Path] | None = None,
) -> None:
    """Train a skimmer on the labels of the target's usable training videos, starting from the
    student's Psi and classifier.

    Args:
        student: the student whose features are read, or its head; its Psi and classifier are the
            start of the skimmer's.
        videos: the target's videos, with their final status.
        features: root of the target's features in Zarr.
        skimmer: written: the trained network.
        config: sizes, steps and schedule.
        model: `skimmer`, or a network it is compared with: `lstm`, `non_recurrent`, `one_look`,
            `ranked`, `early_exit`.
        seed: of the initial weights and the order of the videos.
        threads: of the job: one trains, the others load features.
        variant: which features the skimmer reads, if not the student's modalities.
        descriptors: the teacher's descriptors of the target's moments, all shards; only for a
            variant that reads them.
    """
    # ---- read: the student, its features, the videos

    device, workers = seed_and_pick_device(seed), own_threads(threads) - 1
    start = load_start(student)
    store = read_features(features)
    store.check_student(student, digest_of(start))
    usable = [video for video in read_videos(videos) if video.usable]
    ids, training_ids = usable_ids(usable), usable_ids(usable, "train_val")
    check_videos(features, store.videos, ids)
    if model != "skimmer" and variant != PLAIN:
        raise BadInput(f"--variant: found one for {model}, expected it for a skimmer only")
    recognition = recognition_features(variant, start)
    feature_names = tuple(dict.fromkeys((*recognition, *variant.indexing)))
    store_files = [features / "zarr.json", *sorted(features.glob("*/zarr.json"))]
    inputs = [student, videos, *store_files, *(descriptors or [])]
    settings = [as_json(config), as_json(variant), model, seed]
    with (
        read_shards(descriptors or [], read_descriptors, ids, training_ids) as teacher_descriptors,
        resumable(skimmer, inputs, settings) as checkpoints,
    ):
        cache = FeatureCache(store, feature_names, config.cache_bytes, teacher_descriptors)
        examples = {
            split: Examples(cache, [video for video in usable if video.split == split])
            for split in ("train", "val")
        }
        if len(examples["train"]) < 2:
            raise BadInput(
                f"{videos}: found {len(examples['train'])} usable training videos, expected at "
                "least 2 to train the skimmer on (batch norm)"
            )

        # ---- build the network

        channels = {name: x.shape[1] for name, x in examples["train"][0].features.items()}
        widths = {name: channels[name] for name in recognition}
        indexing = {name: channels[name] for name in variant.indexing}
        fusion_hidden, descriptor_width = 0, sum(widths.values())  # without Psi
        if recognition == start.modalities:
            fusion_hidden = start.fusion.fc1.out_features
            descriptor_width = start.fusion.fc2.out_features
        sizes = len(store.classes), fusion_hidden, descriptor_width
        network = build(model, widths, *sizes, config, indexing, variant.queried)
        trained = TrainedSkimmer(
            network.to(device), model, store.classes, config.steps, variant, store.student_digest
        )
        public_code = config.public_code if model == "skimmer" else PublicCodeConfig()
        if isinstance(network, Skimmer):
            prepare(network, public_code)
        frozen = ("modality_attention",) * public_code.freezes_modality_weights
        groups = start_from_student(trained, start, config, frozen)

        # ---- train and write

        dense = set(recognition) - set(variant.indexing) if variant.selected else set()
        read = RandomSparseReading(examples["train"], config.read_factors, dense)
        dataset: Dataset = read
        make_batch: Callable[[list[Any]], Any] = collate
        if model == "one_look":
            dataset = moments = RandomMoments(examples["train"], config.one_look.longest_factor)
            if config.one_look.consistency:
                dataset, make_batch = RandomMomentsWithAll(moments), collate_with_all
        elif model == "ranked":
            dataset = RandomMoments(examples["train"], config.ranked.longest_factor)
        elif model == "early_exit":
            dataset = FixedOrder(examples["train"], config.early_exit.moments)
        elif public_code.crop_moments:
            dataset = SeededReading(read)
            make_batch = partial(collate_crops, *public_code.crop_moments)
        train(
            network,
            groups,
            dataset,
            _loss(trained, config, device, public_code.masks_a_random_moment),
            _training(config, model),
            lambda: validate(trained, examples["val"], device),
            make_batch,
            workers,
            checkpoints,
        )
        if isinstance(network, Skimmer):
            restore(network)
        if team().is_main:
            save_skimmer(skimmer, trained, widths, config)


def _training(config: SkimmerConfig, model: Model) -> TrainingConfig:
    """The training of a model; those of the paper share one."""
    own = {
        "one_look": config.one_look.training,
        "ranked": config.ranked.training,
        "early_exit": config.early_exit.training,
    }
    return own.get(model, config.training)


def _loss(
    trained: TrainedSkimmer, config: SkimmerConfig, device: torch.device, masks: bool
) -> Callable[[Any], Tensor]:
    """The loss of a collated batch: cross-entropy, or the network's own."""
    network = trained.network
    if isinstance(network, RankedSampler):
        ranked = config.ranked
        return lambda batch: network.loss(*_on(device, batch), ranked.margin, ranked.least_gap)
    if isinstance(network, EarlyExit):
        return lambda batch: network.loss(*_on(device, batch), config.early_exit.beta)
    if trained.model == "one_look" and (share := config.one_look.consistency):
        return lambda batches: consistency_loss(trained, batches[0], batches[1], device, share)
    return lambda batch: training_loss(trained, batch, device, masks)


def _on(device: torch.device, batch: Batch) -> Batch:
    features, present, labels = batch
    return {m: x.to(device) for m, x in features.items()}, present.to(device), labels.to(device)


def training_loss(
    trained: TrainedSkimmer, batch: Batch, device: torch.device, masks_a_random_moment: bool = False
) -> Tensor:
    """The mean cross-entropy of a collated batch, in float32.

    Args:
        trained: the network in training.
        batch: features, present moments, labels.
        device: of the network.
        masks_a_random_moment: of each video, before the first step, as in the public code.
    """
    features, present, labels = batch
    if masks_a_random_moment:
        free = without_a_random_moment(present).to(device)
        on_device = {m: x.to(device) for m, x in features.items()}
        logits = trained.skim(on_device, present.to(device), free=free).logits
    else:
        logits = _logits(trained, batch, device)
    return F.cross_entropy(logits.float(), labels.to(device))


def consistency_loss(
    trained: TrainedSkimmer, read: Batch, everything: Batch, device: torch.device, share: float
) -> Tensor:
    """The mean cross-entropy to the label, and to what the network answers on all moments.

    Args:
        trained: the network in training.
        read: features, present moments, labels of the moments that are read.
        everything: the same of all moments of the same videos.
        device: of the network.
        share: of the second, 0 to 1.
    """
    with torch.no_grad():
        dense = _logits(trained, everything, device).float().softmax(1)
    logits = _logits(trained, read, device).float()
    to_label = F.cross_entropy(logits, read[2].to(device))
    return (1 - share) * to_label + share * F.cross_entropy(logits, dense)


def _logits(trained: TrainedSkimmer, batch: Batch, device: torch.device) -> Tensor:
    """The logits (videos, classes) of a collated batch."""
    features, present, _ = batch
    return trained.scores({m: x.to(device) for m, x in features.items()}, present.to(device))


def recognition_features(variant: Variant, student: Student | Head) -> tuple[FeatureName, ...]:
    """The features that are classified; the student's modalities in the order its Psi takes them.

    A variant that does not state them, or states the student's modalities, classifies these.
    """
    same = not variant.recognition or set(variant.recognition) == set(student.modalities)
    return student.modalities if same else variant.recognition


def start_from_student(
    trained: TrainedSkimmer,
    student: Student | Head,
    config: SkimmerConfig,
    frozen: Sequence[str] = (),
) -> list[Mapping[str, Any]]:
    """Copy the student's Psi and classifier into the network where it reads the same features.

    Modules of rate 0, or named in `frozen`, are frozen, so that no gradient of theirs is computed.
    A classifier that does not read the student's descriptor (of the LSTM baseline, of a single
    stream, of the teacher's descriptors) keeps its initial weights and learns at the full rate. The
    ranked sampler learns an order alone: its Psi and classifier are frozen. Each classifier of
    early exit starts as the student's and learns at the full rate.

    Returns:
        The parameter groups to train.
    """
    network, recognition = trained.network, recognition_features(trained.variant, student)
    rates = {
        "fusion": config.fusion_lr_scale,
        "classifier": config.classifier_lr_scale,
        **dict.fromkeys(frozen, 0.0),
    }
    if recognition == student.modalities:
        network.fusion.load_state_dict(student.fusion.state_dict())
    if trained.model == "ranked":
        rates |= {"fusion": 0.0, "classifier": 0.0}
    if isinstance(network, EarlyExit):
        for classifier in network.classifiers:
            classifier.load_state_dict(student.classifier.state_dict())
    elif trained.model == "lstm" or recognition not in (student.modalities, ("fused",)):
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


def validate(trained: TrainedSkimmer, val: Examples, device: torch.device) -> dict[str, float]:
    """Top-1 accuracy on the validation videos; empty if there are none."""
    if not len(val):
        return {}
    correct = 0
    with torch.inference_mode():
        for first in range(0, len(val), VALIDATION_VIDEOS):
            indices = range(first, min(first + VALIDATION_VIDEOS, len(val)))
            batch = collate([_as_read(trained, val[i]) for i in indices])
            predicted = _logits(trained, batch, device).argmax(1).cpu()
            correct += int((predicted == batch[2]).sum())
    return {"val_top1": correct / len(val)}


def _as_read(trained: TrainedSkimmer, example: Example) -> Example:
    """An example as the network is given it, all moments read where it reads them all."""
    return Example({m: trained.read(x, 1) for m, x in example.features.items()}, example.label)
