"""Class scores of single clips: the teacher reads whole clips, a student a frame and its sound."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float

from l2l.evaluation.measures.probabilities import check_finite
from l2l.media.artifact import MediaReader
from l2l.media.examples import Example
from l2l.mels.artifact import MelReader
from l2l.student.artifact import mels_of
from l2l.student.network import Student, frame_input, mel_input


def student_outputs(
    student: Student,
    examples: Sequence[Example],
    media: Mapping[str, MediaReader],
    mels: Mapping[str, MelReader],
    device: torch.device,
) -> tuple[Float[np.ndarray, "moments descriptor"], Float[np.ndarray, "moments classes"]]:
    """A student's descriptor and class scores (logits) of each example.

    Args:
        student: on `device`, in evaluation mode.
        examples: the moments.
        media: pictures of each video.
        mels: sound of each video.
        device: where the student is.
    """
    size, floor = student.settings["config"]["batch_moments"], mels_of(student.settings).floor
    descriptors, scores = [], []
    with torch.inference_mode():
        for first in range(0, len(examples), size):
            batch = examples[first : first + size]
            frames = np.stack([media[e.video].frame(e.video, e.moment) for e in batch])
            sounds = np.stack([mels[e.video].mel(e.video, e.moment) for e in batch])
            flags = np.array([mels[e.video].has_sound(e.video)[e.moment] for e in batch])
            frame = frame_input(torch.from_numpy(frames).to(device))
            mel = mel_input(torch.from_numpy(sounds).to(device), floor)
            descriptor, score = student(frame, mel, torch.from_numpy(flags).to(device))
            descriptors.append(descriptor.cpu().numpy())
            scores.append(score.cpu().numpy())
    outputs = np.concatenate(descriptors), np.concatenate(scores)
    for values, name in zip(outputs, ("descriptors", "class scores"), strict=True):
        check_finite(values, f"{name} of the {'-'.join(student.modalities)} student")
    return outputs
