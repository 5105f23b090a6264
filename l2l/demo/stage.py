"""Render the demo's videos."""

import os
import signal
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from l2l.datasets import DemoDataset
from l2l.demo import films, world
from l2l.demo.artifact import write_film
from l2l.jobs.orphans import end_with
from l2l.progress import counted
from l2l.stores import atomic_path, write_table


def _render_one(
    folder: Path, file: str, name: str, dataset: DemoDataset, seed: int
) -> list[dict[str, object]]:
    rng = films.generator_of(seed, dataset.kind, file)
    seconds, side = rng.uniform(dataset.min_seconds, dataset.max_seconds), dataset.side_pixels
    if dataset.kind == "clips":
        film = films.trimmed_clip(rng, name, seconds, side)
    else:
        film = films.untrimmed_video(rng, name, seconds, side, dataset.action_seconds)
    write_film(folder / file, film)
    return [
        {"file": file, "start_seconds": f"{start:.6f}", "end_seconds": f"{end:.6f}", "label": name}
        for start, end in film.actions
    ]


def _begin(starter: int) -> None:
    """Let a process end with the one that started it, which alone answers Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with([starter])


def render_demo(videos: Path, dataset: DemoDataset, seed: int, threads: int = 1) -> None:
    """Render a demo data set: `videos`/<split>/<class>/<number>.mp4, and the times of its actions
    in `videos`/segments.tsv.

    Classes alternate, so in each split the numbers of videos of two classes differ by at most one.

    Args:
        videos: the folder to write.
        dataset: the section of the data set.
        seed: of all random numbers.
        threads: number of processes.
    """
    files = [
        (
            f"{split}/{world.CLASSES[i % len(world.CLASSES)]}/{i:04d}.mp4",
            world.CLASSES[i % len(world.CLASSES)],
        )
        for split, count in (("train", dataset.train), ("val", dataset.val), ("test", dataset.test))
        for i in range(count)
    ]
    with (
        atomic_path(videos, "segments.tsv") as folder,
        ProcessPoolExecutor(threads, initializer=_begin, initargs=(os.getpid(),)) as pool,
    ):
        rendered = [
            pool.submit(_render_one, folder, file, name, dataset, seed) for file, name in files
        ]
        try:
            rows = [row for each in counted(rendered, len(files)) for row in each.result()]
        except BaseException:
            pool.shutdown(cancel_futures=True)  # the others are not begun
            raise
        write_table(
            folder / "segments.tsv", ("file", "start_seconds", "end_seconds", "label"), rows
        )
