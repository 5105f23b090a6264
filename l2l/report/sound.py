"""Pieces of sound and their spectrograms as `data:` addresses: small, and without a network."""

import base64
import io

import av
import matplotlib
import numpy as np
from PIL import Image

from l2l.moments import SAMPLE_RATE_HZ

_BIT_RATE = 32_000  # of MP3, which every browser plays; 4 kB per second
_PALETTE = (matplotlib.colormaps["magma"](range(256))[:, :3] * 255).round().astype(np.uint8)


def sound_address(samples: np.ndarray) -> str:
    """Mono sound at 16 kHz, int16 (samples,), as an MP3; the same sound gives the same bytes."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp3", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("libmp3lame", rate=SAMPLE_RATE_HZ, layout="mono")
        stream.bit_rate = _BIT_RATE
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16p", layout="mono")
        frame.sample_rate = SAMPLE_RATE_HZ
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    return "data:audio/mpeg;base64," + base64.b64encode(file.getvalue()).decode()


def spectrogram_address(mel: np.ndarray, low: float, high: float) -> str:
    """A mel (windows, bands), ln(power), as a PNG: time to the right, low bands at the bottom.

    Args:
        mel: of one moment.
        low: value of the darkest colour.
        high: of the brightest.
    """
    shares = np.clip((mel.T[::-1] - low) / max(high - low, 1e-6), 0, 1)
    picture = Image.fromarray((shares * 255).round().astype(np.uint8), "L")
    picture.putpalette(_PALETTE.tobytes())
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
