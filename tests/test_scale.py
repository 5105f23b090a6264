"""Few things are redone when few change, however many there are."""

import contextlib
import hashlib
import os
import re
import resource
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from workflow_runs import planned, snakemake, tiny_with

from l2l.__main__ import numbered
from l2l.datasets import DemoDataset, FolderDataset
from l2l.demo.stage import render_demo
from l2l.manifest.artifact import shard_names
from l2l.manifest.listing import dataset_fingerprint, list_dataset
from l2l.manifest.splits import split_groups
from l2l.shards import read_shards

SHARD_JOBS = {"write_shard_fingerprint", "decode_videos", "compute_mels", "extract_features"}
AGGREGATES = {"list_videos_found", "collect_statuses", "complete_features"}


def folder_of(root: Path, shards: int = 3) -> FolderDataset:
    return FolderDataset(adapter="folder", role="both", folder=root, shards=shards)


@pytest.fixture
def folder(tmp_path):
    """Twelve files that hold no video and differ by their bytes, in one folder per split."""
    for i in range(12):
        path = tmp_path / "videos" / ("train", "val", "test")[i % 3] / "ab"[i % 2] / f"{i}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(i + 1))
    return tmp_path / "videos"


def changed_shards(before, after):
    return {name for name in before.shards if before.shards[name] != after.shards[name]}


def test_one_more_fewer_or_other_file_changes_the_state_of_its_shard_alone(folder):
    dataset = folder_of(folder)
    shard = {video.video: name for name, video in shard_names(list_dataset(dataset, 1), dataset)}
    states = [dataset_fingerprint(dataset, 1)]
    assert dataset_fingerprint(dataset, 1) == states[0]
    replaced = folder / "val/b/1.mp4"
    replaced.write_bytes(bytes(40))
    (folder / "train/a/6.mp4").unlink()
    states.append(dataset_fingerprint(dataset, 1))
    assert changed_shards(*states) == {shard["val/b/1.mp4"], shard["train/a/6.mp4"]}
    (folder / "test/a/new.mp4").write_bytes(bytes(50))
    states.append(dataset_fingerprint(dataset, 1))
    assert changed_shards(*states[1:]) == {"test-000"}
    assert len({state.whole for state in states}) == 3
    assert len({state.classes for state in states}) == 1


def test_a_shard_follows_the_files_that_its_own_may_be_copies_of(folder):
    dataset = folder_of(folder, shards=1)
    before = dataset_fingerprint(dataset, 1)
    shutil.copy(
        folder / "val/b/1.mp4", folder / "test/a/copy.mp4"
    )  # listed before val/b/1.mp4, which is now the duplicate
    assert changed_shards(before, dataset_fingerprint(dataset, 1)) == {"shard-000", "test-000"}


def test_a_folder_that_cannot_be_listed_has_a_state_all_the_same(tmp_path):
    before = dataset_fingerprint(folder_of(tmp_path / "nowhere"), 1)
    (tmp_path / "nowhere/a").mkdir(parents=True)
    (tmp_path / "nowhere/a/1.mp4").touch()
    assert changed_shards(before, dataset_fingerprint(folder_of(tmp_path / "nowhere"), 1)) == set(
        before.shards
    )


def test_a_state_stays_what_it_was_so_that_an_update_of_l2l_redoes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # paths are a part of it
    for i in range(6):  # of two sizes, so that some may be copies
        path = Path("videos", ("train", "val", "test")[i % 3], "ab"[i % 2], f"{i}.mp4")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(i // 3))
        os.utime(path, ns=(0, 1_700_000_000_000_000_000 + i))
    state = dataset_fingerprint(folder_of(Path("videos"), shards=1), 1)
    assert (state.whole, state.classes) == ("2956b93f5bc549f6", "0bfbaa59380ad112")
    assert state.shards == {"shard-000": "eabe4eb5fac6b07b", "test-000": "a8486a037b5d7fb6"}


def plainly_split(groups, fractions, seed):
    """`split_groups` as its docstring tells it, without a thought of time."""
    members = {group: Counter(classes) for group, classes in groups.items()}
    total = sum(members.values(), Counter())
    missed = {
        split: {label: fraction * total[label] for label in total}
        for split, fraction in fractions.items()
        if fraction
    }
    drawn = {
        group: hashlib.blake2b(f"{seed} {group}".encode(), digest_size=8).digest()
        for group in groups
    }
    chosen = {}
    for group in sorted(members, key=lambda g: (-members[g].total(), drawn[g])):
        chosen[group] = max(
            missed,
            key=lambda split: sum(n * missed[split][label] for label, n in members[group].items()),
        )
        for label, n in members[group].items():
            missed[chosen[group]][label] -= n
    return chosen


@given(
    st.dictionaries(
        st.integers(0, 99).map(str),
        st.lists(st.sampled_from("abc"), min_size=1, max_size=4),
        max_size=30,
    ),
    st.sampled_from(
        [
            {"train": 0.9, "val": 0.1},
            {"train": 0.7, "val": 0.1, "test": 0.2},
            {"train": 0.8, "val": 0, "test": 0.2},
        ]
    ),
    st.integers(0, 3),
)
def test_a_million_videos_are_split_as_a_few_are(groups, fractions, seed):
    assert split_groups(groups, fractions, seed) == plainly_split(groups, fractions, seed)


def test_each_run_of_a_study_lists_its_videos_with_its_own_seed(tmp_path):
    config = tiny_with(tmp_path / "c.yaml", study={"seeds": [1, 7]}, evaluation={"variants": []})
    plan = snakemake(tmp_path, "study", "--dry-run", "--printshellcmds", configfile=config)
    lists = {rule for rule in planned(plan) if rule.startswith("list_videos")}
    assert {rule for rule in lists if rule.endswith("_seed7")} == {
        f"{rule}_seed7" for rule in lists if "_seed" not in rule
    }
    told = r"--videos results/tiny-seed7/manifest/\w+/videos.tsv .*?--seed 7 2>logs/tiny-seed7/"
    assert re.search(told, plan.stdout, re.DOTALL)


def test_a_numbered_span_means_the_files_that_a_shell_would_make_of_it(tmp_path):
    spans = [
        f"{tmp_path}/shard-{{008..011}}.h5",
        f"{tmp_path}/test-{{000..000}}",
        f"{tmp_path}/{{a}}.mp4",
    ]
    shell = subprocess.run(
        ["bash", "-c", f"echo {' '.join(spans)}"], capture_output=True, text=True, check=True
    ).stdout.split()
    assert [str(path) for path in numbered([Path(span) for span in spans])] == shell
    assert len(shell) == 6


def test_a_file_that_is_called_like_a_span_is_itself(tmp_path):
    odd = tmp_path / "{1..3}.mp4"
    odd.touch()
    assert numbered([odd]) == [odd]


def test_more_shards_can_be_open_at_once_than_a_process_may_open_files_unasked(tmp_path):
    paths = [tmp_path / str(i) for i in range(100)]
    for path in paths:
        path.touch()

    @contextlib.contextmanager
    def read(path):
        with open(path):
            yield SimpleNamespace(videos=(path.name,))

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (90, hard))
    try:
        with read_shards(paths, read, [path.name for path in paths]) as shards:
            assert len(shards) == 100
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.long
@pytest.mark.workflow
def test_one_more_test_video_redoes_one_shard_and_the_aggregates_and_fits_nothing(tmp_path):
    sizes = {
        "shards": 1,
        "train": 6,
        "val": 2,
        "test": 3,
        "min_seconds": 1.9,
        "max_seconds": 2.1,
        "side_pixels": 32,
    }
    drawn = DemoDataset(adapter="demo", role="both", kind="clips", **sizes)
    render_demo(tmp_path / "videos", drawn, 1)
    added = sorted((tmp_path / "videos/test").glob("*/*.mp4"))[-1]
    added.rename(tmp_path / "added.mp4")
    videos = {
        "found": {
            "adapter": "folder",
            "role": "both",
            "folder": str(tmp_path / "videos"),
            "shards": 2,
        }
    }
    config = tiny_with(tmp_path / "c.yaml", videos, run="found")
    wanted = ("results/found/features/found/zarr.json", "results/found/skimmer/skimmer.pt")
    first = snakemake(tmp_path, *wanted, configfile=config)
    assert first.returncode == 0, first.stderr[-3000:]
    nothing = "Nothing to be done"
    assert nothing in snakemake(tmp_path, *wanted, "--dry-run", configfile=config).stdout

    (tmp_path / "added.mp4").rename(added)
    plan = snakemake(tmp_path, *wanted, "--dry-run", configfile=config)
    assert planned(plan) == SHARD_JOBS | AGGREGATES
    assert all(re.search(rf"^{rule} +1$", plan.stdout, re.MULTILINE) for rule in planned(plan))
    assert snakemake(tmp_path, *wanted, configfile=config).returncode == 0
    assert added.name in (tmp_path / "results/found/manifest/found/test-000.tsv").read_text()
    assert nothing in snakemake(tmp_path, *wanted, "--dry-run", configfile=config).stdout
