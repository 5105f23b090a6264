"""What there is to reach on videos whose events are known, by linear classifiers of what is heard
in each moment; `listen_first.py` prints it.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from l2l.evaluation.videos.methods import uniform
from l2l.teacher.head import fit_head

UNIFORM_MOMENTS = 8


class Track(NamedTuple):
    """What is heard in a video: (moments, channel) float32, the number of its class, and the
    moments of its event.
    """

    heard: np.ndarray
    label: int
    inside: list[int]


def bars(train: list[Track], test: list[Track]) -> dict[str, float]:
    """The share of the test videos that each way answers right, and how often the surest moment
    lies in the event.

    `trimmed` is fit on the moments inside the events of the train videos, `whole` on the mean
    feature of each whole train video.
    """
    classes = 1 + max(track.label for track in train)
    inside = [track.heard[track.inside] for track in train]
    labels = np.array([track.label for track in train])
    trimmed = fit_head(np.concatenate(inside), np.repeat(labels, list(map(len, inside))), classes)
    whole = fit_head(np.stack([track.heard.mean(0) for track in train]), labels, classes)
    by_video = [_answers(trimmed, whole, track) for track in test]
    return {name: float(np.mean([each[name] for each in by_video])) for name in by_video[0]}


def _answers(trimmed: nn.Linear, whole: nn.Linear, track: Track) -> dict[str, bool]:
    """Whether each way is right about a video."""
    by_moment = _probabilities(trimmed, track.heard)
    surest = int(by_moment.max(1).argmax())
    moments = {
        "trimmed: surest moment": [surest],
        "trimmed: mean of all moments": list(range(len(by_moment))),
        "trimmed: mean of 8 evenly spaced": uniform(len(by_moment), UNIFORM_MOMENTS),
        "trimmed: mean of the moments in the event": track.inside,
    }
    right = {
        name: bool(by_moment[chosen].mean(0).argmax() == track.label)
        for name, chosen in moments.items()
    }
    mean = _probabilities(whole, track.heard.mean(0, keepdims=True))[0]
    right["whole: mean feature of the video"] = bool(mean.argmax() == track.label)
    return right | {"surest moment of trimmed lies in the event": surest in track.inside}


def _probabilities(head: nn.Linear, heard: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return head(torch.from_numpy(heard)).double().softmax(1).numpy()
