"""Killed at any moment, started twice, files replaced, clocks wrong.

A clear line, or the right result, and a rerun completes.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from kills import KINDS, descendants, differences, smallest, survive
from media_files import make_video
from workflow_runs import environment, snakemake, start_snakemake, tiny_with

from l2l.jobs.leftovers import CHECKS

KILLS = int(os.environ.get("L2L_KILLS", "4"))
DRAWN = "results/small/videos/all"
# Of the branch of SCSampler every kind of job and few of each; a training takes some seconds.
SCSAMPLER = {
    "rows": ["union", "joint", "ours_sparse", "oracle"],
    "training": {"epochs": 100, "batch_size": 8, "learning_rate": 0.01},
}


def ended_within(seconds: float, pids: list[int]) -> bool:
    end = time.monotonic() + seconds
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def well(folder: Path) -> dict[str, bool]:
    return {name: look(folder)[1] for name, look in CHECKS.items()}


@pytest.mark.kills
@pytest.mark.workflow
def test_a_run_killed_at_random_moments_makes_what_one_left_alone_makes(tmp_path):
    counts, found = survive(tmp_path, KILLS, seed=KILLS)
    assert found == []
    assert sum(counts[kind] for kind in KINDS) == KILLS
    assert all(well(tmp_path / "run").values())


def test_a_process_ends_when_one_of_those_it_watches_does():
    watched = subprocess.Popen(["sleep", "600"])
    script = (
        f"import time; from l2l.jobs.orphans import end_with; end_with([{os.getpid()}, "
        f"{watched.pid}]); time.sleep(600)"
    )
    watching = subprocess.Popen(
        [sys.executable, "-c", script], env=environment(), stderr=subprocess.PIPE, text=True
    )
    with pytest.raises(subprocess.TimeoutExpired):
        watching.wait(1)
    watched.kill()  # and no process waits for it: it stays a zombie
    assert "was killed" in watching.communicate(timeout=60)[1]
    assert watching.returncode < 0
    watched.wait()


def test_what_is_left_of_a_killed_job_may_end_its_step_but_not_go_on():
    script = (
        "import signal, time\nfrom l2l.jobs import orphans\norphans.GRACE_SECONDS = 0.5\n"
        "signal.signal(signal.SIGTERM, lambda *_: print('a checkpoint', flush=True))\n"
        "orphans.end_with([2**22 + 1])\nwhile True: time.sleep(0.1)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (ended.stdout, ended.returncode) == ("a checkpoint\n", -signal.SIGKILL)


def test_on_another_host_nothing_is_watched():
    script = (
        "import time; from l2l.jobs.orphans import end_with_job; end_with_job('elsewhere 999999 "
        "999998'); time.sleep(1)"
    )
    assert (
        subprocess.run([sys.executable, "-c", script], env=environment(), check=False).returncode
        == 0
    )


@pytest.mark.kills
@pytest.mark.workflow
def test_the_jobs_of_a_killed_snakemake_end_and_the_doctor_says_what_it_left(tmp_path):
    config = smallest(tmp_path / "small.yaml")
    process = start_snakemake(tmp_path, DRAWN, configfile=config)
    while not any(tmp_path.glob("results/small/videos/.all.*.part/all")):
        assert process.poll() is None
        time.sleep(0.05)
    jobs = descendants(process.pid)
    assert len(jobs) >= 2
    assert well(tmp_path) == dict.fromkeys(CHECKS, True), "it runs, so all is well"
    assert f"process {process.pid}: wait for it" in CHECKS["locked"](tmp_path)[0]
    process.kill()
    process.wait()
    assert ended_within(60, jobs)
    assert well(tmp_path) == dict.fromkeys(CHECKS, True) | {
        "locked": False,
        "incomplete": True,
        "part files": False,
    }
    assert "snakemake --unlock" in CHECKS["locked"](tmp_path)[0]
    assert f"1, such as {DRAWN}: a run was interrupted" in CHECKS["incomplete"](tmp_path)[0]
    assert "find results" in CHECKS["part files"](tmp_path)[0]
    assert snakemake(tmp_path, "--unlock", configfile=config).returncode == 0
    assert snakemake(tmp_path, DRAWN, configfile=config).returncode == 0
    assert all(well(tmp_path).values())


@pytest.mark.kills
@pytest.mark.workflow
def test_of_two_snakemakes_at_once_one_reports_that_the_other_runs_and_the_rest_is_done(tmp_path):
    config = smallest(tmp_path / "small.yaml")
    both = [start_snakemake(tmp_path, DRAWN, configfile=config) for _ in range(2)]
    assert sorted(process.wait() for process in both) == [0, 1]
    output = "".join(
        log.read_text()
        for log in [*tmp_path.glob(".snakemake/log/*.log"), *tmp_path.glob("logs/**/*.log")]
    )
    assert "Directory cannot be locked" in output or "another job has begun to write it" in output
    again = snakemake(tmp_path, DRAWN, configfile=config)
    assert "Nothing to be done" in again.stdout + again.stderr
    assert (tmp_path / DRAWN / "segments.tsv").is_file()


def command_of(pid: int) -> bytes:
    """The command line of a process; empty where it has ended."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


@pytest.mark.kills
@pytest.mark.workflow
def test_scsampler_killed_in_its_motion_and_in_a_training_makes_what_one_left_alone_makes(
    tiny_run, tmp_path
):
    config = tiny_with(tmp_path / "few.yaml", sampler=SCSAMPLER)
    alone, killed = (Path(shutil.copytree(tiny_run, tmp_path / name)) for name in ("one", "other"))
    left_alone = snakemake(alone, "scsampler", configfile=config)
    assert left_alone.returncode == 0, left_alone.stderr[-3000:]
    results = killed / "results/tiny"

    def kill_once(under_way):
        """Kill Snakemake and all processes below it when something is under way."""
        process = start_snakemake(killed, "scsampler", configfile=config)
        while not under_way(process.pid):
            assert process.poll() is None
            time.sleep(0.02)
        jobs = descendants(process.pid)
        for pid in (process.pid, *jobs):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()
        assert ended_within(60, jobs)
        assert snakemake(killed, "--unlock", configfile=config).returncode == 0

    kill_once(lambda pid: any(b"l2l.motion.cells" in command_of(p) for p in descendants(pid)))
    assert list(results.glob("motion/untrimmed/.*.part"))
    kill_once(lambda _: any(results.glob("sampler/*.pt.checkpoints/*/*.pt")))
    cut = [path.name.partition(".")[0] for path in results.glob("sampler/*.pt.checkpoints")]
    assert cut
    assert not [name for name in cut if (results / f"sampler/{name}.pt").exists()]
    rerun = snakemake(killed, "scsampler", configfile=config)
    assert rerun.returncode == 0, rerun.stderr[-3000:]
    logs = [killed / f"logs/tiny/train_sampler/{name}.log" for name in cut]
    assert any("resumed from epoch" in log.read_text() for log in logs)
    assert differences(alone / "results", killed / "results") == []


@pytest.fixture
def found(tmp_path):
    """A folder of videos of two classes, and the configuration of a run of them."""
    for split, seconds in (("train", 2), ("test", 3)):
        (tmp_path / "videos" / split / "class").mkdir(parents=True)
        make_video(tmp_path / "videos" / split / "class/a.mp4", seconds)
        (tmp_path / "videos" / split / "other").mkdir()
        make_video(tmp_path / "videos" / split / "other/b.mp4", seconds + 5)
    videos = {
        "all": {
            "adapter": "folder",
            "role": "both",
            "folder": str(tmp_path / "videos"),
            "shards": 1,
        }
    }
    return tiny_with(tmp_path / "found.yaml", videos, run="found")


MEDIA = "results/found/media/all/videos.tsv"


@pytest.mark.kills
@pytest.mark.workflow
def test_a_video_replaced_while_it_is_worked_on_is_worked_on_again(found, tmp_path):
    run = tmp_path / "run"
    assert snakemake(run, "results/found/manifest/all/videos.tsv", configfile=found).returncode == 0
    make_video(tmp_path / "videos/test/class/a.mp4", seconds=4)
    for _ in range(2):  # the first time it is found that the list is old
        assert snakemake(run, MEDIA, configfile=found).returncode == 0
    assert "Nothing to be done" in snakemake(run, MEDIA, configfile=found).stderr
    assert snakemake(tmp_path / "new", MEDIA, configfile=found).returncode == 0
    # What Snakemake watches may depend on what was listed before; no result does.
    (watched,) = differences(run / "results", tmp_path / "new/results")
    assert watched.startswith("found/manifest/all/test-000.fingerprint")


@pytest.mark.kills
@pytest.mark.workflow
def test_a_clock_that_was_ahead_costs_work_but_no_result_and_the_doctor_sets_it_right(
    found, tmp_path
):
    run = tmp_path / "run"
    assert snakemake(run, MEDIA, configfile=found).returncode == 0
    shutil.copytree(run / "results", tmp_path / "before")
    shard = run / "results/found/manifest/all/shard-000.tsv"
    os.utime(shard, (time.time() + 1e6,) * 2)
    assert snakemake(run, MEDIA, configfile=found).returncode == 0
    assert differences(run / "results", tmp_path / "before") == []
    line, fine = CHECKS["dated ahead"](run)
    assert not fine
    subprocess.run(line.partition("then ")[2], shell=True, cwd=run, check=True)
    assert CHECKS["dated ahead"](run)[1]
    assert snakemake(run, MEDIA, configfile=found).returncode == 0
    assert "Nothing to be done" in snakemake(run, MEDIA, configfile=found).stderr
