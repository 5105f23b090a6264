"""Hostile and strange files: each has a clear status, in `check` as in a run."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from media_files import WHOLE, listed, run
from workflow_runs import snakemake, tiny_with

from l2l.__main__ import main
from l2l.apply.artifact import Prediction
from l2l.config import ManifestConfig
from l2l.datasets import FolderDataset
from l2l.manifest.artifact import USABLE, read_videos, write_videos
from l2l.manifest.examine import mark_duplicates
from l2l.manifest.files import walk_files
from l2l.manifest.stage import list_videos
from l2l.media.artifact import read_media
from l2l.media.decode import decode
from l2l.media.ffmpeg import ffmpeg_program
from l2l.media.stage import decode_videos
from l2l.stores import read_table
from l2l.tools.check import examine
from l2l.tools.predict import _line

NFC, NFD = "é.mp4", "e\u0301.mp4"


def sparse(path: Path, head: bytes) -> Path:
    """A file of 64 GB, all hole but its head."""
    with open(path, "wb") as file:
        file.write(head)
        file.truncate(64 << 30)
    return path


def statuses(*paths: Path) -> list[str]:
    findings = list(examine(paths))
    assert all(each.reason and "\n" not in each.reason for each in findings if each.status != "ok")
    return [each.status for each in findings]


def test_what_is_not_a_regular_file_is_refused_without_being_opened(clip, tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "endless.mp4").symlink_to("/dev/zero")
    (tmp_path / "folder.mp4").mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s.mp4"))
        names = ["pipe.mp4", "endless.mp4", "folder.mp4", "s.mp4"]
        assert statuses(*(tmp_path / name for name in names)) == ["refused"] * 4


def test_huge_holes_cost_no_time(clip, tmp_path):
    empty, tail = sparse(tmp_path / "a.mp4", b""), sparse(tmp_path / "b.mp4", clip.read_bytes())
    headless = sparse(tmp_path / "c.mp4", clip.read_bytes()[:1000])
    of_empty, of_tail, of_headless = statuses(empty, tail, headless)
    assert of_empty in ("corrupt", "refused", "truncated")
    assert of_headless in ("corrupt", "refused", "truncated")
    assert of_tail in (*USABLE, "corrupt", "refused")


def test_a_small_file_of_enormous_pictures_is_refused_by_its_limits(tmp_path):
    bomb = tmp_path / "bomb.avi"
    run("-f", "lavfi", "-i", "color=s=8000x8000:d=0.1:r=10", "-c:v", "png", "-pred", "none", bomb)
    assert bomb.stat().st_size < 5_000_000
    (finding,) = examine([bomb])
    assert (finding.status, finding.frames) in (("too_short", 3), ("refused", 0), ("corrupt", 0))


def test_of_a_hundred_streams_the_right_ones_are_chosen(clip, tmp_path):
    many = ["-map", "0:a", "-c", "copy"] + ["-map", "0:a"] * 99 + ["-map", "0:v"]
    run("-i", clip, *many, tmp_path / "many.mkv")
    (finding,) = examine([tmp_path / "many.mkv"])
    assert (finding.status, finding.video_stream, finding.audio_stream) == ("ok", 100, 0)


def with_streams(clip: Path, path: Path, count: int) -> Path:
    """The clip's sound again and again, until there are so many streams.

    Its `trak` box copied under other numbers.
    """
    content = clip.read_bytes()
    boxes = dict(_boxes(content))
    start, end = boxes[b"moov"]
    assert end == len(content), "the index has to be last: nothing may move"
    (sound,) = (
        content[a:b]
        for kind, (a, b) in _boxes(content, start + 8)
        if kind == b"trak" and b"soun" in content[a:b]
    )
    at = sound.index(b"tkhd") + 16
    copies = (sound[:at] + (100 + i).to_bytes(4, "big") + sound[at + 4 :] for i in range(count - 2))
    index = content[start + 8 :] + b"".join(copies)
    path.write_bytes(content[:start] + (len(index) + 8).to_bytes(4, "big") + b"moov" + index)
    return path


def _boxes(content: bytes, at: int = 0) -> Iterator[tuple[bytes, tuple[int, int]]]:
    while at < len(content):
        size = int.from_bytes(content[at : at + 4], "big")
        yield content[at + 4 : at + 8], (at, at + size)
        at += size


def test_two_hundred_streams_are_opened_and_ten_thousand_are_too_many(clip, tmp_path):
    few, many = (with_streams(clip, tmp_path / f"{count}.mp4", count) for count in (200, 10_000))
    (finding,) = examine([few])
    assert (finding.status, finding.video_stream) == ("ok", 0)
    began = time.process_time()
    assert statuses(many) == ["corrupt"]
    assert time.process_time() - began < 20


def test_folders_deeper_than_a_path_may_be_are_walked_as_far_as_possible_with_a_line(
    clip, tmp_path, capsys
):
    deep = tmp_path / "deep"
    deep.mkdir()
    at = os.open(deep, os.O_RDONLY)
    # 5200 characters; Python's own walk ends at 1000 folders, a path at 4096 characters
    for level in range(1300):
        if level in (500, 990, 1299):
            shutil.copyfile(clip, f"/dev/fd/{at}/{level}.mp4")
        os.mkdir("nnn", dir_fd=at)
        below = os.open("nnn", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.close(at)
    assert main(["check", str(deep), "--tsv", str(tmp_path / "out.tsv")]) == 1
    rows = read_table(tmp_path / "out.tsv", ("file", "status"))
    assert {Path(row["file"]).name: row["status"] for row in rows} == {
        "990.mp4": "duplicate",
        "500.mp4": "ok",
    }
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("nnn: cannot be read (File name too long), so it is left out")
    assert len(line) < 500
    subprocess.run(["rm", "-r", str(deep)], check=True)  # pytest's own way gives up


def test_names_as_long_as_the_file_system_has_them(clip, tmp_path):
    names = ["x" * 251 + ".mp4", "é" * 125 + "x.mp4", '<"' * 125 + "x.mp4"]
    for number, name in enumerate(names):
        (tmp_path / name).write_bytes(clip.read_bytes() + bytes([number]))
    assert statuses(*(tmp_path / name for name in names)) == ["ok"] * 3
    assert statuses(tmp_path / ("x" * 300 + ".mp4")) == ["refused"]  # there cannot be such a file


def test_a_folder_that_may_not_be_read_is_named(clip, tmp_path, capsys, monkeypatch):
    (tmp_path / "closed").mkdir()
    shutil.copy(clip, tmp_path / "open.mp4")
    scan = os.scandir

    def refuse(path: str) -> object:  # as the system does, but not to root
        if path.endswith("closed"):
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert [path.name for path in walk_files(tmp_path)] == ["open.mp4"]
    assert "closed: cannot be read (Permission denied)" in capsys.readouterr().err


def test_a_file_that_grows_after_it_was_listed_is_refused(clip, tmp_path):
    growing = tmp_path / "growing.mp4"
    shutil.copy(clip, growing)
    row = listed(growing)
    write_videos(tmp_path / "shard.tsv", [row])
    with open(growing, "ab") as file:
        file.write(bytes(1000))
    decode_videos(tmp_path / "shard.tsv", tmp_path / "a.h5", WHOLE, "target")
    with read_media(tmp_path / "a.h5") as media:
        assert media.statuses["v"] == (
            "refused",
            "it changed since it was listed, or while it was read",
        )
    assert decode(listed(growing).source, WHOLE, "moments").status == "ok"


def test_a_file_that_vanishes_between_listing_and_comparing_stops_nothing(clip, tmp_path):
    row = listed(clip)
    rows = [row._replace(video=name, file=str(tmp_path / f"{name}.mp4")) for name in ("a", "b")]
    assert [video.status for video in mark_duplicates(rows)] == ["ok", "ok"]
    assert statuses(tmp_path / "a.mp4") == ["missing"]


def test_a_prediction_is_one_line_in_any_encoding_for_any_name_of_its_file():
    answer = Prediction(os.fsdecode(b"a\xff\nb.mp4"), "missing", "no such file")
    assert _line(answer, "") == "a\\udcff\\nb.mp4: missing: no such file"


def test_names_that_differ_by_case_or_by_normalisation_alone_are_different_videos(clip, tmp_path):
    folder = tmp_path / "videos/train/a"
    folder.mkdir(parents=True)
    names = [NFC, NFD, "A.mp4", "a.mp4", "a.MP4"]
    for number, name in enumerate(names):
        (folder / name).write_bytes(clip.read_bytes() + bytes([number]))
    if len(os.listdir(folder)) < len(names):
        pytest.skip("this file system takes such names for one")
    dataset = FolderDataset(adapter="folder", role="source", shards=1, folder=tmp_path / "videos")
    list_videos(tmp_path / "o/videos.tsv", tmp_path / "o", dataset, ManifestConfig(), seed=0)
    rows = read_videos(tmp_path / "o/videos.tsv")
    assert {row.video for row in rows} == {f"train/a/{name}" for name in names}
    assert {row.status for row in rows} == {"ok"}
    assert not (tmp_path / "o/videos.unmatched.tsv").exists()


def test_a_folder_of_many_files_is_walked_and_listed(tmp_path):
    folder = tmp_path / "videos/train/a"
    folder.mkdir(parents=True)
    for number in range(500):
        (folder / f"{number}.mp4").touch()
    dataset = FolderDataset(adapter="folder", role="source", shards=3, folder=tmp_path / "videos")
    list_videos(
        tmp_path / "o/videos.tsv",
        tmp_path / "o",
        dataset,
        ManifestConfig(max_bad_fraction=1),
        seed=0,
    )
    rows = read_videos(tmp_path / "o/videos.tsv")
    assert len(rows) == 500
    assert {(row.status, row.reason) for row in rows} == {("corrupt", "the file is empty")}


@pytest.mark.workflow
def test_nothing_that_a_configuration_names_becomes_markup_in_snakemakes_own_report(clip, tmp_path):
    """It embeds what rules name in its scripts, as it is.

    Everything else it needs comes with Snakemake, from no network.
    """
    listing = tmp_path / "<" / "script><img src=x onerror=alert(1)>" / "groups.tsv"
    listing.parent.mkdir(parents=True)
    table = "file\tgroup\n"
    for split, label in product(("train", "test"), "ab"):
        video = tmp_path / f"videos/{split}/{label}/{split}.mp4"
        video.parent.mkdir(parents=True)
        shutil.copy(clip, video)
        table += f"{video}\t{split}\n"
    listing.write_text(table, encoding="utf-8")
    videos = {"adapter": "folder", "role": "both", "folder": str(tmp_path / "videos"), "shards": 1}
    videos["groups"] = {"table": str(listing), "file_column": "file", "group_column": "group"}
    config = tiny_with(
        tmp_path / "c.yaml", {"all": videos}, "report", manifest={"max_bad_fraction": 1}
    )
    target = "results/report/manifest/all/videos.tsv"
    made = snakemake(tmp_path, target, configfile=config)
    assert made.returncode == 0, made.stderr[-3000:]
    reported = snakemake(
        tmp_path, target, "--report", str(tmp_path / "page.html"), configfile=config
    )
    assert reported.returncode == 0, reported.stderr[-3000:]
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "list_videos" in page
    assert "onerror=alert" not in page
    listing.unlink()
    assert str(listing) in snakemake(tmp_path, target, "--dry-run", configfile=config).stdout


def test_a_playlist_is_not_opened_though_ffmpeg_itself_would(clip, tmp_path):
    """The program by itself would: what holds it back is our whitelist."""
    (tmp_path / "list.mp4").write_text(f"ffconcat version 1.0\nfile {clip.name}\n")
    shutil.copy(clip, tmp_path / clip.name)
    alone = subprocess.run(
        [ffmpeg_program(), "-i", tmp_path / "list.mp4", "-f", "null", "-"],
        capture_output=True,
        check=False,
    )
    assert alone.returncode == 0
    assert statuses(tmp_path / "list.mp4") == ["refused"]
