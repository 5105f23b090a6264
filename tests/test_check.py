"""`l2l check`: what it says about files is what a run makes of them."""

import os
import re
import shutil
from pathlib import Path

import pytest
from media_files import make_video

from l2l.__main__ import main
from l2l.config import ManifestConfig, MediaConfig
from l2l.datasets import FolderDataset
from l2l.manifest.artifact import STATUSES, USABLE
from l2l.manifest.stage import list_videos
from l2l.media.artifact import read_media
from l2l.media.ffmpeg import ffmpeg_program
from l2l.media.stage import decode_videos
from l2l.stores import read_table

COLUMNS = (
    "file",
    "status",
    "reason",
    "frames",
    "duration_seconds",
    "sound_seconds",
    "video_stream",
    "audio_stream",
)
ARE_USABLE = rf": ({'|'.join(USABLE)})(;|$)"  # lines
ODD_NAMES = (
    "a b.mp4",
    "-dash.mp4",
    "%03d.mp4",
    "$(id);'\".mp4",
    "c:d.mp4",
    "new\nline.mp4",
    "\udcff\x1b[31m.mp4",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Files of every status."""
    folder = tmp_path_factory.mktemp("check") / "videos" / "class"
    folder.mkdir(parents=True)
    good = make_video(folder / "good.mp4", seconds=2)
    make_video(folder / "deaf.mp4", sound=None)
    make_video(folder / "mute.mp4", sound="0", seconds=1.5)
    make_video(folder / "brief.mp4", seconds=0.2)
    whole = good.read_bytes()
    (folder / "half.mp4").write_bytes(whole[: len(whole) // 2])
    (folder / "same.mp4").write_bytes(whole)
    (folder / "empty.mp4").touch()
    (folder / "list.mp4").write_text(f"#EXTM3U\n#EXTINF:2,\n{good}\n#EXT-X-ENDLIST\n")
    (folder / "page.mp4").write_text("<html>")
    (folder / "dangles.mp4").symlink_to("nowhere.mp4")
    (folder / "loops.mp4").symlink_to("loops.mp4")
    (folder / "notes.txt").write_text("not a video")
    return folder


def checked(tmp_path: Path, *paths: Path) -> tuple[int, dict[str, dict[str, str]]]:
    status = main(["check", *map(str, paths), "--tsv", str(tmp_path / "out" / "check.tsv")])
    return status, {
        Path(row["file"]).name: row for row in read_table(tmp_path / "out" / "check.tsv", COLUMNS)
    }


def test_it_says_what_a_run_makes_of_the_files(folder, tmp_path, capsys):
    status, rows = checked(tmp_path, folder)
    assert status == 1
    printed = capsys.readouterr()
    assert printed.err == (f"{folder}/notes.txt: not the name of a video, so it is left out\n")
    summary = printed.out.splitlines()[11:]
    assert summary[0] == (
        "7 cannot be used (64%) and are left out; above 10% a run stops "
        "(manifest.max_bad_fraction):"
    )
    unusable = [line for line in printed.out.splitlines()[:11] if not re.search(ARE_USABLE, line)]
    assert summary[1:-1] == [f"  {line}" for line in unusable]
    assert summary[-1] == (
        "4 of 11 files can be used: 1 too_short, 1 no_audio, 1 ok, 1 silent; of silent and "
        "no_audio only the pictures are used"
    )
    dataset = FolderDataset(
        adapter="folder", role="source", shards=1, folder=folder.parent, test_fraction=0
    )
    list_videos(
        tmp_path / "videos.tsv",
        tmp_path / "shards",
        dataset,
        ManifestConfig(max_bad_fraction=1),
        seed=0,
    )
    decode_videos(tmp_path / "shards/shard-000.tsv", tmp_path / "media.h5", MediaConfig(), "target")
    with read_media(tmp_path / "media.h5") as media:
        expected = {Path(video).name: media.statuses[video] for video in media.statuses}
        frames = {Path(video).name: media.grid_frames(video) for video in media.statuses}
    reasons = {name: row["reason"].replace(str(folder), "class") for name, row in rows.items()}
    assert {name: (row["status"], reasons[name]) for name, row in rows.items()} == expected
    assert {name: int(row["frames"]) for name, row in rows.items()} == frames
    assert {name: row["status"] for name, row in rows.items()} == {
        "good.mp4": "ok",
        "deaf.mp4": "no_audio",
        "mute.mp4": "silent",
        "brief.mp4": "too_short",
        "half.mp4": "truncated",
        "same.mp4": "duplicate",
        "empty.mp4": "corrupt",
        "list.mp4": rows["list.mp4"][
            "status"
        ],  # which state that is, the tests of the manifest say
        "page.mp4": rows["page.mp4"]["status"],
        "dangles.mp4": "missing",
        "loops.mp4": rows["loops.mp4"]["status"],
    }
    assert not {rows[name]["status"] for name in ("list.mp4", "page.mp4", "loops.mp4")} & set(
        USABLE
    )


def test_lengths_and_streams_are_shown(folder, tmp_path, capsys):
    status, rows = checked(tmp_path, folder / "good.mp4", folder / "deaf.mp4", folder / "half.mp4")
    good, deaf, half = (rows[name] for name in ("good.mp4", "deaf.mp4", "half.mp4"))
    assert (
        good["frames"],
        good["duration_seconds"],
        good["video_stream"],
        good["audio_stream"],
    ) == ("60", "2.0", "0", "1")
    assert 1.9 < float(good["sound_seconds"]) <= 2.0
    assert (deaf["sound_seconds"], deaf["audio_stream"]) == ("0.0", "-1")
    assert (half["frames"], half["sound_seconds"]) == ("0", "0.0")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{folder / 'good.mp4'}: ok; 60 frames, 2 s of stream 0, ")
    assert lines[-1] == (
        "2 of 3 files can be used: 1 ok, 1 no_audio; of no_audio only the pictures are used"
    )
    assert status == 1


def test_the_exit_status_says_whether_all_can_be_used(folder, tmp_path, capsys):
    assert main(["check", str(folder / "good.mp4"), str(folder / "deaf.mp4")]) == 0
    assert main(["check", str(folder / "good.mp4"), str(tmp_path / "nowhere.mp4")]) == 1
    assert "nowhere.mp4: missing: no such file" in capsys.readouterr().out
    for wrong in ([], ["--tsv", "x.tsv"], [str(folder), "--tvs", "x"]):
        with pytest.raises(SystemExit) as ended:
            main(["check", *wrong])
        assert ended.value.code == 2


def test_no_file_but_a_table_of_an_earlier_check_is_replaced(folder, tmp_path, capsys):
    film = shutil.copy(folder / "good.mp4", tmp_path / "film.mp4")
    content = film.read_bytes()
    for destination in (film, film / "x.tsv"):
        assert main(["check", str(film), "--tsv", str(destination)]) == 1
        assert capsys.readouterr().out == "", "before the first file is looked at"
    assert film.read_bytes() == content
    for _ in range(2):
        assert checked(tmp_path, film)[0] == 0


def test_a_file_that_is_given_several_times_is_checked_once(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(folder)
    (tmp_path / "link").symlink_to(folder)
    again = ["good.mp4", "./good.mp4", "../class/good.mp4", str(tmp_path / "link/good.mp4")]
    assert main(["check", *again]) == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines()[-1] == "1 of 1 files can be used: 1 ok"
    assert shown.out.startswith("good.mp4: ok")
    assert shown.err == "3 files are given again and taken once\n"


def test_a_file_that_is_given_itself_is_checked_under_any_name(folder, tmp_path):
    shutil.copy(folder / "good.mp4", tmp_path / "film")
    status, rows = checked(tmp_path, tmp_path / "film")
    assert (status, rows["film"]["status"]) == (0, "ok")


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_are_shown_on_one_line(folder, tmp_path, name, capsys, monkeypatch):
    shutil.copy(folder / "good.mp4", tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert main(["check", f"./{name}", "--tsv", "out.tsv"]) == 0
    assert [(row["file"], row["status"]) for row in read_table(Path("out.tsv"), COLUMNS)] == [
        (name, "ok")
    ]
    (line, last) = capsys.readouterr().out.splitlines()
    assert line.isprintable()
    assert last == "1 of 1 files can be used: 1 ok"


def test_a_folder_without_videos_is_refused(tmp_path, capsys):
    assert main(["check", str(tmp_path)]) == 1
    assert "no file with the name of a video" in capsys.readouterr().err


def test_a_table_that_cannot_be_written_is_one_line(folder, tmp_path, capsys):
    (tmp_path / "file").touch()
    assert (
        main(["check", str(folder / "good.mp4"), "--tsv", str(tmp_path / "file" / "out.tsv")]) == 1
    )
    (line,) = capsys.readouterr().err.splitlines()
    assert "out.tsv: cannot be written" in line


def test_an_ffmpeg_that_does_not_work_is_named_before_anything_is_said_about_a_file(
    folder, tmp_path, capsys, monkeypatch
):
    (tmp_path / "ffmpeg").write_text("#!/bin/sh\nexit 127\n")
    (tmp_path / "ffmpeg").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    ffmpeg_program.cache_clear()
    try:
        assert main(["check", str(folder / "good.mp4")]) == 1
    finally:
        ffmpeg_program.cache_clear()
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    assert str(tmp_path / "ffmpeg") in line


@pytest.mark.slow
def test_every_odd_file_has_a_status(odd, tmp_path):
    few = [
        path
        for path in sorted(odd.iterdir())
        if path.suffix != ".tsv" and path.stat().st_size < 1 << 20
    ]
    _, rows = checked(tmp_path, *few)
    assert rows.keys() == {path.name for path in few}
    assert {row["status"] for row in rows.values()} <= set(STATUSES)
    assert all(row["reason"] for row in rows.values() if row["status"] not in ("ok",))
