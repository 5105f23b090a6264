"""A finished run, as its folder or as the file that `l2l export` makes of it.

Nothing heavy is imported: a wrong name is answered at once.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from l2l.apply.exported import read_header
from l2l.config import AnswerMethod
from l2l.errors import BadInput


def network_name(method: AnswerMethod) -> str:
    """The network that answers: skimmer or one_look."""
    return "skimmer" if method == "ours" else method


def network_path(run: Path, method: AnswerMethod = "ours") -> Path:
    """The file of the network that answers, of a finished run: its skimmer, or its one look; of an
    exported run, the one file.

    Raises:
        BadInput: if there is no such folder or file, it is not that of a finished run, or it has no
            one look.
    """
    if run.exists() and not run.is_dir():
        if network_name(method) not in read_header(run)["settings"]:
            raise _no_one_look(run, "no one_look among its networks")
        return run
    expected = (
        "expected that of a finished run, such as results/demo, which `make demo` makes, or a file "
        "that `l2l export` made of one"
    )
    if not run.is_dir():
        raise BadInput(f"{run}: no such folder; {expected}")
    skimmer, path = (run / "skimmer" / f"{name}.pt" for name in ("skimmer", network_name(method)))
    if path.is_file():
        return path
    if path != skimmer and skimmer.is_file():
        raise _no_one_look(run, f"no {path}")
    raise BadInput(f"{run}: not the folder of a finished run (no {path}); {expected}")


def student_path(run: Path, modalities: Sequence[str]) -> Path:
    """The fine-tuned student whose features a network of these modalities reads; of an exported
    run, the one file.
    """
    if not run.is_dir():
        return run
    return run / "student" / "finetuned" / f"{'-'.join(modalities)}-distilled.pt"


def files_of_run(run: Path, method: AnswerMethod = "ours") -> list[Path]:
    """The files that an answer depends on, as absolute paths.

    Raises:
        BadInput: as `network_path`.
    """
    students = sorted(run.glob("student/finetuned/*-distilled.pt"))
    return [Path(os.path.abspath(path)) for path in (network_path(run, method), *students)]


def _no_one_look(run: Path, reason: str) -> BadInput:
    return BadInput(
        f"{run}: found no one look ({reason}), expected one for method one_look; run it with "
        "one_look_sparse in evaluation.methods, or answer with method ours"
    )
