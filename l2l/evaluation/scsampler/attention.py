"""How much Listen to Look attends to each moment, so that the teacher can recognise those it
attends to most (paper, Table 2b).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from l2l.evaluation.cost import CostModel
from l2l.evaluation.inputs import video_batch
from l2l.features.artifact import Features
from l2l.skimmer.artifact import TrainedSkimmer
from l2l.skimmer.network import joint_weights


@dataclass(frozen=True)
class ListenToLook:
    """The run's skimmer, which reads features of one moment in `factors[row]`.

    Attributes:
        trained: the skimmer.
        features: the student's, of all videos.
        costs: what its steps cost.
        factors: by row.
    """

    trained: TrainedSkimmer
    features: Features
    costs: CostModel
    factors: Mapping[str, int]

    def attention(self, video: str) -> dict[str, Float[np.ndarray, " moments"]]:
        """The sum over all steps of the attention to each moment, weighted by modality."""
        read = self.features.load(video)
        attention = {}
        for row, factor in self.factors.items():
            features, present = video_batch(self.trained, video, read, factor)
            with torch.inference_mode():
                output = self.trained.skim(features, present)
                joint = joint_weights(output.weights[0], output.modality_weights[0])
            attention[row] = joint.sum(0).double().numpy()
        return attention

    def moments_read(self, row: str, moments: int) -> list[int]:
        """The moments of a video that are seen and heard."""
        return self.trained.moments_read(moments, self.factors[row])

    def macs(self, row: str, moments: int) -> int:
        """Multiply-accumulates of reading a video and skimming it."""
        return self.costs.network(self.trained, moments, self.factors[row]).macs
