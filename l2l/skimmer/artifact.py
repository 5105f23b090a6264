"""A fitted skimmer on disk: one file, which one it is, what it reads, its sizes, its classes, its
steps.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from l2l.config import PLAIN, FeatureName, SkimmerConfig, Variant
from l2l.errors import BadInput
from l2l.features.artifact import VideoFeatures
from l2l.skimmer.baselines import NON_RECURRENT_STEPS, LstmBaseline, non_recurrent
from l2l.skimmer.network import (
    AS_THE_PAPER,
    SELECTED_ANSWERS,
    UNAGGREGATED,
    WEIGHED_ANSWERS,
    Manner,
    Skimmer,
    SkimmerOutput,
)
from l2l.student.network import Fusion
from l2l.teacher.artifact import DescriptorReader
from l2l.torch_files import build_with_state
from l2l.training import load_network, save_network

KIND = "skimmer"
Model = Literal["skimmer", "lstm", "non_recurrent"]
MODELS: tuple[Model, ...] = get_args(Model)
Network = Skimmer | LstmBaseline


@dataclass(frozen=True)
class TrainedSkimmer:
    """A network that reads the features of all moments of a video, and what it was fitted for."""

    network: Network
    model: Model
    class_names: tuple[str, ...]
    steps: int  # T; the baselines do not read it
    variant: Variant = PLAIN
    student_digest: str = (
        ""  # of the student whose features it was fitted on; empty: not known, as of imported ones
    )

    @property
    def feature_names(self) -> tuple[FeatureName, ...]:
        """The features that the network reads: those it indexes by, then those it classifies."""
        classified = self.network.widths if isinstance(self.network, Skimmer) else ()
        return tuple(dict.fromkeys((*self.network.modalities, *classified)))

    def scores(self, features: Mapping[FeatureName, Tensor], present: Tensor) -> Tensor:
        """Class scores (logits) of a batch: (videos, classes)."""
        if isinstance(self.network, Skimmer):
            return self.skim(features, present).logits
        return self.network(features, present)

    def skim(
        self, features: Mapping[FeatureName, Tensor], present: Tensor, unaggregated: bool = False
    ) -> SkimmerOutput:
        """All that a skimmer says of a batch.

        Args:
            features: (videos, moments, channel) each, of the names its variant reads at least.
            present: (videos, moments), moments that are.
            unaggregated: every step sees the selected moments' features, not weighted means
                (supplement, G.3).
        """
        assert isinstance(self.network, Skimmer)
        steps = NON_RECURRENT_STEPS if self.model == "non_recurrent" else self.steps
        return self.network(features, present, steps, self._manner(unaggregated))

    def _manner(self, unaggregated: bool) -> Manner:
        if (
            self.variant.selected
        ):  # no gradient goes through a choice, so it is fitted on weighted means
            return WEIGHED_ANSWERS if self.network.training else SELECTED_ANSWERS
        return UNAGGREGATED if unaggregated else AS_THE_PAPER


def named_features(
    video: str,
    read: VideoFeatures,
    names: Sequence[FeatureName],
    described: Mapping[str, DescriptorReader],
) -> dict[FeatureName, Tensor]:
    """The features of these names of all moments of a video: (moments, channel) each.

    Args:
        video: its id.
        read: what the student makes of it.
        names: of features.
        described: where the teacher's descriptors of each video are; read only for `teacher`.

    Raises:
        BadInput: for a feature that the store has not, or a moment that the teacher was not asked
            about.
    """
    found: dict[FeatureName, np.ndarray] = {}
    for name in names:
        if name == "teacher":
            found[name] = all_described(video, len(read), described)
        elif name == "fused":
            found[name] = read.fused
        elif name in read.features:
            found[name] = read.features[name]
        else:
            raise BadInput(
                f"video {video!r}: found {' and '.join(read.features)} features, expected {name} "
                "features too"
            )
    return {name: torch.from_numpy(values) for name, values in found.items()}


def all_described(
    video: str, moments: int, described: Mapping[str, DescriptorReader]
) -> np.ndarray:
    """The teacher's descriptors of all moments: (moments, descriptor), float32."""
    if video not in described:
        raise BadInput(f"the teacher's descriptors have no video {video!r}; run snakemake again")
    found = described[video].described(video)
    if found.moments.tolist() != list(range(moments)):
        raise BadInput(
            f"the teacher described {len(found.moments)} of the {moments} moments of video "
            f"{video!r}, expected all of them: "
            "list the skimmer that reads them in evaluation.variants"
        )
    return found.descriptors.astype(np.float32)


def build(
    model: Model,
    widths: Mapping[FeatureName, int],
    classes: int,
    fusion_hidden: int,
    descriptor_width: int,
    config: SkimmerConfig,
    indexing: Mapping[FeatureName, int] | None = None,
) -> Network:
    """A network of this name at the config's sizes, newly initialised."""
    if model == "lstm":
        return LstmBaseline(widths, classes, fusion_hidden, descriptor_width, config.lstm_width)
    if model == "non_recurrent":
        return non_recurrent(
            widths, classes, fusion_hidden, descriptor_width, config.key_width, config.query_width
        )
    sizes = (config.lstm_width, config.key_width, config.query_width)
    return Skimmer(widths, classes, fusion_hidden, descriptor_width, *sizes, indexing)


def save_skimmer(
    path: Path, fitted: TrainedSkimmer, widths: Mapping[FeatureName, int], config: SkimmerConfig
) -> None:
    """Write a fitted skimmer, aside, then rename."""
    fusion = fitted.network.fusion
    psi = (
        (fusion.fc1.out_features, fusion.fc2.out_features)
        if isinstance(fusion, Fusion)
        else (0, sum(widths.values()))
    )
    settings = {
        "model": fitted.model,
        "classes": fitted.class_names,
        "widths": dict(widths),  # feature: channels, in the order of the fusion
        "indexing": fitted.network.indexing
        if isinstance(fitted.network, Skimmer)
        else None,  # the same, where it has others
        "fusion_hidden": psi[0],  # 0: no Psi
        "descriptor_width": psi[1],
        "variant": fitted.variant.model_dump(mode="json"),
        "student_digest": fitted.student_digest,
        "config": config.model_dump(mode="json"),
    }
    save_network(path, KIND, fitted.network, settings)


def load_skimmer(path: Path) -> TrainedSkimmer:
    """Read what `save_skimmer` wrote; the network is in evaluation mode on the CPU.

    Raises:
        BadInput: if the file is missing, damaged or holds something else.
    """
    settings, state = load_network(path, KIND)
    fields: dict[str, Any] = {}

    def build_it() -> Network:
        config = SkimmerConfig.model_validate(settings["config"])
        fields.update(
            model=settings["model"],
            class_names=tuple(settings["classes"]),
            steps=config.steps,
            variant=Variant.model_validate(settings["variant"]),
            student_digest=settings["student_digest"],
        )
        sizes = settings["fusion_hidden"], settings["descriptor_width"]
        classes = len(settings["classes"])
        indexing = settings["indexing"]
        return build(settings["model"], settings["widths"], classes, *sizes, config, indexing)

    network = build_with_state(path, KIND, build_it, state)
    return TrainedSkimmer(network.eval(), **fields)


def check_student(skimmer: Path, fitted: TrainedSkimmer, other: Path, digest: str) -> None:
    """Refuse a skimmer beside another student, or what another has made, than it was fitted for.

    Args:
        skimmer: its file.
        fitted: what the file holds.
        other: the student, or the features that one has made.
        digest: of that student; empty: not known.

    Raises:
        BadInput: naming both files.
    """
    if fitted.student_digest and digest and fitted.student_digest != digest:
        raise BadInput(
            f"{skimmer}: fitted for another student than that of {other}; run snakemake again"
        )
