"""The clock: where the moments of a video are, in exact fractions of a second, and what belongs to
each.

A video is laid on a grid of 30 frames a second that starts at its time zero. Moment k is the
half-open span of 16 frames from frame 16 k on. Its clip is `ClipGrid.frames` pictures, every
`ClipGrid.stride`-th from its start (paper: 16 pictures, every other frame); its frame is the first
picture of the clip; its sound is the second from its start.
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
    """How a clip is taken from the 30 fps grid: `frames` pictures, every `stride`-th.

    Raises:
        ValueError: if a moment is not a whole number of strides, so that clips could not share
            their pictures.
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
        """Frames of the grid from a clip's first picture to its last, both counted."""
        return (self.frames - 1) * self.stride + 1


def moment_count(video_frames: int, grid: ClipGrid) -> int:
    """Number of moments of a video of `video_frames` frames at 30 fps: while a whole clip fits, and
    never fewer than one.

    Raises:
        ValueError: for a video without frames.
    """
    if video_frames < 1:
        raise ValueError(f"a video of {video_frames} frames has no moments")
    return max(0, video_frames - grid.span_frames) // MOMENT_FRAMES + 1


def start_seconds(moment: int) -> Fraction:
    """When a moment starts, exactly."""
    return moment * MOMENT_SECONDS


def start_sample(moment: int) -> int:
    """The first sample of a moment's sound at 16 kHz, to the nearest (moments start on thirds of a
    sample, so never halfway).
    """
    return round(start_seconds(moment) * SAMPLE_RATE_HZ)


def moments_inside(segments: Sequence[tuple[float, float]], count: int) -> list[int]:
    """The moments whose second of picture and sound lies wholly inside one of the segments (start,
    end in seconds).

    A segment too short to hold any gives the one moment whose middle is nearest to its own, so no
    segment is lost.
    """
    inside: set[int] = set()
    for start, end in segments:
        whole = [
            k for k in range(count) if start <= start_seconds(k) and start_seconds(k) + 1 <= end
        ]
        middle = (start + end) / 2
        inside.update(
            whole or [min(range(count), key=lambda k: abs(float(start_seconds(k)) + 0.5 - middle))]
        )
    return sorted(inside)
