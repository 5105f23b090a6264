"""The section `evaluation`."""

from typing import Annotated

from pydantic import Field

from l2l.config.stop import StopConfig
from l2l.config.types import Name
from l2l.sections import Count, Section


class EvaluationConfig(Section):
    """Table 1, the clip-level table, the trade-off and the ablations."""

    moments: Count = Field(
        default=10, description="Moments that each picking method looks at. Paper: 10."
    )
    sparse_factor: Annotated[int, Field(ge=2)] = Field(
        default=5, description="Ours sparse reads the features of every n-th moment. Paper: 5."
    )
    random_draws: Count = Field(
        default=10,
        description="Repetitions over which the row `random` is averaged. Paper: not stated.",
    )
    methods: tuple[Name, ...] | None = Field(
        default=None,
        description="Rows of table1.tsv in this order, by their names in "
        "l2l/evaluation/videos/methods.py; `null`: the paper's eleven. Paper: these.",
    )
    stop: StopConfig = Field(
        default=StopConfig(),
        description="When row `one_look_stop` stops, where `methods` has it. Paper: none.",
    )
    variants: tuple[Name, ...] | None = Field(
        default=None,
        description="Variants of the skimmer that are trained and compared in ablations.tsv and "
        "recognition.tsv; `null`: visual_indexing and single_query (G.1 and G.2) if the student "
        "has two modalities. A variant that reads `teacher` needs the teacher's descriptors of all "
        "moments of the target, 40 GMACs per moment at the paper's sizes. Paper: G.1 to G.3.",
    )
