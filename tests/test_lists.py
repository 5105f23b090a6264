"""Text files that people bring: in any encoding that says what it is, with the lines they have."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from list_worlds import listed, section, table_of, write

from l2l.config import ManifestConfig, read_config
from l2l.errors import BadInput
from l2l.manifest.artifact import read_videos
from l2l.manifest.lists import read_lines, read_rows
from l2l.manifest.stage import list_videos
from l2l.text_files import read_json, read_text, read_yaml

TEXT = "clip,action\n1.mp4,saut à la perche\n2.mp4,走\n"
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-32"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_list_is_read_in_every_encoding_that_says_what_it_is(tmp_path, encoding, end):
    path = tmp_path / "list.csv"
    path.write_bytes(TEXT.replace("\n", end).encode(encoding))
    assert read_text(path, "a list") == TEXT
    assert [row["action"] for _, row in read_rows(path, ("action",))] == ["saut à la perche", "走"]
    for order in ("utf-16-le", "utf-16-be"):
        mark = "\ufeff".encode(order)
        path.write_bytes(mark + TEXT.encode(order))
        assert read_text(path, "a list") == TEXT


@pytest.mark.parametrize(
    ("encoding", "line"), [("cp1252", 2), ("latin-1", 2), ("utf-16-le", 1), ("utf-16-be", 1)]
)
def test_a_list_in_an_encoding_that_has_to_be_guessed_stops_with_its_line(tmp_path, encoding, line):
    path = tmp_path / "list.csv"
    path.write_bytes(TEXT.replace("走", "run").encode(encoding))
    with pytest.raises(BadInput, match=rf"list.csv: line {line} is not UTF-8; .*iconv") as caught:
        read_rows(path, ("action",))
    assert ("cp1252" if line == 2 else encoding) in str(caught.value)


def test_marks_of_joined_files_are_no_part_of_a_name(tmp_path):
    path = tmp_path / "list.txt"
    path.write_bytes("\ufeffa\n".encode("utf-8-sig") + "b\n".encode("utf-8-sig"))
    assert read_lines(path) == [(1, "a"), (2, "b")]


def test_a_nul_character_is_named_with_its_line(tmp_path):
    path = tmp_path / "list.csv"
    path.write_bytes(b"clip,action\n1,run\n2,jump\0ing\n")
    with pytest.raises(BadInput, match=r"list.csv: line 3 has a NUL character; expected a csv"):
        read_rows(path, ("action",))


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_what_is_written_is_utf_8_for_any_encoding_read(tmp_path, encoding):
    for name in ("1", "2", "3"):
        (tmp_path / f"{name}.mp4").touch()
    rows = ["clip,action,part", "1,été,train", "2,走,train", "3,été,test"]
    (tmp_path / "t.csv").write_bytes("\n".join(rows).encode(encoding))
    dataset = table_of(tmp_path, tmp_path / "t.csv", split_column="part")
    loose = ManifestConfig(max_bad_fraction=1)
    list_videos(tmp_path / "o/videos.tsv", tmp_path / "o", dataset, loose, seed=0)
    (tmp_path / "o/videos.tsv").read_bytes().decode("utf-8")
    labels = [video.label for video in read_videos(tmp_path / "o/videos.tsv")]
    assert labels == ["été", "走", "été"]


# ---- rows ----------------------------------------------------------------------------------------


def test_rows_have_the_numbers_of_their_lines_in_an_editor(tmp_path):
    path = write(tmp_path / "t.csv", "a,b", "", '"x\ny",1', ",", " ", "z, 2 ", ",,")
    assert read_rows(path, ("a", "b")) == [(3, {"a": "x\ny", "b": "1"}), (7, {"a": "z", "b": "2"})]


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        (("a,b", "1,2", "1,2,3"), r"line 3 has 3 cells, expected 2"),
        (("a,b", "1"), r"line 2 has 1 cells, so no 'b'"),
        (("a,a,b", "1,2,3"), r"line 1: column 'a' is duplicated"),
        (("a,c", "1,2"), r"line 1: no column 'b'; its columns are 'a', 'c'"),
        (("a,b", "1,2", '"x'), r"line 3: not a row of a table"),
        ((), "the file is empty"),
        ((",,", ""), "the file is empty"),
    ],
)
def test_a_table_that_is_not_certain_is_refused_with_its_line(tmp_path, lines, complaint):
    with pytest.raises(BadInput, match=complaint):
        read_rows(write(tmp_path / "t.csv", *lines), ("a", "b"))


def test_without_a_header_all_rows_need_the_same_number_of_cells(tmp_path):
    for lines, bad in (("1,2", "1,2,3"), 2), (("1,2,3", "1,2"), 2), (("1,2,3", "1,2,3", "1"), 3):
        with pytest.raises(BadInput, match=f"line {bad} has . cells, expected"):
            read_rows(write(tmp_path / "t.csv", *lines), ("0",), header=False)
    path = write(tmp_path / "t.csv", "1,2,3", ",,", "4,5,6")
    rows = [row for _, row in read_rows(path, ("0",), header=False)]
    assert [row["2"] for row in rows] == ["3", "6"]


def test_a_column_without_a_name_is_kept_in_the_middle_and_dropped_at_the_end(tmp_path):
    path = write(tmp_path / "t.csv", ",clip,action,,", "0,a,b,,", "1,c,d")
    assert [row["clip"] for _, row in read_rows(path, ("clip",))] == ["a", "c"]
    with pytest.raises(BadInput, match="line 2 has 4 cells, expected 3"):
        read_rows(write(tmp_path / "u.csv", ",clip,action,,", "0,a,b,c"), ("clip",))


@given(st.lists(st.lists(st.text("ab, \"'é", max_size=5), min_size=2, max_size=2), min_size=1))
def test_quoted_cells_are_read_as_written(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("rows") / "t.csv"
    lines = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows]
    write(path, "a,b", *lines)
    cells = [[cell.strip() for cell in row] for row in rows]
    read = [list(row.values()) for _, row in read_rows(path, ("a", "b"))]
    assert read == [row for row in cells if any(row)]


# ---- names and labels ----------------------------------------------------------------------------


def test_spaces_around_names_and_labels_are_no_part_of_them(tmp_path):
    (tmp_path / "1.mp4").touch()
    path = write(tmp_path / "t.csv", " clip , action ", " 1.mp4 ,  jump  ")
    (video,) = listed(table_of(tmp_path, path))
    assert (video.video, video.label, video.status) == ("1.mp4", "jump", "ok")


@pytest.mark.parametrize(
    ("fields", "line", "complaint"),
    [
        ({"adapter": "table"}, "x,", "line 2: the action is empty"),
        ({"adapter": "table"}, ",x", "line 2: the clip is empty"),
        ({"adapter": "vggsound"}, "x, ", "line 1: the label is empty"),
        ({"adapter": "vggsound"}, ",x", "line 1: the file is empty"),
        ({"adapter": "ave"}, "&x&good&0&1", "line 1: the label is empty"),
        ({"adapter": "ave"}, "x& &good&0&1", "line 1: the id is empty"),
        ({"adapter": "kinetics"}, "jump,,0,10,train", "line 2: the youtube_id is empty"),
    ],
)
def test_an_empty_name_or_label_stops_with_its_line(tmp_path, fields, line, complaint):
    headers = {"table": ["clip,action"], "kinetics": ["label,youtube_id,time_start,time_end,split"]}
    path = write(tmp_path / "list.csv", *headers.get(fields["adapter"], []), line)
    keys = {
        "table": {"tables": [path], "video_column": "clip", "label_column": "action"},
        "vggsound": {"train": path},
        "ave": {"train": path, "test": path},
        "kinetics": {"annotations": [path]},
    }
    with pytest.raises(BadInput, match=complaint):
        listed(section(**fields, **keys[fields["adapter"]], folder=tmp_path))


@pytest.mark.parametrize("forms", [("NFC", "NFD"), ("NFD", "NFC")])
def test_a_name_finds_its_file_in_the_other_form_but_its_own_first(tmp_path, forms):
    in_list, on_disk = (unicodedata.normalize(form, "jürgen/café.mp4") for form in forms)
    (tmp_path / on_disk).parent.mkdir()
    (tmp_path / on_disk).touch()
    (tmp_path / "jurgen").mkdir()
    (tmp_path / "jurgen/cafe.mp4").touch()
    path = write(tmp_path / "t.csv", "clip,action", f"{in_list},jump")
    (video,) = listed(table_of(tmp_path, path))
    assert (video.path, video.status) == (tmp_path / on_disk, "ok")
    (tmp_path / in_list).parent.mkdir(exist_ok=True)
    (tmp_path / in_list).touch()
    (video,) = listed(table_of(tmp_path, path))
    assert video.path == tmp_path / in_list


def test_a_backslash_in_a_name_that_has_a_file_is_a_character_of_it(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/1.mp4").touch()
    path = write(tmp_path / "t.csv", "clip,action", "a\\1.mp4,jump")
    assert listed(table_of(tmp_path, path))[0].path == tmp_path / "a/1.mp4"
    (tmp_path / "a\\1.mp4").touch()
    assert listed(table_of(tmp_path, path))[0].path == tmp_path / "a\\1.mp4"


def test_the_hidden_twins_that_a_mac_leaves_are_no_videos(tmp_path):
    for name in ("1.mp4", "._1.mp4"):
        (tmp_path / name).touch()
    path = write(tmp_path / "t.csv", "clip,action", "1.mp4,jump", "._1.mp4,jump")
    assert [video.status for video in listed(table_of(tmp_path, path))] == ["missing", "ok"]


# ---- JSON and YAML -------------------------------------------------------------------------------


def test_a_duplicated_key_is_refused(tmp_path):
    path = write(tmp_path / "a.json", '{"a": {"b": 1, "b": 2}}')
    with pytest.raises(BadInput, match=r"a.json: key 'b' is duplicated"):
        read_json(path, "numbers")
    path = write(tmp_path / "a.yaml", "a:", "  b: 1", "  c: 3", "  b: 2")
    with pytest.raises(BadInput, match=r"a.yaml: line 4: key 'b' is duplicated"):
        read_yaml(path, "numbers")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_json_and_yaml_are_read_in_every_encoding_that_says_what_it_is(tmp_path, encoding):
    (tmp_path / "a").write_bytes(json.dumps({"é": "走"}, ensure_ascii=False).encode(encoding))
    assert read_json(tmp_path / "a", "text") == read_yaml(tmp_path / "a", "text") == {"é": "走"}


@pytest.mark.parametrize("text", ["[" * 100_000, "{", "9" * 5000, "a: !!python/object:x.y {}"])
def test_what_is_no_json_or_yaml_is_refused_in_one_line(tmp_path, text):
    path = write(tmp_path / "a", text)
    with pytest.raises(BadInput, match="not JSON"):
        read_json(path, "text")
    if not text.startswith("9"):
        with pytest.raises(BadInput, match="not YAML") as caught:
            read_yaml(path, "text")
        assert "\n" not in str(caught.value)


def test_a_configuration_with_a_duplicated_key_is_refused(tmp_path):
    path = write(tmp_path / "c.yaml", "run: a", "seed: 1", "run: b")
    with pytest.raises(BadInput, match=r"c.yaml: line 3: key 'run' is duplicated"):
        read_config(path)
