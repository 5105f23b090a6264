"""The teacher as a recogniser of the target's classes, from its descriptors and scores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from l2l.errors import BadInput
from l2l.manifest.artifact import Video
from l2l.media.examples import Example, labelled_moments
from l2l.teacher.artifact import ClipDescriptors, DescriptorReader

HEAD_DECAY = 1e-4  # of the squared weights of the linear head
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
    decay: float = HEAD_DECAY,
) -> nn.Linear:
    """Fit a linear classifier of descriptors: logistic regression from zero, so nothing is random.

    Channels are standardised while fitting; the returned classifier takes descriptors as they are.

    Args:
        descriptors: of the clips.
        labels: their classes.
        classes: number of classes.
        decay: of the squared weights of standardised channels, added to cross-entropy.
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
        loss = loss + decay * head.weight.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    with torch.no_grad():
        head.weight.div_(spread)
        head.bias.sub_(head.weight @ mean)
    return head.float()


@dataclass(frozen=True)
class Recogniser:
    """Class scores of clips from what the teacher says of them: by its own classifier, of which it
    takes the target's classes, or by a linear head.

    Attributes:
        places: of the target's classes among the teacher's, where it knows them all.
        head: fit on descriptors, where it does not.
    """

    places: tuple[int, ...] = ()
    head: nn.Linear | None = None

    def probabilities(self, described: ClipDescriptors) -> Float[np.ndarray, "clips classes"]:
        """Probabilities of the target's classes, float64."""
        if self.head is None:
            scores = torch.from_numpy(described.scores[:, list(self.places)].astype(np.float32))
        else:
            with torch.inference_mode():
                scores = self.head(torch.from_numpy(described.descriptors.astype(np.float32)))
        return scores.double().softmax(1).numpy()


def recogniser_of(
    videos: Sequence[Video],
    classes: Sequence[str],
    shards: Mapping[str, DescriptorReader],
) -> Recogniser:
    """The recogniser of a target: the teacher's own classifier where that knows every class by
    name, and then only the scores of these; else a linear head, fit on the teacher's descriptors
    of the labelled moments of the training videos.

    Args:
        videos: of the target.
        classes: of the target, in the order of the scores.
        shards: the teacher's descriptors of all moments of each video.

    Raises:
        BadInput: if the descriptors are of several teachers, or there are no labelled training
            moments to fit a head on.
    """
    names = {tuple(reader.class_names) for reader in shards.values()}
    if len(names) != 1:
        raise BadInput(
            f"the teacher's descriptors of the target: found {len(names)} lists of class names, "
            "expected one; run snakemake again"
        )
    known = {name: i for i, name in enumerate(names.pop())}
    if all(name in known for name in classes):
        return Recogniser(places=tuple(known[name] for name in classes))
    counts = {video: reader.moments(video) for video, reader in shards.items()}
    train = labelled_moments(videos, counts, classes, "train")
    if not train:
        raise BadInput(
            "the teacher knows other classes than the target's, and there are no labelled training "
            "moments to fit a classifier on"
        )
    labels = np.array([example.label for example in train])
    return Recogniser(head=fit_head(described_moments(train, shards)[0], labels, len(classes)))


def recognised(
    video: str, shards: Mapping[str, DescriptorReader], recogniser: Recogniser
) -> Float[np.ndarray, "moments classes"]:
    """Class probabilities of every moment of a video.

    Raises:
        BadInput: if the teacher has not described the video, or not all of its moments.
    """
    if video not in shards:
        raise BadInput(f"the teacher's descriptors have no video {video!r}; run snakemake again")
    described = shards[video].described(video)
    count = len(described.moments)
    if described.moments.tolist() != list(range(count)):
        raise BadInput(
            f"video {video!r}: found the teacher's descriptors of {count} moments that are not the "
            "first ones, expected those of all moments; run snakemake again"
        )
    return recogniser.probabilities(described)
