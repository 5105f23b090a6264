"""What a run will cost, as a table before it starts: jobs, hours, files and bytes by stage."""

import sys
from pathlib import Path
from typing import NamedTuple

import yaml

from l2l.config import read_config
from l2l.datasets import PARTS, AnyDataset
from l2l.errors import BadInput
from l2l.jobs.machine import usable_cores
from l2l.stores import atomic_path, check_replaceable
from l2l.terminal import escape
from l2l.tools.plan.contents import Contents, Given, cautions, contents_of
from l2l.tools.plan.estimate import Cost, estimate, estimate_scsampler
from l2l.tools.plan.gpus import Gpu, rates_of
from l2l.tools.plan.machine import free_bytes, memory_mb, memory_of_stages, shortages
from l2l.tools.plan.rates import Rates, measured, read_rates

SHARD_MINUTES = 3000  # of video: an hour or two of decoding
MANY_SHARDS = 16  # fewer cost nothing, however little they hold


class Unit(NamedTuple):
    """What times are shown in."""

    name: str
    word: str
    seconds: int


HOURS, MINUTES = Unit("h", "hours", 3600), Unit("min", "minutes", 60)


def plan(
    configfile: list[Path],
    measure: bool = False,
    rates: Path | None = None,
    seconds: float | None = None,
    pixels: int = 640 * 360,
    videos: int | None = None,
    classes: int = 200,
    cores: int | None = None,
    gpu: Gpu | None = None,
    gpus: int = 1,
) -> int:
    """Print what a run will cost: jobs, hours, files and disk, by stage.

    Hours are those of CPUs, of GPUs and by the clock. Where a stage asks for more than this machine
    has, a line says so.

    Args:
        configfile: of the run; of several files later ones win key by key.
        measure: time decoding, mels and networks on this machine first (a minute or so), and write
            the rates to `rates`.
        rates: a YAML file of rates measured elsewhere; without one those of a core of a 2026 server
            are taken.
        seconds: mean length of a video, where no file of a data set is available.
        pixels: of a picture of the source, where no file is available.
        videos: number of videos of each data set, 8:1:1 train, val and test, in place of its lists
            and files; needs --seconds.
        classes: of a data set whose lists are not read.
        cores: of Snakemake; default: those of this machine.
        gpu: the networks' hours are those of such GPUs by their data sheets, see docs/scale.md;
            default: as in the rates.
        gpus: number of GPUs, where networks run on GPUs.

    Raises:
        BadInput: if the configuration or the rates are not valid, or the length of videos is
            neither given nor found in files.

    Example:
        l2l plan --configfile config.yaml --cores 8
    """
    if (seconds is not None and not 0 < seconds < float("inf")) or pixels < 1:
        raise BadInput(f"--seconds {seconds} and --pixels {pixels}: a video has some of each")
    for name, count in (("videos", videos), ("classes", classes), ("cores", cores), ("gpus", gpus)):
        if count is not None and count < (10 if name == "videos" else 1):
            raise BadInput(f"--{name} {count}: expected {10 if name == 'videos' else 1} or more")
    if videos is not None and seconds is None:
        raise BadInput("--videos without --seconds: give the mean length of a video too")
    if gpu is not None and (measure or rates is not None):
        raise BadInput("--gpu with --measure or --rates: give one of them")
    config = read_config(*configfile)
    given = Given(seconds, pixels, videos, classes)
    contents = {
        name: contents_of(name, each, config.seed, given) for name, each in config.videos.items()
    }
    speeds = read_rates(rates) if rates is not None and not measure else Rates()
    if gpu is not None:
        speeds = rates_of(gpu)
    if measure:
        if rates is not None:
            check_replaceable(rates)
        speeds = measured(config, contents[config.target].example, contents[config.target].classes)
        if rates is not None:
            with atomic_path(rates) as part:
                part.write_text(yaml.safe_dump(speeds.model_dump()), encoding="utf-8")
    for name, each in contents.items():
        _print_dataset(name, each, config.videos[name])
    rows = estimate(config, contents, speeds)
    cores, gpus = cores or usable_cores(), gpus if speeds.gpu else 0
    total, clock_seconds = _sum(rows), sum(row.clock_seconds(cores, gpus) for row in rows)
    unit = HOURS if total.cpu_seconds + total.network_seconds > HOURS.seconds else MINUTES
    times = "".join(f"{f'{each} {unit.name}':>10}" for each in ("CPU", "GPU", "clock"))
    print(f"{'stage':<12}{'jobs':>8}{times}{'files':>10}{'GB':>10}")
    _print_rows(rows, cores, gpus, unit)
    _print_row(total, clock_seconds, gpus, unit)
    print("snakemake scsampler, which is not a part of this run, adds:")
    _print_rows(estimate_scsampler(config, contents, speeds), cores, gpus, unit)
    on_gpus = f" and {gpus} {gpu or 'GPU'}{'s' * (gpus > 1)}" if gpus else ""
    print(
        f"about {clock_seconds / unit.seconds:,.1f} {unit.word} by the clock on {cores} "
        f"core{'s' * (cores > 1)}{on_gpus}: one stage after another, shards of equal size, and in "
        f"each of {total.jobs:,} jobs the start of Python"
    )
    short = shortages(rows, cores, memory_mb(), free_bytes(), memory_of_stages())
    odd = (line for name, each in contents.items() for line in cautions(name, each, config))
    for line in (*short, *odd):
        print(escape(f"warning: {line}"), file=sys.stderr)
    return 0


def _print_rows(rows: list[Cost], cores: int, gpus: int, unit: Unit) -> None:
    for row in rows:
        _print_row(row, row.clock_seconds(cores, gpus), gpus, unit)


def _print_row(row: Cost, clock_seconds: float, gpus: int, unit: Unit) -> None:
    cpu = row.cpu_seconds + (0 if gpus else row.network_seconds)
    on_gpu = row.network_seconds if gpus else 0
    times = "".join(f"{each / unit.seconds:>10,.2f}" for each in (cpu, on_gpu, clock_seconds))
    print(f"{row.stage:<12}{row.jobs:>8,}{times}{row.files:>10,.0f}{row.size / 1e9:>10,.3f}")


def _print_dataset(name: str, contents: Contents, dataset: AnyDataset) -> None:
    parts = [part for part in PARTS if dataset.shard_names(part)]  # without labels, only one
    minutes = {
        part: contents.mean_seconds
        / 60
        * sum(n for split, n in contents.videos.items() if (split == "test") == (part == "test"))
        for part in parts
    }
    hours = sum(minutes.values()) / 60
    length = f"{hours:,.1f} hours" if hours >= 1 else f"{60 * hours:,.1f} minutes"
    print(f"{name}: {contents.total:,} videos of {contents.mean_seconds:.0f} s, {length}", end="")
    shards = {part: len(dataset.shard_names(part)) for part in parts}
    print("".join(map(_advice, parts, shards.values(), minutes.values())))


def _advice(part: str, shards: int, minutes: float) -> str:
    """Another number of shards, where so many are too few or too many; else nothing."""
    too_few = minutes / shards > 2 * SHARD_MINUTES
    if not too_few and not (shards > MANY_SHARDS and minutes / shards < SHARD_MINUTES / 10):
        return ""
    key = "test_shards" if part == "test" else "shards"
    return (
        f"; {key}: {shards} have {minutes / shards:,.0f} minutes of video each, {key}: "
        f"{max(1, round(minutes / SHARD_MINUTES))} would have about {SHARD_MINUTES:,}, an hour or "
        "two of decoding"
    )


def _sum(rows: list[Cost]) -> Cost:
    total = Cost("all")
    for row in rows:
        for field in ("jobs", "cpu_seconds", "network_seconds", "files", "size"):
            setattr(total, field, getattr(total, field) + getattr(row, field))
    return total
