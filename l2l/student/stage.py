"""Distil the student from the teacher's descriptors, then fine-tune it on the target's labels."""

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.utils.data import Dataset

from l2l.acceleration import for_training
from l2l.checkpoints import resumable
from l2l.config import NOT_ACCELERATED, AccelerationConfig, StudentConfig, as_json
from l2l.errors import BadInput
from l2l.jobs.processes import own_threads, team
from l2l.loading import RandomHorizontalFlip, load_batches
from l2l.manifest.artifact import class_names, read_videos, usable_ids
from l2l.media.artifact import MediaReader, read_listed_media
from l2l.media.examples import labelled_moments
from l2l.mels.artifact import MelReader, read_mels
from l2l.mels.spectrogram import floor_of, mel_shape
from l2l.shards import read_shards
from l2l.student.artifact import (
    build_student,
    descriptor_width_without_teacher,
    load_audio_weights,
    load_image_weights,
    load_student,
    save_student,
)
from l2l.student.loss import distillation_loss
from l2l.student.network import Modality, Student
from l2l.teacher.artifact import read_descriptors
from l2l.training import seed_and_pick_device, train


class Moments(Dataset):
    """What a student sees and hears of some moments, with the targets of its training.

    An entry is (frame (side, side, 3) uint8, mel (windows, bands) float32, has_sound, *answers[i]).
    """

    def __init__(
        self,
        places: Sequence[tuple[str, int]],
        answers: Sequence[tuple],
        media: dict[str, MediaReader],
        mels: dict[str, MelReader],
    ) -> None:
        self.places, self.answers, self.media, self.mels = places, answers, media, mels
        self._has_sound = {
            video: mels[video].has_sound(video) for video in {video for video, _ in places}
        }
        for video, has_sound in self._has_sound.items():
            if len(has_sound) != media[video].moments(video):
                raise BadInput(
                    f"{video}: {media[video].moments(video)} moments seen, {len(has_sound)} "
                    "heard; run snakemake again"
                )

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, i: int) -> tuple:
        video, moment = self.places[i]
        frame, mel = self.media[video].frame(video, moment), self.mels[video].mel(video, moment)
        return frame, mel, bool(self._has_sound[video][moment]), *self.answers[i]


def _look(
    student: Student, batch: Sequence[Tensor], floor: float, device: torch.device
) -> tuple[Tensor, Tensor]:
    """The student's descriptors and scores, float32, of a batch of `Moments`."""
    frames, mels, has_sound = (each.to(device) for each in batch[:3])
    descriptor, scores = student(*student.inputs(frames, mels, floor), has_sound)
    return descriptor.float(), scores.float()


def _top1(
    student: Student,
    moments: Moments,
    labels: Sequence[int],
    batch_moments: int,
    workers: int,
    floor: float,
    device: torch.device,
) -> float:
    right = 0
    with torch.inference_mode():
        for i, batch in enumerate(load_batches(moments, workers, batch_size=batch_moments)):
            _, scores = _look(student, batch, floor, device)
            first = i * batch_moments
            right += int(
                (scores.argmax(1).cpu() == torch.tensor(labels[first : first + len(scores)])).sum()
            )
    return right / max(1, len(moments))


def distil_student(
    videos: Path,
    media: list[Path],
    mels: list[Path],
    descriptors: list[Path],
    student: Path,
    modalities: list[Modality],
    config: StudentConfig,
    seed: int,
    threads: int = 1,
    acceleration: AccelerationConfig = NOT_ACCELERATED,
) -> None:
    """Distil a student of the given modalities from the teacher's descriptors of the source's train
    videos (paper, section 3.2).

    The source's labels are not read; how often the student's best class is the teacher's on val is
    logged.

    Args:
        videos: the source's videos, with their final status.
        media: the source's media, all shards.
        mels: the source's mels, all shards.
        descriptors: the teacher's descriptors of the source's moments, all shards.
        student: written: the network.
        modalities: what it reads: image, audio, or both.
        config: the section `student`.
        seed: of the initial weights and the order of the moments.
        threads: of the job: one trains, the others load moments.
        acceleration: the section `acceleration`.
    """
    device, workers = seed_and_pick_device(seed), own_threads(threads) - 1
    listed = read_videos(videos)
    split = {video.video: video.split for video in listed}
    ids = usable_ids(listed), usable_ids(listed, "train_val")
    settings = ["distil", modalities, as_json(config), seed]
    with (
        read_shards(media, read_listed_media(listed), *ids) as m,
        read_shards(mels, read_mels, *ids) as s,
        read_shards(descriptors, read_descriptors, *ids) as d,
        resumable(student, [videos, *media, *mels, *descriptors], settings) as checkpoints,
    ):
        places: dict[str, list[tuple[str, int]]] = {"train": [], "val": [], "test": []}
        answers: dict[str, list[tuple[np.ndarray, np.ndarray]]]
        answers = {"train": [], "val": [], "test": []}
        names: list[str] = []
        for video, reader in d.items():
            described, names = reader.described(video), reader.class_names
            places[split[video]] += [(video, int(k)) for k in described.moments]
            answers[split[video]] += list(
                zip(described.descriptors.astype("f4"), described.scores.astype("f4"), strict=True)
            )
        if not places["train"]:
            raise BadInput(f"{videos}: no described train video to distil from")
        mel_config = next(iter(s.values())).config
        network = build_student(
            config, modalities, len(names), answers["train"][0][0].size, mel_shape(mel_config)[1]
        )
        load_image_weights(network, config.image_weights)
        load_audio_weights(network, config.audio_weights)
        network = for_training(network, device, acceleration)

        def loss(batch: Sequence[Tensor]) -> Tensor:
            descriptor, scores = _look(network, batch, floor_of(mel_config), device)
            return distillation_loss(
                descriptor,
                scores,
                batch[3].to(device),
                batch[4].to(device),
                config.soft_loss_weight,
            )

        held_out = Moments(places["val"], answers["val"], m, s)
        teacher_says = [int(scores.argmax()) for _, scores in answers["val"]]
        top1 = functools.partial(
            _top1,
            network,
            held_out,
            teacher_says,
            config.batch_moments,
            workers,
            floor_of(mel_config),
            device,
        )
        train_moments = Moments(places["train"], answers["train"], m, s)
        train(
            network,
            [{"params": network.parameters()}],
            RandomHorizontalFlip(train_moments) if config.distil.flip else train_moments,
            loss,
            config.distil,
            lambda: {"val_agreement": top1()},
            workers=workers,
            checkpoints=checkpoints,
        )
        if team().is_main:
            save_student(
                student, network, config, names, True, next(iter(m.values())).config, mel_config
            )


def finetune_student(
    videos: Path,
    media: list[Path],
    mels: list[Path],
    student: Path,
    modalities: list[Modality],
    config: StudentConfig,
    seed: int,
    distilled: Path | None = None,
    threads: int = 1,
    acceleration: AccelerationConfig = NOT_ACCELERATED,
) -> None:
    """Train a student on the target's labelled train moments: from a `distilled` one, or, for
    comparison, from its initial weights.

    The one that is not distilled waits for no teacher, so its descriptor is as wide as the feature
    of its image trunk: at full size 512 numbers, as R(2+1)D's are. With teachers of 768 or 1024 it
    stays at 512: Psi's last layer and the classifier are smaller.

    Args:
        videos: the target's videos, with their final status.
        media: the target's media, all shards.
        mels: the target's mels, all shards.
        student: written: the network.
        modalities: what it reads: image, audio, or both.
        config: the section `student`.
        seed: of the initial weights and the order of the moments.
        distilled: the distilled student to start from; without one it starts from the initial
            weights of the section.
        threads: of the job: one trains, the others load moments.
        acceleration: the section `acceleration`.
    """
    device, workers = seed_and_pick_device(seed), own_threads(threads) - 1
    listed = read_videos(videos)
    classes, ids = class_names(listed), (usable_ids(listed), usable_ids(listed, "train_val"))
    inputs = [videos, *media, *mels, *([distilled] if distilled else [])]
    settings = ["finetune", modalities, distilled is not None, as_json(config), seed]
    with (
        read_shards(media, read_listed_media(listed), *ids) as m,
        read_shards(mels, read_mels, *ids) as s,
        resumable(student, inputs, settings) as checkpoints,
    ):
        mel_config = next(iter(s.values())).config
        bands = mel_shape(mel_config)[1]
        network = starting_student(distilled, config, modalities, len(classes), bands)
        network = for_training(network, device, acceleration)
        counts = {video: reader.moments(video) for video, reader in m.items()}

        def labelled(split: str) -> Moments:
            segments = config.finetune.segments
            examples = labelled_moments(listed, counts, classes, split, segments)
            places = [(each.video, each.moment) for each in examples]
            return Moments(places, [(each.label,) for each in examples], m, s)

        train_moments, held_out = labelled("train"), labelled("val")
        if not len(train_moments):
            raise BadInput(f"{videos}: no labelled train moment to fine-tune on")

        def loss(batch: Sequence[Tensor]) -> Tensor:
            _, scores = _look(network, batch, floor_of(mel_config), device)
            return cross_entropy(scores, batch[3].to(device))

        labels = [label for (label,) in held_out.answers]
        top1 = functools.partial(
            _top1,
            network,
            held_out,
            labels,
            config.batch_moments,
            workers,
            floor_of(mel_config),
            device,
        )
        train(
            network,
            [{"params": network.parameters()}],
            RandomHorizontalFlip(train_moments) if config.finetune.flip else train_moments,
            loss,
            config.finetune,
            lambda: {"val_top1": top1()},
            workers=workers,
            checkpoints=checkpoints,
        )
        if team().is_main:
            save_student(
                student,
                network,
                config,
                classes,
                distilled is not None,
                next(iter(m.values())).config,
                mel_config,
            )


def starting_student(
    distilled: Path | None,
    config: StudentConfig,
    modalities: list[Modality],
    classes: int,
    mel_bands: int,
) -> Student:
    """The network fine-tuning starts from.

    A distilled student with a new classifier, or a fresh one.
    """
    if distilled is None:
        width = descriptor_width_without_teacher(config)
        student = build_student(config, modalities, classes, width, mel_bands)
        load_image_weights(student, config.weights_of_undistilled)
        load_audio_weights(student, config.audio_weights)
        return student
    network = load_student(distilled)
    if list(network.modalities) != list(modalities):
        raise BadInput(
            f"{distilled}: a student of {network.modalities}, expected {tuple(modalities)}"
        )
    network.classifier = torch.nn.Linear(network.classifier.in_features, classes)
    return network
