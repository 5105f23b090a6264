"""A trained teacher that describes clips: the same function in fewer, faster layers.

In evaluation mode a batch norm is a fixed scale and shift, so it is folded into the convolution
before it. On a CPU a convolution that is one pixel wide in time or in space is also a 2-D one on a
view of the same memory: a CPU's 2-D convolutions are 1.5 to 2 times as fast as its 3-D ones. Only
the order of sums changes: numbers differ by less than 2e-6 of the largest.
"""

import copy

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from l2l.acceleration import Function, Inference, to_channels_last
from l2l.config import NOT_ACCELERATED, AccelerationConfig
from l2l.folding import fold_batch_norms
from l2l.teacher.network import AnyTeacher, FrameTeacher


class SpatialConv(nn.Module):
    """A `Conv3d` of kernel (1, height, width): a 2-D convolution of every picture."""

    def __init__(self, conv: nn.Conv3d) -> None:
        super().__init__()
        weight = conv.weight.detach().squeeze(2)
        self.weight = weight.contiguous(memory_format=torch.channels_last)
        self.bias = conv.bias
        self.time_stride, *self.stride = conv.stride
        self.padding = conv.padding[1:]

    def forward(
        self, x: Float[Tensor, "clips channel time height width"]
    ) -> Float[Tensor, "clips channel_out time_out height_out width_out"]:
        """The convolution; x has its channels innermost in memory, as the result has."""
        pictures = x[:, :, :: self.time_stride].transpose(1, 2)
        flat = pictures.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        y = F.conv2d(flat, self.weight, self.bias, self.stride, self.padding)
        return y.unflatten(0, pictures.shape[:2]).transpose(1, 2)


class TemporalConv(nn.Module):
    """A `Conv3d` of kernel (time, 1, 1): a 2-D one over (time, pixel), of which a picture's pixels
    are one axis.
    """

    def __init__(self, conv: nn.Conv3d) -> None:
        super().__init__()
        weight = conv.weight.detach().squeeze(4)
        self.weight = weight.contiguous(memory_format=torch.channels_last)
        self.bias = conv.bias
        self.stride = conv.stride[0], 1
        self.padding = int(conv.padding[0]), 0

    def forward(
        self, x: Float[Tensor, "clips channel time height width"]
    ) -> Float[Tensor, "clips channel_out time_out height width"]:
        """The convolution; x has its channels innermost in memory, as the result has."""
        y = F.conv2d(x.flatten(3), self.weight, self.bias, self.stride, self.padding)
        return y.unflatten(3, x.shape[3:])


def _as_planar(conv: nn.Conv3d) -> nn.Module:
    """A 3-D convolution as a 2-D one where it is one; otherwise as it is."""
    if conv.groups != 1 or conv.dilation != (1, 1, 1) or conv.padding_mode != "zeros":
        return conv
    kernel, stride, padding = conv.kernel_size, conv.stride, conv.padding
    if kernel[0] == 1 and padding[0] == 0:
        return SpatialConv(conv)
    if kernel[1:] == (1, 1) and stride[1:] == (1, 1) and padding[1:] == (0, 0):
        return TemporalConv(conv)
    return conv


class CpuTeacher(nn.Module):
    """A copy of a teacher in evaluation mode, for a CPU.

    Clips are computed one by one: what lies between two layers is then small enough for the caches,
    and a clip's numbers do not depend on its batch.
    """

    def __init__(self, teacher: AnyTeacher) -> None:
        super().__init__()
        self.teacher = copy.deepcopy(teacher).eval().requires_grad_(False)
        fold_batch_norms(self.teacher)
        for name, module in list(self.teacher.named_modules()):
            if isinstance(module, nn.Conv3d):
                self.teacher.set_submodule(name, _as_planar(module))
        self.teacher.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]

    def forward(
        self, clips: Float[Tensor, "clips colour time height width"]
    ) -> tuple[Float[Tensor, "clips descriptor"], Float[Tensor, "clips classes"]]:
        """The descriptor and the class scores (logits) of each clip."""
        outputs = [
            self.teacher(clip.contiguous(memory_format=torch.channels_last_3d))
            for clip in clips.split(1)
        ]
        descriptors, scores = zip(*outputs, strict=True)
        return torch.cat(descriptors), torch.cat(scores)


def gpu_teacher(
    teacher: AnyTeacher, device: torch.device, acceleration: AccelerationConfig, batch_clips: int
) -> Inference:
    """A copy of a teacher in evaluation mode, for a GPU and for batches of at most so many
    clips.
    """
    copied = copy.deepcopy(teacher).eval().requires_grad_(False)
    fold_batch_norms(copied)
    return Inference(to_channels_last(copied, device), device, acceleration, batch_clips)


def for_inference(
    teacher: AnyTeacher,
    device: torch.device,
    acceleration: AccelerationConfig = NOT_ACCELERATED,
    batch_clips: int = 16,
) -> Function:
    """The teacher as it describes clips fastest on a device, with the teacher's outputs."""
    if isinstance(teacher, FrameTeacher):
        return teacher.to(device)
    if device.type == "cpu":
        return CpuTeacher(teacher)
    return gpu_teacher(teacher, device, acceleration, batch_clips)
