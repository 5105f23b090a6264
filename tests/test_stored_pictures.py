"""Stored pictures: read by one library, with the pixels of another, and nothing but JPEG."""

import io

import numpy as np
import pytest
from PIL import Image

from l2l.media import pictures
from l2l.media.pictures import EncodedPictures, decode_picture, encode

RNG = np.random.default_rng(0)


def drawn(side, kind):
    """A picture, uint8 (side, side, 3)."""
    rise = np.linspace(0, 255, side)
    if kind == "noise":
        return RNG.integers(0, 256, (side, side, 3), dtype=np.uint8)
    x, y = rise[:, None], rise[None]
    colours = np.stack([(x + y) / 2, np.abs(x - y), np.broadcast_to(x, (side, side))], 2)
    if kind == "grain":
        colours = colours + RNG.normal(0, 10, colours.shape)
    return np.clip(colours, 0, 255).astype(np.uint8)


def saved(picture, form="JPEG", mode="RGB", **options):
    buffer = io.BytesIO()
    Image.fromarray(picture).convert(mode).save(buffer, form, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["noise", "gradient", "grain"])
@pytest.mark.parametrize("side", [1, 8, 17, 32, 112, 224])
@pytest.mark.parametrize("quality", [1, 50, 90, 94, 95, 100])
def test_the_pixels_are_those_of_pillow(quality, side, kind):
    encoded = encode(drawn(side, kind), quality)
    with Image.open(io.BytesIO(encoded)) as image:
        expected = np.asarray(image)
    np.testing.assert_array_equal(decode_picture(encoded, side, quality), expected)


def test_lossless_pictures_are_what_was_drawn():
    picture = drawn(9, "noise")
    encoded = encode(picture, "lossless")
    np.testing.assert_array_equal(decode_picture(encoded, 9, "lossless"), picture)


@pytest.mark.parametrize("quality", [90, "lossless"])
def test_selected_pictures_come_in_the_order_asked_for(quality):
    drawings = np.stack([drawn(16, "grain") for _ in range(4)])
    stored = EncodedPictures.from_array(drawings, quality)
    expected = [stored[number] for number in (2, 0, 0, 3)]
    np.testing.assert_array_equal(stored.select([2, 0, 0, 3]), expected)
    assert stored.select([]).shape == (0, 16, 16, 3)


def test_a_picture_that_is_asked_for_twice_is_decoded_once(monkeypatch):
    stored = EncodedPictures.from_array(np.stack([drawn(16, "grain")] * 3), 90)
    calls = []
    plain = pictures.decode_picture
    monkeypatch.setattr(
        pictures, "decode_picture", lambda *given: calls.append(given) or plain(*given)
    )
    stored.select([1, 1, 2, 1])
    assert len(calls) == 2


WHOLE = saved(drawn(16, "grain"))
LARGER_HEADER = WHOLE.replace(b"\x00\x10\x00\x10\x03", b"\xff\xdc\xff\xdc\x03")  # 65,500 pixels


@pytest.mark.parametrize(
    ("encoded", "message"),
    [
        (b"", "no JPEG"),
        (b"no picture", "no JPEG"),
        (WHOLE[:20], "no JPEG"),
        (WHOLE[: len(WHOLE) // 2], "no JPEG"),
        (saved(drawn(16, "grain"), "PNG"), "no JPEG"),
        (saved(drawn(16, "grain"), "TIFF"), "no JPEG"),
        (saved(drawn(8, "grain")), "8 x 8 pixels"),
        (LARGER_HEADER, "65500 x 65500 pixels"),
        (saved(drawn(16, "grain"), mode="L"), "Gray"),
        (saved(drawn(16, "grain"), mode="CMYK"), "CMYK"),
    ],
)
def test_what_is_no_jpeg_of_the_expected_size_is_refused(encoded, message):
    with pytest.raises(ValueError, match=message):
        decode_picture(encoded, 16, 90)


def test_damaged_bytes_are_refused_or_give_a_picture_of_the_expected_size():
    for _ in range(300):
        damaged = bytearray(WHOLE)
        for place in RNG.integers(0, len(WHOLE), 3):
            damaged[place] = RNG.integers(256)
        try:
            assert decode_picture(bytes(damaged), 16, 90).shape == (16, 16, 3)
        except ValueError:
            continue
