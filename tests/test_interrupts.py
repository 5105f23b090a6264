"""Ctrl-C in a verb or in a stage: one line that says how to go on, no traceback, status 130."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from training_world import Training, training
from workflow_runs import environment, snakemake_argv

from l2l.config import as_json
from l2l.datasets import DemoDataset

DEMO = DemoDataset(
    adapter="demo",
    role="both",
    kind="untrimmed",
    shards=1,
    train=500,
    val=1,
    test=1,
    min_seconds=4,
    max_seconds=5,
    side_pixels=32,
)


def interrupt(
    arguments: list[str | Path], folder: Path, has_begun: Callable[[Path], bool], **variables: str
) -> tuple[int, str]:
    """`interrupt_program` for a verb."""
    argv = [sys.executable, "-P", "-m", "l2l", *map(str, arguments)]
    return interrupt_program(argv, folder, has_begun, **variables)


def interrupt_program(
    argv: list[str], folder: Path, has_begun: Callable[[Path], bool], **variables: str
) -> tuple[int, str]:
    """Start a program, press Ctrl-C once it works, and return its status and its log.

    A terminal sends the signal to every process of the program.
    """
    with open(folder / "log", "w") as log:
        process = subprocess.Popen(
            argv,
            cwd=folder,
            env=environment() | variables,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        deadline = time.monotonic() + 120
        while not has_begun(folder):
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        return process.wait(60), (folder / "log").read_text()


def says(text: str) -> Callable[[Path], bool]:
    """Whether the log has a text."""
    return lambda folder: text in (folder / "log").read_text()


def options_of(train: Training, artifact: Path) -> list[str | Path]:
    """A stage function's options as its command line takes them."""
    arguments: list[str | Path] = []
    for name, value in {**train.options, train.artifact: artifact}.items():
        arguments.append(f"--{name}")
        if isinstance(value, list):
            arguments += value
        else:
            arguments.append(as_json(value) if name == "config" else str(value))
    return arguments


def test_check_says_that_it_is_run_again(clip, tmp_path):
    for number in range(300):
        (tmp_path / f"{number}.mp4").write_bytes(clip.read_bytes() + b"%d" % number)
    status, log = interrupt(["check", "."], tmp_path, says(": ok; "))
    assert status == 130
    last = log.splitlines()[-1]
    assert last == (
        "l2l check: interrupted; nothing unfinished was kept: run the same command again"
    )
    assert "Traceback" not in log


def test_a_training_says_that_it_goes_on_from_its_checkpoint_and_does(inputs, tmp_path):
    train = training("skimmer", inputs, epochs=5000, milestones=())
    arguments = ["train_skimmer", *options_of(train, tmp_path / "x.pt"), "--threads", "2"]
    status, log = interrupt(arguments, tmp_path, says("epoch 2/"), L2L_JOB="elsewhere 1 1")
    assert status == 130
    assert "Traceback" not in log
    assert log.splitlines()[-1] == (
        "l2l train_skimmer: interrupted; run snakemake again: it goes on from the last checkpoint"
    )
    _, log = interrupt(arguments, tmp_path, says("epoch "))
    assert log.startswith("resumed from epoch ")


def test_drawing_with_several_processes_leaves_nothing_and_no_traceback(tmp_path):
    def has_drawn(folder: Path) -> bool:
        return any(folder.glob(".drawn.*/drawn/*/*/*.mp4"))

    options = ["--videos", "drawn", "--dataset", as_json(DEMO), "--seed", "1", "--threads", "2"]
    status, log = interrupt(["render_demo", *options], tmp_path, has_drawn)
    assert (status, log.splitlines()[1:]) == (130, [])
    assert log.startswith("l2l render_demo: interrupted; ")
    assert list(tmp_path.iterdir()) == [tmp_path / "log"]


@pytest.mark.workflow
def test_a_whole_run_says_that_it_is_started_again(tmp_path):
    def draws(folder: Path) -> bool:
        return any(folder.glob("results/tiny/videos/.*.part"))

    status, log = interrupt_program(snakemake_argv(tmp_path), tmp_path, draws)
    assert status == 1  # as Snakemake ends itself
    assert "What is finished is kept: run the same command again to go on." in log
    # Python's own note, if the signal meets a child between fork and exec
    note = r"Exception ignored in: <function _after_fork.*\n(?:(?:Traceback| ).*\n)+.*\n"
    log = re.sub(note, "", log)
    assert "Traceback" not in log
    assert not list(tmp_path.rglob("*.part"))
