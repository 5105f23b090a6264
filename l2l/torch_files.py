"""Files of torch.save from anybody: tensors, plain containers, strings and numbers; nothing else.

`torch.load` with ``weights_only`` runs no code, but takes all memory that a file asks for. So a
file is surveyed first, by an unpickler that builds nothing: which names it uses, and how large its
storages are. None may be larger than the file.
"""

import io
import os
import pickle
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor, nn

from l2l.errors import BadInput

Network = TypeVar("Network", bound=nn.Module)

_STORAGE_BYTES = {
    "Double": 8,
    "Float": 4,
    "Half": 2,
    "BFloat16": 2,
    "Long": 8,
    "Int": 4,
    "Short": 2,
    "Char": 1,
    "Byte": 1,
    "Bool": 1,
    "ComplexFloat": 8,
    "ComplexDouble": 16,
}
_NAMES = {
    ("collections", "OrderedDict"),
    ("collections", "Counter"),
    ("torch", "Size"),
    ("torch._utils", "_rebuild_tensor"),
    ("torch._utils", "_rebuild_tensor_v2"),
    ("torch._utils", "_rebuild_parameter"),
    ("torch._utils", "_rebuild_meta_tensor_no_storage"),
    *(("torch", str(dtype).removeprefix("torch.")) for dtype in (torch.float16, torch.float32)),
    *(("torch", str(dtype).removeprefix("torch.")) for dtype in (torch.float64, torch.int64)),
    *(("torch", f"{kind}Storage") for kind in _STORAGE_BYTES),
}
_LEGACY_PICKLES = 5  # of files before torch 1.6: magic, protocol, system, content, storages


class RefusedError(ValueError):
    """A file names more than tensors and plain containers, or declares more than it holds."""


_REFUSED_CODES = {
    code[0]
    for code in (
        *(pickle.BYTEARRAY8, pickle.EXT1, pickle.EXT2, pickle.EXT4),
        *(pickle.NEXT_BUFFER, pickle.READONLY_BUFFER),
    )
}


class BoundedUnpickler(pickle._Unpickler):
    """An unpickler of plain containers, strings and numbers, whose memory the pickle's bytes bound.

    In Python: that in C takes memory for a memo as large as the pickle says.
    """

    # a bytearray is taken at the length that the pickle declares, before it is read; extensions
    # and buffers lie outside of the pickle
    dispatch: ClassVar[dict[int, Any]] = {
        code: load
        for code, load in pickle._Unpickler.dispatch.items()
        if code not in _REFUSED_CODES
    }

    def find_class(self, module: str, name: str) -> Any:
        """Refuse a class or function.

        Raises:
            RefusedError: always.
        """
        raise RefusedError(f"it names {module}.{name}")

    def persistent_load(self, pid: Any) -> Any:
        """Refuse what lies outside of the pickle.

        Raises:
            RefusedError: always.
        """
        raise RefusedError("it refers to something outside")


class _Inert(dict):
    """What stands for anything in a survey."""

    def __init__(self, *_: object) -> None:
        super().__init__()

    def __setstate__(self, state: object) -> None:
        pass


class _Survey(BoundedUnpickler):
    """Counts the bytes of the storages that a file declares, and builds nothing."""

    def __init__(self, file: Any, names: set[tuple[str, str]], storages: dict[str, int]) -> None:
        super().__init__(file, encoding="utf-8")
        self._names, self._storages = names, storages

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._names:
            raise RefusedError(f"it names {module}.{name}")
        kind = name.removesuffix("Storage") if module == "torch" else ""
        return type(name, (_Inert,), {"item_bytes": _STORAGE_BYTES.get(kind, 0)})

    def persistent_load(self, pid: Any) -> Any:
        _, storage, key, _, count, *_ = pid
        if type(count) is not int or count < 0:
            raise RefusedError(f"a storage has {type(count).__name__} for its size")
        self._storages[str(key)] = count * storage.item_bytes
        return _Inert()


def load_tensors(path: Path | str, extra: Mapping[tuple[str, str], type] | None = None) -> Any:
    """Read what torch.save wrote, if it is tensors, plain containers, strings and numbers.

    Args:
        path: a file, of torch before 1.6 too.
        extra: further classes by module and name, which hold attributes and do nothing.

    Raises:
        RefusedError: if it names anything else, or declares more bytes than the file has.
        Exception: any other, if it is damaged; OSError if it cannot be read.
    """
    extra = extra or {}
    storages: dict[str, int] = {}
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        names = _NAMES | extra.keys()
        if zipfile.is_zipfile(file):
            content = _pickle_of_zip(file, size)
            _Survey(io.BytesIO(content), names, storages).load()
        else:
            file.seek(0)
            for _ in range(_LEGACY_PICKLES):
                _Survey(file, names, storages).load()
    if sum(storages.values()) > size:
        raise RefusedError(f"it declares {sum(storages.values())} bytes of tensors, it has {size}")
    with torch.serialization.safe_globals(list(extra.values())):
        return torch.load(path, map_location="cpu", weights_only=True)


def _pickle_of_zip(file: Any, size: int) -> bytes:
    with zipfile.ZipFile(file) as parts:
        entries = parts.infolist()
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise RefusedError("it is compressed, which torch.save never does")
        if sum(entry.file_size for entry in entries) > size:
            raise RefusedError("its parts declare more bytes than it has")
        (name,) = (e for e in entries if e.filename.rpartition("/")[2] == "data.pkl")
        return parts.read(name)


def build_with_state(
    path: Path, kind: str, build: Callable[[], Network], state: Mapping[str, Tensor]
) -> Network:
    """Build a network by its settings and give it its numbers.

    The shapes are compared before any memory is taken: settings may ask for a network larger than
    the numbers that are there.

    Args:
        path: the file that both are from, for errors.
        kind: what it is, for errors.
        build: makes the network, by the file's settings.
        state: its numbers.

    Raises:
        BadInput: if the settings make no network, or one that the numbers are not of.
    """
    try:
        with torch.device("meta"):
            shapes = {name: value.shape for name, value in build().state_dict().items()}
        if odd := [name for name in {**shapes, **state} if _shape(state, name) != shapes.get(name)]:
            raise ValueError(
                f"{odd[0]} is {_shape(state, odd[0])}, its settings say {shapes.get(odd[0])}"
            )
        network = build()
        network.load_state_dict(state)
    except Exception as error:  # settings of anybody's may lead to any
        raise BadInput(
            f"{path}: not a {kind} that l2l wrote ({first_line(error)}); run the stage that writes "
            "it"
        ) from None
    return network


def text(value: Any) -> str:
    """A setting that has to be a text.

    Raises:
        TypeError: if it is none.
    """
    if not isinstance(value, str):
        raise TypeError(f"a setting is of type {type(value).__name__}, expected a text")
    return value


def texts(values: Any) -> tuple[str, ...]:
    """A setting that has to be a list of texts.

    Raises:
        TypeError: if it is none.
    """
    if not isinstance(values, list):
        raise TypeError(f"a setting is of type {type(values).__name__}, expected a list of texts")
    return tuple(map(text, values))


def _shape(state: Mapping[str, Tensor], name: str) -> torch.Size | None:
    return state[name].shape if name in state else None


def first_line(error: Exception) -> str:
    """What an error says, in one line of bounded length."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else f"{text[:297]}..."
