"""Several seeds of one configuration."""

from l2l.evaluation.artifact import BY_NAME
from l2l.stores import read_table, write_table
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
