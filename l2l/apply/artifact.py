"""What a finished run answers for a video, and the files that hold the answers of a data set.

    shards/<shard>.jsonl   one object per video of a shard: all that is known of its answer
    predictions.tsv        one row per video: the most probable classes, status, cost
    moments.jsonl          one object per video: the selected moments, and the time stamps of their
                           frames in the form of KFS-Bench, {"id", "frame_timestamps"}

Nothing heavy is imported here: a missing file is answered without PyTorch.
"""

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from l2l.errors import BadInput
from l2l.stores import verify_checksum, write_table, write_text

Made = TypeVar("Made", "ClassProbability", "SelectedMoment", "Prediction")


@dataclass(frozen=True)
class ClassProbability:
    """A class and its probability, from 0 to 1."""

    label: str
    probability: float

    def __repr__(self) -> str:
        return f"{self.label} ({self.probability:.2f})"


BOTH = "both"  # a moment's picture and sound, which one look gives one weight


@dataclass(frozen=True)
class SelectedMoment:
    """The moment with the largest attention weight in one step, by one modality's query; or one of
    those that one look weighs most.
    """

    step: int  # from 1
    modality: str  # image, audio or both
    moment: int  # its number, from 0
    start_seconds: float
    end_seconds: float  # half open: where the next moment starts
    weight: float  # attention of this query, from 0 to 1
    modality_weight: float  # of this query among those of the step, s of eq. 8
    has_sound: bool  # whether there is sound in at least half of the second that starts there

    def __repr__(self) -> str:
        return (
            f"step {self.step}, {self.modality}: {self.start_seconds:.1f} to "
            f"{self.end_seconds:.1f} s (weight {self.weight:.2f})"
        )


@dataclass(frozen=True)
class Prediction:
    """A run's answer for one video; a video that cannot be used has no classes, and a reason."""

    video: str  # its id in a data set, else its path
    status: str  # one of l2l.manifest.artifact.STATUSES
    reason: str = ""
    classes: tuple[ClassProbability, ...] = ()  # the most probable first
    selected: tuple[SelectedMoment, ...] = ()  # by step, then by modality
    duration_seconds: float = 0.0  # of the pictures, on the 30 fps grid
    moments: int = 0  # of the video
    moments_read: int = 0  # those whose features were computed
    factor: int = 0  # one moment in so many was read
    steps: int = 0  # of the skimmer; 1 of one look
    gmacs: float = 0.0  # 10^9 multiply-accumulates: features of the moments read, and the skimmer
    decoded_pictures: int = 0  # pictures of the file that were decoded

    @property
    def answered(self) -> bool:
        """Whether there is an answer."""
        return bool(self.classes)

    @property
    def label(self) -> str | None:
        """The most probable class; None without an answer."""
        return self.classes[0].label if self.classes else None

    @property
    def probability(self) -> float | None:
        """The probability of `label`; None without an answer."""
        return self.classes[0].probability if self.classes else None

    @property
    def modalities(self) -> tuple[str, ...]:
        """Those by which moments were selected, in the order of the skimmer."""
        return tuple(dict.fromkeys(each.modality for each in self.selected))

    def selected_seconds(self, modality: str) -> list[float]:
        """Where the moments start that one modality's query selected, by step.

        Of sound only moments that have some.
        """
        return [
            each.start_seconds
            for each in self.selected
            if each.modality == modality and (modality != "audio" or each.has_sound)
        ]

    @property
    def frame_timestamps(self) -> list[float]:
        """The start of each moment that was selected by what is seen, each once, in order of time;
        of a network that only hears, or weighs both at once, of those that it selected.
        """
        shown = "image" if "image" in self.modalities else "".join(self.modalities[:1])
        return sorted({each.start_seconds for each in self.selected if each.modality == shown})

    def __repr__(self) -> str:
        if not self.answered:
            return f"Prediction({self.video!r}, {self.status}: {self.reason})"
        classes = ", ".join(map(repr, self.classes))
        remark = f", {self.status}: {self.reason}" if self.reason else ""
        return (
            f"Prediction({self.video!r}, {classes}, {len(self.selected)} selected moments, "
            f"{self.moments_read} of {self.moments} moments read, {self.gmacs:.3g} GMACs{remark})"
        )


def prediction_values(prediction: Prediction) -> dict[str, Any]:
    """A prediction as plain values, for JSON; `read_prediction` takes them back."""
    return asdict(prediction)


def read_prediction(values: dict[str, Any]) -> Prediction:
    """What `prediction_values` made.

    Raises:
        TypeError, KeyError: if it is something else, or a number is not finite.
    """
    inner = {
        "classes": tuple(_checked(ClassProbability(**each)) for each in values["classes"]),
        "selected": tuple(_checked(SelectedMoment(**each)) for each in values["selected"]),
    }
    if missing := {field.name for field in fields(Prediction)} - set(values):
        raise KeyError(min(missing))
    prediction = _checked(Prediction(**(values | inner)))
    for each in prediction.selected:
        if not 0 <= each.moment < prediction.moments:
            raise TypeError(f"moment {each.moment} is selected of {prediction.moments}")
    return prediction


def _checked(made: Made) -> Made:
    """What was made of JSON, if its texts are texts and its numbers are finite.

    Raises:
        TypeError: naming the field.
    """
    for field in fields(made):
        value = getattr(made, field.name)
        if field.type in _PLAIN and not _PLAIN[field.type](value):
            shown = repr(value)[:40]
            kind = getattr(field.type, "__name__", field.type)
            raise TypeError(f"{field.name} is {shown}, expected {kind}")
    return made


_PLAIN: dict[Any, Callable[[Any], bool]] = {
    str: lambda value: type(value) is str,
    bool: lambda value: type(value) is bool,
    int: lambda value: type(value) is int and abs(value) <= sys.maxsize,
    float: lambda value: type(value) in (int, float) and abs(value) <= sys.float_info.max,
}


def write_predictions(path: Path, predictions: Iterable[Prediction]) -> None:
    """Write the predictions of a shard, one JSON object per line."""
    _write_lines(path, map(prediction_values, predictions))


def read_predictions(path: Path) -> list[Prediction]:
    """Read what `write_predictions` wrote.

    Raises:
        BadInput: if the file is missing or damaged, or a line is not a prediction.
    """
    expected = "expected the predictions of a shard, one JSON object per video"
    predictions = []
    for number, values in enumerate(_read_lines(path, expected), start=1):
        try:
            predictions.append(read_prediction(values))
        except (TypeError, KeyError) as error:
            raise BadInput(f"{path}: line {number}: {error}; {expected}") from None
    return predictions


def read_statuses(path: Path) -> tuple[list[str], int]:
    """The status of each video of a shard's predictions, or of moments.jsonl, and the number of
    selected moments of all.

    Raises:
        BadInput: if it is neither, or is damaged.
    """
    objects = _read_lines(path, "expected one JSON object per video, as `apply` writes them")
    try:
        selected = [each["selected" if "selected" in each else "moments"] for each in objects]
        return [str(each["status"]) for each in objects], sum(map(len, selected))
    except (KeyError, TypeError) as error:
        raise BadInput(f"{path}: not answers of a finished run: no {error}") from None


def prediction_columns(top: int) -> tuple[str, ...]:
    """The columns of predictions.tsv with so many classes."""
    classes = [name for i in range(1, top + 1) for name in (f"label_{i}", f"probability_{i}")]
    return ("video", "status", "reason", *classes, *_COSTS)


_COSTS = (
    *("duration_seconds", "moments", "moments_read", "factor", "steps"),
    *("gmacs", "decoded_pictures"),
)


def write_prediction_table(path: Path, predictions: Sequence[Prediction], top: int) -> None:
    """Write predictions.tsv: one row per video, also of those without an answer."""
    rows = []
    for each in predictions:
        row = {"video": each.video, "status": each.status, "reason": each.reason}
        for i, (label, probability) in enumerate(
            ((c.label, c.probability) for c in each.classes[:top]), start=1
        ):
            row |= {f"label_{i}": label, f"probability_{i}": f"{probability:.6f}"}
        if each.answered:
            row |= {name: str(getattr(each, name)) for name in _COSTS}
        rows.append(row)
    write_table(path, prediction_columns(top), rows)


def write_moments(path: Path, predictions: Iterable[Prediction]) -> None:
    """Write moments.jsonl: the selected moments of each video, also of those that have none."""
    _write_lines(
        path,
        (
            {
                "id": each.video,
                "status": each.status,
                "frame_timestamps": each.frame_timestamps,
                "moments": [asdict(selected) for selected in each.selected],
            }
            for each in predictions
        ),
    )


def _write_lines(path: Path, objects: Iterable[dict[str, Any]]) -> None:
    # ASCII, so that a file name of any bytes survives
    try:
        text = "".join(json.dumps(each, allow_nan=False) + "\n" for each in objects)
    except ValueError:
        raise BadInput(f"{path}: not written: it holds numbers that are not finite") from None
    write_text(path, text)


def _read_lines(path: Path, expected: str) -> list[dict[str, Any]]:
    """What `_write_lines` wrote.

    Raises:
        BadInput: if the file is missing or damaged, or a line is no JSON object.
    """
    verify_checksum(path)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise BadInput(f"{path}: cannot be read ({error}); {expected}") from None
    return [
        _read_line(line, f"{path}: line {number}", expected)
        for number, line in enumerate(lines, start=1)
    ]


def _read_line(line: str, where: str, expected: str) -> dict[str, Any]:
    try:
        values = json.loads(line, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{where}: cannot be read ({error}); {expected}") from None
    if not isinstance(values, dict):
        raise BadInput(f"{where}: a line is no JSON object; {expected}")
    return values


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not finite")
