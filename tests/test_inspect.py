"""`l2l inspect`, and the checksums of tables and pages that it compares."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from small_stores import STORES, VIDEOS, write_some_features

from l2l.__main__ import main
from l2l.apply.artifact import Prediction, write_moments, write_predictions
from l2l.errors import BadInput
from l2l.evaluation.artifact import BY_NAME
from l2l.manifest.artifact import read_videos, write_videos
from l2l.stores import checksum_path, remove, write_table, write_text
from l2l.tools.inspect import inspect


@pytest.mark.parametrize("name", STORES)
def test_inspect_shows_what_a_store_is_and_what_made_it_and_compares_every_checksum(
    tmp_path, name, capsys
):
    STORES[name][0](tmp_path / name)
    assert inspect(tmp_path / name, check=True) == 0
    said = capsys.readouterr().out
    kind = {"network.pt": "line"}.get(name, name.removesuffix(".h5"))
    assert f"{name}: {kind}, complete" in said
    assert "made" in said
    assert "every checksum agrees" in said
    shard = tmp_path / name / "shard-000"
    if shard.exists():
        assert inspect(shard) == 0
        assert "2 videos, 6 moments" in capsys.readouterr().out


@pytest.mark.parametrize("check", [True, False])
def test_inspect_refuses_features_of_which_zarr_cannot_read_an_array(tmp_path, check):
    write_some_features(tmp_path / "features")
    said = tmp_path / "features/shard-000/image_feature/zarr.json"
    said.write_bytes(b"!" + said.read_bytes()[1:])
    with pytest.raises(BadInput, match=r"features.*: damaged"):
        inspect(tmp_path / "features", check)


def test_inspect_advises_no_one_to_delete_a_folder_that_is_no_store(tmp_path):
    (tmp_path / "precious.mp4").touch()
    with pytest.raises(BadInput, match=r"a folder without zarr\.json") as caught:
        inspect(tmp_path)
    assert "delete" not in str(caught.value)


def test_inspect_takes_no_empty_file_for_a_table(tmp_path, capsys):
    (tmp_path / "t.tsv").touch()
    with pytest.raises(BadInput, match=r"t\.tsv: it is empty"):
        inspect(tmp_path / "t.tsv")
    write_table(tmp_path / "t.tsv", ("one", "other"), [])
    assert inspect(tmp_path / "t.tsv", check=True) == 0
    assert "a table with the columns one, other, complete, 0 rows" in capsys.readouterr().out


def test_inspect_reads_tables_and_reports(tmp_path, capsys):
    write_videos(tmp_path / "videos.tsv", VIDEOS)
    assert inspect(tmp_path / "videos.tsv", check=True) == 0
    assert "2 rows" in (said := capsys.readouterr().out)
    assert "status: 2 ok" in said
    row = {**dict.fromkeys(BY_NAME["table1"].column_names, "1.5"), "method": "random"}
    write_table(tmp_path / "table1.tsv", BY_NAME["table1"].column_names, [row])
    assert inspect(tmp_path / "table1.tsv", check=True) == 0
    assert "(Table 1), by evaluate_videos, complete, 1 rows" in capsys.readouterr().out
    write_table(tmp_path / "table1.tsv", BY_NAME["table1"].column_names, [row | {"map": "nan"}])
    assert main(["inspect", str(tmp_path / "table1.tsv"), "--check"]) == 1
    assert "row 1: map is 'nan'" in capsys.readouterr().err
    page = '<html><meta name="generator" content="l2l 9"></html>\n'
    for content, status in ((page, 0), (page[:-8], 1)):
        write_text(tmp_path / "report.html", content)
        assert inspect(tmp_path / "report.html") == status
        assert "made_by: l2l 9" in capsys.readouterr().out


PLAIN: dict[str, Callable[[Path], None]] = {
    "videos.tsv": lambda path: write_videos(path, VIDEOS),
    "table1.tsv": lambda path: write_table(
        path, BY_NAME["table1"].column_names, [dict.fromkeys(BY_NAME["table1"].column_names, "1.5")]
    ),
    "empty.tsv": lambda path: write_table(path, BY_NAME["clips"].column_names, []),
    "shard-000.jsonl": lambda path: write_predictions(path, [Prediction("v", "missing", "no")]),
    "moments.jsonl": lambda path: write_moments(path, [Prediction("v", "missing", "no")]),
    "report.html": lambda path: write_text(
        path, '<html><meta name="generator" content="l2l 9">Ü</html>\n'
    ),
}


@pytest.mark.parametrize("name", PLAIN)
def test_any_flipped_byte_of_a_table_or_page_is_reported_with_its_cure(tmp_path, name, capsys):
    path = tmp_path / name
    PLAIN[name](path)
    assert inspect(path, check=True) == 0
    assert "every checksum agrees" in capsys.readouterr().out
    whole = path.read_bytes()
    for at in range(0, len(whole), 7):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert main(["inspect", str(path), "--check"]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert f"{name}: not as l2l wrote it" in line
        assert line.endswith(
            "run snakemake again, or, if you changed it and want to keep the change, delete "
            f"{name}.sha256"
        )
    checksum_path(path).unlink()
    path.write_bytes(whole)
    assert inspect(path, check=True) == 0
    assert f"there is no {name}.sha256" in capsys.readouterr().out


@pytest.mark.parametrize("name", PLAIN)
def test_the_checksum_next_to_a_table_is_one_that_other_programs_compare(tmp_path, name):
    PLAIN[name](tmp_path / name)
    assert sorted(os.listdir(tmp_path)) == [name, f"{name}.sha256"]
    compare = ["sha256sum", "--check", "--strict", f"{name}.sha256"]
    if shutil.which("sha256sum") is None:
        pytest.skip("there is no sha256sum here")
    assert subprocess.run(compare, cwd=tmp_path, capture_output=True, check=False).returncode == 0
    remove(tmp_path / name)
    remove(tmp_path / name)
    assert os.listdir(tmp_path) == []


def test_a_table_cut_short_is_refused(tmp_path):
    write_videos(tmp_path / "videos.tsv", VIDEOS)
    whole = (tmp_path / "videos.tsv").read_bytes()
    (tmp_path / "videos.tsv").write_bytes(whole[: whole.rindex(b"\t")])
    with pytest.raises(BadInput, match=r"videos\.tsv: .*checksum does not agree"):
        read_videos(tmp_path / "videos.tsv")


def test_of_a_folder_every_artifact_has_a_line_also_next_to_a_damaged_one(tmp_path, capsys):
    run = tmp_path / "run"
    write_some_features(run / "features/mine")
    write_table(run / "evaluation/a.tsv", ("one", "other"), [{"one": 1, "other": 2}])
    write_text(run / "config.json", '{"media": {}}\n')
    (run / "film.mp4").touch()
    (run / ".b.tsv.abcdefgh.part").mkdir()
    (run / ".b.tsv.abcdefgh.part/b.tsv").touch()  # half written
    assert inspect(run) == 0
    out = capsys.readouterr().out
    assert "config.json: the configuration of a run, complete, 1 sections" in out
    assert "a.tsv: a table with the columns one, other, complete, 1 rows, 14 bytes" in out
    assert "mine: features, complete" in out
    assert "run: 3 artifacts, 0 not complete or damaged" in out
    (run / "evaluation/a.tsv").write_text("x")
    assert inspect(run / "evaluation") == 1
    assert "a.tsv: not as l2l wrote it" in capsys.readouterr().out


def test_a_damaged_chunk_is_named(tmp_path):
    write_some_features(tmp_path / "features")
    chunk = tmp_path / "features/shard-000/image_feature/c/0/0"
    content = bytearray(chunk.read_bytes())
    content[0] ^= 1
    chunk.write_bytes(bytes(content))
    with pytest.raises(BadInput, match="chunk 0 of image_feature is not as l2l wrote it"):
        inspect(tmp_path / "features", check=True)
