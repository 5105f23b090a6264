"""ActivityNet v1.3: the official JSON, and a folder with files v_<id>.mp4, mkv or webm.

The test labels are withheld, so, as in the literature, validation is tested on; a tenth of training
is set aside to validate.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from l2l.datasets import ActivityNetDataset
from l2l.errors import BadInput
from l2l.manifest.artifact import Segment, Video
from l2l.manifest.files import Entry, locate
from l2l.manifest.lists import read_rows
from l2l.manifest.splits import split_groups

PREFIX = "v_"  # of files, and of ids where the annotations are a mere dictionary
VAL_FRACTION = 0.1  # of training
ROUNDING_SECONDS = 0.5  # that a segment may end after the duration; durations are rounded
EXPECTED = (
    'expected {"database": {id: {"subset": "training", "duration": 1.0, "annotations": [{"label": '
    '"", "segment": [0, 1]}]}}}'
)


def list_activitynet(dataset: ActivityNetDataset, seed: int) -> list[Video]:
    """The labelled videos, by id; one without a file has the status missing.

    A segment that ends before it starts, or lies outside the duration, is dropped and named in the
    video's reason.

    Raises:
        BadInput: if the annotations are not as expected.
    """
    database = _read(dataset.annotations, _read_subsets(dataset.subsets))
    labelled = {video: entry for video, entry in database.items() if entry["annotations"]}
    if len(labelled) < len(database):
        print(
            f"{dataset.annotations}: {len(database) - len(labelled)} videos without labels left "
            "out",
            file=sys.stderr,
        )
    training = {
        video: [_labels(entry)[0]]
        for video, entry in labelled.items()
        if entry["subset"] == "training"
    }
    chosen = split_groups(training, {"train": 1 - VAL_FRACTION, "val": VAL_FRACTION}, seed)
    segments = {video: _segments(entry) for video, entry in labelled.items()}
    entries = [
        Entry(
            video,
            chosen.get(video, "test"),
            _labels(entry),
            (f"v_{video}", f"v_v_{video}", video),
            segments=segments[video][0],
        )
        for video, entry in labelled.items()
    ]
    videos = locate(entries, dataset.folder)
    return [
        video._replace(reason="; ".join(filter(None, [video.reason, *segments[video.video][1]])))
        for video in videos
    ]


def _read_subsets(path: Path | None) -> dict[str, str]:
    if path is None:
        return {}
    return {
        row["video"].removeprefix(PREFIX): row["subset"]
        for row in read_rows(path, ("video", "subset"))
    }


def _read(path: Path, subsets: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file; {EXPECTED}") from None
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}); {EXPECTED}") from None
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path}: not JSON ({error}); {EXPECTED}") from None
    database = found.get("database", found) if isinstance(found, dict) else None
    if not isinstance(database, dict) or not database:
        raise BadInput(f"{path}: no database in it; {EXPECTED}")
    # an id may itself begin with v_, so only where all do is it a prefix
    prefix = (
        PREFIX
        if "database" not in found and all(video.startswith(PREFIX) for video in database)
        else ""
    )
    ids = {video: video.removeprefix(prefix) for video in database}
    return {
        ids[video]: _entry(entry, video, subsets.get(ids[video]), path)
        for video, entry in database.items()
    }


def _entry(entry: Any, video: str, subset: str | None, path: Path) -> dict[str, Any]:
    """An entry with what is needed of it, checked."""
    where = f"{path}: video {video!r}"
    if isinstance(entry, dict) and subset is not None:
        entry = {"subset": subset} | entry
    if not isinstance(entry, dict) or entry.get("subset") not in (
        "training",
        "validation",
        "testing",
    ):
        raise BadInput(
            f"{where} has no subset (training, validation or testing), so it cannot be split; "
            f"give `subsets`, or {EXPECTED}"
        )
    try:
        annotations = [
            (str(a["label"]), float(a["segment"][0]), float(a["segment"][1]))
            for a in entry.get("annotations", [])
        ]
        duration = float(entry.get("duration") or entry.get("duration_second") or 0)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise BadInput(f"{where} is not as expected ({error!r}); {EXPECTED}") from None
    return {
        "subset": entry["subset"],
        "duration": duration,
        "annotations": annotations if entry["subset"] != "testing" else [],
    }


def _labels(entry: dict[str, Any]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(label for label, _, _ in entry["annotations"]))


def _segments(entry: dict[str, Any]) -> tuple[tuple[Segment, ...], list[str]]:
    """The segments that can be, and a remark for each that cannot."""
    good, remarks = [], []
    for label, start, end in entry["annotations"]:
        if 0 <= start < end <= (entry["duration"] or end) + ROUNDING_SECONDS:
            good.append(Segment(start, end, label))
        else:
            remarks.append(f"segment {start:g} to {end:g} s of {entry['duration']:g} s dropped")
    return tuple(good), remarks
