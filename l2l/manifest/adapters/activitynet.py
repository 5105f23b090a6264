"""ActivityNet v1.3: the official JSON, and a folder with files v_<id>.mp4, mkv or webm.

The test labels are withheld, so validation is the test split, as in the literature; a part of
training (`val_fraction`) becomes the validation split.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from l2l.datasets import ActivityNetDataset
from l2l.errors import BadInput
from l2l.manifest.artifact import Segment, Video
from l2l.manifest.files import Entry, locate
from l2l.manifest.lists import non_empty, read_rows
from l2l.manifest.splits import complete_splits
from l2l.text_files import read_json

PREFIX = "v_"  # of files, and of ids where the annotations are a plain dictionary
SPLITS = {"training": "train", "validation": "test", "testing": ""}
EXPECTED = (
    '{"database": {id: {"subset": "training", "duration": 1.0, "annotations": [{"label": "", '
    '"segment": [0, 1]}]}}}'
)


class Annotated(NamedTuple):
    """What the annotations say of a video."""

    split: str  # train or test; empty: the labels are withheld
    duration_seconds: float
    segments: tuple[Segment, ...]


def list_activitynet(dataset: ActivityNetDataset, seed: int) -> list[Video]:
    """The labelled videos, by id; one without a file has the status missing.

    Raises:
        BadInput: if the annotations are not as expected.
    """
    database = _read(dataset.annotations, _read_subsets(dataset.subsets))
    labelled = {video: each for video, each in database.items() if each.segments and each.split}
    if len(labelled) < len(database):
        print(
            f"{dataset.annotations}: {len(database) - len(labelled)} videos without labels are "
            "left out",
            file=sys.stderr,
        )
    entries = [
        Entry(
            video,
            each.split,
            tuple(dict.fromkeys(segment.label for segment in each.segments)),
            (f"v_{video}", f"v_v_{video}", video),
            segments=each.segments,
            duration_seconds=each.duration_seconds,
        )
        for video, each in labelled.items()
    ]
    return complete_splits(locate(entries, dataset.folder), dataset.val_fraction, seed)


def _read_subsets(path: Path | None) -> dict[str, str]:
    if path is None:
        return {}
    return {
        row["video"].removeprefix(PREFIX): row["subset"]
        for _, row in read_rows(path, ("video", "subset"))
    }


def _read(path: Path, subsets: Mapping[str, str]) -> dict[str, Annotated]:
    content = read_json(path, EXPECTED)
    database = content.get("database", content) if isinstance(content, dict) else None
    if not isinstance(database, dict) or not database:
        raise BadInput(f"{path}: no database in it; expected {EXPECTED}")
    # an id may itself begin with v_, so it is a prefix only where all ids have it
    prefix = (
        PREFIX
        if "database" not in content and all(video.startswith(PREFIX) for video in database)
        else ""
    )
    ids = {video: video.removeprefix(prefix) for video in database}
    return {
        ids[video]: _annotated(entry, f"{path}: video {video!r}", subsets.get(ids[video]))
        for video, entry in database.items()
    }


def _span(segment: Any) -> tuple[float, float]:
    """The two times of a segment; a text of two digits is none."""
    if not isinstance(segment, list) or len(segment) != 2:
        raise TypeError(f"segment is {segment!r}, not two times")
    return float(segment[0]), float(segment[1])


def _annotated(entry: Any, where: str, subset: str | None) -> Annotated:
    """A checked entry of the database."""
    if isinstance(entry, dict) and subset is not None:
        entry = {"subset": subset} | entry
    if not isinstance(entry, dict) or entry.get("subset") not in SPLITS:
        raise BadInput(
            f"{where} has no subset (training, validation or testing), so its split is not known; "
            f"give `subsets`; expected {EXPECTED}"
        )
    try:
        segments = tuple(
            Segment(*_span(each["segment"]), _label(each["label"], where))
            for each in entry.get("annotations", [])
        )
        duration = float(entry.get("duration") or entry.get("duration_second") or 0)
    except (KeyError, IndexError, TypeError, ValueError, OverflowError) as error:
        raise BadInput(f"{where} is not as expected ({error!r}); expected {EXPECTED}") from None
    return Annotated(SPLITS[entry["subset"]], duration, segments)


def _label(label: object, where: str) -> str:
    if not isinstance(label, str):
        raise BadInput(f"{where}: label is {label!r}, expected text")
    return non_empty(label, "label", where)
