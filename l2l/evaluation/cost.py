"""What a call costs: multiply-accumulates, counted on the calls really made and never typed in.

The literature's "GFLOPs" are multiply-accumulates; PyTorch's counter counts two operations for
each. As there, matrix products and convolutions count; sums, activations and norms do not.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from l2l.config import FeatureName
from l2l.mels.spectrogram import mel_shape
from l2l.skimmer.artifact import Model, TrainedSkimmer
from l2l.student.artifact import mels_of
from l2l.student.network import Modality, Student
from l2l.teacher.artifact import load_teacher_network


def _lstm_flops(
    x: torch.Size, to_input: torch.Size, to_hidden: torch.Size, *_: Any, **__: Any
) -> int:
    """Of one LSTM layer over (time, videos, channel).

    OneDNN does it in one operation that PyTorch's counter does not know.
    """
    return 2 * x[0] * x[1] * (to_input.numel() + to_hidden.numel())


def count_macs(call: Callable[[], object]) -> int:
    """Multiply-accumulates of the matrix products, convolutions and LSTM layers that a call on the
    CPU does.
    """
    known = {torch.ops.aten.mkldnn_rnn_layer: _lstm_flops}
    with torch.inference_mode(), FlopCounterMode(display=False, custom_mapping=known) as counter:
        call()
    return counter.get_total_flops() // 2


def example_moment(student: Student) -> tuple[Tensor, Tensor, Tensor]:
    """A frame, a mel and whether it has sound, of the sizes a student takes.

    A batch of one moment of zeros.
    """
    pixels = student.settings["frame_pixels"]
    mel = torch.zeros(1, *mel_shape(mels_of(student.settings)))
    return torch.zeros(1, 3, pixels, pixels), mel, torch.ones(1, dtype=torch.bool)


def pair_macs(student: Student) -> int:
    """Multiply-accumulates of a student on a moment, from its frame and mel to its class scores."""
    return count_macs(lambda: student(*example_moment(student)))


def moment_macs(student: Student, names: Collection[FeatureName], clip_macs: int = 0) -> int:
    """Multiply-accumulates of one moment's features of these names, from its frame and its mel;
    each stream is called once.

    Args:
        student: that makes them, on the CPU.
        names: of features; `fused` needs all streams of the student, and Psi.
        clip_macs: of the teacher's descriptor of one clip, where `teacher` is among the names.
    """
    frame, mel, _ = example_moment(student)
    needed = {*student.modalities} if "fused" in names else {*names} & {*student.modalities}
    calls: dict[Modality, Callable[[], Tensor]] = {
        "image": lambda: student.image(frame),
        "audio": lambda: student.audio(mel),
    }
    streams = sum(count_macs(calls[m]) for m in calls if m in needed)
    joined = torch.zeros(1, student.fusion.fc1.in_features)
    psi = count_macs(lambda: student.fusion(joined)) if "fused" in names else 0
    return streams + psi + (clip_macs if "teacher" in names else 0)


def descriptor_macs(teacher: Path) -> int:
    """Multiply-accumulates of a teacher's descriptor of one clip."""
    network, settings = load_teacher_network(teacher)
    clip = torch.zeros(
        1, 3, settings["clip_frames"], settings["frame_pixels"], settings["frame_pixels"]
    )
    return count_macs(lambda: network.describe(clip))


class Prices:
    """What each part of recognising a video costs, counted once on zeros of the real sizes, on the
    CPU.

    A moment costs the same with and without sound: the student computes both streams of every
        moment.

    Attributes:
        features_macs: of the image and the audio feature of one moment.
        scores_macs: of Psi and the classifier on one moment's features.
    """

    def __init__(self, student: Student, fitted: Mapping[Model, TrainedSkimmer]) -> None:
        moment = example_moment(student)
        with torch.inference_mode():
            self._moment = student.features(*moment)
        self._fitted = fitted
        self.features_macs = count_macs(lambda: student.features(*moment))
        self.scores_macs = count_macs(lambda: student.classifier(student.fuse(self._moment)))
        self.network_macs = lru_cache(maxsize=None)(self._network_macs)

    def _network_macs(self, model: Model, moments: int, steps: int | None = None) -> int:
        """Of one fitted network on the features of a whole video of so many moments, Psi included;
        in all steps or in fewer.
        """
        features: dict[FeatureName, Tensor] = {
            m: x.new_zeros(1, moments, x.shape[1]) for m, x in self._moment.items()
        }
        fitted = replace(self._fitted[model], steps=steps or self._fitted[model].steps)
        return count_macs(lambda: fitted.scores(features, torch.ones(1, moments, dtype=torch.bool)))
