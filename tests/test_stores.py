"""Stores: whole or not there, checked before they are believed."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l2l.errors import BadInput
from l2l.hdf5 import add_array, read_hdf5, write_hdf5
from l2l.stores import atomic_path, read_table, write_table

ROOT = Path(__file__).parents[1]


def test_an_error_inside_leaves_what_was_there_and_nothing_beside(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic_path(path) as part:
        part.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_process_killed_while_it_writes_leaves_no_half_written_store(tmp_path):
    script = f"""
        import os, signal, sys
        sys.path.insert(0, {str(ROOT)!r})
        import numpy as np
        from pathlib import Path
        from l2l.hdf5 import add_array, write_hdf5
        with write_hdf5(Path({str(tmp_path / "a.h5")!r}), "thing", 1, {{}}) as file:
            add_array(file, "x", np.arange(100_000), ("row",))
            file.flush()
            os.kill(os.getpid(), signal.SIGKILL)
    """
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert not (tmp_path / "a.h5").exists()
    with pytest.raises(BadInput, match="no such file"), read_hdf5(tmp_path / "a.h5", "thing", 1):
        pass


def test_who_begins_last_to_write_has_it_and_who_began_before_is_told(tmp_path):
    path = tmp_path / "a.txt"
    with (
        pytest.raises(BadInput, match=r"a\.txt: another job has begun"),
        atomic_path(path) as first,
    ):
        first.write_text("first")
        with atomic_path(path) as second:
            second.write_text("second")
    assert path.read_text() == "second"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_what_killed_writers_of_a_store_left_is_removed_and_what_is_anothers_is_not(tmp_path):
    for name in (".a.12345678.part", ".a.txt.12345678.part", ".ab.12345678.part"):
        (tmp_path / name).mkdir()
    with atomic_path(tmp_path / "a") as part:
        part.touch()
    assert sorted(os.listdir(tmp_path)) == [".a.txt.12345678.part", ".ab.12345678.part", "a"]


def test_a_folder_replaces_a_folder(tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "old").write_text("")
    with atomic_path(tmp_path / "store") as part:
        part.mkdir()
        (part / "new").write_text("")
    assert os.listdir(tmp_path / "store") == ["new"]


def write(path: Path, values: np.ndarray) -> None:
    with write_hdf5(path, "thing", 1, {"note": "x"}) as file:
        add_array(file, "values", values, ("row",), "m")


def test_the_same_numbers_give_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        write(tmp_path / name, np.arange(1000.0))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(
    ("kind", "layout", "complaint"),
    [
        ("other", 1, r"a\.h5: found kind.*'thing'.*expected.*'other'"),
        ("thing", 2, r"a\.h5: made by an older version of l2l.*run snakemake again"),
        ("thing", 0, r"a\.h5: made by a newer version of l2l"),
    ],
)
def test_a_store_of_another_kind_or_layout_is_refused_by_name(tmp_path, kind, layout, complaint):
    write(tmp_path / "a.h5", np.arange(3))
    with (
        pytest.raises(BadInput, match=complaint) as error,
        read_hdf5(tmp_path / "a.h5", kind, layout),
    ):
        pass
    assert "delete" not in str(error.value)


def test_a_store_without_its_completeness_mark_is_refused(tmp_path):
    write(tmp_path / "a.h5", np.arange(3))
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        del file.attrs["complete"]
    with pytest.raises(BadInput, match="complete"), read_hdf5(tmp_path / "a.h5", "thing", 1):
        pass


def test_a_flipped_bit_is_noticed_when_the_array_is_read(tmp_path):
    values = np.arange(50_000, dtype=np.int64)
    write(tmp_path / "a.h5", values)
    stored = bytearray((tmp_path / "a.h5").read_bytes())
    at = stored.find(np.int64(30_000).tobytes())
    stored[at] ^= 1
    (tmp_path / "a.h5").write_bytes(stored)
    with pytest.raises(BadInput, match="damaged"), read_hdf5(tmp_path / "a.h5", "thing", 1) as file:
        file["values"][...]


def test_a_file_cut_in_half_is_refused(tmp_path):
    write(tmp_path / "a.h5", np.arange(50_000))
    whole = (tmp_path / "a.h5").read_bytes()
    (tmp_path / "a.h5").write_bytes(whole[: len(whole) // 2])
    with (
        pytest.raises(BadInput, match="not a readable HDF5 file"),
        read_hdf5(tmp_path / "a.h5", "thing", 1),
    ):
        pass


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=20)


@settings(max_examples=50)
@given(st.lists(st.tuples(texts, texts), max_size=5))
def test_what_is_written_in_a_table_is_what_is_read(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("table") / "t.tsv"
    write_table(path, ("a", "b"), [{"a": a, "b": b} for a, b in rows])
    assert [(row["a"], row["b"]) for row in read_table(path, ("a", "b"))] == rows


def test_a_table_without_a_column_is_refused_with_what_was_expected(tmp_path):
    write_table(tmp_path / "t.tsv", ("a",), [])
    with pytest.raises(BadInput, match="no column 'b'; expected a tab-separated table with a, b"):
        read_table(tmp_path / "t.tsv", ("a", "b"))
