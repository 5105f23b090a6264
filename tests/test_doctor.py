"""The doctor names what is broken and what mends it, and works when everything else does not."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest

from l2l.tools import doctor

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def broken(tmp_path):
    """Run the doctor where importing some modules raises what is given."""

    def run(**errors):
        for module, error in errors.items():
            (tmp_path / f"{module}.py").write_text(f"raise {error}\n", encoding="utf-8")
        return subprocess.run(
            [sys.executable, "-m", "l2l", "doctor"],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=600,
        )

    return run


def line_of(package, text):
    (line,) = (line for line in text.splitlines() if line.split()[:1] == [package])
    return line


@pytest.mark.slow
def test_a_tested_installation_is_well_and_shows_its_versions(capsys):
    assert doctor.doctor() == 0
    told = capsys.readouterr().out
    pins = doctor._pins()
    assert line_of("torch", told).split()[1].startswith(pins["torch"])
    assert line_of("snakemake", told).split()[1] == pins["snakemake"]
    assert all(line_of(name, told) for name in ("Python", "ffmpeg", "cores", "memory", "GPU"))
    assert told.endswith("all is well\n")


def test_a_broken_torch_is_told_in_one_line_each_with_its_cure_and_the_rest_is_still_looked_at(
    broken,
):
    found = broken(
        torch="OSError('libcudart.so.13: cannot open shared object file: No such file or "
        "directory')",
        torchvision="RuntimeError('operator torchvision::nms does not exist')",
        torchaudio="OSError('libtorchaudio.so: undefined symbol: _ZNK5torch8autograd4Node4nameEv')",
    )
    assert found.returncode == 1, found.stderr
    assert "CUDA packages are missing" in line_of("torch", found.stdout)
    assert "torch and torchvision do not match" in line_of("torchvision", found.stdout)
    assert "built for another torch" in line_of("torchaudio", found.stdout)
    assert "BROKEN" not in line_of("h5py", found.stdout)
    assert "ffmpeg" in line_of("ffmpeg", found.stdout)
    assert found.stdout.endswith("broken: torch, torchvision, torchaudio\n")


@pytest.mark.parametrize(
    ("error", "cure"),
    [
        (
            ImportError("libGL.so.1: cannot open shared object file: No such file or directory"),
            "libgl1",
        ),
        (
            ImportError("/lib/libstdc++.so.6: version `GLIBCXX_3.4.32' not found"),
            "older than the package's build",
        ),
        (
            OSError("libsndfile.so.1: cannot open shared object file"),
            "library of the system is missing",
        ),
        (ModuleNotFoundError("No module named 'sympy'"), "a package is missing"),
        (AttributeError("_ARRAY_API not found"), "another numpy"),
        (ZeroDivisionError("something never seen"), doctor.REINSTALL),
    ],
)
def test_every_broken_import_has_a_cure(error, cure):
    assert cure in doctor.cure(error)


def test_a_package_that_is_not_there_counts_as_broken(monkeypatch):
    monkeypatch.setattr(doctor, "_version", lambda name: None)
    line, well = doctor._package("zarr", "3.0")
    assert not well
    assert line.startswith("missing; a package is missing")


def test_another_version_than_the_tested_one_is_told_but_is_not_broken(monkeypatch):
    monkeypatch.setattr(doctor, "_version", lambda name: "2.0")
    assert doctor._package("numpy", "2.1") == ("2.0 (tested: 2.1)", True)
    monkeypatch.setattr(doctor, "_version", lambda name: "2.1+cpu")
    assert doctor._package("numpy", "2.1") == ("2.1+cpu", True)


def test_an_ffmpeg_that_does_not_run_is_broken(monkeypatch, tmp_path):
    program = tmp_path / "ffmpeg"
    program.write_text("#!/bin/sh\necho no codec library >&2\nexit 127\n", encoding="utf-8")
    program.chmod(0o755)
    ffmpeg = pytest.importorskip("l2l.media.ffmpeg")
    monkeypatch.setattr(ffmpeg, "ffmpeg_program", lambda: program)
    line, well = doctor._ffmpeg()
    assert not well
    assert "no codec library" in line


def test_a_gpu_is_named_and_one_that_does_not_answer_is_broken(monkeypatch):
    def zeros(count, device):
        if broken:
            raise RuntimeError(
                "CUDA error: no kernel image is available for execution on the device"
            )

    cuda = SimpleNamespace(
        is_available=lambda: True,
        device_count=lambda: 2,
        get_device_properties=lambda index: SimpleNamespace(name="Card", total_memory=16 * 2**30),
    )
    torch = SimpleNamespace(cuda=cuda, zeros=zeros, version=SimpleNamespace(cuda="13.0"))
    monkeypatch.setitem(sys.modules, "torch", torch)
    broken = False
    assert doctor._gpu() == ("Card, 16 GiB, CUDA 13.0, and 1 more", True)
    broken = True
    line, well = doctor._gpu()
    assert not well
    assert "update its driver" in line


def test_the_doctor_looks_at_every_package_l2l_asks_for():
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "dependencies"
    ]
    assert set(doctor.MODULES) == {line.split("==")[0] for line in asked}
