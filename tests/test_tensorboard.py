"""`l2l costs --tensorboard`: learning curves that TensorBoard's own reader shows."""

import os
import sys

import pytest

from l2l.__main__ import main

SECONDS = 10.0  # of each epoch
FINISHED = 1_800_000_000.0  # when the log was last written


def logged(folder, *epochs, later=0.0):
    """A run's folder, and the log of a training that has these epochs of five."""
    log = folder / "logs/my/train_skimmer/lstm.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        f"epoch {i}/5 loss {1 / i:.4g} val_top1 {0.1 * i:.4g} seconds {SECONDS:.4g} (9.0 s left)\n"
        for i in epochs
    ]
    log.write_text("".join(lines))
    os.utime(log, (FINISHED + later, FINISHED + later))
    return folder / "results/my"


@pytest.fixture
def accumulator():
    """TensorBoard's reader of a folder."""
    reader = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator",
        reason="TensorBoard is not installed: pip install 'l2l[tensorboard]'",
    )
    return reader.EventAccumulator


def convert(run, folder):
    page = folder.parent / "costs.html"
    assert main(["costs", str(run), "--output", str(page), "--tensorboard", str(folder)]) == 0
    return folder / "train_skimmer/lstm"


def test_tensorboard_reads_the_figures_of_every_epoch(tmp_path, accumulator):
    curves = accumulator(str(convert(logged(tmp_path, 1, 2, 3), tmp_path / "events"))).Reload()
    assert sorted(curves.Tags()["scalars"]) == ["loss", "seconds", "val_top1"]
    losses = curves.Scalars("loss")
    assert [point.step for point in losses] == [1, 2, 3]
    assert [point.value for point in losses] == pytest.approx([1, 0.5, 0.3333])
    at = [point.wall_time for point in losses]
    assert at == pytest.approx([FINISHED - 2 * SECONDS, FINISHED - SECONDS, FINISHED])


def test_a_tensorboard_that_is_open_shows_later_epochs_and_none_twice(tmp_path, accumulator):
    folder = convert(logged(tmp_path, 1, 2), tmp_path / "events")
    curves = accumulator(str(folder)).Reload()
    assert [point.step for point in curves.Scalars("val_top1")] == [1, 2]
    convert(logged(tmp_path, 1, 2, 3, 4, later=20.25), tmp_path / "events")
    curves.Reload()
    points = {point.step: point.value for point in curves.Scalars("val_top1")}
    assert points == pytest.approx({1: 0.1, 2: 0.2, 3: 0.3, 4: 0.4})
    assert len(curves.Scalars("val_top1")) == 4
    # trained again from the start: nothing of the training before is left
    convert(logged(tmp_path, 1, later=100), tmp_path / "events")
    assert [point.step for point in curves.Reload().Scalars("val_top1")] == [1]


def test_a_log_that_did_not_change_gives_no_other_file_and_the_same_bytes(tmp_path, accumulator):
    folder = convert(logged(tmp_path, 1, 2), tmp_path / "events")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    convert(logged(tmp_path, 1, 2), tmp_path / "events")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert len(before) == 1


def test_without_tensorboard_or_an_epoch_one_line_says_so(tmp_path, monkeypatch, capsys):
    run, events = logged(tmp_path, 1), tmp_path / "events"
    asked = ["costs", str(run), "--output", str(tmp_path / "c.html"), "--tensorboard", str(events)]
    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto.event_pb2", None)
    assert main(asked) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("pip install tensorboard")
    logged(tmp_path)
    spent = tmp_path / "benchmarks/results/my/list_videos.tsv"
    spent.parent.mkdir(parents=True)
    spent.write_text("s\th:m:s\tmax_rss\n1.0\t0:00:01\t100.0\n")
    assert main(asked) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"l2l costs: {tmp_path}/logs/my: found no epoch of a training to show"
    assert not events.exists()
