"""What is installed, whether it works, and what killed runs left here: the first command to run
when something fails, and its output the first thing to paste.

Each package is imported only when it is checked, so that this runs where everything else is broken.
"""

import functools
import importlib
import importlib.metadata
import os
import platform
import re
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

from l2l.errors import BadInput
from l2l.jobs.leftovers import CHECKS, INTERRUPTED
from l2l.terminal import escape

REINSTALL = "rm -rf .venv && make demo"
CONSTRAINTS = Path(__file__).resolve().parents[2] / "constraints.txt"
SLURM_PROGRAMS = ("sinfo", "squeue", "sbatch", "scancel", "sacct")
MODULES = {  # of the distributions that l2l requires
    "torch": "torch",
    "torchvision": "torchvision",
    "torchaudio": "torchaudio",
    "numpy": "numpy",
    "h5py": "h5py",
    "zarr": "zarr",
    "numcodecs": "numcodecs",
    "av": "av",
    "ffmpeg-python": "ffmpeg",
    "imageio-ffmpeg": "imageio_ffmpeg",
    "pydantic": "pydantic",
    "pyyaml": "yaml",
    "jaxtyping": "jaxtyping",
    "jinja2": "jinja2",
    "matplotlib": "matplotlib",
    "pillow": "PIL",
    "simplejpeg": "simplejpeg",
    "safetensors": "safetensors",
    "pygments": "pygments",
    "shtab": "shtab",
    "tqdm": "tqdm",
    "snakemake": "snakemake",
}
# The message of a broken import, and what repairs it: the first pattern that matches.
CURES = (
    (r"operator torchvision::\w+ does not exist", "torch and torchvision do not match: {pins}"),
    (
        r"libcud|libcublas|libnv|libtorch_cuda|nvidia",
        "torch's CUDA packages are missing, or are another torch's: {pins}",
    ),
    (
        r"undefined symbol|Symbol not found|_torchaudio",
        "it was built for another torch than the one here: {pins}",
    ),
    (
        r"libGL|libgthread|libglib|libEGL",
        "apt install libgl1 libglib2.0-0, or take the package's headless build",
    ),
    (
        r"libstdc\+\+|GLIBCXX|GLIBC_|CXXABI",
        "this system is older than the package's build: use a newer one, or environment.yml",
    ),
    (
        r"cannot open shared object|image not found",
        "a library of the system is missing: install the one named",
    ),
    (r"_ARRAY_API|numpy\.core|numpy\.dtype size changed", "it was built for another numpy: {pins}"),
    (r"No module named", "a package is missing: {pins}"),
)


def _pins() -> dict[str, str]:
    """The tested version of each distribution; empty outside of a checkout."""
    if not CONSTRAINTS.is_file():
        return {}
    return dict(
        re.findall(r"^([\w.-]+)==(\S+)$", CONSTRAINTS.read_text(encoding="utf-8"), re.MULTILINE)
    )


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split()) or "no reason given"
    if isinstance(error, BadInput):  # a message of ours, which is one line and has all that matters
        return text
    return f"{type(error).__name__}: {text if len(text) < 200 else text[:197] + '...'}"


def cure(error: BaseException) -> str:
    """What repairs a broken import."""
    pins = f"install the pinned versions together: {REINSTALL}"
    for pattern, text in CURES:
        if re.search(pattern, f"{type(error).__name__}: {error}"):
            return text.format(pins=pins)
    return pins


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _package(distribution: str, pin: str | None) -> tuple[str, bool]:
    """One line about a package, and whether it can be imported."""
    version = _version(distribution)
    if version is None:
        missing = ModuleNotFoundError(f"No module named {MODULES[distribution]!r}")
        return f"missing; {cure(missing)}", False
    note = "" if pin in (None, version.split("+")[0]) else f" (tested: {pin})"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            importlib.import_module(MODULES[distribution])
    except Exception as error:  # a broken package may raise anything
        return f"{version}{note} BROKEN: {_one_line(error)}; {cure(error)}", False
    return version + note, True


def _python() -> tuple[str, bool]:
    return (
        f"{platform.python_version()} {sys.executable} on {platform.system()} {platform.machine()}",
        True,
    )


def _ffmpeg() -> tuple[str, bool]:
    try:
        from l2l.media.ffmpeg import check_ffmpeg, ffmpeg_program

        version, program = check_ffmpeg(), ffmpeg_program()
    except Exception as error:  # PyAV or another package that it imports may be broken
        return f"BROKEN: {_one_line(error)}; apt install ffmpeg, or {REINSTALL}", False
    origin = "from the package imageio-ffmpeg" if "imageio_ffmpeg" in program.parts else "from PATH"
    return f"{version} {program} ({origin})", True


def _encoder() -> tuple[str, bool]:
    try:
        from l2l.motion.proxy import ENCODER, check_encoder

        check_encoder()
    except Exception as error:
        return f"BROKEN: {_one_line(error)}; only `snakemake scsampler` needs it", False
    return f"ffmpeg has the encoder {ENCODER}, for `snakemake scsampler`", True


def _slurm() -> tuple[str, bool]:
    """A part of Slurm's programs is worse than none: Snakemake's plugin then fails at import."""
    missing = [name for name in SLURM_PROGRAMS if shutil.which(name) is None]
    if not missing:
        return "its programs are on PATH", True
    if len(missing) == len(SLURM_PROGRAMS):
        return "none here", True
    present = [name for name in SLURM_PROGRAMS if name not in missing]
    return (
        f"BROKEN: {', '.join(present)} on PATH without {', '.join(missing)}, as on some login "
        "nodes; install all of Slurm's client programs, or take these off PATH",
        False,
    )


def _folders() -> tuple[str, bool]:
    """Where other packages write caches and temporary files."""
    try:
        temporary = tempfile.gettempdir()
    except OSError as error:
        return f"BROKEN: {error.strerror or error}; export TMPDIR=a folder of yours", False
    home = os.path.expanduser("~")  # noqa: PTH111 - Path's own raises where there is none
    if not os.access(home, os.W_OK | os.X_OK):
        return f"{temporary}; the home folder {home} cannot be written to (HOME)", True
    return f"{temporary} and {home} can be written to", True


def _cores() -> tuple[str, bool]:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{usable} of {os.cpu_count()} usable", True


def _memory() -> tuple[str, bool]:
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return f"{total:.1f} GiB", True


def _gpu() -> tuple[str, bool]:
    torch = sys.modules.get("torch")
    if torch is None:
        return "unknown: torch cannot be imported", True  # torch is counted as broken already
    try:
        if not torch.cuda.is_available():
            return "none: everything runs on the CPU", True
        device = torch.cuda.get_device_properties(0)
        torch.zeros(1, device="cuda")
    except Exception as error:
        return (
            f"BROKEN: {_one_line(error)}; update its driver, or hide it: export "
            "CUDA_VISIBLE_DEVICES=",
            False,
        )
    more = f", and {torch.cuda.device_count() - 1} more" if torch.cuda.device_count() > 1 else ""
    return (
        f"{device.name}, {device.total_memory / 2**30:.0f} GiB, CUDA {torch.version.cuda}{more}",
        True,
    )


def doctor() -> int:
    """Print what is installed, what is broken and what repairs it.

    In a directory in which Snakemake has run, also what is locked, incomplete or orphaned there.

    Returns:
        0 if all is well, 1 if something is broken.

    Example:
        l2l doctor
    """
    pins = _pins()
    checks: dict[str, Callable[[], tuple[str, bool]]] = {"Python": _python}
    checks |= {name: functools.partial(_package, name, pins.get(name)) for name in MODULES}
    checks |= {
        "ffmpeg": _ffmpeg,
        "motion": _encoder,
        "cores": _cores,
        "memory": _memory,
        "GPU": _gpu,
        "folders": _folders,
        "Slurm": _slurm,
    }
    if Path(".snakemake").is_dir():
        checks |= {name: functools.partial(check, Path.cwd()) for name, check in CHECKS.items()}
    broken, last = [], "all is well"
    for name, check in checks.items():
        line, is_well = check()
        print(f"{name:<15} {escape(line)}", flush=True)
        if not is_well:
            broken.append(name)
        if line.endswith(INTERRUPTED):
            last = f"nothing is broken; {INTERRUPTED}"
    print(f"\nbroken: {', '.join(broken)}" if broken else f"\n{last}")
    return 1 if broken else 0
