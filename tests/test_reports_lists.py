"""Lists after public reports, each with what must become of it: `EXPECT.tsv` of their folder."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from list_worlds import section, write
from workflow_runs import TINY, environment, snakemake, tiny_with

from l2l.errors import BadInput
from l2l.manifest.artifact import Segment, Video, read_videos
from l2l.manifest.listing import list_dataset

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def reports() -> Path:
    """The folder of small inputs after public reports; `L2L_REPORTS` names it."""
    default = ROOT / ".." / "shared" / "reports"
    folder = Path(os.environ.get("L2L_REPORTS", default)).resolve()
    if not folder.is_dir():
        pytest.skip(f"needs the inputs in {folder}; set L2L_REPORTS to the folder that holds them")
    return folder


def listed(folder: Path, monkeypatch) -> dict[str, Video]:
    """The videos of a report's `section.yaml`, whose paths are relative to its folder."""
    monkeypatch.chdir(folder)
    (fields,) = yaml.safe_load((folder / "section.yaml").read_text())["videos"].values()
    return {video.video: video for video in list_dataset(section(**fields), seed=0)}


def test_an_unquoted_comma_stops_with_its_line(reports, monkeypatch):
    with pytest.raises(BadInput, match=r"train.csv: line 1 has 3 cells, expected 2"):
        listed(reports / "d01b_unquoted_comma_vggsound", monkeypatch)


def test_classes_with_the_number_behind_the_name_are_not_swapped(reports, monkeypatch):
    videos = listed(reports / "d02_classes_name_comma_number", monkeypatch)
    assert [video.label for video in videos.values()] == ["praying", "clapping"] * 2


def test_a_segment_past_the_duration_is_cut(reports, monkeypatch):
    videos = listed(reports / "d03_segment_outlasts_duration", monkeypatch)
    assert videos["aaaaaaaaaaa"].segments == (Segment(0.6, 1.2, "Jump"),)


def test_a_video_whose_only_segment_lasts_no_time_has_no_action(reports, monkeypatch):
    videos = listed(reports / "d03b_segment_of_no_length", monkeypatch)
    assert videos["aaaaaaaaaaa"].segments == ()
    assert videos["bbbbbbbbbbb"].segments == (Segment(0, 1, "Run"),)


def test_json_with_a_byte_order_mark_is_read(reports, monkeypatch):
    videos = listed(reports / "d04_json_bom", monkeypatch)
    assert [video.label for video in videos.values()] == ["Jump", "Run", "Jump"]


def test_a_label_that_is_null_stops_with_the_video(reports, monkeypatch):
    with pytest.raises(BadInput, match="video 'aaaaaaaaaaa': label is None"):
        listed(reports / "d05_label_null", monkeypatch)


@pytest.mark.parametrize(
    "name", ["d07_nfc_list_nfd_disk", "d08b_backslash_mmaction2", "d12_two_spaces_mmaction2"]
)
def test_a_name_that_is_written_in_another_way_is_found(reports, monkeypatch, name):
    videos = listed(reports / name, monkeypatch)
    assert [(video.status, video.path.is_file()) for video in videos.values()] == [("ok", True)] * 3


def test_a_list_in_another_encoding_stops_with_line_and_encoding(reports, monkeypatch):
    with pytest.raises(BadInput, match=r"list.csv: line 2 is not UTF-8; it may be cp1252"):
        listed(reports / "d09_cp1252_labels", monkeypatch)


def test_rows_of_empty_cells_are_passed_over(reports, monkeypatch):
    videos = listed(reports / "d11_excel_empty_rows", monkeypatch)
    assert [video.label for video in videos.values()] == ["jump", "run", "run"]


@pytest.mark.workflow
def test_braces_in_the_names_of_folders_and_lists_mean_themselves(reports, tmp_path):
    place = tmp_path / "{a..b} {run}"
    place.mkdir()
    source = reports / "d15_braces_in_folder/da{ta}"
    (place / "da{ta}").symlink_to(source)
    files = sorted(path.relative_to(source) for path in source.glob("*/*/*.mp4"))
    rows = [f"{file},{file.parts[1]},{file.parts[0]}" for file in files]
    table = write(place / "li{st}.csv", "clip,action,part", *rows)
    fields = {"role": "both", "shards": 1, "folder": str(place / "da{ta}")}
    columns = {"video_column": "clip", "label_column": "action", "split_column": "part"}
    for adapter in (
        {"adapter": "folder"},
        {"adapter": "table", "tables": [str(table)], **columns},
    ):
        run = adapter["adapter"]
        config = tiny_with(tmp_path / "c.yaml", {"mine": fields | adapter}, run=run)
        wanted = f"results/{run}/media/mine/videos.tsv"
        finished = snakemake(tmp_path, wanted, configfile=config)
        assert finished.returncode == 0, json.dumps(finished.stderr[-3000:])
        assert {video.status for video in read_videos(tmp_path / wanted)} == {"ok"}


def test_a_brace_in_the_path_of_the_checkout_is_refused_in_one_line(tmp_path):
    checkout = tmp_path / "a{b}c"
    checkout.mkdir()
    for name in ("Snakefile", "workflow", "profiles", "l2l", "environment.yml"):
        (checkout / name).symlink_to(ROOT / name)
    argv = [sys.executable, "-m", "snakemake", "--snakefile", str(checkout / "Snakefile")]
    argv += ["--directory", str(tmp_path), "--configfile", str(TINY), "--dry-run"]
    refused = subprocess.run(argv, env=environment(), capture_output=True, text=True, check=False)
    assert refused.returncode != 0
    output = refused.stdout + refused.stderr
    assert "a{b}c: Snakemake takes a brace in the path of a checkout" in output
    assert "Traceback" not in refused.stderr


def test_a_file_of_weights_with_a_brace_in_its_path_is_refused_in_one_line(tmp_path):
    config = tiny_with(tmp_path / "c.yaml", student={"image_weights": "/data/{run}/w.pt"})
    refused = snakemake(tmp_path, "--dry-run", configfile=config)
    assert refused.returncode != 0
    assert re.search(r"/data/\{run\}/w.pt: .*wildcard; rename", refused.stdout + refused.stderr)
    assert "Traceback" not in refused.stderr
