"""Rendered videos as files."""

from pathlib import Path

import av
import numpy as np

from l2l.demo.films import FRAME_RATE, Film
from l2l.demo.sounds import RATE_HZ


def write_film(path: Path, film: Film) -> None:
    """Write a film as MP4: H.264 at 15 fps, AAC mono at 16 kHz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    side = film.pictures.shape[1]
    with av.open(str(path), "w", options={"fflags": "+bitexact"}) as container:
        pictures = container.add_stream(
            "libx264",
            rate=FRAME_RATE,
            options={"preset": "ultrafast", "crf": "18", "threads": "1"},
        )
        pictures.width, pictures.height, pictures.pix_fmt = side, side, "yuv420p"
        sound = container.add_stream("aac", rate=RATE_HZ, layout="mono")
        sound.bit_rate = 48_000
        for picture in film.pictures:
            container.mux(pictures.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(pictures.encode())
        frame = av.AudioFrame.from_ndarray(
            np.clip(film.waveform, -1, 1).astype(np.float32)[None], format="fltp", layout="mono"
        )
        frame.sample_rate = RATE_HZ
        container.mux(sound.encode(frame))
        container.mux(sound.encode())
