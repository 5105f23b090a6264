"""Stored pictures against Pillow."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from bench import Row
from PIL import Image

from l2l.media.pictures import EncodedPictures

SIDE, QUALITY, COUNT = 112, 90, 500


def drawn() -> np.ndarray:
    """A picture, uint8 (side, side, 3): blocks of colour with grain, 5 kB as JPEG."""
    rng = np.random.default_rng(0)
    blocks = np.kron(rng.integers(0, 256, (14, 14, 3)), np.ones((8, 8, 1)))
    return np.clip(blocks + rng.normal(0, 6, blocks.shape), 0, 255).astype(np.uint8)


def rows(_: Path) -> Iterator[Row]:
    """500 pictures in one array."""
    stored = EncodedPictures.from_array(np.stack([drawn()] * COUNT), QUALITY)

    def peer() -> np.ndarray:
        return np.stack([np.asarray(Image.open(io.BytesIO(each))) for each in stored.encoded])

    yield Row("stored pictures, read for training", "Pillow", stored.as_array, peer, 1.6)
