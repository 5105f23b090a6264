"""The files of a finished run. Nothing heavy is imported: a wrong name is answered at once."""

from collections.abc import Sequence
from pathlib import Path

from l2l.errors import BadInput


def skimmer_path(run: Path) -> Path:
    """The skimmer of a finished run.

    Raises:
        BadInput: if there is no such folder, or it is not that of a finished run.
    """
    expected = "expected that of a finished run, such as results/demo, which `make demo` makes"
    if not run.is_dir():
        raise BadInput(f"{run}: no such folder; {expected}")
    path = run / "skimmer" / "skimmer.pt"
    if not path.is_file():
        raise BadInput(f"{run}: not the folder of a finished run (no {path}); {expected}")
    return path


def student_path(run: Path, modalities: Sequence[str]) -> Path:
    """The fine-tuned student whose features a skimmer of these modalities reads."""
    return run / "student" / "finetuned" / f"{'-'.join(modalities)}-distilled.pt"
