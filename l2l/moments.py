"""The clock: the moments of a video in exact fractions of a second, and what belongs to each.

A video is resampled to a grid of 30 frames per second that starts at its time zero. Moment k is the
half-open span of 16 grid frames that starts at grid frame 16 k. Its clip has `ClipGrid.frames`
pictures, every `ClipGrid.stride`-th grid frame from its start (paper: 16 pictures, every other
frame). Its frame is the first picture of the clip. Its sound is the second that begins at its
start.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

FRAME_RATE = 30
MOMENT_FRAMES = 16
MOMENT_SECONDS = Fraction(MOMENT_FRAMES, FRAME_RATE)
SAMPLE_RATE_HZ = 16_000
WINDOW_SAMPLES = SAMPLE_RATE_HZ  # a moment's sound: one second


@dataclass(frozen=True)
class ClipGrid:
    """How a clip is sampled from the 30 fps grid: `frames` pictures, every `stride`-th grid frame.

    Raises:
        ValueError: if the stride does not divide a moment, so that clips could not share pictures.
    """

    frames: int = 16
    stride: int = 2

    def __post_init__(self) -> None:
        if self.frames < 1 or self.stride < 1 or MOMENT_FRAMES % self.stride:
            raise ValueError(
                f"a clip of {self.frames} pictures, every {self.stride}: the stride must divide "
                f"{MOMENT_FRAMES}"
            )

    @property
    def pictures_per_moment(self) -> int:
        """Pictures from the start of one moment to the start of the next."""
        return MOMENT_FRAMES // self.stride

    @property
    def span_frames(self) -> int:
        """Grid frames from the first picture of a clip to its last, both included."""
        return (self.frames - 1) * self.stride + 1


def moment_count(video_frames: int, grid: ClipGrid) -> int:
    """The number of moments of a video: as many as have a complete clip, and at least one.

    Args:
        video_frames: length of the video in frames at 30 fps.
        grid: of the clips.

    Raises:
        ValueError: for a video without frames.
    """
    if video_frames < 1:
        raise ValueError(f"a video of {video_frames} frames has no moments")
    return max(0, video_frames - grid.span_frames) // MOMENT_FRAMES + 1


def start_seconds(moment: int) -> Fraction:
    """The exact start of a moment."""
    return moment * MOMENT_SECONDS


def start_sample(moment: int) -> int:
    """The first sample of a moment's sound at 16 kHz, rounded to the nearest sample. Moments start
    on thirds of a sample, so there are no ties.
    """
    return round(start_seconds(moment) * SAMPLE_RATE_HZ)


def moments_inside(segments: Sequence[tuple[float, float]], count: int) -> list[int]:
    """The moments whose second of picture and sound lies completely inside a segment, sorted.

    A segment that is too short for that gives the one moment whose middle is nearest to its own
    middle, so that no segment is lost.

    Args:
        segments: start and end of each in seconds.
        count: the number of moments of the video.
    """
    inside: set[int] = set()
    for start, end in segments:
        chosen = [
            k for k in range(count) if start <= start_seconds(k) and start_seconds(k) + 1 <= end
        ]
        if not chosen:
            middle = (start + end) / 2
            chosen = [min(range(count), key=lambda k: abs(float(start_seconds(k)) + 0.5 - middle))]
        inside.update(chosen)
    return sorted(inside)
