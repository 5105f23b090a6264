"""The report: expected relations, plots, sections of tables."""

import json
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import feature_world
import numpy as np
import pytest
from markupsafe import escape
from matplotlib.figure import Figure
from matplotlib.text import Text

from l2l.config import ReportConfig
from l2l.errors import BadInput
from l2l.evaluation.artifact import BY_NAME, TABLES, Column, Table, write_evaluation_table
from l2l.evaluation.videos.methods import METHODS
from l2l.manifest.artifact import read_videos, write_videos
from l2l.report.figures import clips_plot, cost_plot, frontier_plot, picture_address, tradeoff_plot
from l2l.report.relations import relations
from l2l.report.stage import write_report
from l2l.stores import write_table
from l2l.tools.inspect import inspect

SVG = "{http://www.w3.org/2000/svg}"
LABELS = [method.label for method in METHODS]


def table1(**top1: float) -> list[dict[str, str]]:
    return [
        {
            "method": method.name,
            "top1": f"{top1.get(method.name, 70.0):.2f}",
            "map": "70.00",
            "gmacs_per_video": f"{i + 1}",
            "moments": "10.00",
            "index_gmacs_per_video": "0.25" if method.name == "ours_sparse" else "1",
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


def stops(three=79.0, ten=80.0) -> list[dict[str, str]]:
    """Rows of tradeoff.tsv; sparse reading is not asked about."""
    cells = [("1", "2", 60), ("1", "3", three), ("1", "10", ten), ("5", "3", 10), ("5", "10", 90)]
    rows = [{"factor": f, "steps": s, "top1": f"{top1:.2f}"} for f, s, top1 in cells]
    of_skimmer = [{"network": "skimmer"} | row for row in rows]
    return [*of_skimmer, {"network": "one_look", "factor": "1", "steps": "", "top1": "99.00"}]


def broken(table, clip_rows, tradeoff=None) -> list[str]:
    found = relations(table, clip_rows, stops() if tradeoff is None else tradeoff)
    return [relation.expected for relation in found if not relation.holds]


def test_a_run_in_which_every_relation_holds():
    assert broken(table1(ours_dense=80, ours_sparse=79), clips()) == []


@pytest.mark.parametrize(
    ("table", "clip_rows", "relation"),
    [
        (table1(ours_dense=80, ours_sparse=79), clips(teacher=84), "teacher's top-1 accuracy"),
        (table1(ours_dense=80, ours_sparse=79), clips(both=86), "8 points below the teacher"),
        (table1(ours_dense=80, ours_sparse=79), clips(image=66), "above the image student"),
        (table1(ours_dense=80, ours_sparse=79), clips(audio=66), "above the audio student"),
        (
            table1(ours_dense=80, ours_sparse=79),
            clips(undistilled=91),
            "above the one that is not distilled",
        ),
        (table1(ours_dense=80, ours_sparse=79, dense=76), clips(), "5 points above Dense"),
        (table1(ours_dense=80, ours_sparse=79, scsampler=76), clips(), "5 points above SCSampler"),
        (table1(ours_dense=80, ours_sparse=79, lstm=80), clips(), "is above LSTM"),
        (table1(ours_dense=80, ours_sparse=79, non_recurrent=81), clips(), "above Non-Recurrent"),
        (table1(ours_dense=80, ours_sparse=77), clips(), "at most 2 points below ours (dense)"),
        (
            table1(ours_dense=100, ours_sparse=100),
            clips(),
            "None of the paper's methods is at the ceiling",
        ),
    ],
)
def test_each_relation_depends_on_its_own_metrics(table, clip_rows, relation):
    (failed,) = broken(table, clip_rows)
    assert relation in failed


def test_three_steps_suffice_where_they_lose_two_points_at_most():
    rows = table1(ours_dense=80, ours_sparse=79)
    assert broken(rows, clips(), stops(three=78)) == []
    (failed,) = broken(rows, clips(), stops(three=77.9))
    assert "stopped after three steps" in failed


def test_a_relation_without_its_metrics_is_not_judged():
    rows = table1(ours_dense=80, ours_sparse=79)
    assert sum(relation.holds is None for relation in relations(rows, [])) == 6
    chosen = [row for row in rows if row["method"] in ("ours_dense", "dense")]
    unknown = [r.expected for r in relations(chosen, clips()) if r.holds is None]
    # uniform, SCSampler, LSTM, non-recurrent, ours (sparse) twice, three steps
    assert len(unknown) == 7
    assert all(relation.holds is None for relation in relations([], []))


def test_the_plot_names_every_method_once_as_the_paper_does_and_is_reproducible():
    plot = cost_plot(table1(ours_dense=80)).whole()
    assert plot.startswith("<svg")
    assert all(plot.count(f">{label}<") == 1 for label in LABELS)
    assert plot == cost_plot(table1(ours_dense=80)).whole()


def test_methods_with_equal_accuracy_and_cost_are_all_named():
    rows = [row | {"gmacs_per_video": "0.017", "top1": "55.88"} for row in table1()]
    plot = cost_plot(rows).whole()
    assert all(plot.count(f">{label}<") == 1 for label in LABELS)


def test_the_plot_of_clips_names_the_teacher_and_every_student():
    plot = clips_plot(clips()).whole()
    for name in ("teacher", "image", "audio", "image-audio", "not distilled"):
        assert len(re.findall(f">{name}<", plot)) == 1, name


def test_a_fine_tuned_teacher_has_a_point_and_the_relations_are_those_of_the_fixed_one():
    rows = clips()
    teacher = next(row for row in rows if row["model"] == "teacher")
    fixed = [teacher | {"model": "teacher_linear_head"}]
    more = [*fixed, teacher | {"model": "teacher_finetuned", "top1": "1.00"}, *rows[1:]]
    plot = clips_plot(more).whole()
    assert plot.count(">teacher finetuned<") == plot.count(">teacher linear head<") == 1
    assert broken(table1(ours_dense=80, ours_sparse=79), more) == []


def test_the_tradeoff_has_a_curve_for_some_steps_and_for_some_factors():
    rows = [
        {"network": "skimmer", "factor": f"{f}", "steps": f"{k}", "top1": f"{f + k}"}
        | {"gmacs_per_video": "0.3"}
        for f in range(1, 21)
        for k in range(1, 5)
    ]
    plot = tradeoff_plot(rows).whole()
    assert "one look" not in plot
    look = {"network": "one_look", "steps": "", "top1": "50", "gmacs_per_video": "0.2"}
    looks = [look | {"factor": f} for f in ("1", "5")]
    assert ">one look<" in tradeoff_plot([*rows, *looks]).whole()
    assert re.findall(r">(\d+ steps?|factor \d+)<", plot) == [
        *("1 step", "2 steps", "3 steps", "4 steps"),
        *("factor 1", "factor 2", "factor 5", "factor 10", "factor 20"),
    ]
    assert plot == tradeoff_plot(rows).whole()


def test_published_points_have_their_own_panel_unless_the_run_is_of_the_same_data_set():
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
    apart, together = (frontier_plot(rows, together).whole() for together in (False, True))
    assert "published, on ActivityNet: not comparable" in apart
    assert "not comparable" not in together
    for plot in (apart, together):
        assert ">Uniform<" in plot
        assert ">Ada&lt;b&gt;<" in plot


def markers(svg: str) -> list[tuple[float, float, list[str]]]:
    """Where each marker is, and its titles; those of a legend are not counted."""
    tree = ElementTree.fromstring(svg)
    legends = {
        use
        for group in tree.iter(SVG + "g")
        if group.get("id", "").startswith("legend")
        for use in group.iter(SVG + "use")
    }
    ticks = {
        use
        for group in tree.iter(SVG + "g")
        if "tick_" in group.get("id", "")
        for use in group.iter(SVG + "use")
    }
    return [
        (
            float(use.get("x")),
            float(use.get("y")),
            [title.text for title in use.iter(SVG + "title")],
        )
        for use in tree.iter(SVG + "use")
        if use not in legends | ticks
    ]


def test_every_marker_of_every_plot_says_what_it_is_its_value_and_its_cost():
    methods = [row | {"top1_low": "61", "top1_high": "79"} for row in table1(ours_dense=80)]
    networks = [row | {"top1_low": "8", "top1_high": "99"} for row in clips()]
    cell = {"network": "skimmer", "top1": "79", "gmacs_per_video": "0.31"}
    steps = [cell | {"factor": f, "steps": k} for f in ("1", "5") for k in ("1", "2", "3")]
    steps.append(cell | {"network": "one_look", "factor": "1", "steps": ""})
    points = [
        any_row(BY_NAME["frontier"])
        | {"method": name, "factor": factor, "steps": steps_done, "quoted": quoted}
        for name, factor, steps_done, quoted in (
            ("ours", "2", "1", "no"),
            ("uniform", "", "", "no"),
            ("AR-Net", "", "", "yes"),
            ("AdaFrame & <b>", "", "", "yes"),
        )
    ]
    for plot, count, example in (
        (cost_plot(methods), len(methods), "Uniform: top-1 70 % (61 to 79), 2.00 GMACs"),
        (clips_plot(networks), 5, "image-audio, not distilled: top-1 50 % (8 to 99), 1.00 GMACs"),
        (
            tradeoff_plot(steps),
            2 * len(steps[:-1]) + 1,
            "3 steps, factor 1: top-1 79 %, 0.310 GMACs",
        ),
        (
            frontier_plot(points, together=False),
            4,
            "AR-Net, <b>recognition_features</b>: mAP 7.5 %, 7.50 GMACs",
        ),
        (frontier_plot(points, together=True), 4, "Ours, 1 step, factor 2: mAP 8 %, 7.50 GMACs"),
    ):
        for drawn in ([plot.whole()], plot.pictures()):
            shown = [marker for svg in drawn for marker in markers(svg)]
            assert len(shown) == count, example
            assert all(len(titles) == 1 for *_, titles in shown)
            assert example in [titles[0] for *_, titles in shown]


def test_names_of_points_cover_no_marker():
    rows = [row | {"top1": f"{50 + i}"} for i, row in enumerate(table1())]
    (panel,) = cost_plot([row | {"gmacs_per_video": "0.3"} for row in rows]).panels
    axes = Figure(figsize=(4.9, 4.2), layout="constrained").subplots()
    panel(axes)
    axes.figure.draw_without_rendering()
    # of the text alone, without its line
    boxes = [Text.get_window_extent(text) for text in axes.texts]
    dots = [axes.transData.transform(line.get_xydata()[0]) for line in axes.lines]
    assert len(boxes) == len(dots) == len(rows)
    assert not any(box.contains(*dot) for box in boxes for dot in dots)


def test_a_picture_is_part_of_the_page():
    assert picture_address(np.zeros((8, 8, 3), np.uint8)).startswith("data:image/jpeg;base64,/9j/")


# ---- the page ------------------------------------------------------------------------------------


def write_page(world, files: list[Path], folder: Path) -> str:
    """The report of these tables, as text."""
    settings = {"run": "r", "videos": {world.videos.parent.name: {"adapter": "folder"}}}
    write_report(
        files,
        world.videos,
        world.videos,
        [],
        folder / "report.html",
        ReportConfig(film_strips=0),
        json.dumps(settings),
    )
    return (folder / "report.html").read_text()


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> feature_world.World:
    world = feature_world.make_world(tmp_path_factory.mktemp("world"), train=40, val=0, test=6)
    unusable = [video._replace(status="missing") for video in read_videos(world.videos)]
    write_videos(world.videos, unusable)  # so that no media are needed
    return world


def any_row(table: Table) -> dict[str, str]:
    """A row whose texts say in which column they are."""
    return {
        column.name: "7.5" if column.unit is not None else f"<b>{column.name}</b>"
        for column in table.columns
    }


@pytest.mark.parametrize(
    "table", [table for table in TABLES if table.in_report], ids=lambda table: table.name
)
def test_every_table_of_the_list_has_a_section_with_title_headings_and_caption(
    table, world, tmp_path, monkeypatch
):
    rows = [any_row(table)]
    if table.name in ("tradeoff", "frontier"):
        rows = [row | {"factor": "2", "steps": "1"} for row in rows]
    if table.name == "tradeoff":  # the plot is of the skimmer
        rows.append(rows[0] | {"network": "skimmer"})
    if table.name == "frontier":  # a plot of a run's own points and of quoted ones
        rows = [rows[0] | {"quoted": "no"}, rows[0] | {"quoted": "yes"}]
    write_evaluation_table(tmp_path / f"{table.name}.tsv", table.name, rows)
    page = write_page(world, [tmp_path / f"{table.name}.tsv"], tmp_path)
    assert f"<h2>{table.title}</h2>" in page
    assert escape(table.caption) in page
    for column in table.columns:
        is_end = column.name.endswith(("_low", "_high"))  # of an interval, in its metric's cell
        if column.heading:
            assert (f">{column.title}</th>" in page) != is_end
        if column.heading and column.unit is None and column.name != "quoted":
            assert f"&lt;b&gt;{column.name}&lt;/b&gt;" in page
    assert "<b>class</b>" not in page
    others = [other.title for other in TABLES if other is not table and other.in_report]
    assert not any(f"<h2>{title}</h2>" in page for title in others)


def test_a_long_table_shows_both_ends_and_names_the_file(world, tmp_path):
    rows = [any_row(BY_NAME["classes"]) | {"class": f"class-{i:02d}"} for i in range(25)]
    write_evaluation_table(tmp_path / "classes.tsv", "classes", rows)
    page = write_page(world, [tmp_path / "classes.tsv"], tmp_path)
    shown = re.findall(r"<td class=\"name\">class-(\d\d)<", page)
    assert shown == [f"{i:02d}" for i in (*range(10), *range(15, 25))]
    assert "25 rows" in page
    assert "classes.tsv" in page


def test_a_file_that_is_no_table_or_is_given_twice_is_refused(world, tmp_path):
    row = any_row(BY_NAME["classes"])
    write_evaluation_table(tmp_path / "classes.tsv", "classes", [row])
    with pytest.raises(BadInput, match="classes twice"):
        write_page(world, [tmp_path / "classes.tsv"] * 2, tmp_path)
    (tmp_path / "classes.tsv").rename(tmp_path / "klasses.tsv")
    with pytest.raises(BadInput, match=r"klasses\.tsv: .*expected one of .*classes"):
        write_page(world, [tmp_path / "klasses.tsv"], tmp_path)


def test_a_number_that_is_not_finite_is_refused_on_write_and_on_read(world, tmp_path):
    table = BY_NAME["classes"]
    with pytest.raises(BadInput, match=r"row 2: gain_ap is 'nan'"):
        rows = [any_row(table), any_row(table) | {"gain_ap": "nan"}]
        write_evaluation_table(tmp_path / "classes.tsv", "classes", rows)
    assert not (tmp_path / "classes.tsv").exists()
    write_table(tmp_path / "classes.tsv", table.column_names, [any_row(table) | {"gain_ap": "inf"}])
    with pytest.raises(BadInput, match=r"row 1: gain_ap is 'inf'"):
        write_page(world, [tmp_path / "classes.tsv"], tmp_path)


def test_warnings_about_labels_are_shown_and_escaped(world, tmp_path):
    write_evaluation_table(tmp_path / "classes.tsv", "classes", [any_row(BY_NAME["classes"])])
    assert "Warnings about labels" not in write_page(world, [tmp_path / "classes.tsv"], tmp_path)
    listed = read_videos(world.videos)
    listed[-1] = listed[-1]._replace(labels=("<b>never trained</b>",))
    changed = replace(world, videos=tmp_path / "videos.tsv")
    write_videos(changed.videos, listed)
    page = write_page(changed, [tmp_path / "classes.tsv"], tmp_path)
    assert "Warnings about labels" in page
    assert "&lt;b&gt;never trained&lt;/b&gt;" in page
    assert "<b>never" not in page


# ---- adding a table ------------------------------------------------------------------------------

LENGTHS = Table(
    "lengths",
    "Accuracy by length",
    "evaluate_videos",
    (Column("length", "length", "s"), Column("top1", "top-1", "%")),
    "One row per length of a video.",
)


def test_a_table_added_to_the_list_has_a_section_and_is_known_to_inspect(
    world, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr("l2l.evaluation.artifact.TABLES", (*TABLES, LENGTHS))
    monkeypatch.setattr("l2l.report.stage.TABLES", (*TABLES, LENGTHS))
    monkeypatch.setattr("l2l.evaluation.artifact.BY_NAME", {**BY_NAME, "lengths": LENGTHS})
    file = tmp_path / "lengths.tsv"
    write_evaluation_table(file, "lengths", [{"length": "30", "top1": "61.25"}])
    page = write_page(world, [file], tmp_path)
    assert "<h2>Accuracy by length</h2>" in page
    assert ">length (s)</th>" in page
    assert ">61</td>" in page  # of no test videos: no decimals
    assert inspect(file, check=True) == 0
    shown = capsys.readouterr().out
    assert "Accuracy by length, by evaluate_videos, complete, 1 rows" in shown
