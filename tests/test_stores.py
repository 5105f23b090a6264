"""Stores: whole or not there, checked before they are believed."""

import contextlib
import csv
import errno
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_stores import STORES

from l2l.errors import BadInput
from l2l.hdf5 import add_array, read_hdf5, write_hdf5
from l2l.stores import atomic_path, checksum_path, read_table, verify_checksum, write_table

ROOT = Path(__file__).parents[1]


def test_an_error_inside_leaves_what_was_there_and_nothing_else(tmp_path):
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


def test_who_begins_last_to_write_has_it_and_who_began_before_gets_an_error(tmp_path):
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


@pytest.mark.parametrize("names", [(), ("old", "mark")])
def test_a_folder_replaces_an_empty_folder_or_one_of_the_same_kind(tmp_path, names):
    (tmp_path / "store").mkdir()
    for name in names:
        (tmp_path / "store" / name).write_text("")
    with atomic_path(tmp_path / "store", "mark") as part:
        part.mkdir()
        (part / "new").write_text("")
    assert os.listdir(tmp_path / "store") == ["new"]


@pytest.mark.parametrize("marker", ["", "mark"])
def test_a_folder_of_another_kind_is_never_replaced(tmp_path, marker):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letters").write_text("keep")
    with pytest.raises(BadInput, match="home: is a folder"), atomic_path(tmp_path / "home", marker):
        pytest.fail("the block is not entered")
    assert (tmp_path / "home" / "letters").read_text() == "keep"
    assert os.listdir(tmp_path) == ["home"]


def make_special(path: Path, kind: str) -> None:
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "link":
        (path.parent / "target").write_text("keep")
        path.symlink_to("target")
    elif kind == "dangling link":
        path.symlink_to("nowhere")
    elif kind == "socket":
        # by its name: the whole path may be too long for a socket
        with (
            contextlib.closing(socket.socket(socket.AF_UNIX)) as listening,
            contextlib.chdir(path.parent),
        ):
            listening.bind(path.name)
    else:
        try:
            os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 3))
        except PermissionError:
            pytest.skip("only root makes devices")


@pytest.mark.parametrize("kind", ["pipe", "link", "dangling link", "socket", "device"])
@pytest.mark.parametrize("writer", ["file", "folder", "table", "hdf5", "checksum"])
def test_what_is_no_plain_file_is_never_replaced(tmp_path, kind, writer):
    """As root, /dev/null would be taken from the whole machine."""
    path = tmp_path / "t.tsv"
    special = checksum_path(path) if writer == "checksum" else path
    make_special(special, kind)
    before = special.lstat()
    with pytest.raises(BadInput, match=rf"{special.name}: is a (pipe|link|device)"):
        if writer in ("table", "checksum"):
            write_table(path, ("a",), [])
        elif writer == "hdf5":
            with write_hdf5(path, "thing", 1, {}):
                pass
        else:
            with atomic_path(path, "mark" if writer == "folder" else "") as part:
                part.mkdir() if writer == "folder" else part.touch()
    assert special.lstat() == before
    names = {special.name, *(["target"] if kind == "link" else [])}
    assert set(os.listdir(tmp_path)) == names
    assert kind != "link" or (tmp_path / "target").read_text() == "keep"


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
    with (
        pytest.raises(BadInput, match="damaged"),
        read_hdf5(tmp_path / "a.h5", "thing", 1) as store,
    ):
        store.array("values", "iuf")[...]


def external_link(file, folder):
    file["x"] = h5py.ExternalLink(str(folder / "other.h5"), "/values")


def soft_link(file, folder):
    file["x"] = h5py.SoftLink("/values")


def external_storage(file, folder):
    file.create_dataset("x", (3,), "i4", external=[(str(folder / "secret"), 0, 12)])


def virtual(file, folder):
    layout = h5py.VirtualLayout((3,), "i8")
    layout[:] = h5py.VirtualSource(str(folder / "other.h5"), "values", (3,))
    file.create_virtual_dataset("x", layout)


def compressed(file, folder):
    file.create_dataset("x", data=np.zeros(1000), compression="gzip")


def unfolding(file, folder):
    file.create_dataset("x", (1 << 24,), "i1", chunks=(1 << 10,), compression="gzip")
    file["x"][:2048] = 0


def large_chunks(file, folder):
    file.create_dataset("x", data=np.zeros(1 << 25, np.int8), chunks=(1 << 25,), compression="gzip")


def plugin(file, folder):
    creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    creation.set_chunk((4,))
    creation.set_filter(32001, h5py.h5z.FLAG_OPTIONAL, ())  # Blosc's number
    space = h5py.h5s.create_simple((4,))
    h5py.h5d.create(file.id, b"x", h5py.h5t.NATIVE_INT32, space, creation)


def vast(file, folder):
    file.create_dataset("x", (1 << 40,), "f8", chunks=(1 << 10,), fletcher32=True)


def references(file, folder):
    file.create_dataset("x", data=[file.ref], dtype=h5py.ref_dtype)


def nested(file, folder):
    file.create_group("a/b/c")


def cycle(file, folder):
    file["g/up"] = file["/"]


@pytest.mark.parametrize(
    "add",
    [
        external_link,
        soft_link,
        external_storage,
        virtual,
        compressed,
        unfolding,
        large_chunks,
        plugin,
        vast,
        references,
        nested,
        cycle,
    ],
)
def test_a_file_that_refers_to_others_or_is_more_than_it_holds_is_refused(tmp_path, add):
    write(tmp_path / "other.h5", np.arange(3))
    (tmp_path / "secret").write_bytes(b"secret content")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs.update({"kind": "thing", "layout": 1, "complete": True})
        file.create_group("g")
        file["values"] = np.arange(3)
        add(file, tmp_path)
    with (
        pytest.raises(BadInput, match=r"a\.h5: damaged") as error,
        read_hdf5(tmp_path / "a.h5", "thing", 1),
    ):
        pass
    assert "delete" not in str(error.value)


def test_numbers_that_are_not_finite_are_neither_written_nor_read(tmp_path, monkeypatch):
    with pytest.raises(BadInput, match=r"a\.h5: not written: values holds .* not finite"):
        write(tmp_path / "a.h5", np.array([1, np.nan]))
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr("l2l.hdf5.check_finite", lambda name, array: array)
    write(tmp_path / "a.h5", np.array([1, np.inf]))
    monkeypatch.undo()
    with (
        pytest.raises(BadInput, match=r"a\.h5: values holds numbers that are not finite"),
        read_hdf5(tmp_path / "a.h5", "thing", 1) as store,
    ):
        store.array("values", "iuf")[...]


def other_numbers(array: np.ndarray) -> np.ndarray:
    return np.zeros(array.shape, np.int32 if array.dtype.kind in "fSb" else np.float32)


def other_rows(array: np.ndarray) -> np.ndarray:
    return np.zeros((*array.shape, 1), array.dtype)


def fewer(array: np.ndarray) -> np.ndarray:
    return array[:-1]


def no_axis(array: np.ndarray) -> np.ndarray:
    return array.ravel()[0]


@pytest.mark.parametrize("change", [other_numbers, other_rows, fewer, no_axis])
@pytest.mark.parametrize("name", [name for name in STORES if name.endswith(".h5")])
def test_an_array_of_other_numbers_shape_or_length_is_refused_when_a_store_is_opened(
    tmp_path, name, change
):
    """Each array of each kind of store, with checksums that agree."""
    write_store, read_store = STORES[name]
    write_store(tmp_path / name)
    names: list[str] = []
    with h5py.File(tmp_path / name) as file:
        file.visititems(lambda at, item: names.append(at) if isinstance(item, h5py.Dataset) else 0)
    for array in names:
        path = tmp_path / array.replace("/", "-") / name
        path.parent.mkdir()
        shutil.copy(tmp_path / name, path)
        with h5py.File(path, "r+") as file:
            content = file[array][...]
            del file[array]
            file[array] = change(content)
        with pytest.raises(BadInput, match="damaged"):
            read_store(path)


@pytest.mark.parametrize("moments", [-1, 1 << 40])
def test_media_with_more_moments_than_pictures_are_refused(tmp_path, moments):
    STORES["media.h5"][0](tmp_path / "media.h5")
    with h5py.File(tmp_path / "media.h5", "r+") as file:
        numbers = file["videos/moments"][...]
        numbers[0] = moments
        del file["videos/moments"]
        file["videos/moments"] = numbers
    with pytest.raises(BadInput, match=f"damaged .*has {moments} moments"):
        STORES["media.h5"][1](tmp_path / "media.h5")


def test_the_file_that_is_damaged_is_named_and_not_another_that_is_open(tmp_path):
    write(tmp_path / "a.h5", np.arange(3))
    write(tmp_path / "b.h5", np.arange(3))
    content = (tmp_path / "a.h5").read_bytes()
    at = content.index(np.arange(3).tobytes()) + 8
    (tmp_path / "a.h5").write_bytes(content[:at] + b"\7" + content[at + 1 :])
    with (
        pytest.raises(BadInput, match=r"a\.h5: damaged"),
        read_hdf5(tmp_path / "a.h5", "thing", 1) as a,
        read_hdf5(tmp_path / "b.h5", "thing", 1) as b,
    ):
        b.array("values", "i")[...]
        a.array("values", "i")[...]


def test_a_disk_that_cannot_be_read_is_not_called_a_damaged_file(tmp_path, monkeypatch):
    write(tmp_path / "a.h5", np.arange(50_000))

    def fail(*_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with (
        pytest.raises(BadInput, match=r"a\.h5: cannot be read \(Input/output error\)$"),
        read_hdf5(tmp_path / "a.h5", "thing", 1) as store,
    ):
        monkeypatch.setattr("l2l.hdf5.os.preadv", fail)
        store.array("values", "iuf")[...]


def test_a_file_cut_in_half_is_refused(tmp_path):
    write(tmp_path / "a.h5", np.arange(50_000))
    whole = (tmp_path / "a.h5").read_bytes()
    (tmp_path / "a.h5").write_bytes(whole[: len(whole) // 2])
    with (
        pytest.raises(BadInput, match="not a readable HDF5 file"),
        read_hdf5(tmp_path / "a.h5", "thing", 1),
    ):
        pass


texts = st.text(st.characters(codec="utf-8"), max_size=20) | st.from_regex(
    r"['=+@\-\t]{0,3}(\\\\?(x5c|x1b|u202e|x64|\x1b|\u202e)?){0,4}", fullmatch=True
)


@settings(max_examples=200)
@given(st.lists(st.tuples(texts, texts), max_size=5))
def test_what_is_written_in_a_table_is_what_is_read(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("table") / "t.tsv"
    write_table(path, ("a", "b"), [{"a": a, "b": b} for a, b in rows])
    assert [(row["a"], row["b"]) for row in read_table(path, ("a", "b"))] == rows


@settings(max_examples=200)
@given(texts)
def test_no_cell_is_computed_by_a_spreadsheet_or_obeyed_by_a_terminal(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("table") / "t.tsv"
    write_table(path, ("a", "b"), [{"a": "x", "b": text}])
    with open(path, newline="", encoding="utf-8") as file:
        _, (_, cell) = csv.reader(file, delimiter="\t")
    with contextlib.suppress(ValueError):
        float(cell)
        return
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert all(char.isprintable() or char in "\t\r\n" or char > "~" for char in cell)
    assert not set(cell) & set("\x9b\u202e\u2066\u200f")


@pytest.mark.parametrize("number", ["-0.5", "+3", "-inf", "-1e-9"])
def test_numbers_stay_numbers(tmp_path, number):
    write_table(tmp_path / "t.tsv", ("a",), [{"a": number}])
    assert (tmp_path / "t.tsv").read_text() == f"a\n{number}\n"


@pytest.mark.parametrize("cell", ["'tis", "C:\\x64\\u1234", "\\x", "it's = fine"])
def test_a_table_written_by_hand_is_taken_as_it_is(tmp_path, cell):
    (tmp_path / "t.tsv").write_text(f"a\tb\n1\t{cell}\n")
    assert read_table(tmp_path / "t.tsv", ("a", "b")) == [{"a": "1", "b": cell}]
    assert not verify_checksum(tmp_path / "t.tsv")


def test_a_table_without_a_column_is_refused_with_what_was_expected(tmp_path):
    write_table(tmp_path / "t.tsv", ("a",), [])
    with pytest.raises(BadInput, match="no column 'b'; expected a tab-separated table with a, b"):
        read_table(tmp_path / "t.tsv", ("a", "b"))


def test_a_changed_digit_is_noticed_whenever_the_table_is_read(tmp_path):
    path = tmp_path / "t.tsv"
    write_table(path, ("a",), [{"a": 0.5}])
    path.write_text(path.read_text().replace("5", "6"))
    with pytest.raises(BadInput, match=r"t\.tsv: not as l2l wrote it.*t\.tsv\.sha256"):
        read_table(path, ("a",))
    checksum_path(path).unlink()
    assert read_table(path, ("a",)) == [{"a": "0.6"}]
