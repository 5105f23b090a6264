"""What the measurements on sound events are made of: bars, a track heard once, tables."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from l2l.moments import MOMENT_SECONDS
from l2l.pretrained.efficientat.network import efficientat_mn04
from l2l.tools.lay_events import lay_events

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))
import event_bars
import listen_first

FOOTAGE = [f"fight/fi{number:03d}.mp4" for number in (5, 15, 19, 26)]  # each of another source
COLUMN = 0.32  # seconds of a column of mn04's last feature map


@pytest.fixture(scope="module")
def network():
    """EfficientAT mn04 with random weights."""
    torch.manual_seed(0)
    return efficientat_mn04().eval()


def tracks(seed: int, count: int) -> list[event_bars.Track]:
    """Videos of 30 moments of noise; three moments of each show one of two classes."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(count):
        label, start = number % 2, int(rng.integers(0, 27))
        heard = rng.normal(size=(30, 4)).astype(np.float32)
        heard[start : start + 3, 0] += 20 * (2 * label - 1)
        made.append(event_bars.Track(heard, label, [start, start + 1, start + 2]))
    return made


def test_who_knows_the_event_is_right_and_the_surest_moment_lies_in_it():
    bars = event_bars.bars(tracks(0, 40), tracks(2, 40), tracks(1, 40))
    assert bars["trimmed: mean of the moments in the event"] == 1.0
    assert bars["trimmed: surest moment"] == 1.0
    assert bars["surest moment of trimmed lies in the event"] == 1.0
    assert bars["trimmed: mean of 8 evenly spaced"] < 1.0


def test_a_classifier_that_hears_no_difference_answers_by_chance():
    silent = [track._replace(heard=np.zeros((30, 4), np.float32)) for track in tracks(0, 40)]
    bars = event_bars.bars(silent, silent, silent)
    names = set(bars) - {"surest moment of trimmed lies in the event"}
    assert {bars[name] for name in names} == {0.5}


def test_a_moment_has_the_columns_whose_middles_lie_in_its_second():
    columns = np.arange(125)[:, None] * np.ones((1, 3))
    moments = listen_first.moments_of_map(columns, 75)
    assert moments.shape == (75, 3)
    for k in range(75):
        start = float(k * MOMENT_SECONDS)
        inside = [c for c in range(125) if start <= (c + 0.5) * COLUMN < start + 1]
        assert moments[k, 0] == np.mean(inside or [124])


def test_a_track_of_one_second_is_heard_as_that_second(network):
    second = np.random.default_rng(0).integers(-9999, 9999, 16_000).astype(np.int16)
    whole = listen_first.hear_whole(network, second)
    assert whole.shape == (4, 384)  # 100 windows, 32 per column
    np.testing.assert_allclose(
        whole.mean(0), listen_first.hear_seconds(network, second[None])[0], atol=1e-5
    )


def test_a_whole_track_costs_about_half_of_all_seconds_that_overlap(network):
    whole = listen_first.macs_of_sound(network, 160_000)
    second = listen_first.macs_of_sound(network, 16_000)
    assert whole / 1e9 == pytest.approx(0.11, abs=0.01)
    assert second / 1e9 == pytest.approx(0.012, abs=0.001)
    assert 0.4 < whole / (second * 10 / float(MOMENT_SECONDS)) < 0.55


def test_the_tables_of_a_small_data_set_add_up(media, weights, tmp_path, capsys, monkeypatch):
    for label in ("rooster", "rain"):
        (tmp_path / "events" / label).mkdir(parents=True)
        for fold in (1, 2, 4, 5):
            path = min((media / "esc10" / label).glob(f"{fold}-*.ogg"))
            shutil.copy(path, tmp_path / "events" / label)
    (tmp_path / "footage").mkdir()
    for name in FOOTAGE:
        shutil.copy(media / "fight" / name, tmp_path / "footage")
    folder = tmp_path / "videos"
    lay_events(tmp_path / "events", footage=tmp_path / "footage", output=folder, seconds=16)
    file = weights / "mn04_as_mAP_432.pt"
    arguments = map(str, (folder, file, tmp_path / "out"))
    monkeypatch.setattr(sys, "argv", ["", *arguments, "--seeds", "1"])
    listen_first.main()
    printed = capsys.readouterr().out
    assert "4 train videos, 2 of test" in printed
    tables = [line.strip("| ").split(" | ") for line in printed.splitlines() if " | " in line]
    ways = {(row[0], row[1]): row[2:] for row in tables if len(row) == 11 and row[0] != "way"}
    assert len(ways) == 2 * len(listen_first.CHOSEN) + len(listen_first.BLIND)
    second = listen_first.macs_of_sound(efficientat_mn04().eval(), 16_000) / 1e9
    for way in listen_first.BLIND:
        right, by_seen, _, _, heard, seen, *_, gmacs, _ = ways[way.name, "second by second"]
        assert (right, float(heard)) == (by_seen, float(seen))
        assert float(gmacs) == pytest.approx(int(heard) * (second + 0.384), abs=0.02 * int(heard))
    assert ways["blind, 1 in 1", "second by second"][3] == "100.0 ± 0.0"  # every event is seen
    again = listen_first.trained_networks(tmp_path / "out/whole_track", "one_look", [1])
    assert again[0].class_names == ("rain", "rooster")
