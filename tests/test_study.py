"""Several seeds of one configuration."""

from l2l.evaluation.artifact import BY_NAME
from l2l.stores import read_table, write_table
from l2l.tools.summarise_scsampler import summarise_scsampler
from l2l.tools.summarise_study import summarise_study

TABLE1_COLUMNS = BY_NAME["table1"].column_names


def test_a_study_has_mean_and_standard_deviation_of_every_metric_over_its_runs(tmp_path):
    for seed, top1 in enumerate((50.0, 60.0)):
        row = dict.fromkeys(TABLE1_COLUMNS, "1.0") | {"method": "ours_dense", "top1": str(top1)}
        write_table(tmp_path / f"t{seed}", TABLE1_COLUMNS, [row])
        clip = {
            "model": "teacher",
            "modalities": "",
            "distilled": "",
            "top1": str(top1),
            "gmacs_per_clip": "1",
        }
        write_table(tmp_path / f"c{seed}", tuple(clip), [clip])
    summarise_study(
        [tmp_path / "t0", tmp_path / "t1"],
        [tmp_path / "c0", tmp_path / "c1"],
        tmp_path / "t",
        tmp_path / "c",
    )
    (row,) = read_table(
        tmp_path / "t", ("map_interpolated_mean", "top1_all_std", "gmacs_per_video")
    )
    assert (row["top1_mean"], row["top1_std"], row["top1_min"], row["top1_max"]) == (
        "55.00",
        "7.07",
        "50.00",
        "60.00",
    )
    assert read_table(tmp_path / "c", ("top1_mean",))[0]["top1_mean"] == "55.00"


def test_scsamplers_study_counts_the_runs_in_which_a_relation_of_the_poster_holds(tmp_path):
    columns = BY_NAME["scsampler"].column_names
    for seed, top1 in enumerate((80.0, 40.0, 60.0)):
        rows = [
            dict.fromkeys(columns, "1.0")
            | {"table": "objective", "row": name, "top1": str(value), "quoted_top1": quoted}
            | {"top1_low": str(value - 5), "top1_high": str(value + 5)}
            for name, value, quoted in (
                ("visual_class", top1, "73.05"),
                ("visual_right", 50.0, "63.17"),
            )
        ]
        write_table(tmp_path / f"s{seed}", columns, rows)
    tables = [tmp_path / f"s{seed}" for seed in range(3)]
    summarise_scsampler(tables, tmp_path / "s", tmp_path / "r")
    first, _ = read_table(tmp_path / "s", ("table", "row", "top1_mean", "top1_std", "runs"))
    assert (first["row"], first["top1_mean"], first["top1_std"]) == (
        "visual_class",
        "60.00",
        "20.00",
    )
    (relation,) = read_table(tmp_path / "r", ("above", "below", "poster", "runs", "holds", "apart"))
    assert (relation["above"], relation["below"]) == ("visual, AC", "visual, SAL-CL")
    assert (relation["poster"], relation["measured_mean"]) == ("9.88", "10.00")
    assert (relation["measured_min"], relation["measured_max"]) == ("-10.00", "30.00")
    assert (relation["runs"], relation["holds"], relation["apart"]) == ("3", "2", "1")
