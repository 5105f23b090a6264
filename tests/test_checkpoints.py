"""Trainings that are killed and go on: what they give in the end is what they would have given."""

import os
import signal

import pytest
import torch
import training_world
from training_world import TRAININGS, moments_of_death, run, same, training

from l2l.checkpoints import Checkpoints, resumable
from l2l.errors import BadInput


def with_threads(train, threads):
    return training_world.Training(
        train.function, {**train.options, "threads": threads}, train.artifact
    )


@pytest.mark.parametrize("name", TRAININGS)
def test_a_training_killed_at_any_moment_goes_on_to_the_same_file(inputs, tmp_path, name):
    """Killed again and again, with checkpoints after every step or only at epochs' ends, with data
    loaded here or elsewhere.
    """
    train = training(name, inputs, gradient_accumulation=2)
    whole = run(train, tmp_path / "whole.pt")
    assert whole.status == (0,), whole.said
    killed, resumed = tmp_path / "killed.pt", 0
    for i, at in enumerate(moments_of_death(name, whole.events, 3)):
        number = (signal.SIGKILL, signal.SIGTERM)[i % 2]
        ended = run(
            with_threads(train, 1 + i % 2), killed, at, number, every_seconds=(0, 600)[i % 2]
        )
        resumed += "resumed from" in ended.said
        if ended.status == (0,):
            break  # so little was left
        assert ended.status == (-number,), ended.said
        assert not killed.exists()
    if not killed.exists():
        last = run(train, killed)
        assert last.status == (0,), last.said
        resumed += "resumed from" in last.said
    assert resumed
    assert same(killed, tmp_path / "whole.pt")
    assert not (tmp_path / "killed.pt.checkpoints").exists()


def test_it_ends_by_sigterm_as_others_do_but_leaves_a_checkpoint_within_the_epoch(inputs, tmp_path):
    train = training("skimmer", inputs, epochs=2, batch_size=2, milestones=())
    whole = run(train, tmp_path / "whole.pt")
    steps = set()  # of the epoch under way at three moments, one of which may be between two epochs
    for i, share in enumerate((0.6, 0.7, 0.8)):
        ended = run(train, tmp_path / f"{i}.pt", int(share * whole.events), signal.SIGTERM)
        assert ended.status == (-signal.SIGTERM,)
        (key,) = (tmp_path / f"{i}.pt.checkpoints").iterdir()
        steps.add(Checkpoints(key, []).latest()["progress"]["steps"])
    assert steps & set(range(1, 12))


def test_sigusr1_asks_for_a_checkpoint_and_the_training_runs_on(inputs, tmp_path):
    train = training("skimmer", inputs)
    whole = run(train, tmp_path / "whole.pt")
    assert run(train, tmp_path / "s.pt", whole.events * 11 // 12, signal.SIGUSR1).status == (0,)
    assert same(tmp_path / "s.pt", tmp_path / "whole.pt")
    with resumable(tmp_path / "x.pt", [], []) as kept:
        assert not kept.due()
        os.kill(os.getpid(), signal.SIGUSR1)
        assert kept.due()
        kept.save(1, {})
        assert not kept.due()


def test_the_last_two_are_kept_and_a_damaged_one_falls_back_to_the_one_before(tmp_path, capsys):
    with pytest.raises(KeyboardInterrupt), resumable(tmp_path / "x.pt", [], ["setting"]) as kept:
        for step in (9, 10, 11):
            kept.save(step, {"step": step, "numbers": torch.arange(step)})
        files = sorted(kept.folder.iterdir())
        assert len(files) == 2
        assert kept.latest()["step"] == 11
        for content in (
            files[1].read_bytes()[:-70],
            b"",
            files[1].read_bytes()[:-9] + b"x" + files[1].read_bytes()[-8:],
        ):
            files[1].write_bytes(content)
            assert kept.latest()["step"] == 10
            assert "000000000011.pt: damaged" in capsys.readouterr().err
        files[0].write_bytes(b"damaged")
        assert kept.latest() is None
        raise KeyboardInterrupt


def test_another_setting_or_a_changed_input_starts_again_and_the_end_clears_all(tmp_path):
    data = tmp_path / "data"
    data.write_text("one")

    def latest(*settings, save=False):
        with (
            pytest.raises(KeyboardInterrupt),
            resumable(tmp_path / "x.pt", [data], settings) as kept,
        ):
            found = kept.latest()
            if save:
                kept.save(1, {"of": list(settings)})
            raise KeyboardInterrupt
        return found

    latest("a", 1, save=True)
    assert latest("a", 1) == {"of": ["a", 1]}
    assert latest("a", 2) is None
    before = data.stat()
    data.write_text("two")
    os.utime(data, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert latest("a", 1) is None
    with resumable(tmp_path / "x.pt", [data], ["b"]):
        pass
    assert sorted(tmp_path.iterdir()) == [data]


def test_what_cannot_be_written_is_reported_in_one_line(tmp_path):
    (tmp_path / "x.pt.checkpoints").write_text("a file where the folder has to be")
    with (
        pytest.raises(BadInput, match=r"000000000001\.pt: cannot be written"),
        resumable(tmp_path / "x.pt", [], []) as kept,
    ):
        kept.save(1, {})


@pytest.mark.parametrize("name", ["distilled student", "skimmer"])
def test_any_number_of_threads_gives_the_same_bits(inputs, tmp_path, name):
    kind = training(name, inputs, flip=True)
    files = []
    for threads in (1, 2, 4):
        files.append(tmp_path / f"{threads}.pt")
        ended = run(with_threads(kind, threads), files[-1])
        assert ended.status == (0,), ended.said
    assert same(files[0], files[1])
    assert same(files[0], files[2])
