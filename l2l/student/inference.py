"""A trained student that describes moments; on a CPU the same function in fewer, faster layers.

There batch norms are folded into the convolutions before them, pictures are kept in oneDNN's own
layout from layer to layer, and weights are brought into theirs once, not with every batch. Only the
order of sums changes: numbers differ by less than 2e-6 of the largest.
"""

import copy
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from l2l.acceleration import Inference, to_channels_last
from l2l.config import NOT_ACCELERATED, AccelerationConfig
from l2l.folding import fold_batch_norms
from l2l.mels.spectrogram import floor_of
from l2l.student.artifact import mels_of
from l2l.student.network import Student, Trunk


class OneDnnConv(nn.Module):
    """A `Conv2d` on pictures in oneDNN's layout."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        form: list[Any] = [conv.padding, conv.stride, conv.dilation, conv.groups]
        self.form = form
        weight = conv.weight.detach().to_mkldnn()
        # the way of torch.utils.mkldnn, without its detour through TorchScript
        self.weight = torch._C._nn.mkldnn_reorder_conv2d_weight(weight, *form)
        bias = conv.weight.new_zeros(len(conv.weight)) if conv.bias is None else conv.bias.detach()
        self.bias = bias.to_mkldnn()

    def forward(
        self, x: Float[Tensor, "moments channel height width"]
    ) -> Float[Tensor, "moments channel_out height_out width_out"]:
        """The convolution; x is in oneDNN's layout, as the result is."""
        return torch.mkldnn_convolution(x, self.weight, self.bias, *self.form)


class OneDnnTrunk(nn.Module):
    """A copy of a trunk in evaluation mode.

    A picture has the same bits in a batch of any size.
    """

    def __init__(self, trunk: Trunk) -> None:
        super().__init__()
        self.trunk = copy.deepcopy(trunk).eval().requires_grad_(False)
        fold_batch_norms(self.trunk)
        for name, module in list(self.trunk.named_modules()):
            if isinstance(module, nn.Conv2d):
                self.trunk.set_submodule(name, OneDnnConv(module))

    def forward(
        self, x: Float[Tensor, "moments colour height width"]
    ) -> Float[Tensor, "moments channel height_out width_out"]:
        """What the trunk makes of the pictures."""
        return self.trunk(x.contiguous().to_mkldnn()).to_dense()


class FixedRows(nn.Module):
    """A layer, or a trunk that is no ResNet, that always computes as many rows: the bits of a row
    depend on how many there are.
    """

    def __init__(self, layer: nn.Module, rows: int) -> None:
        super().__init__()
        self.layer, self.rows = layer, rows

    def forward(self, x: Float[Tensor, "moments ..."]) -> Float[Tensor, "moments ..."]:
        """What the layer makes of up to `rows` rows."""
        behind_the_last = [0, 0] * (x.dim() - 1) + [0, self.rows - len(x)]
        return self.layer(F.pad(x, behind_the_last))[: len(x)]


def is_faster_on(device: torch.device) -> bool:
    """Whether `for_inference` makes another student of one."""
    return device.type == "cpu" and torch.backends.mkldnn.is_available()


def for_inference(student: Student, device: torch.device, rows: int) -> Student:
    """The student as it describes moments fastest on a device.

    Where `is_faster_on` says so, a moment has the same bits in a batch of any size up to `rows`.
    """
    if not is_faster_on(device):
        return to_channels_last(student, device)
    faster = copy.deepcopy(student).eval()
    for modality in student.modalities:
        stream = getattr(faster, modality)
        is_resnet = isinstance(stream.trunk, Trunk)
        stream.trunk = OneDnnTrunk(stream.trunk) if is_resnet else FixedRows(stream.trunk, rows)
        if isinstance(stream.narrow, nn.Linear):
            stream.narrow = FixedRows(stream.narrow, rows)
    faster.fusion = FixedRows(faster.fusion, rows)  # type: ignore[assignment]
    faster.classifier = FixedRows(faster.classifier, rows)  # type: ignore[assignment]
    return faster


class StudentInference:
    """All that a student makes of moments.

    Args:
        student: in evaluation mode, on the device.
        device: where to compute.
        batch_moments: most moments per call.
        acceleration: precision and compilation, on a GPU.

    Attributes:
        compute: the same of inputs that are on the device.
    """

    def __init__(
        self,
        student: Student,
        device: torch.device,
        batch_moments: int,
        acceleration: AccelerationConfig = NOT_ACCELERATED,
    ) -> None:
        self._student, self._device = student, device
        self._floor = floor_of(mels_of(student.settings))
        self.compute = Inference(self._outputs, device, acceleration, batch_moments)
        self.batch_moments, self.modalities = batch_moments, student.modalities

    def __call__(
        self, frames: np.ndarray, mels: np.ndarray, has_sound: np.ndarray
    ) -> tuple[Tensor, ...]:
        """What it makes of some moments, at most `batch_moments`.

        Args:
            frames: (moments, side, side, 3) uint8.
            mels: (moments, windows, bands) float32.
            has_sound: (moments,) bool.

        Returns:
            The feature of each of its modalities, the fused feature and the class scores:
            (moments, channel) each, float32, on the device.
        """
        pictures, sounds, heard = (
            torch.from_numpy(x).to(self._device) for x in (frames, mels, has_sound)
        )
        with torch.inference_mode():
            inputs = self._student.inputs(pictures, sounds, self._floor)
            return self.compute(*inputs, heard)

    def _outputs(self, frames: Tensor, mels: Tensor, has_sound: Tensor) -> tuple[Tensor, ...]:
        features = self._student.features(frames, mels, has_sound)
        fused = self._student.fuse(features)
        streams = (features[m] for m in self._student.modalities)
        return *streams, fused, self._student.classifier(fused)
