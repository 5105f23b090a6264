"""The stores of a shard that are kept on request: media, mels and features of every moment, as the
stages of a run write them.
"""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from l2l.apply.networks import Networks
from l2l.apply.predictor import Answer
from l2l.config import FeaturesConfig, as_json
from l2l.features.artifact import VideoFeatures, write_features
from l2l.manifest.artifact import Video
from l2l.media.artifact import write_media
from l2l.mels.artifact import write_mels
from l2l.mels.spectrogram import mel_shape

Keep = Callable[[Video, Answer], None]


@contextlib.contextmanager
def kept_stores(
    networks: Networks,
    config: FeaturesConfig,
    media: Path | None,
    mels: Path | None,
    features: Path | None,
) -> Iterator[Keep]:
    """Give a function that takes the videos of a shard one by one, with their answers; the stores
    that have a path are there, whole, when the block ends without an error.

    Media are written as they come; mels and features are held in memory till then.
    """
    spectrograms: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    described: list[tuple[str, VideoFeatures]] = []
    videos: list[Video] = []
    with contextlib.ExitStack() as stack:
        writer = None
        if media is not None:
            writer = stack.enter_context(write_media(media, networks.media, clips_stored=False))

        def keep(video: Video, answer: Answer) -> None:
            read = answer.read
            videos.append(video)
            if writer is not None:
                if read.decoded is None:
                    writer.add_unusable(video, read.status, read.reason)
                else:
                    writer.add(video, read.decoded)
            if mels is not None and read.moments:
                spectrograms[video.video] = (read.mels.astype(np.float16), read.has_sound)
            if features is not None and read.moments:
                described.append((video.video, answer.features))

        yield keep
    if mels is not None:
        write_mels(mels, spectrograms, networks.mels, mel_shape(networks.mels), videos)
    if features is not None:
        provenance = {
            "student": networks.settings,
            "student_digest": networks.student_digest,
            "features": as_json(config),
        }
        write_features(
            features,
            described,
            networks.class_names,
            config.dtype,
            config.chunk_moments,
            provenance,
            videos,
        )
