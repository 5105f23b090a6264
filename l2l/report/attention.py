"""The stores that show a test video, and the skimmer's attention over all of its moments."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float

from l2l.features.artifact import Features, read_features
from l2l.manifest.artifact import Video, shard_of
from l2l.media.artifact import MediaReader, read_listed_media
from l2l.mels.artifact import MelReader, read_mels
from l2l.shards import read_shards
from l2l.skimmer.artifact import TrainedSkimmer, load_skimmer, named_features
from l2l.skimmer.network import Skimmer


@dataclass(frozen=True)
class Stores:
    """Stores of the target that hold test videos, and the skimmer.

    Attributes:
        media: of the test shards.
        mels: of the test shards; none: no spectrograms are shown.
        features: root of the features in Zarr; None: no attention is shown.
        skimmer: the trained skimmer; None: no attention is shown.
    """

    media: Sequence[Path]
    mels: Sequence[Path] = ()
    features: Path | None = None
    skimmer: Path | None = None


class Attention(NamedTuple):
    """Of one video: what each modality's query weighs in each step."""

    modalities: tuple[str, ...]
    weights: Float[np.ndarray, "looks modalities moments"]
    modality_weights: Float[np.ndarray, "looks modalities"]


class OpenStores(NamedTuple):
    """The readers of each shown video, and what computes its attention."""

    media: Mapping[str, MediaReader]
    mels: Mapping[str, MelReader]
    features: Features | None
    skimmer: TrainedSkimmer | None

    def attention(self, video: str) -> Attention | None:
        """The attention over all moments of a video; None without features and skimmer."""
        if self.features is None or self.skimmer is None:
            return None
        assert isinstance(self.skimmer.network, Skimmer)
        named = named_features(
            video, self.features.load(video), self.skimmer.feature_names, descriptors={}
        )
        batch = {name: values[None] for name, values in named.items()}
        present = torch.ones(1, self.features.moments(video), dtype=torch.bool)
        with torch.inference_mode():
            output = self.skimmer.skim(batch, present)
        modalities = self.skimmer.network.modalities
        return Attention(modalities, output.weights[0].numpy(), output.modality_weights[0].numpy())


def shards_with(paths: Sequence[Path], videos: Sequence[Video]) -> list[Path]:
    """Of the stores of all shards of a kind, `test-000.h5` or `shard-000.h5`, those that hold the
    videos; so that no others are opened.
    """
    named: dict[str, list[Path]] = {"test": [], "shard": []}
    for path in sorted(paths, key=lambda path: path.name):
        named.get(path.stem.partition("-")[0], []).append(path)
    wanted = set()
    for video in videos:
        of_part = named["test" if video.split == "test" else "shard"]
        if of_part:
            wanted.add(of_part[shard_of(video.video, len(of_part))])
    return [path for path in paths if path in wanted]


@contextlib.contextmanager
def open_stores(
    stores: Stores, listed: Sequence[Video], shown: Sequence[Video]
) -> Iterator[OpenStores]:
    """Open what is needed to show some of the videos.

    Args:
        stores: of the data set.
        listed: all its videos, as decoded.
        shown: those that will be shown.
    """
    usable = {video.video for video in listed if video.usable}
    ids = {video.video for video in shown}
    with contextlib.ExitStack() as stack:
        media = stack.enter_context(
            read_shards(shards_with(stores.media, shown), read_listed_media(listed), usable, ids)
        )
        mels = stack.enter_context(
            read_shards(shards_with(stores.mels, shown), read_mels, usable, ids)
        )
        features = read_features(stores.features) if stores.features and shown else None
        skimmer = load_skimmer(stores.skimmer) if stores.skimmer and shown else None
        yield OpenStores(media, mels, features, skimmer)
