"""The labelled moments of a data set: what classifiers of clips are trained and evaluated on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from l2l.manifest.artifact import Video
from l2l.moments import moments_inside


@dataclass(frozen=True)
class Example:
    """A moment of a video and the number of its class."""

    video: str
    moment: int
    label: int


def labelled_moments(
    videos: Sequence[Video],
    counts: Mapping[str, int],
    classes: Sequence[str],
    split: str,
    segments: bool = True,
) -> list[Example]:
    """The moments of a split's usable videos that show a labelled action.

    Args:
        videos: of one data set.
        counts: number of moments of each usable video.
        classes: the names whose places are the labels' numbers.
        split: train, val or test.
        segments: whether the videos' segments are read.

    Returns:
        One example per moment inside a segment, with that segment's label. Where a video's
        segments are None, or segments are not read, one per moment with the video's first label.
    """
    number = {name: i for i, name in enumerate(classes)}
    examples = []
    for video in videos:
        if video.split != split or not video.usable or video.video not in counts:
            continue
        count = counts[video.video]
        if video.segments is None or not segments:
            examples += [
                Example(video.video, moment, number[video.label]) for moment in range(count)
            ]
            continue
        for label in sorted({segment.label for segment in video.segments}):
            spans = [(s.start_seconds, s.end_seconds) for s in video.segments if s.label == label]
            examples += [
                Example(video.video, moment, number[label])
                for moment in moments_inside(spans, count)
            ]
    return examples
