"""The numbers of the report's page: digits, orders of methods, warnings, curves, seconds."""

import pytest

from l2l.errors import BadInput
from l2l.evaluation.artifact import BY_NAME, Column
from l2l.evaluation.videos.methods import METHODS
from l2l.manifest.artifact import Video
from l2l.report.bars import status_bars
from l2l.report.confusions import confused_pairs, confusion_matrix, gain_bars, videos_to_show
from l2l.report.costs import not_converged
from l2l.report.digits import cell, decimals, significant
from l2l.report.epochs import Training, read_trainings
from l2l.report.orders import order, right_answers
from l2l.report.relations import reported_orders
from l2l.report.sections import Target, quoted_table1, section
from l2l.report.spent import read_spent
from l2l.report.verdict import headline, holding, recognised, usable_files
from l2l.report.worth import run_warnings


def answers(method, right, of, predicted="b", offset=0):
    """Rows of predictions.tsv of one method, right about the first `right` of `of` videos."""
    return [
        {
            "video": f"v{i}",
            "label": "a" if i % 2 else "c",
            "method": method,
            "predicted": ("a" if i % 2 else "c") if i < right else predicted,
            "probability": f"{0.5 + i / 1000:.3f}",
        }
        for i in range(offset, of)
    ]


@pytest.mark.parametrize(
    ("half_width", "expected"), [(31, 0), (7.5, 0), (1, 0), (0.75, 1), (0.07, 2), (0.001, 2)]
)
def test_the_half_width_of_the_interval_decides_how_many_digits_are_shown(half_width, expected):
    assert decimals(half_width) == expected


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0492, "0.0492"), (0.31234, "0.312"), (62.375, "62.4"), (1234.5, "1,234"), (0, "0")],
)
def test_other_numbers_have_three_significant_digits(value, text):
    assert significant(value) == text


def test_an_accuracy_is_shown_with_its_interval_or_as_its_videos_allow():
    row = {"top1": "54.37", "top1_low": "46.87", "top1_high": "61.88", "map": "59.71"}
    assert cell(row, Column("top1", "top-1", "%"), 160) == "54 (47 to 62)"
    assert cell(row, Column("map", "mAP", "%"), 160) == "60"
    assert cell(row, Column("map", "mAP", "%"), 100_000) == "59.7"


def test_a_quoted_number_is_shown_as_its_source_prints_it():
    ours = {"quoted": "no", "map": "71.67", "quoted_top1": "70.3"}
    assert cell(ours, Column("map", "mAP", "%"), 160) == "72"
    assert cell(ours | {"quoted": "yes"}, Column("map", "mAP", "%"), 160) == "71.67"
    assert cell(ours, Column("quoted_top1", "paper", "%"), 160) == "70.3"


def test_an_order_is_known_where_the_interval_of_the_difference_leaves_no_other():
    right = right_answers(
        [*answers("ours_dense", 80, 100), *answers("uniform", 40, 100), *answers("dense", 78, 100)]
    )
    above = order(right["ours_dense"], right["uniform"])
    assert (above.known, above.word, above.text) == (True, "more than", "+40 ± 10 points")
    assert order(right["uniform"], right["ours_dense"]).word == "less than"
    close = order(right["ours_dense"], right["dense"])
    assert (close.known, close.word) == (False, "compared with")
    equal = order(right["dense"], right["dense"])
    assert (equal.known, equal.text) == (False, "+0 ± 3 points")  # 3 of 100 could still differ


def test_other_runs_than_the_demo_get_the_orders_that_the_paper_reports():
    rows = [*answers("ours_dense", 80, 100), *answers("uniform", 40, 100)]
    rows += [*answers("dense", 79, 100), *answers("lstm", 95, 100)]
    ends = {"top1_low": "60", "top1_high": "70", "top1": "65", "videos": "100"}
    lower = {"top1_low": "30", "top1_high": "40", "top1": "35", "videos": "100"}
    clips = [
        {"modalities": "image-audio", "distilled": "yes", **ends},
        {"modalities": "image-audio", "distilled": "no", **ends},
        {"modalities": "image", "distilled": "yes", **lower},
    ]
    holds = {each.expected: each.holds for each in reported_orders(rows, clips)}
    assert holds["Ours (dense) is above Uniform"] is True
    assert holds["Ours (dense) is above Dense"] is None
    assert holds["Ours (dense) is above LSTM"] is False
    assert holds["Ours (dense) is above Random"] is None
    assert holds["The distilled image-audio student is above the one that is not distilled"] is None
    assert holds["The distilled image-audio student is above the image student"] is True
    counts = holding(reported_orders(rows, clips))
    assert (counts["judged"], counts["hold"], counts["open"]) == (3, 2, 2)


def test_a_method_that_gives_one_class_to_nearly_all_videos_is_warned_about():
    good = [*answers("ours_dense", 90, 100), *answers("uniform", 30, 100)]
    assert run_warnings(good) == []
    (warning,) = run_warnings([*good, *answers("lstm", 10, 100)])
    assert warning == "One class for nearly all videos, b for 90 of 100: LSTM."


def test_too_few_test_videos_are_warned_about_with_the_interval():
    (warning,) = run_warnings([*answers("ours_dense", 5, 9), *answers("uniform", 4, 9)])
    assert "9 test videos are too few to order Ours (dense) and Uniform" in warning
    assert "+11 ± 21 points" in warning


@pytest.mark.parametrize(
    ("loss", "trouble"),
    [
        ([3, 1, 0.5, 0.2, 0.11, 0.1], ""),
        ([3, 2.5, 2, 1.5, 1, 0.5], "the loss still falls"),
        ([2.8, 2.7, 2.6, 2.5, 2.47], "the loss has hardly fallen"),
        ([2.8], ""),
    ],
)
def test_a_training_that_has_not_converged_is_warned_about(loss, trouble):
    training = Training("train_skimmer/lstm", len(loss), {"loss": loss})
    assert training.trouble == trouble
    assert ("train_skimmer/lstm" in "".join(not_converged([training]))) == bool(trouble)


def test_learning_curves_are_read_from_the_logs_of_the_trainings(tmp_path):
    (tmp_path / "train_skimmer").mkdir()
    lines = [f"epoch {i}/3 loss {3 - i} val_top1 0.{i} seconds 9.1" for i in (1, 2, 3)]
    lines.insert(1, "UserWarning: epoch of something else")
    (tmp_path / "train_skimmer/lstm.log").write_text("\n".join(lines))
    (tmp_path / "train_teacher.log").write_text("loaded\n")
    (training,) = read_trainings(tmp_path)
    assert (training.name, training.planned, training.epochs) == ("train_skimmer/lstm", 3, 3)
    assert training.curves == {"loss": [2, 1, 0], "val_top1": [0.1, 0.2, 0.3]}
    (tmp_path / "train_teacher.log").write_text("epoch 1/2 loss high\n")
    with pytest.raises(BadInput, match=r"train_teacher\.log: epoch 1: loss is 'high'"):
        read_trainings(tmp_path)


def test_seconds_and_memory_are_of_each_rules_jobs_but_not_of_the_page_itself(tmp_path):
    (tmp_path / "compute_mels/clips").mkdir(parents=True)
    for name, cells in (
        ("compute_mels/clips/a", "1.5\t100.0"),
        ("compute_mels/clips/b", "2.5\tNA"),
        ("train_teacher", "9\t700"),
        ("write_report", "99\t700"),
    ):
        (tmp_path / f"{name}.tsv").write_text(f"s\tmax_rss\n{cells}\n")
    spent = [(each.rule, each.jobs, each.seconds, each.megabytes) for each in read_spent(tmp_path)]
    assert spent == [("train_teacher", 1, 9, 700), ("compute_mels", 2, 4, 100)]


def test_half_of_the_shown_videos_are_right_and_half_the_most_confident_errors():
    rows = answers("ours_dense", 6, 10)
    assert videos_to_show(rows, 4) == ["v0", "v3", "v9", "v8"]
    assert videos_to_show(answers("ours_dense", 10, 10), 3) == ["v0", "v3", "v6"]
    assert videos_to_show(answers("ours_dense", 1, 10), 3) == ["v0", "v9", "v8"]
    assert videos_to_show(rows, 0) == videos_to_show([], 4) == []


def test_confusions_are_counted_by_label_and_prediction():
    rows = answers("ours_dense", 6, 10)
    matrix = confusion_matrix(rows)
    assert matrix["classes"] == ["a", "b", "c"]
    counts = [[each["count"] for each in row["cells"]] for row in matrix["rows"]]
    assert counts == [[3, 2, 0], [0, 0, 0], [0, 2, 3]]
    assert confused_pairs(rows) == [("a", "b", 2), ("c", "b", 2)]
    many = [{"label": f"{i}", "predicted": "x"} for i in range(50)]
    assert confusion_matrix(many) is None


def test_a_gain_is_a_bar_to_the_right_of_the_middle_and_a_loss_to_the_left():
    rows = [
        {"class": "a", "videos": "3", "ours_top1": o, "uniform_top1": u, "gain_top1": g}
        for o, u, g in (("80", "40", "40.00"), ("20", "40", "-20.00"))
    ]
    (gain,), (loss,) = (bar["parts"] for bar in gain_bars(rows))
    assert (gain["x"], gain["width"], gain["colour"]) == ("50.0", "20.0", "good")
    assert (loss["x"], loss["width"], loss["colour"]) == ("40.0", "10.0", "bad")


def test_files_are_counted_by_split_and_status():
    videos = [
        Video(f"{i}", "", "test", ("a",), status="corrupt" if i < 2 else "ok") for i in range(8)
    ]
    (bar,) = status_bars({"mine": videos})
    assert (bar["label"], bar["text"]) == ("mine, test", "2 corrupt, 6 ok")
    assert [(part["width"], part["colour"]) for part in bar["parts"]] == [
        ("75.00", "good"),
        ("25.00", "bad"),
    ]
    counts = usable_files({"mine": videos})
    assert (counts["usable"], counts["all"], counts["unusable"]) == ("6", "8", "2 corrupt")


def test_the_verdict_compares_ours_with_uniform_and_dense():
    row = {"top1_low": "70", "top1_high": "90", "videos": "100", "gmacs_per_video": "0.3"}
    table1 = [row | {"method": m, "top1": t} for m, t in (("uniform", "40"), ("ours_dense", "80"))]
    rows = [*answers("ours_dense", 80, 100), *answers("uniform", 40, 100)]
    verdict = recognised(table1, rows)
    assert (verdict["name"], verdict["top1"], verdict["low"]) == ("Ours (dense)", "80", "70")
    (other,) = verdict["others"]
    assert (other["name"], other["order"].text) == ("Uniform", "+40 ± 10 points")
    assert recognised(table1[:1], rows) is None
    assert headline(table1) == (
        "Ours (dense) 80 % top-1 with 0.300 GMACs per video; "
        "Uniform 40 % top-1 with 0.300 GMACs per video"
    )
    assert headline([table1[0] | {"method": "lstm"}]).startswith("LSTM 40 % top-1")


def test_the_verdict_has_the_best_row_and_the_cheapest_that_is_not_known_to_be_worse():
    costs = {"ours_dense": "0.3", "one_look_dense": "0.4", "uniform": "0.05", "oracle": "0.3"}
    right = {"ours_dense": 60, "one_look_dense": 80, "uniform": 30, "oracle": 99}
    ends = {"top1_low": "50", "top1_high": "70", "videos": "100"}
    table1 = [
        ends | {"method": m, "top1": str(right[m]), "gmacs_per_video": costs[m]} for m in costs
    ]
    rows = [row for method, count in right.items() for row in answers(method, count, 100)]
    verdict = recognised(table1, rows)
    assert verdict["best"]["name"] == "One look (dense)"
    assert verdict["best"]["order"].points == pytest.approx(20)
    assert verdict["cheapest"] is None
    cheap = ends | {"method": "one_look_sparse", "top1": "78", "gmacs_per_video": "0.06"}
    verdict = recognised([*table1, cheap], [*rows, *answers("one_look_sparse", 78, 100)])
    assert verdict["cheapest"]["name"] == "One look (sparse)"
    first = recognised(table1[:1] + table1[2:], rows)
    assert (first["best"], first["cheapest"]) == (None, None)


def test_the_papers_own_column_is_shown_for_its_data_sets_alone():
    quoted = quoted_table1("activitynet")["ActivityNet"]
    assert (quoted["ours_dense"], quoted["uniform"], quoted["dense"]) == ("71.1", "64.8", "66.3")
    for adapter in ("activitynet", "mini_sports1m"):
        for by_method in quoted_table1(adapter).values():
            assert set(by_method) <= {method.name for method in METHODS if method.paper}
    assert quoted_table1("folder") == {}
    table = BY_NAME["table1"]
    row = {column.name: "50.00" for column in table.columns} | {"method": "ours_dense"}
    shown = section(table, [row], "", Target("activitynet", 100))
    assert shown["headings"][-1] == ("paper, ActivityNet, top-1 (%)", False)
    assert shown["rows"][0]["cells"][-1] == "71.1"
    other = section(table, [row], "", Target("folder", 100))
    assert not [heading for heading, _ in other["headings"] if "paper" in heading]


def test_the_demos_margins_are_expected_of_the_demo_alone():
    assert Target("demo", 160).is_demo
    assert not Target("demo", 99).is_demo, "too few videos"
    assert not Target("demo", 160, action_seconds=2.7).is_demo, "short actions"
    assert not Target("folder", 160).is_demo
