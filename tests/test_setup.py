"""Two commands set everything up: what they install is pinned, once, and everywhere the same."""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

import l2l
from l2l import stores

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def text(path):
    return (ROOT / path).read_text(encoding="utf-8")


def pins():
    lines = [line for line in text("constraints.txt").splitlines() if not line.startswith("#")]
    return dict(line.split("==") for line in lines)


def dry(target):
    """What make would run on a machine where nothing is installed; nothing runs."""
    made = subprocess.run(
        ["make", "-n", "-W", "pyproject.toml", target],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert made.returncode == 0, made.stderr
    return made.stdout


def test_every_constraint_is_one_exact_version_and_names_no_host():
    lines = [line for line in text("constraints.txt").splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*==[0-9][0-9a-z.]*", line) for line in lines), (
        lines
    )
    assert [line.split("==")[0] for line in lines] == sorted(pins())


@pytest.mark.parametrize(
    "path", ["constraints.txt", "environment.yml", "pyproject.toml", "Makefile", ".ci/run"]
)
def test_what_installs_names_no_host_and_no_index(path):
    assert not re.search(
        r"://|pypi|anaconda\.|--(extra-|default-)?index|find-links", text(path), re.IGNORECASE
    )


def test_torch_torchvision_and_torchaudio_are_the_last_matching_set_of_all_three():
    assert [pins()[name] for name in ("torch", "torchvision", "torchaudio")] == [
        "2.11.0",
        "0.26.0",
        "2.11.0",
    ]


def test_every_requirement_is_pinned():
    project = tomllib.loads(text("pyproject.toml"))["project"]
    required = [
        *project["dependencies"],
        *(line for extra in project["optional-dependencies"].values() for line in extra),
    ]
    names = {canonical(re.match(r"[\w.-]+", line)[0]) for line in required} - {"l2l"}
    assert names <= set(pins())
    assert all(
        line.split("==")[1] == pins()[line.split("==")[0]] for line in required if "==" in line
    )


def test_everything_installed_with_l2l_is_pinned_to_what_is_installed():
    if not (ROOT / ".venv" / "installed").exists():
        pytest.skip("only .venv is held to the pins: this Python may hold anything")
    packages = [str(path) for path in (ROOT / ".venv").glob("lib/python*/site-packages")]
    installed = {
        canonical(d.metadata["Name"]): d.version
        for d in importlib.metadata.distributions(path=packages)
    }
    assert "torch" in installed
    for name in ("l2l", "pip"):
        installed.pop(name, None)
    assert {
        name: version for name, version in installed.items() if pins().get(name) != version
    } == {}


def test_the_package_is_imported_also_next_to_a_folder_of_its_name(tmp_path):
    python = ROOT / ".venv/bin/python"
    if not (ROOT / ".venv" / "installed").exists():
        pytest.skip("only .venv is known to be an editable installation")
    (tmp_path / "l2l").mkdir()  # as the clone, seen from the folder above it
    surroundings = {key: os.environ[key] for key in os.environ.keys() - {"PYTHONPATH"}}
    imported = subprocess.run(
        [python, "-c", "import l2l; print(l2l.__version__, l2l.__file__)"],
        cwd=tmp_path,
        env=surroundings | {"PYTHONSAFEPATH": ""},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert imported.stdout.split() == [l2l.__version__, str(ROOT / "l2l/__init__.py")], (
        imported.stderr
    )


def test_conda_users_get_the_same_versions_and_ffmpeg():
    environment = yaml.safe_load(text("environment.yml"))
    (wheels,) = (entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    assert [line for line in wheels if "==" not in line] == []
    assert {line.split("==")[0]: line.split("==")[1] for line in wheels}.items() <= pins().items()
    required = tomllib.loads(text("pyproject.toml"))["project"]["dependencies"]
    assert [line.split("==")[0] for line in wheels] == [
        re.split("[=>]=", line)[0] for line in required
    ]
    assert "ffmpeg" in environment["dependencies"]


@pytest.mark.parametrize(
    ("target", "command"),
    [
        ("demo", ".venv/bin/snakemake --cores all"),
        ("study", ".venv/bin/snakemake --cores all study"),
        ("test", ".venv/bin/python -m pytest"),
        ("lint", "snakemake --lint"),
        ("slurm", '--editable ".[slurm]"'),
    ],
)
def test_a_target_installs_the_pins_and_then_runs_its_command(target, command):
    commands = dry(target)
    assert "--constraints constraints.txt" in commands
    assert command in commands


def test_the_first_screen_of_the_readme_has_the_two_commands():
    first_screen = "\n".join(text("README.md").splitlines()[:30])
    assert "make demo" in first_screen
    assert "make test" in first_screen


def test_every_make_target_that_a_document_names_exists():
    targets = set(re.findall(r"^([a-z]+):", text("Makefile"), re.MULTILINE))
    pages = ["README.md", "CONTRIBUTING.md", *(f"docs/{page.name}" for page in DOCS.glob("*.md"))]
    for path in [*pages, "environment.yml", "workflow/profiles/slurm/config.yaml", ".ci/run"]:
        assert (
            set(re.findall(r"(?:`|^\s*\$?\s*)make ([a-z]+)", text(path), re.MULTILINE)) <= targets
        ), path


def test_a_part_of_slurm_with_which_its_plugin_does_not_start_is_refused_in_one_line(tmp_path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    plugin = tmp_path / ".venv/lib/python3.12/site-packages/snakemake_executor_plugin_slurm"
    programs = tmp_path / "programs"
    programs.mkdir()
    for program in ("make", "sh", "sinfo"):
        (programs / program).symlink_to(shutil.which(program) or "/bin/true")

    def made(target: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [programs / "make", target],
            cwd=tmp_path,
            env={"PATH": str(programs)},
            capture_output=True,
            text=True,
            timeout=300,
        )

    assert "sinfo is on PATH" not in made("demo").stderr, "the plugin is not installed"
    plugin.mkdir(parents=True)
    for target in ("slurm", "test", "lint", "demo", "study"):
        refused = made(target)
        assert refused.returncode != 0
        assert "sinfo is on PATH without squeue or sacct" in refused.stderr.splitlines()[0]
    (programs / "sacct").symlink_to("/bin/true")
    assert made("slurm-programs").returncode == 0


def test_an_old_python_is_refused_in_one_line(tmp_path):
    old = tmp_path / "python3"
    old.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.2\nexit 1\n', encoding="utf-8"
    )
    old.chmod(0o755)
    fresh = tmp_path / "clone"
    fresh.mkdir()
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        (fresh / name).write_text(text(name), encoding="utf-8")
    made = subprocess.run(
        ["make", "demo", f"PYTHON={old}"], cwd=fresh, capture_output=True, text=True, timeout=300
    )
    assert made.returncode != 0
    assert (
        made.stderr.splitlines()[0]
        == f"l2l needs Python 3.11 or newer; {old} is Python 3.9.2: make PYTHON=python3.12 ..."
    )


def test_snakemake_finds_the_slurm_profile_by_its_name_from_the_root():
    assert (ROOT / "slurm").is_symlink()
    profile = yaml.safe_load(text("slurm/config.yaml"))
    assert profile["executor"] == "slurm"
    assert profile["retries"] == 2
    # Snakemake lets the default profile go before any other: it must leave machines alone.
    assert set(yaml.safe_load(text("workflow/profiles/default/config.yaml"))).isdisjoint(
        {
            "cores",
            "jobs",
            "executor",
            "default-resources",
            "set-resources",
            "retries",
            "latency-wait",
        }
    )


@pytest.mark.workflow
def test_a_dry_run_with_the_slurm_profile_reaches_every_rule():
    pytest.importorskip("snakemake_executor_plugin_slurm")
    command = [
        sys.executable,
        "-m",
        "snakemake",
        "--profile",
        "slurm",
        "--configfile",
        "workflow/configs/tiny.yaml",
        "--dry-run",
    ]
    ran = subprocess.run(
        [*command, "--forceall", "--nolock"], cwd=ROOT, capture_output=True, text=True, timeout=600
    )
    assert ran.returncode == 0, ran.stderr
    assert "write_report" in ran.stdout + ran.stderr


def test_the_rules_that_the_slurm_profile_gives_as_examples_exist():
    rules = "\n".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "workflow/rules").glob("*.smk")
    )
    examples = re.findall(r"^#   (\w+):", text("slurm/config.yaml"), re.MULTILINE)
    of_rule = re.split(r"^\s*rule (\w+):", rules, flags=re.MULTILINE)[1:]
    bodies = zip(of_rule[::2], of_rule[1::2], strict=True)
    on_gpu = {name for name, body in bodies if "gpu=gpus" in body}
    assert {"train_skimmer", "train_sampler"} <= on_gpu <= set(examples)
    assert set(examples) <= set(re.findall(r"^\s*rule (\w+):", rules, re.MULTILINE))


def test_the_version_is_stated_once_and_needs_no_installed_distribution():
    project = tomllib.loads(text("pyproject.toml"))
    assert "version" not in project["project"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "l2l.__version__"}
    assert stores.MADE_BY.split()[:2] == ["l2l", l2l.__version__]  # then the commit
    ran = subprocess.run(
        [sys.executable, "-S", "-m", "l2l", "--version"], cwd=ROOT, capture_output=True, text=True
    )
    assert ran.stdout == f"{stores.MADE_BY}\n", ran.stderr


@pytest.mark.slow
def test_a_wheel_has_every_file_of_the_package_and_the_console_script(tmp_path):
    backend = "import setuptools.build_meta as b, sys; print(b.build_wheel(sys.argv[1]))"
    copy = tmp_path / "copy"
    shutil.copytree(ROOT / "l2l", copy / "l2l", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy / name)
    command = [sys.executable, "-c", backend, str(tmp_path)]
    built = subprocess.run(command, cwd=copy, capture_output=True, text=True, timeout=300)
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.startswith("l2l/")}
        (scripts,) = (name for name in archive.namelist() if name.endswith("entry_points.txt"))
        assert "l2l = l2l.__main__:main" in archive.read(scripts).decode()
        archive.extractall(tmp_path / "installed")
    kept = [path for path in (copy / "l2l").rglob("*") if path.is_file()]
    assert packed == {path.relative_to(copy).as_posix() for path in kept}
    # What was installed runs outside of any checkout.
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    code = "import sys; from l2l.__main__ import main; sys.exit(main(['--help']))"
    ran = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=elsewhere,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "installed")},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    assert "predict" in ran.stdout
