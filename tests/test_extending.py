"""docs/extending.md is followed as written: its blocks are applied to a copy, which then runs."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/extending.md").read_text(encoding="utf-8")
RECIPES = (
    "An adapter",
    "A teacher",
    "A method that picks moments",
    "A method that is trained",
    "A table of the report",
)
NAMED = re.compile(r"`((?:l2l|workflow|docs)/[\w/.]+)`")


def blocks(recipe):
    """A recipe's blocks: (file, kind, text). A block belongs to the file that was named last."""
    section = PAGE.partition(f"\n## {recipe}\n")[2].partition("\n## A ")[0]
    named = None
    for prose, kind, text in re.findall(r"(.*?)(?:```(\w+)\n(.*?)```|\Z)", section, re.DOTALL):
        for name in NAMED.findall(prose):
            named = name
        if kind:
            assert named is not None
            yield named, kind, text


def apply(folder, name, kind, text):
    """Apply a block: a diff at the place it shows, a new file, or lines at the end of a file."""
    path = folder / name
    if kind != "diff":
        existing = path.read_text(encoding="utf-8") + "\n\n" if path.exists() else ""
        path.write_text(existing + text, encoding="utf-8")
        return
    lines = text.splitlines()
    before = [line[1:] for line in lines if not line.startswith("+")]
    after = [line[1:] for line in lines if not line.startswith("-")]
    content = path.read_text(encoding="utf-8")
    place = "\n".join(before) + "\n"
    assert content.count(place) == 1, f"{name}: expected once:\n{place}"
    path.write_text(content.replace(place, "\n".join(after) + "\n"), encoding="utf-8")


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the repository with all five recipes applied."""
    folder = tmp_path_factory.mktemp("extended")
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("l2l", "workflow", "docs"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in ("Snakefile", "config.yaml", "environment.yml", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    for recipe in RECIPES:
        applied = list(blocks(recipe))
        assert applied, recipe
        for name, kind, text in applied:
            apply(folder, name, kind, text)
    return folder


def run(copy, *arguments, **options):
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    ran = subprocess.run(
        [sys.executable, *arguments],
        cwd=copy,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        **options,
    )
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    return ran.stdout


def test_each_recipe_touches_as_many_files_as_the_page_says():
    counts = [len({name for name, _, _ in blocks(recipe)}) for recipe in RECIPES]
    stated = re.findall(r"^\| \[.*?\]\(.*?\) \| (\d)", PAGE, re.MULTILINE)
    assert counts == [int(count) for count in stated] == [4, 2, 1, 3, 3]


def test_the_added_adapter_lists_its_videos_and_names_a_wrong_line(copy, tmp_path):
    (tmp_path / "a.mp4").touch()
    (tmp_path / "list.txt").write_text("a jump train\nb run test\n")
    code = f"""
from l2l.config import check_config
from l2l.datasets import BY_ADAPTER
from l2l.manifest.listing import list_dataset
section = dict(adapter="plain_list", role="both", folder="{tmp_path}", shards=1,
               list="{tmp_path}/list.txt")
dataset = BY_ADAPTER["plain_list"].model_validate(section)
for video in list_dataset(dataset, 1):
    print(video.video, video.labels, video.split, video.status)
open("{tmp_path}/list.txt", "a").write("c swim\\n")
try:
    list_dataset(dataset, 1)
except Exception as error:
    print(type(error).__name__, error)
"""
    first, second, refused = run(copy, "-c", code).splitlines()
    assert first.split()[0] == "a"
    assert second.split()[0] == "b"
    assert "missing" in second
    assert refused.startswith("BadInput")
    assert "line 3" in refused


def test_the_added_teacher_is_built_and_describes_a_clip(copy):
    code = """
import torch
from l2l.config import TeacherConfig
from l2l.teacher.network import build_teacher
network = TeacherConfig(network="swin3d_s", weights="KINETICS400_V1").network
with torch.device("meta"):
    teacher = build_teacher(network, 3, (), ()).eval()
    descriptor, scores = teacher(torch.zeros(1, 3, 16, 112, 112))
print(tuple(descriptor.shape), tuple(scores.shape), teacher.descriptor_width)
"""
    assert run(copy, "-c", code).split("\n")[0] == "(1, 768) (1, 3) 768"


def test_the_added_methods_are_in_the_list_pick_and_score(copy):
    code = """
import torch
from l2l.config import SkimmerConfig
from l2l.evaluation.videos import methods
from l2l.skimmer.artifact import MODELS, build
print(methods.every_third(10, 3))
print(methods.trained_networks(None))
training = dict(epochs=1, batch_size=2, learning_rate=.1)
network = build(MODELS[-1], {"image": 4, "audio": 4}, 3, 6, 5, SkimmerConfig(training=training))
features = {name: torch.randn(2, 7, 4) for name in ("image", "audio")}
present = torch.ones(2, 7, dtype=torch.bool)
present[1, 4:] = False
scores = network(features, present)
features["image"][1, 4:] = 100
print(tuple(scores.shape), torch.equal(scores, network(features, present)))
"""
    picked, trained, scored = run(copy, "-c", code).splitlines()
    assert picked == "[0, 3, 6]"
    assert "mean_of_features" in trained
    assert scored == "(2, 3) True"


@pytest.mark.workflow
def test_the_rules_train_the_added_method_and_make_the_added_table(copy):
    planned = run(
        copy,
        *("-m", "snakemake", "-n", "-p", "--cores", "1", "--nolock"),
        *("--configfile", "workflow/configs/tiny.yaml"),
    )
    assert "results/tiny/skimmer/mean_of_features.pt" in planned
    assert "--confusions results/tiny/evaluation/confusions.tsv" in planned
    assert "every_third" in planned  # Table 1 is made again when the list grows
    report = planned[planned.index("l2l write_report") :].partition("\n\n")[0]
    assert "evaluation/confusions.tsv" in report
