"""Long work says how far it is: lines in a log, a bar on a terminal."""

import io
import sys

import pytest

from l2l import progress
from l2l.progress import CountedLines, counted, duration, per_time
from l2l.report.epochs import epochs_csv, not_converged, read_trainings
from l2l.terminal import escaped_output


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test moves."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_log_has_a_line_per_half_minute_with_the_rate_and_the_time_left(clock, capsys):
    for _ in counted(range(100), 100):
        clock[0] += 4.0
    lines = capsys.readouterr().err.splitlines()
    # after each eighth video; the last is not followed by another
    assert lines[0] == "8 of 100 videos, 15 per minute, 6 min left"
    assert lines[-2] == "96 of 100 videos, 15 per minute, 16 s left"
    assert lines[-1] == "100 videos in 7 min, 15 per minute"
    assert len(lines) == 13


def test_short_work_has_its_last_line_alone_and_none_where_the_caller_prints(clock, capsys):
    assert list(counted("abc", 3, "clips")) == ["a", "b", "c"]
    assert capsys.readouterr().err == "3 clips in 0.0 s, 3,000 per second\n"
    assert list(counted("abc", 3, caller_prints=True)) == ["a", "b", "c"]
    assert list(counted([], 0)) == []
    assert capsys.readouterr().err == "0 videos in 0.0 s, 0 per hour\n"


def test_work_that_fails_has_no_last_line(capsys):
    def entries():
        yield 1
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        list(counted(entries(), 2))
    assert capsys.readouterr().err == ""


def test_a_training_that_was_resumed_within_an_epoch_counts_its_own_steps(clock, capsys):
    lines = CountedLines(1000, "steps of epoch 3", done=900)
    clock[0] += 50
    lines.count(950)
    assert capsys.readouterr().err == ("950 of 1,000 steps of epoch 3, 1 per second, 50 s left\n")


def test_a_terminal_gets_a_bar_that_is_gone_while_a_line_is_printed(monkeypatch, capsys):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    seen = []
    with escaped_output():
        for entry in counted("ab", 2, caller_prints=True):
            seen.append(terminal.getvalue())
            print(entry)
    assert "0/2" in seen[0]
    assert seen[0].endswith("\r")
    assert "1/2" in seen[1]
    assert "\\r" not in terminal.getvalue(), "the bar was escaped as if it were a name"
    assert capsys.readouterr().out == "a\nb\n"


def test_no_control_code_reaches_a_file(tmp_path, monkeypatch):
    with open(tmp_path / "log", "w") as log:
        monkeypatch.setattr(sys, "stderr", log)
        with escaped_output():
            list(counted("abc", 3))
    text = (tmp_path / "log").read_text()
    assert text.endswith("\n")
    assert text.strip().isprintable()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (42.2, "42 s"),
        (59.6, "1 min"),
        (3599, "1 h 0 min"),
        (7500, "2 h 5 min"),
        (86_400, "1 d 0 h"),
        (200_000, "2 d 8 h"),
    ],
)
def test_a_time_is_shown_in_its_two_largest_units(seconds, text):
    assert duration(seconds) == text


def test_a_rate_is_shown_in_the_unit_in_which_it_is_not_small():
    assert [per_time(x) for x in (4321.0, 2.5, 0.5, 0.001)] == [
        "4,321 per second",
        "2.5 per second",
        "30 per minute",
        "3.6 per hour",
    ]


def test_the_figures_of_every_epoch_are_a_table(tmp_path):
    (tmp_path / "finetune_student").mkdir()
    lines = [
        f"epoch {i}/4 loss 0.{i} val_top1 0.5 seconds 9.1 ({duration(9.1 * (4 - i))} left)"
        for i in (3, 4)  # resumed after the second
    ]
    lines.insert(0, "resumed from epoch 3, step 0")
    lines.insert(2, "950 of 1,000 steps of epoch 4, 1 per second, 50 s left")
    (tmp_path / "finetune_student/audio.log").write_text("\n".join(lines))
    trainings = read_trainings(tmp_path)
    assert trainings[0].curves == {"loss": [0.3, 0.4], "val_top1": [0.5, 0.5]}
    assert epochs_csv(trainings).splitlines() == [
        "training,epoch,figure,value",
        "finetune_student/audio,3,loss,0.3",
        "finetune_student/audio,4,loss,0.4",
        "finetune_student/audio,3,val_top1,0.5",
        "finetune_student/audio,4,val_top1,0.5",
        "finetune_student/audio,3,seconds,9.1",
        "finetune_student/audio,4,seconds,9.1",
    ]
    assert not_converged("tiny", tmp_path) == (
        "not converged: finetune_student/audio; l2l costs results/tiny has their curves"
    )
    assert not_converged("tiny", tmp_path / "no_logs") == ""
