"""The runner of ffmpeg: its limits, its log, and the processes that it starts and ends."""

import subprocess
import sys
from pathlib import Path

import pytest
from media_files import (
    WHOLE,
    decoded,
    make_video,
    run,
)

from l2l.errors import BadInput, KilledError
from l2l.manifest.source import Source
from l2l.media import ffmpeg as runner
from l2l.media import ffmpeg_log
from l2l.media.by_ffmpeg import compile_argv
from l2l.media.decode import decode
from l2l.media.ffmpeg import FfmpegStopped, ffmpeg_program, run_ffmpeg
from l2l.media.ffmpeg_log import Log


def test_the_argv_is_a_list_with_the_file_as_an_absolute_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    argv = compile_argv(Source(Path("-y; rm.mp4"), 2, 3, "44100 Hz, 1 channels"), WHOLE, 16)
    assert argv[argv.index("-i") + 1] == f"file:{tmp_path}/-y; rm.mp4"
    assert [argv[i + 1] for i, word in enumerate(argv) if word == "-map"] == ["0:2", "0:3"]
    assert all(isinstance(word, str) for word in argv)


def test_a_run_out_of_time_is_killed_with_its_whole_group(tmp_path, monkeypatch):
    pids = tmp_path / "pids"
    hang = tmp_path / "hang"
    hang.write_text(f"#!/bin/sh\nsleep 600 &\necho $$ $! > {pids}\nwait\n")
    hang.chmod(0o755)
    monkeypatch.setattr(runner, "ffmpeg_program", lambda: hang)
    found = decode(
        Source(Path(__file__), 0), WHOLE.model_copy(update={"time_limit_seconds": 3}), "clips"
    )
    assert (found.status, found.reason) == ("refused", "not done within 3 s")
    for pid in pids.read_text().split():
        state = Path(f"/proc/{pid}/stat")
        assert not state.exists() or state.read_text().split(")")[1].split()[0] == "Z"


def test_a_run_out_of_bytes_is_ended():
    endless = ["-f", "lavfi", "-i", "testsrc=s=64x64", "-f", "rawvideo", "pipe:out"]
    with pytest.raises(FfmpegStopped, match="more than 1 MB"):
        run_ffmpeg(endless, {"out": lambda _: None}, 1_000_000, 60)


@pytest.mark.skipif(
    sys.platform != "linux",
    reason="processor time and memory of a child are bounded on Linux alone",
)
def test_a_run_out_of_processor_time_is_ended(tmp_path, monkeypatch):
    spin = tmp_path / "spin"
    spin.write_text("#!/bin/sh\nwhile :; do :; done\n")
    spin.chmod(0o755)
    monkeypatch.setattr(runner, "ffmpeg_program", lambda: spin)
    with pytest.raises(FfmpegStopped, match="more than 1 s of processor time"):
        run_ffmpeg([], {}, 1, 60, cpu_limit_seconds=0.5)


@pytest.mark.parametrize("how", ["KILL", "TERM", "INT"])
def test_a_run_that_somebody_kills_says_nothing_of_the_video(how, tmp_path, monkeypatch):
    video, killed = make_video(tmp_path / "v.mp4", seconds=20), tmp_path / "killed"
    killed.write_text(
        f'#!/bin/sh\n(sleep 0.5; kill -{how} $$) &\nexec {ffmpeg_program()} -readrate 0.1 "$@"\n'
    )
    killed.chmod(0o755)
    monkeypatch.setattr(runner, "ffmpeg_program", lambda: killed)
    with pytest.raises(KilledError, match=r"v\.mp4.*killed"):
        decoded(video)


@pytest.mark.skipif(
    sys.platform != "linux",
    reason="processor time and memory of a child are bounded on Linux alone",
)
def test_a_run_out_of_memory_is_ended(tmp_path):
    large = tmp_path / "large.avi"
    run("-f", "lavfi", "-i", "color=s=8000x8000:d=0.2:r=10", "-c:v", "mjpeg", "-q:v", "20", large)
    argv = compile_argv(Source(large, 0), WHOLE, 16)
    with pytest.raises(FfmpegStopped, match="more than 268 MB of memory"):
        run_ffmpeg(argv, {"pictures": lambda _: None}, 1 << 30, 60, memory_limit_bytes=1 << 28)
    pictures = bytearray()
    run_ffmpeg(argv, {"pictures": pictures.extend}, 1 << 30, 60)
    assert len(pictures) == 64 * 64 * 3


def test_several_outputs_are_read_at_once():
    """One pipe is full long before the other has anything.

    Reading one after the other would never end.
    """
    many = [
        "-f",
        "lavfi",
        "-i",
        "color=s=512x512:d=1:r=25",
        "-map",
        "0",
        "-f",
        "rawvideo",
        "-pix_fmt",
        "rgb24",
        "pipe:a",
    ]
    few = ["-map", "0", "-vf", "scale=2:2", "-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:b"]
    a, b = bytearray(), bytearray()
    run_ffmpeg([*many, *few], {"a": a.extend, "b": b.extend}, 1 << 30, 60)
    assert (len(a), len(b)) == (512 * 512 * 3 * 25, 2 * 2 * 3 * 25)


def test_the_log_is_bounded_but_keeps_the_first_complaints_of_each_part():
    log = Log()
    log.report("[h264 @ 0x1] [error] while looking the file over")
    log.report("  Stream #0:3 -> #0:0 (h264 (native) -> rawvideo (native))")
    for i in range(100_000):
        log.complain(f"[h264 @ 0x2] [error] complaint {i}")
        log.report(f"[h264 @ 0x2] [error] complaint {i}")
    log.complain("[in#0/mov @ 0x3] [error] the last")
    log.report(
        "[info]   Stream #1: Aud30 frames in, 29 frames out; 0 frames dropped"
    )  # within a line that another part began
    assert (log.decoders, log.opening, log.grid_frames) == ({3: "h264"}, {"[h264 @ 0x1"}, 29)
    assert sum(map(len, log.complaints.values())) < 1000
    assert log.complaints["[h264 @ 0x2"][0].endswith("complaint 0")
    assert log.complaints["[in#0/mov @ 0x3"] == ["[in#0/mov @ 0x3] [error] the last"]


def test_whole_lines_about_sound_are_read_in_one_way_and_torn_ones_in_another(
    tmp_path, monkeypatch
):
    """Most lines of a report are such: nothing else is looked for in them."""
    video, lines = make_video(tmp_path / "v.mp4", sound="sin(t*900)|sin(t*700)"), []
    report = Log.report
    monkeypatch.setattr(Log, "report", lambda log, line: lines.append(line) or report(log, line))
    length = len(decoded(video).waveform)
    about_sound = [line for line in lines if "nb_samples:" in line]
    assert len(about_sound) > 50
    whole, torn = Log(), Log()
    for line in about_sound:
        whole.report(line)
        torn.report(f"[info]   Stream #0{line} 9 frames in, 8 frames out")
    assert whole.sound_runs == torn.sound_runs
    assert (whole.grid_frames, torn.grid_frames) == (0, 8)
    assert whole.sound_runs[0][0] == 0
    assert sum(whole.sound_runs[0]) >= length
    monkeypatch.setattr(ffmpeg_log, "_SOUND", None)  # with which torn lines are read
    Log().report(about_sound[0])


def test_a_file_is_decoded_again_while_its_log_is_torn(tmp_path, monkeypatch):
    """One part says `Gain control`, another its error, and only then the first that this `is not
    implemented`.
    """
    video, runs = make_video(tmp_path / "v.mp4"), tmp_path / "runs"
    torn = (
        "[aac @ 0x1] [warning] Gain controlerror while decoding MB 0 0\n[aac @ 0x1] [warning]  is "
        "not implemented.\n"
    )
    whole = (
        "[aac @ 0x1] [warning] Gain control is not implemented.\n[h264 @ 0x2] [error] error while "
        "decoding MB 0 0\n"
    )
    (tmp_path / "1").write_text(torn)
    (tmp_path / "2").write_text(whole)
    script = f'echo >>{runs}; cat "{tmp_path}/$(wc -l <{runs})" >&2; exec {ffmpeg_program()} "$@"'
    twice = tmp_path / "twice"
    twice.write_text(f"#!/bin/sh\n{script}\n")
    twice.chmod(0o755)
    monkeypatch.setattr(runner, "ffmpeg_program", lambda: twice)
    result = decoded(video, WHOLE.model_copy(update={"decoder": "ffmpeg"}))
    assert (result.status, result.reason) == ("corrupt", "damaged: error while decoding MB 0 0")


def test_the_ffmpeg_on_path_comes_first_and_the_carried_one_helps_out(tmp_path, monkeypatch):
    own = tmp_path / "ffmpeg"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    ffmpeg_program.cache_clear()
    try:
        assert ffmpeg_program() == own
        own.unlink()
        ffmpeg_program.cache_clear()
        assert "imageio_ffmpeg" in str(ffmpeg_program())
        monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
        ffmpeg_program.cache_clear()
        with pytest.raises(BadInput, match="no ffmpeg: put one on PATH"):
            ffmpeg_program()
    finally:
        ffmpeg_program.cache_clear()


def test_no_process_is_left_when_the_caller_is_interrupted(tmp_path):
    script = (
        "import signal, threading, os, time\n"
        "from l2l.media.ffmpeg import run_ffmpeg\n"
        "threading.Timer(1, lambda: os.kill(os.getpid(), signal.SIGINT)).start()\n"
        "run_ffmpeg(['-re', '-f', 'lavfi', '-i', 'testsrc=d=61', '-f', 'rawvideo', 'pipe:a'], "
        "{'a': len}, 1 << 40, 600)\n"
    )
    before = running()
    ended = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert b"KeyboardInterrupt" in ended.stderr
    assert running() - before == set()


def running() -> set[str]:
    """Processes that show the test picture of 61 s."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (
                b"testsrc=d=61" in (process / "cmdline").read_bytes()
                and b"lavfi\0" in (process / "cmdline").read_bytes()
            ):
                found.add(process.name)
        except OSError:
            continue
    return found
