"""What the files of listed videos declare, and which of them are identical."""

import filecmp
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from l2l.manifest.artifact import Video
from l2l.manifest.probe import ProbeResult, probe_files
from l2l.progress import counted


def with_facts(videos: Sequence[Video]) -> list[Video]:
    """The videos with what their files declare; unusable ones, such as missing ones, unchanged."""
    results = probe_files(video.path for video in videos if video.usable)
    opened = counted(videos, len(videos), "videos opened", caller_prints=True)
    return [_with(video, next(results)) if video.usable else video for video in opened]


def _with(video: Video, result: ProbeResult) -> Video:
    reasons = [reason for reason in (result.reason, video.reason) if reason]
    return video._replace(**asdict(result) | {"reason": "; ".join(reasons)})


def mark_duplicates(videos: Sequence[Video]) -> list[Video]:
    """The videos; of identical files, all but the first get the status duplicate."""
    first: dict[str, Video] = {}
    marked = []
    for video in videos:
        original = first.setdefault(video.fingerprint, video) if video.usable else video
        if original.video != video.video and same_bytes(original.path, video.path):
            video = video._replace(status="duplicate", reason=f"the same bytes as {original.video}")
        marked.append(video)
    return marked


def same_bytes(one: Path, other: Path) -> bool:
    """Whether two files have the same content."""
    try:
        return filecmp.cmp(one, other, shallow=False)
    except OSError:  # one was removed meanwhile, which decoding will notice
        return False
