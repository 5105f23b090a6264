"""A run's predictions in the form of ActivityNet's official results, of mmaction2 or of FiftyOne.

What each format needs is in one function; all read the run's scores.
"""

import io
import json
import os
import pickle
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from l2l.errors import BadInput
from l2l.evaluation.videos.artifact import Scores, read_scores
from l2l.manifest.artifact import Video, read_videos
from l2l.moments import start_seconds
from l2l.run_record import read_record
from l2l.stores import atomic_path
from l2l.terminal import escape

VERSION = "VERSION 1.3"  # of ActivityNet, as its evaluation tools expect it
OURS = "ours_dense"  # the method whose attention the scores have
PICKLES = (".pkl", ".pickle")  # that mmengine reads
PICKLE_PROTOCOL = 2  # mmengine's
WEIGHED = {"image": "picture weighed most", "audio": "sound weighed most"}


class Predicted(NamedTuple):
    """What is written: of a random method, its first draw."""

    run: Path
    record: Mapping[str, Any]  # the run's configuration
    target: str
    method: str
    scores: Scores
    probabilities: np.ndarray  # (videos, classes)


def export_predictions(
    run: Path,
    file: Path,
    /,
    method: str = OURS,
    format: Literal["activitynet", "mmaction2", "fiftyone"] = "activitynet",
) -> None:
    """Write a run's predictions in the form that other tools evaluate or show.

    For ActivityNet and mmaction2 every class of each usable test video has its probability, so
    accuracies that are computed from the file are those of the run. For FiftyOne each has its most
    probable class and, of ours (dense), the moments that it weighs most.

    Args:
        run: the folder of a finished run, such as results/demo.
        file: the file to write; one that exists is not replaced.
        method: a row of table1.tsv.
        format: `activitynet`, its official results, JSON; `mmaction2`, what its DumpResults writes
            and tools/analysis_tools/eval_metric.py reads, a pickle whose name ends in .pkl;
            `fiftyone`, the labels.json of a FiftyOneTemporalDetectionDataset.

    Raises:
        BadInput: if the run is not evaluated, has no such method, or there is such a file.

    Example:
        l2l export_predictions results/demo results.json --method ours_sparse
    """
    if os.path.lexists(file):
        raise BadInput(f"{file}: exists and is not replaced; give another name")
    if format == "mmaction2" and file.suffix not in PICKLES:
        raise BadInput(f"{file}: expected a name that ends in {' or '.join(PICKLES)}")
    record = read_record(run)
    target = _dataset_of_role(record, "target", run)
    path = run / "evaluation/scores.h5"
    with read_scores(path) as scores:
        if method not in scores.methods:
            methods = ", ".join(scores.methods)
            raise BadInput(f"{path}: no prediction of method {method!r}; it has {methods}")
        probabilities = scores.probabilities(method)[0]
        predicted = Predicted(run, record, target, method, scores, probabilities)
        content = FORMATS[format](predicted)
        videos = scores.videos
    with atomic_path(file) as part:
        part.write_bytes(content)
    print(escape(f"{file}: {method}, {len(videos)} videos, {_contents(format, method)}"))
    if without := _without_prediction(run / "media" / target / "videos.tsv", set(videos)):
        print(
            f"{without} test videos could not be used, so the file has no prediction for them",
            file=sys.stderr,
        )


def _contents(format: str, method: str) -> str:
    """What the file has of each video."""
    if format != "fiftyone":
        return "every class of each"
    moments = " and the moments it weighs most" if method == OURS else ""
    return f"the most probable class of each{moments}"


# ---- The formats: from predictions to the bytes of a file. ---------------------------------------


def activitynet(predicted: Predicted) -> bytes:
    """ActivityNet's results: of each video its classes with their probabilities, the most probable
    first.
    """
    is_activitynet = predicted.record["videos"][predicted.target]["adapter"] == "activitynet"
    classes = predicted.scores.classes
    results = {
        video: [
            {"label": classes[i], "score": float(row[i])}
            for i in np.argsort(-row, kind="stable").tolist()
        ]
        for video, row in zip(predicted.scores.videos, predicted.probabilities, strict=True)
    }
    content = {
        "version": VERSION if is_activitynet else predicted.target,
        "results": results,
        "external_data": _external_data(predicted.record, predicted.target, predicted.run),
    }
    return _json(content)


def mmaction2(predicted: Predicted) -> bytes:
    """What mmengine's DumpResults writes of mmaction2's samples: one dict per video.

    `pred_score` (classes,) float32, `pred_label` and `gt_label` (1,) int64, `num_classes`; and
    `video`, its id, which mmaction2 does not read.
    """
    import torch

    samples = [
        {
            "video": video,
            "num_classes": len(row),
            "pred_score": torch.from_numpy(row.astype(np.float32)),
            "pred_label": torch.tensor([int(row.argmax())]),
            "gt_label": torch.tensor([int(label)]),
        }
        for video, row, label in zip(
            predicted.scores.videos, predicted.probabilities, predicted.scores.labels, strict=True
        )
    ]
    output = io.BytesIO()
    _TensorPickler(output, PICKLE_PROTOCOL).dump(samples)
    return output.getvalue()


class _TensorPickler(pickle.Pickler):
    """Writes tensors as arrays of numpy that become tensors when they are read: PyTorch's own
    pickles of tensors hold addresses in memory, so no two are equal.
    """

    def reducer_override(self, item: Any) -> Any:
        import torch

        return (
            (torch.from_numpy, (item.numpy(),))
            if isinstance(item, torch.Tensor)
            else NotImplemented
        )


def fiftyone(predicted: Predicted) -> bytes:
    """The labels.json of FiftyOne's FiftyOneTemporalDetectionDataset, whose ids are the absolute
    paths of the videos.

    A path that the run has relative is one from the folder that `results` is in. Each video has the
    most probable class over its whole length; of ours (dense) also, for each step and modality, the
    moment with the largest weight.
    """
    scores = predicted.scores
    table = predicted.run / "media" / predicted.target / "videos.tsv"
    files = {video.video: video for video in read_videos(table)}
    labels = {}
    for video, row in zip(scores.videos, predicted.probabilities, strict=True):
        if video not in files:
            raise BadInput(f"{table}: no video {video!r}, of which {scores.path} has scores")
        detections = [_whole_video(files[video], scores, row)]
        if predicted.method == OURS:
            detections += _moments_weighed_most(scores, video)
        labels[str(predicted.run.absolute().parents[1] / files[video].path)] = detections
    if absent := [path for path in labels if not Path(path).exists()]:
        line = f"warning: {len(absent)} of {len(labels)} videos are not where the labels name them"
        print(escape(f"{line}, such as {absent[0]}: FiftyOne looks there"), file=sys.stderr)
    return _json({"labels": labels})


def _whole_video(video: Video, scores: Scores, probabilities: np.ndarray) -> dict[str, Any]:
    best = int(probabilities.argmax())
    end = max(video.duration_seconds, float(start_seconds(scores.moments(video.video))))
    return {
        "label": scores.classes[best],
        "timestamps": [0.0, end],
        "confidence": float(probabilities[best]),
    }


def _moments_weighed_most(scores: Scores, video: str) -> list[dict[str, Any]]:
    look = scores.attention(video)
    return [
        {
            "label": WEIGHED.get(modality, f"{modality} weighed most"),
            "timestamps": [float(start_seconds(each)) for each in (moment, moment + 1)],
            "confidence": float(look.weights[step, i, moment]),
            "attributes": {
                "step": step + 1,
                "modality_weight": float(look.modality_weights[step, i]),
            },
        }
        for step, selected in enumerate(look.weights.argmax(2).tolist())
        for i, (modality, moment) in enumerate(zip(look.modalities, selected, strict=True))
    ]


FORMATS: Mapping[str, Callable[[Predicted], bytes]] = {
    "activitynet": activitynet,
    "mmaction2": mmaction2,
    "fiftyone": fiftyone,
}


def _json(content: object) -> bytes:
    return (json.dumps(content) + "\n").encode()


# ---- What a run says of itself. ------------------------------------------------------------------


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


def _without_prediction(table: Path, predicted: set[str]) -> int:
    """Test videos without a prediction; 0 where the table of videos is no longer there."""
    if not table.is_file():
        return 0
    return sum(
        video.split == "test" and video.video not in predicted for video in read_videos(table)
    )
