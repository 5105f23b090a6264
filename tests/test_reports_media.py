"""Small files made after public reports: each gets the status that is true.

What must happen to each, and why, is in the EXPECT.tsv next to them.
"""

from fractions import Fraction
from pathlib import Path

import pytest
from media_files import decoded, listed, numbers, shown_at, tones

from l2l.config import MediaConfig
from l2l.media.decode import decode
from l2l.media.decoded import Decoded

REPORTS = Path(__file__).parents[2] / "shared/reports"
STRIP = MediaConfig(resize_pixels=(128, 128), frame_pixels=128, jpeg_quality="lossless")


@pytest.fixture(scope="module")
def reports() -> Path:
    if not REPORTS.is_dir():
        pytest.skip(f"{REPORTS}: the folder of reported files is not available")
    return REPORTS


def shown_numbers(video: Decoded) -> list[int]:
    return numbers(video.pictures.as_array())


def at_25_fps(video: Decoded, count: int) -> list[int]:
    """The numbers that the clips of a video of `count` frames at 25 fps show."""
    return [shown_at(count, Fraction(25), tick) for tick in range(0, video.grid_frames, 2)]


@pytest.mark.parametrize(
    ("name", "grid_frames", "count", "heard"),
    [
        ("t42f_concat_copy.mp4", 181, 150, [300, 400, 500, 600, 700, 800]),
        ("t42b_sound_steps_back_60ms.mkv", 120, 100, [300, 400, 500]),
    ],
)
def test_joined_clips_are_usable_though_their_sound_steps_back(
    reports, name, grid_frames, count, heard
):
    video = decoded(reports / name, STRIP)
    assert (video.status, video.grid_frames) == ("ok", grid_frames)
    expected = at_25_fps(video, count)
    assert max(abs(a - b) for a, b in zip(shown_numbers(video), expected, strict=True)) <= 1
    assert tones(video.waveform)[: len(heard)] == heard


def test_segments_of_separate_encoders_are_whole_though_their_counters_start_again(reports):
    video = decoded(reports / "t05d_segments_of_separate_muxers.ts", STRIP)
    assert video.status == "ok"
    assert abs(video.grid_frames - 180) <= 3
    expected = at_25_fps(video, 150)
    assert max(abs(a - b) for a, b in zip(shown_numbers(video), expected, strict=True)) <= 3
    assert tones(video.waveform)[:6] == [300, 400, 500, 600, 700, 800]


def test_a_splice_with_other_streams_is_not_ok_and_names_the_stream_of_the_rest(reports):
    video = decoded(reports / "t03_ts_pmt_change.ts", STRIP)
    assert video.status == "truncated"
    assert "2.0 s of 4.0 s" in video.reason
    assert "stream 2" in video.reason


def test_zeros_after_the_last_packet_are_no_damage(reports):
    video = decoded(reports / "t08f_trailing_zeros.ts", STRIP)
    assert (video.status, video.grid_frames) == ("ok", 121)
    assert "65536 bytes of zeros" in video.reason
    assert tones(video.waveform)[:4] == [300, 400, 500, 600]


def test_channels_that_cancel_each_other_are_heard_and_remarked(reports):
    video = decoded(reports / "a01_phase_inverted_stereo.mp4", STRIP)
    assert video.status == "ok"
    assert "cancel each other in 4.0 s" in video.reason
    assert tones(video.waveform) == [300, 400, 500, 600]


@pytest.mark.parametrize(
    "name",
    ["a21_first_stream_silent_second_not.mkv", "a22_first_stream_broken_second_good.mkv"],
)
def test_where_the_first_stream_of_sound_has_none_the_second_is_heard(reports, name):
    video = decoded(reports / name, STRIP)
    assert (video.status, video.audio_stream) == ("ok", 2)
    assert "stream 2" in video.reason
    assert "stream 1" in video.reason
    assert tones(video.waveform)[:4] == [300, 400, 500, 600]


def test_half_of_a_wmv_is_truncated(reports):
    row = listed(reports / "t27_cut_wmv.wmv")
    status = decode(row.source, STRIP, "moments").status if row.usable else row.status
    assert status == "truncated"
