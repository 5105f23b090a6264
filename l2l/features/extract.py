"""What a student makes of the moments of one video."""

import numpy as np
import torch

from l2l.features.artifact import VideoFeatures
from l2l.student.inference import StudentInference


def extract_video_features(
    student: StudentInference, frames: np.ndarray, mels: np.ndarray, has_sound: np.ndarray
) -> VideoFeatures:
    """What a student makes of some moments of one video.

    Args:
        student: loaded, on its device.
        frames: (moments, side, side, 3) uint8.
        mels: (moments, windows, bands) float32.
        has_sound: (moments,) bool.
    """
    size = student.batch_moments
    parts = [
        student(frames[i : i + size], mels[i : i + size], has_sound[i : i + size])
        for i in range(0, len(frames), size)
    ]
    *streams, descriptors, scores = (
        torch.cat(part).cpu().numpy() for part in zip(*parts, strict=True)
    )
    return VideoFeatures(
        dict(zip(student.modalities, streams, strict=True)), descriptors, scores, has_sound
    )
