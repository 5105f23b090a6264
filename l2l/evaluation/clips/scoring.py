"""Class scores of single clips: the teacher reads whole clips, a student a frame and its sound."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float

from l2l.errors import BadInput
from l2l.evaluation.measures.probabilities import check_finite
from l2l.media.artifact import MediaReader
from l2l.media.examples import Example
from l2l.mels.artifact import MelReader
from l2l.mels.spectrogram import floor_of
from l2l.progress import counted
from l2l.student.artifact import mels_of
from l2l.student.network import Student
from l2l.teacher.inference import for_inference
from l2l.teacher.network import AnyTeacher, as_input

BATCH_CLIPS = 16  # that a teacher describes at a time; changes no number that matters


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


def teacher_outputs(
    teacher: AnyTeacher,
    examples: Sequence[Example],
    media: Mapping[str, MediaReader],
    device: torch.device,
) -> Float[np.ndarray, "clips classes"]:
    """A teacher's class scores (logits) of the stored clip of each example.

    Args:
        teacher: a video network, in evaluation mode.
        examples: the moments.
        media: with the clips of each video.
        device: where it computes.

    Raises:
        BadInput: naming the video, if its clips are not stored.
    """
    for video in {example.video for example in examples}:
        if not media[video].clips_stored:
            raise BadInput(
                f"video {video!r}: found the first frame of each moment, expected whole clips for "
                "the fine-tuned teacher; rerun decode_videos with teacher.finetune"
            )
    outputs = for_inference(teacher, device, batch_clips=BATCH_CLIPS)
    scores = []
    batches = range(0, len(examples), BATCH_CLIPS)
    with torch.inference_mode():
        for first in counted(batches, len(batches), "batches of clips"):
            batch = examples[first : first + BATCH_CLIPS]
            clips = np.stack([media[each.video].clip(each.video, each.moment) for each in batch])
            _, score = outputs(as_input(torch.from_numpy(clips).to(device), teacher.network))
            scores.append(score.cpu().numpy())
    return np.concatenate(scores)
