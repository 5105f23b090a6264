"""List the videos of a data set, with what each declares of itself, and cut the list into shards."""

import filecmp
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from l2l.config import ActivityNetDataset, AnyDataset, DemoDataset, Manifest
from l2l.errors import BadInput
from l2l.manifest.adapters.activitynet import list_activitynet
from l2l.manifest.adapters.demo import list_demo
from l2l.manifest.adapters.folder import list_folder
from l2l.manifest.artifact import Video, shard_of, write_videos
from l2l.manifest.limit import check_usable
from l2l.manifest.probe import Facts, probe_files


def list_videos(videos: Path, shards: Path, dataset: AnyDataset, config: Manifest, seed: int, folder: Path | None = None) -> None:
    """List a data set's videos, and each shard's in `shards`/shard-000.tsv and so on.

    Args:
        videos: the table of all videos to write.
        shards: the folder of the shards' tables to write; a shard without videos has an empty table.
        dataset: which videos, with what adapter.
        config: how many videos may be unusable.
        seed: of the split, where the data set brings none.
        folder: where the videos were drawn, for the demo.

    Raises:
        BadInput: if the data set is not laid out as its adapter expects, or more videos are unusable than `config` allows;
            the table is then written beside, with `.refused` in its name.
    """
    listed = _list(dataset, seed, folder)
    known = mark_duplicates(with_facts(listed))
    check_usable(known, videos, config, "before decoding")
    cut: list[list[Video]] = [[] for _ in range(dataset.shards)]
    for video in known:
        cut[shard_of(video.video, dataset.shards)].append(video)
    for stale in shards.glob("shard-*.tsv"):  # of a time when there were more
        stale.unlink()
    for number, rows in enumerate(cut):
        write_videos(shards / f"shard-{number:03d}.tsv", rows)
    write_videos(videos, known)


def _list(dataset: AnyDataset, seed: int, folder: Path | None) -> list[Video]:
    if isinstance(dataset, DemoDataset):
        if folder is None:
            raise BadInput("the demo adapter needs --folder, where draw_demo drew the videos")
        return list_demo(folder)
    if isinstance(dataset, ActivityNetDataset):
        return list_activitynet(dataset, seed)
    return list_folder(dataset, seed)


def with_facts(videos: Sequence[Video]) -> list[Video]:
    """The videos with what their files declare; those whose status is known already are left alone."""
    facts = probe_files(video.path for video in videos if video.usable)
    return [_with(video, next(facts)) if video.usable else video for video in videos]


def _with(video: Video, facts: Facts) -> Video:
    reasons = [reason for reason in (facts.reason, video.reason) if reason]
    return replace(video, **asdict(facts) | {"reason": "; ".join(reasons)})


def mark_duplicates(videos: Sequence[Video]) -> list[Video]:
    """The videos, all but the first of those with the very same bytes having the status duplicate."""
    first: dict[str, Video] = {}
    marked = []
    for video in videos:
        same = first.setdefault(video.fingerprint, video) if video.usable else video
        if same is not video and filecmp.cmp(same.path, video.path, shallow=False):
            video = replace(video, status="duplicate", reason=f"the same bytes as {same.video}")
        marked.append(video)
    return marked
