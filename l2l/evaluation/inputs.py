"""What the evaluations of whole videos read, checked.

Fitted networks, and the test videos with what they show.
"""

from pathlib import Path

import numpy as np

from l2l.config import PLAIN, Variant
from l2l.errors import BadInput
from l2l.evaluation.scores import Truth
from l2l.features.artifact import Features, read_features
from l2l.manifest.artifact import Video, read_videos, usable_ids
from l2l.shards import check_videos
from l2l.skimmer.artifact import Model, TrainedSkimmer, check_student, load_skimmer
from l2l.student.artifact import digest_of, load_student
from l2l.student.network import Student


def load_student_and_features(student: Path, features: Path) -> tuple[Student, Features]:
    """A student, and the features that it has made.

    Raises:
        BadInput: if another has made them.
    """
    origin, bank = load_student(student), read_features(features)
    bank.check_student(student, digest_of(origin))
    return origin, bank


def load_trained(
    path: Path, bank: Features, model: Model = "skimmer", variant: Variant | None = PLAIN
) -> TrainedSkimmer:
    """A fitted network of this name and this variant (None: of any), of the classes that the
    features are of.

    Raises:
        BadInput: if the file holds another, or one that was fitted for another student's features.
    """
    fitted = load_skimmer(path)
    if fitted.model != model:
        raise BadInput(f"{path}: found {fitted.model}, expected {model}")
    if variant is not None and fitted.variant != variant:
        raise BadInput(
            f"{path}: found a skimmer that reads {fitted.variant!r}, expected {variant!r}; run "
            "snakemake again"
        )
    if fitted.class_names != bank.classes:
        raise BadInput(
            f"{path}: fitted on other classes than those of {bank.root}; run snakemake again"
        )
    check_student(path, fitted, bank.root, bank.student_digest)
    return fitted


def test_videos(path: Path, bank: Features) -> tuple[list[Video], Truth]:
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
    check_videos(bank.root, bank.videos, usable_ids(listed))
    number = {name: i for i, name in enumerate(bank.classes)}
    for video in test:
        if unknown := set(video.labels) - set(number):
            known = ", ".join(bank.classes)
            raise BadInput(
                f"{bank.root}: video {video.video!r} is of class {min(unknown)!r}, expected one "
                f"of {known}"
            )
    shown = np.zeros((len(usable), len(number)), bool)
    for i, video in enumerate(usable):
        shown[i, [number[label] for label in video.labels]] = True
    first, lost = (
        [number[v.label] for v in test if v.usable == wanted] for wanted in (True, False)
    )
    return usable, Truth(np.array(first, np.int64), shown, np.array(lost, np.int64))
