"""What is installed and whether it works, what killed runs left here: the first thing to run, and
to paste, when something fails.

Nothing is imported before its turn, so that this runs where everything else is broken.
"""

import functools
import importlib
import importlib.metadata
import os
import platform
import re
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

from l2l.jobs.leftovers import LOOKS

REINSTALL = "rm -rf .venv && make demo"
CONSTRAINTS = Path(__file__).resolve().parent.parent / "constraints.txt"
MODULES = {  # of the distributions that l2l asks for
    "torch": "torch",
    "torchvision": "torchvision",
    "torchaudio": "torchaudio",
    "numpy": "numpy",
    "h5py": "h5py",
    "zarr": "zarr",
    "av": "av",
    "ffmpeg-python": "ffmpeg",
    "imageio-ffmpeg": "imageio_ffmpeg",
    "pydantic": "pydantic",
    "pyyaml": "yaml",
    "jaxtyping": "jaxtyping",
    "jinja2": "jinja2",
    "matplotlib": "matplotlib",
    "pillow": "PIL",
    "snakemake": "snakemake",
}
# What a broken import says, and what mends it: the first that fits.
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
    """The version of each distribution that is tested.

    None when l2l was installed without its repository.
    """
    if not CONSTRAINTS.is_file():
        return {}
    return dict(
        re.findall(r"^([\w.-]+)==(\S+)$", CONSTRAINTS.read_text(encoding="utf-8"), re.MULTILINE)
    )


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split()) or "no reason given"
    return f"{type(error).__name__}: {text if len(text) < 200 else text[:197] + '...'}"


def cure(error: BaseException) -> str:
    """What mends a broken import."""
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
    """One line for a package, and whether it can be imported."""
    version = _version(distribution)
    if version is None:
        missing = ModuleNotFoundError(f"No module named {MODULES[distribution]!r}")
        return f"missing; {cure(missing)}", False
    note = "" if pin in (None, version.split("+")[0]) else f" (tested: {pin})"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            importlib.import_module(MODULES[distribution])
    except Exception as error:  # whatever a broken package raises is what is to be told
        return f"{version}{note} BROKEN: {_one_line(error)}; {cure(error)}", False
    return version + note, True


def _python() -> tuple[str, bool]:
    return (
        f"{platform.python_version()} {sys.executable} on {platform.system()} {platform.machine()}",
        True,
    )


def _ffmpeg() -> tuple[str, bool]:
    try:
        from l2l.media.ffmpeg import ffmpeg_program

        program = ffmpeg_program()
        said = subprocess.run(
            [str(program), "-hide_banner", "-version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
    except Exception as error:
        return f"BROKEN: {_one_line(error)}; apt install ffmpeg, or {REINSTALL}", False
    origin = "from the package imageio-ffmpeg" if "imageio_ffmpeg" in program.parts else "from PATH"
    if said.returncode != 0:
        what = " ".join(said.stderr.split())[:200]
        return (
            f"BROKEN: {program} ({origin}) ends with {said.returncode}: {what}; put a working "
            "ffmpeg first on PATH",
            False,
        )
    version = re.match(r"ffmpeg version (\S+)", said.stdout)
    return f"{version[1] if version else 'unknown version'} {program} ({origin})", True


def _cores() -> tuple[str, bool]:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{usable} of {os.cpu_count()} usable", True


def _memory() -> tuple[str, bool]:
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return f"{total:.1f} GiB", True


def _gpu() -> tuple[str, bool]:
    torch = sys.modules.get("torch")
    if torch is None:
        return "not known: torch does not import", True  # counted as broken there
    try:
        if not torch.cuda.is_available():
            return "none: all runs on the CPU", True
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
    """Print what is installed against what is tested, name what is broken and what mends it.

    In a directory in which Snakemake has run, also what is locked, incomplete or orphaned there.

    Returns:
        0 if all is well, 1 if something is broken.
    """
    pins = _pins()
    looks: dict[str, Callable[[], tuple[str, bool]]] = {"Python": _python}
    looks |= {name: functools.partial(_package, name, pins.get(name)) for name in MODULES}
    looks |= {"ffmpeg": _ffmpeg, "cores": _cores, "memory": _memory, "GPU": _gpu}
    if Path(".snakemake").is_dir():
        looks |= {name: functools.partial(look, Path.cwd()) for name, look in LOOKS.items()}
    broken = []
    for name, look in looks.items():
        line, well = look()
        print(f"{name:<15} {line}", flush=True)
        if not well:
            broken.append(name)
    print(f"\nbroken: {', '.join(broken)}" if broken else "\nall is well")
    return 1 if broken else 0
