"""How well single clips are recognised.

The teacher on whole clips, the students on a frame and its sound.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from l2l.errors import BadInput
from l2l.media.artifact import MediaReader
from l2l.media.examples import Example
from l2l.mels.artifact import MelReader
from l2l.student.artifact import mels_of
from l2l.student.network import Student, frame_input, mel_input
from l2l.teacher.artifact import ClipDescriptors, DescriptorReader

HEAD_DECAY = 1e-4  # of the squares of the teacher's linear head, beside its mean cross-entropy
HEAD_STEPS = 200  # of L-BFGS at most


def described_moments(
    examples: Sequence[Example], shards: Mapping[str, DescriptorReader]
) -> tuple[np.ndarray, np.ndarray]:
    """What the teacher says of each example: descriptors (clips, descriptor) and class scores
    (clips, classes), float32.

    Raises:
        BadInput: naming the video, if the teacher was not asked about one of the moments.
    """
    known: dict[str, tuple[ClipDescriptors, dict[int, int]]] = {}
    descriptors, scores = [], []
    for example in examples:
        if example.video not in known:
            if example.video not in shards:
                raise BadInput(
                    f"the teacher's descriptors have no video {example.video!r}; run snakemake "
                    "again"
                )
            described = shards[example.video].described(example.video)
            known[example.video] = (
                described,
                {int(moment): row for row, moment in enumerate(described.moments)},
            )
        described, row_of = known[example.video]
        if example.moment not in row_of:
            raise BadInput(
                f"the teacher's descriptors lack moment {example.moment} of video "
                f"{example.video!r}; run snakemake again"
            )
        descriptors.append(described.descriptors[row_of[example.moment]])
        scores.append(described.scores[row_of[example.moment]])
    return np.array(descriptors, np.float32), np.array(scores, np.float32)


def fit_head(
    descriptors: Float[np.ndarray, "clips descriptor"],
    labels: Int[np.ndarray, " clips"],
    classes: int,
) -> nn.Linear:
    """A linear classifier of descriptors that are not fitted themselves: logistic regression, from
    zero, so nothing is drawn.

    Channels are scaled by their mean and spread while fitting; the classifier that is returned
    takes them as they are.
    """
    x, y = torch.from_numpy(descriptors).double(), torch.from_numpy(labels)
    mean, spread = x.mean(0), x.std(0, correction=0).clamp_min(1e-6)
    head = nn.Linear(x.shape[1], classes, dtype=torch.double)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    optimizer = torch.optim.LBFGS(
        head.parameters(), max_iter=HEAD_STEPS, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = (
            F.cross_entropy(head((x - mean) / spread), y) + HEAD_DECAY * head.weight.square().sum()
        )
        loss.backward()
        return loss

    optimizer.step(closure)
    with torch.no_grad():
        head.weight.div_(spread)
        head.bias.sub_(head.weight @ mean)
    return head.float()


def student_answers(
    student: Student,
    examples: Sequence[Example],
    media: Mapping[str, MediaReader],
    mels: Mapping[str, MelReader],
    device: torch.device,
) -> tuple[Float[np.ndarray, "moments descriptor"], Float[np.ndarray, "moments classes"]]:
    """A student's descriptor and class scores (logits) of each example.

    The student is on `device`, in evaluation mode.
    """
    size, floor = student.settings["config"]["batch_moments"], mels_of(student.settings).floor
    descriptors, scores = [], []
    with torch.inference_mode():
        for first in range(0, len(examples), size):
            batch = examples[first : first + size]
            frames = np.stack([media[e.video].frame(e.video, e.moment) for e in batch])
            heard = np.stack([mels[e.video].mel(e.video, e.moment) for e in batch])
            has_sound = np.array([mels[e.video].has_sound(e.video)[e.moment] for e in batch])
            seen, sounds, flags = (
                torch.from_numpy(x).to(device) for x in (frames, heard, has_sound)
            )
            descriptor, score = student(frame_input(seen), mel_input(sounds, floor), flags)
            descriptors.append(descriptor.cpu().numpy())
            scores.append(score.cpu().numpy())
    return np.concatenate(descriptors), np.concatenate(scores)


def student_scores(
    student: Student,
    examples: Sequence[Example],
    media: Mapping[str, MediaReader],
    mels: Mapping[str, MelReader],
    device: torch.device,
) -> Float[np.ndarray, "moments classes"]:
    """The scores alone of `student_answers`."""
    return student_answers(student, examples, media, mels, device)[1]
