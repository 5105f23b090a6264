"""The files of a finished run. Nothing heavy is imported: a wrong name is answered at once."""

from collections.abc import Sequence
from pathlib import Path

from l2l.config import AnswerMethod
from l2l.errors import BadInput


def network_path(run: Path, method: AnswerMethod = "ours") -> Path:
    """The network of a finished run that answers: its skimmer, or its one look.

    Raises:
        BadInput: if there is no such folder, it is not that of a finished run, or it has no one
            look.
    """
    expected = "expected that of a finished run, such as results/demo, which `make demo` makes"
    if not run.is_dir():
        raise BadInput(f"{run}: no such folder; {expected}")
    skimmer, one_look = (run / "skimmer" / f"{name}.pt" for name in ("skimmer", "one_look"))
    path = skimmer if method == "ours" else one_look
    if path.is_file():
        return path
    if path == one_look and skimmer.is_file():
        raise BadInput(
            f"{run}: found no one look (no {one_look}), expected one for method one_look; run it "
            "with one_look_sparse in evaluation.methods, or answer with method ours"
        )
    raise BadInput(f"{run}: not the folder of a finished run (no {path}); {expected}")


def student_path(run: Path, modalities: Sequence[str]) -> Path:
    """The fine-tuned student whose features a network of these modalities reads."""
    return run / "student" / "finetuned" / f"{'-'.join(modalities)}-distilled.pt"
