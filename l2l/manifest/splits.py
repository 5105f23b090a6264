"""Dividing videos over train, val and test where nobody did: seeded, by class, and never through a group."""

import hashlib
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence


def split_groups(groups: Mapping[str, Sequence[Hashable]], fractions: Mapping[str, float], seed: int) -> dict[str, str]:
    """The split of each group: as near as whole groups allow to each split's fraction of every class's videos.

    Args:
        groups: for each group the classes of its videos, one entry a video.
        fractions: of each split; together 1. The same order gives the same answer.
        seed: another gives another division.

    Returns:
        A split for each group: large groups first (of equals in an order drawn from the seed), each to where its videos are
        missed most.
    """
    members = {group: Counter(classes) for group, classes in groups.items()}
    total: Counter[Hashable] = Counter()
    for counts in members.values():
        total.update(counts)
    missed = {split: {label: fraction * total[label] for label in total} for split, fraction in fractions.items() if fraction}
    chosen = {}
    for group in sorted(members, key=lambda g: (-members[g].total(), _drawn(g, seed))):
        counts = members[group]
        chosen[group] = max(missed, key=lambda split: sum(n * missed[split][label] for label, n in counts.items()))
        for label, n in counts.items():
            missed[chosen[group]][label] -= n
    return chosen


def _drawn(group: str, seed: int) -> bytes:
    return hashlib.blake2b(f"{seed} {group}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
