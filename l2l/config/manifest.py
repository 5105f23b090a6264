"""The section `manifest`."""

from pydantic import Field

from l2l.sections import Fraction01, Section


class ManifestConfig(Section):
    """How the videos are listed, and when a data set is too damaged to go on."""

    max_bad_fraction: Fraction01 = Field(
        default=0.1,
        description="Largest fraction (0 to 1) of a data set's videos that may be unusable, before "
        "and after decoding; above it the run stops. Paper: not stated.",
    )
