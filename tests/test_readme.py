"""What the README shows exists and runs."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from l2l.__main__ import VERBS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_every_file_and_folder_the_readme_names_is_there():
    named = set(re.findall(r"`((?:workflow|l2l|slurm|tests|benchmarks)/[\w./-]*|config\.yaml|\.ci/run)`", README))
    assert len(named) >= 5
    assert [name for name in named if not (ROOT / name).exists() and not name.startswith("results")] == []


def test_every_verb_the_readme_names_is_one():
    verbs = set(re.findall(r"python -m l2l (\w+)", README))
    assert {"predict", "inspect", "doctor"} <= verbs <= set(VERBS)


@pytest.mark.parametrize("verb", sorted(set(re.findall(r"python -m l2l (\w+)", README))))
def test_the_options_the_readme_shows_are_those_of_the_verb(verb):
    told = subprocess.run([sys.executable, "-m", "l2l", verb, "--help"], capture_output=True, text=True, cwd=ROOT, check=True)
    shown = {option for line in README.splitlines() if f"l2l {verb}" in line for option in re.findall(r"--[a-z-]+", line)}
    assert shown <= set(re.findall(r"--[a-z-]+", told.stdout))


def test_no_number_is_left_open():
    assert not re.findall(r"\b[A-Z]+_(?:MINUTES|TABLES|SECTION)\b", README)
