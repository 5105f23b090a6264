"""The file that `l2l export` made of a run, back to the folder of a run."""

import os
from pathlib import Path

from l2l.apply.exported import read_exported, read_header
from l2l.apply.run import student_path
from l2l.errors import BadInput
from l2l.run_record import write_record
from l2l.skimmer.artifact import restore_skimmer
from l2l.student.artifact import restore_student
from l2l.training import save_network

LENGTH_BYTES = 8  # of the header, at the beginning of safetensors


def is_safetensors(path: Path) -> bool:
    """Whether a file begins as safetensors do: the length of a header, and a header in JSON."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(LENGTH_BYTES + 1)[LENGTH_BYTES:] == b"{"


def import_run(path: Path, folder: Path) -> None:
    """Write the networks and the configuration of an exported run as the run had them.

    Args:
        path: the file.
        folder: written: config.json, student/finetuned/*.pt, skimmer/*.pt.

    Raises:
        BadInput: if the file is none that `l2l export` wrote, is damaged, or there is such a
            folder.
    """
    if os.path.lexists(folder):
        raise BadInput(f"{folder}: exists and is not replaced; give another name")
    networks, record = read_exported(path), read_header(path)["config"]
    settings, state = networks.pop("student")
    student = restore_student(path, settings, state)
    skimmers = {name: (each[0], restore_skimmer(path, *each)) for name, each in networks.items()}
    folder.mkdir(parents=True)
    save_network(student_path(folder, student.modalities), "student", student, settings)
    for name, (kept, trained) in skimmers.items():
        save_network(folder / "skimmer" / f"{name}.pt", "skimmer", trained.network, kept)
    write_record(folder, record)
