"""Splits for videos whose lists or folders bring none.

The split of a video follows from a hash of its id, or of its group, and the seed: one more video
moves no other to another split.
"""

import hashlib
import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from l2l.errors import BadInput
from l2l.manifest.artifact import SPLITS, Video


def split_groups(
    groups: Mapping[str, Sequence[str]], fractions: Mapping[str, float], seed: int
) -> dict[str, str]:
    """The split of each group, by a hash of its name alone, so about the fractions of the groups.

    A class that has no group in a split by these hashes takes one from train: for train the last
    group of the class in the order of the hashes, for test the first one. Where no class has a
    validation group, one class gives one. Only these groups depend on the other groups.

    Args:
        groups: for each group, the classes of its videos.
        fractions: of train, val and test; together 1.
        seed: another seed gives other splits.

    Returns:
        The split of each group, the same for any order of `groups`.
    """
    positions = {group: _position(group, seed) for group in groups}
    splits = {group: _by_position(positions[group], fractions) for group in groups}
    members: defaultdict[str, list[str]] = defaultdict(list)
    for group in sorted(groups, key=lambda group: (positions[group], group)):
        for label in dict.fromkeys(groups[group]):
            members[label].append(group)
    for label in sorted(members):
        if all(splits[group] != "train" for group in members[label]):
            splits[members[label][-1]] = "train"
    for split in ("test", "val"):
        if not fractions.get(split):
            continue
        for label in sorted(members):
            peers = groups if split == "val" else members[label]
            if any(splits[group] == split for group in peers):
                continue
            spare = (
                group for group in members[label] if _can_leave(group, groups, members, splits)
            )
            for group in itertools.islice(spare, 1):
                splits[group] = split
    return splits


def _by_position(position: float, fractions: Mapping[str, float]) -> str:
    test, val = fractions.get("test", 0.0), fractions.get("val", 0.0)
    if position < test:
        return "test"
    return "val" if position < test + val else "train"


def _can_leave(
    group: str,
    groups: Mapping[str, Sequence[str]],
    members: Mapping[str, Sequence[str]],
    splits: Mapping[str, str],
) -> bool:
    """Whether a group of train may go to another split: each of its classes keeps one in train."""
    return splits[group] == "train" and all(
        any(splits[other] == "train" for other in members[label] if other != group)
        for label in groups[group]
    )


def split_videos(
    videos: Sequence[Video], val_fraction: float, test_fraction: float, seed: int
) -> list[Video]:
    """The videos with splits by `split_groups`.

    Raises:
        BadInput: if the fractions leave nothing to train on.
    """
    train = 1 - val_fraction - test_fraction
    if train <= 0:
        raise BadInput(
            f"val_fraction {val_fraction} and test_fraction {test_fraction} leave nothing to "
            "train on; together they have to be less than 1"
        )
    fractions = {"train": train, "val": val_fraction, "test": test_fraction}
    splits = split_groups(_classes(videos), fractions, seed)
    return [video._replace(split=splits[_group(video)]) for video in videos]


def complete_splits(videos: Sequence[Video], val_fraction: float, seed: int) -> list[Video]:
    """The videos with all three splits, where lists bring fewer.

    Without test videos (their labels are withheld), the validation videos become the test split.
    Without validation videos, a fraction of training becomes the validation split, by
    `split_groups`.
    """
    if not any(video.split == "test" for video in videos):
        videos = [
            video._replace(split="test") if video.split == "val" else video for video in videos
        ]
    if any(video.split == "val" for video in videos):
        return list(videos)
    training = [video for video in videos if video.split == "train"]
    splits = split_groups(
        _classes(training), {"train": 1 - val_fraction, "val": val_fraction}, seed
    )
    return [
        video._replace(split=splits[_group(video)]) if video.split == "train" else video
        for video in videos
    ]


def check_groups(videos: Iterable[Video]) -> None:
    """Stop where a group lies in two splits: what is trained on would be tested on.

    Raises:
        BadInput: naming the group, and a video of it in each of its splits.
    """
    examples: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for video in videos:
        if video.group:
            examples[video.group].setdefault(video.split, video.video)
    for group, by_split in examples.items():
        if len(by_split) > 1:
            where = ", ".join(f"{s} ({by_split[s]!r})" for s in SPLITS if s in by_split)
            raise BadInput(f"group {group!r} is divided over {where}; expected one split per group")


def _classes(videos: Sequence[Video]) -> dict[str, list[str]]:
    classes: defaultdict[str, list[str]] = defaultdict(list)
    for video in videos:
        classes[_group(video)].append(video.label)
    return classes


def _group(video: Video) -> str:
    return f"group {video.group}" if video.group else f"video {video.video}"


def _position(group: str, seed: int) -> float:
    """A number from 0 to 1 that is drawn for a group by the seed."""
    digest = hashlib.blake2b(f"{seed} {group}".encode("utf-8", "surrogatepass"), digest_size=8)
    return int.from_bytes(digest.digest(), "big") / 2**64
