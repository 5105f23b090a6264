"""EfficientNet-Lite0: a picture's feature, 1280 numbers, from weights that were trained on
ImageNet-1k (Google, 2020).

It is torchvision's EfficientNet-B0 with four changes: no squeeze-and-excitation, ReLU6 for SiLU,
batch norms with an epsilon of 0.001, and convolutions of stride 2 that pad as TensorFlow's SAME.
"""

import functools

import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torchvision.models import efficientnet_b0
from torchvision.ops import SqueezeExcitation

FEATURES = 1280  # channels of the last feature map
SIDE_PIXELS = 224
_EPSILON = 1e-3  # of batch norm


class _SamePadding(nn.Conv2d):
    """A convolution of stride 2 that pads as TensorFlow's SAME: an odd pixel goes to the right and
    to the bottom.
    """

    def forward(
        self, x: Float[Tensor, "moments channel height width"]
    ) -> Float[Tensor, "moments channel_out rows columns"]:
        pads: list[int] = []
        for kernel, size in zip(self.kernel_size[::-1], x.shape[:1:-1], strict=True):
            both = kernel - 2 + size % 2
            pads += [both // 2, both - both // 2]
        return super().forward(F.pad(x, pads))


def efficientnet_lite0_trunk() -> nn.Sequential:
    """All layers up to the last feature map, (moments, 1280, 7, 7), with random weights."""
    network = efficientnet_b0(
        norm_layer=functools.partial(nn.BatchNorm2d, eps=_EPSILON), stochastic_depth_prob=0.0
    )
    trunk = network.features
    for name, module in list(trunk.named_modules()):
        if isinstance(module, SqueezeExcitation):
            trunk.set_submodule(name, nn.Identity())
    for name, module in list(trunk.named_modules()):
        if isinstance(module, nn.SiLU):
            trunk.set_submodule(name, nn.ReLU6(inplace=True))
        elif isinstance(module, nn.Conv2d) and module.stride == (2, 2):
            trunk.set_submodule(name, _same_padding(module))
    return trunk


def _same_padding(conv: nn.Conv2d) -> _SamePadding:
    padded = _SamePadding(
        *(conv.in_channels, conv.out_channels, conv.kernel_size[0], 2),
        groups=conv.groups,
        bias=False,
    )
    padded.weight = conv.weight
    return padded


def picture_input(
    frames: UInt8[Tensor, "moments height width colour"],
) -> Float[Tensor, "moments colour 224 224"]:
    """Pictures as the weights were trained with: of 224 x 224 pixels, (value - 127) / 128."""
    pictures = frames.permute(0, 3, 1, 2).float()
    size = (SIDE_PIXELS, SIDE_PIXELS)
    if pictures.shape[2:] != size:
        pictures = F.interpolate(pictures, size, mode="bilinear", antialias=True)
    return (pictures - 127) / 128
