"""What killed runs left in a working directory: locks, incomplete artifacts, jobs that still run;
and what repairs it.

Each check returns one line and whether all is well. Processes are found in /proc; on a system
without it none is found.
"""

import base64
import binascii
import contextlib
import fnmatch
import os
import shutil
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

NOTHING = "nothing", True
INTERRUPTED = "a run was interrupted: run the same command again"  # which repairs it
METADATA = ".snakemake/metadata"
RECORD = "config.json"  # of a run, in its folder: see l2l/run_record.py
SKEW_SECONDS = 60  # clocks of a cluster may differ by this much


def _processes(here: Path) -> dict[int, str]:
    """The command of each process that works in a directory."""
    commands = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if process.joinpath("cwd").readlink() == here:
                commands[int(process.name)] = (
                    process.joinpath("cmdline").read_text(errors="replace").replace("\0", " ")
                )
        except OSError:  # it belongs to somebody else, or has ended
            continue
    return commands


def _snakemakes(here: Path) -> list[int]:
    """The Snakemake processes of this directory, without those that Snakemake starts inside its
    jobs (--nolock).
    """
    commands = _processes(here).items()
    return sorted(
        pid
        for pid, command in commands
        if "snakemake" in " ".join(command.split()[:3]) and "--nolock" not in command
    )


def _joined(pids: list[int]) -> str:
    return " ".join(map(str, pids))


def _below(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Everything below a folder in which jobs may be writing: os.walk, unlike rglob, tolerates
    files that come and go.
    """
    for at, folders, files in os.walk(folder):
        for path in (Path(at, name) for name in (*folders, *files)):
            with contextlib.suppress(FileNotFoundError):
                yield path, path.lstat()


def locked(here: Path) -> tuple[str, bool]:
    """Whether Snakemake has locked the directory, and which process holds the lock."""
    if not any(here.glob(".snakemake/locks/*.lock")):
        return NOTHING
    if running := _snakemakes(here):
        return (
            f"by a running Snakemake, process {_joined(running)}: wait for it, or stop it: kill "
            f"-INT {_joined(running)}",
            True,
        )
    return (
        "by a Snakemake that was killed, or that runs on another machine; if on none: snakemake "
        "--unlock",
        False,
    )


def incomplete(here: Path) -> tuple[str, bool]:
    """Artifacts that jobs are making, or were making when they ended."""
    top = here / ".snakemake/incomplete"
    names = []
    for record, state in _below(top):
        if stat.S_ISREG(state.st_mode):
            parts = [part.removeprefix("@") for part in record.relative_to(top).parts]
            try:
                names.append(base64.urlsafe_b64decode("".join(parts)).decode(errors="replace"))
            except binascii.Error:  # not a record of Snakemake
                continue
    if not names:
        return NOTHING
    summary = f"{len(names)}, such as {min(names)}"
    if _snakemakes(here):
        return f"{summary}: being made by the Snakemake that runs here, or again by the next", True
    return f"{summary}: {INTERRUPTED}", True


def part_files(here: Path) -> tuple[str, bool]:
    """Temporary files and folders of artifacts that were never completed."""
    leftover = sorted(
        path
        for path, _ in _below(here / "results")
        if fnmatch.fnmatch(path.name, ".*.????????.part")
    )
    if not leftover or _snakemakes(here):
        return NOTHING
    mib = (
        sum(
            state.st_size
            for part in leftover
            for state in (part.lstat(), *(inside for _, inside in _below(part)))
        )
        / 2**20
    )
    name = leftover[0].relative_to(here)
    return (
        f"{len(leftover)} of killed jobs, {mib:.0f} MiB, such as {name}: find results -name "
        f"'.*.part' -exec rm -r {{}} +",
        False,
    )


def orphans(here: Path) -> tuple[str, bool]:
    """Jobs that still run though their Snakemake has ended."""
    if _snakemakes(here):
        return NOTHING
    if jobs := slurm_jobs(here):
        return (
            "Slurm jobs of an earlier Snakemake, if none runs on another machine: scancel "
            f"{' '.join(jobs)}",
            False,
        )
    if orphaned := [
        pid
        for pid, command in _processes(here).items()
        if " -m l2l " in command and pid != os.getpid()
    ]:
        return f"processes that outlived their Snakemake: kill -9 {_joined(orphaned)}", False
    return NOTHING


def slurm_jobs(here: Path) -> list[str]:
    """This user's pending and running Slurm jobs with this working directory, whose comment is a
    rule of Snakemake.
    """
    if shutil.which("squeue") is None:
        return []
    command = ["squeue", "--me", "--noheader", "--format=%i|%k|%Z"]
    try:
        queue = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return []
    jobs = [line.split("|", 2) for line in queue.stdout.splitlines()]
    return [
        number
        for number, comment, folder in jobs
        if comment.startswith("rule_") and folder == str(here)
    ]


def abandoned_slurm_jobs(here: Path) -> str:
    """Why a Snakemake that has just locked the directory must not go on: Slurm jobs of a killed one
    still run. Empty if there are none.
    """
    jobs = slurm_jobs(here) if len(list(here.glob(".snakemake/locks/*.output.lock"))) < 2 else []
    return (
        "Slurm jobs of a killed Snakemake would write over this one's results: scancel "
        f"{' '.join(jobs)}"
        if jobs
        else ""
    )


def dated_ahead(here: Path) -> tuple[str, bool]:
    """Results with a time in the future, as when a clock was set back: Snakemake takes them for
    newer than everything made from them.
    """
    latest = time.time() + SKEW_SECONDS
    ahead = [path for path, state in _below(here / "results") if state.st_mtime > latest]
    if not ahead:
        return NOTHING
    name = min(ahead).relative_to(here)
    return (
        f"{len(ahead)} of results, such as {name}: set the clock, then find results -newermt now "
        f"-exec touch -h {{}} +",
        False,
    )


def has_results(run: Path) -> bool:
    """Whether a run's folder holds a finished artifact: more than its configuration and what jobs
    were writing.
    """
    for _, folders, files in os.walk(run):
        folders[:] = [name for name in folders if not name.startswith(".")]
        if any(not name.startswith((".", RECORD)) for name in files):
            return True
    return False


def is_known_to_snakemake(here: Path, run: str) -> bool:
    """Whether Snakemake knows what made any result of a run of this working directory."""
    metadata = here / METADATA
    if not metadata.is_dir():
        return False
    return any(_named(name).startswith(f"results/{run}/") for name in os.listdir(metadata))


def _named(record: str) -> str:
    """The path that the name of a record of Snakemake stands for, or of a long path its start;
    empty if it is none.
    """
    coded = record.removeprefix("@")
    try:  # each 4 letters are 3 bytes
        path = base64.urlsafe_b64decode(coded[: len(coded) // 4 * 4])
    except (binascii.Error, ValueError):
        return ""
    return path.decode(errors="replace")


def unknown_to_snakemake(here: Path) -> tuple[str, bool]:
    """Results that were moved without `.snakemake`, so that no changed setting would be noticed."""
    records = here.glob(f"results/*/{RECORD}")
    made = sorted(path.parent.name for path in records if has_results(path.parent))
    runs = [run for run in made if not is_known_to_snakemake(here, run)]
    if not runs:
        return NOTHING
    return (
        f"{', '.join(runs)}: no record in .snakemake of what made them, so a changed setting is "
        "not noticed: move .snakemake here from where they were made",
        False,
    )


CHECKS: dict[str, Callable[[Path], tuple[str, bool]]] = {
    "locked": locked,
    "incomplete": incomplete,
    "part files": part_files,
    "orphans": orphans,
    "dated ahead": dated_ahead,
    "moved results": unknown_to_snakemake,
}
