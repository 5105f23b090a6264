"""The report: promises judged from the tables, nothing in a title or an id becomes markup."""

import re

import numpy as np
import pytest

from l2l.report.figures import clips_plot, cost_plot, frontier_plot, picture_address, tradeoff_plot
from l2l.report.relations import relations

METHODS = (
    "random",
    "uniform",
    "front",
    "center",
    "end",
    "scsampler",
    "dense",
    "lstm",
    "non_recurrent",
    "ours_sparse",
    "ours_dense",
)


def table1(**top1: float) -> list[dict[str, str]]:
    return [
        {
            "method": method,
            "top1": f"{top1.get(method, 70.0):.2f}",
            "map": "70.00",
            "gmacs_per_video": f"{i + 1}",
            "moments": "10.00",
            "index_gmacs_per_video": "0.25" if method == "ours_sparse" else "1",
        }
        for i, method in enumerate(METHODS)
    ]


def clips(
    teacher=95.0, both=90.0, undistilled=50.0, image=25.0, audio=24.0
) -> list[dict[str, str]]:
    rows = [
        ("teacher", "", "", teacher),
        ("student", "image-audio", "yes", both),
        ("student", "image-audio", "no", undistilled),
    ]
    rows += [("student", "image", "yes", image), ("student", "audio", "yes", audio)]
    return [
        {"model": m, "modalities": k, "distilled": d, "top1": f"{t:.2f}", "gmacs_per_clip": "1"}
        for m, k, d, t in rows
    ]


def broken(table, clip_rows) -> list[str]:
    return [relation.promise for relation in relations(table, clip_rows) if not relation.holds]


def test_a_run_that_keeps_every_promise_is_said_to():
    assert broken(table1(ours_dense=80, ours_sparse=79), clips()) == []


@pytest.mark.parametrize(
    ("table", "clip_rows", "promise"),
    [
        (table1(ours_dense=80, ours_sparse=79), clips(teacher=84), "The teacher names at least 85"),
        (table1(ours_dense=80, ours_sparse=79), clips(both=86), "within 8 points of the teacher"),
        (table1(ours_dense=80, ours_sparse=79), clips(image=66), "25 points above the image"),
        (table1(ours_dense=80, ours_sparse=79), clips(audio=66), "25 points above the sound"),
        (
            table1(ours_dense=80, ours_sparse=79),
            clips(undistilled=91),
            "above the one that was not distilled",
        ),
        (table1(ours_dense=80, ours_sparse=79, dense=76), clips(), "5 points above dense"),
        (table1(ours_dense=80, ours_sparse=79, scsampler=76), clips(), "5 points above scsampler"),
        (table1(ours_dense=80, ours_sparse=77), clips(), "sparse is within 2 points"),
        (table1(ours_dense=100, ours_sparse=100), clips(), "No method is at the ceiling"),
    ],
)
def test_each_promise_is_judged_by_its_own_figures(table, clip_rows, promise):
    found = broken(table, clip_rows)
    assert len(found) == 1
    assert promise in found[0]


def test_what_was_not_measured_is_not_judged():
    judged = relations(table1(ours_dense=80, ours_sparse=79), [])
    assert sum(relation.holds is None for relation in judged) == 5


def test_the_plot_names_every_method_once_and_is_the_same_every_time():
    plot = cost_plot(table1(ours_dense=80))
    assert plot.startswith("<svg")
    assert all(len(re.findall(f">{method}<", plot)) == 1 for method in METHODS)
    assert plot == cost_plot(table1(ours_dense=80))


def test_methods_that_are_equally_good_and_dear_are_all_named():
    rows = [row | {"gmacs_per_video": "0.017", "top1": "55.88"} for row in table1()]
    plot = cost_plot(rows)
    assert all(len(re.findall(f">{method}<", plot)) == 1 for method in METHODS)


def test_the_plot_of_clips_names_the_teacher_and_every_student():
    plot = clips_plot(clips())
    for name in ("teacher", "image", "audio", "image-audio", "not distilled"):
        assert len(re.findall(f">{name}<", plot)) == 1, name


def test_the_tradeoff_has_a_curve_for_some_steps_and_for_some_factors():
    rows = [
        {"factor": str(f), "steps": str(k), "top1": f"{f + k}"}
        for f in range(1, 21)
        for k in range(1, 5)
    ]
    plot = tradeoff_plot(rows)
    assert re.findall(r">(\d+ steps?|factor \d+)<", plot) == [
        *("1 step", "2 steps", "3 steps", "4 steps"),
        *("factor 1", "factor 2", "factor 5", "factor 10", "factor 20"),
    ]
    assert plot == tradeoff_plot(rows)


def test_published_points_stand_in_a_panel_of_their_own_unless_the_run_is_of_the_same_data_set():
    point = {
        "index_features": "",
        "recognition_features": "r",
        "factor": "",
        "steps": "",
        "map": "70",
        "gmacs_per_video": "9",
    }
    rows = [
        point | {"method": "uniform", "quoted": "no"},
        point | {"method": "Ada<b>", "quoted": "yes"},
    ]
    apart, together = frontier_plot(rows, together=False), frontier_plot(rows, together=True)
    assert "published, on ActivityNet: not comparable" in apart
    assert "not comparable" not in together
    for plot in (apart, together):
        assert ">uniform<" in plot
        assert ">Ada&lt;b&gt;<" in plot


def test_a_picture_is_part_of_the_page():
    assert picture_address(np.zeros((8, 8, 3), np.uint8)).startswith("data:image/jpeg;base64,/9j/")
