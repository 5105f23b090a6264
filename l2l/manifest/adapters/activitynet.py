"""ActivityNet v1.3: the official JSON, and a folder with files v_<id>.mp4, mkv or webm.

The test labels are withheld, so, as in the literature, validation is tested on; a tenth of training is set aside to validate.
"""

import json
import sys
from pathlib import Path
from typing import Any

from l2l.config import ActivityNetDataset
from l2l.errors import BadInput
from l2l.manifest.artifact import Segment, Video
from l2l.manifest.splits import split_groups

SUFFIXES = (".mp4", ".mkv", ".webm")
VAL_FRACTION = 0.1  # of training
ROUNDING_SECONDS = 0.5  # that a segment may end after the duration; durations are rounded
EXPECTED = (
    'expected {"database": {id: {"subset": "training", "duration": 1.0, "annotations": [{"label": "", "segment": [0, 1]}]}}}'
)


def list_activitynet(dataset: ActivityNetDataset, seed: int) -> list[Video]:
    """The labelled videos, by id; one without a file has the status missing.

    A segment that ends before it starts, or lies outside the duration, is dropped and named in the video's reason.

    Raises:
        BadInput: if the annotations are not as expected.
    """
    database = _read(dataset.annotations)
    files = _files(dataset.folder)
    labelled = {video: entry for video, entry in database.items() if entry["annotations"]}
    training = {video: [_labels(entry)[0]] for video, entry in labelled.items() if entry["subset"] == "training"}
    chosen = split_groups(training, {"train": 1 - VAL_FRACTION, "val": VAL_FRACTION}, seed)
    splits = {video: chosen.get(video, "test") for video in labelled}
    videos = [_video(video, labelled[video], splits[video], files, dataset.folder) for video in sorted(labelled)]
    _say(f"{dataset.annotations}: {len(database) - len(labelled)} videos without labels left out")
    _say(f"{dataset.folder}: {len(files.keys() - labelled.keys())} files v_* belong to no labelled video")
    return videos


def _say(line: str) -> None:
    if ": 0 " not in line:
        print(line, file=sys.stderr)


def _read(path: Path) -> dict[str, dict[str, Any]]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file; {EXPECTED}") from None
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path}: not JSON ({error}); {EXPECTED}") from None
    database = found.get("database", found) if isinstance(found, dict) else None
    if not isinstance(database, dict) or not database:
        raise BadInput(f"{path}: no database in it; {EXPECTED}")
    return {video.removeprefix("v_"): _entry(entry, video, path) for video, entry in database.items()}


def _entry(entry: Any, video: str, path: Path) -> dict[str, Any]:
    """An entry with what is needed of it, checked."""
    where = f"{path}: video {video!r}"
    if not isinstance(entry, dict) or entry.get("subset") not in ("training", "validation", "testing"):
        raise BadInput(f"{where} has no subset (training, validation or testing), so it cannot be split; {EXPECTED}")
    try:
        annotations = [(str(a["label"]), float(a["segment"][0]), float(a["segment"][1])) for a in entry.get("annotations", [])]
        duration = float(entry.get("duration") or entry.get("duration_second") or 0)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise BadInput(f"{where} is not as expected ({error!r}); {EXPECTED}") from None
    return {"subset": entry["subset"], "duration": duration, "annotations": annotations if entry["subset"] != "testing" else []}


def _files(folder: Path) -> dict[str, list[str]]:
    """For each id the names of its files; nothing where there is no folder."""
    files: dict[str, list[str]] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.stem.startswith("v_") and path.suffix.lower() in SUFFIXES:
            files.setdefault(path.stem.removeprefix("v_"), []).append(path.name)
    return files


def _labels(entry: dict[str, Any]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(label for label, _, _ in entry["annotations"]))


def _video(video: str, entry: dict[str, Any], split: str, files: dict[str, list[str]], folder: Path) -> Video:
    good, remarks = [], []
    for label, start, end in entry["annotations"]:
        if 0 <= start < end <= (entry["duration"] or end) + ROUNDING_SECONDS:
            good.append(Segment(start, end, label))
        else:
            remarks.append(f"segment {start:g} to {end:g} s of {entry['duration']:g} s dropped")
    names = files.get(video, [])
    if not names:
        remarks.insert(0, "no file v_<id>" + ", ".join(SUFFIXES))
    if len(names) > 1:
        remarks.append(f"{names[1]} not read")
    return Video(
        video=video,
        path=folder / (names[0] if names else f"v_{_harmless(video)}{SUFFIXES[0]}"),
        split=split,
        labels=_labels(entry),
        segments=tuple(good),
        status="ok" if names else "missing",
        reason="; ".join(remarks),
    )


def _harmless(video: str) -> str:
    """An id as a part of a file's name: it cannot lead to another folder."""
    return video.replace("/", "_").replace("\0", "_")
