"""What becomes of listed videos once their files are looked at.

Declared facts, and which have the very same bytes.
"""

import filecmp
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from l2l.manifest.artifact import Video
from l2l.manifest.probe import ProbeResult, probe_files


def with_facts(videos: Sequence[Video]) -> list[Video]:
    """The videos with what their files declare.

    Those whose status is known already are left alone.
    """
    facts = probe_files(video.path for video in videos if video.usable)
    return [_with(video, next(facts)) if video.usable else video for video in videos]


def _with(video: Video, facts: ProbeResult) -> Video:
    reasons = [reason for reason in (facts.reason, video.reason) if reason]
    return video._replace(**asdict(facts) | {"reason": "; ".join(reasons)})


def mark_duplicates(videos: Sequence[Video]) -> list[Video]:
    """The videos; of those with the same bytes all but the first have the status duplicate."""
    first: dict[str, Video] = {}
    marked = []
    for video in videos:
        same = first.setdefault(video.fingerprint, video) if video.usable else video
        if same is not video and _same_bytes(same.path, video.path):
            video = video._replace(status="duplicate", reason=f"the same bytes as {same.video}")
        marked.append(video)
    return marked


def _same_bytes(one: Path, other: Path) -> bool:
    try:
        return filecmp.cmp(one, other, shallow=False)
    except OSError:  # one went away meanwhile: what became of it is told when it is decoded
        return False
