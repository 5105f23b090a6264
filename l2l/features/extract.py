"""What a student makes of the moments of one video."""

import numpy as np
import torch

from l2l.features.artifact import VideoFeatures
from l2l.mels.spectrogram import floor_of
from l2l.student.artifact import mels_of
from l2l.student.network import Student


def extract_video_features(
    student: Student,
    frames: np.ndarray,
    mels: np.ndarray,
    has_sound: np.ndarray,
    device: torch.device,
) -> VideoFeatures:
    """What a student makes of some moments of one video.

    Args:
        student: in evaluation mode, on `device`.
        frames: (moments, side, side, 3) uint8.
        mels: (moments, windows, bands) float32.
        has_sound: (moments,) bool.
        device: where to compute.
    """
    size, floor = student.settings["config"]["batch_moments"], floor_of(mels_of(student.settings))
    parts: list[tuple[torch.Tensor, ...]] = []
    with torch.inference_mode():
        for i in range(0, len(frames), size):
            frame_batch, mel_batch, flags = (
                torch.from_numpy(each[i : i + size]).to(device)
                for each in (frames, mels, has_sound)
            )
            features = student.features(*student.inputs(frame_batch, mel_batch, floor), flags)
            fused = student.fuse(features)
            parts.append(
                (*(features[m] for m in student.modalities), fused, student.classifier(fused))
            )
    *streams, descriptors, scores = (
        torch.cat(part).cpu().numpy() for part in zip(*parts, strict=True)
    )
    return VideoFeatures(
        dict(zip(student.modalities, streams, strict=True)), descriptors, scores, has_sound
    )
