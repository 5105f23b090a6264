"""Sound in its place: each decoded sample comes with its time, and is put where it belongs on the
video's clock.

Filters that fill gaps begin their time again when sound changes its format in mid-stream, and
cannot tell what they filled in.
"""

import itertools

import numpy as np

from l2l.moments import SAMPLE_RATE_HZ

JITTER_SAMPLES = (
    SAMPLE_RATE_HZ // 20
)  # containers round times; a smaller step between two packets is no gap
BLOCK_SAMPLES = (
    1 << 20
)  # placed at once: their numbers take eight bytes each, and sound may last for hours
WORD = 1 << 15

# the sample's number in words; a quarter of a sample absorbs rounding
_WORDS = f"t*{SAMPLE_RATE_HZ / WORD}+{0.25 / WORD}"
TIME_CHANNELS = (f"mod({_WORDS},1)", f"floor({_WORDS})/{WORD}")
"""For ffmpeg's aeval: the low and the high word of each sample's number, as s16."""


def place(raw: bytes | bytearray, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Put decoded samples where they belong.

    Args:
        raw: s16 little endian, interleaved: sound, low word, high word.
        samples: length of the video; what lies outside is dropped.

    Returns:
        The waveform, int16, up to its last decoded sample, zero where nothing was decoded; and the
        spans that were, int64 (runs, 2), [start, stop).
    """
    channels = np.frombuffer(raw, "<i2", len(raw) // 6 * 3).reshape(-1, 3)
    samples = min(
        samples, (int(channels[:, 2].max(initial=0)) + 1) * WORD + JITTER_SAMPLES
    )  # pictures may go on for hours more
    waveform, decoded = np.zeros(samples, np.int16), np.zeros(samples + 2, bool)
    follows = None
    for begin in range(0, len(channels), BLOCK_SAMPLES):
        block = channels[begin : begin + BLOCK_SAMPLES]
        number = _steady(
            block[:, 1].astype(np.int64) + block[:, 2].astype(np.int64) * WORD, follows
        )
        follows = int(number[-1]) + 1
        inside = (number >= 0) & (number < samples)
        waveform[number[inside]] = block[inside, 0]
        decoded[number[inside] + 1] = True
    runs = np.flatnonzero(decoded[1:] != decoded[:-1]).reshape(-1, 2)
    return waveform[: runs.max(initial=0)].copy(), runs


def _steady(number: np.ndarray, follows: int | None) -> np.ndarray:
    """The numbers without jitter.

    Each packet follows the one before unless its time differs by more than that.
    """
    steady = number.copy()
    edges = [0, *(np.flatnonzero(np.diff(number) != 1) + 1).tolist(), len(number)]
    for begin, end in itertools.pairwise(edges):
        if follows is not None and abs(number[begin] - follows) <= JITTER_SAMPLES:
            steady[begin:end] += follows - number[begin]
        follows = int(steady[end - 1]) + 1
    return steady
