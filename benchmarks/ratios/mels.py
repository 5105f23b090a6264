"""Mels against librosa's, window by window."""

from collections.abc import Iterator
from pathlib import Path

import librosa
import numpy as np
from bench import Row

from l2l.config import MelsConfig
from l2l.mels.spectrogram import log_mel

OPTIONS = {"sr": 16_000, "n_fft": 400, "hop_length": 160, "n_mels": 40, "htk": True, "norm": None}


def rows(_: Path) -> Iterator[Row]:
    """256 windows of a second."""
    rng = np.random.default_rng(0)
    windows = rng.integers(-9000, 9000, (256, 16_000)).astype(np.int16)

    def peer() -> None:
        for window in windows:
            librosa.feature.melspectrogram(y=window / 32768, **OPTIONS)

    yield Row("mels", "librosa", lambda: log_mel(windows, MelsConfig()), peer, 2.5)
