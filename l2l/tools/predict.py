"""The action in single files, and the moments that the skimmer weighed most."""

import json as json_text
from pathlib import Path
from typing import Any

from l2l.errors import BadInput
from l2l.terminal import escape


def predict(video: list[Path], /, run: Path, json: bool = False) -> int:
    """Name the action in each video by skimming it with a run's student and skimmer.

    Args:
        video: the files.
        run: a finished run's folder, such as results/demo.
        json: print one JSON object per file instead of a line of text.

    Raises:
        BadInput: if there is no such run, it is not finished, or its student and skimmer do not
            belong together.

    Returns:
        0 when every file has an answer, 1 when one could not be used.
    """
    if not run.is_dir():
        raise BadInput(
            f"{run}: no such folder; expected that of a finished run, such as results/demo, which "
            "`make demo` makes"
        )
    # here, so that a wrong name is answered without torch
    from l2l.manifest.probe import probe_files
    from l2l.tools.prediction import Predictor

    predictor = Predictor(run)
    unanswered = 0
    for path, declared in zip(video, probe_files(video), strict=True):
        prediction = predictor.predict(path, declared)
        unanswered += "label" not in prediction
        print(json_text.dumps(prediction) if json else _line(prediction), flush=True)
    return int(unanswered > 0)


def _line(prediction: dict[str, Any]) -> str:
    if "label" not in prediction:
        return escape(f"{prediction['video']}: {prediction['status']}: {prediction['reason']}")
    line = f"{prediction['video']}: {prediction['label']} ({prediction['probability']:.2f})"
    for modality, noun in (("image", "pictures"), ("audio", "sound")):
        if selected := prediction.get(f"{modality}_selected_seconds"):
            starts = ", ".join(f"{seconds:.1f}" for seconds in selected)
            line += f"; {noun} weighed most at {starts} s"
    line += f"; {prediction['gmacs']:.3g} GMACs"
    if prediction["reason"]:
        line += f" [{prediction['status']}: {prediction['reason']}]"
    return escape(line)
