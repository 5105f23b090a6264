"""The supplement's ablations (G.1 to G.3).

What was found here, and beside it what the paper prints.
"""

from collections.abc import Mapping
from typing import NamedTuple

from l2l.evaluation.artifact import FOUND_COLUMNS
from l2l.evaluation.variants import Found, Way

SOURCE = "Gao et al., CVPR 2020, supplement, section G"


class Ablated(NamedTuple):
    """One line of an ablation, and the top-1 (%) that the paper prints for it."""

    ablation: str
    variant: str
    way: Way
    activitynet: float
    mini_sports1m: float


LINES = (
    Ablated("G.1 indexing", "visual", Way("visual_indexing"), 70.0, 39.2),
    Ablated("G.1 indexing", "audio-visual", Way("skimmer"), 71.1, 39.9),
    Ablated("G.2 queries", "single", Way("single_query"), 70.5, 38.9),
    Ablated("G.2 queries", "separate", Way("skimmer"), 71.1, 39.9),
    Ablated("G.3 single query", "unaggregated", Way("single_query", unaggregated=True), 70.1, 38.4),
    Ablated("G.3 single query", "aggregated", Way("single_query"), 70.5, 38.9),
)


def ablation_rows(found: Mapping[Way, Found]) -> list[dict[str, str]]:
    """A row a line; its figures are empty where the run has not fitted that skimmer, or has not
    both modalities.
    """
    return [
        {
            "ablation": line.ablation,
            "variant": line.variant,
            "model": line.way.model,
            **(
                found[line.way].figures() if line.way in found else dict.fromkeys(FOUND_COLUMNS, "")
            ),
            "quoted_activitynet_top1": f"{line.activitynet:.1f}",
            "quoted_mini_sports1m_top1": f"{line.mini_sports1m:.1f}",
            "quoted_source": SOURCE,
        }
        for line in LINES
    ]
