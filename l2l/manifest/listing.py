"""The videos that a data set lists, without opening one, and fingerprints of them.

Snakemake redoes a shard when its fingerprint changes.
"""

import contextlib
import hashlib
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from l2l.datasets import PARTS, AnyDataset, DemoDataset, MiniSports1mDataset
from l2l.errors import BadInput, MachineError
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
from l2l.manifest.artifact import UNLABELLED, Video, class_names, shard_names
from l2l.manifest.files import walk_files, walk_folders
from l2l.manifest.seen import MISSING, read_seen, relative, size_of, stamp_of, version_of
from l2l.manifest.splits import check_groups

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
"""The function of each adapter: from a data set's section and the seed to its videos."""


def list_dataset(
    dataset: AnyDataset, seed: int, folder: Path | None = None, record: Path | None = None
) -> list[Video]:
    """The videos of a data set by its lists and folder, sorted by id; no file is opened, except
    the lengths that `mini_sports1m` draws by.

    Those of a data set of role `apply` have no split, no labels, segments or groups.

    Args:
        dataset: the section of the data set.
        seed: of the splits, where the data set brings none.
        folder: where the videos of the demo are; other data sets have their own.
        record: what is remembered of the files, see `l2l.manifest.seen`.

    Raises:
        BadInput: if the data set is not laid out as its adapter expects, or divides a group.
    """
    if isinstance(dataset, DemoDataset):
        if folder is None:
            raise BadInput("the demo adapter needs --folder, where render_demo put the videos")
        return _for_role(dataset, list_demo(folder))
    if isinstance(dataset, MiniSports1mDataset):
        videos = list_mini_sports1m(dataset, seed, record)
    else:
        videos = ADAPTERS[dataset.adapter](dataset, seed)
    if dataset.role != "apply":
        check_groups(videos)
    return _for_role(dataset, videos)


def _for_role(dataset: AnyDataset, videos: list[Video]) -> list[Video]:
    if dataset.role != "apply":
        return videos
    return [
        video._replace(split=UNLABELLED, labels=(), segments=None, group="") for video in videos
    ]


@dataclass(frozen=True)
class DatasetFingerprint:
    """Short hashes, each of which changes when what it stands for changes."""

    whole: str  # of all that is listed, and of every file's name and version
    classes: str  # of the names of the classes
    # for each shard, of its videos: their rows in the lists, and their files' names and versions
    shards: dict[str, str]
    trouble: str = ""  # why list_videos will stop, or that no file exists; empty: nothing is wrong


def dataset_fingerprint(
    dataset: AnyDataset, seed: int, record: Path | None = None
) -> DatasetFingerprint:
    """The fingerprint of a data set.

    A file counts by its path below the data set's folder and by its version, see
    `l2l.manifest.seen`: a folder that moved, or a file that was touched, changes nothing. Only
    files whose size or times differ from the record are opened.

    A shard's fingerprint depends on the videos listed before its own whose files have the same
    size, because of identical files only the first is used. Where videos can only be listed by
    rendering them, or not at all, each shard has the fingerprint of the whole.

    Args:
        dataset: the section of the data set.
        seed: of the splits, where the data set brings none.
        record: what `list_videos` recorded of the files, if it ran.

    Raises:
        MachineError: if the machine did not let files be opened.
    """
    videos, trouble = None, ""
    try:
        # warnings belong into the log of the job that lists the videos
        with contextlib.redirect_stderr(io.StringIO()):
            if not isinstance(dataset, DemoDataset):
                videos = list_dataset(dataset, seed, record=record)
    except MachineError:
        raise
    except BadInput as error:
        trouble = str(error)
    if videos is None or isinstance(dataset, DemoDataset):
        section = dataset.model_dump_json(exclude={"folder"})
        whole = _digest([section, str(seed), *_files_of(dataset)])
        names = [name for part in PARTS for name in dataset.shard_names(part)]
        return DatasetFingerprint(whole, whole, dict.fromkeys(names, whole), trouble)
    if not any(video.usable for video in videos):
        trouble = (
            f"{dataset.folder.absolute()}: none of the files of the {len(videos):,} listed videos "
            "exists"
        )
    shards = _shard_fingerprints(videos, dataset, dataset.folder, record)
    files = _digest(
        "\n".join([relative(f"{at}/", dataset.folder), *names])
        for at, names in walk_folders(dataset.folder)
    )
    return DatasetFingerprint(
        _digest([files, *shards.values()]), _digest(class_names(videos)), shards, trouble
    )


def _shard_fingerprints(
    videos: Iterable[Video], dataset: AnyDataset, folder: Path, record: Path | None
) -> dict[str, str]:
    seen = read_seen(record)
    digests = {
        name: hashlib.blake2b(digest_size=8) for part in PARTS for name in dataset.shard_names(part)
    }
    same_size: dict[str, str] = {}  # for each size, a digest of all videos so far
    for name, video in shard_names(videos, dataset):
        stamp = stamp_of(video.file) if video.usable else MISSING
        size, file = size_of(stamp), relative(video.file, folder)
        version = version_of(video.file, stamp, seen.get(file)) if stamp != MISSING else MISSING
        listed = (video.split, video.labels, video.segments, video.group, video.reason)
        row = f"{video.video} {file} {listed} {version} {same_size.get(size)}\n"
        digests[name].update(row.encode("utf-8", "surrogatepass"))
        if stamp != MISSING:
            same_size[size] = _digest([f"{same_size.get(size, '')}\n{video.video}\n{version}"])
    return {name: digest.hexdigest() for name, digest in digests.items()}


def _files_of(dataset: AnyDataset) -> list[str]:
    """Every file of a data set with its size and time of modification; none of a demo."""
    files = [f"{path.name} {_size_and_time(path)}" for path in dataset.annotation_files]
    if not isinstance(dataset, DemoDataset):
        files += [
            f"{relative(path, dataset.folder)} {_size_and_time(path)}"
            for path in walk_files(dataset.folder)
        ]
    return files


def _size_and_time(path: Path) -> str:
    return version_of(str(path), stamp_of(path), None)


def _digest(parts: Iterable[str]) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        digest.update(part.encode("utf-8", "surrogatepass") + b"\n")
    return digest.hexdigest()
