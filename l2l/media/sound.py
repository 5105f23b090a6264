"""Sound in its place: each frame of decoded samples has its time and is put there on the clock.

ffmpeg's filters that fill gaps restart their time when sound changes its format in mid-stream, and
do not report what they filled in. So the time of each frame is read from its report.
"""

import mmap
from collections.abc import Sequence

import numpy as np

from l2l.moments import SAMPLE_RATE_HZ

# Containers round times; a smaller step between two packets is no gap.
JITTER_SAMPLES = SAMPLE_RATE_HZ // 20
SAMPLE_BYTES = 2  # s16 little endian
BLOCK_BYTES = 1 << 18

# Channels are compared in spans of a tenth of a second: what cancels may begin at any time.
CANCEL_SAMPLES = SAMPLE_RATE_HZ // 10
CANCEL_POWER = 0.01  # of the first channel's; unrelated channels keep half of it
CANCEL_RMS = 4.0  # of the first channel, of 32768: what is quieter is no sound to miss


class PlacedSound:
    """Takes decoded samples as they come and puts them where they belong.

    Memory grows with the samples decoded, two bytes each, not with the gaps between them.
    """

    def __init__(self) -> None:
        self._blocks: list[np.ndarray] = []  # int16
        self._pending = bytearray()
        self._flushed = 0  # samples in the blocks

    def write(self, block: bytes | memoryview) -> None:
        """Take the next bytes, wherever they are cut: s16 little endian."""
        self._pending += block
        if len(self._pending) >= BLOCK_BYTES:
            self._flush()

    @property
    def taken(self) -> int:
        """Samples that were written so far."""
        return self._flushed + len(self._pending) // SAMPLE_BYTES

    def finish(
        self, samples: int, decoded_runs: Sequence[Sequence[int]]
    ) -> tuple[np.ndarray, np.ndarray]:
        """The sound of a video of so many samples; what lies outside is dropped.

        Each run follows the one before unless its time differs by more than the jitter.

        Args:
            samples: length of the video.
            decoded_runs: the number of the first sample on the clock, and of samples, of each run
                of the samples that were taken.

        Returns:
            The waveform, int16 (samples,), up to its last decoded sample and zero where nothing was
            decoded; and the spans that were decoded, int64 (runs, 2), [start, stop).
        """
        self._flush()
        places: list[tuple[int, int]] = []  # on the clock; of as many samples as the run
        for first, count in decoded_runs:
            if places and abs(first - places[-1][1]) <= JITTER_SAMPLES:
                first = places[-1][1]
            places.append((first, first + count))
        edges = [(max(0, start), min(samples, stop)) for start, stop in places]
        runs = _merge([edge for edge in edges if edge[0] < edge[1]])
        waveform = np.zeros(runs.max(initial=0), np.int16)
        self._blocks.reverse()
        for start, stop in places:
            self._copy(waveform, start, stop)
        return waveform, runs

    def _copy(self, waveform: np.ndarray, start: int, stop: int) -> None:
        """Copy the next samples to their place; each block is freed when it has been copied, so
        that memory is not taken twice.
        """
        while start < stop and self._blocks:
            block = self._blocks.pop()
            if len(block) > stop - start:
                self._blocks.append(block[stop - start :])
                block = block[: stop - start]
            begin, end = max(0, start), min(len(waveform), start + len(block))
            if begin < end:
                waveform[begin:end] = block[begin - start : end - start]
            start += len(block)

    def _flush(self) -> None:
        whole = len(self._pending) // SAMPLE_BYTES
        if whole:
            # Memory from the system, not from the heap, goes back to it as soon as it is freed.
            sound = np.frombuffer(mmap.mmap(-1, SAMPLE_BYTES * whole), np.int16)
            sound[:] = np.frombuffer(bytes(self._pending[: whole * SAMPLE_BYTES]), "<i2")
            del self._pending[: whole * SAMPLE_BYTES]
            self._blocks.append(sound)
            self._flushed += whole


def _merge(spans: list[tuple[int, int]]) -> np.ndarray:
    """The union of spans, [start, stop), as int64 (runs, 2) in rising order."""
    runs: list[list[int]] = []
    for start, stop in sorted(spans):
        if runs and start <= runs[-1][1]:
            runs[-1][1] = max(runs[-1][1], stop)
        else:
            runs.append([start, stop])
    return np.array(runs, np.int64).reshape(-1, 2)


def restore_cancelled(mix: np.ndarray, first_channel: np.ndarray) -> float:
    """Where the channels of a mix cancel each other, put the first channel in its place.

    The mix is the mean of all channels. Of stereo with one channel inverted, nothing is left.

    Args:
        mix: int16 (samples,), changed in place.
        first_channel: int16 (samples,), of the same times.

    Returns:
        The seconds that were replaced.
    """
    replaced_samples = 0
    for start in range(0, min(len(mix), len(first_channel)), CANCEL_SAMPLES):
        span = slice(start, start + CANCEL_SAMPLES)
        channel = first_channel[span].astype(np.float64)
        mean = mix[span].astype(np.float64)[: len(channel)]
        power = np.mean(channel**2)
        if power >= CANCEL_RMS**2 and np.mean(mean**2) < CANCEL_POWER * power:
            mix[start : start + len(mean)] = first_channel[start : start + len(mean)]
            replaced_samples += len(mean)
    return replaced_samples / SAMPLE_RATE_HZ
