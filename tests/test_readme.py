"""What the README shows exists and runs."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from l2l.__main__ import VERBS
from l2l.config import check_config
from l2l.datasets import BY_ADAPTER
from l2l.manifest.artifact import STATUSES

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_every_file_and_folder_the_readme_names_is_there():
    named = set(
        re.findall(
            r"`((?:workflow|l2l|slurm|tests|benchmarks)/[\w./-]*|config\.yaml|\.ci/run)`", README
        )
    )
    assert len(named) >= 5
    assert [
        name for name in named if not (ROOT / name).exists() and not name.startswith("results")
    ] == []


def test_every_verb_the_readme_names_is_one():
    verbs = set(re.findall(r"python -m l2l (\w+)", README))
    assert {"predict", "inspect", "doctor"} <= verbs <= set(VERBS)


@pytest.mark.parametrize("verb", sorted(set(re.findall(r"python -m l2l (\w+)", README))))
def test_the_options_the_readme_shows_are_those_of_the_verb(verb):
    told = subprocess.run(
        [sys.executable, "-m", "l2l", verb, "--help"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    shown = {
        option
        for line in README.splitlines()
        if f"l2l {verb}" in line
        for option in re.findall(r"--[a-z-]+", line)
    }
    assert shown <= set(re.findall(r"--[a-z-]+", told.stdout))


def test_no_number_is_left_open():
    assert not re.findall(r"\b[A-Z]+_(?:MINUTES|TABLES|SECTION)\b", README)


DATASETS = (ROOT / "docs/datasets.md").read_text()


def test_every_key_of_every_adapter_is_explained():
    general, *parts = DATASETS.split("\n## ")
    sections = {name: part for part in parts for name in part.partition("\n")[0].split(", ")}
    for adapter, dataset in BY_ADAPTER.items():
        told = set(re.findall(r"`(\w+)`", sections[adapter])) | set(
            re.findall(r"^\| `(\w+)` \|", general, re.MULTILINE)
        )
        assert set(dataset.model_fields) - {"adapter"} <= told, adapter
        shown = re.findall(
            r"^ +(\w+):",
            "\n".join(re.findall(r"```yaml\n(.*?)```", sections[adapter], re.DOTALL)),
            re.MULTILINE,
        )
        assert set(shown) <= {*dataset.model_fields}, adapter


def test_every_state_of_a_video_is_explained():
    table = DATASETS.partition("\n## States\n")[2]
    assert set(
        re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (.*?) \|", table, re.MULTILINE)))
    ) == set(STATUSES)


@pytest.mark.parametrize("page", ["README.md", "docs/datasets.md"])
def test_the_videos_section_that_is_shown_is_valid(page):
    shown = re.search(r"```yaml\n(videos:.*?)```", (ROOT / page).read_text(), re.DOTALL)[1]
    tiny = yaml.safe_load((ROOT / "workflow/configs/tiny.yaml").read_text())
    assert check_config(tiny | yaml.safe_load(shown), page).target == "mine"
