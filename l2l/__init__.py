"""Listen to Look: action recognition in untrimmed video by previewing audio."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from l2l.apply.predictor import Predictor
    from l2l.config import AccelerationConfig

__version__ = "0.1.0"  # the one place; pyproject.toml, artifacts and reports read it here


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
    # here, so that `import l2l` imports nothing heavy
    from l2l.apply.predictor import Predictor
    from l2l.config import NOT_ACCELERATED

    return Predictor(run, threads, steps, method, acceleration or NOT_ACCELERATED)
