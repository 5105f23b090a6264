"""The section `skimmer.ranked`."""

from typing import Annotated

from pydantic import Field

from l2l.config.training import ADAMW_ON_FEATURES, TrainingConfig
from l2l.sections import Count, Section


class RankedConfig(Section):
    """A ranked sampler, in no paper in this form: SAL-RANK of SCSampler on cached features, with
    the student's classifier as recogniser. It learns which moments that classifier answers best.
    """

    moments: Count = Field(
        default=10,
        description="Moments with the largest scores, whose class probabilities are averaged. "
        "Paper: none; SCSampler: 10.",
    )
    width: Count = Field(
        default=256,
        description="Width of the hidden layer that a moment's score is made by. Paper: none.",
    )
    margin: Annotated[float, Field(ge=0)] = Field(
        default=1.0, description="Margin of the ranking loss, in units of the scores. Paper: none."
    )
    least_gap: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.1,
        description="Pairs of moments whose probabilities of the video's class differ by this or "
        "less are not ranked. Paper: none.",
    )
    longest_factor: Count = Field(
        default=12,
        description="As `one_look.longest_factor`: in training one moment is read in each span, of "
        "1 to so many moments. Paper: none.",
    )
    training: TrainingConfig = Field(
        default=ADAMW_ON_FEATURES,
        description="Training on the labels of the target's videos; Psi and the classifier stay as "
        "the student left them. Paper: none.",
    )
