"""The training examples of a skimmer: the features of videos, from the store or from memory, and
the class of each.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from l2l.config import FeatureName
from l2l.errors import BadInput
from l2l.features.artifact import Features
from l2l.loading import RandomizedDataset
from l2l.manifest.artifact import Video
from l2l.skimmer.artifact import all_descriptors
from l2l.skimmer.padding import pad_videos
from l2l.skimmer.sparse import coarse_to_fine, read_sparsely
from l2l.teacher.artifact import DescriptorReader

Batch = tuple[dict[FeatureName, Tensor], Tensor, Tensor]
"""Features by name, present moments (videos, moments), labels."""


class Example(NamedTuple):
    """A video: its features, (moments, channel) each, in the type in which they are stored, and the
    index of its class.
    """

    features: dict[FeatureName, Tensor]
    label: int


class FeatureCache:
    """Reads the features of videos, and keeps those of the first videos in memory, within a bound.

    Args:
        store: the student's features.
        names: of the features to read.
        cache_bytes: the bound.
        descriptors: the reader of the teacher's descriptors of each video; only used for `teacher`.

    Raises:
        BadInput: if the store does not have a feature.
    """

    def __init__(
        self,
        store: Features,
        names: Sequence[FeatureName],
        cache_bytes: int,
        descriptors: Mapping[str, DescriptorReader],
    ) -> None:
        available = (*store.modalities, "fused", "teacher")
        if missing := [name for name in names if name not in available]:
            raise BadInput(
                f"{store.root}: found {' and '.join(store.modalities)} features, expected "
                f"{missing[0]} features too"
            )
        self.store = store
        self._names = tuple(names)
        self._free_bytes = cache_bytes
        self._descriptors = descriptors
        self._cached: dict[str, dict[FeatureName, np.ndarray]] = {}

    def add(self, videos: Collection[str]) -> None:
        """Read videos into memory, in the order in which they are stored, up to the bound."""
        wanted = set(videos)
        for video in self.store.videos:
            if video in wanted:
                arrays = self._read(video)
                self._free_bytes -= sum(x.nbytes for x in arrays.values())
                if self._free_bytes < 0:
                    return
                self._cached[video] = arrays

    def _read(self, video: str) -> dict[FeatureName, np.ndarray]:
        arrays = self.store.stored(video, [name for name in self._names if name != "teacher"])
        if "teacher" in self._names:
            moments = self.store.moments(video)
            arrays["teacher"] = all_descriptors(video, moments, self._descriptors)
        return {name: arrays[name] for name in self._names}

    def features(self, video: str) -> dict[FeatureName, Tensor]:
        """The features of a video, (moments, channel) each, in the type in which they are stored;
        read now if not in memory.
        """
        arrays = self._cached.get(video) or self._read(video)
        return {name: torch.from_numpy(x) for name, x in arrays.items()}


class Examples(Dataset):
    """The examples of some videos; their features are added to a cache.

    Raises:
        BadInput: if the features do not know the class of a video.
    """

    def __init__(self, cache: FeatureCache, videos: Sequence[Video]) -> None:
        store = cache.store
        for video in videos:
            if video.label not in store.classes:
                raise BadInput(
                    f"{store.root}: video {video.video!r} is of class {video.label!r}, expected "
                    f"one of {', '.join(store.classes)}"
                )
        self.cache = cache
        self.videos = [(video.video, store.classes.index(video.label)) for video in videos]
        cache.add([video for video, _ in self.videos])

    def __len__(self) -> int:
        return len(self.videos)

    def __getitem__(self, i: int) -> Example:
        video, label = self.videos[i]
        return Example(self.cache.features(video), label)


class RandomSparseReading(RandomizedDataset):
    """Examples with sparsely read features, as the skimmer meets them in evaluation.

    Args:
        examples: with features of all moments.
        factors: each epoch one of them is drawn for each example; one moment in `factor` is read.
        dense: names of features that are read at every moment, since they are only read where a
            moment is selected.
    """

    def __init__(
        self,
        examples: Examples | Sequence[Example],
        factors: Sequence[int],
        dense: Collection[FeatureName] = (),
    ) -> None:
        self.examples, self.factors, self.dense = examples, factors, dense

    def __len__(self) -> int:
        return len(self.examples)

    def draw(self, count: int) -> Tensor:
        """Draw the index of a factor for each example."""
        return torch.randint(len(self.factors), (count,))

    def __getitem__(self, key: tuple[int, int]) -> Example:
        index, factor_index = key
        features, label = self.examples[index]
        factor = self.factors[factor_index]
        sparse = {
            m: x if m in self.dense else read_sparsely(x, factor) for m, x in features.items()
        }
        return Example(sparse, label)


class SeededReading(RandomizedDataset):
    """Examples read as `RandomSparseReading` does, each with a seed for what is drawn for a batch.

    Args:
        examples: read at random factors.
    """

    def __init__(self, examples: RandomSparseReading) -> None:
        self.examples = examples

    def __len__(self) -> int:
        return len(self.examples)

    def draw(self, count: int) -> Tensor:
        """Draw a seed for each example: of its factor, and of its batch where it is the first."""
        return torch.randint(2**31, (count,))

    def __getitem__(self, key: tuple[int, int]) -> tuple[Example, int]:
        index, seed = key
        return self.examples[index, seed % len(self.examples.factors)], seed


class RandomMoments(RandomizedDataset):
    """Examples of which one moment is read in each span, anywhere in it, and no other; nothing is
    interpolated. One look learns from them.

    Args:
        examples: with features of all moments.
        longest_factor: a span has one to so many moments; drawn each time for each example.
    """

    def __init__(self, examples: Examples | Sequence[Example], longest_factor: int) -> None:
        self.examples, self.longest_factor = examples, longest_factor

    def __len__(self) -> int:
        return len(self.examples)

    def draw(self, count: int) -> Tensor:
        """Draw a seed for each example: of its factor, and of the moment in each span."""
        return torch.randint(2**31, (count,))

    def __getitem__(self, key: tuple[int, int]) -> Example:
        index, seed = key
        features, label = self.examples[index]
        count = len(next(iter(features.values())))
        generator = torch.Generator().manual_seed(seed)
        factor = int(torch.randint(1, self.longest_factor + 1, (1,), generator=generator))
        starts = torch.arange(0, count, factor)
        lengths = (count - starts).clamp(max=factor)
        moments = starts + (torch.rand(len(starts), generator=generator) * lengths).long()
        return Example({m: x[moments] for m, x in features.items()}, label)


class RandomMomentsWithAll(RandomizedDataset):
    """Examples as `RandomMoments` reads them, each with the same example of all moments.

    Args:
        reading: the examples.
    """

    def __init__(self, reading: RandomMoments) -> None:
        self.reading = reading

    def __len__(self) -> int:
        return len(self.reading)

    def draw(self, count: int) -> Tensor:
        """Draw as `RandomMoments` does."""
        return self.reading.draw(count)

    def __getitem__(self, key: tuple[int, int]) -> tuple[Example, Example]:
        return self.reading[key], self.reading.examples[key[0]]


class FixedOrder(Dataset):
    """Examples of which some moments are read in a fixed order from coarse to fine, and no other.
    Early exit learns from them.

    Args:
        examples: with features of all moments.
        moments: most that are read of a video.
    """

    def __init__(self, examples: Examples | Sequence[Example], moments: int) -> None:
        self.examples, self.moments = examples, moments

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, i: int) -> Example:
        features, label = self.examples[i]
        order = coarse_to_fine(len(next(iter(features.values()))), self.moments)
        return Example({m: x[order] for m, x in features.items()}, label)


def collate(batch: Sequence[Example]) -> Batch:
    """A padded batch: features by name, float32, present moments (videos, moments), and labels."""
    features, present = pad_videos([example.features for example in batch])
    return features, present, torch.tensor([example.label for example in batch])


def collate_with_all(batch: Sequence[tuple[Example, Example]]) -> tuple[Batch, Batch]:
    """A padded batch of the moments that are read, and one of all moments of the same videos."""
    return collate([read for read, _ in batch]), collate([everything for _, everything in batch])
