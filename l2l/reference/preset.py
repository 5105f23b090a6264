"""Scores as the paper has them, or with the accidents of the public code, each by its own switch.

The public code (facebookresearch/Listen-to-Look) skims batches that are padded to their longest
video; with its accidents a video's scores depend on what else is in the batch, and on chance.
Without them they never do.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from l2l.config import FeatureName
from l2l.skimmer.network import (
    Skimmer,
    StepRules,
    attend,
    attend_to,
    attention,
    mask_selected,
    mean_over_present,
    select_jointly,
    select_per_modality,
)
from l2l.skimmer.padding import pad_videos
from l2l.skimmer.sparse import read_sparsely

FEWEST = 10  # the public code fills shorter videos up to this many moments

Batch = dict[FeatureName, Tensor]  # a tensor (videos, moments, channel) for each modality


@dataclass(frozen=True)
class Reference:
    """What the public code does otherwise than the paper. Everything off, the default, is the
    paper.

    Accidents of training have their switches in the configuration, `skimmer.public_code`. The
    public code's command has the modality scores' layer in no parameter group, so that a checkpoint
    of it holds that layer as it was drawn; it is imported as it is. Its classifier of single steps
    is reached by no loss of that command and needed for no score; it is not imported.
    """

    masks_a_random_moment: bool = False
    """Before the first step one present moment per video, drawn at random and the same for both
    modalities, counts as used, at evaluation too. Drawn by torch's own generator on the CPU,
    (videos, moments) uniform numbers per batch; they are drawn where moments may be repeated
    too, and then not used."""

    interpolates_on_half_pixels: bool = False
    """Sparse features are interpolated over the padded batch on a grid whose points are the middles
    of their spans: moved by half a stride, (factor - 1) / 2 moments, against time, and blended with
    padding at a video's end."""

    audio_at_image_index: bool = False
    """In hard mode the audio feature is taken at the moment that the image query weighs most, not
    the audio query.
    """

    uniform_once_used_up: bool = False
    """Once all moments of a video are used, each position of the batch, padding too, has the same
    weight, for good. The paper's skimmer starts again with all moments free."""

    fills_short_videos: Literal["no", "last", "random"] = "no"
    """Videos of fewer than ten moments are filled up to ten with copies of their last moment, which
    count as present; in the single-modality variant with copies of moments drawn by Python's own
    generator, in the order of the batch."""

    classifies_answers: bool = False
    """The single-modality variant: the mean of what the T queries are answered is classified, the
    mean feature that the first step sees is not in it. In hard mode the answers still are the
    weighted means; only what the steps see is selected hard."""

    indexes_by_raw_features: bool = False
    """The single-modality variant: keys and start are made of all features even in sparse mode;
    only what is looked at is interpolated. So its sparse mode saves nothing."""


PAPER = Reference()
TWO_MODALITIES = Reference(
    masks_a_random_moment=True,
    interpolates_on_half_pixels=True,
    audio_at_image_index=True,
    uniform_once_used_up=True,
    fills_short_videos="last",
)
SINGLE_MODALITY = Reference(
    masks_a_random_moment=True,
    interpolates_on_half_pixels=True,
    uniform_once_used_up=True,
    fills_short_videos="random",
    classifies_answers=True,
    indexes_by_raw_features=True,
)


def skim_videos(
    network: Skimmer,
    videos: Sequence[Mapping[FeatureName, Float[Tensor, "_moments _channel"]]],
    steps: int,
    factor: int = 1,
    hard: bool = False,
    repeats: bool = False,
    reference: Reference = PAPER,
    filler: random.Random | None = None,
    selected: bool = False,
) -> Float[Tensor, "videos classes"]:
    """Scores (logits) of some videos, skimmed as one batch.

    With `PAPER` a video's scores are the same in every batch. With the public code's switches they
    are equal to its own up to T = 10; in more steps the single-modality variant stops once a whole
    batch is used up, which is not done here.

    Args:
        network: in evaluation mode.
        videos: features of each video's moments, on the network's device; of at least one moment.
        steps: T, at least 1.
        factor: features are read of one moment in so many and interpolated between; not those of
            selected moments.
        hard: steps see the features of the selected moments, not weighted means.
        repeats: a moment may be selected again (the public code without its `--with_replacement`,
            which means the opposite).
        reference: accidents of the public code.
        filler: draws the moments that short videos are filled with, where they are.
        selected: the variant of a skimmer that classifies the features of the selected moments
            alone.
    """
    videos = [
        fill(video, reference.fills_short_videos, filler or random.Random(0)) for video in videos
    ]
    raw, present = pad_videos(videos)
    present = present.to(next(iter(raw.values())).device)
    sparse = _interpolated(videos, raw, present, factor, reference.interpolates_on_half_pixels)
    indexed = raw if reference.indexes_by_raw_features else sparse
    free = present
    if reference.masks_a_random_moment:
        masked = (torch.rand(present.shape).to(present.device) + present).argmax(1)
        free = free if repeats else mask_for_good(free, masked, present)
    keys = {m: network.keys[m](indexed[m], present) for m in network.modalities}
    first_input = {m: mean_over_present(indexed[m], present) for m in network.widths}
    indexing = {m: sparse[m] for m in network.indexing} if network.indexing else None
    classified = {m: (raw if selected else sparse)[m] for m in network.widths}
    rules = step_rules(reference, hard, repeats)
    if selected:
        rules = replace(
            rules,
            classified_feature=select_jointly,
            classified="answers",
            averaged="predictions",
        )
    elif network.queried:
        next_input = select_jointly if hard else attend_to(network.queried)
        rules = replace(rules, next_input=next_input)
    elif hard and indexing:  # there may be no query for each feature that is classified
        rules = replace(rules, classified_feature=select_jointly)
    return network.skim(classified, keys, first_input, present, free, steps, rules, indexing).logits


def step_rules(reference: Reference, hard: bool, repeats: bool) -> StepRules:
    """The rules of each step with these switches."""
    select = select_by_first_query if reference.audio_at_image_index else select_per_modality
    mask_once = mask_for_good if reference.uniform_once_used_up else mask_selected
    return StepRules(
        attention=attention_or_uniform if reference.uniform_once_used_up else attention,
        next_input=select if hard else attend,
        classified_feature=attend if reference.classifies_answers else None,
        mask_update=mask_nothing if repeats else mask_once,
        classified="answers" if reference.classifies_answers else "inputs",
    )


def fill(
    video: Mapping[FeatureName, Float[Tensor, "_moments _channel"]],
    how: Literal["no", "last", "random"],
    draw: random.Random,
) -> Mapping[FeatureName, Float[Tensor, "_moments _channel"]]:
    """A video with copies of its moments at its end, if it is short and is to be filled."""
    count = len(next(iter(video.values())))
    if how == "no" or count >= FEWEST:
        return video
    copied = [
        count - 1 if how == "last" else draw.randint(0, count - 1) for _ in range(FEWEST - count)
    ]
    return {m: torch.cat([x, x[copied]]) for m, x in video.items()}


def _interpolated(
    videos: Sequence[Mapping[FeatureName, Tensor]],
    raw: Batch,
    present: Bool[Tensor, "videos moments"],
    factor: int,
    half_pixels: bool,
) -> Batch:
    """The features of one moment in `factor`, and those interpolated between them.

    Zero in absent moments.
    """
    if factor == 1:
        return raw
    if half_pixels:
        return {
            m: on_half_pixels(x, factor).masked_fill(~present[..., None], 0) for m, x in raw.items()
        }
    sparse = [{m: read_sparsely(x, factor) for m, x in video.items()} for video in videos]
    return pad_videos(sparse)[0]


def on_half_pixels(
    features: Float[Tensor, "videos moments channel"], factor: int
) -> Float[Tensor, "videos moments channel"]:
    """Every `factor`-th feature, interpolated to all moments as pixels are.

    See `Reference.interpolates_on_half_pixels`.
    """
    read = features[:, ::factor].transpose(1, 2)
    return F.interpolate(
        read, size=features.shape[1], mode="linear", align_corners=False
    ).transpose(1, 2)


def attention_or_uniform(
    query: Float[Tensor, "videos key"],
    keys: Float[Tensor, "videos moments key"],
    free: Bool[Tensor, "videos moments"],
) -> Float[Tensor, "videos moments"]:
    """Attention over the free moments.

    The same weight for every position, absent ones too, of a video that has none free.
    """
    some = free.any(1, keepdim=True)
    return torch.where(some, attention(query, keys, free | ~some), 1 / free.shape[1])


def mask_for_good(
    free: Bool[Tensor, "videos moments"], selected: Tensor, present: Bool[Tensor, "videos moments"]
) -> Bool[Tensor, "videos moments"]:
    """Remove the selected moment from the free ones, even when none is left."""
    return free.scatter(1, selected[:, None], False)


def mask_nothing(
    free: Bool[Tensor, "videos moments"], selected: Tensor, present: Bool[Tensor, "videos moments"]
) -> Tensor:
    """Leave all moments free: each may be selected again."""
    return free


def select_by_first_query(
    weights: Float[Tensor, "videos modalities moments"],
    modality_weights: Tensor,
    features: Mapping[FeatureName, Tensor],
) -> dict[FeatureName, Tensor]:
    """Hard selection for every modality at the moment with the largest weight of the first
    modality's query, the image's.
    """
    return select_per_modality(weights[:, :1].expand_as(weights), modality_weights, features)
