"""Running the real Snakemake on tiny configurations, in a separate folder."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
TINY = ROOT / "workflow/configs/tiny.yaml"

# Rules of a tiny run: those that depend on the mels, up to the features; and those after them.
AFTER_MELS = {
    "distil_student",
    "finetune_student",
    "evaluate_clips",
    "evaluate_audio",
    "extract_features",
    "complete_features",
}
VIDEO_LEVEL = {
    "train_skimmer",
    "evaluate_videos",
    "evaluate_tradeoff",
    "evaluate_variants",
    "write_report",
}


def environment(checkout: Path = ROOT) -> dict[str, str]:
    """This interpreter first on PATH, a checkout importable, one OpenMP thread."""
    paths = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(checkout),
    }
    return {**os.environ, **paths, "OMP_NUM_THREADS": "1"}


def snakemake_argv(
    folder: Path,
    *arguments: str,
    configfile: Path | Sequence[Path] = TINY,
    cores: int = 2,
    checkout: Path = ROOT,
) -> list[str]:
    """The command that runs the workflow of a checkout with `folder` as its working directory."""
    configfiles = [configfile] if isinstance(configfile, Path) else configfile
    fixed = [
        "--snakefile",
        str(checkout / "Snakefile"),
        "--directory",
        str(folder),
        "--configfile",
        *map(str, configfiles),
    ]
    return [sys.executable, "-m", "snakemake", *fixed, "--cores", str(cores), *arguments]


def snakemake(
    folder: Path,
    *arguments: str,
    configfile: Path | Sequence[Path] = TINY,
    cores: int = 2,
    checkout: Path = ROOT,
    **variables: str,
) -> subprocess.CompletedProcess[str]:
    """Run it to its end, with some variables of the environment changed."""
    argv = snakemake_argv(folder, *arguments, configfile=configfile, cores=cores, checkout=checkout)
    env = environment(checkout) | variables
    return subprocess.run(argv, capture_output=True, text=True, env=env, check=False, timeout=900)


def start_snakemake(
    folder: Path, *arguments: str, configfile: Path | Sequence[Path] = TINY
) -> subprocess.Popen[str]:
    """Start it in a separate process group, to be killed as one."""
    argv = snakemake_argv(folder, *arguments, configfile=configfile)
    out = subprocess.DEVNULL
    return subprocess.Popen(
        argv, stdout=out, stderr=out, text=True, env=environment(), start_new_session=True
    )


def kill_group(process: subprocess.Popen[str]) -> None:
    """SIGKILL Snakemake and every job it has started, if they have not ended."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def planned(dry_run: subprocess.CompletedProcess[str]) -> set[str]:
    """The rules that a dry run means to run, without `all`. It ends with status 1 after the plan
    where the videos of a data set are not there.
    """
    last_line = dry_run.stderr.rstrip().rpartition("\n")[2]
    assert dry_run.returncode == int(last_line.startswith("videos.")), (
        dry_run.stdout + dry_run.stderr
    )
    table = dry_run.stdout.partition("Job stats:")[2].partition("total")[0]
    return set(re.findall(r"^(\w+) +\d+$", table, flags=re.MULTILINE)) - {"all", "job"}


def tiny_with(
    path: Path, videos: dict | None = None, run: str = "tiny", **sections: dict | list
) -> Path:
    """The tiny configuration with other videos, another run's name, or some keys of sections
    changed, written to `path`.
    """
    values = yaml.safe_load(TINY.read_text())
    values |= {"run": run, "videos": videos or values["videos"]}
    for name, section in sections.items():
        is_section = isinstance(section, dict)
        values[name] = {**values.get(name, {}), **section} if is_section else section
    path.write_text(yaml.safe_dump(values))
    return path
