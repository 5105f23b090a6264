"""The section `evaluation.stop`."""

from typing import Annotated

from pydantic import Field

from l2l.sections import Count, Section


class StopConfig(Section):
    """Row `one_look_stop`: one look reads a coarse grid, then more moments until it is sure."""

    factor: Count = Field(
        default=10, description="First one moment in so many is read. Paper: none."
    )
    more: Annotated[int, Field(ge=0)] = Field(
        default=8, description="Most further moments that are read of a video. Paper: none."
    )
    at_a_time: Count = Field(
        default=2, description="Further moments that are read before it asks again. Paper: none."
    )
    apart: Count = Field(
        default=2,
        description="Further moments lie at most so many from one that was read, the one with the "
        "largest weight first. Paper: none.",
    )
    probability: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.95,
        description="It stops where the most probable class has at least this probability. Paper: "
        "none.",
    )
