"""How long a dry run takes, and how much memory, at 1,000 videos to all of Sports-1M.

    python benchmarks/dry_run.py [--files] [VIDEOS ...]

Lists as Sports-1M brings them are made in a temporary folder (with --files also a file, empty, for
each video), and `snakemake -n` plans the whole chain on them. A part of that is to look up what is
listed, which shows which shards changed: the second figure is of that alone. Of CPU seconds (user
and system) and the clock's, a busy machine stretches these more.
"""

import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from l2l.config import merge_configs

ROOT = Path(__file__).resolve().parents[1]
SIZES = (1_000, 10_000, 100_000, 1_133_158)
CLASSES = 487
VIDEOS_A_SHARD = 600  # of 5.5 minutes: a bit more than two days of video
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def write_lists(folder: Path, videos: int, files: bool) -> None:
    """labels.txt, train_partition.txt and test_partition.txt (a fifth) of so many videos, and their
    files if wanted.
    """
    rng = random.Random(0)
    (folder / "labels.txt").write_text("".join(f"class {i}\n" for i in range(CLASSES)))
    with (
        open(folder / "train_partition.txt", "w") as train,
        open(folder / "test_partition.txt", "w") as test,
    ):
        for i in range(videos):
            video = "".join(rng.choices(LETTERS, k=11))
            print(
                f"https://www.youtube.com/watch?v={video} {i % CLASSES}",
                file=test if i % 5 == 0 else train,
            )
            if files:
                place = folder / "videos" / video[:2].lower()
                place.mkdir(parents=True, exist_ok=True)
                (place / f"{video}.mp4").touch()
    (folder / "videos").mkdir(exist_ok=True)


def write_config(folder: Path, videos: int) -> None:
    """The numbers of the paper's configuration on these lists, described, distilled from and
    skimmed at once.
    """
    configs = ROOT / "workflow/configs"
    values = merge_configs(configs / "paper.yaml", configs / "activitynet.yaml")
    section = {
        "role": "both",
        "adapter": "mini_sports1m",
        "draw": False,
        "folder": "videos",
        "classes": "labels.txt",
    }
    section |= {
        "train": "train_partition.txt",
        "test": "test_partition.txt",
        "shards": -(-videos * 4 // 5 // VIDEOS_A_SHARD),
    }
    values |= {"run": "sports1m", "videos": {"sports1m": section}}
    (folder / "config.yaml").write_text(yaml.safe_dump(values))


def spent(argv: list[str], folder: Path) -> tuple[str, float, float, float]:
    """What a command prints, its seconds of CPU and of the clock, and the most memory of all so far
    (GB).
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        [sys.executable, *argv],
        cwd=folder,
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    if ran.returncode:
        sys.exit(ran.stdout + ran.stderr)
    clock = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return ran.stdout, cpu, clock, after.ru_maxrss * 1024 / 1e9


def main() -> None:
    """Print a line a size, rising, since memory is the most of all so far."""
    sizes = sorted(int(word) for word in sys.argv[1:] if word != "--files") or SIZES
    plan = [
        "-m",
        "snakemake",
        "--snakefile",
        str(ROOT / "Snakefile"),
        "--dry-run",
        "--cores",
        "2",
        "--configfile",
        "config.yaml",
    ]
    look_up = "; ".join(
        [
            "from pathlib import Path",
            "from l2l.config import read_config",
            "from l2l.manifest.listing import dataset_fingerprint",
            "dataset_fingerprint(read_config(Path('config.yaml')).videos['sports1m'], 1)",
        ]
    )
    print(
        f"{'videos':<10} {'jobs':<7} {'plan: CPU s':<12} {'clock s':<8} {'peak GB':<8} "
        f"{'look up: CPU s':<15} peak GB"
    )
    for videos in sizes:
        with tempfile.TemporaryDirectory() as name:
            write_lists(Path(name), videos, "--files" in sys.argv)
            write_config(Path(name), videos)
            ran, planned, clock, planned_gb = spent(plan, Path(name))
            _, looked, _, looked_gb = spent(["-c", look_up], Path(name))
        jobs = next(int(line.split()[1]) for line in ran.splitlines() if line.startswith("total"))
        print(
            f"{videos:<10,} {jobs:<7,} {planned:<12.1f} {clock:<8.1f} {planned_gb:<8.2f} "
            f"{looked:<15.1f} {looked_gb:.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
