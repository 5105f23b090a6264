"""The relations of SCSampler's poster next to a run's own, one by one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from l2l.sampler.rows import ROWS

Rows = Sequence[Mapping[str, str]]

# (above, below): what the poster's figures say, in the order of its tables
PAIRS: tuple[tuple[str, str], ...] = (
    ("visual_class", "visual_right"),
    ("visual_class", "visual_ranking"),
    ("audio_ranking", "audio_class"),
    ("audio_ranking", "audio_right"),
    ("visual_class", "audio_ranking"),
    ("residual", "displacement"),
    ("motion", "residual"),
    ("motion_frame", "motion"),
    ("motion", "motion_shufflenet"),
    ("motion_frame", "motion_frame_shufflenet"),
    ("union", "joint"),
    ("union", "visual"),
    ("visual", "audio"),
    ("scsampler", "dense"),
    ("scsampler", "empirical"),
    ("dense", "uniform"),
    ("uniform", "random"),
    ("empirical", "uniform"),
    ("oracle", "scsampler"),
)


@dataclass(frozen=True)
class PosterRelation:
    """One row is above another on the poster.

    Attributes:
        above: label of the row that is above.
        below: label of the other.
        poster: points between them on the poster.
        measured: points between them in the run.
        apart: whether the run's 95 % intervals do not overlap.
    """

    above: str
    below: str
    poster: float
    measured: float
    apart: bool

    @property
    def holds(self) -> bool:
        """Whether the run has them in the same order."""
        return self.measured > 0


def poster_relations(table: Rows) -> list[PosterRelation]:
    """The relations of which a run has both rows."""
    rows = {row["row"]: row for row in table}
    labels = {row.name: row.label for row in ROWS}
    relations = []
    for above, below in PAIRS:
        if above in rows and below in rows:
            high, low = rows[above], rows[below]
            relations.append(
                PosterRelation(
                    labels[above],
                    labels[below],
                    float(high["quoted_top1"]) - float(low["quoted_top1"]),
                    float(high["top1"]) - float(low["top1"]),
                    float(high["top1_low"]) > float(low["top1_high"])
                    or float(low["top1_low"]) > float(high["top1_high"]),
                )
            )
    return relations
