"""Where sound helps: how much closer the image-audio descriptor is to the teacher's."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float

from l2l.evaluation.clips.scoring import student_outputs
from l2l.media.artifact import MediaReader
from l2l.media.examples import Example
from l2l.mels.artifact import MelReader
from l2l.moments import start_seconds
from l2l.student.network import Student
from l2l.teacher.artifact import DescriptorReader
from l2l.teacher.head import described_moments


def l1_distances(
    descriptors: Float[np.ndarray, "clips descriptor"],
    teacher: Float[np.ndarray, "clips descriptor"],
) -> Float[np.ndarray, " clips"]:
    """The sum of absolute differences, which distillation minimises (paper, eq. 3)."""
    return np.abs(descriptors - teacher).sum(1)


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
    """One row per clip, the largest gain by sound first.

    Args:
        image: the distilled student that only sees, on `device`.
        image_audio: the distilled student that sees and hears, on `device`.
        examples: the clips.
        split: of the clips.
        classes: names, indexed by the examples' labels.
        media: pictures of each video.
        mels: sound of each video.
        shards: the teacher's descriptors of each video.
        device: where the students are.
    """
    teacher, _ = described_moments(examples, shards)
    seeing, _ = student_outputs(image, examples, media, mels, device)
    hearing, _ = student_outputs(image_audio, examples, media, mels, device)
    image_l1, image_audio_l1 = l1_distances(seeing, teacher), l1_distances(hearing, teacher)
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
            "image": f"{image_l1[i]:.4f}",
            "image_audio": f"{image_audio_l1[i]:.4f}",
            "l1_gain": f"{image_l1[i] - image_audio_l1[i]:.4f}",
        }
        for i in np.argsort(image_audio_l1 - image_l1, kind="stable")
    ]
