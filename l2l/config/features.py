"""The section `features`."""

from typing import Literal

from pydantic import Field

from l2l.sections import Count, Section


class FeaturesConfig(Section):
    """The features of each moment, which the skimmer reads; stored in Zarr."""

    dtype: Literal["float16", "float32"] = Field(
        default="float16", description="Number format of stored features. Paper: not stated."
    )
    chunk_moments: Count = Field(
        default=2048, description="Moments per chunk of a Zarr array. Paper: not stated."
    )
