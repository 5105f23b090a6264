"""The page of what is heard in videos: a timeline of the names that are heard in each."""

from collections.abc import Sequence

import numpy as np

from l2l.apply.hearing import Heard, HeardRange
from l2l.report.charts import binned, heat_paths, moments_per_column
from l2l.report.page import page_template
from l2l.stores import MADE_BY

MOST_ROWS = 8  # of a timeline


def render_heard(
    timelines: Sequence[tuple[Heard, Sequence[HeardRange]]],
    names: Sequence[str],
    least_probability: float,
) -> str:
    """The page as text.

    Args:
        timelines: each video, and its ranges.
        names: of AudioSet, in the order of the probabilities.
        least_probability: a name that is nowhere as probable has no row.
    """
    return page_template("l2l.apply", "heard.html").render(
        title="What is heard",
        made_by=MADE_BY,
        least_probability=least_probability,
        videos=[
            {
                "video": heard.video,
                "status": heard.status,
                "reason": heard.reason,
                "duration": f"{heard.duration_seconds:.1f}",
                "rows": timeline_rows(heard, names, least_probability),
                "ranges": ranges if heard.has_sound.any() else [],
            }
            for heard, ranges in timelines
        ],
    )


def timeline_rows(
    heard: Heard, names: Sequence[str], least_probability: float
) -> list[dict[str, object]]:
    """The names that are heard most surely anywhere, as rows of a drawing with one unit per column.

    The last window may be longer than the others; it is drawn as long as they are.
    """
    if not heard.has_sound.any():
        return []
    most = heard.probabilities.max(0)
    order = [
        i for i in np.argsort(-most, kind="stable")[:MOST_ROWS] if most[i] >= least_probability
    ]
    columns = binned(heard.probabilities[:, order].T, moments_per_column(len(heard.has_sound)))
    return [
        {
            "name": names[i],
            "most": f"{most[i]:.2f}",
            "at": f"{heard.edges_seconds[int(heard.probabilities[:, i].argmax())]:.1f}",
            "columns": columns.shape[1],
            "paths": heat_paths(row[None]),
        }
        for i, row in zip(order, columns, strict=True)
    ]
