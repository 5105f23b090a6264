"""The section `skimmer.early_exit`."""

from typing import Annotated

from pydantic import Field

from l2l.config.training import ADAMW_ON_FEATURES, TrainingConfig
from l2l.sections import Section


class EarlyExitConfig(Section):
    """Early exit in a fixed order: FrameExit (Ghodrati et al., CVPR 2021) on cached features."""

    moments: Annotated[int, Field(ge=2)] = Field(
        default=10,
        description="Most moments that are read of a video, in an order from coarse to fine that "
        "is the same for every video. Paper: none; FrameExit: 10.",
    )
    first_probability: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.99,
        description="It stops after the first moment where the most probable class there has more "
        "than this probability; later a gate decides. Paper: none; FrameExit: 0.99 for ActivityNet "
        "and 0.95 for Mini-Kinetics.",
    )
    beta: Annotated[float, Field(gt=0)] = Field(
        default=0.01,
        description="In training a gate learns to stop after t moments where the loss there is at "
        "most beta x exp(t / 2); the smaller, the more moments are read. Paper: none.",
    )
    training: TrainingConfig = Field(
        default=ADAMW_ON_FEATURES,
        description="Training on the labels of the target's videos; Psi stays as the student left "
        "it. Paper: none.",
    )
