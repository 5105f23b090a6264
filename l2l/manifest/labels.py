"""Labels that cannot be learned, or that are probably one class written in two ways."""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from l2l.errors import BadInput
from l2l.manifest.artifact import Video
from l2l.manifest.lists import composed, plain

NAMED = 5


def label_warnings(videos: Sequence[Video]) -> list[str]:
    """What is odd about the labels of a data set, one line each.

    Args:
        videos: of one data set, with their splits.
    """
    trained = _labels(videos, "train")
    tested = _labels(videos, "test")
    warnings = []
    if len(labels := {label for video in videos for label in video.labels}) == 1:
        warnings.append(f"there is only one class, {next(iter(labels))!r}")
    if unlearned := sorted(tested.keys() - trained.keys()):
        count = sum(not trained.keys() & set(v.labels) for v in videos if v.split == "test")
        warnings.append(
            f"{len(unlearned)} classes have test videos and no train videos: {_named(unlearned)}; "
            f"{count} test videos have no other class, and cannot be recognised"
        )
    warnings += [
        f"classes {_named(names)} differ only by case, spaces or punctuation"
        for names in _alike(labels)
    ]
    return warnings


def check_labels(videos: Sequence[Video], role: str) -> None:
    """Stop where labels make a right answer impossible.

    Args:
        videos: of one data set, with their splits.
        role: of the data set: source, target or both.

    Raises:
        BadInput: if two classes differ only by the Unicode normalisation of their names; if two
            that differ only by case, spaces or punctuation are not both in train; or if a target
            has one class, or no test video of a class with train videos.
    """
    trained, tested = _labels(videos, "train"), _labels(videos, "test")
    labels = trained | tested | _labels(videos, "val")
    for names in _alike(labels):
        if len({composed(name) for name in names}) < len(names):
            raise BadInput(
                f"classes {_named([ascii(name) for name in names], quote=False)} look the same: "
                "their names differ only by Unicode normalisation; rename one of them"
            )
        lost = [name for name in names if name not in trained and name in tested]
        if lost and any(name in trained for name in names):
            raise BadInput(
                f"classes {_named(names)} differ only by case, spaces or punctuation, and "
                f"{lost[0]!r} has no train videos; if they are one class, give it one name"
            )
    if role != "source" and len(labels) == 1:
        raise BadInput(
            f"there is only one class, {next(iter(labels))!r}; a data set of role {role} needs two "
            "or more"
        )
    if role != "source" and trained and tested and not trained.keys() & tested.keys():
        raise BadInput(
            f"no class of the test videos has train videos: {_named(sorted(tested))} are tested, "
            f"{_named(sorted(trained))} are trained"
        )


def _labels(videos: Iterable[Video], split: str) -> Counter[str]:
    return Counter(label for video in videos if video.split == split for label in video.labels)


def _alike(labels: Iterable[str]) -> list[list[str]]:
    alike: defaultdict[str, list[str]] = defaultdict(list)
    for label in sorted(labels):
        # NFKC: wide letters and ligatures, too, look like others
        alike[plain(unicodedata.normalize("NFKC", label))].append(label)
    return [names for names in alike.values() if len(names) > 1]


def _named(names: Sequence[str], quote: bool = True) -> str:
    shown = [repr(name) if quote else name for name in names[:NAMED]]
    return ", ".join([*shown, f"and {len(names) - NAMED} more"] if names[NAMED:] else shown)
