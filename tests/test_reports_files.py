"""Files after public reports, each with what must become of it: `EXPECT.tsv` of their folder."""

import os
import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
import yaml
from media_files import WHOLE, decoded, listed, make_video, numbers
from pydantic import TypeAdapter

from l2l.datasets import AnyDataset
from l2l.manifest.artifact import USABLE, write_videos
from l2l.manifest.listing import list_dataset
from l2l.manifest.probe import probe_file
from l2l.tools.check import examine

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def reports() -> Path:
    """The folder of small inputs after public reports; `L2L_REPORTS` names it."""
    default = ROOT / ".." / "shared" / "reports"
    folder = Path(os.environ.get("L2L_REPORTS", default)).resolve()
    if not folder.is_dir():
        pytest.skip(f"needs the inputs in {folder}; set L2L_REPORTS to the folder that holds them")
    return folder


def l2l(*arguments: str | Path, cwd: Path, prefix: str = "", **variables: str):
    """Run a verb in a separate process, after a line of shell."""
    command = f'{prefix} exec "{sys.executable}" -P -m l2l "$@"'
    return subprocess.run(
        ["bash", "-c", command, "bash", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_the_enabled_track_is_read(reports):
    path = reports / "s10_disabled_track_first.mov"
    assert probe_file(path).video_stream == 1
    pictures = decoded(path)
    assert pictures.status in USABLE
    assert numbers(pictures.frame(0)[None])[0] == 0


@pytest.mark.parametrize(
    ("name", "contents"),
    [("n01_jpeg.mp4", "JPEG"), ("n03_gzip.mp4", "gzip"), ("n06_lfs_pointer.mp4", "Git LFS")],
)
def test_other_contents_under_a_videos_name_are_named(reports, name, contents):
    (finding,) = examine([reports / name])
    assert not finding.usable
    assert contents in finding.reason


def test_a_composed_name_in_a_list_finds_a_decomposed_name_on_disk(reports, monkeypatch):
    folder = reports / "d07_nfc_list_nfd_disk"
    monkeypatch.chdir(folder)
    section = yaml.safe_load((folder / "section.yaml").read_text(encoding="utf-8"))
    dataset = TypeAdapter(AnyDataset).validate_python(section["videos"]["mine"])
    videos = list_dataset(dataset, seed=0)
    assert {video.status for video in videos} == {"ok"}
    assert {unicodedata.normalize("NFC", Path(video.file).stem) for video in videos} == {
        "café",
        "x",
        "3",
    }
    assert all(Path(video.file).is_file() for video in videos)


def test_half_a_download_of_a_wmv_is_truncated(reports):
    (finding,) = examine([reports / "t27_cut_wmv.wmv"])
    assert finding.status == "truncated"


def test_a_table_is_never_written_onto_what_is_no_plain_file(tmp_path):
    video = make_video(tmp_path / "v.mp4", seconds=0.5)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "target.tsv").write_text("keep")
    (tmp_path / "link.tsv").symlink_to("target.tsv")
    (tmp_path / "folder").mkdir()
    names = ["pipe", "link.tsv", "folder"]
    if os.geteuid() == 0:  # never the machine's own /dev/null
        try:
            os.mknod(tmp_path / "null", 0o666 | 0o020000, os.makedev(1, 3))
            names.append("null")
        except PermissionError:
            pass
    before = {name: (tmp_path / name).lstat() for name in names}
    for name in names:
        done = l2l("check", video, "--tsv", name, cwd=tmp_path)
        assert done.returncode == 1
        (line,) = done.stderr.splitlines()
        assert name in line
        after = (tmp_path / name).lstat()
        assert (after.st_mode, after.st_ino) == (before[name].st_mode, before[name].st_ino)
    assert (tmp_path / "target.tsv").read_text() == "keep"


def test_a_file_that_may_not_grow_so_large_is_a_failure_of_one_line(tmp_path):
    video = make_video(tmp_path / "v.mp4", seconds=4)
    rows = [listed(video)._replace(video=str(number)) for number in range(20)]
    write_videos(tmp_path / "shard.tsv", rows)
    config = WHOLE.model_dump_json()
    paths = ("--manifest", tmp_path / "shard.tsv", "--media", "out.h5")
    options = ("--config", config, "--role", "both")
    done = l2l("decode_videos", *paths, *options, cwd=tmp_path, prefix="ulimit -f 200;")
    assert done.returncode == 1
    assert "out.h5: cannot be written (File too large)" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("*out.h5*"))


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_name_that_the_output_cannot_hold_is_escaped_and_all_files_are_checked(
    tmp_path, encoding
):
    (tmp_path / "日本").mkdir()
    video = make_video(tmp_path / "日本/0.mp4", seconds=0.5)
    shutil.copy(video, tmp_path / "日本/1.mp4")
    done = l2l("check", "日本", cwd=tmp_path, PYTHONIOENCODING=encoding)
    assert [line.split(";")[0] for line in done.stdout.splitlines()[:2]] == [
        "\\u65e5\\u672c/0.mp4: too_short",
        "\\u65e5\\u672c/1.mp4: duplicate: the same bytes as \\u65e5\\u672c/0.mp4",
    ]
    assert done.returncode == 1


@pytest.mark.parametrize("variable", ["HOME", "TMPDIR"])
def test_folders_of_the_user_that_cannot_be_written_to_do_not_matter(tmp_path, variable):
    video = make_video(tmp_path / "v.mp4", seconds=2)
    done = l2l("check", video, cwd=tmp_path, **{variable: "/proc/self/nowhere"})
    assert (done.returncode, done.stderr) == (0, "")
