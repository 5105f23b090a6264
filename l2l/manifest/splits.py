"""Dividing videos over train, val and test where nobody did.

Seeded, by class, and never through a group.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from itertools import chain

from l2l.errors import BadInput
from l2l.manifest.artifact import Video


def split_groups(
    groups: Mapping[str, Sequence[Hashable]], fractions: Mapping[str, float], seed: int
) -> dict[str, str]:
    """The split of each group: as near as whole groups allow to each split's fraction of every
    class's videos.

    Args:
        groups: for each group the classes of its videos, one entry a video.
        fractions: of each split; together 1. The same order gives the same answer.
        seed: another gives another division.

    Returns:
        A split for each group: large groups first (of equals in an order drawn from the seed), each
            to where its videos are missed most.
    """
    total = Counter(chain.from_iterable(groups.values()))
    missed = {
        label: {split: fraction * n for split, fraction in fractions.items() if fraction}
        for label, n in total.items()
    }
    chosen = {}
    drawn = sorted(groups, key=lambda g: _drawn(g, seed))
    for group in sorted(drawn, key=lambda g: -len(groups[g])):
        classes = groups[group]
        if len(classes) == 1:  # nearly all, of a million
            counts, wanted = {classes[0]: 1}, missed[classes[0]]
        else:
            counts = Counter(classes)
            wanted = {
                split: sum(n * missed[label][split] for label, n in counts.items())
                for split in missed[classes[0]]
            }
        split = chosen[group] = max(wanted, key=wanted.__getitem__)
        for label, n in counts.items():
            missed[label][split] -= n
    return chosen


def split_videos(
    videos: Sequence[Video], val_fraction: float, test_fraction: float, seed: int
) -> list[Video]:
    """The videos with splits drawn for them, within each class and never through a group.

    Raises:
        BadInput: if the fractions leave nothing to train on.
    """
    train = 1 - val_fraction - test_fraction
    if train <= 0:
        raise BadInput(
            f"val_fraction {val_fraction} and test_fraction {test_fraction} leave nothing to "
            "train on"
        )
    chosen = split_groups(
        _classes(videos), {"train": train, "val": val_fraction, "test": test_fraction}, seed
    )
    return [video._replace(split=chosen[_group(video)]) for video in videos]


def complete_splits(videos: Sequence[Video], val_fraction: float, seed: int) -> list[Video]:
    """The videos with all three splits, where lists bring fewer.

    Without test videos (their labels are withheld) those of validation are tested on; without any
    to validate with, a fraction of training is set aside, within each class and never through a
    group.
    """
    if not any(video.split == "test" for video in videos):
        videos = [
            video._replace(split="test") if video.split == "val" else video for video in videos
        ]
    if any(video.split == "val" for video in videos):
        return list(videos)
    training = [video for video in videos if video.split == "train"]
    chosen = split_groups(
        _classes(training), {"train": 1 - val_fraction, "val": val_fraction}, seed
    )
    aside = {group for group, split in chosen.items() if split == "val"}
    return [
        v._replace(split="val") if v.split == "train" and _group(v) in aside else v for v in videos
    ]


def _classes(videos: Sequence[Video]) -> dict[str, list[str]]:
    classes: defaultdict[str, list[str]] = defaultdict(list)
    for video in videos:
        classes[_group(video)].append(video.label)
    return classes


def _group(video: Video) -> str:
    return f"group {video.group}" if video.group else f"video {video.video}"


def _drawn(group: str, seed: int) -> bytes:
    return hashlib.blake2b(
        f"{seed} {group}".encode("utf-8", "surrogatepass"), digest_size=8
    ).digest()
