"""Videos in folders named after their class: `split/class/*`, or `class/*`, which is split here."""

import os
from collections import defaultdict
from pathlib import Path

from l2l.datasets import FolderDataset, GroupTable
from l2l.errors import BadInput
from l2l.manifest.artifact import SPLITS, Video
from l2l.manifest.files import is_folder, is_video_name
from l2l.manifest.splits import split_videos
from l2l.stores import read_table

LAYOUT = (
    "expected folders train, val, test with a folder for each class inside, or a folder for each "
    "class"
)


def list_folder(dataset: FolderDataset, seed: int) -> list[Video]:
    """The videos of a folder, by id: the path below the folder, with its suffix.

    Raises:
        BadInput: if the folder holds no class folders, mixes both layouts, or a video's group is
            not known or is divided.
    """
    videos = find_videos(dataset.folder)
    if dataset.groups is not None:
        videos = _with_groups(videos, dataset.groups)
    if all(video.split for video in videos):
        _check_whole(videos)
        return videos
    return split_videos(videos, dataset.val_fraction, dataset.test_fraction, seed)


def find_videos(folder: Path) -> list[Video]:
    """The videos below a folder by id, labelled with their class's folder; the split is empty where
    no folder names it.

    Raises:
        BadInput: if there are no class folders, no videos in them, or both layouts are mixed.
    """
    top = _folders(folder)
    given = [each for each in top if each.name in SPLITS]
    if given and len(given) < len(top):
        other = next(each.name for each in top if each not in given)
        raise BadInput(f"{folder.absolute()}: found {given[0].name!r} beside {other!r}; {LAYOUT}")
    classes = [each for split in given for each in _folders(split)] if given else top
    videos = [
        Video(f"{below}/{name}", str(each / name), each.parent.name if given else "", (each.name,))
        for each in classes
        for below in [each.relative_to(folder).as_posix()]
        for name in _video_names(each)
    ]
    if not videos:
        inside = ", ".join(repr(each.name) for each in classes[:3]) or "it"
        raise BadInput(f"{folder.absolute()}: no video in {inside}; {LAYOUT}")
    return sorted(videos, key=lambda video: video.video)


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(
            Path(folder, entry.name)
            for entry in os.scandir(folder)
            if not entry.name.startswith(".") and is_folder(entry)
        )
    except OSError as error:
        raise BadInput(f"{folder.absolute()}: {error.strerror}; {LAYOUT}") from None


def _video_names(folder: Path) -> list[str]:
    """What has a video's name, even where it cannot be read: its state is told later."""
    return [
        entry.name
        for entry in os.scandir(folder)
        if is_video_name(entry.name) and not is_folder(entry)
    ]


def _with_groups(videos: list[Video], groups: GroupTable) -> list[Video]:
    rows = read_table(groups.table, (groups.file_column, groups.group_column))
    group_of = {
        os.path.realpath(groups.table.parent / row[groups.file_column]): row[groups.group_column]
        for row in rows
    }
    found = [
        video._replace(group=group_of.get(os.path.realpath(video.path)) or "") for video in videos
    ]
    if unknown := [video.path for video in found if not video.group]:
        raise BadInput(
            f"{groups.table}: no {groups.group_column} for {len(unknown)} videos, the first of "
            f"them {str(unknown[0])!r}"
        )
    return found


def _check_whole(videos: list[Video]) -> None:
    splits: defaultdict[str, set[str]] = defaultdict(set)
    for video in videos:
        if video.group:
            splits[video.group].add(video.split)
    for group, found in splits.items():
        if len(found) > 1:
            raise BadInput(
                f"group {group!r} is divided over {', '.join(sorted(found))}; a group belongs to "
                "one split"
            )
