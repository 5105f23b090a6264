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
DECAYS = tuple(10.0**exponent for exponent in range(-4, 2))  # the first is the teacher's head's


class Track(NamedTuple):
    """What is heard in a video: (moments, channel) float32, the number of its class, and the
    moments of its event.
    """

    heard: np.ndarray
    label: int
    inside: list[int]


def bars(train: list[Track], val: list[Track], test: list[Track]) -> dict[str, float]:
    """The share of the test videos that each way answers right, and how often the surest moment
    lies in the event.

    `trimmed` is fit on the moments inside the events of the train videos, `whole` on the mean
    feature of each whole train video. The weight decay of each is the one of `DECAYS` with which
    the same classifier is right about the most val videos: `trimmed` by their surest moments,
    `whole` by their means.
    """
    classes = 1 + max(track.label for track in train)
    inside = [track.heard[track.inside] for track in train]
    labels = np.array([track.label for track in train])
    of_moments = np.concatenate(inside), np.repeat(labels, list(map(len, inside))), classes
    of_videos = np.stack([track.heard.mean(0) for track in train]), labels, classes
    trimmed = max(
        (fit_head(*of_moments, decay) for decay in DECAYS),
        key=lambda head: sum(_surest(head, track)[1] == track.label for track in val),
    )
    whole = max(
        (fit_head(*of_videos, decay) for decay in DECAYS),
        key=lambda head: sum(_by_mean(head, track) == track.label for track in val),
    )
    by_video = [_answers(trimmed, whole, track) for track in test]
    return {name: float(np.mean([each[name] for each in by_video])) for name in by_video[0]}


def _answers(trimmed: nn.Linear, whole: nn.Linear, track: Track) -> dict[str, bool]:
    """Whether each way is right about a video."""
    by_moment = _probabilities(trimmed, track.heard)
    surest, _ = _surest(trimmed, track)
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
    right["whole: mean feature of the video"] = _by_mean(whole, track) == track.label
    return right | {"surest moment of trimmed lies in the event": surest in track.inside}


def _surest(head: nn.Linear, track: Track) -> tuple[int, int]:
    """The moment with the largest probability of any class, and that class."""
    by_moment = _probabilities(head, track.heard)
    moment = int(by_moment.max(1).argmax())
    return moment, int(by_moment[moment].argmax())


def _by_mean(head: nn.Linear, track: Track) -> int:
    """The class of the mean feature of a video."""
    return int(_probabilities(head, track.heard.mean(0, keepdims=True))[0].argmax())


def _probabilities(head: nn.Linear, heard: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return head(torch.from_numpy(heard)).double().softmax(1).numpy()
