"""The action in files and folders of videos, and the moments that the skimmer weighed most."""

import json as json_text
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from l2l.apply.artifact import BOTH, Prediction, prediction_values
from l2l.apply.exported import read_header
from l2l.apply.run import network_path
from l2l.config import NOT_ACCELERATED, AccelerationConfig, AnswerMethod
from l2l.errors import BadInput
from l2l.manifest.files import video_files
from l2l.manifest.probe import NO_SUCH_FILE
from l2l.progress import counted
from l2l.run_record import read_record
from l2l.terminal import escape

Answers = Literal[
    "ours", "one_look", "ours_dense", "ours_sparse", "one_look_dense", "one_look_sparse"
]  # what --method takes: a network, or a row of Table 1
NOUNS = {"image": "pictures", "audio": "sound", BOTH: "moments"}  # of the modalities


def predict(
    video: list[Path],
    /,
    run: Path | None = None,
    teacher: str | None = None,
    json: bool = False,
    moments: int | None = None,
    factor: int = 1,
    steps: int | None = None,
    method: Answers = "ours",
    budget_gmacs: float | None = None,
    top: int = 5,
    threads: int | None = None,
    acceleration: AccelerationConfig = NOT_ACCELERATED,
) -> int:
    """Name the action in each video, by a finished run or by published weights.

    A run's student and skimmer answer, or its one look; without a run R(2+1)D-18, by torchvision's
    weights for Kinetics' 400 actions, averaged over the clips of all moments.

    For thousands of videos, in jobs that can be resumed: `snakemake apply`, see docs/apply.md.

    Args:
        video: files of any name, and folders.
        run: a finished run's folder, such as results/demo, or the file that `l2l export` made.
        teacher: in place of a run: KINETICS400_V1, which torchvision downloads once, or a file of
            these weights.
        json: print one JSON object per file instead of a line of text.
        moments: with a teacher, look at so many uniform moments; default: at every one.
        factor: decode, hear and describe one moment in so many.
        steps: after which the skimmer stops; default: those that it was trained with.
        method: `ours`, the skimmer, or `one_look`, where the run has it; or a row of Table 1, of
            which the sparse ones read at the factor of the run, 5 in the paper.
        budget_gmacs: most multiply-accumulates per video, in 10^9, in place of a factor.
        top: classes per video in the JSON object.
        threads: videos decoded at the same time, and threads of PyTorch; default: one per core.
        acceleration: how the network computes on a GPU, as JSON: `{"bfloat16": true}`.

    Raises:
        BadInput: if there is no such run, it is not finished, its student and skimmer do not
            belong together, the weights are not available, or there is no video.

    Returns:
        0 when every file has an answer, 1 when one could not be used.

    Example:
        l2l predict video.mp4 folder --run results/demo --json
    """
    _check_options(run, teacher, moments, (factor, steps, method, budget_gmacs))
    network, factor = _network(run, method, factor, budget_gmacs)
    if run is not None:
        network_path(run, network)
    files = video_files(video)
    if video and not files:
        raise BadInput(f"{', '.join(map(str, video))}: no file with the name of a video")
    if files and not any(map(os.path.lexists, files)):  # answered without torch
        missing = NO_SUCH_FILE
        return _print([Prediction(str(p), missing.status, missing.reason) for p in files], json)
    if teacher is not None:
        from l2l.apply.teacher import TeacherPredictor

        by_teacher = TeacherPredictor(teacher, threads, acceleration)
        answers = by_teacher.predict_many(files, moments=moments, top=top)
        return _print(counted(answers, len(files), caller_prints=True), json)
    assert run is not None
    from l2l.apply.predictor import Predictor

    predictor = Predictor(run, threads, steps, network, acceleration)
    print(escape(_scope(run, len(predictor.class_names))), file=sys.stderr)
    predictions = predictor.predict_many(files, factor=factor, budget_gmacs=budget_gmacs, top=top)
    by = "" if method == "ours" else f" by {method}"
    return _print(counted(predictions, len(files), caller_prints=True), json, by)


def _check_options(
    run: Path | None, teacher: str | None, moments: int | None, of_run: tuple[object, ...]
) -> None:
    """Refuse both or neither of a run and a teacher, and options of the other one."""
    if (run is None) == (teacher is None):
        raise BadInput(
            "expected one of --run, a finished run, and --teacher KINETICS400_V1, which needs none"
        )
    if run is not None and moments is not None:
        raise BadInput("--moments belongs to --teacher; with --run give --factor")
    if teacher is not None and of_run != (1, None, "ours", None):
        raise BadInput(
            "--factor, --steps, --method and --budget-gmacs belong to --run; with --teacher give "
            "--moments"
        )


def _scope(run: Path, classes: int) -> str:
    """What an answer is worth on videos of other things."""
    return (
        f"each answer is one of the {classes} classes of run {run.stem or run}; a video of "
        "anything else is given one of these too"
    )


def _network(
    run: Path | None, method: Answers, factor: int, budget_gmacs: float | None
) -> tuple[AnswerMethod, int]:
    """The network that a method or a row of Table 1 means, and the factor that it is read at."""
    network: AnswerMethod = "one_look" if method.startswith("one_look") else "ours"
    if method == network or run is None:
        return network, factor
    if factor != 1 or budget_gmacs is not None:
        raise BadInput(
            f"method {method}: found with a factor or a budget, which this row of Table 1 sets "
            f"itself; give --method {network} with them"
        )
    network_path(run, network)  # or a line
    if method.endswith("sparse"):
        config = read_record(run) if run.is_dir() else read_header(run)["config"]
        factor = int(config["evaluation"]["sparse_factor"])
    return network, factor


def _print(predictions: Iterable[Prediction], json: bool, by: str = "") -> int:
    unanswered = 0
    for prediction in predictions:
        unanswered += not prediction.answered
        print(_object(prediction) if json else _line(prediction, by), flush=True)
    return int(unanswered > 0)


def _object(prediction: Prediction) -> str:
    values = prediction_values(prediction)
    if prediction.answered:
        values |= {"label": prediction.label, "probability": prediction.probability}
        for modality in prediction.modalities:
            values[f"{modality}_selected_seconds"] = prediction.selected_seconds(modality)
    return json_text.dumps(values)


def _line(prediction: Prediction, by: str) -> str:
    """A line of text: the moments in order of time, which the JSON object has by step."""
    if not prediction.answered:
        return escape(f"{prediction.video}: {prediction.status}: {prediction.reason}")
    line = f"{prediction.video}: {prediction.label} ({prediction.probability:.2f}){by}"
    for modality in prediction.modalities:
        if seconds := sorted(prediction.selected_seconds(modality)):
            line += f"; {NOUNS[modality]} weighed most at {_joined(seconds)} s"
    if not prediction.selected:
        line += f"; {prediction.moments_read} of {prediction.moments} moments seen"
    line += f"; {prediction.gmacs:.3g} GMACs, {prediction.decoded_pictures} pictures decoded"
    if prediction.reason:
        line += f" [{prediction.status}: {prediction.reason}]"
    return escape(line)


def _joined(seconds: Sequence[float]) -> str:
    return ", ".join(f"{each:.1f}" for each in seconds)
