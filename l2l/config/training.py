"""The keys of every training."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from l2l.sections import Count, Section


class TrainingConfig(Section):
    """One training: SGD with Nesterov momentum, or AdamW; the learning rate falls in steps, at each
    milestone by the factor `decay`, or along a cosine to zero.
    """

    epochs: Count = Field(
        description="Passes over the training videos. Paper: 60 to distil, 25 for the skimmer."
    )
    batch_size: Annotated[int, Field(ge=2)] = Field(
        description="Entries per step of the optimiser, over all processes: clips for the teacher, "
        "moments for the student, videos for the skimmer. Paper: 16 to distil, 256 for the skimmer."
    )
    learning_rate: Annotated[float, Field(gt=0)] = Field(
        description="Learning rate before the first milestone. Paper: 0.001 to distil, 0.01 for "
        "the skimmer."
    )
    optimizer: Literal["sgd", "adamw"] = Field(
        default="sgd",
        description="`sgd` with Nesterov momentum, or `adamw`, which needs lower learning rates. "
        "Paper: sgd.",
    )
    schedule: Literal["steps", "cosine"] = Field(
        default="steps",
        description="How the learning rate falls: in `steps`, at `milestones`; or along a half "
        "`cosine` from the first epoch to zero at the end. Paper: steps.",
    )
    milestones: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        default=(),
        description="Epochs at which the learning rate is multiplied by `decay`; rising, before "
        "the last epoch. Paper: [30, 50] to distil, [15, 20] for the skimmer.",
    )
    decay: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=0.1, description="Factor of the learning rate at each milestone. Paper: 0.1."
    )
    warmup_epochs: Annotated[float, Field(ge=0)] = Field(
        default=0,
        description="Epochs in which the learning rate rises linearly from zero. Paper: 0.",
    )
    momentum: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.9, description="Nesterov momentum of `sgd`; not read by `adamw`. Paper: 0.9."
    )
    weight_decay: Annotated[float, Field(ge=0)] = Field(
        default=1e-4, description="Weight decay of all parameters. Paper: 0.0001."
    )
    flip: bool = Field(
        default=False,
        description="Whether each picture or clip is mirrored left to right with probability 1/2. "
        "Paper: not stated.",
    )
    gradient_accumulation: Count = Field(
        default=1,
        description="Parts in which a batch is computed, one after another, where the memory of a "
        "GPU is small; batch normalisation sees one part at a time. Paper: not stated.",
    )
    bfloat16: bool = Field(
        default=False,
        description="Whether networks compute in bfloat16 on a GPU (autocast); losses, weights and "
        "sums stay in float32. Paper: not stated.",
    )

    @model_validator(mode="after")
    def _at_least_two_per_part(self) -> "TrainingConfig":
        if self.batch_size < 2 * self.gradient_accumulation:
            raise ValueError(
                f"batch_size {self.batch_size} is less than two entries in each of "
                f"{self.gradient_accumulation} parts (gradient_accumulation)"
            )
        return self

    @model_validator(mode="after")
    def _milestones_of_steps(self) -> "TrainingConfig":
        if self.schedule == "cosine" and self.milestones:
            raise ValueError(
                f"milestones {self.milestones} belong to schedule: steps; with cosine write []"
            )
        return self

    @model_validator(mode="after")
    def _milestones_inside(self) -> "TrainingConfig":
        if list(self.milestones) != sorted(self.milestones) or any(
            epoch >= self.epochs for epoch in self.milestones
        ):
            raise ValueError(
                f"milestones {self.milestones} must rise and lie before epoch {self.epochs}"
            )
        return self


# Of the networks of l2l's own that read the stored features of videos.
ADAMW_ON_FEATURES = TrainingConfig(
    epochs=60,
    batch_size=32,
    learning_rate=0.002,
    optimizer="adamw",
    schedule="cosine",
    weight_decay=0.01,
)
