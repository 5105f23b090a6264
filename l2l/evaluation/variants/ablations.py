"""The supplement's ablations (G.1 to G.3): this run's numbers, and what the paper prints."""

from collections.abc import Mapping
from typing import NamedTuple

from l2l.evaluation.artifact import VARIANT_METRICS
from l2l.evaluation.variants.evaluate import EvaluatedVariant, VariantMetrics

SOURCE = "Gao et al., CVPR 2020, supplement, section G"


class AblationRow(NamedTuple):
    """One row of an ablation, and the top-1 (%) that the paper prints for it."""

    ablation: str
    variant: str
    evaluated: EvaluatedVariant
    activitynet: float
    mini_sports1m: float


VISUAL, SINGLE = EvaluatedVariant("visual_indexing"), EvaluatedVariant("single_query")
SINGLE_UNAGGREGATED = EvaluatedVariant("single_query", unaggregated=True)
SKIMMER = EvaluatedVariant("skimmer")
ABLATIONS = (
    AblationRow("G.1 indexing", "visual", VISUAL, 70.0, 39.2),
    AblationRow("G.1 indexing", "audio-visual", SKIMMER, 71.1, 39.9),
    AblationRow("G.2 queries", "single", SINGLE, 70.5, 38.9),
    AblationRow("G.2 queries", "separate", SKIMMER, 71.1, 39.9),
    AblationRow("G.3 single query", "unaggregated", SINGLE_UNAGGREGATED, 70.1, 38.4),
    AblationRow("G.3 single query", "aggregated", SINGLE, 70.5, 38.9),
)


def ablation_rows(metrics: Mapping[EvaluatedVariant, VariantMetrics]) -> list[dict[str, str]]:
    """The rows of `ABLATIONS`; cells of a skimmer that `metrics` lacks are empty."""
    return [
        {
            "ablation": row.ablation,
            "variant": row.variant,
            "model": row.evaluated.model,
            **(
                metrics[row.evaluated].cells()
                if row.evaluated in metrics
                else dict.fromkeys(VARIANT_METRICS, "")
            ),
            "quoted_activitynet_top1": f"{row.activitynet:.1f}",
            "quoted_mini_sports1m_top1": f"{row.mini_sports1m:.1f}",
            "quoted_source": SOURCE,
        }
        for row in ABLATIONS
    ]
