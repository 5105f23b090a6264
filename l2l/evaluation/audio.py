"""Where sound helps: clips by how much nearer the image-audio descriptor comes to the teacher's
than the image descriptor.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float

from l2l.evaluation.clips import described_moments, student_answers
from l2l.media.artifact import MediaReader
from l2l.media.examples import Example
from l2l.mels.artifact import MelReader
from l2l.moments import start_seconds
from l2l.student.network import Student
from l2l.teacher.artifact import DescriptorReader


def distances(
    descriptors: Float[np.ndarray, "clips descriptor"],
    teachers: Float[np.ndarray, "clips descriptor"],
) -> Float[np.ndarray, " clips"]:
    """L1, the sum over a descriptor's numbers: what distillation makes small (paper, eq. 1)."""
    return np.abs(descriptors - teachers).sum(1)


def audio_rows(
    image: Student,
    image_audio: Student,
    examples: Sequence[Example],
    split: str,
    classes: Sequence[str],
    media: Mapping[str, MediaReader],
    mels: Mapping[str, MelReader],
    shards: Mapping[str, DescriptorReader],
    device: torch.device,
) -> list[dict[str, str]]:
    """A row a clip, those first that sound brings nearest.

    Args:
        image: the distilled student that only sees, on `device`.
        image_audio: the one that hears as well.
        examples: the clips.
        split: which they are of.
        classes: the names whose places are the examples' labels.
        media: each video's pictures.
        mels: each video's sound.
        shards: what the teacher says of each video.
        device: where the students are.
    """
    teachers, _ = described_moments(examples, shards)
    seen, heard = (
        distances(student_answers(s, examples, media, mels, device)[0], teachers)
        for s in (image, image_audio)
    )
    has_sound = {
        video: mels[video].has_sound(video) for video in {example.video for example in examples}
    }
    return [
        {
            "video": examples[i].video,
            "moment": str(examples[i].moment),
            "start_seconds": f"{float(start_seconds(examples[i].moment)):.3f}",
            "label": classes[examples[i].label],
            "split": split,
            "has_sound": "yes" if has_sound[examples[i].video][examples[i].moment] else "no",
            "image": f"{seen[i]:.4f}",
            "image_audio": f"{heard[i]:.4f}",
            "nearer": f"{seen[i] - heard[i]:.4f}",
        }
        for i in np.argsort(heard - seen, kind="stable")
    ]
