"""A finished run as one file, which answers as the run's folder does."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from l2l.apply.exported import write_exported
from l2l.apply.run import network_path, student_path
from l2l.errors import BadInput
from l2l.evaluation.artifact import read_evaluation_table
from l2l.run_record import read_record
from l2l.terminal import escape


def export(run: Path, file: Path, /) -> None:
    """Write all that a finished run needs to answer for videos into one file.

    It takes the place of the run's folder in `l2l predict --run`, `apply.run` and `l2l.load`. It
    holds no videos, but the configuration that made the run, with the paths in it.

    Args:
        run: the folder of a finished run, such as results/demo.
        file: the file to write, safetensors; one that exists is not replaced.

    Raises:
        BadInput: if the run is not finished, its networks do not belong together, or there is such
            a file.

    Example:
        l2l export results/demo demo.safetensors
    """
    if os.path.lexists(file):
        raise BadInput(f"{file}: exists and is not replaced; give another name")
    if run.is_file():
        raise BadInput(f"{run}: found a file, expected the folder of a finished run")
    skimmer = network_path(run)
    record = read_record(run)
    from l2l.skimmer.artifact import check_student, load_skimmer
    from l2l.student.artifact import digest_of, load_student
    from l2l.training import load_network

    one_look = skimmer.with_name("one_look.pt")
    modalities = load_skimmer(skimmer).network.modalities
    student = student_path(run, modalities)
    digest = digest_of(load_student(student))
    networks = {"student": load_network(student, "student")}
    for path in (skimmer, *([one_look] if one_look.is_file() else [])):
        trained = load_skimmer(path)
        if trained.network.modalities != modalities:
            raise BadInput(f"{path}: reads {trained.network.modalities}, expected {modalities}")
        check_student(path, trained, student, digest)
        networks[path.stem] = load_network(path, "skimmer")
    table = run / "evaluation/table1.tsv"
    scores = read_evaluation_table(table) if table.is_file() else []
    if not scores:
        print(escape(f"{table}: no such file, so the file has no scores"), file=sys.stderr)
    content = {
        "run": run.resolve().name,
        "config": record,
        "scores": scores,
        "licences": list(_licences(record)),
    }
    write_exported(file, content, networks)
    mib = file.stat().st_size / 2**20
    print(escape(f"{file}: {', '.join(networks)} of {run}, {mib:.1f} MiB"))


def _licences(record: dict[str, Any]) -> Iterator[str]:
    """What is known of the terms of the weights: what they were trained on and started from."""
    yield "l2l is under the MIT licence; the weights depend on what they were trained on."
    datasets = ", ".join(
        f"{name} (adapter {each.get('adapter')}, role {each.get('role')})"
        for name, each in record.get("videos", {}).items()
        if each.get("role") != "apply"
    )
    yield f"Trained on the data sets {datasets}: the terms of their videos and labels apply."
    student, teacher = record.get("student", {}), record.get("teacher", {})
    for network, weights in (
        ("The teacher, whose descriptors the student learned,", teacher.get("weights", "train")),
        ("The student's image network", student.get("image_weights", "none")),
    ):
        if weights not in ("train", "none"):
            yield (
                f"{network} started from the weights {weights}: their terms apply, and of "
                "torchvision's the terms of the data set that they were trained on."
            )
