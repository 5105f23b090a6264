"""What a data set holds, as far as can be known before anything is decoded."""

import statistics
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from l2l.config import Config
from l2l.datasets import AnyDataset, DemoDataset
from l2l.errors import BadInput
from l2l.manifest.artifact import SPLITS, UNLABELLED, USABLE, Video, class_names
from l2l.manifest.listing import list_dataset
from l2l.manifest.probe import probe_files
from l2l.moments import FRAME_RATE, MOMENT_SECONDS, moment_count

SAMPLED_FILES = 50  # of a data set, whose lengths stand for all
FEW_OF_A_CLASS = 60  # train videos: fight.yaml has some 55, and is recognised no better than chance


@dataclass(frozen=True)
class Contents:
    """What a data set holds, as far as can be known before anything is decoded."""

    videos: dict[str, int]  # of each split
    seconds: tuple[float, ...]  # lengths that stand for all
    pixels: float  # of a picture of the source
    segments: float  # labelled ones of a video; 0: all of it is the action
    labelled_seconds: float  # of a video, in its segments
    classes: int
    example: Path | None = None  # one of its files
    looked_at: int = 0  # files that were opened
    unusable: int = 0  # of them, by what they declare
    train_videos: dict[str, int] = field(default_factory=dict)  # by class, where lists are read

    @property
    def total(self) -> int:
        """All videos."""
        return sum(self.videos.values())

    @property
    def mean_seconds(self) -> float:
        """Of a video."""
        return statistics.mean(self.seconds)

    def moments(self, config: Config) -> float:
        """Of a video."""
        return statistics.mean(
            moment_count(max(1, int(s * FRAME_RATE)), config.media.grid) for s in self.seconds
        )

    def labelled(self, config: Config) -> float:
        """Moments of a video that lie inside a segment."""
        if not self.segments:
            return self.moments(config)
        return max(
            self.segments,
            (self.labelled_seconds - self.segments) / float(MOMENT_SECONDS) + self.segments,
        )


@dataclass(frozen=True)
class Given:
    """What is given of data sets whose files are not here."""

    seconds: float | None = None  # mean length of a video
    pixels: int = 640 * 360  # of a picture
    videos: int | None = None  # of each data set, in place of its lists; 8:1:1 train, val and test
    classes: int = 200  # where the lists are not read


def contents_of(name: str, dataset: AnyDataset, seed: int, given: Given) -> Contents:
    """What a data set holds, from its lists and some of its files, or as it is given.

    Raises:
        BadInput: if it cannot be listed, or no file of it is available and no length is given.
    """
    if isinstance(dataset, DemoDataset):
        lengths = tuple(
            np.linspace(dataset.min_seconds, dataset.max_seconds, SAMPLED_FILES).tolist()
        )
        trimmed = dataset.kind == "clips"
        videos = {"train": dataset.train, "val": dataset.val, "test": dataset.test}
        scenes = 0 if trimmed else 1.5  # one or two
        quarter = 0.0 if trimmed else statistics.mean(lengths) / 4
        action = scenes * dataset.action_seconds if dataset.action_seconds else quarter
        return Contents(
            videos,
            lengths,
            dataset.side_pixels**2,
            scenes,
            action,
            min(16, dataset.train),
        )
    if given.videos is not None:
        return _as_given(dataset, given)
    listed = list_dataset(dataset, seed)
    at_hand = [video for video in listed if video.usable]
    sample = at_hand[:: max(1, len(at_hand) // SAMPLED_FILES)]
    probed = list(probe_files(video.path for video in sample))
    facts = [fact for fact in probed if fact.duration_seconds]
    if not listed:
        raise BadInput(
            f"{name}: no videos are listed or found; is {dataset.folder} laid out as its adapter "
            "expects?"
        )
    if not facts and given.seconds is None:
        raise BadInput(
            f"{name}: none of {len(listed)} videos is available, so their length is not known; "
            "give --seconds"
        )
    lengths = tuple(fact.duration_seconds for fact in facts) or (given.seconds or 0.0,)
    area = statistics.mean(fact.width * fact.height for fact in facts) if facts else given.pixels
    segments, labelled = _labelled(listed)
    example = at_hand[0].path if at_hand else None
    splits = [UNLABELLED] if dataset.role == "apply" else SPLITS
    videos = {split: sum(video.split == split for video in listed) for split in splits}
    return Contents(
        videos,
        lengths,
        area,
        segments,
        labelled,
        len(class_names(listed)),
        example,
        len(probed),
        sum(fact.status not in USABLE for fact in probed),
        Counter(label for video in listed if video.split == "train" for label in video.labels),
    )


def cautions(name: str, contents: Contents, config: Config) -> list[str]:
    """What a run on a data set should not be expected to do, one line each."""
    lines = []
    if contents.unusable:
        share = contents.unusable / contents.looked_at
        lines.append(
            f"{name}: {contents.unusable} of {contents.looked_at} files cannot be used, by what "
            f"they declare ({share:.0%}); above {config.manifest.max_bad_fraction:.0%} of all a "
            "run stops (manifest.max_bad_fraction); `l2l check` decodes them and names those"
        )
    if name not in (config.source, config.target):
        return lines
    counts = [
        moment_count(max(1, int(s * FRAME_RATE)), config.media.grid) for s in contents.seconds
    ]
    steps, middle = config.skimmer.steps, statistics.median(counts)
    if name == config.target and middle < steps:
        lines.append(
            f"{name}: most videos have {middle:.0f} moments or fewer, and skimmer.steps is "
            f"{steps}: there is little to select, see docs/real_clips.md"
        )
    few = {label: n for label, n in contents.train_videos.items() if n < FEW_OF_A_CLASS}
    if few:
        fewest = min(few, key=lambda label: few[label])
        lines.append(
            f"{name}: {len(few)} of {contents.classes} classes have fewer than {FEW_OF_A_CLASS} "
            f"train videos ({fewest!r} has {few[fewest]}): networks from random weights learn "
            "little from so few, docs/real_clips.md says what to expect"
        )
    return lines


def _as_given(dataset: AnyDataset, given: Given) -> Contents:
    assert given.videos is not None
    assert given.seconds is not None
    val = test = given.videos // 10
    splits = {"train": given.videos - val - test, "val": val, "test": test}
    videos = {UNLABELLED: given.videos} if dataset.role == "apply" else splits
    return Contents(videos, (given.seconds,), given.pixels, 0.0, 0.0, given.classes)


def _labelled(videos: list[Video]) -> tuple[float, float]:
    """Segments of a video, and their seconds, on average; none where videos have none."""
    marked = [video.segments for video in videos if video.segments]
    if not marked:
        return 0.0, 0.0
    spans = [
        segment.end_seconds - segment.start_seconds for segments in marked for segment in segments
    ]
    return len(spans) / len(marked), sum(spans) / len(marked)
