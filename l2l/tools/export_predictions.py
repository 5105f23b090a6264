"""A run's predictions in the form of ActivityNet's official results, for its evaluation tools."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from l2l.errors import BadInput
from l2l.evaluation.artifact import read_evaluation_table
from l2l.manifest.artifact import read_videos
from l2l.run_record import read_record
from l2l.stores import atomic_path
from l2l.terminal import escape

VERSION = "VERSION 1.3"  # of ActivityNet, as its evaluation tools expect it


def export_predictions(run: Path, file: Path, /, method: str = "ours_dense") -> None:
    """Write a run's predictions as ActivityNet's official results JSON.

    A run keeps the most probable class of each test video by each method, so the file has one label
    per video: top-1 computed from it is that of the run, mAP is not.

    Args:
        run: the folder of a finished run, such as results/demo.
        file: the JSON file to write; one that exists is not replaced.
        method: a row of table1.tsv.

    Raises:
        BadInput: if the run is not evaluated, has no such method, or there is such a file.

    Example:
        l2l export_predictions results/demo results.json --method ours_sparse
    """
    if os.path.lexists(file):
        raise BadInput(f"{file}: exists and is not replaced; give another name")
    table = run / "evaluation/predictions.tsv"
    rows = read_evaluation_table(table)
    chosen = {row["video"]: row for row in rows if row["method"] == method}
    if not chosen:
        methods = ", ".join(dict.fromkeys(row["method"] for row in rows)) or "none"
        raise BadInput(f"{table}: no prediction of method {method!r}; it has {methods}")
    record = read_record(run)
    target = _dataset_of_role(record, "target", run)
    content = {
        "version": VERSION if record["videos"][target]["adapter"] == "activitynet" else target,
        "results": {
            video: [{"label": row["predicted"], "score": float(row["probability"])}]
            for video, row in chosen.items()
        },
        "external_data": _external_data(record, target, run),
    }
    with atomic_path(file) as part:
        part.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(escape(f"{file}: {method}, {len(chosen)} videos, the most probable class of each"))
    print(
        "a run keeps no probabilities of the other classes: top-1 of this file is that of the run, "
        "mAP is not",
        file=sys.stderr,
    )
    if without := _without_prediction(run / "media" / target / "videos.tsv", chosen):
        print(
            f"{without} test videos could not be used, so the file has no prediction for them",
            file=sys.stderr,
        )


def _dataset_of_role(record: Mapping[str, Any], role: str, run: Path) -> str:
    try:
        return next(
            name for name, each in record["videos"].items() if each["role"] in (role, "both")
        )
    except (KeyError, TypeError, AttributeError, StopIteration):
        raise BadInput(
            f"{run}: its configuration has no data set of role {role}; is config.json complete?"
        ) from None


def _external_data(record: Mapping[str, Any], target: str, run: Path) -> dict[str, object]:
    """What else than the target's training videos was learned from, as challenges ask."""
    source = _dataset_of_role(record, "source", run)
    student = record.get("student", {})
    weights = {
        "teacher": record.get("teacher", {}).get("weights", "train"),
        "student's image network": student.get("image_weights", "none"),
    }
    parts = [
        f"{name} from {each}" for name, each in weights.items() if each not in ("train", "none")
    ]
    if source != target:
        parts.append(f"student distilled on {source}")
    return {"used": bool(parts), "details": "; ".join(parts)}


def _without_prediction(table: Path, predicted: Mapping[str, object]) -> int:
    """Test videos without a prediction; 0 where the table of videos is no longer there."""
    if not table.is_file():
        return 0
    return sum(
        video.split == "test" and video.video not in predicted for video in read_videos(table)
    )
