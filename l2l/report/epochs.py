"""Learning curves, read from the logs of the trainings: `epoch 3/8 loss 0.69 ... (2 min left)`."""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from l2l.errors import BadInput
from l2l.verbs import TRAININGS

_EPOCH = re.compile(r"^epoch (\d+)/(\d+) ((?:\w+ \S+ ?)+)(?:\(.* left\))?$", re.MULTILINE)
LAST_SHARE = 5  # the last fifth of the epochs
STILL_FALLING = 0.1  # share of the whole fall of the loss that the last fifth may have
HARDLY_FALLEN = 0.15  # relative to the first epoch's


@dataclass(frozen=True)
class Training:
    """One training.

    Attributes:
        name: rule and network, such as `train_skimmer/lstm`.
        planned: number of epochs that it was configured for.
        curves: of each figure, such as `loss` and `val_top1`, its value after each epoch.
        numbers: of the epochs that the log has, from 1.
        seconds: that each of them took.
        written_seconds: when its log was last written, in seconds since 1970.
    """

    name: str
    planned: int
    curves: dict[str, list[float]]
    numbers: tuple[int, ...] = ()
    seconds: tuple[float, ...] = ()
    written_seconds: float = 0.0

    @property
    def epochs(self) -> int:
        """Epochs that the log has; a training that was resumed has the later ones."""
        return len(self.curves["loss"])

    @property
    def figures(self) -> dict[str, list[float]]:
        """The curves, and the seconds of each epoch."""
        return self.curves | {"seconds": list(self.seconds)}

    @property
    def trouble(self) -> str:
        """Why it has not converged; empty where it has, or where the log has too few epochs."""
        loss = self.curves["loss"]
        if len(loss) < 2:
            return ""
        fall = loss[0] - loss[-1]
        if fall <= HARDLY_FALLEN * abs(loss[0]):
            return "the loss has hardly fallen"
        before = loss[-1 - max(1, len(loss) // LAST_SHARE)]
        return "the loss still falls" if before - loss[-1] > STILL_FALLING * fall else ""

    @property
    def loss_change(self) -> str:
        """The loss after the first epoch and after the last."""
        return f"{self.curves['loss'][0]:.3g} to {self.curves['loss'][-1]:.3g}"


def read_trainings(logs: Path) -> list[Training]:
    """The trainings of a run, in the order of the chain; none where there are no logs.

    Args:
        logs: folder of the run's logs, logs/<run>.

    Raises:
        BadInput: if an epoch's figure is no number.
    """
    paths = [
        path
        for rule in TRAININGS
        for path in sorted({*logs.glob(f"{rule}.log"), *logs.glob(f"{rule}/*.log")})
    ]
    read = [_training(path, path.relative_to(logs).with_suffix("").as_posix()) for path in paths]
    return [training for training in read if training is not None]


def not_converged(run: str, logs: Path) -> str:
    """One line on the trainings of a run that have not converged; empty where all have.

    Args:
        run: name of the run, for the line.
        logs: folder of the run's logs, logs/<run>.

    Raises:
        BadInput: if an epoch's figure is no number.
    """
    troubled = [training.name for training in read_trainings(logs) if training.trouble]
    if not troubled:
        return ""
    return f"not converged: {', '.join(troubled)}; l2l costs results/{run} has their curves"


def _training(path: Path, name: str) -> Training | None:
    epochs = _EPOCH.findall(path.read_text(encoding="utf-8", errors="replace"))
    if not epochs:
        return None
    curves: dict[str, list[float]] = {}
    for number, _, figures in epochs:
        words: Sequence[str] = figures.split()
        for figure, value in zip(words[::2], words[1::2], strict=True):
            try:
                curves.setdefault(figure, []).append(float(value))
            except ValueError:
                raise BadInput(
                    f"{path}: epoch {number}: {figure} is {value!r}, expected a number"
                ) from None
    seconds = tuple(curves.pop("seconds", ()))
    numbers = tuple(int(number) for number, *_ in epochs)
    if not curves.get("loss"):
        return None
    return Training(name, int(epochs[0][1]), curves, numbers, seconds, path.stat().st_mtime)


def epochs_csv(trainings: Sequence[Training]) -> str:
    """One line per training, epoch and figure."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("training", "epoch", "figure", "value"))
    for training in trainings:
        for figure, values in training.figures.items():
            rows = zip(training.numbers, values, strict=True)
            writer.writerows((training.name, epoch, figure, value) for epoch, value in rows)
    return text.getvalue()
