"""The section `study`."""

from typing import Annotated

from pydantic import Field, model_validator

from l2l.sections import Section


class StudyConfig(Section):
    """The same chain with several seeds: `snakemake --cores N study`."""

    seeds: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)] = Field(
        default=(1, 2, 3), description="Seeds, one run each; all different. Paper: not stated."
    )

    @model_validator(mode="after")
    def _all_different(self) -> "StudyConfig":
        repeated = [seed for seed in self.seeds if self.seeds.count(seed) > 1]
        if repeated:
            raise ValueError(
                f"seeds: {repeated[0]} is listed {self.seeds.count(repeated[0])} times; list each "
                "seed once"
            )
        return self
