"""List the videos of a data set, with what each declares of itself, and cut the list into shards."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from l2l.config import AnyDataset, DemoDataset, Manifest
from l2l.errors import BadInput
from l2l.manifest.adapters.activitynet import list_activitynet
from l2l.manifest.adapters.ave import list_ave
from l2l.manifest.adapters.demo import list_demo
from l2l.manifest.adapters.folder import list_folder
from l2l.manifest.adapters.hmdb51 import list_hmdb51
from l2l.manifest.adapters.kinetics import list_kinetics
from l2l.manifest.adapters.kinetics_sounds import list_kinetics_sounds
from l2l.manifest.adapters.mini_sports1m import list_mini_sports1m
from l2l.manifest.adapters.mmaction2 import list_mmaction2
from l2l.manifest.adapters.table import list_table
from l2l.manifest.adapters.ucf101 import list_ucf101
from l2l.manifest.adapters.vggsound import list_vggsound
from l2l.manifest.artifact import Video, shard_of, write_videos
from l2l.manifest.examine import mark_duplicates, with_facts
from l2l.manifest.limit import check_usable
from l2l.manifest.unmatched import tell_unmatched

ADAPTERS: dict[str, Callable[[Any, int], list[Video]]] = {
    "activitynet": list_activitynet,
    "ave": list_ave,
    "folder": list_folder,
    "hmdb51": list_hmdb51,
    "kinetics": list_kinetics,
    "kinetics_sounds": list_kinetics_sounds,
    "mini_sports1m": list_mini_sports1m,
    "mmaction2": list_mmaction2,
    "table": list_table,
    "ucf101": list_ucf101,
    "vggsound": list_vggsound,
}
"""What lists a data set: its section and the seed in, its videos out."""


def list_videos(videos: Path, shards: Path, dataset: AnyDataset, config: Manifest, seed: int, folder: Path | None = None) -> None:
    """List a data set's videos, and each shard's in `shards`/shard-000.tsv and so on.

    Args:
        videos: the table of all videos to write; beside it, with `.unmatched` in its name, what lists and files do not agree on.
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
    tell_unmatched(dataset, listed, videos)
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
    return ADAPTERS[dataset.adapter](dataset, seed)
