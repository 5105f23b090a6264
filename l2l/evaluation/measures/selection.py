"""How many of the moments that a method picks lie where the action is labelled.

Key Frame Rate and Scene Hit Rate are those of KFS-Bench (Li et al., arXiv 2512.14017): the share of
the picked frames that lie inside a labelled scene, and the share of the scenes in which a frame is
picked. A pick is a moment here, and a scene is a labelled segment.
"""

from collections.abc import Collection, Sequence

from l2l.moments import moments_inside

Spans = Sequence[tuple[float, float]]


def key_frame_rate(picks: Collection[int], segments: Spans, count: int) -> float:
    """The share of the picked moments that lie inside a segment.

    Args:
        picks: at least one moment.
        segments: start and end of each in seconds.
        count: number of moments of the video.
    """
    inside = set(moments_inside(segments, count))
    return sum(moment in inside for moment in picks) / len(picks)


def scene_hit_rate(picks: Collection[int], segments: Spans, count: int) -> float:
    """The share of the segments, at least one, that have a picked moment inside."""
    hit = [not set(picks).isdisjoint(moments_inside([segment], count)) for segment in segments]
    return sum(hit) / len(hit)
