"""The mark that a data set's features are all there; apart, since it needs none of the networks."""

from pathlib import Path

from l2l.features.artifact import complete_root


def complete_features(shards: list[Path], features: Path) -> None:
    """Write the mark that all shards of a data set are there.

    `features` is the ``zarr.json`` of the folder above them.
    """
    complete_root(features.parent, shards)
