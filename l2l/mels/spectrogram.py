"""The log-mel spectrogram: what the student hears of a moment.

Each moment's second is transformed by itself. Moments start on thirds of a hop, so slicing one long
transform at the nearest hop would give other numbers (mean log difference 0.2).
"""

import numpy as np
import torch
import torchaudio
from jaxtyping import Float, Int16

from l2l.config import MelsConfig
from l2l.moments import SAMPLE_RATE_HZ, WINDOW_SAMPLES
from l2l.pretrained.efficientat import spectrogram as efficientat

_BATCH_MOMENTS = (
    64  # the spectra of as many seconds stay in the cache; one big batch is half as fast
)


def mel_shape(mels: MelsConfig) -> tuple[int, int]:
    """(windows, bands) of the spectrogram of one second: (101, 40) with the paper's numbers."""
    if mels.spectrogram == "efficientat":
        bands, windows = efficientat.spectrogram_shape(WINDOW_SAMPLES)
        return windows, bands
    return WINDOW_SAMPLES // mels.hop_samples + 1, mels.bands


def floor_of(mels: MelsConfig) -> float:
    """What is added to the power before the logarithm: silence is ln(floor)."""
    return efficientat.FLOOR if mels.spectrogram == "efficientat" else mels.floor


def log_mel(
    windows: Int16[np.ndarray, "moments samples"], mels: MelsConfig
) -> Float[np.ndarray, "moments windows bands"]:
    """The natural logarithm of mel power plus a floor, of int16 windows taken as samples in [-1,
    1).

    Hann windows centred on each hop, the ends mirrored; HTK mel scale without area normalisation
    (torchaudio's defaults). EfficientAT's spectrogram is described where it is computed.
    """
    if mels.spectrogram == "efficientat":
        scaled = efficientat.spectrograms_of_windows(windows).transpose(0, 2, 1)
        return scaled * efficientat.SPREAD + efficientat.CENTRE
    transform = torchaudio.transforms.MelSpectrogram(
        sample_rate=SAMPLE_RATE_HZ,
        n_fft=mels.fft_samples,
        win_length=mels.window_samples,
        hop_length=mels.hop_samples,
        n_mels=mels.bands,
    )
    parts = [np.zeros((0, *mel_shape(mels)), np.float32)]
    for first in range(0, len(windows), _BATCH_MOMENTS):
        samples = torch.from_numpy(
            windows[first : first + _BATCH_MOMENTS].astype(np.float32) / 32768
        )
        parts.append(torch.log(transform(samples) + mels.floor).transpose(1, 2).numpy())
    return np.concatenate(parts)
