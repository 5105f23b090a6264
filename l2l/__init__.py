"""Listen to Look: action recognition in untrimmed video by previewing audio.

What is named here is the public face: `load` answers for videos by a finished run, `load_teacher`
by public weights; `open_features`, `open_media`, `open_mels` and `open_scores` read what a run
stores. `Predictor`, `TeacherPredictor` and `Prediction` are what the first two and their `predict`
return. docs/python.md has examples. All other modules are internal and may change at any time.
"""

import importlib
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from l2l.errors import BadInput

if TYPE_CHECKING:
    from l2l.apply.artifact import Prediction
    from l2l.apply.predictor import Predictor
    from l2l.apply.teacher import TeacherPredictor
    from l2l.config import AccelerationConfig
    from l2l.evaluation.videos.artifact import Scores
    from l2l.features.artifact import Features
    from l2l.media.artifact import MediaReader
    from l2l.mels.artifact import MelReader

__version__ = "0.1.0"  # the one place; pyproject.toml, artifacts and reports read it here
__all__ = [
    "BadInput",
    "Prediction",
    "Predictor",
    "TeacherPredictor",
    "__version__",
    "load",
    "load_teacher",
    "open_features",
    "open_media",
    "open_mels",
    "open_scores",
]

# What the functions need is imported in them, so that `import l2l` imports nothing heavy.
_TYPES = {
    "Prediction": "l2l.apply.artifact",
    "Predictor": "l2l.apply.predictor",
    "TeacherPredictor": "l2l.apply.teacher",
}


def __getattr__(name: str) -> Any:
    if name in _TYPES:
        return getattr(importlib.import_module(_TYPES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def load(
    run: str | Path,
    threads: int | None = None,
    steps: int | None = None,
    method: Literal["ours", "one_look"] = "ours",
    acceleration: "AccelerationConfig | None" = None,
) -> "Predictor":
    """Load a finished run, which then answers for any video.

        run = l2l.load("results/demo")
        run.predict("video.mp4").label
        for prediction in run.predict_many(paths, factor=5): ...

    Args:
        run: the run's folder, or the file that `l2l export` made of it.
        threads: videos decoded at the same time, and threads of PyTorch; default: one per core.
        steps: after which the skimmer stops; default: those that it was trained with.
        method: which network of the run answers: `ours`, the skimmer, or `one_look`.
        acceleration: how the student computes on a GPU; default: in float32, not compiled.

    Raises:
        BadInput: if there is no such run, it is not finished, or it has no such network.
    """
    from l2l.apply.predictor import Predictor
    from l2l.config import NOT_ACCELERATED

    _refuse_no_folder(Path(run))
    return Predictor(run, threads, steps, method, acceleration or NOT_ACCELERATED)


def load_teacher(
    weights: str | Path = "KINETICS400_V1",
    threads: int | None = None,
    acceleration: "AccelerationConfig | None" = None,
) -> "TeacherPredictor":
    """Load R(2+1)D-18 with public weights, which names Kinetics' 400 actions in any video: what
    `l2l predict --teacher` answers with. It needs no run.

        teacher = l2l.load_teacher()
        teacher.predict("video.mp4", moments=10).label

    Args:
        weights: KINETICS400_V1, which torchvision downloads once; or a file of these weights.
        threads: of PyTorch; default: one per core.
        acceleration: how the network computes on a GPU; default: in float32, not compiled.

    Raises:
        BadInput: if the weights are not available or are others.
    """
    from l2l.apply.teacher import TeacherPredictor
    from l2l.config import NOT_ACCELERATED

    return TeacherPredictor(str(weights), threads, acceleration or NOT_ACCELERATED)


def open_features(path: str | Path) -> "Features":
    """Open the features of a data set, which are read video by video.

        features = l2l.open_features("results/demo/features/untrimmed")
        one = features.load(features.videos[0])  # float32, also where the store has float16
        one.features["image"], one.features["audio"], one.fused  # (moments, 512) each in the paper
        features.to_xarray()  # with named dimensions and coordinates

    Args:
        path: the folder, results/<run>/features/<dataset>, or that of one shard in it.

    Raises:
        BadInput: if it is missing, incomplete, damaged or of another kind.
    """
    from l2l.features.artifact import read_features

    return read_features(Path(path))


def open_media(path: str | Path) -> AbstractContextManager["MediaReader"]:
    """Open the frames and the sound of a shard's videos, for a `with` statement.

        with l2l.open_media("results/demo/media/untrimmed/test-000.h5") as media:
            frame = media.frame(media.videos[0], moment=3)  # uint8 (side, side, 3)

    Args:
        path: the file, results/<run>/media/<dataset>/<shard>.h5.

    Raises:
        BadInput: if it is missing, incomplete, damaged or of another kind.
    """
    from l2l.media.artifact import read_media

    return read_media(Path(path))


def open_mels(path: str | Path) -> AbstractContextManager["MelReader"]:
    """Open the log-mel spectrograms of a shard's videos, for a `with` statement.

        with l2l.open_mels("results/demo/mels/untrimmed/test-000.h5") as mels:
            mel = mels.mel(mels.videos[0], moment=3)  # float32 (windows, bands), ln(power)

    Args:
        path: the file, results/<run>/mels/<dataset>/<shard>.h5.

    Raises:
        BadInput: if it is missing, incomplete, damaged or of another kind.
    """
    from l2l.mels.artifact import read_mels

    return read_mels(Path(path))


def open_scores(run: str | Path) -> AbstractContextManager["Scores"]:
    """Open what each method of Table 1 predicts for each test video, and the skimmer's attention
    over all moments, for a `with` statement.

        with l2l.open_scores("results/demo") as scores:
            right = scores.probabilities("ours_dense")[0].argmax(1) == scores.labels

    Args:
        run: the run's folder, or its file evaluation/scores.h5.

    Raises:
        BadInput: if it is missing, incomplete, damaged or of another kind.
    """
    from l2l.evaluation.videos.artifact import read_scores

    path = Path(run)
    _refuse_no_folder(path)
    return read_scores(path / "evaluation/scores.h5" if path.is_dir() else path)


def _refuse_no_folder(run: Path) -> None:
    """Refuse the folder of a run that is not there: mostly, the current folder is another one."""
    if run.suffix not in (".h5", ".safetensors") and not run.exists():
        raise BadInput(f"{run}: no such run folder; the current folder is {Path.cwd()}")
