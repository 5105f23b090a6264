"""The pictures of one video, each held in the form in which it is stored.

Memory then grows with the JPEG bytes only: three hours of moments take some 100 MB, not 800.
"""

import io
from collections.abc import Iterable, Sequence

import numpy as np
import simplejpeg
from PIL import Image


class EncodedPictures:
    """Pictures of equal size, encoded as they come from the decoder and decoded when they are read.

    Attributes:
        encoded: the bytes of each picture, as `encode` returns them.
        side: width and height in pixels.
        quality: of JPEG, or `lossless`.
    """

    def __init__(
        self, side: int, quality: int | str = "lossless", encoded: Iterable[bytes] = ()
    ) -> None:
        self.side = side
        self.quality = quality
        self.encoded = list(encoded)
        self._pending = bytearray()

    @classmethod
    def from_array(cls, pictures: np.ndarray, quality: int | str = "lossless") -> "EncodedPictures":
        """Encode pictures, uint8 (pictures, side, side, 3)."""
        return cls(pictures.shape[1], quality, (encode(each, quality) for each in pictures))

    def write(self, block: bytes | memoryview) -> None:
        """Take the next bytes of a stream of rgb24 pictures, wherever they are cut."""
        size = self.side * self.side * 3
        self._pending += block
        whole = len(self._pending) // size * size
        pictures = np.frombuffer(bytes(self._pending[:whole]), np.uint8)
        self.encoded += [
            encode(each, self.quality) for each in pictures.reshape(-1, self.side, self.side, 3)
        ]
        del self._pending[:whole]

    def __len__(self) -> int:
        return len(self.encoded)

    def __getitem__(self, number: int) -> np.ndarray:
        """One picture, uint8 (side, side, 3)."""
        return decode_picture(self.encoded[number], self.side, self.quality)

    def select(self, numbers: Sequence[int] | np.ndarray) -> np.ndarray:
        """Some pictures, uint8 (numbers, side, side, 3); each is decoded once."""
        selected = np.empty((len(numbers), self.side, self.side, 3), np.uint8)
        first_row: dict[int, int] = {}
        for row, number in enumerate(map(int, numbers)):
            if number in first_row:
                selected[row] = selected[first_row[number]]
            else:
                decode_picture(self.encoded[number], self.side, self.quality, selected[row])
                first_row[number] = row
        return selected

    def as_array(self) -> np.ndarray:
        """All pictures, uint8 (pictures, side, side, 3)."""
        return self.select(range(len(self)))


def encode(picture: np.ndarray, quality: int | str) -> bytes:
    """A picture, uint8 (side, side, 3), as JPEG, or its raw bytes for `lossless`.

    From quality 95 on, JPEG keeps colour at full resolution.
    """
    if quality == "lossless":
        return picture.tobytes()
    buffer = io.BytesIO()
    subsampling = "4:4:4" if int(quality) >= 95 else "4:2:0"
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality, subsampling=subsampling)
    return buffer.getvalue()


def decode_picture(
    encoded: bytes | memoryview, side: int, quality: int | str, into: np.ndarray | None = None
) -> np.ndarray:
    """What `encode` returned, as uint8 (side, side, 3), in `into` if that is given.

    simplejpeg gives the pixels of Pillow in half of its time: both are libjpeg-turbo, with exact
    cosine transforms and smooth upsampling of colour.

    Raises:
        ValueError: if the bytes are not such a picture. No other format than JPEG is opened, and
            nothing is decoded before the size in the header is the expected one.
    """
    picture = np.empty((side, side, 3), np.uint8) if into is None else into
    if quality == "lossless":
        picture[...] = np.frombuffer(encoded, np.uint8).reshape(side, side, 3)
        return picture
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(encoded)
        stored = f"{width} x {height} pixels ({colours})"
        if (height, width, colours) == (side, side, "YCbCr"):
            return simplejpeg.decode_jpeg(encoded, "RGB", buffer=picture)
    except ValueError as error:
        raise ValueError(f"a stored picture is no JPEG that can be read: {error}") from None
    raise ValueError(f"a picture of {stored}, expected {side} x {side} (YCbCr)")
