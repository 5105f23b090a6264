"""From a fine-tuned student to the features of every moment of the target's videos."""

from pathlib import Path
from typing import Any

import numpy as np

from l2l.config import NOT_ACCELERATED, AccelerationConfig, FeaturesConfig, as_json
from l2l.errors import BadInput
from l2l.features.artifact import complete_root, write_features
from l2l.progress import counted


def extract_features(
    media: Path,
    mels: Path,
    student: Path,
    features: Path,
    config: FeaturesConfig,
    threads: int = 1,
    acceleration: AccelerationConfig = NOT_ACCELERATED,
) -> None:
    """Write the image, audio and fused features and the class scores of every moment of a shard's
    usable videos.

    Args:
        media: the shard's frames and sound.
        mels: the shard's spectrograms.
        student: the fine-tuned student.
        features: written: the shard's group in Zarr.
        config: the section `features`.
        threads: number of threads of PyTorch.
        acceleration: the section `acceleration`.

    Raises:
        BadInput: if the media or the mels are not those that the student was trained on, do not
            belong together, or a feature or score is not finite.
    """
    # imported here: complete_features, which runs on every change, does not wait for PyTorch
    from l2l.acceleration import to_channels_last
    from l2l.features.extract import extract_video_features
    from l2l.media.artifact import read_media
    from l2l.mels.artifact import read_mels
    from l2l.shards import check_videos
    from l2l.student.artifact import digest_of, load_student, media_of, mels_of
    from l2l.student.inference import StudentInference
    from l2l.training import seed_and_pick_device

    device = seed_and_pick_device(0, threads)
    network = load_student(student)
    provenance: dict[str, Any] = {
        "student": network.settings,
        "student_digest": digest_of(network),
        "features": as_json(config),
    }
    batch_moments = network.settings["config"]["batch_moments"]
    network = to_channels_last(network, device)
    describe = StudentInference(network, device, batch_moments, acceleration)
    rows = []
    with read_media(media) as shard_media, read_mels(mels) as shard_mels:
        if shard_mels.config != mels_of(network.settings):
            raise BadInput(
                f"{mels}: other settings of mels than those that {student} was trained on; run "
                "snakemake again"
            )
        if shard_media.config != media_of(network.settings):
            raise BadInput(
                f"{media}: other settings of media than those that {student} was trained on; run "
                "snakemake again"
            )
        check_videos(mels, shard_mels.videos, shard_media.videos)
        for video in counted(shard_media.videos, len(shard_media.videos)):
            moments = shard_media.moments(video)
            if shard_mels.moments(video) != moments:
                raise BadInput(
                    f"{mels}: {shard_mels.moments(video)} moments of {video!r}, {media} has "
                    f"{moments}"
                )
            frames = np.stack([shard_media.frame(video, k) for k in range(moments)])
            extracted = extract_video_features(
                describe, frames, shard_mels.mels(video), shard_mels.has_sound(video)
            )
            rows.append((video, extracted))
        listed = shard_media.listed
    write_features(
        features, rows, network.class_names, config.dtype, config.chunk_moments, provenance, listed
    )


def complete_features(shards: list[Path], features: Path) -> None:
    """Mark the features of a data set as complete, once those of every shard are there.

    Args:
        shards: the group of every shard.
        features: written: the ``zarr.json`` of the folder above them.

    Raises:
        BadInput: if a shard is missing, incomplete or damaged, or made with another student.
    """
    complete_root(features.parent, shards)
