"""One video as it came out of the decoder.

Pictures on the 30 fps grid, sound at 16 kHz, and what belongs to each moment.
"""

from dataclasses import dataclass, field

import numpy as np

from l2l.moments import (
    MOMENT_FRAMES,
    SAMPLE_RATE_HZ,
    WINDOW_SAMPLES,
    ClipGrid,
    moment_count,
    start_sample,
)


@dataclass(frozen=True)
class Decoded:
    """Pictures and sound of a video, and the state it is in.

    An unusable video has no pictures. Sound keeps its place in time: where none was decoded the
        samples are zero, and `sound_runs` tells which are not.
    """

    status: str  # one of l2l.manifest.artifact.STATUSES
    reason: str
    frames: int  # of the whole video at 30 fps, whether or not all were kept
    step: int  # frames at 30 fps from one picture to the next
    pictures: np.ndarray  # uint8 (pictures, side, side, 3)
    waveform: np.ndarray  # int16 (samples,), mono, 16 kHz, from the video's time zero
    sound_runs: np.ndarray = field(
        default_factory=lambda: np.zeros((0, 2), np.int64)
    )  # (runs, 2): [start, stop) in samples
    grid: ClipGrid = field(default_factory=ClipGrid)

    @property
    def moments(self) -> int:
        """Number of moments; 0 for an unusable video."""
        return moment_count(self.frames, self.grid) if self.frames else 0

    @property
    def duration_seconds(self) -> float:
        """Length of the pictures on the 30 fps grid."""
        return self.frames / 30

    def frame(self, moment: int) -> np.ndarray:
        """The first picture of a moment's clip, uint8 (side, side, 3)."""
        return self.pictures[moment * MOMENT_FRAMES // self.step]

    def clip(self, moment: int) -> np.ndarray:
        """A moment's clip, uint8 (clip_frames, side, side, 3).

        Only where every picture of the clips was decoded.
        """
        if self.step != self.grid.stride:
            raise ValueError(
                f"pictures are {self.step} frames apart, those of a clip {self.grid.stride}"
            )
        return self.pictures[clip_pictures(moment, self.grid, len(self.pictures))]

    def windows(self) -> np.ndarray:
        """Each moment's second of sound, int16 (moments, 16000), zero past its end."""
        return cut_windows(self.waveform, self.moments)

    def has_sound(self) -> np.ndarray:
        """Whether at least half of each moment's second was decoded, bool (moments,)."""
        return covered(self.sound_runs, self.moments)


def clip_pictures(moment: int, grid: ClipGrid, pictures: int) -> np.ndarray:
    """Which of a video's pictures make a moment's clip, int64 (clip_frames,).

    Past the last picture, the last again.
    """
    first = moment * grid.pictures_per_moment
    return np.minimum(np.arange(first, first + grid.frames), pictures - 1)


def cut_windows(waveform: np.ndarray, moments: int) -> np.ndarray:
    """The second of sound from the start of each moment.

    (moments, 16000), zero past the end of `waveform` (samples,).
    """
    windows = np.zeros((moments, WINDOW_SAMPLES), waveform.dtype)
    for moment, window in enumerate(windows):
        sound = waveform[start_sample(moment) :][:WINDOW_SAMPLES]
        window[: len(sound)] = sound
    return windows


def covered(sound_runs: np.ndarray, moments: int, least: float = 0.5) -> np.ndarray:
    """Whether runs of decoded samples (runs, 2) cover at least so much of each moment's second.

    Bool (moments,).
    """
    starts = np.array([start_sample(moment) for moment in range(moments)], np.int64)[:, None]
    inside = np.minimum(sound_runs[:, 1], starts + WINDOW_SAMPLES) - np.maximum(
        sound_runs[:, 0], starts
    )
    return np.maximum(inside, 0).sum(axis=1) >= least * SAMPLE_RATE_HZ
