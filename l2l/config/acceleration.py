"""The section `acceleration`."""

from typing import Literal

from pydantic import Field

from l2l.sections import Section


class AccelerationConfig(Section):
    """How the teacher and the student compute on a GPU. On a CPU nothing of it is read."""

    bfloat16: bool = Field(
        default=False,
        description="Whether descriptors, features and answers are computed in bfloat16 on a GPU "
        "(autocast); trainings have their own key. Not measured so far. Paper: not stated.",
    )
    compile: Literal["none", "default", "reduce-overhead"] = Field(
        default="none",
        description="Mode of torch.compile for the teacher and the student on a GPU, in training "
        "too: `none` (not compiled), `default`, or `reduce-overhead`, which replays CUDA graphs "
        "and helps small batches most. It needs a C compiler, and a minute per job. Not measured "
        "so far. Paper: not stated.",
    )


NOT_ACCELERATED = AccelerationConfig()
