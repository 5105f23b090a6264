"""How many of the moments that a method picks lie where the action is labelled.

Key Frame Rate and Scene Hit Rate are those of KFS-Bench (Li et al., arXiv 2512.14017): the share of
the picked frames that lie inside a labelled scene, and the share of the scenes in which a frame is
picked. They have the formulas of its public eval.py, which a test compares; it differs in what is
picked and labelled. There a pick is a timestamp, inside from a scene's start to one second after
its labelled end (labels are in whole seconds), and a scene may have several intervals. Here a pick
is a moment, inside where its whole second of picture and sound is (`moments_inside`: a segment too
short for that has one moment), and each segment is a scene. Its further measures, of how evenly
scenes are covered, are left out: videos have one or two segments here.
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
