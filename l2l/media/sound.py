"""Sound in its place: each decoded sample comes with its time and is put there on the clock.

ffmpeg's filters that fill gaps restart their time when sound changes its format in mid-stream, and
do not report what they filled in.
"""

import itertools
import mmap

import numpy as np

from l2l.moments import SAMPLE_RATE_HZ

# Containers round times; a smaller step between two packets is no gap.
JITTER_SAMPLES = SAMPLE_RATE_HZ // 20
FRAME_BYTES = 6  # one sample as it comes from ffmpeg: sound, low word, high word
BLOCK_SAMPLES = 1 << 17  # decoded at once
WORD = 1 << 15

# Channels are compared second by second.
CANCEL_SAMPLES = SAMPLE_RATE_HZ
CANCEL_POWER = 0.01  # of the first channel's; unrelated channels keep half of it
CANCEL_RMS = 4.0  # of the first channel, of 32768: what is quieter is no sound to miss

# The sample's number, in words; a quarter of a sample absorbs rounding.
_WORDS = f"t*{SAMPLE_RATE_HZ / WORD}+{0.25 / WORD}"
TIME_CHANNELS = (f"mod({_WORDS},1)", f"floor({_WORDS})/{WORD}")
"""For ffmpeg's aeval: the low and the high word of each sample's number, as s16."""


class PlacedSound:
    """Takes decoded samples as they come and puts them where they belong.

    Memory grows with the samples decoded, two bytes each, not with the gaps between them.
    """

    def __init__(self) -> None:
        self._pieces: list[tuple[int, np.ndarray]] = []  # (first sample, int16 samples)
        self._pending = bytearray()
        self._next: int | None = None  # the number that follows the last sample

    def write(self, block: bytes | memoryview) -> None:
        """Take the next bytes, wherever they are cut: s16 little endian, three to a sample."""
        self._pending += block
        if len(self._pending) >= BLOCK_SAMPLES * FRAME_BYTES:
            self._flush()

    def finish(self, samples: int) -> tuple[np.ndarray, np.ndarray]:
        """The sound of a video of so many samples; what lies outside is dropped.

        Returns:
            The waveform, int16 (samples,), up to its last decoded sample and zero where nothing was
            decoded; and the spans that were decoded, int64 (runs, 2), [start, stop).
        """
        self._flush()
        edges = [(max(0, first), min(samples, first + len(sound))) for first, sound in self._pieces]
        runs = _merge([edge for edge in edges if edge[0] < edge[1]])
        waveform = np.zeros(runs.max(initial=0), np.int16)
        self._pieces.reverse()
        while self._pieces:  # freed as they are copied, so that memory is not taken twice
            first, sound = self._pieces.pop()
            start, stop = max(0, first), min(samples, first + len(sound))
            if start < stop:
                waveform[start:stop] = sound[start - first : stop - first]
        return waveform, runs

    def _flush(self) -> None:
        while whole := min(len(self._pending) // FRAME_BYTES, BLOCK_SAMPLES):
            block = np.frombuffer(bytes(self._pending[: whole * FRAME_BYTES]), "<i2").reshape(-1, 3)
            del self._pending[: whole * FRAME_BYTES]
            number = block[:, 1].astype(np.int64) + block[:, 2].astype(np.int64) * WORD
            # Memory from the system, not from the heap, goes back to it as soon as it is freed.
            sound = np.frombuffer(mmap.mmap(-1, 2 * whole), np.int16)
            sound[:] = block[:, 0]
            self._place(number, sound)

    def _place(self, number: np.ndarray, sound: np.ndarray) -> None:
        """Cut a block where its numbers do not follow each other.

        Each piece follows the one before unless its time differs by more than the jitter.
        """
        edges = [0, *(np.flatnonzero(np.diff(number) != 1) + 1).tolist(), len(number)]
        for begin, end in itertools.pairwise(edges):
            first = int(number[begin])
            if self._next is not None and abs(first - self._next) <= JITTER_SAMPLES:
                first = self._next
            self._pieces.append((first, sound[begin:end]))
            self._next = first + end - begin


def _merge(spans: list[tuple[int, int]]) -> np.ndarray:
    """The union of spans, [start, stop), as int64 (runs, 2) in rising order."""
    runs: list[list[int]] = []
    for start, stop in sorted(spans):
        if runs and start <= runs[-1][1]:
            runs[-1][1] = max(runs[-1][1], stop)
        else:
            runs.append([start, stop])
    return np.array(runs, np.int64).reshape(-1, 2)


def restore_cancelled(mix: np.ndarray, first_channel: np.ndarray) -> int:
    """Where the channels of a mix cancel each other, put the first channel in its place.

    The mix is the mean of all channels. Of stereo with one channel inverted, nothing is left.

    Args:
        mix: int16 (samples,), changed in place.
        first_channel: int16 (samples,), of the same times.

    Returns:
        The number of seconds that were replaced.
    """
    replaced = 0
    for start in range(0, min(len(mix), len(first_channel)), CANCEL_SAMPLES):
        second = slice(start, start + CANCEL_SAMPLES)
        channel = first_channel[second].astype(np.float64)
        mean = mix[second].astype(np.float64)[: len(channel)]
        power = np.mean(channel**2)
        if power >= CANCEL_RMS**2 and np.mean(mean**2) < CANCEL_POWER * power:
            mix[start : start + len(mean)] = first_channel[start : start + len(mean)]
            replaced += 1
    return replaced
