"""The child process that opens files: a file may hang or crash it, and nothing else reaches it."""

import errno
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest
from media_files import ODD_NAMES

from l2l.errors import BadInput, MachineError
from l2l.manifest import probe
from l2l.manifest.probe import probe_file, probe_files


def test_names_are_only_names(clip, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ODD_NAMES:
        shutil.copy(clip, Path("./", name))
    assert [facts.status for facts in probe_files([Path(name) for name in ODD_NAMES])] == [
        "ok"
    ] * len(ODD_NAMES)
    assert not Path("PWNED").exists()


def test_a_file_that_hangs_or_crashes_the_demuxer_costs_only_itself(clip, tmp_path, monkeypatch):
    bad_child = (
        "import sys, time, os, json\n"
        "from l2l.manifest import probe\n"
        "kept = probe.probe_file\n"
        "def probe_file(path):\n"
        "    while path.name == 'hang.mp4': pass\n"
        "    if path.name == 'crash.mp4': os.kill(os.getpid(), 11)\n"
        "    if path.name == 'exit.mp4': os._exit(3)\n"
        "    print('noise on the answers')\n"
        "    return kept(path)\n"
        "probe.probe_file = probe_file\n"
        "probe.serve()\n"
    )
    monkeypatch.setattr(probe, "CHILD", (sys.executable, "-c", bad_child))
    for name in ("hang", "crash", "exit"):
        (tmp_path / f"{name}.mp4").touch()
    results = list(
        probe_files(
            [
                clip,
                tmp_path / "hang.mp4",
                clip,
                tmp_path / "crash.mp4",
                tmp_path / "exit.mp4",
                clip,
            ],
            4.0,
        )
    )
    assert [result.status for result in results] == [
        "ok",
        "refused",
        "ok",
        "refused",
        "refused",
        "ok",
    ]
    assert "within 4 s" in results[1].reason
    assert "SIGSEGV" in results[3].reason
    assert "exit 3" in results[4].reason


def test_a_child_that_somebody_kills_says_nothing_about_the_file(clip, monkeypatch):
    monkeypatch.setattr(
        probe,
        "CHILD",
        (
            sys.executable,
            "-c",
            "import os, signal; print(flush=True); input(); os.kill(os.getpid(), signal.SIGKILL)",
        ),
    )
    with pytest.raises(BadInput, match=r"clip.mp4: the process that opens it .* killed"):
        list(probe_files([clip]))


def test_a_child_that_does_not_start_is_no_fault_of_the_files(clip, monkeypatch):
    monkeypatch.setattr(probe, "CHILD", (sys.executable, "-c", "import no_such_module"))
    with pytest.raises(BadInput, match=r"does not start.*`l2l doctor`"):
        list(probe_files([clip]))


def test_the_child_runs_no_module_of_the_folder_and_heeds_no_variable_of_its_caller(
    clip, tmp_path, monkeypatch
):
    for module in ("av", "json", "l2l", "sitecustomize"):
        (tmp_path / f"{module}.py").write_text("open('PWNED', 'w')\n")
    shutil.copy(clip, tmp_path / "clip.mp4")
    expected = probe_file(clip)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")  # as `python -m` and an empty entry of PYTHONPATH do
    hostile = {
        "PYTHONPATH": str(tmp_path),
        "PYTHONSTARTUP": str(tmp_path / "av.py"),
        "PYTHONHOME": "/nowhere",
        "PYTHONOPTIMIZE": "x",
        "AV_LOG_FORCE_COLOR": "1",
        "FFREPORT": "file=report.log:level=56",
        "LC_ALL": "de_DE.ISO-8859-1",
    }
    for name, value in hostile.items():
        monkeypatch.setenv(name, value)
    assert list(probe_files([Path("clip.mp4")])) == [expected]
    assert not list(tmp_path.glob("PWNED")) + list(tmp_path.glob("*.log"))


def test_a_machine_without_memory_or_open_files_left_is_no_fault_of_the_file(clip, monkeypatch):
    for number in (errno.EMFILE, errno.ENOMEM, errno.EAGAIN, errno.ESTALE):

        def refuse(path, number=number):
            raise OSError(number, os.strerror(number), str(path))

        monkeypatch.setattr(probe, "fingerprint_of", refuse)
        with pytest.raises(MachineError, match=os.strerror(number)):
            probe_file(clip)
    monkeypatch.undo()
    monkeypatch.setattr(probe, "describe_shortage", lambda memory, threads: "no threads here")
    assert probe_file(clip).status == "ok"
    with pytest.raises(MachineError, match="no threads here"):
        probe_file(Path(__file__))


def test_a_child_that_is_kept_answers_the_next_call_and_starts_again_after_a_crash(
    clip, tmp_path, monkeypatch
):
    probe._idle.end()
    expected = [probe_file(clip)]
    assert list(probe_files([clip], keep=True)) == expected
    (child,) = probe._idle.waiting
    first = child._process.pid
    assert list(probe_files([clip], keep=True)) == expected
    assert child._process.pid == first
    os.kill(first, signal.SIGSEGV)
    assert [each.status for each in probe_files([clip, clip], keep=True)] == ["refused", "ok"]
    assert [each._process.pid for each in probe._idle.waiting] != [first]
    answers = probe_files([clip, clip], keep=True)  # of which the caller wants one
    assert next(answers) == expected[0]
    answers.close()
    assert list(probe_files([clip], keep=True)) == expected
    probe._idle.end()
    assert not probe._idle.waiting


def test_a_child_that_the_machine_starves_stops_the_job(clip, monkeypatch):
    starved = (
        "import errno, os\n"
        "from l2l.manifest import probe\n"
        "def refuse(path): raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))\n"
        "probe.fingerprint_of = refuse\n"
        "probe.serve()\n"
    )
    monkeypatch.setattr(probe, "CHILD", (sys.executable, "-c", starved))
    with pytest.raises(MachineError, match=r"clip\.mp4.*Too many open files"):
        list(probe_files([clip]))


def test_a_child_that_waits_for_a_disk_says_nothing_about_the_file(clip, monkeypatch):
    waiting = (
        "import time\n"
        "from l2l.manifest import probe\n"
        "probe.probe_file = lambda path: time.sleep(600)\n"
        "probe.serve()\n"
    )
    monkeypatch.setattr(probe, "CHILD", (sys.executable, "-c", waiting))
    with pytest.raises(MachineError, match=r"clip\.mp4.*within 1 s"):
        list(probe_files([clip], 1.0))
