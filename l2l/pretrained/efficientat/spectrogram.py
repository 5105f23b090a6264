"""The spectrogram that EfficientAT was trained on, which is its input.

Log-mel power of sound at 32 kHz: a window each hundredth of a second, 128 bands up to 15 kHz.
"""

from functools import cache

import numpy as np
import torch
import torchaudio
from jaxtyping import Float, Int16
from torch import Tensor, nn
from torchaudio.compliance.kaldi import get_mel_banks

from l2l.moments import SAMPLE_RATE_HZ

RATE_HZ = 32_000
BANDS = 128
HIGHEST_HZ = 15_000.0
HOP_SAMPLES = 320
WINDOW_SAMPLES = 800
FFT_SAMPLES = 1024
PREEMPHASIS = 0.97
FLOOR = 1e-5
CENTRE, SPREAD = -4.5, 5.0  # of ln(power + FLOOR)
_BATCH_SECONDS = 64  # whose spectra stay in the cache


def spectrogram_shape(samples: int) -> tuple[int, int]:
    """(bands, windows) of a sound of so many samples at 16 kHz: (128, 100) of a second."""
    emphasised = samples * RATE_HZ // SAMPLE_RATE_HZ - 1
    return BANDS, emphasised // HOP_SAMPLES + 1


def spectrograms(
    waveforms: Float[Tensor, "sounds samples"],
) -> Float[Tensor, "sounds bands windows"]:
    """The spectrograms of sounds at 32 kHz with samples in [-1, 1); one second has 100 windows.

    Pre-emphasis x[t] - 0.97 x[t - 1], which drops the first sample; power of centred, symmetric
    Hann windows; triangles of Kaldi's mel scale, 1127 ln(1 + f / 700); the natural logarithm,
    shifted and scaled to about -1 to 1.
    """
    emphasised = torchaudio.functional.preemphasis(waveforms, PREEMPHASIS)[:, 1:]
    power, filters = _power_and_filters()
    return (torch.log(filters @ power(emphasised) + FLOOR) - CENTRE) / SPREAD


@cache
def _power_and_filters() -> tuple[nn.Module, Float[Tensor, "bands frequencies"]]:
    """From waveforms to the power of frequencies, and the share that each band takes of them."""
    power = torchaudio.transforms.Spectrogram(
        FFT_SAMPLES, WINDOW_SAMPLES, HOP_SAMPLES, power=2, wkwargs={"periodic": False}
    )
    filters, _ = get_mel_banks(
        num_bins=BANDS,
        window_length_padded=FFT_SAMPLES,
        sample_freq=RATE_HZ,
        low_freq=0.0,
        high_freq=HIGHEST_HZ,
        vtln_low=100.0,  # this and what follows changes nothing: no warping of frequencies
        vtln_high=-500.0,
        vtln_warp_factor=1.0,
    )
    return power, nn.functional.pad(filters, (0, 1))  # no band has the highest frequency


def spectrograms_of_windows(
    windows: Int16[np.ndarray, "sounds samples"],
) -> Float[np.ndarray, "sounds bands windows"]:
    """The spectrograms of int16 sounds at 16 kHz, as media have them; each is resampled to 32 kHz
    by itself.
    """
    rows = max(1, _BATCH_SECONDS * SAMPLE_RATE_HZ // windows.shape[1])
    parts = [np.zeros((0, *spectrogram_shape(windows.shape[1])), np.float32)]
    for first in range(0, len(windows), rows):
        samples = torch.from_numpy(windows[first : first + rows].astype(np.float32) / 32768)
        resampled = torchaudio.functional.resample(samples, SAMPLE_RATE_HZ, RATE_HZ)
        parts.append(spectrograms(resampled).numpy())
    return np.concatenate(parts)
