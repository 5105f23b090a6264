"""Files that mean harm or are merely strange: each ends in a clear state, told as `check` and the pipeline tell it."""

import os
import shutil
import socket
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from media_files import WHOLE, listed, make_video, run

from l2l.check import examine
from l2l.config import FolderDataset, Manifest
from l2l.manifest.artifact import USABLE, read_videos, write_videos
from l2l.manifest.examine import mark_duplicates
from l2l.manifest.stage import list_videos
from l2l.media.artifact import read_media
from l2l.media.decode import decode
from l2l.media.ffmpeg import ffmpeg_program
from l2l.media.stage import decode_videos

NFC, NFD = "é.mp4", "e\u0301.mp4"


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    """Two seconds of pictures and sound, the index at the end."""
    return make_video(tmp_path_factory.mktemp("clip") / "clip.mp4")


def sparse(path: Path, head: bytes) -> Path:
    """A file of 64 GB, all hole but its head."""
    with open(path, "wb") as file:
        file.write(head)
        file.truncate(64 << 30)
    return path


def states(*paths: Path) -> list[str]:
    found = list(examine(paths))
    assert all(each.reason and "\n" not in each.reason for each in found if each.state != "ok")
    return [each.state for each in found]


def test_what_is_no_file_is_refused_without_being_opened(clip, tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "endless.mp4").symlink_to("/dev/zero")
    (tmp_path / "folder.mp4").mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s.mp4"))
        names = ["pipe.mp4", "endless.mp4", "folder.mp4", "s.mp4"]
        assert states(*(tmp_path / name for name in names)) == ["refused"] * 4


def test_huge_holes_cost_no_time(clip, tmp_path):
    empty, tail = sparse(tmp_path / "a.mp4", b""), sparse(tmp_path / "b.mp4", clip.read_bytes())
    headless = sparse(tmp_path / "c.mp4", clip.read_bytes()[:1000])
    found = states(empty, tail, headless)
    assert found[0] in ("corrupt", "refused", "truncated")
    assert found[2] in ("corrupt", "refused", "truncated")
    assert found[1] in (*USABLE, "corrupt", "refused")


def test_a_small_file_of_enormous_pictures_is_refused_by_its_limits(tmp_path):
    bomb = tmp_path / "bomb.avi"
    run("-f", "lavfi", "-i", "color=s=8000x8000:d=0.1:r=10", "-c:v", "png", "-pred", "none", bomb)
    assert bomb.stat().st_size < 5_000_000
    (found,) = examine([bomb])
    assert (found.state, found.frames) in (("too_short", 3), ("refused", 0), ("corrupt", 0))


def test_a_hundred_streams_are_looked_through(clip, tmp_path):
    many = ["-map", "0:a", "-c", "copy"] + ["-map", "0:a"] * 99 + ["-map", "0:v"]
    run("-i", clip, *many, tmp_path / "many.mkv")
    (found,) = examine([tmp_path / "many.mkv"])
    assert (found.state, found.video_stream, found.audio_stream) == ("ok", 100, 0)


def test_a_file_that_grows_after_it_was_listed_is_refused(clip, tmp_path):
    growing = tmp_path / "growing.mp4"
    shutil.copy(clip, growing)
    row = listed(growing)
    write_videos(tmp_path / "shard.tsv", [row])
    with open(growing, "ab") as file:
        file.write(bytes(1000))
    decode_videos(tmp_path / "shard.tsv", tmp_path / "a.h5", WHOLE, "target")
    with read_media(tmp_path / "a.h5") as media:
        assert media.states["v"] == ("refused", "it changed since it was listed, or while it was read")
    again = listed(growing)
    streams = again.video_stream, again.audio_stream
    assert decode(growing, WHOLE, *streams, again.duration_seconds, "moments", again.fingerprint).status == "ok"


def test_a_file_that_vanishes_between_listing_and_comparing_stops_nothing(clip, tmp_path):
    row = listed(clip)
    rows = [replace(row, video=name, path=tmp_path / f"{name}.mp4") for name in ("a", "b")]
    assert [video.status for video in mark_duplicates(rows)] == ["ok", "ok"]
    assert states(tmp_path / "a.mp4") == ["missing"]


def test_names_that_differ_by_case_or_by_normalisation_alone_are_different_videos(clip, tmp_path):
    folder = tmp_path / "videos/test/a"
    folder.mkdir(parents=True)
    names = [NFC, NFD, "A.mp4", "a.mp4", "a.MP4"]
    for number, name in enumerate(names):
        (folder / name).write_bytes(clip.read_bytes() + bytes([number]))
    if len(os.listdir(folder)) < len(names):
        pytest.skip("this file system takes such names for one")
    dataset = FolderDataset(adapter="folder", role="both", shards=1, folder=tmp_path / "videos")
    list_videos(tmp_path / "o/videos.tsv", tmp_path / "o", dataset, Manifest(), seed=0)
    rows = read_videos(tmp_path / "o/videos.tsv")
    assert {row.video for row in rows} == {f"test/a/{name}" for name in names}
    assert {row.status for row in rows} == {"ok"}
    assert not (tmp_path / "o/videos.unmatched.tsv").exists()


def test_a_folder_of_many_files_is_walked_and_listed(tmp_path):
    folder = tmp_path / "videos/test/a"
    folder.mkdir(parents=True)
    for number in range(500):
        (folder / f"{number}.mp4").touch()
    dataset = FolderDataset(adapter="folder", role="both", shards=3, folder=tmp_path / "videos")
    list_videos(tmp_path / "o/videos.tsv", tmp_path / "o", dataset, Manifest(max_bad_fraction=1), seed=0)
    rows = read_videos(tmp_path / "o/videos.tsv")
    assert len(rows) == 500
    assert {(row.status, row.reason) for row in rows} == {("corrupt", "the file is empty")}


def test_ffmpeg_of_ours_opens_no_list_even_where_it_is_told_to(clip, tmp_path):
    """The program by itself would: what holds it back is our whitelist."""
    (tmp_path / "list.mp4").write_text(f"ffconcat version 1.0\nfile {clip.name}\n")
    shutil.copy(clip, tmp_path / clip.name)
    alone = subprocess.run([ffmpeg_program(), "-i", tmp_path / "list.mp4", "-f", "null", "-"], capture_output=True, check=False)
    assert alone.returncode == 0
    assert states(tmp_path / "list.mp4") == ["refused"]
