"""One epoch of a skimmer's training examples against one .npy file per video and feature."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from bench import Row
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Dataset

from l2l.config import SkimmerConfig
from l2l.features.artifact import VideoFeatures, complete_root, read_features, write_features
from l2l.loading import load_batches, plan_epoch
from l2l.manifest.artifact import Video
from l2l.skimmer.examples import Examples, FeatureCache, collate

VIDEOS, SHARDS, MOMENTS, CHANNELS, BATCH = 2000, 8, 220, 512, 256
NAMES = ("image", "audio")
CACHE_BYTES = SkimmerConfig.model_fields["cache_bytes"].default


def write_both(folder: Path, videos: int) -> None:
    """The same features as a store of shards, and as one .npy per video and feature."""
    rng = np.random.default_rng(0)
    shards = [folder / f"set/shard-{i:03d}" for i in range(SHARDS)]
    for i, shard in enumerate(shards):
        rows = []
        for video in range(i, videos, SHARDS):
            seen = {name: rng.random((MOMENTS, CHANNELS), np.float32) for name in NAMES}
            for name, values in seen.items():
                np.save(folder / f"v{video}-{name}.npy", values.astype(np.float16))
            little = np.zeros((MOMENTS, 1), np.float32)  # these are not read here
            rows.append((f"v{video}", VideoFeatures(seen, little, little, np.ones(MOMENTS, bool))))
        write_features(shard, rows, ["c"], "float16", 2048, {})
    complete_root(folder / "set", shards)


def rows(folder: Path, videos: int = VIDEOS) -> Iterator[Row]:
    """Padded batches of all videos in a drawn order: from memory, and from disk."""
    write_both(folder, videos)
    listed = [Video(f"v{i}", "", "train", ("c",)) for i in range(videos)]

    def opened() -> Examples:
        store = read_features(folder / "set")
        return Examples(FeatureCache(store, NAMES, CACHE_BYTES, {}), listed)

    def epoch(examples: Dataset) -> None:
        batches, seed = plan_epoch(examples, BATCH)
        for _ in load_batches(examples, 0, seed, collate, batch_sampler=batches):
            pass

    examples = opened()
    plain = PlainFiles(folder, videos)
    against = "one .npy per video and feature"
    yield Row(
        f"a later epoch of features, {videos:,} videos of {MOMENTS} moments",
        against,
        lambda: epoch(examples),
        plain.epoch,
        3,
    )
    yield Row("the first epoch, from disk", against, lambda: epoch(opened()), plain.epoch, 1)


class PlainFiles:
    """What one writes first: a file per video and feature, read when it is needed."""

    def __init__(self, folder: Path, videos: int) -> None:
        self.folder, self.videos = folder, videos

    def __getitem__(self, video: int) -> dict[str, torch.Tensor]:
        arrays = {name: np.load(self.folder / f"v{video}-{name}.npy") for name in NAMES}
        return {name: torch.from_numpy(x.astype(np.float32)) for name, x in arrays.items()}

    def epoch(self) -> None:
        """Padded batches of all videos in a drawn order."""
        for batch in torch.randperm(self.videos).split(BATCH):
            read = [self[int(video)] for video in batch]
            for name in NAMES:
                pad_sequence([each[name] for each in read], batch_first=True)
