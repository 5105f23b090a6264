"""Files of classes: each number has its own name, and no two orders are mixed."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from list_worlds import Item, as_ucf101, listed, mmaction, quoted, section, write
from pydantic import ValidationError

from l2l.errors import BadInput
from l2l.manifest.classes import read_classes


def test_two_label_orders_mixed_are_an_error(tmp_path):
    by_words = write(
        tmp_path / "a.csv", "id,name", "0,Applying sunscreen", "1,Archery", "2,Arm wrestling"
    )
    other = write(tmp_path / "b.csv", "action", "Applying sunscreen", "Arm wrestling", "Archery")
    lines = ("Archery/1.mp4 1", "arm_wrestling/2.mp4 2")
    assert [v.label for v in listed(mmaction(tmp_path, *lines, classes=by_words))] == [
        "Archery",
        "Arm wrestling",
    ]
    with pytest.raises(
        BadInput,
        match=r"line 1: class 1 is 'Arm wrestling' in .*b.csv but 'Archery' here; two label orders",
    ):
        listed(mmaction(tmp_path, *lines, classes=other))


def test_a_table_whose_names_and_numbers_disagree_is_an_error(tmp_path):
    classes = write(tmp_path / "c.txt", "0 zero", "1 one")
    fields = {
        "video_column": "v",
        "label_column": "name",
        "number_column": "n",
        "classes": classes,
        "folder": tmp_path,
    }
    good = section("table", tables=[write(tmp_path / "t.csv", "v,name,n", "a,One,1")], **fields)
    assert [v.label for v in listed(good)] == ["one"]
    bad = section("table", tables=[write(tmp_path / "u.csv", "v,name,n", "a,one,0")], **fields)
    with pytest.raises(BadInput, match="two label orders are mixed"):
        listed(bad)


def test_ucf_numbers_have_to_be_those_of_the_folders(tmp_path):
    as_ucf101(
        tmp_path,
        [Item("a", "ripping paper", "train", True), Item("b", "ripping paper", "test", True)],
    )
    write(tmp_path / "trainlist01.txt", "ripping paper/v_x_g01_c01.avi 1")
    with pytest.raises(
        BadInput,
        match=r"trainlist01.txt: line 1: class 1 is 'playing guitar' in .* but 'ripping paper' ",
    ):
        listed(section("ucf101", folder=tmp_path, lists=tmp_path))


@pytest.mark.parametrize("numbers", ["01", ("0.0", "1.0"), ("-1", "+1")])
def test_labels_that_are_numbers_need_their_names(tmp_path, numbers):
    table = write(
        tmp_path / "t.csv",
        "v,l",
        *(f"{video},{number}" for video, number in zip("ab", numbers, strict=True)),
    )
    with pytest.raises(BadInput, match=r"t.csv: the labels are numbers; give `classes`"):
        listed(
            section("table", folder=tmp_path, tables=[table], video_column="v", label_column="l")
        )
    with pytest.raises(ValidationError, match="lists hold numbers: `classes` has to be the file"):
        section("kinetics_sounds", folder=tmp_path, train=table)


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        (("0 a", "b"), "line 2 is 'b'; other lines have a number"),
        (("0 a", "0 b"), "line 2: number 0 is duplicated"),
        (("a", "b", "a"), "class 'a' is duplicated"),
        (("a", "", "b"), "line 2 is empty, so the numbers after it are not certain"),
        (("a,0", "b"), "line 2 is 'b'; other lines have a number"),
        (("a 0", "b 1", "c"), "line 3 is 'c'; other lines have a number"),
        (("1 level 2", "2 level 3"), "line 1 .* may be the first or the last"),
        (("number,name", "0,a"), "line 1 is 'number,name'; other lines have a number"),
        (("# classes", "a", "b"), "line 1 is '# classes', which may be a class, a comment"),
        (("a", "+1 b"), r"line 2 is '\+1 b', which may be .* a number"),
        (("٠ a", "١ b"), "line 1 is '٠ a', which may be .* a number"),
        ((), "the file is empty"),
    ],
)
def test_a_file_of_classes_that_is_not_certain_is_refused(tmp_path, lines, complaint):
    with pytest.raises(BadInput, match=complaint):
        read_classes(write(tmp_path / "c.txt", *lines))


@given(
    st.lists(
        st.text("ab c,9(", min_size=1, max_size=8)
        .map(str.strip)
        .filter(lambda name: re.search("[a-c(]$", name) and not re.match("[9,]", name)),
        unique=True,
        min_size=1,
        max_size=9,
    )
)
def test_classes_are_read_alike_from_every_layout(tmp_path_factory, names):
    at = tmp_path_factory.mktemp("classes")
    ids = range(3, 3 + len(names))
    layouts = [
        write(
            at / "a.txt",
            *(f"{number} {name}" for number, name in zip(ids, names, strict=True)),
            end="\r\n",
        ),
        write(
            at / "b.txt", *(f"{number}\t{name}" for number, name in zip(ids, names, strict=True))
        ),
        write(
            at / "c.csv",
            "id,name",
            *(quoted(str(number), name) for number, name in zip(ids, names, strict=True)),
        ),
        write(
            at / "d.tsv",
            "number\tlabel",
            *(f"{number}\t{name}" for number, name in zip(ids, names, strict=True)),
        ),
    ]
    pairs = list(zip(ids, names, strict=True))
    layouts += [
        write(at / "e.txt", *(f"{number}: {name}" for number, name in pairs)),
        write(at / "f.txt", *(f"{name},{number}" for number, name in pairs)),
        write(at / "g.txt", *(f"{name}  {number}" for number, name in pairs)),
        write(at / "h.csv", "name,id", *(quoted(name, str(number)) for number, name in pairs)),
        write(at / "i.csv", *(quoted(name, f"{number}.0") for number, name in pairs), ",,"),
        write(at / "j.json", json.dumps({name: number for number, name in pairs})),
        write(at / "k.txt", json.dumps({str(number): name for number, name in pairs})),
    ]
    for path in layouts:
        classes = read_classes(path)
        assert [classes.of(str(number), "here") for number in ids] == names == classes.names
        with pytest.raises(BadInput, match="here: class '2' is not in"):
            classes.of("2", "here")


def test_a_duplicated_column_is_refused(tmp_path):
    table = write(tmp_path / "t.csv", "v,label,label", "a,one,other")
    fields = {"folder": tmp_path, "tables": [table], "video_column": "v"}
    with pytest.raises(BadInput, match="column 'label' is duplicated"):
        listed(section("table", label_column="label", **fields))


@pytest.mark.parametrize(
    ("name", "lines", "complaint"),
    [
        ("c.csv", ("jump", "run"), r"line 1 is 'jump'; a table of names alone needs a header"),
        ("c.csv", ("id,name", "0,7", "1,8"), r"line 2: found '0' and '7'.*both are numbers"),
        ("c.csv", ("id,name", "0,a", "b,1"), r"neither is a number on all of them"),
        ("c.csv", ("name", "a", "", "b"), "line 3 is empty"),
        ("c.csv", ("id,name", "0,wind, low"), "line 2 has 3 cells, expected 2"),
        ("c.json", ('{"a": 0, "a": 1}',), "key 'a' is duplicated"),
        ("c.json", ('{"a": null}',), "neither is a number"),
        ("c.json", ("[1, 2]",), "expected a JSON list of names"),
    ],
)
def test_a_table_or_json_of_classes_that_is_not_certain_is_refused(
    tmp_path, name, lines, complaint
):
    with pytest.raises(BadInput, match=complaint):
        read_classes(write(tmp_path / name, *lines))


def test_a_list_of_names_is_counted_from_0(tmp_path):
    for path in (
        write(tmp_path / "a.txt", "3x3 (basketball)", "formula 1", "run"),
        write(tmp_path / "a.csv", "Action", "3x3 (basketball)", "formula 1", "run", ""),
        write(tmp_path / "a.json", '["3x3 (basketball)", "formula 1", "run"]'),
    ):
        assert read_classes(path).names == ["3x3 (basketball)", "formula 1", "run"]
        assert read_classes(path).of("1.0", "here") == "formula 1"
