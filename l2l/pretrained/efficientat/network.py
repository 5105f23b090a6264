"""EfficientAT mn04: what is heard in a second of sound or more.

Schmid, Koutini and Widmer, Efficient Large-scale Audio Tagging via Transformer-to-CNN Knowledge
Distillation (ICASSP 2023): MobileNetV3-Large at width 0.4 on a log-mel spectrogram, trained on
AudioSet, 0.98 M parameters. It is torchvision's network with one colour at its first layer and
sigmoids in its squeeze-and-excitation blocks.
"""

from functools import partial

from jaxtyping import Float
from torch import Tensor, nn
from torchvision.models import MobileNetV3, mobilenet_v3_large
from torchvision.models.mobilenetv3 import InvertedResidual
from torchvision.ops import SqueezeExcitation

FEATURES = 384  # of the average of its last convolution, which its head classifies
CLASSES = 527  # names of AudioSet


def efficientat_mn04() -> MobileNetV3:
    """The network with random weights.

    It takes spectrograms (sounds, 1, bands, windows) of any number of windows and gives the logits
    of 527 names, each for itself (sigmoid). In steps: `features` gives (sounds, 384, bands / 32,
    windows / 32), `avgpool` the mean over both, `classifier` the logits.
    """
    excitation = partial(SqueezeExcitation, scale_activation=nn.Sigmoid)
    network = mobilenet_v3_large(
        width_mult=0.4, num_classes=CLASSES, block=partial(InvertedResidual, se_layer=excitation)
    )
    stem = network.features[0]
    width = stem[0].out_channels
    stem[0] = nn.Conv2d(1, width, kernel_size=3, stride=2, padding=1, bias=False)
    return network


def sound_features(
    network: MobileNetV3, spectrograms: Float[Tensor, "sounds bands windows"]
) -> Float[Tensor, "sounds 384"]:
    """The mean of its last convolution over bands and windows: what its head classifies."""
    return network.avgpool(network.features(spectrograms[:, None])).flatten(1)
