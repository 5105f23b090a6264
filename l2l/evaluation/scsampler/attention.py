"""The weights that the run's trained networks give to moments, so that the teacher can recognise
those with the largest (paper, Table 2b).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from l2l.evaluation.cost import CostModel
from l2l.evaluation.inputs import video_batch
from l2l.features.artifact import Features
from l2l.sampler.rows import Row
from l2l.skimmer.artifact import TrainedSkimmer
from l2l.skimmer.network import joint_weights
from l2l.skimmer.one_look import OneLookOutput


@dataclass(frozen=True)
class Attention:
    """The run's trained networks, by whose weights rows choose clips.

    Attributes:
        trained: the networks by name.
        features: the student's, of all videos.
        costs: what a network's steps cost.
        rows: those that choose by weights.
        sparse_factor: a sparse row reads features of one moment in so many.
    """

    trained: Mapping[str, TrainedSkimmer]
    features: Features
    costs: CostModel
    rows: Sequence[Row]
    sparse_factor: int

    def network(self, row: Row) -> TrainedSkimmer:
        """The network of a row that has one."""
        assert row.trained is not None
        return self.trained[row.trained]

    def factor(self, row: Row) -> int:
        """One moment in so many is read for a row."""
        return self.sparse_factor if row.sparse else 1

    def weights(self, video: str) -> dict[str, Float[np.ndarray, " moments"]]:
        """The weight of each moment, by row.

        Of the skimmer the sum over all steps of the attention to each moment, weighted by modality;
        of one look the weight of each moment that was read, and -inf of the others.
        """
        read, weights = self.features.load(video), {}
        for row in self.rows:
            trained = self.network(row)
            features, present = video_batch(trained, video, read, self.factor(row))
            with torch.inference_mode():
                output = trained.output(features, present)
            if isinstance(output, OneLookOutput):
                of_row = np.full(len(read), -np.inf)
                of_row[self.moments_read(row, len(read))] = output.weights[0].double().numpy()
            else:
                joint = joint_weights(output.weights[0], output.modality_weights[0])
                of_row = joint.sum(0).double().numpy()
            weights[row.name] = of_row
        return weights

    def moments_read(self, row: Row, moments: int) -> list[int]:
        """The moments of a video that are seen and heard for a row."""
        return self.network(row).moments_read(moments, self.factor(row))

    def macs(self, row: Row, moments: int) -> int:
        """Multiply-accumulates of reading a video and weighing its moments."""
        return self.costs.network(self.network(row), moments, self.factor(row)).macs
