"""The manifest stage on files: what changes which table."""

import shutil
from pathlib import Path

from l2l.config import ManifestConfig
from l2l.datasets import FolderDataset
from l2l.manifest.artifact import read_videos, shard_of
from l2l.manifest.stage import list_videos


def stage(tmp_path: Path, shards: int = 4) -> dict[str, bytes]:
    """List the videos below `tmp_path`/videos; the bytes of every table."""
    dataset = FolderDataset(
        adapter="folder", role="source", shards=shards, folder=tmp_path / "videos"
    )
    list_videos(
        tmp_path / "o/videos.tsv",
        tmp_path / "o/shards",
        dataset,
        ManifestConfig(max_bad_fraction=0.6),
        seed=0,
    )
    return {path.name: path.read_bytes() for path in sorted((tmp_path / "o").rglob("*.tsv"))}


def test_a_replaced_file_changes_its_row_and_one_more_video_changes_one_shard(clip, tmp_path):
    for split in ("train", "test"):
        for i in range(4):
            (tmp_path / f"videos/{split}/a").mkdir(parents=True, exist_ok=True)
            (tmp_path / f"videos/{split}/a/{i}.mp4").write_bytes(
                clip.read_bytes() + f"{split}{i}".encode()
            )
    before = stage(tmp_path)
    assert list(before) == [
        "shard-000.tsv",
        "shard-001.tsv",
        "shard-002.tsv",
        "shard-003.tsv",
        "test-000.tsv",
        "videos.tsv",
    ]
    assert stage(tmp_path) == before
    replaced = tmp_path / "videos/test/a/1.mp4"
    replaced.write_bytes(clip.read_bytes() + b"TEST1")  # as long as it was
    after = stage(tmp_path)
    assert changed(before, after) == {"videos.tsv", "test-000.tsv"}
    (tmp_path / "videos/train/a/new.mp4").write_bytes(clip.read_bytes() + b"new")
    assert changed(after, stage(tmp_path)) == {"videos.tsv", shard_file("train/a/new.mp4")}


def test_fewer_shards_leave_none_of_the_old_ones(clip, tmp_path):
    (tmp_path / "videos/train/a").mkdir(parents=True)
    shutil.copy(clip, tmp_path / "videos/train/a/1.mp4")
    assert len(stage(tmp_path, shards=3)) == 5
    assert list(stage(tmp_path, shards=1)) == ["shard-000.tsv", "test-000.tsv", "videos.tsv"]


def changed(before: dict[str, bytes], after: dict[str, bytes]) -> set[str]:
    return {name for name in before if before[name] != after[name]}


def shard_file(video: str) -> str:
    return f"shard-{shard_of(video, 4):03d}.tsv"


def test_the_same_bytes_twice_count_once_and_bad_files_do_not_stop_the_others(clip, tmp_path):
    folder = tmp_path / "videos/train/a"
    folder.mkdir(parents=True)
    shutil.copy(clip, folder / "1.mp4")
    shutil.copy(clip, folder / "2.mp4")
    middle = len(clip.read_bytes()) // 2
    (folder / "3.mp4").write_bytes(clip.read_bytes() + b"\0")
    (folder / "4.mp4").symlink_to("nowhere")
    (folder / "5.mp4").write_bytes(clip.read_bytes()[:middle])
    stage(tmp_path)
    statuses = {v.path.name: (v.status, v.reason) for v in read_videos(tmp_path / "o/videos.tsv")}
    assert [status for status, _ in statuses.values()] == [
        "ok",
        "duplicate",
        "ok",
        "missing",
        "truncated",
    ]
    assert statuses["2.mp4"][1] == "the same bytes as train/a/1.mp4"
