"""What is heard in videos over time, by the names of AudioSet: nothing is trained for it."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from l2l.config import MediaConfig
from l2l.errors import BadInput
from l2l.jobs.machine import usable_cores
from l2l.manifest.artifact import USABLE
from l2l.manifest.probe import ProbeResult, probe_files
from l2l.media.decode import decode
from l2l.media.decoded import Decoded
from l2l.media.ffmpeg import check_ffmpeg
from l2l.moments import SAMPLE_RATE_HZ
from l2l.pretrained.efficientat.network import CLASSES, sound_features
from l2l.pretrained.efficientat.spectrogram import spectrograms_of_windows
from l2l.pretrained.efficientat.weights import audioset_names, load_efficientat_mn04
from l2l.training import seed_and_pick_device

_BATCH_WINDOWS = 32  # computed together


class HeardName(NamedTuple):
    """A name of AudioSet and its probability, the mean over the windows of a range."""

    name: str
    probability: float


class HeardRange(NamedTuple):
    """A range of a video in which one name is the most probable."""

    start_seconds: float
    end_seconds: float
    has_sound: bool
    names: tuple[HeardName, ...]  # the most probable first; none where none is probable enough


@dataclass(frozen=True, eq=False)
class Heard:
    """What is heard in one video; nothing in one that cannot be used.

    Attributes:
        video: its path.
        status: after decoding.
        reason: why it has this status; a usable video may have a remark.
        window_seconds: length of a window of sound. The last one may be up to twice as long: it
            ends with the video.
        duration_seconds: of the video.
        probabilities: of each name in each window; zero in a window without sound.
        has_sound: of each window, whether at least half of it was decoded.
    """

    video: str
    status: str
    reason: str
    window_seconds: float = 2.0
    duration_seconds: float = 0.0
    probabilities: Float[np.ndarray, "windows names"] = field(
        default_factory=lambda: np.zeros((0, CLASSES), np.float32)
    )
    has_sound: Bool[np.ndarray, " windows"] = field(default_factory=lambda: np.zeros(0, bool))

    @property
    def edges_seconds(self) -> list[float]:
        """Where each window begins, and the end of the last one."""
        starts = [self.window_seconds * window for window in range(len(self.has_sound))]
        return [*starts, self.duration_seconds] if starts else []


def ranges_of(
    heard: Heard, names: tuple[str, ...], top: int, least_probability: float
) -> list[HeardRange]:
    """The video cut where its most probable name changes.

    Args:
        heard: what is heard in it.
        names: of AudioSet, in the order of the probabilities.
        top: names per range, at most.
        least_probability: what is less probable is not named.
    """
    best = heard.probabilities.argmax(1) if len(heard.probabilities) else np.zeros(0, int)
    sure = heard.probabilities.max(1, initial=0) >= least_probability
    kinds = np.where(heard.has_sound, np.where(sure, best, -1), -2)
    edges, ranges = heard.edges_seconds, []
    for _, group in itertools.groupby(range(len(kinds)), key=lambda window: kinds[window]):
        windows = list(group)
        mean = heard.probabilities[windows].mean(0)
        order = np.argsort(-mean, kind="stable")[:top]
        named = tuple(
            HeardName(names[i], float(mean[i])) for i in order if mean[i] >= least_probability
        )
        sound = bool(heard.has_sound[windows[0]])
        ranges.append(HeardRange(edges[windows[0]], edges[windows[-1] + 1], sound, named))
    return ranges


def decoded_share(
    sound_runs: Int[np.ndarray, "runs 2"],
    starts: Int[np.ndarray, " windows"],
    stops: Int[np.ndarray, " windows"],
) -> Float[np.ndarray, " windows"]:
    """The share of each window, from a sample to another, in which sound was decoded."""
    first = np.maximum(sound_runs[:, 0], starts[:, None])
    last = np.minimum(sound_runs[:, 1], stops[:, None])
    return np.maximum(last - first, 0).sum(1) / (stops - starts)


class Listener:
    """EfficientAT mn04, loaded once, which listens to any video.

    Args:
        weights: the file of its published weights.
        window_seconds: length of the windows of sound, each of which is heard by itself.
        threads: of PyTorch; default: one per core that this process may use.

    Raises:
        BadInput: if the weights are missing or are another file, a number is out of bounds, or
            ffmpeg does not work.
    """

    def __init__(
        self, weights: Path, window_seconds: float = 2.0, threads: int | None = None
    ) -> None:
        if not 0.1 <= window_seconds <= 3600:
            raise BadInput(f"seconds {window_seconds:g}: expected 0.1 to 3600")
        check_ffmpeg()
        self._device = seed_and_pick_device(0, threads or usable_cores())
        self._network = load_efficientat_mn04(weights).to(self._device)
        self.names = audioset_names()
        self.window_seconds = window_seconds

    def hear_many(self, paths: Iterable[str | Path]) -> Iterator[Heard]:
        """What is heard in each file, in the order given, as soon as it is known.

        Raises:
            MachineError: if the machine did not give the decoder what it needs.
        """
        files = list(map(Path, paths))
        for path, probed in zip(files, probe_files(files), strict=True):
            yield self._hear(path, probed)

    def _hear(self, path: Path, probed: ProbeResult) -> Heard:
        if probed.status not in USABLE:
            return Heard(str(path), probed.status, probed.reason)
        decoded = decode(probed.source(path), MediaConfig(), "none")
        reason = "; ".join(filter(None, [decoded.reason, probed.reason]))
        if decoded.status not in USABLE:
            return Heard(str(path), decoded.status, reason)
        probabilities, has_sound = self._windows(decoded)
        seconds = self.window_seconds, decoded.duration_seconds
        return Heard(str(path), decoded.status, reason, *seconds, probabilities, has_sound)

    def _windows(
        self, decoded: Decoded
    ) -> tuple[Float[np.ndarray, "windows names"], Bool[np.ndarray, " windows"]]:
        """The probabilities of each window, and whether it has sound."""
        samples = round(decoded.duration_seconds * SAMPLE_RATE_HZ)
        size = round(self.window_seconds * SAMPLE_RATE_HZ)
        count = max(1, samples // size)
        starts = size * np.arange(count)
        stops = np.append(starts[1:], samples)
        has_sound = decoded_share(decoded.sound_runs, starts, stops) >= 0.5
        waveform = np.pad(decoded.waveform, (0, max(0, samples - len(decoded.waveform))))
        probabilities = np.zeros((count, CLASSES), np.float32)
        whole = [window for window in range(count - 1) if has_sound[window]]
        for first in range(0, len(whole), _BATCH_WINDOWS):
            windows = whole[first : first + _BATCH_WINDOWS]
            sounds = np.stack([waveform[starts[window] : stops[window]] for window in windows])
            probabilities[windows] = self._probabilities(sounds)
        if has_sound[-1]:
            probabilities[-1] = self._probabilities(waveform[None, starts[-1] : samples])[0]
        return probabilities, has_sound

    def _probabilities(self, sounds: np.ndarray) -> Float[np.ndarray, "windows names"]:
        with torch.inference_mode():
            spectrograms = torch.from_numpy(spectrograms_of_windows(sounds)).to(self._device)
            features = sound_features(self._network, spectrograms)
            return torch.sigmoid(self._network.classifier(features)).cpu().numpy()
