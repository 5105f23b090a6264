"""The pictures of one video, each held in the form in which it is stored.

Memory then grows with the JPEG bytes only: three hours of moments take some 100 MB, not 800.
"""

import io
from collections.abc import Iterable, Sequence

import numpy as np
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
        decoded = {int(number): self[number] for number in set(map(int, numbers))}
        shape = (0, self.side, self.side, 3)
        return (
            np.stack([decoded[int(n)] for n in numbers]) if decoded else np.zeros(shape, np.uint8)
        )

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


def decode_picture(encoded: bytes, side: int, quality: int | str) -> np.ndarray:
    """What `encode` returned, as uint8 (side, side, 3).

    Raises:
        ValueError: if the bytes are not such a picture. No other format than JPEG is opened.
    """
    if quality == "lossless":
        return np.frombuffer(encoded, np.uint8).reshape(side, side, 3)
    try:
        with Image.open(io.BytesIO(encoded), formats=["JPEG"]) as image:
            if image.size != (side, side) or image.mode != "RGB":
                raise ValueError(
                    f"a picture of {image.size[0]} x {image.size[1]} pixels ({image.mode}), "
                    f"expected {side} x {side} (RGB)"
                )
            return np.asarray(image)
    except OSError as error:  # also PIL's UnidentifiedImageError
        raise ValueError(f"a stored picture is no JPEG that can be read: {error}") from None
