"""What an answer costs, by the number of moments of a video and the factor at which it is read."""

from l2l.evaluation.cost import CostModel
from l2l.skimmer.artifact import TrainedSkimmer
from l2l.skimmer.one_look import OneLook
from l2l.skimmer.sparse import moments_read
from l2l.student.network import Student

COUNTED = (8, 9)  # moments of the two videos on which the skimmer's cost is counted


class AnswerCost:
    """Multiply-accumulates of an answer, as `CostModel` counts them.

    One look costs the same for each moment that is read. The skimmer makes one key per moment and
    one product per moment and step; all else is the same for any video. So its cost is counted on
    two lengths, and the others follow from these: a count takes as long as the skimmer itself. A
    single moment is counted for itself: its products are no matrix products.

    Args:
        student: the network that makes the features, on the CPU.
        skimmer: that reads them, or one look.
    """

    def __init__(self, student: Student, skimmer: TrainedSkimmer) -> None:
        costs = CostModel(student)
        shorter, longer = (costs.network_macs(skimmer, moments) for moments in COUNTED)
        self._single = costs.network_macs(skimmer, 1)
        self._per_moment_read = costs.moment_macs(skimmer.feature_names)
        self._per_moment = (longer - shorter) // (COUNTED[1] - COUNTED[0])
        self._per_video = shorter - COUNTED[0] * self._per_moment
        if isinstance(skimmer.network, OneLook):
            self._per_moment_read += self._per_moment
            self._per_moment, self._single = 0, self._per_video

    def macs(self, moments: int, factor: int) -> int:
        """Of a video of so many moments, of which one in `factor` is read."""
        return self._skimming(moments) + self._per_moment_read * len(moments_read(moments, factor))

    def factor_within(self, moments: int, budget_macs: float) -> int | None:
        """The smallest factor at which a video costs no more than a budget; None if reading a
        single moment of it costs more.
        """
        readable = int((budget_macs - self._skimming(moments)) // self._per_moment_read)
        return -(-moments // min(moments, readable)) if readable > 0 else None

    def _skimming(self, moments: int) -> int:
        return self._single if moments == 1 else self._per_video + moments * self._per_moment
