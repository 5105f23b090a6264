"""What the sections of the configuration are made of."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Fraction01 = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    """A frozen part of the configuration that takes no key it does not know, and no number that is
    not finite.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
