"""Few things are redone when few change, however many there are."""

import contextlib
import os
import re
import resource
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
from list_worlds import CLASS_NAMES, WRITERS, Item, put_files, section
from workflow_runs import planned, snakemake, tiny_with

from l2l.__main__ import numbered
from l2l.datasets import DemoDataset, FolderDataset
from l2l.demo.stage import render_demo
from l2l.manifest.artifact import shard_names
from l2l.manifest.listing import DatasetFingerprint, dataset_fingerprint, list_dataset
from l2l.manifest.probe import fingerprint_of
from l2l.manifest.seen import read_seen, stamp_of, write_seen
from l2l.shards import read_shards

SHARD_JOBS = {"write_shard_fingerprint", "decode_videos", "compute_mels", "extract_features"}
AGGREGATES = {"list_videos", "collect_statuses", "copy_training_table", "complete_features"}


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


def test_one_more_fewer_or_other_file_changes_the_fingerprint_of_its_shard_alone(folder):
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
    # listed before val/b/1.mp4, which is now the duplicate
    shutil.copy(folder / "val/b/1.mp4", folder / "test/a/copy.mp4")
    assert changed_shards(before, dataset_fingerprint(dataset, 1)) == {"shard-000", "test-000"}


def recorded(dataset: FolderDataset, record: Path) -> DatasetFingerprint:
    """Record the files of a data set as list_videos does; its fingerprint then."""
    videos = [
        video._replace(fingerprint=fingerprint_of(video.path)[0])
        for video in list_dataset(dataset, 1)
    ]
    stamps = {video.file: stamp_of(video.file) for video in videos}
    write_seen(record, videos, stamps, dataset.folder, read_seen(record))
    return dataset_fingerprint(dataset, 1, record)


def test_a_touched_copied_or_moved_file_changes_no_fingerprint(folder, tmp_path):
    record = tmp_path / "record.tsv"
    before = dataset_fingerprint(folder_of(folder), 1, record)  # without a record
    assert recorded(folder_of(folder), record) == before
    (folder / "val/b/1.mp4").touch()
    assert dataset_fingerprint(folder_of(folder), 1, record) == before
    shutil.copytree(folder, tmp_path / "copy", copy_function=shutil.copyfile)
    folder.rename(tmp_path / "moved")
    for place in ("copy", "moved"):
        moved = folder_of(tmp_path / place)
        assert dataset_fingerprint(moved, 1, record) == before
        assert recorded(moved, record) == before


@pytest.mark.parametrize(
    ("size", "start", "length"),
    # of the large one, between the blocks that are hashed
    [(1 << 20, 1 << 19, 9999), (64 << 20, 300_000, 1 << 20), (64 << 20, 33 << 20, 1 << 20)],
)
def test_another_content_with_the_same_size_and_times_changes_the_fingerprint(
    folder, tmp_path, size, start, length
):
    record, file = tmp_path / "record.tsv", folder / "val/b/1.mp4"
    file.write_bytes(bytes(size))
    before = recorded(folder_of(folder), record)
    times = file.stat().st_atime_ns, file.stat().st_mtime_ns
    content = bytearray(size)
    content[start : start + length] = b"x" * length
    file.write_bytes(content)
    os.utime(file, ns=times)
    after = dataset_fingerprint(folder_of(folder), 1, record)
    assert len(changed_shards(before, after)) == 1
    assert recorded(folder_of(folder), record) == after


def test_a_folder_that_cannot_be_listed_has_a_fingerprint_all_the_same(tmp_path):
    before = dataset_fingerprint(folder_of(tmp_path / "nowhere"), 1)
    (tmp_path / "nowhere/a").mkdir(parents=True)
    (tmp_path / "nowhere/a/1.mp4").touch()
    assert changed_shards(before, dataset_fingerprint(folder_of(tmp_path / "nowhere"), 1)) == set(
        before.shards
    )


def test_a_fingerprint_stays_what_it_was_so_that_an_update_of_l2l_redoes_nothing(tmp_path):
    for i in range(6):  # of two sizes, so that some may be copies
        path = tmp_path / "videos" / ("train", "val", "test")[i % 3] / "ab"[i % 2] / f"{i}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(i // 3))
        os.utime(path, ns=(0, 1_700_000_000_000_000_000 + i))
    fingerprint = dataset_fingerprint(folder_of(tmp_path / "videos", shards=1), 1)
    assert fingerprint.whole == "bc2c95c7c28aa26d"
    assert fingerprint.classes == "0bfbaa59380ad112"
    assert fingerprint.shards == {"shard-000": "71e3cd6e22f96db9", "test-000": "4e540cfa992e19e8"}


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("writer", WRITERS)
def test_one_more_video_changes_one_shard_of_every_adapter(tmp_path, writer, split):
    splits = [*("train", "test") * 20, split]
    # a class per split, since clips of one source, by their names, belong to one split
    videos = [Item(f"{i:011d}", CLASS_NAMES[of == "test"], of, True) for i, of in enumerate(splits)]
    fingerprints = []
    for count in (40, 41):
        fields, names = WRITERS[writer](tmp_path / "lists", videos[:count])
        new = videos[len(fingerprints) * 40 : count]
        paths = put_files(tmp_path / "videos", new, names, "class", ".mp4")
        for size, path in enumerate(paths.values(), start=100 * count):
            path.write_bytes(bytes(size))
        dataset = section(**{**fields, "folder": tmp_path / "videos", "shards": 8})
        fingerprints.append(dataset_fingerprint(dataset, 1))
    assert len(changed_shards(*fingerprints)) == 1
    assert fingerprints[0].classes == fingerprints[1].classes


def test_each_run_of_a_study_lists_its_videos_with_its_own_seed(tmp_path):
    config = tiny_with(tmp_path / "c.yaml", study={"seeds": [1, 7]}, evaluation={"variants": []})
    plan = snakemake(tmp_path, "study", "--dry-run", "--printshellcmds", configfile=config)
    assert re.search(r"^list_videos +4$", plan.stdout, re.MULTILINE)  # two data sets, two seeds
    command = r"--videos results/tiny-seed7/manifest/\w+/videos.tsv .*?--seed 7 2>logs/tiny-seed7/"
    assert re.search(command, plan.stdout, re.DOTALL)


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


@pytest.mark.parametrize("number", range(40, 50))
def test_one_more_video_of_a_class_folder_changes_one_shard(tmp_path, number):
    for i in [*range(40), number]:
        file = tmp_path / "ab"[i % 2] / f"{i}.mp4"
        if i == number:
            before = dataset_fingerprint(folder_of(tmp_path, shards=8), 1)
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(bytes(i + 1))
    after = dataset_fingerprint(folder_of(tmp_path, shards=8), 1)
    assert len(changed_shards(before, after)) == 1


@pytest.mark.long
@pytest.mark.workflow
def test_one_more_test_video_redoes_its_shard_and_the_tables_and_a_moved_folder_only_tables(
    tmp_path,
):
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
    assert planned(plan) == SHARD_JOBS | AGGREGATES | {"copy_shard_table"}
    assert all(
        re.search(rf"^{rule} +1$", plan.stdout, re.MULTILINE) for rule in SHARD_JOBS | AGGREGATES
    )
    assert snakemake(tmp_path, *wanted, configfile=config).returncode == 0
    assert added.name in (tmp_path / "results/found/manifest/found/test-000.tsv").read_text()
    assert nothing in snakemake(tmp_path, *wanted, "--dry-run", configfile=config).stdout

    added.touch()
    assert nothing in snakemake(tmp_path, *wanted, "--dry-run", configfile=config).stdout
    (tmp_path / "videos").rename(tmp_path / "moved")
    videos["found"]["folder"] = str(tmp_path / "moved")
    config = tiny_with(tmp_path / "c.yaml", videos, run="found")
    plan = snakemake(tmp_path, *wanted, "--dry-run", configfile=config)
    tables = {"copy_shard_table", "copy_training_table"}
    assert {"list_videos", "collect_statuses"} <= planned(plan) <= AGGREGATES | tables
