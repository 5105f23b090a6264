"""Which labelled spans of a video can be used."""

import math
from collections.abc import Iterable

from l2l.manifest.artifact import Segment

ROUNDING_SECONDS = 0.5  # that an end may lie past the duration without a remark


def real_segments(
    segments: Iterable[Segment] | None, duration_seconds: float
) -> tuple[tuple[Segment, ...] | None, list[str]]:
    """The parts of segments that lie inside their video.

    Args:
        segments: as annotations have them; None: the whole video is the action.
        duration_seconds: as annotations have it; 0, NaN or infinite: unknown.

    Returns:
        The segments, cut to the video, without those that last no time; and a remark for each that
        was cut by more than rounding, or dropped. None stays None. Nothing left means that no
        moment of the video is labelled; it never means all of it.
    """
    if segments is None:
        return None, []
    has_length = math.isfinite(duration_seconds) and duration_seconds > 0
    end = duration_seconds if has_length else math.inf
    kept, remarks = [], []
    for segment in segments:
        start, stop = max(segment.start_seconds, 0.0), min(segment.end_seconds, end)
        span = f"segment {segment.start_seconds:g} to {segment.end_seconds:g} s"
        of = f" of {duration_seconds:g} s" if has_length else ""
        if not (math.isfinite(stop) and start < stop):  # NaN is less than nothing
            remarks.append(f"{span}{of} dropped")
            continue
        kept.append(Segment(start, stop, segment.label))
        if segment.start_seconds < 0 or segment.end_seconds > end + ROUNDING_SECONDS:
            remarks.append(f"{span}{of} cut to {start:g} to {stop:g} s")
    if not kept:
        remarks.append("no segment is left, so none of its moments is labelled")
    return tuple(kept), remarks
