"""The section `skimmer.one_look`."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from l2l.config.training import ADAMW_ON_FEATURES, TrainingConfig
from l2l.sections import Count, Section


class OneLookConfig(Section):
    """One look, a method of l2l's own: attention pooling of the probabilities of moments."""

    width: Count = Field(
        default=256,
        description="Width of the hidden layer that a moment's score is made by. Paper: none.",
    )
    scored_by: tuple[Literal["image", "audio", "fused"], ...] = Field(
        default=("image", "audio", "fused"),
        min_length=1,
        description="The features of a moment that its score is made of; those that the student "
        "lacks are left out. Paper: none.",
    )
    context: bool = Field(
        default=False,
        description="Whether the score also sees the mean of these features over the moments that "
        "were read. Paper: none.",
    )
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.0,
        description="Probability with which a number of these features is zero in training. Paper: "
        "none.",
    )
    consistency: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.0,
        description="Share of the loss that is the cross-entropy to the network's own answer on "
        "all moments; the rest is that to the label. Paper: none.",
    )
    longest_factor: Count = Field(
        default=12,
        description="In training one moment is read in each span, anywhere in it; the length of "
        "the spans is drawn from 1 to so many moments for each video. Paper: none.",
    )
    training: TrainingConfig = Field(
        default=ADAMW_ON_FEATURES,
        description="Training on the labels of the target's videos; Psi and the classifier as the "
        "skimmer's (`fusion_lr_scale`, `classifier_lr_scale`). Paper: none.",
    )

    @model_validator(mode="after")
    def _something_to_score_by(self) -> "OneLookConfig":
        if len(set(self.scored_by)) < len(self.scored_by):
            raise ValueError(f"scored_by: found {', '.join(self.scored_by)}, expected each once")
        return self
