"""What a run will cost, as a table before it starts: jobs, hours, files and bytes by stage."""

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import yaml

from l2l.config import Config, read_config
from l2l.datasets import PARTS, AnyDataset
from l2l.errors import BadInput
from l2l.jobs.machine import usable_cores
from l2l.stores import atomic_path, check_replaceable
from l2l.terminal import escape
from l2l.tools.plan.contents import Contents, Given, cautions, contents_of
from l2l.tools.plan.estimate import Cost, estimate_with_scsampler
from l2l.tools.plan.gpus import Gpu, rates_of
from l2l.tools.plan.machine import free_bytes, memory_mb, memory_of_stages, shortages
from l2l.tools.plan.rates import Rates, measured, read_rates

SHARD_MINUTES = 3000  # of video: an hour or two of decoding
LEAST_VIDEOS = 10  # of which one is val and one test
NOT_COMPARED = (
    "not compared with the machine's memory and disk, since --gpu or --cores are of another "
    "machine: --memory-gb and --disk-gb give them"
)
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
    seconds: list[str] | None = None,
    pixels: int = 640 * 360,
    videos: list[str] | None = None,
    classes: int = 200,
    cores: int | None = None,
    gpu: Gpu | None = None,
    gpus: int = 1,
    memory_gb: float | None = None,
    disk_gb: float | None = None,
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
        seconds: mean length of a video, where no file of a data set is available; or NAME=SECONDS,
            of one data set.
        pixels: of a picture of the source, where no file is available.
        videos: number of videos of each data set, 8:1:1 train, val and test, in place of its lists
            and files; or NAME=VIDEOS, of one data set; needs --seconds.
        classes: of a data set whose lists are not read.
        cores: of Snakemake; default: those of this machine.
        gpu: the networks' hours are those of such GPUs by their data sheets, see docs/scale.md;
            default: as in the rates.
        gpus: number of GPUs, where networks run on GPUs.
        memory_gb: of the machine; default: of this one, where --gpu and --cores name no other.
        disk_gb: free on the machine's disk; default: as for memory.

    Raises:
        BadInput: if the configuration or the rates are not valid, or the length of videos is
            neither given nor found in files.

    Example:
        l2l plan --configfile config.yaml --cores 8
    """
    if pixels < 1:
        raise BadInput(f"--pixels {pixels}: a picture has some")
    for name, count in (("classes", classes), ("cores", cores), ("gpus", gpus)):
        if count is not None and count < 1:
            raise BadInput(f"--{name} {count}: expected 1 or more")
    if gpu is not None and (measure or rates is not None):
        raise BadInput("--gpu with --measure or --rates: give one of them")
    config = read_config(*configfile)
    names = list(config.videos)
    lengths, counts = by_dataset("seconds", seconds, names), by_dataset("videos", videos, names)
    if without := [name for name in counts if name not in lengths]:
        where = " and ".join(without)
        raise BadInput(
            f"--videos without --seconds: give the mean length of a video of {where} too"
        )
    contents = {
        name: contents_of(
            name, each, config.seed, Given(lengths.get(name), pixels, counts.get(name), classes)
        )
        for name, each in config.videos.items()
    }
    speeds = read_rates(rates) if rates is not None and not measure else Rates()
    if gpu is not None:
        speeds = rates_of(gpu)
    if measure:
        speeds = _measured(config, contents[config.target], rates)
    for name, each in contents.items():
        _print_dataset(name, each, config.videos[name])
    rows, scsampler = estimate_with_scsampler(config, contents, speeds)
    elsewhere = gpu is not None or (cores or 0) > usable_cores()
    cores, gpus = cores or usable_cores(), gpus if speeds.gpu else 0
    total, clock_seconds = _sum(rows), sum(row.clock_seconds(cores, gpus) for row in rows)
    unit = HOURS if total.cpu_seconds + total.network_seconds > HOURS.seconds else MINUTES
    times = "".join(f"{f'{each} {unit.name}':>10}" for each in ("CPU", "GPU", "clock"))
    print(f"{'stage':<12}{'jobs':>8}{times}{'files':>10}{'GB':>10}")
    _print_rows(rows, cores, gpus, unit)
    _print_row(total, clock_seconds, gpus, unit)
    print("snakemake scsampler, which is not a part of this run, adds:")
    _print_rows(scsampler, cores, gpus, unit)
    on_gpus = f" and {gpus} {gpu or 'GPU'}{'s' * (gpus > 1)}" if gpus else ""
    print(
        f"about {clock_seconds / unit.seconds:,.1f} {unit.word} by the clock on {cores} "
        f"core{'s' * (cores > 1)}{on_gpus}: one stage after another, shards of equal size, the "
        "start of Python in each job included"
    )
    here = (
        (None, None) if elsewhere else (memory_mb(), free_bytes())
    )  # of another, nothing is known
    memory = here[0] if memory_gb is None else round(memory_gb * 1000)
    disk = here[1] if disk_gb is None else disk_gb * 1e9
    if memory is None or disk is None:
        print(NOT_COMPARED, file=sys.stderr)
    short = shortages(rows, cores, memory, disk, memory_of_stages())
    odd = (line for name, each in contents.items() for line in cautions(name, each, config))
    for line in (*short, *odd):
        print(escape(f"warning: {line}"), file=sys.stderr)
    return 0


def _measured(config: Config, target: Contents, rates: Path | None) -> Rates:
    """The rates of this machine, written to `rates` too."""
    if rates is not None:
        check_replaceable(rates)
    speeds = measured(config, target.example, target.classes)
    if rates is not None:
        with atomic_path(rates) as part:
            part.write_text(yaml.safe_dump(speeds.model_dump()), encoding="utf-8")
    return speeds


def by_dataset(
    option: Literal["videos", "seconds"], words: Sequence[str] | None, names: Sequence[str]
) -> dict[str, Any]:
    """What an option gives for each data set: NUMBER for all of them, NAME=NUMBER for one.

    Raises:
        BadInput: if there is no such data set, or the number is none of videos or seconds.
    """
    given: dict[str, Any] = {}
    for word in sorted(words or (), key=lambda word: "=" in word):  # one that is named wins
        name, named, text = word.rpartition("=")
        if named and name not in names:
            raise BadInput(f"--{option} {word}: no such data set; expected {' or '.join(names)}")
        try:
            number = int(text) if option == "videos" else float(text)
        except ValueError:
            number = math.nan
        least = LEAST_VIDEOS if option == "videos" else 0
        if not (least <= number < math.inf and number > 0):
            expected = f"{least} or more" if least else "more than 0"
            raise BadInput(f"--{option} {word}: expected {expected}, or NAME=NUMBER of a data set")
        given |= dict.fromkeys([name] if named else names, number)
    return given


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
