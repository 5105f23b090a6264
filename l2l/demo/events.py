"""Untrimmed videos of real material: a sound event, whose class is the label, laid over footage
with its own sound.

Nothing in the pictures shows the class, and only the seconds of the event are heard of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from l2l.demo.films import FRAME_RATE, Film
from l2l.demo.sounds import RATE_HZ

LEVEL = 0.05  # root mean square of the footage's sound, and of the event's, of 1


@dataclass(frozen=True, eq=False)
class Footage:
    """A piece of footage: pictures (frames, side, side, 3) uint8 at 15 fps, and the waveform of as
    many seconds, (samples,) float64 at 16 kHz.
    """

    pictures: np.ndarray
    waveform: np.ndarray


def event_video(
    rng: np.random.Generator, event: np.ndarray, footage: Sequence[Footage], seconds: float
) -> Film:
    """Pieces of footage one after another, in random order, and the event from a random whole
    second on.

    Both are made equally loud: the event is measured where it is not silent.

    Args:
        rng: chooses the order and the second.
        event: its waveform, (samples,) float64 at 16 kHz, shorter than the video.
        footage: at least one piece; all are shown before one is shown again.
        seconds: length of the video.
    """
    frames = round(seconds * FRAME_RATE)
    pieces: list[Footage] = []
    while sum(len(piece.pictures) for piece in pieces) < frames:
        pieces += [footage[i] for i in rng.permutation(len(footage))]
    pictures = np.concatenate([piece.pictures for piece in pieces])[:frames]
    waveform = np.concatenate([piece.waveform for piece in pieces])
    waveform = _at_level(waveform[: round(frames / FRAME_RATE * RATE_HZ)])
    event_seconds = len(event) / RATE_HZ
    start = int(rng.integers(0, int(frames / FRAME_RATE - event_seconds) + 1))
    waveform[start * RATE_HZ : start * RATE_HZ + len(event)] += _at_level(event)
    return Film(pictures, waveform, ((float(start), start + event_seconds),))


def _at_level(waveform: np.ndarray) -> np.ndarray:
    """The waveform at `LEVEL`; silence stays as it is."""
    heard = waveform[waveform != 0]
    return waveform * (LEVEL / np.sqrt(np.mean(heard**2))) if len(heard) else waveform.copy()
