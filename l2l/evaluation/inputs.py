"""What the evaluations of whole videos read, checked: features, trained networks, test videos."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from l2l.config import PLAIN, VARIANTS, FeatureName, Variant
from l2l.errors import BadInput
from l2l.evaluation.measures.truth import Truth
from l2l.features.artifact import Features, VideoFeatures, read_features
from l2l.manifest.artifact import Video, read_videos, usable_ids
from l2l.shards import check_videos
from l2l.skimmer.artifact import (
    Model,
    TrainedSkimmer,
    check_student,
    load_skimmer,
    named_features,
)
from l2l.student.artifact import digest_of, load_start, student_around
from l2l.student.network import Student
from l2l.teacher.artifact import DescriptorReader


def load_student_and_features(student: Path, features: Path) -> tuple[Student, Features]:
    """A student, and the features that it has made. Of a head alone, as the public release has it,
    the student has the paper's streams: right for costs and for nothing else.

    Raises:
        BadInput: if another student has made them.
    """
    start, stored = load_start(student), read_features(features)
    stored.check_student(student, digest_of(start))
    return (start if isinstance(start, Student) else student_around(student, start)), stored


def load_trained(
    path: Path, features: Features, model: Model = "skimmer", variant: Variant | None = PLAIN
) -> TrainedSkimmer:
    """A trained network of this model and variant (None: any), of the classes of the features.

    Raises:
        BadInput: if the file holds another, or one that was trained on another student's features.
    """
    trained = load_skimmer(path)
    if trained.model != model:
        raise BadInput(f"{path}: found {trained.model}, expected {model}")
    if variant is not None and trained.variant != variant:
        raise BadInput(
            f"{path}: found a skimmer that reads {trained.variant!r}, expected {variant!r}; run "
            "snakemake again"
        )
    _check_belongs(path, trained, features)
    return trained


def load_trained_networks(
    paths: Sequence[Path], features: Features, names: Sequence[str]
) -> dict[str, TrainedSkimmer]:
    """Trained networks by name; what a file holds says which one it is.

    Args:
        paths: the files, in any order.
        features: that the networks were trained on.
        names: of the networks that are needed.

    Raises:
        BadInput: if one is missing, is given twice, or does not belong to the features.
    """
    trained: dict[str, TrainedSkimmer] = {}
    for path in paths:
        network = load_skimmer(path)
        name = _network_name(path, network)
        if name in trained:
            raise BadInput(f"--trained: {path} holds {name}, and so does another file")
        _check_belongs(path, network, features)
        trained[name] = network
    if missing := [name for name in names if name not in trained]:
        raise BadInput(
            f"--trained: found {', '.join(trained) or 'nothing'}, expected {missing[0]} too, which "
            "a row of the table needs"
        )
    return trained


def _network_name(path: Path, trained: TrainedSkimmer) -> str:
    """A model's name, or that of the paper's variant of the skimmer."""
    if trained.variant == PLAIN:
        return trained.model
    for name, variant in VARIANTS.items():
        if trained.variant == variant:
            return name
    raise BadInput(
        f"{path}: found a skimmer that reads {trained.variant!r}, expected a model of "
        f"train_skimmer, or one of the variants {', '.join(VARIANTS)}"
    )


def _check_belongs(path: Path, trained: TrainedSkimmer, features: Features) -> None:
    if trained.class_names != features.classes:
        raise BadInput(
            f"{path}: trained on other classes than those of {features.root}; run snakemake again"
        )
    check_student(path, trained, features.root, features.student_digest)


def video_batch(
    trained: TrainedSkimmer,
    video: str,
    read: VideoFeatures,
    factor: int = 1,
    described: Mapping[str, DescriptorReader] | None = None,
) -> tuple[dict[FeatureName, Tensor], Tensor]:
    """The features that a trained network reads of one video, as a batch of one.

    Args:
        trained: the network.
        video: the video's id.
        read: its features.
        factor: features are read of one moment in `factor`, and interpolated between where the
            network needs all moments.
        described: the teacher's descriptors of each video, for a variant that reads them.

    Returns:
        Each feature (1, moments, channel), and which moments are present (1, moments): all that
        are given to the network.
    """
    tensors = named_features(video, read, trained.feature_names, described or {})
    features = {name: trained.read(x, factor)[None] for name, x in tensors.items()}
    given = len(next(iter(features.values()))[0])
    return features, torch.ones(1, given, dtype=torch.bool)


def test_videos(path: Path, features: Features) -> tuple[list[Video], Truth]:
    """The usable test videos of a data set, and what its test videos show.

    Raises:
        BadInput: if there are none, the features are of other videos, or they do not know a video's
            class.
    """
    listed = read_videos(path)
    test = [video for video in listed if video.split == "test"]
    usable = [video for video in test if video.usable]
    if not usable:
        raise BadInput(f"{path}: no usable test videos to evaluate on")
    check_videos(features.root, features.videos, usable_ids(listed))
    number = {name: i for i, name in enumerate(features.classes)}
    for video in test:
        if unknown := set(video.labels) - set(number):
            raise BadInput(
                f"{features.root}: video {video.video!r} is of class {min(unknown)!r}, expected "
                f"one of {', '.join(features.classes)}"
            )
    shown = np.zeros((len(usable), len(number)), bool)
    for i, video in enumerate(usable):
        shown[i, [number[label] for label in video.labels]] = True
    labels = np.array([number[video.label] for video in usable], np.int64)
    unusable = np.array([number[video.label] for video in test if not video.usable], np.int64)
    return usable, Truth(labels, shown, unusable)
