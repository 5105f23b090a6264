"""The doctor names what is broken and what repairs it, and works where nothing else does."""

import os
import re
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
            [sys.executable, "-P", "-m", "l2l", "doctor"],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
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
    output = capsys.readouterr().out
    pins = doctor._pins()
    assert line_of("torch", output).split()[1].startswith(pins["torch"])
    assert line_of("snakemake", output).split()[1] == pins["snakemake"]
    assert all(
        line_of(name, output) for name in ("Python", "ffmpeg", "motion", "cores", "memory", "GPU")
    )
    assert output.endswith("all is well\n")


def test_broken_packages_have_one_line_each_with_the_cure_and_the_others_are_still_checked(
    broken,
):
    ended = broken(
        torch="OSError('libcudart.so.13: cannot open shared object file: No such file or "
        "directory')",
        torchvision="RuntimeError('operator torchvision::nms does not exist')",
        torchaudio="OSError('libtorchaudio.so: undefined symbol: _ZNK5torch8autograd4Node4nameEv')",
    )
    assert ended.returncode == 1, ended.stderr
    assert "CUDA packages are missing" in line_of("torch", ended.stdout)
    assert "torch and torchvision do not match" in line_of("torchvision", ended.stdout)
    assert "built for another torch" in line_of("torchaudio", ended.stdout)
    assert "BROKEN" not in line_of("h5py", ended.stdout)
    assert "ffmpeg" in line_of("ffmpeg", ended.stdout)
    assert ended.stdout.endswith("broken: torch, torchvision, torchaudio\n")


@pytest.mark.parametrize(
    ("error", "cure"),
    [
        (
            ImportError("libGL.so.1: cannot open shared object file: No such file or directory"),
            "libgl1",
        ),
        (
            ImportError("/lib/libstdc++.so.6: version `GLIBCXX_3.4.32' not ended"),
            "older than the package's build",
        ),
        (
            OSError("libsndfile.so.1: cannot open shared object file"),
            "library of the system is missing",
        ),
        (ModuleNotFoundError("No module named 'sympy'"), "a package is missing"),
        (AttributeError("_ARRAY_API not ended"), "another numpy"),
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


def test_another_version_than_the_tested_one_is_shown_but_is_not_broken(monkeypatch):
    monkeypatch.setattr(doctor, "_version", lambda name: "2.0")
    assert doctor._package("numpy", "2.1") == ("2.0 (tested: 2.1)", True)
    monkeypatch.setattr(doctor, "_version", lambda name: "2.1+cpu")
    assert doctor._package("numpy", "2.1") == ("2.1+cpu", True)


@pytest.mark.parametrize(
    ("script", "cause"),
    [
        ("echo no codec library >&2; exit 127", "no codec library"),
        ("kill -SEGV $$", "SIGSEGV"),
        ("echo something else", "-version"),
        ("", "-version"),
    ],
)
def test_an_ffmpeg_that_does_not_work_is_broken_and_named(monkeypatch, tmp_path, script, cause):
    program = tmp_path / "ffmpeg"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)
    ffmpeg = pytest.importorskip("l2l.media.ffmpeg")
    monkeypatch.setattr(ffmpeg, "ffmpeg_program", lambda: program)
    line, is_well = doctor._ffmpeg()
    assert not is_well
    assert str(program) in line
    assert cause in line


def test_a_file_that_cannot_be_run_is_a_broken_ffmpeg(monkeypatch, tmp_path):
    program = tmp_path / "ffmpeg"
    program.write_bytes(b"\x7fELF of another machine")
    program.chmod(0o755)
    ffmpeg = pytest.importorskip("l2l.media.ffmpeg")
    monkeypatch.setattr(ffmpeg, "ffmpeg_program", lambda: program)
    line, is_well = doctor._ffmpeg()
    assert not is_well
    assert "ffmpeg" in line


def test_a_part_of_slurm_is_named_with_what_is_missing(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert doctor._slurm()[1]
    (tmp_path / "sinfo").write_text("#!/bin/sh\n")
    (tmp_path / "sinfo").chmod(0o755)
    line, is_well = doctor._slurm()
    assert not is_well
    assert "sinfo on PATH without squeue, sbatch" in line
    for name in doctor.SLURM_PROGRAMS:
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    assert doctor._slurm()[1]


def test_folders_that_cannot_be_written_to_are_named(monkeypatch):
    monkeypatch.setenv("HOME", "/proc/self/nowhere")
    assert "/proc/self/nowhere cannot be written to" in doctor._folders()[0]

    def none_usable():
        raise FileNotFoundError(2, "No usable temporary directory ended")

    monkeypatch.setattr(doctor.tempfile, "gettempdir", none_usable)
    line, is_well = doctor._folders()
    assert not is_well
    assert "TMPDIR" in line


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


def test_the_doctor_checks_every_package_that_l2l_requires():
    required = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "dependencies"
    ]
    assert set(doctor.MODULES) == {re.split("[=<>!~]", line)[0] for line in required}


def test_an_ffmpeg_without_the_encoder_of_motion_is_named(tmp_path, monkeypatch):
    program = tmp_path / "ffmpeg"
    program.write_text("#!/bin/sh\necho \"Codec 'mpeg4' is not recognized by FFmpeg.\"\n")
    program.chmod(0o755)
    assert doctor._encoder() == ("ffmpeg has the encoder mpeg4, for `snakemake scsampler`", True)
    monkeypatch.setattr("l2l.media.ffmpeg.ffmpeg_program", lambda: program)
    monkeypatch.setattr("l2l.motion.proxy.ffmpeg_program", lambda: program)
    line, is_well = doctor._encoder()
    assert not is_well
    assert f"BROKEN: {program}: this ffmpeg has no encoder mpeg4" in line
    assert line.endswith("only `snakemake scsampler` needs it")
