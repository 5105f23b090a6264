"""From a fine-tuned student to the features of every moment of the target's videos."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from l2l.config import Features as FeaturesConfig
from l2l.config import as_json
from l2l.errors import BadInput
from l2l.features.artifact import VideoFeatures, complete_root, write_features
from l2l.fitting import prepare
from l2l.media.artifact import read_media
from l2l.mels.artifact import read_mels
from l2l.student.artifact import load_student, mels_of
from l2l.student.network import Student, frame_input, mel_input


def look_and_listen(
    student: Student, frames: np.ndarray, mels: np.ndarray, has_sound: np.ndarray, device: torch.device
) -> VideoFeatures:
    """What a student makes of some moments of one video.

    Args:
        student: in evaluation mode, on `device`.
        frames: (moments, side, side, 3) uint8.
        mels: (moments, windows, bands) float32.
        has_sound: (moments,) bool.
        device: where to compute.
    """
    size, floor = student.settings["config"]["batch_moments"], mels_of(student.settings).floor
    parts: list[tuple[torch.Tensor, ...]] = []
    with torch.inference_mode():
        for i in range(0, len(frames), size):
            seen = frame_input(torch.from_numpy(frames[i : i + size]).to(device))
            heard = mel_input(torch.from_numpy(mels[i : i + size]).to(device), floor)
            features = student.features(seen, heard, torch.from_numpy(has_sound[i : i + size]).to(device))
            fused = student.fuse(features)
            parts.append((*(features[m] for m in student.modalities), fused, student.classifier(fused)))
    *streams, fused, scores = (torch.cat(part).cpu().numpy() for part in zip(*parts, strict=True))
    return VideoFeatures(dict(zip(student.modalities, streams, strict=True)), fused, scores, has_sound)


def extract_features(media: Path, mels: Path, student: Path, features: Path, config: FeaturesConfig, threads: int = 1) -> None:
    """Write the image, audio and fused feature and the class scores of every moment of a shard's usable videos."""
    device = prepare(0, threads)
    network = load_student(student).to(device, memory_format=torch.channels_last)
    rows = []
    with read_media(media) as seen, read_mels(mels) as heard:
        if heard.config != mels_of(network.settings):
            raise BadInput(f"{mels}: not the spectrograms that {student} listens to; run snakemake again")
        for video in seen.videos:
            frames = np.stack([seen.frame(video, k) for k in range(seen.moments(video))])
            rows.append((video, look_and_listen(network, frames, heard.mels(video), heard.has_sound(video), device)))
    provenance: dict[str, Any] = {"student": network.settings, "features": as_json(config)}
    write_features(features, rows, network.class_names, config.dtype, config.chunk_moments, provenance)


def complete_features(shards: list[Path], features: Path) -> None:
    """Write the mark that all shards of a data set are there: `features` is the ``zarr.json`` of the folder above them."""
    complete_root(features.parent, shards)
