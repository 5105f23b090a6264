"""What is asked for of a video: chosen moments, the sound alone, the pictures alone."""

import numpy as np
import pytest
from media_files import WHOLE, listed, make_video

from l2l.media.decode import decode


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return listed(make_video(tmp_path_factory.mktemp("video") / "a.mp4", seconds=4.5)).source


@pytest.fixture(scope="module")
def every(video):
    return decode(video, WHOLE, "moments")


def every_other(count):
    return list(range(1, count, 2))


@pytest.mark.parametrize(
    "moments", [slice(None, None, 3), [0, 3, 6], range(1, 5), [6], [], every_other]
)
def test_the_frames_of_chosen_moments_are_those_of_all(video, every, moments):
    found = decode(video, WHOLE, "moments", moments=moments)
    if callable(moments):
        moments = moments(every.moments)
    numbers = list(range(every.moments)[moments] if isinstance(moments, slice) else moments)
    assert found.chosen.tolist() == numbers
    np.testing.assert_array_equal(found.frames(), every.frames()[numbers])
    for number in numbers:
        np.testing.assert_array_equal(found.frame(number), every.frame(number))
    assert (found.status, found.moments) == ("ok", every.moments)
    np.testing.assert_array_equal(found.waveform, every.waveform)
    absent = next(moment for moment in range(every.moments) if moment not in numbers)
    with pytest.raises(IndexError, match=f"moment {absent} was not decoded"):
        found.frame(absent)


def test_sound_and_pictures_can_be_fetched_separately(video, every):
    heard = decode(video, WHOLE, "none")
    assert (heard.status, heard.moments, len(heard.pictures)) == ("ok", every.moments, 0)
    np.testing.assert_array_equal(heard.waveform, every.waveform)
    np.testing.assert_array_equal(heard.has_sound(), every.has_sound())
    seen = decode(video, WHOLE, "moments", sound=False)
    assert (seen.status, seen.reason, len(seen.waveform)) == ("ok", "", 0)
    np.testing.assert_array_equal(seen.frames(), every.frames())


def test_the_frames_of_all_moments_are_counted(every):
    assert every.frames_total == 112  # of 25 per second
    assert 0 < every.frames_decoded <= every.frames_total


def test_a_moment_that_the_video_does_not_have_is_named(video):
    with pytest.raises(IndexError, match="no moment 99: the video has 7"):
        decode(video, WHOLE, "moments", moments=[0, 99])


@pytest.mark.parametrize("moments", [[3, 1], [2, 2], [-1, 0]])
def test_chosen_moments_rise(video, moments):
    with pytest.raises(ValueError, match="expected numbers from 0 on that rise"):
        decode(video, WHOLE, "moments", moments=moments)


def test_clips_of_some_moments_are_refused(video):
    with pytest.raises(ValueError, match="clips of some moments"):
        decode(video, WHOLE, "clips", moments=[1])
