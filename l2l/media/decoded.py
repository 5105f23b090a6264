"""One decoded video: pictures on the 30 fps grid, sound at 16 kHz, and the share of each moment."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from l2l.media.pictures import EncodedPictures
from l2l.moments import (
    FRAME_RATE,
    MOMENT_FRAMES,
    SAMPLE_RATE_HZ,
    WINDOW_SAMPLES,
    ClipGrid,
    moment_count,
    start_sample,
)


def _no_runs() -> np.ndarray:
    return np.zeros((0, 2), np.int64)


@dataclass(frozen=True)
class Decoded:
    """Pictures and sound of a video, and its status.

    An unusable video has no pictures. Sound keeps its place in time: samples are zero where none
    was decoded, and `sound_runs` says where some were.
    """

    status: str  # one of l2l.manifest.artifact.STATUSES
    reason: str
    grid_frames: int  # length of the whole video on the 30 fps grid; not all frames are kept
    step: int  # frames of the grid from one picture to the next
    pictures: EncodedPictures
    waveform: np.ndarray  # int16 (samples,), mono, 16 kHz, from the video's time zero
    sound_runs: np.ndarray = field(default_factory=_no_runs)  # (runs, 2): [start, stop), samples
    grid: ClipGrid = field(default_factory=ClipGrid)
    audio_stream: int = -1  # the stream that is heard, by its index in the file; -1: none
    # Moments whose frames were asked for, int64, rising, one picture each; None: all are held.
    chosen: np.ndarray | None = None
    frames_decoded: int = 0  # pictures of the file that were decoded
    frames_total: int = 0  # pictures of the file; 0 for an unusable video
    # Why the ffmpeg program decoded all pictures, where they could not be skipped; or empty.
    not_skipped: str = ""
    # What decoding the frame of each moment takes, (moments, 3), see `pictures_needed`; None where
    # all pictures are decoded for any of them.
    frame_needs: np.ndarray | None = None

    @property
    def moments(self) -> int:
        """Number of moments; 0 for an unusable video."""
        return moment_count(self.grid_frames, self.grid) if self.grid_frames else 0

    @property
    def duration_seconds(self) -> float:
        """Length of the pictures on the 30 fps grid."""
        return self.grid_frames / FRAME_RATE

    @property
    def needs(self) -> np.ndarray:
        """What decoding the frame of each moment takes, int64 (moments, 3)."""
        if self.frame_needs is not None:
            return self.frame_needs
        return np.tile(np.array([0, self.frames_total, -1]), (self.moments, 1))

    def frame(self, moment: int) -> np.ndarray:
        """The first picture of a moment's clip, uint8 (side, side, 3).

        Raises:
            IndexError: if it was not asked for.
        """
        if self.chosen is None:
            return self.pictures[moment * MOMENT_FRAMES // self.step]
        place = int(np.searchsorted(self.chosen, moment))
        if place == len(self.chosen) or self.chosen[place] != moment:
            raise IndexError(f"the frame of moment {moment} was not decoded")
        return self.pictures[place]

    def frames(self) -> np.ndarray:
        """The first pictures of the moments that were asked for, uint8 (moments, side, side, 3)."""
        if self.chosen is not None:
            return self.pictures.as_array()
        return self.pictures.select(np.arange(self.moments) * MOMENT_FRAMES // self.step)

    def clip(self, moment: int) -> np.ndarray:
        """A moment's clip, uint8 (clip_frames, side, side, 3).

        Raises:
            ValueError: if only the first picture of each moment was decoded.
        """
        if self.step != self.grid.stride:
            raise ValueError(
                f"pictures are {self.step} frames apart, those of a clip {self.grid.stride}"
            )
        return self.pictures.select(clip_pictures(moment, self.grid, len(self.pictures)))

    def windows(self) -> np.ndarray:
        """Each moment's second of sound, int16 (moments, 16000), zero after its end."""
        return cut_windows(self.waveform, range(self.moments))

    def has_sound(self) -> np.ndarray:
        """Whether at least half of each moment's second was decoded, bool (moments,)."""
        return covered(self.sound_runs, self.moments)


def pictures_needed(needs: np.ndarray, moments: Sequence[int]) -> int:
    """How many pictures of a file are decoded for the frames of some moments.

    A group of pictures is decoded up to the last frame that is wanted of it, without the pictures
    to which no other refers, unless they are wanted.

    Args:
        needs: of each moment of the video, int64 (moments, 3): the group of pictures that its frame
            is in; how many pictures to which others refer are decoded in the group up to the frame,
            with it; a number of the frame if no other refers to it, else -1.
        moments: numbers of the moments, in any order.
    """
    wanted = needs[list(moments)]
    groups, places = np.unique(wanted[:, 0], return_inverse=True)
    referred = np.zeros(len(groups), np.int64)
    np.maximum.at(referred, places, wanted[:, 1])
    alone = wanted[wanted[:, 2] >= 0, 2]
    return int(referred.sum()) + len(np.unique(alone))


def clip_pictures(moment: int, grid: ClipGrid, pictures: int) -> np.ndarray:
    """The numbers of the pictures of a moment's clip, int64 (clip_frames,).

    After the last of the video's pictures, the last is repeated.
    """
    first = moment * grid.pictures_per_moment
    return np.minimum(np.arange(first, first + grid.frames), pictures - 1)


def cut_windows(waveform: np.ndarray, moments: Sequence[int]) -> np.ndarray:
    """The second of sound from the start of each of some moments, of a waveform (samples,).

    Returns:
        (moments, 16000), zero after the end of the waveform.
    """
    windows = np.zeros((len(moments), WINDOW_SAMPLES), waveform.dtype)
    for moment, window in zip(moments, windows, strict=True):
        sound = waveform[start_sample(moment) :][:WINDOW_SAMPLES]
        window[: len(sound)] = sound
    return windows


def covered(sound_runs: np.ndarray, moments: int, min_fraction: float = 0.5) -> np.ndarray:
    """Whether runs of decoded samples (runs, 2) cover enough of each moment's second.

    Returns:
        Bool (moments,), True where at least `min_fraction` of the second is covered.
    """
    starts = np.array([start_sample(moment) for moment in range(moments)], np.int64)[:, None]
    inside = np.minimum(sound_runs[:, 1], starts + WINDOW_SAMPLES) - np.maximum(
        sound_runs[:, 0], starts
    )
    return np.maximum(inside, 0).sum(axis=1) >= min_fraction * SAMPLE_RATE_HZ
