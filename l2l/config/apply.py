"""The section `apply`."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from l2l.sections import Count, Section

KeptStore = Literal["media", "mels", "features"]
AnswerMethod = Literal["ours", "one_look"]


class ApplyConfig(Section):
    """A finished run on videos without labels, those of role `apply`: `snakemake --cores N
    apply`.
    """

    run: Path | None = Field(
        default=None,
        description="Folder of the finished run whose student and skimmer answer, such as "
        "results/demo, or the file that `l2l export` made of it; `null`: results/<run> of this "
        "configuration. Paper: none.",
    )
    method: AnswerMethod = Field(
        default="ours",
        description="Which network of the run answers: `ours`, the skimmer; or `one_look`, where "
        "the run's `evaluation.methods` has a row of it. Paper: ours.",
    )
    top: Count = Field(
        default=5, description="Classes per video, the most probable first. Paper: none."
    )
    factor: Count = Field(
        default=1,
        description="Features are read of every n-th moment; only its frame is decoded and only "
        "its second of sound is heard. Paper: 1 (dense) and 5 (sparse).",
    )
    steps: Count | None = Field(
        default=None,
        description="Steps after which the skimmer stops, at most those that it was trained with; "
        "`null`: all of them. Paper: 10.",
    )
    budget_gmacs: Annotated[float, Field(gt=0)] | None = Field(
        default=None,
        description="Most multiply-accumulates per video, in 10^9, in place of a factor: each "
        "video is read at the smallest factor whose cost is within it. Paper: none.",
    )
    keep: tuple[KeptStore, ...] = Field(
        default=(),
        description="Stores that are written too, one per shard: `media`, `mels`, `features`; "
        "they hold every moment, so they need factor 1. Paper: none.",
    )
    film_strips: Annotated[int, Field(ge=0)] = Field(
        default=8, description="Videos that the page shows as film strips. Paper: none."
    )
    pictures: Count = Field(default=5, description="Pictures per film strip. Paper: none.")

    @model_validator(mode="after")
    def _consistent(self) -> "ApplyConfig":
        if self.budget_gmacs is not None and self.factor != 1:
            raise ValueError("factor and budget_gmacs: give one of them; a budget sets the factor")
        if self.method == "one_look" and self.steps is not None:
            raise ValueError("steps: found with method one_look, which looks once; give no steps")
        if self.keep and (self.factor != 1 or self.budget_gmacs is not None):
            raise ValueError("keep: its stores hold every moment; give no factor and no budget")
        return self
