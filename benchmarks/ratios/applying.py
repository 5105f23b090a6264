"""How busy two cores are while a finished run, full size, answers for many videos."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import torch
from bench import ALL_CORES, Row
from ratios.predicting import full_size, untrained_run
from ratios.sparse_pictures import drawn_video

from l2l.apply.predictor import Predictor
from l2l.config import ApplyConfig, FeaturesConfig, ManifestConfig, as_json
from l2l.datasets import FolderDataset
from l2l.manifest.stage import list_videos
from l2l.media.ffmpeg import ffmpeg_program

VIDEOS, FEWER, SECONDS, CORES = 64, 16, 20, 2
AT_LEAST = 0.9


def draw(folder: Path) -> list[Path]:
    """The videos: one, with another comment in each file."""
    folder.mkdir()
    film = drawn_video(folder.parent / "film.mp4", 640, 360, seconds=SECONDS).path
    paths = [folder / f"{i:02d}.mp4" for i in range(VIDEOS)]
    for path in paths:
        copy = ["-i", film, "-c", "copy", "-metadata", f"comment={path.stem}", path]
        subprocess.run([ffmpeg_program(), "-v", "error", "-nostdin", *copy], check=True)
    return paths


def apply_in_jobs(shards: list[Path], run: Path) -> None:
    """One job per shard, all at the same time, as `snakemake apply --cores 2` runs them."""
    options = [
        *("--run", run, "--config", as_json(ApplyConfig()), "--threads", "1"),
        *("--features-config", as_json(FeaturesConfig())),
    ]
    jobs = []
    for shard in shards:
        written = ["--manifest", shard, "--predictions", shard.with_suffix(".jsonl")]
        argv = [sys.executable, "-P", "-m", "l2l", "apply_videos", *written, *options]
        jobs.append(subprocess.Popen(list(map(str, argv))))
    codes = [job.wait() for job in jobs]
    if any(codes):
        sys.exit("a job failed; its error is above")


def rows(folder: Path) -> Iterator[Row]:
    """Jobs with one thread each, and one process with two."""
    if len(ALL_CORES) < CORES:
        print(f"not measured: it takes {CORES} cores", file=sys.stderr)
        return
    paths, run = draw(folder / "videos"), folder / "run"
    untrained_run(run, full_size(), ("image", "audio"))
    dataset = FolderDataset(adapter="folder", role="apply", folder=folder / "videos", shards=CORES)
    table, shards = folder / "listed/videos.tsv", folder / "listed/shards"
    list_videos(table, shards, dataset, ManifestConfig(), seed=0)
    share, tables = f"all of {CORES} cores", sorted(shards.glob("*.tsv"))
    jobs = f"apply on {VIDEOS} videos of {SECONDS} s, {CORES} jobs"
    yield Row(jobs, share, lambda: apply_in_jobs(tables, run), None, AT_LEAST, cores=CORES)
    predictor = Predictor(run, threads=CORES)
    try:
        yield Row(
            f"predict on {FEWER} of them, {CORES} threads",
            share,
            lambda: list(predictor.predict_many(paths[:FEWER])),
            None,
            AT_LEAST,
            cores=CORES,
        )
    finally:
        torch.set_num_threads(1)
