"""What the numbers of a finished tiny run are, rule by rule: `tests/golden.tsv` holds them.

    python tests/support/golden.py RUN >tests/golden.tsv

writes it from RUN, a working directory with a finished run of `workflow/configs/tiny.yaml`.

Summaries stand for whole artifacts, since other processors round otherwise: of two machines the
means of an artifact agree where its bytes do not.
"""

import hashlib
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import h5py
import numpy as np
import zarr

from l2l.evaluation.artifact import TABLES
from l2l.manifest.artifact import read_videos
from l2l.media.artifact import read_media
from l2l.stores import read_columns
from l2l.training import load_network

ROOT = Path(__file__).parents[2]
COLUMNS = ("rule", "version", "number", "value")
# Relative: what follows from a trained network moves with the last bit of every sum.
TOLERANCE, TRAINED_TOLERANCE = 1e-4, 0.05
UNTRAINED = {"render_demo", "list_videos", "decode_videos", "collect_statuses", "compute_mels"}

EXEMPT = {
    "all": "makes nothing",
    "apply": "makes nothing",
    "apply_videos": "tests/test_apply.py compares its answers with those of the evaluation",
    "collect_predictions": "tables of answers; tests/test_apply.py",
    "write_predictions_page": "makes no numbers",
    "study": "makes nothing",
    "summarise_study": "means of tables that are here; tests/test_study.py holds its numbers",
    "load_teacher": "the tiny run trains its teacher; tests/test_teacher.py holds its numbers",
    "finetune_teacher": "the tiny run has no teacher.finetune; tests/test_finetuned_teacher.py",
    "fit_frame_teacher": "the tiny run trains its teacher; tests/test_frame_teacher.py",
    "summarise_scsampler": "as summarise_study",
    "scsampler_study": "makes nothing",
    "extract_motion": "no part of the plain run; tests/test_motion_stage.py holds its numbers",
    "describe_all_clips": "no part of the plain run; tests/test_sampler_stage.py holds its numbers",
    "train_sampler": "no part of the plain run; tests/test_sampler_stage.py holds its numbers",
    "score_clips": "no part of the plain run; tests/test_sampler_stage.py holds its numbers",
    "evaluate_scsampler": "no part of the plain run; tests/test_sampler_stage.py holds its numbers",
    "write_scsampler_report": "no part of the plain run",
    "scsampler": "makes nothing",
    "write_shard_fingerprint": "holds times of files",
    "copy_shard_table": "a copy",
    "copy_training_table": "a copy",
    "check_leaks": "makes no numbers",
    "complete_features": "makes no numbers",
}

Numbers = dict[str, float | str]


def golden_rows(run: Path) -> list[dict[str, str]]:
    """The rows of `tests/golden.tsv` for a finished run in a working directory."""
    versions = rule_versions()
    return [
        {"rule": rule, "version": versions[rule], "number": number, "value": _text(value)}
        for rule, numbers in summaries(run / "results/tiny").items()
        for number, value in numbers.items()
    ]


def rule_versions() -> dict[str, str]:
    """Each rule's `version`, as its file has it: a number, or the name of one; empty if none."""
    versions = {}
    for path in sorted((ROOT / "workflow/rules").glob("*.smk")):
        text = path.read_text(encoding="utf-8")
        values = dict(re.findall(r"^(\w+_VERSION) = (\d+)", text, re.MULTILINE))
        for name, body in re.findall(r"^ *rule (\w+):$(.*?)(?=^ *rule |\Z)", text, re.M | re.S):
            version = re.search(r"^ *version=(\w+),$", body, re.MULTILINE)
            versions[name] = values.get(version[1], version[1]) if version else ""
    return versions


def summaries(results: Path) -> dict[str, Numbers]:
    """The numbers of each rule."""
    clips = results / "manifest/clips/videos.tsv"
    return {
        "render_demo": {
            "files": float(len(list((results / "videos").rglob("*.mp4")))),
            **_table([results / "videos/untrimmed/segments.tsv"]),
        },
        "list_videos": _table([clips], without={"file", "path", "fingerprint"}),
        "decode_videos": _media(
            results / "media/untrimmed/shard-000.h5", results / "manifest/untrimmed/shard-000.tsv"
        ),
        "collect_statuses": _table(
            [results / "media/untrimmed/videos.tsv"], without={"file", "path", "fingerprint"}
        ),
        "compute_mels": _hdf5(results / "mels/untrimmed/shard-000.h5"),
        "train_teacher": _network(results / "teacher/teacher.pt", "teacher"),
        "extract_descriptors": _hdf5(results / "teacher/clips/shard-000.h5"),
        "distil_student": _network(results / "student/distilled/image-audio.pt", "student"),
        "finetune_student": _network(
            results / "student/finetuned/image-audio-distilled.pt", "student"
        ),
        "extract_features": _zarr(results / "features/untrimmed/shard-000"),
        "train_skimmer": _network(results / "skimmer/skimmer.pt", "skimmer"),
        **{
            rule: _table([results / f"evaluation/{table}.tsv" for table in tables], JUMPS, ORDERED)
            for rule, tables in TABLES_OF.items()
        },
        "write_report": {
            "figures": float((results / "report.html").read_text().count("<svg")),
            "pictures": float((results / "report.html").read_text().count("data:image/jpeg")),
        },
    }


TABLES_OF = {
    rule: [table.name for table in TABLES if table.written_by == rule]
    for rule in dict.fromkeys(table.written_by for table in TABLES)
    if rule not in EXEMPT
}
# Accuracies of a few test videos jump by a quarter where a processor rounds otherwise, and the
# predictions and the order of rows with them.
JUMPS = re.compile(r".*(top1|top5|map|_ap|predicted|probability|gain|recognised|_rate|picks).*")
ORDERED = {"class", "moment", "start_seconds", "label", "split", "has_sound", "video"}


def _table(
    paths: Iterable[Path], skipped: re.Pattern[str] | None = None, without: Iterable[str] = ()
) -> Numbers:
    """Rows, means of columns of numbers, and a digest of the other columns."""
    numbers: Numbers = {}
    for path in paths:
        names, rows = read_columns(path)
        numbers[f"{path.stem}: rows"] = float(len(rows))
        for name in names:
            if name in without or (skipped and skipped.fullmatch(name)):
                continue
            cells = [row[name] for row in rows]
            try:
                values = [float(cell) for cell in cells if cell]
                numbers[f"{path.stem}: {name}"] = float(np.mean(values)) if values else "empty"
            except ValueError:
                digest = hashlib.sha256("\n".join(cells).encode()).hexdigest()
                numbers[f"{path.stem}: {name}"] = f"text {digest[:12]}"
    return numbers


def _array(name: str, values: np.ndarray) -> Numbers:
    values = values.astype(np.float64)
    return {
        f"{name}: size": float(values.size),
        f"{name}: mean of squares": float(np.mean(values**2)) if values.size else 0.0,
    }


def _media(path: Path, table: Path) -> Numbers:
    videos = [video.video for video in read_videos(table)]
    with read_media(path) as shard:
        moments = [(video, k) for video in videos for k in range(shard.moments(video))]
        frames = np.stack([shard.frame(video, moment) for video, moment in moments])
        sound = np.concatenate([shard.waveform(video) for video in videos])
    return {**_array("frames", frames), **_array("sound", sound)}


def _hdf5(path: Path) -> Numbers:
    with h5py.File(path) as file:
        arrays = {name: file[name][...] for name in file if file[name].dtype.kind in "bif"}
    return _arrays(arrays)


def _zarr(path: Path) -> Numbers:
    return _arrays({name: np.asarray(array) for name, array in zarr.open_group(path).arrays()})


def _arrays(arrays: Mapping[str, np.ndarray]) -> Numbers:
    numbers: Numbers = {}
    for name, values in sorted(arrays.items()):
        numbers |= _array(name, values)
    return numbers


def _network(path: Path, kind: str) -> Numbers:
    weights = load_network(path, kind)[1]
    flat = np.concatenate([weight.double().flatten().numpy() for weight in weights.values()])
    return _array("weights", flat)


def _text(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"


if __name__ == "__main__":
    print("\t".join(COLUMNS))
    for row in golden_rows(Path(sys.argv[1])):
        print("\t".join(row[name] for name in COLUMNS))
