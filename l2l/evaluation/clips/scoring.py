"""Class scores of single clips: the teacher reads whole clips, a student a frame and its sound."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float

from l2l.evaluation.measures.probabilities import check_finite
from l2l.media.artifact import MediaReader
from l2l.media.examples import Example
from l2l.mels.artifact import MelReader
from l2l.mels.spectrogram import floor_of
from l2l.progress import counted
from l2l.student.artifact import mels_of
from l2l.student.network import Student


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
    size, floor = student.settings["config"]["batch_moments"], floor_of(mels_of(student.settings))
    descriptors, scores = [], []
    batches = range(0, len(examples), size)
    with torch.inference_mode():
        for first in counted(batches, len(batches), "batches of moments"):
            batch = examples[first : first + size]
            frames = np.stack([media[e.video].frame(e.video, e.moment) for e in batch])
            sounds = np.stack([mels[e.video].mel(e.video, e.moment) for e in batch])
            flags = np.array([mels[e.video].has_sound(e.video)[e.moment] for e in batch])
            frame, mel, sounding = (
                torch.from_numpy(each).to(device) for each in (frames, sounds, flags)
            )
            descriptor, score = student(*student.inputs(frame, mel, floor), sounding)
            descriptors.append(descriptor.cpu().numpy())
            scores.append(score.cpu().numpy())
    outputs = np.concatenate(descriptors), np.concatenate(scores)
    for values, name in zip(outputs, ("descriptors", "class scores"), strict=True):
        check_finite(values, f"{name} of the {'-'.join(student.modalities)} student")
    return outputs
