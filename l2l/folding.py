"""In evaluation mode a batch norm is a fixed scale and shift, which a convolution can do."""

import itertools

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

CONVOLUTIONS = nn.Conv2d, nn.Conv3d
NORMS = nn.BatchNorm2d, nn.BatchNorm3d


def fold_batch_norms(network: nn.Module) -> None:
    """Fold each batch norm into its convolution: the module right before it, as in torchvision's
    networks.
    """
    kinds = (*CONVOLUTIONS, *NORMS)
    layers = [named for named in network.named_modules() if isinstance(named[1], kinds)]
    for (conv_name, conv), (norm_name, norm) in itertools.pairwise(layers):
        if isinstance(conv, CONVOLUTIONS) and isinstance(norm, NORMS):
            network.set_submodule(conv_name, fuse_conv_bn_eval(conv, norm))
            network.set_submodule(norm_name, nn.Identity())
