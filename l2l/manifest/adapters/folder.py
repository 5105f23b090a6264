"""Videos in folders named after their class: `split/class/*`, or `class/*`, which l2l splits."""

import os
from pathlib import Path

from l2l.datasets import FolderDataset, GroupTable
from l2l.errors import BadInput
from l2l.manifest.artifact import SPLITS, UNLABELLED, Video
from l2l.manifest.files import is_folder, is_video_name, walk_folders
from l2l.manifest.lists import read_rows
from l2l.manifest.splits import split_videos

LAYOUT = (
    "expected folders train, val, test with a folder for each class inside, or a folder for each "
    "class"
)


def list_folder(dataset: FolderDataset, seed: int) -> list[Video]:
    """The videos of a folder, by id: the path below the folder, with its suffix.

    Of role `apply`, every file below the folder that has the name of a video.

    Raises:
        BadInput: if the folder holds no class folders or mixes both layouts, or a video has no
            group or two groups; of role `apply`, if it holds no video.
    """
    if dataset.role == "apply":
        return find_unlabelled_videos(dataset.folder)
    videos = find_videos(dataset.folder)
    if dataset.groups is not None:
        videos = _with_groups(videos, dataset.groups)
    if all(video.split for video in videos):
        return videos
    return split_videos(videos, dataset.val_fraction, dataset.test_fraction, seed)


def find_videos(folder: Path) -> list[Video]:
    """The videos below a folder, sorted by id, labelled with the name of their class's folder. The
    split is empty where no folder names it.

    Raises:
        BadInput: if there are no class folders, no videos in them, or both layouts are mixed.
    """
    top = _folders(folder)
    splits = [each for each in top if each.name in SPLITS]
    if splits and len(splits) < len(top):
        other = next(each.name for each in top if each not in splits)
        raise BadInput(f"{folder.absolute()}: found {splits[0].name!r} next to {other!r}; {LAYOUT}")
    classes = [each for split in splits for each in _folders(split)] if splits else top
    videos = []
    for each in classes:
        below = each.relative_to(folder).as_posix()
        split = each.parent.name if splits else ""
        videos += [
            Video(f"{below}/{name}", str(each / name), split, (each.name,))
            for name in _video_names(each)
        ]
    if not videos:
        inside = ", ".join(repr(each.name) for each in classes[:3]) or "it"
        if unsorted := len(_video_names(folder)):
            raise BadInput(
                f"{folder.absolute()}: videos ({unsorted}) in no folder of a class; {LAYOUT}, or a "
                "list of labels (adapter `table`); without labels, a finished run answers for them "
                "(`l2l predict`)"
            )
        raise BadInput(f"{folder.absolute()}: no video in {inside}; {LAYOUT}")
    return sorted(videos, key=lambda video: video.video)


def find_unlabelled_videos(folder: Path) -> list[Video]:
    """The videos below a folder in any layout, sorted by id, without labels.

    Raises:
        BadInput: if there is no such folder, or no video in it.
    """
    expected = "expected a folder with videos, such as .mp4 or .mkv, in any layout below it"
    if not folder.is_dir():
        raise BadInput(f"{folder.absolute()}: no such folder; {expected}")
    below = len(str(folder).rstrip("/")) + 1
    videos = [
        Video(f"{at}/{name}"[below:], f"{at}/{name}", UNLABELLED, ())
        for at, names in walk_folders(folder)
        for name in names
        if is_video_name(name)
    ]
    if not videos:
        raise BadInput(f"{folder.absolute()}: found no video; {expected}")
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
    """Files with the name of a video, even if they cannot be read: their status says so later."""
    return [
        entry.name
        for entry in os.scandir(folder)
        if is_video_name(entry.name) and not is_folder(entry)
    ]


def _with_groups(videos: list[Video], groups: GroupTable) -> list[Video]:
    group_of: dict[str, str] = {}
    columns = (groups.file_column, groups.group_column)
    for line, row in read_rows(groups.table, columns, delimiter="\t"):
        file, group = (row[column] for column in columns)
        path = os.path.realpath(groups.table.parent / file)
        if group_of.setdefault(path, group) != group:
            raise BadInput(
                f"{groups.table}: line {line}: {file!r} has {groups.group_column} {group!r}, and "
                f"{group_of[path]!r} on another line; expected one"
            )
    grouped = [
        video._replace(group=group_of.get(os.path.realpath(video.path)) or "") for video in videos
    ]
    if unknown := [video.file for video in grouped if not video.group]:
        raise BadInput(
            f"{groups.table}: no {groups.group_column} for {len(unknown)} videos, the first of "
            f"them {unknown[0]!r}"
        )
    return grouped
