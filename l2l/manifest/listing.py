"""What a data set lists, without opening a video, and its state at a glance.

Snakemake redoes a shard when its state changed.
"""

import contextlib
import hashlib
import io
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from l2l.config import as_json
from l2l.datasets import PARTS, AnyDataset, DemoDataset, MiniSports1mDataset
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
from l2l.manifest.artifact import Video, class_names, shard_names
from l2l.manifest.files import walk_files, walk_folders

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


def list_dataset(dataset: AnyDataset, seed: int, folder: Path | None = None) -> list[Video]:
    """The videos of a data set as its lists and folder tell them, by id, without what their files
    declare.

    Raises:
        BadInput: if the data set is not laid out as its adapter expects.
    """
    if isinstance(dataset, DemoDataset):
        if folder is None:
            raise BadInput("the demo adapter needs --folder, where render_demo drew the videos")
        return list_demo(folder)
    return ADAPTERS[dataset.adapter](dataset, seed)


@dataclass(frozen=True)
class State:
    """Short hashes that change when what they stand for does."""

    whole: str  # everything that is listed, and every file's name, size and time of change
    classes: str  # the names of the classes
    shards: dict[
        str, str
    ]  # for each shard its videos: what is listed of them, and the files' size and time of change
    trouble: str = (
        ""  # what the job that lists them will stop at, or that none of their files is there
    )


def dataset_fingerprint(dataset: AnyDataset, seed: int) -> State:
    """The state of a data set. Files are looked at, never opened.

    A video's state holds those listed before it whose files are as large, since of equal files only
    the first is used. Where videos cannot be listed without opening them or before they are drawn,
    or not at all, every shard has the state of the whole.
    """
    unlistable = isinstance(dataset, DemoDataset) or (
        isinstance(dataset, MiniSports1mDataset)
        and dataset.draw
        and dataset.durations == "declared"
    )
    folders = () if isinstance(dataset, DemoDataset) else walk_folders(dataset.folder)
    names = _digest("\n".join([at, *inside]) for at, inside in folders)
    videos, trouble = None, ""
    try:
        with contextlib.redirect_stderr(
            io.StringIO()
        ):  # what is remarked is for the log of the job
            videos = None if unlistable else list_dataset(dataset, seed)
    except BadInput as error:
        trouble = str(error)
    if videos is None:
        whole = _digest([as_json(dataset), str(seed), names, *_files_of(dataset)])
        return State(
            whole,
            whole,
            {name: whole for part in PARTS for name in dataset.shard_names(part)},
            trouble,
        )
    if not any(video.usable for video in videos) and not isinstance(dataset, DemoDataset):
        trouble = (
            f"{dataset.folder.absolute()}: none of the {len(videos):,} videos that are listed is "
            "there"
        )
    digests = {
        name: hashlib.blake2b(digest_size=8) for part in PARTS for name in dataset.shard_names(part)
    }
    as_large: dict[int, str] = {}  # for each size, the state of all videos so far
    for name, video in shard_names(videos, dataset):
        size, time = _size_and_time(video.file) if video.usable else (-1, 0)
        told = (video.split, video.labels, video.segments, video.group, video.reason)
        row = f"{video.video} {video.file} {told} {size} {time} {as_large.get(size)}\n"
        digests[name].update(row.encode("utf-8", "surrogatepass"))
        if size >= 0:
            as_large[size] = _digest([f"{as_large.get(size, '')}\n{video.video}\n{time}"])
    shards = {name: digest.hexdigest() for name, digest in digests.items()}
    return State(_digest([names, *shards.values()]), _digest(class_names(videos)), shards, trouble)


def _files_of(dataset: AnyDataset) -> list[str]:
    """Every file of a data set with its size and time of change; none of a drawn one."""
    folder = [] if isinstance(dataset, DemoDataset) else walk_files(dataset.folder)
    return [f"{path} {_size_and_time(path)}" for path in (*folder, *dataset.annotation_files)]


def _size_and_time(path: str | Path) -> tuple[int, int]:
    try:
        state = os.stat(path)  # noqa: PTH116 -- a Path for each of a million takes longer
    except OSError:  # a link to nowhere
        return -1, 0
    return state.st_size, state.st_mtime_ns


def _digest(parts: Iterable[str]) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        digest.update(part.encode("utf-8", "surrogatepass") + b"\n")
    return digest.hexdigest()
