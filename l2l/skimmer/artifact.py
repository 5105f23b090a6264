"""A trained skimmer on disk: one file with its numbers, and which network it is, which features it
reads, its sizes, classes and steps.
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
from l2l.skimmer.baselines import LstmBaseline, largest_weights, skim_once
from l2l.skimmer.early_exit import EarlyExit
from l2l.skimmer.network import (
    HARD_RULES,
    PAPER_RULES,
    SELECTED_ANSWERS,
    WEIGHTED_ANSWERS,
    Skimmer,
    SkimmerOutput,
    StepRules,
    attend_to,
    select_jointly,
)
from l2l.skimmer.one_look import OneLook, OneLookOutput
from l2l.skimmer.ranked import RankedSampler
from l2l.skimmer.sparse import (
    coarse_to_fine,
    interpolate,
    moments_read,
    read_sparsely,
    span_middles,
)
from l2l.student.network import Fusion
from l2l.teacher.artifact import DescriptorReader
from l2l.torch_files import build_with_state, text, texts
from l2l.training import load_network, save_network

KIND = "skimmer"
Model = Literal["skimmer", "lstm", "non_recurrent", "one_look", "ranked", "early_exit"]
MODELS: tuple[Model, ...] = get_args(Model)
Network = Skimmer | LstmBaseline | OneLook | EarlyExit


@dataclass(frozen=True)
class TrainedSkimmer:
    """A network that classifies a video from the features of all its moments, and what it was
    trained for.
    """

    network: Network
    model: Model
    class_names: tuple[str, ...]
    steps: int  # T; how many moments `non_recurrent` classifies; not used by `lstm`
    variant: Variant = PLAIN
    student_digest: str = ""
    """Of the student whose features it was trained on; empty if not known, as of imported ones."""

    @property
    def feature_names(self) -> tuple[FeatureName, ...]:
        """The features that the network reads: those it indexes by, then those it classifies."""
        classified = self.network.widths if isinstance(self.network, Skimmer) else ()
        return tuple(dict.fromkeys((*self.network.modalities, *classified)))

    def scores(self, features: Mapping[FeatureName, Tensor], present: Tensor) -> Tensor:
        """Class scores (logits) of a batch: (videos, classes)."""
        if isinstance(self.network, Skimmer | OneLook):
            return self.output(features, present).logits
        if isinstance(self.network, EarlyExit):
            return self.network(features, present).logits
        return self.network(features, present)

    def output(
        self, features: Mapping[FeatureName, Tensor], present: Tensor
    ) -> SkimmerOutput | OneLookOutput:
        """Class scores (logits) of a batch and the weights of its moments; not of `lstm` and
        `early_exit`, which have none.
        """
        if isinstance(self.network, OneLook):
            return self.network(features, present)
        return self.skim(features, present)

    def moments_read(self, count: int, factor: int) -> list[int]:
        """The moments whose features are computed where one in `factor` is read; of early exit the
        most that it reads, in its own order, at any factor.
        """
        if isinstance(self.network, OneLook):
            return span_middles(count, factor)
        if isinstance(self.network, EarlyExit):
            return coarse_to_fine(count, self.network.moments)
        return moments_read(count, factor)

    def read(self, features: Tensor, factor: int) -> Tensor:
        """What the network is given of a video's features where one moment in `factor` is read.

        Args:
            features: of all moments (moments, channel).
            factor: at least 1.

        Returns:
            The features of the moments that are read for one look, the ranked sampler and early
            exit; interpolated to all moments for the others.
        """
        if isinstance(self.network, OneLook | EarlyExit):
            return features[self.moments_read(len(features), factor)]
        return read_sparsely(features, factor)

    def from_read(self, read: Tensor, factor: int, count: int) -> Tensor:
        """What the network is given, as by `read`, from the features of `moments_read` alone.

        Args:
            read: (moments read, channel).
            factor: at least 1.
            count: number of moments of the video.
        """
        if isinstance(self.network, OneLook | EarlyExit):
            return read
        return interpolate(read, factor, count)

    def picks(self, output: SkimmerOutput | OneLookOutput, moments: int) -> list[int]:
        """The moments that count for the first video of a batch that has no padding, by number of
        what was given to the network.

        Args:
            output: the network's.
            moments: how many of one look, those with the largest weights; the skimmer has as many
                as its queries select, and the non-recurrent baseline as many as it classifies.
        """
        if isinstance(output, OneLookOutput):
            ranked = output.weights[0].argsort(dim=0, descending=True, stable=True)
            return sorted(ranked[:moments].tolist())
        if self.model == "non_recurrent":
            present = torch.ones_like(output.weights[:, 0, 0], dtype=torch.bool)
            return sorted(largest_weights(output, present, self.steps)[0].tolist())
        return sorted(set(output.selected[0].flatten().tolist()))

    def skim(
        self,
        features: Mapping[FeatureName, Tensor],
        present: Tensor,
        unaggregated: bool = False,
        free: Tensor | None = None,
    ) -> SkimmerOutput:
        """Skim a batch of videos.

        Args:
            features: (videos, moments, channel) each; at least those that the variant reads.
            present: (videos, moments), False in padding.
            unaggregated: every step sees the selected moments' features instead of weighted means
                (supplement, G.3).
            free: (videos, moments), those that may be selected at first; None: all present ones.
        """
        assert isinstance(self.network, Skimmer)
        if self.model == "non_recurrent":
            return skim_once(self.network, features, present, self.steps)
        return self.network(features, present, self.steps, self._step_rules(unaggregated), free)

    def _step_rules(self, unaggregated: bool) -> StepRules:
        if self.variant.selected:
            # no gradient passes through a selection, so training uses weighted means
            return WEIGHTED_ANSWERS if self.network.training else SELECTED_ANSWERS
        if self.variant.queried:
            queried = attend_to(self.variant.queried)
            return StepRules(next_input=select_jointly if unaggregated else queried)
        return HARD_RULES if unaggregated else PAPER_RULES


def named_features(
    video: str,
    features: VideoFeatures,
    names: Sequence[FeatureName],
    descriptors: Mapping[str, DescriptorReader],
) -> dict[FeatureName, Tensor]:
    """The features of these names of all moments of a video: (moments, channel) each.

    Args:
        video: its id.
        features: of the student.
        names: of the features to return.
        descriptors: the reader of the teacher's descriptors of each video; only used for `teacher`.

    Raises:
        BadInput: if the store does not have a feature, or the teacher has not described a moment.
    """
    arrays: dict[FeatureName, np.ndarray] = {}
    for name in names:
        if name == "teacher":
            arrays[name] = all_descriptors(video, len(features), descriptors)
        elif name == "fused":
            arrays[name] = features.fused
        elif name in features.features:
            arrays[name] = features.features[name]
        else:
            raise BadInput(
                f"video {video!r}: found {' and '.join(features.features)} features, expected "
                f"{name} features too"
            )
    return {name: torch.from_numpy(values) for name, values in arrays.items()}


def all_descriptors(
    video: str, moments: int, descriptors: Mapping[str, DescriptorReader]
) -> np.ndarray:
    """The teacher's descriptors of all moments of a video: (moments, descriptor), float32.

    Raises:
        BadInput: if the teacher has not described the video, or not all of its moments.
    """
    if video not in descriptors:
        raise BadInput(f"the teacher's descriptors have no video {video!r}; run snakemake again")
    described = descriptors[video].described(video)
    if described.moments.tolist() != list(range(moments)):
        raise BadInput(
            f"video {video!r}: found the teacher's descriptors of {len(described.moments)} of "
            f"{moments} moments, expected all of them; list the skimmer that reads them in "
            "evaluation.variants"
        )
    return described.descriptors.astype(np.float32)


def build(
    model: Model,
    widths: Mapping[FeatureName, int],
    classes: int,
    fusion_hidden: int,
    descriptor_width: int,
    config: SkimmerConfig,
    indexing: Mapping[FeatureName, int] | None = None,
    queried: Sequence[FeatureName] = (),
) -> Network:
    """A newly initialised network of this name and of the sizes in the config."""
    if model == "lstm":
        return LstmBaseline(widths, classes, fusion_hidden, descriptor_width, config.lstm_width)
    if model == "one_look":
        look = config.one_look
        scores = (look.width, look.scored_by, look.context, look.dropout)
        return OneLook(widths, classes, fusion_hidden, descriptor_width, *scores)
    if model == "ranked":
        ranked = config.ranked
        network = RankedSampler(widths, classes, fusion_hidden, descriptor_width, ranked.width)
        network.picks = ranked.moments
        return network
    if model == "early_exit":
        exits = (config.early_exit.moments, config.early_exit.first_probability)
        return EarlyExit(widths, classes, fusion_hidden, descriptor_width, *exits)
    sizes = (config.lstm_width, config.key_width, config.query_width)
    return Skimmer(widths, classes, fusion_hidden, descriptor_width, *sizes, indexing, queried)


def save_skimmer(
    path: Path, trained: TrainedSkimmer, widths: Mapping[FeatureName, int], config: SkimmerConfig
) -> None:
    """Write a trained skimmer atomically."""
    network = trained.network
    if isinstance(network.fusion, Fusion):
        fusion_hidden = network.fusion.fc1.out_features
        descriptor_width = network.fusion.fc2.out_features
    else:
        fusion_hidden, descriptor_width = 0, sum(widths.values())
    settings = {
        "model": trained.model,
        "classes": trained.class_names,
        # channels by feature, in the order in which Psi takes them
        "widths": dict(widths),
        # the same for the features by which moments are found, if they are others
        "indexing": network.indexing if isinstance(network, Skimmer) else None,
        "fusion_hidden": fusion_hidden,  # 0: no Psi
        "descriptor_width": descriptor_width,
        "variant": trained.variant.model_dump(mode="json"),
        "student_digest": trained.student_digest,
        "config": config.model_dump(mode="json"),
    }
    save_network(path, KIND, network, settings)


def load_skimmer(path: Path) -> TrainedSkimmer:
    """Read what `save_skimmer` wrote; the network is in evaluation mode on the CPU.

    Raises:
        BadInput: if the file is missing, damaged or holds something else.
    """
    return restore_skimmer(path, *load_network(path, KIND))


def restore_skimmer(
    path: Path, settings: dict[str, Any], state: Mapping[str, Tensor]
) -> TrainedSkimmer:
    """A skimmer from its settings and its numbers, as `load_skimmer`.

    Args:
        path: the file that both are from, for errors.
        settings: what `save_skimmer` keeps.
        state: its numbers.

    Raises:
        BadInput: if the settings make no skimmer, or one that the numbers are not of.
    """
    fields: dict[str, Any] = {}

    def build_it() -> Network:
        if settings["model"] not in get_args(Model):
            raise ValueError(f"model is {settings['model']!r}")
        config = SkimmerConfig.model_validate(settings["config"])
        fields.update(
            model=text(settings["model"]),
            class_names=texts(settings["classes"]),
            steps=config.steps,
            variant=Variant.model_validate(settings["variant"]),
            student_digest=text(settings["student_digest"]),
        )
        sizes = settings["fusion_hidden"], settings["descriptor_width"]
        classes = len(settings["classes"])
        read = settings["indexing"], fields["variant"].queried
        return build(settings["model"], settings["widths"], classes, *sizes, config, *read)

    network = build_with_state(path, KIND, build_it, state)
    return TrainedSkimmer(network.eval(), **fields)


def check_student(skimmer: Path, trained: TrainedSkimmer, other: Path, digest: str) -> None:
    """Refuse a skimmer together with a student, or with features, that it was not trained for.

    Args:
        skimmer: its file.
        trained: the content of the file.
        other: the student, or the features that a student has made.
        digest: of that student; empty if not known.

    Raises:
        BadInput: naming both files.
    """
    if trained.student_digest and digest and trained.student_digest != digest:
        raise BadInput(
            f"{skimmer}: trained for another student than that of {other}; run snakemake again"
        )
