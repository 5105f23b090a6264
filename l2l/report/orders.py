"""Which of two methods recognises more: differences on the same test videos, with intervals."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, pvariance

from l2l.report.digits import percent

Rows = Sequence[Mapping[str, str]]


@dataclass(frozen=True)
class Order:
    """How much more one method recognises than another.

    Attributes:
        points: top-1 accuracy of the first minus that of the second, in points.
        half_width: of its 95 % interval, 1.96 standard errors of the mean difference per video.
    """

    points: float
    half_width: float

    @property
    def known(self) -> bool:
        """Whether the interval leaves one order only."""
        return abs(self.points) > self.half_width

    @property
    def word(self) -> str:
        """The first, compared with the second."""
        return ("more than" if self.points > 0 else "less than") if self.known else "compared with"

    @property
    def text(self) -> str:
        """Difference and interval, such as `+19 ± 9 points`."""
        half = percent(self.half_width, self.half_width)
        return f"{'−' if self.points < 0 else '+'}{self._size} ± {half} points"

    @property
    def _size(self) -> str:
        return percent(abs(self.points), self.half_width or 1)


def right_answers(predictions: Rows) -> dict[str, dict[str, bool]]:
    """Of each method, whether it is right about each video; of a random method the first draw."""
    right: dict[str, dict[str, bool]] = {}
    for row in predictions:
        of_method = right.setdefault(row["method"], {})
        of_method[row["video"]] = row["predicted"] == row["label"]
    return right


def order(first: Mapping[str, bool], second: Mapping[str, bool]) -> Order:
    """Compare two methods on the videos that both answer, at least one."""
    differences = [float(first[video]) - second[video] for video in first if video in second]
    error = math.sqrt(pvariance(differences) / len(differences))
    # where no video differs, three in so many could still (rule of three)
    least = 0 if error else 3 / len(differences)
    return Order(100 * fmean(differences), 100 * max(1.96 * error, least))
