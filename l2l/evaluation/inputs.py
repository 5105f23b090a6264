"""What the evaluations of whole videos read, checked: fitted networks and the classes of videos."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int

from l2l.config import PLAIN, Variant
from l2l.errors import BadInput
from l2l.features.artifact import Features
from l2l.manifest.artifact import Video
from l2l.skimmer.artifact import FittedSkimmer, Model, load_skimmer


def load_fitted(path: Path, bank: Features, model: Model = "skimmer", variant: Variant | None = PLAIN) -> FittedSkimmer:
    """A fitted network of this name and this variant (None: of any), of the classes that the features are of.

    Raises:
        BadInput: if the file holds another.
    """
    fitted = load_skimmer(path)
    if fitted.model != model:
        raise BadInput(f"{path}: found {fitted.model}, expected {model}")
    if variant is not None and fitted.variant != variant:
        raise BadInput(f"{path}: found a skimmer that reads {fitted.variant!r}, expected {variant!r}; run snakemake again")
    if fitted.class_names != bank.classes:
        raise BadInput(f"{path}: fitted on other classes than those of {bank.root}; run snakemake again")
    return fitted


def labels_of(videos: Sequence[Video], bank: Features) -> Int[np.ndarray, " videos"]:
    """The index of each video's class.

    Raises:
        BadInput: naming a video whose class the features do not know.
    """
    for video in videos:
        if video.label not in bank.classes:
            known = ", ".join(bank.classes)
            raise BadInput(f"{bank.root}: video {video.video!r} is of class {video.label!r}, expected one of {known}")
    return np.array([bank.classes.index(video.label) for video in videos])
