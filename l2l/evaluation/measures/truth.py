"""What the test videos show."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int


@dataclass(frozen=True)
class Truth:
    """Labels of the test videos.

    Attributes:
        labels: the first label of each usable video.
        shown: all labels of each usable video.
        unusable: the first label of each video that cannot be used.
    """

    labels: Int[np.ndarray, " videos"]
    shown: Bool[np.ndarray, "videos classes"]
    unusable: Int[np.ndarray, " unusable"]
