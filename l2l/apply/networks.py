"""The student and the skimmer of a finished run, applied to batches across videos.

The student computes batches of one size, filled with moments of one video after another. The last
is padded, or computed by layers that give the same bits in a batch of any size. So a moment's
features have the same bits in any place of a batch and next to any others, and an answer does not
depend on which videos are answered together. The skimmer reads one video at a time.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from l2l.apply.artifact import BOTH, ClassProbability, Prediction, SelectedMoment
from l2l.apply.cost import AnswerCost
from l2l.apply.exported import read_exported
from l2l.apply.reading import ReadVideo
from l2l.apply.run import network_name, network_path, student_path
from l2l.config import (
    NOT_ACCELERATED,
    AccelerationConfig,
    AnswerMethod,
    FeatureName,
    MediaConfig,
)
from l2l.errors import BadInput
from l2l.evaluation.measures.probabilities import check_finite, class_probabilities
from l2l.features.artifact import VideoFeatures
from l2l.mels.spectrogram import mel_shape
from l2l.moments import MOMENT_SECONDS, start_seconds
from l2l.skimmer.artifact import (
    TrainedSkimmer,
    check_student,
    load_skimmer,
    named_features,
    restore_skimmer,
)
from l2l.skimmer.network import SkimmerOutput
from l2l.skimmer.one_look import OneLookOutput
from l2l.student.artifact import digest_of, load_student, media_of, mels_of, restore_student
from l2l.student.inference import StudentInference, for_inference, is_faster_on
from l2l.student.network import Student

# Moments per batch. On a CPU a moment at full size takes least in batches of 16 or 32.
CPU_BATCH, GPU_BATCH = 16, 256
# Videos that wait for their batch to be full: of a few moments each, or unusable ones behind them.
MAX_WAITING = 64


@dataclass
class _Waiting:
    """A video whose moments are on their way through the student."""

    video: ReadVideo
    missing: int  # moments that are not computed yet
    parts: list[tuple[np.ndarray, ...]] = field(default_factory=list)  # in order of time


class Networks:
    """The trained networks of a finished run.

    Args:
        run: the run's folder, or the file that it was exported to.
        device: where the student computes.
        steps: of the skimmer; None: as many as it was trained with.
        method: which network answers.
        acceleration: precision and compilation of the student, on a GPU.

    Raises:
        BadInput: if a file is missing or damaged, they do not belong together, the skimmer has
            fewer steps, or one look is given some.
    """

    def __init__(
        self,
        run: Path,
        device: torch.device,
        steps: int | None = None,
        method: AnswerMethod = "ours",
        acceleration: AccelerationConfig = NOT_ACCELERATED,
    ) -> None:
        trained, network = _load(run, method)
        self.skimmer = _with_steps(network_path(run, method), trained, steps, method)
        self.student_digest = digest_of(network)
        student = student_path(run, trained.network.modalities)
        check_student(network_path(run, method), trained, student, self.student_digest)
        self.settings = network.settings
        self.media, self.mels = media_of(self.settings), mels_of(self.settings)
        self.cost = AnswerCost(network, self.skimmer)  # counted before it leaves the CPU
        self.batch_moments = GPU_BATCH if device.type == "cuda" else CPU_BATCH
        faster = for_inference(network, device, self.batch_moments)
        self.student = StudentInference(faster, device, self.batch_moments, acceleration)
        self._pads = not is_faster_on(device)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes that an answer names."""
        return self.skimmer.class_names

    @property
    def hears(self) -> bool:
        """Whether the student has an audio stream."""
        return "audio" in self.student.modalities

    def describe(self, videos: Iterable[ReadVideo]) -> Iterator[tuple[ReadVideo, VideoFeatures]]:
        """The student's features of the moments read of each video, in the order given.

        A video is given back when the batch with its last moment is computed; an unusable one has
        features of no moments. At most `MAX_WAITING` videos wait for that.
        """
        batch = _Batch(self.batch_moments, self.media.frame_pixels, mel_shape(self.mels))
        waiting: deque[_Waiting] = deque()
        for video in videos:
            count = len(video.read)
            waiting.append(_Waiting(video, count))
            for first, stop in batch.places(count):
                batch.add(waiting[-1], first, stop)
                if batch.is_full:
                    self._compute(batch)
                    yield from self._complete(waiting)
            if len(waiting) >= MAX_WAITING and batch.shares:
                self._compute(batch)
            yield from self._complete(waiting)
        if batch.shares:
            self._compute(batch)
        yield from self._complete(waiting)

    def answer(self, video: ReadVideo, features: VideoFeatures, top: int) -> Prediction:
        """The answer for one video.

        Args:
            video: what was read of it.
            features: of the moments read.
            top: how many classes it names.

        Raises:
            BadInput: if a probability is not finite.
        """
        if not video.moments:
            return Prediction(video.video, video.status, video.reason)
        assert video.decoded is not None
        output = self._skim(video, features)
        probabilities = class_probabilities(output.logits.numpy())[0]
        check_finite(probabilities, f"{video.video}: class probabilities")
        best = np.argsort(-probabilities, kind="stable")[:top]
        return Prediction(
            video.video,
            video.status,
            video.reason,
            tuple(
                ClassProbability(self.class_names[i], round(float(probabilities[i]), 6))
                for i in best
            ),
            tuple(self._selected(video, output)),
            round(video.decoded.duration_seconds, 3),
            video.moments,
            len(video.read),
            video.factor,
            1 if isinstance(output, OneLookOutput) else self.skimmer.steps,
            round(self.cost.macs(video.moments, video.factor) / 1e9, 6),
            video.decoded.frames_decoded,
        )

    def _compute(self, batch: "_Batch") -> None:
        """Compute a batch and hand each video its share."""
        rows = self.batch_moments if self._pads else batch.filled
        described = self.student(*(x[:rows] for x in batch.arrays()))
        batch.hand_out([x.cpu().numpy() for x in described])

    def _complete(self, waiting: deque[_Waiting]) -> Iterator[tuple[ReadVideo, VideoFeatures]]:
        """Those at the front whose moments are all computed."""
        while waiting and not waiting[0].missing:
            done = waiting.popleft()
            parts = [np.concatenate(part) for part in zip(*done.parts, strict=True)]
            has_sound = done.video.has_sound[done.video.read]
            if not parts:
                none = np.zeros((0, 0), np.float32)
                yield done.video, VideoFeatures({}, none, none, has_sound)
                continue
            *streams, fused, scores = parts
            named = dict(zip(self.student.modalities, streams, strict=True))
            yield done.video, VideoFeatures(named, fused, scores, has_sound)

    def _skim(self, video: ReadVideo, features: VideoFeatures) -> SkimmerOutput | OneLookOutput:
        """The output for one video, a batch of one, of the network that answers."""
        read = named_features(video.video, features, self.skimmer.feature_names, {})
        given: dict[FeatureName, Tensor] = {
            name: self.skimmer.from_read(x, video.factor, video.moments)[None]
            for name, x in read.items()
        }
        present = torch.ones(1, len(next(iter(given.values()))[0]), dtype=torch.bool)
        with torch.inference_mode():
            return self.skimmer.output(given, present)

    def _selected(
        self, video: ReadVideo, output: SkimmerOutput | OneLookOutput
    ) -> Iterator[SelectedMoment]:
        if isinstance(output, OneLookOutput):
            yield from self._weighed(video, output)
            return
        for step, of_step in enumerate(output.selected[0].tolist()):
            for i, modality in enumerate(self.skimmer.network.modalities):
                moment = of_step[i]
                weight = float(output.weights[0, step, i, moment])
                share = float(output.modality_weights[0, step, i])
                yield _selected_moment(video, step + 1, modality, moment, weight, share)

    def _weighed(self, video: ReadVideo, output: OneLookOutput) -> Iterator[SelectedMoment]:
        """The moments that one look weighs most, the largest weight first; as many as the run's
        skimmer has steps.
        """
        weights = output.weights[0].tolist()
        modalities = self.skimmer.network.modalities
        modality = BOTH if len(modalities) > 1 else modalities[0]
        picks = self.skimmer.picks(output, self.skimmer.steps)
        for i in sorted(picks, key=lambda i: -weights[i]):
            yield _selected_moment(video, 1, modality, video.read[i], weights[i], 1.0)


def _selected_moment(
    video: ReadVideo, step: int, modality: str, moment: int, weight: float, modality_weight: float
) -> SelectedMoment:
    return SelectedMoment(
        step,
        modality,
        moment,
        round(float(start_seconds(moment)), 3),
        round(float(start_seconds(moment) + MOMENT_SECONDS), 3),
        round(weight, 6),
        round(modality_weight, 6),
        bool(video.has_sound[moment]),
    )


def media_of_run(run: Path, method: AnswerMethod = "ours") -> MediaConfig:
    """How the pictures and the sound that a finished run was trained on were taken from files."""
    _, student = _load(run, method)
    return media_of(student.settings)


def _load(run: Path, method: AnswerMethod) -> tuple[TrainedSkimmer, Student]:
    """The network that answers and the student whose features it reads."""
    path = network_path(run, method)
    if path == run:  # one file
        networks = read_exported(run)
        trained = restore_skimmer(run, *networks[network_name(method)])
        return trained, restore_student(run, *networks["student"])
    trained = load_skimmer(path)
    return trained, load_student(student_path(run, trained.network.modalities))


class _Batch:
    """A batch of one size that fills up with moments of several videos."""

    def __init__(self, size: int, side: int, mel: tuple[int, int]) -> None:
        self._frames = np.zeros((size, side, side, 3), np.uint8)
        self._mels = np.zeros((size, *mel), np.float32)
        self._has_sound = np.zeros(size, bool)
        self.shares: list[tuple[_Waiting, int]] = []  # whose moments are in it, and how many
        self.filled = 0

    @property
    def is_full(self) -> bool:
        return self.filled == len(self._frames)

    def places(self, count: int) -> Iterator[tuple[int, int]]:
        """Spans of a video's moments, each as long as there is room when it is asked for."""
        first = 0
        while first < count:
            stop = min(count, first + len(self._frames) - self.filled)
            yield first, stop
            first = stop

    def add(self, waiting: _Waiting, first: int, stop: int) -> None:
        """Put in some of the moments read of a video."""
        video, here = waiting.video, slice(self.filled, self.filled + stop - first)
        self._frames[here] = video.frames(first, stop)
        self._mels[here] = video.mels[first:stop]
        self._has_sound[here] = video.has_sound[video.read[first:stop]]
        self.shares.append((waiting, stop - first))
        self.filled = here.stop

    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Frames, mels and has_sound; behind the last moment is what an earlier batch left."""
        return self._frames, self._mels, self._has_sound

    def hand_out(self, results: list[np.ndarray]) -> None:
        """Give each video its rows, and empty the batch."""
        first = 0
        for waiting, count in self.shares:
            waiting.parts.append(tuple(x[first : first + count].copy() for x in results))
            waiting.missing -= count
            first += count
        self.shares, self.filled = [], 0


def _with_steps(
    path: Path, skimmer: TrainedSkimmer, steps: int | None, method: AnswerMethod
) -> TrainedSkimmer:
    expected = network_name(method)
    if skimmer.model != expected:
        raise BadInput(f"{path}: found {skimmer.model}, expected {expected}")
    if steps is None:
        return skimmer
    if method == "one_look":
        raise BadInput(f"steps {steps}: found with method one_look, which looks once; give none")
    if not 1 <= steps <= skimmer.steps:
        raise BadInput(
            f"steps {steps}: expected 1 to {skimmer.steps}, the steps that {path} was trained with"
        )
    return replace(skimmer, steps=steps)
