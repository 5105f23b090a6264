"""The clock."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l2l.moments import (
    MOMENT_FRAMES,
    ClipGrid,
    moment_count,
    moments_inside,
    start_sample,
    start_seconds,
)

grids = st.builds(ClipGrid, st.integers(1, 32), st.sampled_from([1, 2, 4, 8, 16]))


@given(st.integers(1, 100_000), grids)
def test_every_clip_lies_inside_its_video_unless_the_video_is_shorter_than_a_clip(frames, grid):
    count = moment_count(frames, grid)
    last_frame = (count - 1) * MOMENT_FRAMES + grid.span_frames
    assert last_frame <= frames or count == 1


@given(st.integers(1, 100_000), grids)
def test_one_more_clip_would_not_fit(frames, grid):
    assert moment_count(frames, grid) * MOMENT_FRAMES + grid.span_frames > frames


def test_the_papers_clip_is_16_pictures_every_other_frame():
    grid = ClipGrid()
    assert (grid.frames, grid.span_frames, grid.pictures_per_moment) == (16, 31, 8)
    assert [moment_count(n, grid) for n in (1, 31, 46, 47, 62, 63)] == [1, 1, 1, 2, 2, 3]


def test_a_stride_that_leaves_a_remainder_is_refused():
    with pytest.raises(ValueError, match="must divide 16"):
        ClipGrid(16, 3)


def test_a_video_without_frames_has_no_moments():
    with pytest.raises(ValueError, match="0 frames"):
        moment_count(0, ClipGrid())


@given(st.integers(0, 1_000_000))
def test_moments_start_exactly_sixteen_thirtieths_of_a_second_apart(moment):
    assert start_seconds(moment) == Fraction(16 * moment, 30)
    assert abs(start_sample(moment) - start_seconds(moment) * 16_000) <= Fraction(1, 3)


def test_the_first_samples_are_those_computed_by_hand():
    assert [start_sample(k) for k in range(4)] == [0, 8533, 17067, 25600]


segments = st.lists(
    st.tuples(st.floats(0, 50), st.floats(0.01, 20)).map(lambda s: (s[0], s[0] + s[1])),
    min_size=1,
    max_size=4,
)


@given(segments, st.integers(1, 120))
def test_moments_inside_a_segment_are_whole_seconds_or_the_nearest_one_of_a_short_segment(
    spans, count
):
    chosen = moments_inside(spans, count)
    assert chosen == sorted(set(chosen))
    assert all(0 <= k < count for k in chosen)
    for start, end in spans:
        whole = [
            k for k in range(count) if start <= start_seconds(k) and start_seconds(k) + 1 <= end
        ]
        assert set(whole) <= set(chosen)
        if not whole:
            nearest = min(
                abs(float(start_seconds(k)) + 0.5 - (start + end) / 2) for k in range(count)
            )
            assert any(
                abs(float(start_seconds(k)) + 0.5 - (start + end) / 2) == nearest for k in chosen
            )
