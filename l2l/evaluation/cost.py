"""What a call costs: multiply-accumulates, counted on the calls that are really made.

The literature's "GFLOPs" are multiply-accumulates; PyTorch's counter counts two operations for
each. As in the literature, matrix products and convolutions count; sums, activations and norms do
not.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from l2l.config import FeatureName
from l2l.mels.spectrogram import floor_of, mel_shape
from l2l.skimmer.artifact import TrainedSkimmer
from l2l.skimmer.early_exit import EarlyExit
from l2l.skimmer.network import Skimmer, SkimmerOutput, joint_weights
from l2l.skimmer.one_look import OneLook
from l2l.student.artifact import mels_of
from l2l.student.network import Modality, Student
from l2l.teacher.artifact import load_teacher_network
from l2l.teacher.network import example_clip


def _lstm_flops(
    x: torch.Size, to_input: torch.Size, to_hidden: torch.Size, *_: Any, **__: Any
) -> int:
    """Operations of one LSTM layer over (time, videos, channel).

    oneDNN runs the layer as one operation, which PyTorch's counter does not know.
    """
    return 2 * x[0] * x[1] * (to_input.numel() + to_hidden.numel())


def count_macs(call: Callable[[], object]) -> int:
    """Multiply-accumulates of the matrix products, convolutions and LSTM layers of a call on the
    CPU.
    """
    custom = {torch.ops.aten.mkldnn_rnn_layer: _lstm_flops}
    with torch.inference_mode(), FlopCounterMode(display=False, custom_mapping=custom) as counter:
        call()
    return counter.get_total_flops() // 2


def example_moment(student: Student) -> tuple[Tensor, Tensor, Tensor]:
    """A batch of one moment, a black frame and a mel of zeros, as a student's networks take it.

    Returns:
        The frame, the mel, and whether the moment has sound.
    """
    pixels, mels = student.settings["frame_pixels"], mels_of(student.settings)
    frame = torch.zeros(1, pixels, pixels, 3, dtype=torch.uint8)
    inputs = student.inputs(frame, torch.zeros(1, *mel_shape(mels)), floor_of(mels))
    return *inputs, torch.ones(1, dtype=torch.bool)


def student_macs(student: Student) -> int:
    """Multiply-accumulates of a student on one moment, from its frame and mel to class scores."""
    return count_macs(lambda: student(*example_moment(student)))


def descriptor_macs(teacher: Path) -> int:
    """Multiply-accumulates of a teacher's descriptor of one clip."""
    network, settings = load_teacher_network(teacher)
    clip = example_clip(network, settings["clip_frames"], settings["frame_pixels"])
    return count_macs(lambda: network.describe(*clip))


class VideoCost(NamedTuple):
    """The cost of one method's prediction for one video.

    Attributes:
        macs: all multiply-accumulates.
        index_macs: the share of `macs` that computes features (for SCSampler: scores) of all
            moments that are read, to decide which moments count.
        moments: number of moments whose features are computed; for a skimmer, number of moments
            whose recognition features are computed.
    """

    macs: int
    index_macs: int
    moments: int


class CostModel:
    """What each step of recognising a video costs, counted on zeros of the real sizes, on the CPU.

    A moment costs the same with and without sound: the student computes both streams of every
    moment.

    Args:
        student: the network that makes the features, on the CPU.
        clip_macs: multiply-accumulates of the teacher's descriptor of one clip, for skimmers that
            read it.
    """

    def __init__(self, student: Student, clip_macs: int = 0) -> None:
        self._student, self._clip_macs = student, clip_macs
        with torch.inference_mode():
            self._moment = student.features(*example_moment(student))
        self.moment_macs = lru_cache(maxsize=None)(self._moment_macs)
        self.network_macs = lru_cache(maxsize=None)(self._network_macs)

    @property
    def sees(self) -> bool:
        """Whether the student looks at frames."""
        return "image" in self._student.modalities

    @cached_property
    def scores_macs(self) -> int:
        """Multiply-accumulates of Psi and the classifier on one moment's features."""
        student = self._student
        return count_macs(lambda: student.classifier(student.fuse(self._moment)))

    def averaging(self, moments: int, indexed: int = 0) -> VideoCost:
        """Cost of averaging the student's class probabilities.

        Args:
            moments: number of moments whose class scores are computed.
            indexed: how many of them are computed to decide which moments are averaged.
        """
        scored = self.moment_macs(self._student.modalities) + self.scores_macs
        return VideoCost(moments * scored, indexed * scored, moments)

    def network(
        self,
        trained: TrainedSkimmer,
        moments: int,
        factor: int = 1,
        output: SkimmerOutput | None = None,
        unaggregated: bool = False,
        read: int | None = None,
    ) -> VideoCost:
        """Cost of a trained network's prediction for one video.

        Args:
            trained: the network.
            moments: number of moments of the video.
            factor: features are computed of one moment in `factor`.
            output: the skimmer's output for the video (a batch of one). Only a variant that
                classifies selected moments alone needs it: their recognition features are computed
                once, however often a moment is selected.
            unaggregated: whether the skimmer reads selected moments (supplement, G.3).
            read: number of moments that were read, of a network that reads as many as it wants;
                default: as many as at the factor.
        """
        if read is None:
            read = len(trained.moments_read(moments, factor))
        classified = read
        given = read if isinstance(trained.network, OneLook | EarlyExit) else moments
        if trained.variant.selected:
            assert output is not None
            joint = joint_weights(output.weights[0], output.modality_weights[0])
            classified = len(joint.argmax(1).unique())
        index = self.moment_macs(trained.network.modalities)
        further = self.moment_macs(trained.feature_names) - index
        macs = read * index + classified * further
        macs += self.network_macs(trained, given, None, unaggregated)
        chooses = isinstance(trained.network, Skimmer | OneLook)
        index_macs = read * index if chooses else 0
        return VideoCost(macs, index_macs, classified)

    def _moment_macs(self, names: Sequence[FeatureName]) -> int:
        """Multiply-accumulates of one moment's features of these names, from its frame and mel.

        Each stream is called once. `fused` needs all streams of the student, and Psi.
        """
        student = self._student
        frame, mel, _ = example_moment(student)
        streams: Collection[FeatureName] = student.modalities if "fused" in names else names
        calls: dict[Modality, Callable[[], Tensor]] = {
            "image": lambda: student.image(frame),
            "audio": lambda: student.audio(mel),
        }
        macs = sum(count_macs(calls[m]) for m in student.modalities if m in streams)
        if "fused" in names:
            joined = torch.zeros(1, student.fusion.fc1.in_features)
            macs += count_macs(lambda: student.fusion(joined))
        return macs + (self._clip_macs if "teacher" in names else 0)

    def _network_macs(
        self,
        trained: TrainedSkimmer,
        moments: int,
        steps: int | None = None,
        unaggregated: bool = False,
    ) -> int:
        """Multiply-accumulates of a trained network on the features of a video, Psi included.

        Args:
            trained: the network.
            moments: number of moments of the video.
            steps: T; default: as many as the network was trained with.
            unaggregated: whether the skimmer reads selected moments (supplement, G.3).
        """
        widths: dict[FeatureName, int] = {m: x.shape[1] for m, x in self._moment.items()}
        if isinstance(trained.network, Skimmer):
            widths |= trained.network.widths | (trained.network.indexing or {})
        features: dict[FeatureName, Tensor] = {
            m: torch.zeros(1, moments, width) for m, width in widths.items()
        }
        present = torch.ones(1, moments, dtype=torch.bool)
        if isinstance(trained.network, EarlyExit):
            exits = trained.network
            return count_macs(lambda: exits.answer_after(features))
        network = replace(trained, steps=steps or trained.steps)
        if unaggregated:
            return count_macs(lambda: network.skim(features, present, unaggregated))
        return count_macs(lambda: network.scores(features, present))
