"""From class scores to class probabilities; numbers that are not finite are refused."""

import numpy as np
import torch
from jaxtyping import Float

from l2l.errors import BadInput


def check_finite(values: np.ndarray, what: str) -> None:
    """Refuse NaN and infinity, which no metric can rank.

    Args:
        values: numbers of any shape.
        what: names them in the error.

    Raises:
        BadInput: if one is not finite.
    """
    if not np.isfinite(values).all():
        count = int((~np.isfinite(values)).sum())
        raise BadInput(
            f"{what}: found {count} of {values.size} numbers that are not finite, expected finite "
            "numbers; check the network and the features that made them with `l2l inspect "
            "--check`"
        )


def class_probabilities(
    scores: Float[np.ndarray, "rows classes"],
) -> Float[np.ndarray, "rows classes"]:
    """Softmax of each row of class scores (logits), in float64."""
    return torch.from_numpy(scores).double().softmax(1).numpy()
