"""Whole runs on folders with damaged files and odd names."""

import re
import shutil

import ffmpeg
import pytest
from workflow_runs import (
    snakemake,
    tiny_with,
)

from l2l.manifest.artifact import read_videos
from l2l.media.ffmpeg import ffmpeg_program

pytestmark = pytest.mark.workflow


# a folder's name, and so a class's; with a file's after it a whole element
HOSTILE = "c;d<script>alert(1)<"


@pytest.fixture(scope="module")
def damaged(tiny_run, tmp_path_factory):
    """A folder of videos as people have them.

    Some good, some broken, some soundless, with odd names.
    """
    folder = tmp_path_factory.mktemp("damaged")
    good = sorted((tiny_run / "results/tiny/videos/untrimmed").glob("*/*/*.mp4"))
    for split, chosen in (("train", good[:4]), ("val", good[4:6]), ("test", good[6:9])):
        for i, file in enumerate(chosen):
            place = folder / "videos" / split / ("a b" if i % 2 else HOSTILE)
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy(
                file,
                place
                / (
                    f"it's $(odd) %03d {i}.mp4"
                    if i
                    else 'script>"><img src=x onerror=alert(2)>.mp4'
                ),
            )
    test = folder / "videos/test/a b"
    whole = good[9].read_bytes()
    (test / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    (test / "empty.mp4").write_bytes(b"")
    (test / "page.mp4").write_text("<html>not found</html>")
    (test / "gone.mp4").symlink_to(folder / "nowhere.mp4")
    silent = ffmpeg.input(str(good[10])).output(
        str(test / "-soundless.mp4"), an=None, vcodec="copy"
    )
    ffmpeg.run(silent, cmd=str(ffmpeg_program()), quiet=True)
    return folder


def config_of(folder, path, run, max_bad_fraction):
    """A configuration that distils from the folder's videos and skims the same."""
    videos = {
        "found": {
            "adapter": "folder",
            "role": "both",
            "folder": str(folder / "videos"),
            "shards": 1,
        }
    }
    report = {"title": "</title></script><script>alert(3)</script>"}
    return tiny_with(
        path,
        videos,
        run,
        manifest={"max_bad_fraction": max_bad_fraction},
        evaluation={"variants": []},
        report=report,
    )


def test_broken_files_never_stop_the_others_and_are_in_the_table_and_the_report(damaged, tmp_path):
    config = config_of(damaged, tmp_path / "c.yaml", "damaged", 0.5)
    finished = snakemake(tmp_path, configfile=config)
    assert finished.returncode == 0, finished.stderr[-3000:]
    states = {
        v.video: (v.status, v.reason)
        for v in read_videos(tmp_path / "results/damaged/media/found/videos.tsv")
    }
    assert {video: status for video, (status, _) in states.items() if status != "ok"} == {
        "test/a b/cut.mp4": "truncated",
        "test/a b/empty.mp4": "corrupt",
        "test/a b/page.mp4": "corrupt",
        "test/a b/gone.mp4": "missing",
        "test/a b/-soundless.mp4": "no_audio",
    }
    assert all(reason for status, reason in states.values() if status != "ok")
    page = (tmp_path / "results/damaged/report.html").read_text()
    assert "test/a b/cut.mp4" in page
    assert "c;d&lt;script&gt;alert(1)&lt;" in page
    assert "<script" not in page
    assert "<img src=x" not in page
    # nor of Snakemake's own report, which embeds what a rule names: it escapes nothing
    result = snakemake(tmp_path, "--report", str(tmp_path / "snakemake.html"), configfile=config)
    assert result.returncode == 0, result.stderr[-3000:]
    page = (tmp_path / "snakemake.html").read_text()
    assert "write_report" in page
    assert not re.search(r"<[^<>]*(>alert\([123]|onerror=alert)", page)


def test_too_many_broken_files_stop_the_run_with_a_line_that_says_so(damaged, tmp_path):
    stopped = snakemake(tmp_path, configfile=config_of(damaged, tmp_path / "c.yaml", "strict", 0.1))
    assert stopped.returncode != 0
    log = (tmp_path / "logs/strict/list_videos/found.log").read_text()
    assert "more than manifest.max_bad_fraction 0.1" in log
    assert "empty.mp4" in log
