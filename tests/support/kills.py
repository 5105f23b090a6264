"""Kill a whole tiny run at seeded random moments, run it again until it is done, and compare with a
run left alone.

    python tests/support/kills.py FOLDER --kills 100 [--seed 1] [TARGET ...]

Three kinds of kill, all by SIGKILL: of one process of a job (the shell, l2l, a worker, ffmpeg), of
    Snakemake alone, of Snakemake and all its jobs. Snakemake is started again at once; a run that
    gets done is compared, cleared, and killed from the start.
"""

import argparse
import contextlib
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from workflow_runs import kill_group, snakemake, start_snakemake, tiny_with

VIDEOS = {
    "adapter": "demo",
    "role": "both",
    "kind": "untrimmed",
    "train": 16,
    "val": 2,
    "test": 4,
    "side_pixels": 32,
}
SMALLEST = {"all": VIDEOS | {"min_seconds": 4, "max_seconds": 5, "shards": 2}}
KINDS = ("job", "snakemake", "group")
SHARE = 6
"""The latest moment of a kill after a start, as a share of a whole run's time.

Each job gets done in less, so runs advance.
"""


def smallest(path: Path) -> Path:
    """The configuration of the smallest whole run.

    The same few videos are distilled from and skimmed.
    """
    return tiny_with(path, SMALLEST, run="small")


def descendants(pid: int) -> list[int]:
    """The processes below one, from /proc."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended
            parents[int(stat.parent.name)] = int(stat.read_bytes().rpartition(b") ")[2].split()[1])
    found = [pid]
    for known in found:
        found += [child for child, parent in parents.items() if parent == known]
    return found[1:]


def differences(one: Path, other: Path) -> list[str]:
    """What two finished runs do not have in common: files, bytes.

    Of networks, settings and tensors.
    """
    files = [
        {f.relative_to(top): f for f in top.rglob("*") if f.name != ".snakemake_timestamp"}
        for top in (one, other)
    ]
    found = [f"{name}: in one only" for name in sorted(files[0].keys() ^ files[1].keys())]
    for name in sorted(files[0].keys() & files[1].keys()):
        if files[0][name].is_file() and not _same(files[0][name], files[1][name]):
            found.append(f"{name}: differs")
    return found


def _same(one: Path, other: Path) -> bool:
    if one.suffix != ".pt":
        return one.read_bytes() == other.read_bytes()
    a, b = (torch.load(path, weights_only=True) for path in (one, other))
    states = a.pop("state"), b.pop("state")
    return (
        a == b
        and states[0].keys() == states[1].keys()
        and all(torch.equal(states[0][k], states[1][k]) for k in states[0])
    )


def _kill(process: subprocess.Popen[str], kind: str, rng: random.Random) -> bool:
    """Kill what `kind` says; whether there was something to kill."""
    if kind == "group":
        kill_group(process)
    elif kind == "snakemake":
        process.kill()
        process.wait()
    else:
        jobs = descendants(process.pid)
        with contextlib.suppress(ProcessLookupError):
            if jobs:
                os.kill(rng.choice(jobs), signal.SIGKILL)
        return bool(jobs)
    return True


def survive(
    folder: Path, kills: int, seed: int, targets: Sequence[str] = ()
) -> tuple[dict[str, int], list[str]]:
    """Kill runs in `folder`, whole or up to some targets, until there were `kills`, then let the
    last be done.

    Returns:
        how many kills of each kind, starts and finished runs there were; how those runs differ from
        one left alone.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng, config, run = random.Random(seed), smallest(folder / "small.yaml"), folder / "run"
    began = time.monotonic()
    whole = snakemake(run, *targets, configfile=config)
    latest_seconds = (time.monotonic() - began) / SHARE
    assert whole.returncode == 0, whole.stderr[-3000:]
    (run / "results").rename(folder / "whole")
    shutil.rmtree(run)
    counts, found = dict.fromkeys((*KINDS, "done", "starts"), 0), []
    while True:
        process, before = start_snakemake(run, *targets, configfile=config), _kills(counts)
        counts["starts"] += 1
        while _kills(counts) < kills:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(rng.uniform(0, latest_seconds))
            if process.poll() is not None:
                break
            kind = rng.choice(KINDS)
            counts[kind] += _kill(process, kind, rng)
        process.wait()
        print(counts, found, flush=True)
        if process.returncode == 0:
            counts["done"] += 1
            found += differences(folder / "whole", run / "results")
            if _kills(counts) >= kills:
                return counts, found
            shutil.rmtree(run)
            continue
        if process.returncode == -signal.SIGKILL:
            unlocked = snakemake(run, "--unlock", configfile=config)
            assert unlocked.returncode == 0, unlocked.stderr
        assert _kills(counts) > before, (
            f"a run that was not killed failed: see {run / '.snakemake/log'}"
        )


def _kills(counts: dict[str, int]) -> int:
    return sum(counts[kind] for kind in KINDS)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("targets", nargs="*")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    began = time.monotonic()
    counts, found = survive(options.folder.resolve(), options.kills, options.seed, options.targets)
    print(
        ", ".join(f"{count} {what}" for what, count in counts.items()),
        f"in {time.monotonic() - began:.0f} s",
    )
    print("\n".join(found) or "every artifact equals that of a run left alone")
    raise SystemExit(bool(found))
