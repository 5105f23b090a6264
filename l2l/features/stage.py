"""From a fine-tuned student to the features of every moment of the target's videos."""

from pathlib import Path
from typing import Any

import numpy as np

from l2l.config import FeaturesConfig, as_json
from l2l.errors import BadInput
from l2l.features.artifact import write_features
from l2l.features.extract import extract_video_features
from l2l.media.artifact import read_media
from l2l.mels.artifact import read_mels
from l2l.shards import check_videos
from l2l.student.artifact import digest_of, load_student, media_of, mels_of
from l2l.training import seed_and_pick_device, to_channels_last


def extract_features(
    media: Path, mels: Path, student: Path, features: Path, config: FeaturesConfig, threads: int = 1
) -> None:
    """Write the image, audio and fused feature and the class scores of every moment of a shard's
    usable videos.
    """
    device = seed_and_pick_device(0, threads)
    network = load_student(student)
    provenance: dict[str, Any] = {
        "student": network.settings,
        "student_digest": digest_of(network),
        "features": as_json(config),
    }
    network = to_channels_last(network, device)
    rows = []
    with read_media(media) as seen, read_mels(mels) as heard:
        if heard.config != mels_of(network.settings):
            raise BadInput(
                f"{mels}: not the spectrograms that {student} listens to; run snakemake again"
            )
        if seen.config != media_of(network.settings):
            raise BadInput(
                f"{media}: not the pictures that {student} looks at; run snakemake again"
            )
        check_videos(mels, heard.videos, seen.videos)
        for video in seen.videos:
            if heard.moments(video) != seen.moments(video):
                raise BadInput(
                    f"{mels}: {heard.moments(video)} moments of {video!r}, {media} has "
                    f"{seen.moments(video)}"
                )
            frames = np.stack([seen.frame(video, k) for k in range(seen.moments(video))])
            rows.append(
                (
                    video,
                    extract_video_features(
                        network, frames, heard.mels(video), heard.has_sound(video), device
                    ),
                )
            )
    write_features(
        features, rows, network.class_names, config.dtype, config.chunk_moments, provenance
    )
