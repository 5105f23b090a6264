"""Pictures of real files: the picture of each moment, scaled and cropped as torchvision does."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from media_files import (
    H264,
    WHOLE,
    decoded,
    make_video,
    numbers,
    run,
    shown_at,
    tones,
)
from torchvision.transforms.v2.functional import center_crop, resize

from l2l.config import MediaConfig
from l2l.moments import moment_count


@pytest.mark.parametrize("rate", [1, 10, 24, 25, Fraction(30_000, 1001), 30, 50, 60, 120])
def test_each_picture_is_the_frame_of_its_time(tmp_path, rate):
    rate = Fraction(rate)
    count = int(4 * rate)
    found = decoded(
        make_video(tmp_path / "a.mp4", seconds=float(count / rate), rate=rate, sound=None)
    )
    assert abs(found.grid_frames - float(count / rate * 30)) <= 1
    assert found.moments == moment_count(found.grid_frames, WHOLE.grid)
    assert numbers(found.pictures.as_array()) == [
        shown_at(count, rate, slot) for slot in range(0, found.grid_frames, 2)
    ]
    for moment in range(found.moments):
        expected = [shown_at(count, rate, 16 * moment + 2 * i) for i in range(16)]
        assert numbers(found.clip(moment)) == expected
        assert numbers(found.frame(moment)[None]) == expected[:1]


def test_frames_of_moments_alone_are_those_of_the_clips(tmp_path):
    path = make_video(tmp_path / "a.mp4", seconds=3.3)
    every, first = decoded(path), decoded(path, pictures="moments")
    assert (first.grid_frames, first.moments, first.status) == (
        every.grid_frames,
        every.moments,
        "ok",
    )
    assert len(first.pictures) == -(-every.grid_frames // 16) < len(every.pictures)
    for moment in range(every.moments):
        np.testing.assert_array_equal(first.frame(moment), every.frame(moment))
    np.testing.assert_array_equal(first.waveform, every.waveform)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi", "a.ts", "a.webm"])
def test_every_container_gives_the_same_frames_and_seconds(tmp_path, name):
    codec = ("-c:v", "libvpx", "-b:v", "2M", "-deadline", "realtime") if name == "a.webm" else H264
    found = decoded(make_video(tmp_path / name, seconds=3, video=codec))
    assert found.status == "ok"
    assert abs(found.grid_frames - 90) <= 1
    expected = [shown_at(75, Fraction(25), slot) for slot in range(0, found.grid_frames, 2)]
    assert all(
        abs(a - b) <= 1 for a, b in zip(numbers(found.pictures.as_array()), expected, strict=True)
    )  # .ts and .avi start a frame late
    assert tones(found.waveform) == [300, 400, 500]


@pytest.mark.parametrize(
    ("height", "width", "resize_pixels", "whole"),
    [
        (240, 320, (128, 171), (128, 171)),
        (
            200,
            334,
            128,
            (128, 213),
        ),  # 213.76 wide, rounded down; 50.5 pixels to the left of the crop: 50
        (200, 324, 128, (128, 207)),  # 47.5: 48
        (310, 240, 128, (165, 128)),  # upright
        (240, 240, 128, (128, 128)),
    ],
)
def test_crop_and_scale_are_those_of_the_antialiased_resize(
    tmp_path, height, width, resize_pixels, whole
):
    y, x = np.mgrid[:height, :width]
    waves = [128 + 100 * np.sin(x / a) * np.cos(y / b) for a, b in ((23, 31), (41, 17), (29, 37))]
    picture = np.stack(waves, axis=2).astype(np.uint8)
    raw = [
        "-f",
        "rawvideo",
        "-pix_fmt",
        "rgb24",
        "-s",
        f"{width}x{height}",
        "-r",
        "30",
        "-i",
        "pipe:0",
    ]
    lossless = ["-c:v", "libx264rgb", "-qp", "0", tmp_path / "a.mkv"]
    run(*raw, *lossless, pictures=picture.tobytes() * 31)
    found = decoded(tmp_path / "a.mkv", MediaConfig(resize_pixels=resize_pixels)).pictures[3]
    given = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float()
    size = [resize_pixels] if isinstance(resize_pixels, int) else list(resize_pixels)
    resized = resize(given, size, antialias=True)
    assert resized.shape[2:] == whole
    expected = center_crop(resized, [112, 112])[0].permute(1, 2, 0).numpy()
    error = np.mean((expected - found) ** 2)
    assert 10 * np.log10(255**2 / error) > 50
    shifted = np.mean((np.roll(expected, 1, axis=1) - found) ** 2)
    assert 10 * np.log10(255**2 / shifted) < 35  # the measure would see one pixel


def test_pictures_that_change_their_size_in_mid_stream_keep_their_time(tmp_path):
    parts = []
    for part, size in enumerate(["64x64", "128x96"]):
        sound = f"'0.5*sin(2*PI*{400 + 400 * part}*t){'|0' * part}'"
        resized = ["-vf", f"scale={size.replace('x', ':')}:flags=neighbor"]
        spliced = [
            "-output_ts_offset",
            str(2 * part),
            "-muxdelay",
            "0",
            "-mpegts_flags",
            "+initial_discontinuity",
        ]
        parts.append(make_video(tmp_path / f"{part}.ts", sound=sound, extra=[*resized, *spliced]))
    (tmp_path / "a.ts").write_bytes(b"".join(part.read_bytes() for part in parts))
    found = decoded(tmp_path / "a.ts")
    assert found.status == "ok"
    assert abs(found.grid_frames - 120) <= 4
    half = [shown_at(50, Fraction(25), slot) for slot in range(0, 60, 2)]
    assert np.abs(np.array(numbers(found.pictures.as_array())[:55]) - (half + half)[:55]).max() <= 3
    assert tones(found.waveform)[:4] == [400, 400, 800, 800]  # stereo from the third second on


def test_a_video_shorter_than_a_clip_is_one_padded_moment(tmp_path):
    found = decoded(make_video(tmp_path / "a.mp4", seconds=1))  # 30 frames; a clip spans 31
    assert (found.status, found.grid_frames, found.moments) == ("too_short", 30, 1)
    assert "padded by the last frame" in found.reason
    assert numbers(found.clip(0))[-1] == shown_at(25, Fraction(25), 28)
    assert decoded(make_video(tmp_path / "b.mp4", seconds=1.04)).status == "ok"
