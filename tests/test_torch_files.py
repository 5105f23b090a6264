"""Files of torch.save from anybody: no code runs, and no more memory is taken than they hold."""

import contextlib
import io
import pickle
import resource
import struct
import zipfile
from collections import Counter, OrderedDict

import pytest
import torch

from l2l.errors import BadInput
from l2l.reference.lists import read_list
from l2l.torch_files import BoundedUnpickler, RefusedError, build_with_state, load_tensors
from l2l.training import load_network, save_network
from l2l.weights import check_numbers

GIB = 1 << 30


@pytest.fixture
def little_memory():
    """A process that may take one more GiB; what asks for more fails."""
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + GIB, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.parametrize("legacy", [False, True])
def test_what_training_code_saves_is_read(tmp_path, legacy):
    weight = torch.arange(6.0).reshape(2, 3)
    saved = {
        "model": OrderedDict(a=weight, b=weight[:, ::2], c=torch.nn.Parameter(weight.half())),
        "scheduler": {"milestones": Counter([3, 5]), "last": 1.5, "verbose": False},
        "none": None,
        "text": "ü",
        "tuple": (1, 2**70),
    }
    torch.save(saved, tmp_path / "a.pt", _use_new_zipfile_serialization=not legacy)
    read = load_tensors(tmp_path / "a.pt")
    assert torch.equal(read["model"]["b"], weight[:, ::2])
    assert read["scheduler"] == saved["scheduler"]
    assert (read["none"], read["text"], read["tuple"]) == (None, "ü", (1, 2**70))


BOMBS = {
    "bytearray": b"\x80\x05\x96" + struct.pack("<Q", 1 << 40),
    "memo": b"\x80\x02Nr\xff\xff\xff\x7f.",
    "text": b"\x80\x04\x8d" + struct.pack("<Q", 1 << 62),
    "bytes": b"\x80\x04\x8e" + struct.pack("<Q", 1 << 40),
    "frame": b"\x80\x04\x95" + struct.pack("<Q", 1 << 60) + b"N.",
    "long": b"\x80\x02\x8b\xff\xff\xff\x7f",
    "global": b"cbuiltins\nbytearray\n(I1000000000000\ntR.",
    "extension": b"\x80\x02\x82\x01.",
    "empty": b"",
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_pickle_of_some_bytes_takes_no_more_memory_than_it_has(tmp_path, bomb, little_memory):
    (tmp_path / "a.pkl").write_bytes(BOMBS[bomb])
    (tmp_path / "a.pt").write_bytes(BOMBS[bomb])
    with zipfile.ZipFile(tmp_path / "b.pt", "w") as parts:
        parts.writestr("archive/data.pkl", BOMBS[bomb])
        parts.writestr("archive/version", "3\n")
    # whether it is read, as None, or refused: in little memory
    with contextlib.suppress(Exception):
        assert BoundedUnpickler(io.BytesIO(BOMBS[bomb])).load() is None
    with pytest.raises(BadInput, match=r"a\.pkl"):
        read_list(tmp_path / "a.pkl")
    for name in ("a.pt", "b.pt"):
        with pytest.raises(BadInput, match=name):
            load_network(tmp_path / name, "student")


def nested(levels: int) -> list:
    value: list = []
    for _ in range(levels):
        value = [value, value]
    return value


def test_an_endless_list_is_named_by_its_type(tmp_path, little_memory):
    """Some 266 bytes that are 2^60 lists when they are printed."""
    for pair in ((["a"], [nested(60)]), ([nested(60)], [1]), (["a"], [10**5000])):
        (tmp_path / "a.pkl").write_bytes(pickle.dumps(pair))
        with pytest.raises(BadInput, match=r"entry 1: found (list|a number of many digits) for a"):
            read_list(tmp_path / "a.pkl")


@pytest.mark.parametrize("legacy", [False, True])
def test_a_storage_larger_than_its_file_is_refused(tmp_path, legacy, little_memory):
    """The size of a storage is changed where the pickle says it."""
    torch.save(
        {"a": torch.zeros(777)}, tmp_path / "a.pt", _use_new_zipfile_serialization=not legacy
    )
    content = (tmp_path / "a.pt").read_bytes()
    declared = b"M" + struct.pack("<H", 777)
    assert declared in content
    vast = b"\x8a\x06" + (1 << 40).to_bytes(6, "little")
    if legacy:
        (tmp_path / "a.pt").write_bytes(content.replace(declared, vast))
    else:
        with zipfile.ZipFile(io.BytesIO(content)) as parts:
            entries = {name: parts.read(name) for name in parts.namelist()}
        with zipfile.ZipFile(tmp_path / "a.pt", "w") as parts:
            for name, part in entries.items():
                parts.writestr(name, part.replace(declared, vast) if "data.pkl" in name else part)
    with pytest.raises(RefusedError, match="declares"):
        load_tensors(tmp_path / "a.pt")


def test_a_compressed_archive_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.pt", "w", zipfile.ZIP_DEFLATED) as parts:
        parts.writestr("archive/data.pkl", b"\x80\x02N." + b"\0" * 1_000_000)
    with pytest.raises(RefusedError, match="compressed"):
        load_tensors(tmp_path / "a.pt")


def test_a_tensor_that_repeats_one_number_is_refused_before_it_is_spread(tmp_path, little_memory):
    torch.save({"a": torch.zeros(1).expand(1 << 40)}, tmp_path / "a.pt")
    with pytest.raises(BadInput, match="a is not a plain tensor"):
        check_numbers(tmp_path, load_tensors(tmp_path / "a.pt"))


@pytest.mark.parametrize("size", [1 << 40, 10**400, -1, "3", None, 2.5])
def test_settings_of_a_network_larger_than_its_numbers_are_refused(tmp_path, size, little_memory):
    network = torch.nn.Linear(3, 2)
    build = lambda: torch.nn.Linear(size, 2)  # noqa: E731
    with pytest.raises(BadInput, match=r"a\.pt: not a line"):
        build_with_state(tmp_path / "a.pt", "line", build, network.state_dict())


def test_numbers_that_are_missing_or_too_many_are_named(tmp_path):
    state = torch.nn.Linear(3, 2).state_dict()
    build = lambda: torch.nn.Linear(3, 2)  # noqa: E731
    for odd in (state | {"more": state["bias"]}, {"weight": state["weight"]}):
        with pytest.raises(BadInput, match=r"(more|bias) is .*, its settings say"):
            build_with_state(tmp_path / "a.pt", "line", build, odd)
    assert torch.equal(build_with_state(tmp_path, "line", build, state).weight, state["weight"])


@pytest.mark.parametrize(
    "settings", ["[]", "1", "{", "[" * 100_000, None, 3, '{"a": 1' + "0" * 9999]
)
def test_settings_that_are_no_table_are_refused_in_one_line(tmp_path, settings):
    save_network(tmp_path / "a.pt", "line", torch.nn.Linear(3, 2), {})
    saved = torch.load(tmp_path / "a.pt")
    torch.save({**saved, "settings": settings}, tmp_path / "a.pt")
    with pytest.raises(BadInput, match=r"a\.pt: damaged settings") as error:
        load_network(tmp_path / "a.pt", "line")
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 1000
