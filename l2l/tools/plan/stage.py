"""What a run will cost, as a table before it starts: jobs, hours, files and bytes by stage."""

from pathlib import Path

import yaml

from l2l.config import read_config
from l2l.datasets import PARTS, AnyDataset
from l2l.errors import BadInput
from l2l.stores import atomic_path, check_replaceable
from l2l.tools.plan.contents import Contents, contents_of
from l2l.tools.plan.estimate import Cost, estimate, estimate_scsampler
from l2l.tools.plan.rates import Rates, measured, read_rates

SHARD_MINUTES = 3000  # of video: an hour or two of decoding


def plan(
    configfile: list[Path],
    measure: bool = False,
    rates: Path | None = None,
    seconds: float | None = None,
    pixels: int = 640 * 360,
) -> int:
    """Say what a run will cost: jobs, CPU and GPU hours, files and disk, by stage.

    Args:
        configfile: of the run; of several files later ones win key by key.
        measure: time decoding, mels and networks on this machine first (a minute or so), and write
            the rates to `rates`.
        rates: a YAML file of rates measured elsewhere; without one those of a core of a 2026 server
            are taken.
        seconds: mean length of a video, where no file of a data set is available.
        pixels: of a picture of the source, where no file is available.

    Raises:
        BadInput: if the configuration or the rates are not valid, or the length of videos is
            neither given nor found in files.
    """
    if (seconds is not None and not 0 < seconds < float("inf")) or pixels < 1:
        raise BadInput(f"--seconds {seconds} and --pixels {pixels}: a video has some of each")
    config = read_config(*configfile)
    contents = {
        name: contents_of(name, each, config.seed, seconds, pixels)
        for name, each in config.videos.items()
    }
    speeds = read_rates(rates) if rates is not None and not measure else Rates()
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
    print(f"{'stage':<12}{'jobs':>8}{'CPU h':>10}{'GPU h':>10}{'files':>10}{'GB':>10}")
    _print_rows([*rows, _sum(rows)], speeds.gpu)
    print("snakemake scsampler, above that:")
    _print_rows(estimate_scsampler(config, contents, speeds), speeds.gpu)
    return 0


def _print_rows(rows: list[Cost], gpu: bool) -> None:
    for row in rows:
        cpu = row.cpu_seconds + (0 if gpu else row.network_seconds)
        on_gpu = row.network_seconds if gpu else 0
        print(
            f"{row.stage:<12}{row.jobs:>8,}{cpu / 3600:>10,.2f}{on_gpu / 3600:>10,.2f}"
            f"{row.files:>10,.0f}{row.size / 1e9:>10,.3f}"
        )


def _print_dataset(name: str, contents: Contents, dataset: AnyDataset) -> None:
    parts = [part for part in PARTS if dataset.shard_names(part)]  # without labels, only one
    minutes = {
        part: contents.mean_seconds
        / 60
        * sum(n for split, n in contents.videos.items() if (split == "test") == (part == "test"))
        for part in parts
    }
    per_shard = {part: minutes[part] / len(dataset.shard_names(part)) for part in parts}
    advised = {part: max(1, round(minutes[part] / SHARD_MINUTES)) for part in parts}
    of_test = f", {per_shard['test']:,.0f} of test" if "test" in per_shard else ""
    test_shards = f", test_shards: {advised['test']} make" if "test" in advised else " makes"
    print(
        f"{name}: {contents.total:,} videos of {contents.mean_seconds:.0f} s, "
        f"{sum(minutes.values()) / 60:,.1f} hours; "
        f"{per_shard['train_val']:,.0f} minutes per shard{of_test} "
        f"(shards: {advised['train_val']}{test_shards} about {SHARD_MINUTES:,})"
    )


def _sum(rows: list[Cost]) -> Cost:
    total = Cost("all")
    for row in rows:
        for field in ("jobs", "cpu_seconds", "network_seconds", "files", "size"):
            setattr(total, field, getattr(total, field) + getattr(row, field))
    return total
