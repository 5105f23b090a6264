"""Trouble of the machine is a failed job, never the status of a video.

Each test runs a child, since its limits and its environment are those of a whole process.
"""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from media_files import WHOLE, listed, make_video, run

from l2l.errors import BadInput, MachineError
from l2l.jobs.machine import clean_environment, describe_shortage
from l2l.manifest.artifact import write_videos
from l2l.manifest.source import Source
from l2l.media import by_ffmpeg
from l2l.media import ffmpeg as runner
from l2l.media.decode import decode
from l2l.media.ffmpeg import check_ffmpeg, ffmpeg_program
from l2l.media.stage import decode_videos

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="limits of a child need Linux")

# Decodes a file under limits and prints its status, or the name of the error.
CHILD = """
import json, resource, sys
from pathlib import Path
from l2l.config import MediaConfig
from l2l.errors import BadInput
from l2l.manifest.source import Source
from l2l.media.decode import decode
from l2l.media.ffmpeg import ffmpeg_program
path, video, audio, seconds, limits = json.loads(sys.argv[1])
ffmpeg_program()
for name, value in limits.items():
    resource.setrlimit(getattr(resource, name), (value, value))
media = MediaConfig(resize_pixels=(64, 64), frame_pixels=64)
try:
    decoded = decode(Source(Path(path), video, audio, "", seconds), media, "moments", 90)
    print(json.dumps([decoded.status, decoded.reason]))
except BadInput as error:
    print(json.dumps([type(error).__name__, str(error)]))
"""


def decode_under(path: Path, **limits: int) -> tuple[str, str]:
    """Status and reason of a file decoded under limits, or the name and message of the error."""
    row = listed(path)
    given = [str(path), row.video_stream, row.audio_stream, row.duration_seconds, limits]
    ended = subprocess.run(
        [sys.executable, "-c", CHILD, json.dumps(given)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.stdout, ended.stderr
    first, second = json.loads(ended.stdout)
    return first, second


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> Path:
    return make_video(tmp_path_factory.mktemp("machine") / "v.mp4", seconds=3)


# ---- limits of the machine -----------------------------------------------------------------------


@LINUX
@pytest.mark.parametrize("megabytes", [900, 1100, 1400])
def test_little_address_space_gives_the_right_status_or_a_failed_job(video, megabytes):
    status, reason = decode_under(video, RLIMIT_AS=megabytes << 20)
    assert status in ("ok", "MachineError"), reason
    if status == "MachineError":
        assert "v.mp4" in reason


@LINUX
def test_an_ffmpeg_that_can_start_no_thread_fails_the_job(video, tmp_path, monkeypatch):
    """Stacks larger than the address space: pthread_create fails as with too few processes."""
    starved = tmp_path / "starved"
    starved.write_text(f'#!/bin/sh\nulimit -s 8000000\nexec {ffmpeg_program()} "$@"\n')
    starved.chmod(0o755)
    monkeypatch.setattr(runner, "ffmpeg_program", lambda: starved)
    with pytest.raises(MachineError, match=r"v\.mp4"):
        decode(listed(video).source, WHOLE, "moments")


@LINUX
def test_too_few_open_files_fail_the_job(video):
    status, reason = decode_under(video, RLIMIT_NOFILE=5)
    assert status == "MachineError"
    assert "Too many open files" in reason


@pytest.mark.parametrize("media", [WHOLE, WHOLE.model_copy(update={"decoder": "ffmpeg"})])
def test_a_file_that_the_machine_does_not_let_read_again_has_not_changed(video, monkeypatch, media):
    source = listed(video).source
    for number, expected in [(errno.ESTALE, None), (errno.EMFILE, None), (errno.EACCES, "refused")]:

        def fail(path, number=number):
            raise OSError(number, os.strerror(number), str(path))

        monkeypatch.setattr(by_ffmpeg, "fingerprint_of", fail)
        if expected:
            assert decode(source, media, "moments").status == expected
        else:
            with pytest.raises(MachineError, match=r"v\.mp4: reading it again"):
                decode(source, media, "moments")


@pytest.mark.parametrize(
    "line",
    [
        "[out#0/rawvideo @ 0x1] [error] pthread_create() failed: Resource temporarily unavailable",
        "[in#0 @ 0x1] [error] Error opening input: Too many open files",
        "[out#0/rawvideo @ 0x1] [error] Error writing trailer: Broken pipe",
    ],
)
def test_complaints_of_a_starved_ffmpeg_fail_the_job(line, video, tmp_path, monkeypatch):
    complaining = tmp_path / "complaining"
    complaining.write_text(f"#!/bin/sh\necho '{line}' >&2\nexit 1\n")
    complaining.chmod(0o755)
    source = listed(video).source
    monkeypatch.setattr(runner, "ffmpeg_program", lambda: complaining)
    with pytest.raises(MachineError, match=r"v\.mp4"):
        decode(source, WHOLE, "moments")


def test_a_file_that_needs_more_memory_than_its_limit_is_refused(tmp_path, monkeypatch):
    """The machine gives as much as the limit grants, so the file is at fault."""
    large = tmp_path / "large.avi"
    run("-f", "lavfi", "-i", "color=s=8000x8000:d=0.2:r=10", "-c:v", "mjpeg", "-q:v", "20", large)
    limited = runner.run_ffmpeg

    def with_little_memory(*arguments):
        return limited(*arguments, memory_limit_bytes=1 << 28)

    monkeypatch.setattr("l2l.media.by_ffmpeg.run_ffmpeg", with_little_memory)
    decoded = decode(Source(large, 0), WHOLE, "moments")
    assert decoded.status == "refused"
    assert "268 MB of memory" in decoded.reason


@LINUX
def test_a_shortage_of_memory_is_described():
    assert describe_shortage(1 << 20, 2) == ""
    assert "MB of memory" in describe_shortage(1 << 60, 2)


# ---- an ffmpeg that does not work ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "fact"),
    [
        ("#!/bin/sh\nexit 127\n", "127"),
        ("#!/bin/sh\nkill -SEGV $$\n", "SIGSEGV"),
        ("#!/bin/sh\necho 'libavcodec.so.61: cannot open' >&2; exit 1\n", "libavcodec.so.61"),
        ("#!/bin/sh\necho hello\n", "-version"),
        ("#!/bin/sh\necho ffmpeg version 9.9\n", "says nothing about its input"),
        ("no program at all", "Exec format error"),
        ("#!/no/such/shell\n", "No such file"),
    ],
)
def test_an_ffmpeg_that_does_not_work_is_named_before_the_first_video(
    script, fact, video, tmp_path, monkeypatch
):
    broken = tmp_path / "ffmpeg"
    broken.write_text(script)
    broken.chmod(0o755)
    write_videos(tmp_path / "shard.tsv", [listed(video)])
    monkeypatch.setattr(runner, "ffmpeg_program", lambda: broken)
    with pytest.raises(BadInput, match=fact) as error:
        decode_videos(tmp_path / "shard.tsv", tmp_path / "a.h5", WHOLE, "target")
    assert str(broken) in str(error.value)
    assert not (tmp_path / "a.h5").exists()


def test_a_working_ffmpeg_gives_its_version():
    assert check_ffmpeg()


# ---- the environment -----------------------------------------------------------------------------

HOSTILE = {
    "AV_LOG_FORCE_COLOR": "1",
    "AV_LOG_FORCE_NOCOLOR": "1",
    "FFREPORT": "file=report.log:level=56",
    "FFMPEG_DATADIR": "/nowhere",
    "NUMCODECS_BLOSC_NTHREADS": "7",
    "HDF5_USE_FILE_LOCKING": "FALSE",
    "HDF5_PLUGIN_PATH": "/nowhere",
    "PYTHONHASHSEED": "7",
    "PYTHONOPTIMIZE": "2",
    "PYTHONIOENCODING": "ascii",
    "LC_ALL": "C",
}


def test_the_environment_changes_no_byte_of_a_media_file(video, tmp_path):
    """A file with damaged sound, so that complaints of ffmpeg are read as well."""
    damaged = bytearray(make_video(tmp_path / "s.mkv", seconds=3).read_bytes())
    damaged[len(damaged) // 2 : len(damaged) // 2 + 40] = bytes(40)
    (tmp_path / "damaged.mkv").write_bytes(damaged)
    rows = [listed(video, "a"), listed(tmp_path / "damaged.mkv", "b")]
    write_videos(tmp_path / "shard.tsv", rows)
    contents = []
    for name, variables in (("plain", {}), ("hostile", HOSTILE)):
        folder = tmp_path / name
        folder.mkdir()
        arguments = ["--manifest", tmp_path / "shard.tsv", "--media", folder / "a.h5"]
        arguments += ["--config", WHOLE.model_dump_json(), "--role", "target"]
        subprocess.run(
            [sys.executable, "-m", "l2l", "decode_videos", *map(str, arguments)],
            cwd=folder,
            env={**os.environ, **variables},
            check=True,
            timeout=120,
        )
        contents.append((folder / "a.h5").read_bytes())
        assert [path.name for path in folder.iterdir()] == ["a.h5"]  # no report of ffmpeg
    assert contents[0] == contents[1]


def test_a_child_gets_only_variables_of_the_list(monkeypatch):
    for name, value in HOSTILE.items():
        monkeypatch.setenv(name, value)
    environment = clean_environment(EXTRA="1")
    assert environment["EXTRA"] == "1"
    assert environment["LC_ALL"] == "C"
    assert not (HOSTILE.keys() - {"LC_ALL"}) & environment.keys()


# ---- bounded memory ------------------------------------------------------------------------------

# Decodes one file in a child and prints its peak memory in bytes and the number of its pictures.
PEAK = r"""
import re, sys
from pathlib import Path
from l2l.config import MediaConfig
from l2l.manifest.artifact import read_videos
from l2l.media.artifact import read_media
from l2l.media.stage import decode_videos
table, media = map(Path, sys.argv[1:])
decode_videos(table, media, MediaConfig(), "target")
# Not ru_maxrss: that of a child starts at what its parent held.
peak = int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1])
with read_media(media) as shard:
    print(peak << 10, shard.moments("v"), shard.statuses["v"][0])
"""


@LINUX
@pytest.mark.slow
@pytest.mark.parametrize("rate", [1, 30])
def test_memory_grows_with_what_is_stored_only(tmp_path, rate):
    """A second takes 170 kB as ffmpeg gives it, and 32 kB of sound with a few of JPEG as stored.

    The limit of a job is 2 GB, so three hours must need less. Two shorter videos show the growth.
    """
    peaks, seconds = [], (900, 2700)
    for length in seconds:
        path = tmp_path / f"{length}.mp4"
        picture = f"color=gray:s=64x64:r={rate}:d={length}"
        sound = f"sine=f=300:r=16000:d={length}"
        coded = ["-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac"]
        run("-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound, *coded, path)
        write_videos(tmp_path / "shard.tsv", [listed(path, "v")])
        ended = subprocess.run(
            [sys.executable, "-c", PEAK, tmp_path / "shard.tsv", tmp_path / f"{length}.h5"],
            capture_output=True,
            text=True,
            timeout=500,
            check=True,
        )
        peak, moments, status = ended.stdout.split()
        assert (status, int(moments) > length * 1.8) == ("ok", True)
        peaks.append(int(peak))
    growth = (peaks[1] - peaks[0]) / (seconds[1] - seconds[0])  # bytes per second
    assert growth < 60_000
    assert peaks[1] + growth * (3 * 3600 - seconds[1]) < 1 << 30
