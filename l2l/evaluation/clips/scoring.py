"""Class scores of single clips: the teacher reads whole clips, a student a frame and its sound."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from l2l.errors import BadInput
from l2l.evaluation.measures.probabilities import check_finite
from l2l.media.artifact import MediaReader
from l2l.media.examples import Example
from l2l.mels.artifact import MelReader
from l2l.student.artifact import mels_of
from l2l.student.network import Student, frame_input, mel_input
from l2l.teacher.artifact import ClipDescriptors, DescriptorReader

HEAD_DECAY = 1e-4  # of the squared weights of the teacher's linear head, added to cross-entropy
HEAD_STEPS = 200  # of L-BFGS at most


def described_moments(
    examples: Sequence[Example], shards: Mapping[str, DescriptorReader]
) -> tuple[Float[np.ndarray, "clips descriptor"], Float[np.ndarray, "clips classes"]]:
    """The teacher's descriptor and class scores (logits) of each example, float32.

    Raises:
        BadInput: naming the video, if the teacher has not described one of the moments.
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
            rows = {int(moment): row for row, moment in enumerate(described.moments)}
            known[example.video] = described, rows
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
    """Fit a linear classifier of descriptors: logistic regression from zero, so nothing is random.

    Channels are standardised while fitting; the returned classifier takes descriptors as they are.
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
        loss = F.cross_entropy(head((x - mean) / spread), y)
        loss = loss + HEAD_DECAY * head.weight.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    with torch.no_grad():
        head.weight.div_(spread)
        head.bias.sub_(head.weight @ mean)
    return head.float()


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
