"""Rows of all videos in one array: what offsets are believed, and the one reader of them."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from l2l.arrays import NotFiniteError, VideoRows, check_finite, offsets_of


@given(st.lists(st.integers(0, 5), max_size=6))
def test_each_video_gets_its_own_rows_and_together_they_are_all(lengths):
    videos = [f"v{i}" for i in range(len(lengths))]
    array = np.arange(sum(lengths))
    rows = VideoRows(videos, offsets_of(lengths), Path("s.h5"))
    rows.check_arrays(array=len(array))
    assert [rows.count(video) for video in videos] == lengths
    parts = [array[rows[video]] for video in videos]
    assert np.concatenate([array[:0], *parts]).tolist() == array.tolist()


@pytest.mark.parametrize("offsets", [[0, 2, 1], [1, 2, 3], [0, 2], [0, 1, 2, 3], [[0], [1], [2]]])
def test_offsets_that_do_not_rise_from_zero_one_per_video_are_refused(offsets):
    with pytest.raises(ValueError, match="expected 3 offsets that rise from 0"):
        VideoRows(["a", "b"], np.array(offsets), Path("s.h5"))


def test_a_duplicate_video_and_an_array_of_another_length_are_refused():
    with pytest.raises(ValueError, match="duplicate"):
        VideoRows(["a", "a"], np.array([0, 1, 2]), Path("s.h5"))
    with pytest.raises(ValueError, match="mel has 3 rows, its videos have 2"):
        VideoRows(["a", "b"], np.array([0, 1, 2]), Path("s.h5")).check_arrays(mel=3)


def test_the_mark_of_complete_features_is_written_without_pytorch():
    code = "import sys, l2l.features.stage; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_numbers_that_are_not_finite_are_found_among_all_of_float16():
    every = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    assert check_finite("all", every[np.isfinite(every)]).size == 63_488
    for number in every[~np.isfinite(every)]:
        with pytest.raises(NotFiniteError):
            check_finite("one", np.array([0, number, 1], np.float16))
