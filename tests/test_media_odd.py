"""The collection of odd files: each is read as people mean it, or has a status that is true."""

import numpy as np
import pytest
from media_files import (
    listed,
    numbered,
    numbers,
    tones,
)

from l2l.config import MediaConfig
from l2l.media.decode import decode

STRIP = MediaConfig(
    resize_pixels=(128, 128), frame_pixels=128, jpeg_quality="lossless"
)  # nothing cropped

AT_25_FPS = [0, 13, 27, 40, 53, 67]  # frames shown at the first six moments
ODD = {
    "01_ref_25fps.mp4": ("ok", 300, AT_25_FPS, [300 + 100 * k for k in range(10)]),
    "09_vfr.mp4": ("ok", 239, [0, 27, 54, 80, 102, 111], [300 + 100 * k for k in range(7)]),
    "10_60fps.mp4": ("ok", 120, [0, 32, 64, 96, 128, 160], [300, 400, 500, 600]),
    "11_ntsc_2997.mp4": ("ok", 180, [0, 16, 32, 48, 64, 80], [300 + 100 * k for k in range(6)]),
    "12_1fps.mp4": ("ok", 240, [0, 0, 1, 1, 2, 2], [300 + 100 * k for k in range(8)]),
    "13_one_frame.mp4": ("too_short", 1, [0], [300]),
    "14_very_short.mp4": ("too_short", 6, [0], []),
    "15_one_keyframe_120s.mp4": ("ok", 3600, [0, 5, 10, 16, 21, 26], None),
    "16_ts_wrap_offset.ts": (
        "ok",
        301,
        [0, 13, 26, 39, 53, 66],
        [300 + 100 * k for k in range(10)],
    ),
    "18_edit_list.mp4": ("ok", 194, [88, 101, 115, 128, 141, 155], None),
    "19_cut_mid_gop.ts": ("audio_partial", 104, [89, 97, 110, 124, 137, 150], None),
    "20_no_audio.mp4": ("no_audio", 300, AT_25_FPS, []),
    "23_audio_long_15s.mp4": ("ok", 180, AT_25_FPS, [300 + 100 * k for k in range(6)]),
    "25_video_starts_at_3s.mp4": (
        "ok",
        300,
        [0, 0, 0, 0, 0, 0, 5],
        [300 + 100 * k for k in range(10)],
    ),
    "26_silent_track.mp4": ("silent", 150, AT_25_FPS, [0] * 5),
    "27_two_audio.mp4": ("ok", 150, AT_25_FPS, [2000] * 5),
    "28_cover_art_first.mp4": ("ok", 300, AT_25_FPS, [300 + 100 * k for k in range(10)]),
    "29_audio_stream_first.mp4": ("ok", 300, AT_25_FPS, [300 + 100 * k for k in range(10)]),
    "30_surround_51.mkv": ("ok", 90, [0, 13, 26, 40], [300, 400, 500]),
    "31_mjpeg_pcm_u8_8k.avi": ("ok", 90, AT_25_FPS[:4], [300, 400, 500]),
    "36_odd_321x241_444.mp4": ("no_audio", 60, AT_25_FPS[:3], []),
    "37_1x1.mkv": ("too_short", 30, None, []),
    "38_3x5.mkv": ("too_short", 30, None, []),
    "39_4k.mp4": ("too_short", 30, None, [300]),
    "41_hdr10_hevc.mp4": ("ok", 60, AT_25_FPS[:3], [300, 400]),
    "42_interlaced_tff.mpg": ("ok", 120, None, [300, 400, 500, 600]),
    "43_vp9_alpha_live.webm": ("no_audio", 60, AT_25_FPS[:3], []),
    "44_gif_named.mp4": ("no_audio", 90, [0, 5, 10, 16], []),
    "45_webm_named.avi": ("ok", 90, AT_25_FPS[:4], [300, 400, 500]),
    "47_fragmented.mp4": ("ok", 62, None, [300, 400]),
    "48_all_black.mp4": ("ok", 90, [0, 0, 0, 0], [300, 400, 500]),
    "33_rotate90.mp4": ("ok", 94, None, [300, 400, 500]),
    "34_rotate180.mp4": ("ok", 94, None, [300, 400, 500]),
    "02_truncated_no_moov.mp4": ("truncated", 0, None, []),
    "03_truncated_faststart.mp4": ("truncated", 0, None, []),
    "04_zero_bytes.mp4": ("corrupt", 0, None, []),
    "05_html_error_page.mp4": ("corrupt", 0, None, []),
    "06_random_bytes.mp4": ("corrupt", 0, None, []),
    "21_audio_only.mp4": ("refused", 0, None, []),
    "49_hls_disguised.mp4": ("corrupt", 0, None, []),
    "50_ffconcat_disguised.mp4": ("refused", 0, None, []),
    "51_dash_disguised.mp4": ("corrupt", 0, None, []),
}


@pytest.mark.parametrize("name", sorted(ODD))
def test_an_odd_file_does_what_one_means(odd, name):
    status, frames, first_frames, heard = ODD[name]
    row = listed(odd / name)
    if not row.usable:
        assert (row.status, frames) == (status, 0)
        assert row.reason
        return
    found = decode(row.source, STRIP, "moments")
    assert (found.status, found.grid_frames) == (status, frames)
    if first_frames is not None:
        assert numbers(found.pictures.as_array()[: len(first_frames)]) == first_frames
    if heard is not None:
        assert tones(found.waveform)[: len(heard)] == heard


def test_every_odd_file_is_tried(odd):
    assert set(ODD) == {path.name for path in odd.iterdir()} - {"EXPECT.tsv"}


@pytest.mark.parametrize(("name", "quarters"), [("33_rotate90.mp4", 3), ("34_rotate180.mp4", 2)])
def test_a_turned_picture_is_shown_as_its_matrix_says(odd, name, quarters):
    """Turned counterclockwise by 90 degrees or by 180.

    The strip runs up the left side, or upside down along the bottom.
    """
    row = listed(odd / name)
    found = decode(row.source, STRIP, "moments")
    pictures = found.pictures.as_array()
    readable = [
        quarter_turns
        for quarter_turns in range(4)
        if numbers(np.rot90(pictures, quarter_turns, axes=(1, 2))) == AT_25_FPS[: len(pictures)]
    ]
    assert readable == [quarters]


def test_interlaced_pictures_are_shown_at_their_time(odd):
    """Frame k weaves the numbers 2k and 2k + 1; both fields are seen, averaged."""
    row = listed(odd / "42_interlaced_tff.mpg")
    found = decode(row.source, STRIP, "moments")
    shown = [number // 2 for number in numbers(found.pictures.as_array()[:6])]
    assert (
        np.abs(np.array(shown) - AT_25_FPS).max() <= 1
    )  # its first time stamp falls between those of the grid


def test_numbered_pictures_show_their_numbers():
    assert numbers(numbered(300)) == list(range(300))
