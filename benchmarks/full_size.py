"""One shard of each full-size configuration on a few real clips: the peak resident memory of every
stage, as a table.

    python benchmarks/full_size.py MEDIA [PRESET...]

MEDIA is the folder that holds `clips` and `fight`. Of a configuration all stays but three things:
these clips stand for its train and val videos; each training is one epoch; and the teacher's
numbers are drawn, since they may not be available. Every stage is a separate process, as in the
workflow, with one thread.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from l2l.config import Config, as_json, check_config, merge_configs

ROOT = Path(__file__).parents[1]
PRESETS = ("activitynet", "mini_sports1m", "kinetics_sounds", "ucf101")
# 19 train moments, 17 of them in one clip of 10 s as Kinetics has them: more than a batch of 16
SOURCE = {
    "train": ("clips/AskAnything__hitting*.mp4", "fight/noFight/nofi004.mp4"),
    "val": ("fight/fight/fi005.mp4",),
}
TARGET = {  # 92 train moments: more than a batch of 64
    "train": (
        "clips/video_features*.mp4",
        "clips/torchcodec*.mp4",
        "clips/VideoLLaMA__dog*.mp4",
        "clips/AskAnything__making*.mp4",
    ),
    "val": ("clips/SparseSync*16k.mp4",),
}
DRAW = (
    "import sys, torch; from torchvision.models import get_model; "
    "torch.save(get_model(sys.argv[1]).state_dict(), sys.argv[2])"
)


def linked_clips(media: Path, clips: dict[str, tuple[str, ...]], folder: Path) -> dict[str, object]:
    """The section of a data set whose clips are linked below `folder`, in two classes."""
    for split, patterns in clips.items():
        files = [file for pattern in patterns for file in sorted(media.glob(pattern))]
        for i, file in enumerate(files):
            link = folder / split / "ab"[i % 2] / file.name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(file.resolve())
    return {"adapter": "folder", "folder": str(folder), "shards": 1}


def shrunk(preset: str, media: Path, at: Path) -> Config:
    """A configuration on the available clips, with one epoch of each training and drawn weights."""
    values = merge_configs(*(ROOT / f"workflow/configs/{name}.yaml" for name in ("paper", preset)))
    values["videos"] = {
        "source": {"role": "source", **linked_clips(media, SOURCE, at / "videos/source")},
        "target": {"role": "target", **linked_clips(media, TARGET, at / "videos/target")},
    }
    for section, fit in (("student", "distil"), ("student", "finetune"), ("skimmer", "training")):
        values[section][fit] |= {"epochs": 1, "milestones": []}
    values["teacher"]["weights"] = str(at / "weights.pth")
    return check_config(values, preset)


def stages(config: Config, at: Path) -> Iterator[tuple[str, dict[str, object]]]:
    """Each verb with its options, in the order of the chain."""
    for name, dataset in config.videos.items():
        table = at / name / "videos.tsv"
        final = at / name / "final.tsv"
        shard = at / name / "shard-000.tsv"
        media = at / name / "media.h5"
        mels = at / name / "mels.h5"
        options = {
            "videos": table,
            "shards": at / name,
            "dataset": as_json(
                dataset.model_copy(update={"role": "source"})
            ),  # nothing is tested here
            "config": as_json(config.manifest),
            "seed": 1,
        }
        yield "list_videos", options
        yield (
            "decode_videos",
            {
                "manifest": shard,
                "media": media,
                "config": as_json(config.media),
                "role": dataset.role,
            },
        )
        yield (
            "collect_statuses",
            {
                "manifest": table,
                "media": media,
                "videos": final,
                "config": as_json(config.manifest),
            },
        )
        yield "compute_mels", {"media": media, "mels": mels, "config": as_json(config.mels)}
    teacher, described, store = (
        at / "teacher.pt",
        at / "source/descriptors.h5",
        at / "features/shard-000",
    )
    seen = {
        name: {"media": at / name / "media.h5", "mels": at / name / "mels.h5"}
        for name in config.videos
    }
    student = {
        "modalities": list(config.student.modalities),
        "config": as_json(config.student),
        "seed": 1,
    }
    yield (
        "load_teacher",
        {
            "teacher": teacher,
            "config": as_json(config.teacher),
            "media_config": as_json(config.media),
        },
    )
    shown = {
        "manifest": at / "source/shard-000.tsv",
        "media": seen["source"]["media"],
        "teacher": teacher,
        "part": "all",
    }
    yield (
        "extract_descriptors",
        {**shown, "descriptors": described, "config": as_json(config.teacher)},
    )
    source = {"videos": at / "source/final.tsv", "descriptors": described, **seen["source"]}
    yield "distil_student", {**source, "student": at / "distilled.pt", **student}
    target = {"videos": at / "target/final.tsv", "distilled": at / "distilled.pt", **seen["target"]}
    yield "finetune_student", {**target, "student": at / "finetuned.pt", **student}
    read = {"student": at / "finetuned.pt", "features": store, "config": as_json(config.features)}
    yield "extract_features", {**seen["target"], **read}
    yield "complete_features", {"shards": store, "features": store.parent / "zarr.json"}
    trained = {
        "videos": at / "target/final.tsv",
        "features": store.parent,
        "skimmer": at / "skimmer.pt",
        "model": "skimmer",
    }
    yield (
        "train_skimmer",
        {**trained, "student": at / "finetuned.pt", "config": as_json(config.skimmer), "seed": 1},
    )


def peak_mib(verb: str, options: dict[str, object]) -> float:
    """Run a stage to its end; the peak resident memory of its process or of one that it started, in
    MiB.
    """
    words = [sys.executable, "-m", "l2l", verb]
    for name, value in options.items():
        words += [
            "--" + name.replace("_", "-"),
            *map(str, value if isinstance(value, list) else [value]),
        ]
    started = subprocess.Popen(
        words
    )  # this process is small: Linux counts it in, up to where the other begins
    _, status, used = os.wait4(started.pid, 0)
    if status:
        raise SystemExit(f"{verb} ended with status {os.waitstatus_to_exitcode(status)}")
    return used.ru_maxrss / 1024


def main() -> None:
    """Print a row for each stage, a column for each configuration."""
    media, presets = Path(sys.argv[1]), sys.argv[2:] or PRESETS
    peaks: dict[str, dict[str, float]] = {}
    for preset in presets:
        with tempfile.TemporaryDirectory() as folder:
            config = shrunk(preset, media, Path(folder))
            subprocess.run(
                [sys.executable, "-c", DRAW, config.teacher.network, config.teacher.weights],
                check=True,
            )
            for verb, options in stages(config, Path(folder)):
                row = peaks.setdefault(verb, {})
                row[preset] = max(row.get(preset, 0.0), peak_mib(verb, options))
    print(f"| peak resident memory, MiB | {' | '.join(presets)} |\n|---|{'---|' * len(presets)}")
    for verb, row in peaks.items():
        print(f"| {verb} | {' | '.join(f'{row[preset]:.0f}' for preset in presets)} |")


if __name__ == "__main__":
    main()
