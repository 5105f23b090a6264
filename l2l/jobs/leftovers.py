"""What runs that were killed left in a working directory: locks, half-made artifacts, jobs that
still run; and what mends it.

Each look gives one line, and whether all is well. Processes are known by /proc: on systems without
it none is seen.
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
SKEW_SECONDS = 60  # as much as clocks of a cluster may differ


def _processes(here: Path) -> dict[int, str]:
    """The command of each process that works in a directory."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if process.joinpath("cwd").readlink() == here:
                found[int(process.name)] = (
                    process.joinpath("cmdline").read_text(errors="replace").replace("\0", " ")
                )
        except OSError:  # somebody else's, or it has ended
            continue
    return found


def _snakemakes(here: Path) -> list[int]:
    """The processes that are a Snakemake of this directory.

    One that is started inside a job is told not to lock.
    """
    commands = _processes(here).items()
    return sorted(
        pid
        for pid, command in commands
        if "snakemake" in " ".join(command.split()[:3]) and "--nolock" not in command
    )


def _these(pids: list[int]) -> str:
    return " ".join(map(str, pids))


def _below(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Everything below a folder where jobs may be at work.

    Os.walk, unlike rglob, takes it that things come and go.
    """
    for at, folders, files in os.walk(folder):
        for path in (Path(at, name) for name in (*folders, *files)):
            with contextlib.suppress(FileNotFoundError):
                yield path, path.lstat()


def locked(here: Path) -> tuple[str, bool]:
    """Whether Snakemake's lock is on, and who holds it."""
    if not any(here.glob(".snakemake/locks/*.lock")):
        return NOTHING
    if running := _snakemakes(here):
        return (
            f"by a Snakemake that runs, process {_these(running)}: wait for it, or stop it: kill "
            f"-INT {_these(running)}",
            True,
        )
    return (
        "by a Snakemake that was killed, or runs on another machine; if on none: snakemake "
        "--unlock",
        False,
    )


def incomplete(here: Path) -> tuple[str, bool]:
    """What jobs had begun to make when they ended, or are making."""
    top = here / ".snakemake/incomplete"
    names = []
    for record, state in _below(top):
        if stat.S_ISREG(state.st_mode):
            parts = [part.removeprefix("@") for part in record.relative_to(top).parts]
            try:
                names.append(base64.urlsafe_b64decode("".join(parts)).decode(errors="replace"))
            except binascii.Error:  # no record of Snakemake's
                continue
    if not names:
        return NOTHING
    told = f"{len(names)}, such as {min(names)}"
    if _snakemakes(here):
        return f"{told}: being made by the Snakemake that runs here, or again by the next", True
    return f"{told}: the next run makes them again (snakemake --rerun-incomplete)", False


def parts(here: Path) -> tuple[str, bool]:
    """What was written aside and never renamed."""
    found = sorted(
        path
        for path, _ in _below(here / "results")
        if fnmatch.fnmatch(path.name, ".*.????????.part")
    )
    if not found or _snakemakes(here):
        return NOTHING
    mib = (
        sum(
            state.st_size
            for part in found
            for state in (part.lstat(), *(inside for _, inside in _below(part)))
        )
        / 2**20
    )
    name = found[0].relative_to(here)
    return (
        f"{len(found)} of killed jobs, {mib:.0f} MiB, such as {name}: find results -name "
        f"'.*.part' -exec rm -r {{}} +",
        False,
    )


def orphans(here: Path) -> tuple[str, bool]:
    """Jobs that no Snakemake waits for."""
    if _snakemakes(here):
        return NOTHING
    if jobs := slurm_jobs(here):
        return (
            "Slurm jobs of an earlier Snakemake, if none runs on another machine: scancel "
            f"{' '.join(jobs)}",
            False,
        )
    if alone := [
        pid
        for pid, command in _processes(here).items()
        if " -m l2l " in command and pid != os.getpid()
    ]:
        return f"processes that outlived their Snakemake: kill -9 {_these(alone)}", False
    return NOTHING


def slurm_jobs(here: Path) -> list[str]:
    """The jobs of this user that wait or run in Slurm with this working directory and a rule of
    Snakemake's as comment.
    """
    if shutil.which("squeue") is None:
        return []
    command = ["squeue", "--me", "--noheader", "--format=%i|%k|%Z"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except subprocess.TimeoutExpired:
        return []
    jobs = [line.split("|", 2) for line in said.stdout.splitlines()]
    return [
        number
        for number, comment, folder in jobs
        if comment.startswith("rule_") and folder == str(here)
    ]


def abandoned_slurm_jobs(here: Path) -> str:
    """A line against starting a Snakemake (which holds its lock already) beside Slurm jobs of a
    killed one; empty without any.
    """
    jobs = slurm_jobs(here) if len(list(here.glob(".snakemake/locks/*.output.lock"))) < 2 else []
    return (
        "Slurm jobs of a killed Snakemake would write over this one's results: scancel "
        f"{' '.join(jobs)}"
        if jobs
        else ""
    )


def dated_ahead(here: Path) -> tuple[str, bool]:
    """Results dated in the future, as by a clock that was set back.

    To Snakemake they are for ever newer than what follows.
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


LOOKS: dict[str, Callable[[Path], tuple[str, bool]]] = {
    "locked": locked,
    "incomplete": incomplete,
    "part files": parts,
    "orphans": orphans,
    "dated ahead": dated_ahead,
}
