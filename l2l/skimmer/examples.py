"""What a skimmer is fitted on.

The features of videos, out of the store or of memory, and the class of each.
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
from l2l.skimmer.artifact import all_described
from l2l.skimmer.padding import pad_videos
from l2l.skimmer.sparse import read_sparsely
from l2l.teacher.artifact import DescriptorReader


class Example(NamedTuple):
    """A video to fit on: its features, (moments, channel) each, and the index of its class."""

    features: dict[FeatureName, Tensor]
    label: int


class FeatureCache:
    """Features as they are stored, of some names; those of the first videos to be added stay in
    memory, within a bound.

    Args:
        bank: the student's features.
        names: of features.
        cache_bytes: the bound.
        described: where the teacher's descriptors of each video are; read only for `teacher`.

    Raises:
        BadInput: if the store lacks a feature.
    """

    def __init__(
        self,
        bank: Features,
        names: Sequence[FeatureName],
        cache_bytes: int,
        described: Mapping[str, DescriptorReader],
    ) -> None:
        if missing := [
            name for name in names if name not in (*bank.modalities, "fused", "teacher")
        ]:
            raise BadInput(
                f"{bank.root}: found {' and '.join(bank.modalities)} features, expected "
                f"{missing[0]} features too"
            )
        self.bank, self._names, self._left_bytes, self._described = (
            bank,
            tuple(names),
            cache_bytes,
            described,
        )
        self._kept: dict[str, dict[FeatureName, np.ndarray]] = {}

    def add(self, videos: Collection[str]) -> None:
        """Read videos, in the order they are stored, and keep them, until the bound is reached."""
        wanted = set(videos)
        for video in self.bank.videos:
            if video in wanted:
                read = self._read(video)
                self._left_bytes -= sum(x.nbytes for x in read.values())
                if self._left_bytes < 0:
                    return
                self._kept[video] = read

    def _read(self, video: str) -> dict[FeatureName, np.ndarray]:
        stored = self.bank.stored(video, [name for name in self._names if name != "teacher"])
        if "teacher" in self._names:
            stored["teacher"] = all_described(video, self.bank.moments(video), self._described)
        return {name: stored[name] for name in self._names}

    def features(self, video: str) -> dict[FeatureName, Tensor]:
        """The features of a video, float32 (moments, channel) each.

        Read now if they were not kept.
        """
        read = self._kept.get(video) or self._read(video)
        return {name: torch.from_numpy(values.astype(np.float32)) for name, values in read.items()}


class Examples(Dataset):
    """The examples of some videos, whose features it adds to a cache."""

    def __init__(self, cache: FeatureCache, videos: Sequence[Video]) -> None:
        bank = cache.bank
        for video in videos:
            if video.label not in bank.classes:
                raise BadInput(
                    f"{bank.root}: video {video.video!r} is of class {video.label!r}, not one of "
                    f"{', '.join(bank.classes)}"
                )
        self.cache, self.videos = (
            cache,
            [(video.video, bank.classes.index(video.label)) for video in videos],
        )
        cache.add([video for video, _ in self.videos])

    def __len__(self) -> int:
        return len(self.videos)

    def __getitem__(self, i: int) -> Example:
        video, label = self.videos[i]
        return Example(self.cache.features(video), label)


class RandomSparseReading(RandomizedDataset):
    """Examples as the skimmer will meet them: for each, each epoch, a factor is drawn by which it
    is read sparsely.

    Features named in `selected` are read of selected moments alone, and so stay as they are.
    """

    def __init__(
        self,
        whole: Examples | Sequence[Example],
        factors: Sequence[int],
        selected: Collection[FeatureName] = (),
    ) -> None:
        self.whole, self.factors, self.selected = whole, factors, selected

    def __len__(self) -> int:
        return len(self.whole)

    def draw(self, count: int) -> Tensor:
        """Which of the factors."""
        return torch.randint(len(self.factors), (count,))

    def __getitem__(self, key: tuple[int, int]) -> Example:
        example, factor = self.whole[key[0]], self.factors[key[1]]
        read = {
            m: x if m in self.selected else read_sparsely(x, factor)
            for m, x in example.features.items()
        }
        return Example(read, example.label)


def collate(batch: Sequence[Example]) -> tuple[dict[FeatureName, Tensor], Tensor, Tensor]:
    """Pad a batch of videos; padding is never read."""
    features, present = pad_videos([example.features for example in batch])
    return features, present, torch.tensor([example.label for example in batch])
