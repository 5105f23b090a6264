"""The section `skimmer`, with its variants."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, model_validator

from l2l.config.early_exit import EarlyExitConfig
from l2l.config.one_look import OneLookConfig
from l2l.config.ranked import RankedConfig
from l2l.config.training import TrainingConfig
from l2l.config.types import FeatureName, Name
from l2l.sections import Count, Section

# Of the skimmer and of the networks it is compared with; the public code's own command.
PAPER_TRAINING = TrainingConfig(epochs=25, batch_size=256, learning_rate=0.01, milestones=(15, 20))


class Variant(Section):
    """What a skimmer reads, where this differs from the features of the student's modalities."""

    recognition: tuple[FeatureName, ...] = Field(
        default=(),
        description="Features that are averaged and classified; empty: the student's modalities, "
        "through Psi. Paper: [].",
    )
    indexing: tuple[FeatureName, ...] = Field(
        default=(),
        description="Features that the keys are made of and the LSTM reads; empty: those of "
        "`recognition`. Paper: [].",
    )
    queried: tuple[FeatureName, ...] = Field(
        default=(),
        description="Those of the classified features that have a query and are read as weighted "
        "means; the others are read at the moment with the largest weight. Empty: each has a "
        "query. Paper: [], and [image] in the supplement's G.1.",
    )
    selected: bool = Field(
        default=False,
        description="Whether only the selected moments are classified, one by one, and their "
        "predictions averaged (supplement, D); false: the mean of features over all moments, "
        "weighted by the attention. Paper: false.",
    )

    @model_validator(mode="after")
    def _one_way_to_find_moments(self) -> "Variant":
        if self.queried and (self.indexing or self.selected):
            raise ValueError("queried: found with indexing or selected, expected it without both")
        if self.recognition and not set(self.queried) <= set(self.recognition):
            raise ValueError(
                f"queried: found {', '.join(self.queried)}, expected some of recognition: "
                f"{', '.join(self.recognition)}"
            )
        return self

    @property
    def features(self) -> tuple[FeatureName, ...]:
        """All features that it names."""
        return tuple(dict.fromkeys((*self.recognition, *self.indexing, *self.queried)))


PLAIN = Variant()
VARIANTS: Mapping[str, Variant] = {
    # Supplement, G.1: only the image is queried; sound is read where its weight is largest.
    "visual_indexing": Variant(queried=("image",)),
    # G.2: one query, and one key per moment, of the fused feature.
    "single_query": Variant(recognition=("fused",)),
    # D: a single modality.
    "image": Variant(recognition=("image",)),
    "audio": Variant(recognition=("audio",)),
    # Table 2: cheap features to select moments, expensive ones to classify them.
    "image_then_fused": Variant(recognition=("fused",), indexing=("image",), selected=True),
    "fused_then_teacher": Variant(recognition=("teacher",), indexing=("fused",), selected=True),
}


class PublicCodeConfig(Section):
    """What the public code's training of the skimmer does that the paper does not state; all off by
    default. `workflow/configs/reference.yaml` switches all on.
    """

    weight_norm: bool = Field(
        default=False,
        description="Whether the LSTM's weights are learned as directions and magnitudes, one of "
        "each per row; they are saved multiplied. Paper: not stated; the public code: true.",
    )
    initial_deviation: Annotated[float, Field(ge=0)] = Field(
        default=0.0,
        description="Standard deviation of the normal distribution that initial weights are drawn "
        "from; the LSTM's biases then start at zero. 0: torch's own initial weights. Paper: not "
        "stated; the public code: 0.02.",
    )
    crop_moments: tuple[Count, Count] | None = Field(
        default=None,
        description="A length is drawn between these two, in moments, for each batch; of longer "
        "videos so many successive moments are trained on, from anywhere. `null`: whole videos. "
        "Paper: not stated; the public code: [200, 500].",
    )
    masks_a_random_moment: bool = Field(
        default=False,
        description="Whether one random moment per video counts as used before the first step. "
        "Paper: false; the public code: true.",
    )
    normalises_padding: bool = Field(
        default=False,
        description="Whether the statistics of the keys' batch norm are of padding too. Paper: "
        "not stated; the public code: true.",
    )
    freezes_modality_weights: bool = Field(
        default=False,
        description="Whether the layer of the modality weights stays as it was drawn. Paper: "
        "false; the public code: true, since no parameter group of its command has it.",
    )

    @model_validator(mode="after")
    def _lengths_rise(self) -> "PublicCodeConfig":
        if self.crop_moments and self.crop_moments[0] > self.crop_moments[1]:
            raise ValueError(
                f"crop_moments: found {list(self.crop_moments)}, expected the shorter length first"
            )
        return self


class SkimmerConfig(Section):
    """The skimmer (ImgAud-Skimming): the attention LSTM."""

    lstm_width: Count = Field(default=1024, description="Width of the LSTM's state. Paper: 1024.")
    key_width: Count = Field(default=512, description="Width of queries and keys. Paper: 512.")
    query_width: Count = Field(
        default=1024,
        description="Width of the hidden layer of a query network. Paper: 1024.",
    )
    steps: Count = Field(default=10, description="T: steps per video. Paper: 10.")
    read_factors: Annotated[tuple[Count, ...], Field(min_length=1)] = Field(
        default=(1,),
        description="In training, one of these is drawn each time a video is read: features of "
        "every n-th moment are read. Paper: [1].",
    )
    fusion_lr_scale: Annotated[float, Field(ge=0)] = Field(
        default=0,
        description="Learning rate of Psi, relative to `learning_rate`; 0 keeps it as the student "
        "has it. Paper: 0.",
    )
    classifier_lr_scale: Annotated[float, Field(ge=0)] = Field(
        default=0.1,
        description="Learning rate of the classifier, relative to `learning_rate`. Paper: not "
        "stated; the public code: 0.1.",
    )
    cache_bytes: Annotated[int, Field(ge=0)] = Field(
        default=4 << 30,
        description="Memory for features that are kept between epochs, in bytes; the others are "
        "read from disk each time. Paper: not stated.",
    )
    training: TrainingConfig = Field(
        description="Training on the labels of the target's videos. Paper: 25 epochs, batch 256, "
        "learning rate 0.01, milestones [15, 20]."
    )
    public_code: PublicCodeConfig = Field(
        default=PublicCodeConfig(),
        description="What only the public code's training does; for the skimmer and its variants, "
        "not for the networks that it is compared with. Paper: none of it.",
    )
    one_look: OneLookConfig = Field(
        default=OneLookConfig(),
        description="One look, where `evaluation.methods` has a row of it. Paper: none.",
    )
    ranked: RankedConfig = Field(
        default=RankedConfig(),
        description="A ranked sampler, where `evaluation.methods` has a row of it. Paper: none.",
    )
    early_exit: EarlyExitConfig = Field(
        default=EarlyExitConfig(),
        description="Early exit, where `evaluation.methods` has its row. Paper: none.",
    )
    variants: dict[Name, Variant] = Field(
        default_factory=dict,
        description="Your own variants by name, in addition to l2l's "
        f"({', '.join(VARIANTS)}); `evaluation.variants` chooses. Paper: none.",
    )

    @model_validator(mode="after")
    def _new_names(self) -> "SkimmerConfig":
        models = {"skimmer", "lstm", "non_recurrent", "one_look", "ranked", "early_exit"}
        taken = {*models, *VARIANTS} & set(self.variants)
        if taken:
            raise ValueError(f"variants: {min(taken)} is one of l2l's own; choose another name")
        return self

    @property
    def all_variants(self) -> Mapping[str, Variant]:
        """The paper's variants and those of this configuration, by name."""
        return {**VARIANTS, **self.variants}
