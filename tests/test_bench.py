"""The frame of the benchmarks, without their times."""

import os
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "benchmarks"))

import bench  # noqa: E402 - its folder is on the path from here on


@pytest.fixture
def clock(monkeypatch):
    """Seconds that only pass where a test says so."""
    spent = [0.0]
    monkeypatch.setattr(bench, "now", lambda: spent[0])

    def wait(seconds):
        spent[0] += seconds

    return wait


def test_a_line_has_the_ratio_of_the_rates_and_says_whether_it_is_enough(clock):
    row = bench.Row("ours", "a peer", lambda: clock(2), lambda: clock(6), 3.5)
    line = bench.table_line(row, 3)
    assert line == "| ours | a peer | 3.00 | 3.00 to 3.00 | 3.5 | no | 2 | 6 |"


def test_twice_the_work_in_the_same_time_is_twice_the_rate(clock):
    row = bench.Row("ours", "a peer", lambda: clock(1), lambda: clock(1), 2, work=2)
    assert "| 2.00 | 2.00 to 2.00 | 2 | yes |" in bench.table_line(row, 1)


def test_ours_and_the_peer_run_in_turn_after_a_warm_up(clock):
    order = []
    row = bench.Row(
        "a",
        "b",
        lambda: order.append("ours") or clock(1),
        lambda: order.append("peer") or clock(1),
        0,
    )
    bench.table_line(row, 2)
    assert order == ["ours", "peer"] * 3


def test_a_share_of_cores_is_cpu_seconds_by_the_clocks(monkeypatch):
    """Half of one second on each of two cores, in one second by the clock, is half."""
    time = {"clock": 0.0, "spent": 0.0}
    monkeypatch.setattr(bench, "spent_cpu_seconds", lambda: time["spent"])
    monkeypatch.setattr(bench.time, "monotonic", lambda: time["clock"])

    def ours():
        time["clock"] += 1
        time["spent"] += 1

    row = bench.Row("ours", "two cores", ours, None, 0.9, cores=2)
    assert "| 0.50 | 0.50 to 0.50 | 0.9 | no | 1 | 0.5 |" in bench.table_line(row, 2)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the system pins no process")
def test_a_row_stays_on_one_core_and_the_others_come_back():
    before = os.sched_getaffinity(0)
    with bench.on_cores(1):
        assert len(os.sched_getaffinity(0)) == 1
        with bench.on_cores(len(bench.ALL_CORES)):
            assert os.sched_getaffinity(0) == set(bench.ALL_CORES)
        assert len(os.sched_getaffinity(0)) == 1
    assert os.sched_getaffinity(0) == before


def test_the_machine_and_every_version_are_named():
    assert all(re.search(rf"\b{name} \d", bench.machine()) for name in bench.PACKAGES)


def test_the_libraries_that_pyav_carries_get_the_names_that_torchcodec_looks_for(tmp_path):
    links, carried = map(Path, bench.link_libraries(tmp_path).split(":"))
    names = {path.name.partition(".so.")[0]: path for path in links.iterdir()}
    assert {"libavcodec", "libavformat", "libavutil", "libswscale"} <= names.keys()
    for path in names.values():
        assert re.fullmatch(r"lib(av|sw)[a-z]+\.so\.\d+", path.name)
        assert path.resolve().parent == carried.resolve()


@pytest.mark.parametrize("name", bench.files())
def test_every_file_of_ratios_has_rows(name):
    text = (bench.RATIOS / f"{name}.py").read_text(encoding="utf-8")
    assert re.search(r"^def rows\(\w+: Path.*\) -> Iterator\[Row\]:$", text, re.MULTILINE)


def test_the_row_of_features_reads_the_same_numbers_as_its_peer(tmp_path, monkeypatch):
    features = pytest.importorskip("ratios.features")
    monkeypatch.setattr(features, "MOMENTS", 7)
    monkeypatch.setattr(features, "CHANNELS", 5)
    later, first = features.rows(tmp_path, videos=9)
    for row in (later, first):
        row.ours(), row.peer()
    plain = features.PlainFiles(tmp_path, 9)
    store = features.read_features(tmp_path / "set")
    for video in range(9):
        loaded = store.load(f"v{video}").features
        assert all((plain[video][name].numpy() == loaded[name]).all() for name in features.NAMES)
