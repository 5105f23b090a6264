"""Peak resident memory of a skimmer's training, with features within its cache and beyond it.

    python benchmarks/skimmer_memory.py [VIDEOS ...]

The real stage function fits one epoch of a narrow skimmer in a separate process, on a synthetic
store of videos of 220 moments with two features of 512 float16 numbers each (0.45 MB a video;
20,000 of them are 9 GB of disk while it runs). Each number of videos, 200 and 400 if none is given,
is trained with nothing kept in memory, and with the bound that cache_bytes has by itself. Their
number adds little to the peak but what is kept.
"""

import multiprocessing
import resource
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from l2l.config import SkimmerConfig, TrainingConfig
from l2l.features.artifact import VideoFeatures, complete_root, write_features
from l2l.manifest.artifact import Video, write_videos
from l2l.skimmer.stage import train_skimmer
from l2l.student.artifact import save_head
from l2l.student.network import Head

MOMENTS, WIDTH, CLASSES, SHARD_VIDEOS = 220, 512, ("a", "b", "c", "d"), 100
VIDEO_BYTES = 2 * MOMENTS * WIDTH * 2


def make(folder: Path, videos: int) -> None:
    """The store, the table of videos, a fifth of them to validate, and the head that the skimmer
    starts from.
    """
    x = np.random.default_rng(0).random((MOMENTS, WIDTH), np.float32)
    features = VideoFeatures(
        {"image": x, "audio": x}, x[:, :1], x[:, : len(CLASSES)], np.ones(MOMENTS, bool)
    )
    rows = [
        Video(f"v{i}", Path(f"v{i}.mp4"), "val" if i % 5 == 0 else "train", (CLASSES[i % 4],))
        for i in range(videos)
    ]
    write_videos(folder / "videos.tsv", rows)
    stores = []
    for first in range(0, videos, SHARD_VIDEOS):
        stores.append(folder / f"features/shard-{len(stores):03d}")
        part = [(row.video, features) for row in rows[first : first + SHARD_VIDEOS]]
        write_features(stores[-1], part, CLASSES, "float16", 2048, {})
    complete_root(folder / "features", stores)
    head = Head({"image": WIDTH, "audio": WIDTH}, len(CLASSES), 32, 16)
    head.class_names = CLASSES
    save_head(folder / "head.pt", head)


def fit(folder: Path, cache_bytes: int) -> tuple[int, float]:
    """Peak resident bytes and seconds of CPU of this process after one epoch."""
    fitting = TrainingConfig(epochs=1, batch_size=16, learning_rate=0.01)
    config = SkimmerConfig(
        lstm_width=16,
        key_width=16,
        query_width=16,
        steps=2,
        cache_bytes=cache_bytes,
        training=fitting,
    )
    inputs = folder / "head.pt", folder / "videos.tsv", folder / "features"
    began = time.process_time()
    train_skimmer(*inputs, folder / "skimmer.pt", config, "skimmer", seed=0)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, time.process_time() - began


def main() -> None:
    """Print the peak for each number of videos, with none and with as many kept as the bound
    allows.
    """
    bound: int = SkimmerConfig.model_fields["cache_bytes"].default
    context = multiprocessing.get_context("spawn")
    for videos in [int(word) for word in sys.argv[1:]] or (200, 400):
        with tempfile.TemporaryDirectory() as folder:
            make(Path(folder), videos)
            for cache_bytes in (0, bound):
                with ProcessPoolExecutor(1, context) as alone:
                    peak_bytes, cpu_seconds = alone.submit(fit, Path(folder), cache_bytes).result()
                print(
                    f"{videos} videos, {min(cache_bytes, videos * VIDEO_BYTES) / 1e6:.0f} MB of "
                    f"{videos * VIDEO_BYTES / 1e6:.0f} MB kept: peak {peak_bytes / 1e6:.0f} MB, "
                    f"{cpu_seconds:.1f} s of CPU an epoch, start included",
                    flush=True,
                )


if __name__ == "__main__":
    main()
