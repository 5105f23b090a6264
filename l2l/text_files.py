"""Text, JSON and YAML files that people bring.

An encoding is read from the file or the file is refused: a guessed one changes names and labels.
Where a key is duplicated, the file is refused too: one of the two values would be lost.
"""

import codecs
import json
import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from l2l.errors import BadInput

_BOMS = (
    # UTF-32 first: its little-endian mark starts with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_BOMS_OF_LINES = re.compile("^\ufeff+", re.MULTILINE)
_SHOWN_BYTES = 40
MAX_VALUES = 1_000_000  # of a YAML file, each alias counted as a copy


def read_text(path: Path, expected: str) -> str:
    r"""The text of a file in UTF-8, or in UTF-16 or UTF-32 with a byte order mark.

    Args:
        path: the file.
        expected: what the file should hold, for messages.

    Returns:
        The text with "\n" at the end of each line, without byte order marks.

    Raises:
        BadInput: if the file cannot be read, has another encoding, or holds a NUL character; the
            message names the line.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file; expected {expected}") from None
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}); expected {expected}") from None
    encoding = next((name for mark, name in _BOMS if data.startswith(mark)), "utf-8")
    if encoding == "utf-8":
        _refuse_utf_16_without_mark(path, data)
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise BadInput(_wrong_encoding(path, data, encoding, error)) from None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise BadInput(f"{path}: line {line} has a NUL character; expected {expected}")
    # `cat` of several files leaves the mark of each in the middle, some editors leave two
    return _BOMS_OF_LINES.sub("", text)


def _wrong_encoding(path: Path, data: bytes, encoding: str, error: UnicodeDecodeError) -> str:
    if encoding != "utf-8":
        return f"{path}: its byte order mark says {encoding}, but it is not ({error.reason})"
    line = data.count(b"\n", 0, error.start) + 1
    start = data.rfind(b"\n", 0, error.start) + 1
    content = data[start:].partition(b"\n")[0].strip()[:_SHOWN_BYTES]
    return (
        f"{path}: line {line} is not UTF-8; it may be cp1252, in which it is "
        f"{content.decode('cp1252', 'replace')!r}; save the file as UTF-8, for example with "
        "`iconv -f cp1252 -t utf-8`"
    )


def _refuse_utf_16_without_mark(path: Path, data: bytes) -> None:
    """Stop at text in UTF-16 without a mark, whose every other byte is zero."""
    even, odd = data[0:200:2].count(0), data[1:200:2].count(0)
    if max(even, odd) * 4 > len(data[:200]):
        order = "utf-16-be" if even > odd else "utf-16-le"
        raise BadInput(
            f"{path}: line 1 is not UTF-8; it may be {order} without a byte order mark; save the "
            f"file as UTF-8, for example with `iconv -f {order} -t utf-8`"
        )


def read_json(path: Path, expected: str) -> Any:
    """The content of a JSON file.

    Args:
        path: the file.
        expected: what the file should hold, for messages.

    Raises:
        BadInput: if the file cannot be read, is not JSON, or has a duplicated key.
    """
    text = read_text(path, expected)

    def without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        values = dict(pairs)
        if len(values) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise BadInput(f"{path}: key {twice!r} is duplicated; keep one of the two")
        return values

    try:
        return json.loads(text, object_pairs_hook=without_duplicates)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path}: not JSON ({error}); expected {expected}") from None


def read_yaml(path: Path, expected: str) -> Any:
    """The content of a YAML file.

    Args:
        path: the file.
        expected: what the file should hold, for messages.

    Raises:
        BadInput: if the file cannot be read, is not YAML, or has a duplicated key.
    """

    class Loader(yaml.SafeLoader):
        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            seen = set()
            for key_node, _ in node.value:
                if key_node.tag == "tag:yaml.org,2002:merge":
                    continue
                key = self.construct_object(key_node, deep=True)
                if not isinstance(key, Hashable):
                    continue  # the loader itself refuses it, and says where
                if key in seen:
                    raise BadInput(
                        f"{path}: line {key_node.start_mark.line + 1}: key {key!r} is duplicated; "
                        "keep one of the two"
                    )
                seen.add(key)
            return super().construct_mapping(node, deep)

    text = read_text(path, expected)
    try:
        loader = Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        if (values := _expanded_values(node, {})) > MAX_VALUES:
            raise BadInput(
                f"{path}: its aliases stand for {values:,} values, expected {expected} of at most "
                f"{MAX_VALUES:,}; write the values out"
            )
        return loader.construct_document(node)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        line = " ".join(str(error).split())
        raise BadInput(f"{path}: not YAML: {line}; expected {expected}") from None


def _expanded_values(node: yaml.Node, sizes: dict[int, int]) -> int:
    """How many values a YAML node holds where each alias stands for a copy."""
    if id(node) not in sizes:
        sizes[id(node)] = 1  # also of a node that holds itself
        children = node.value if isinstance(node, yaml.CollectionNode) else []
        flat = [
            child for pair in children for child in (pair if isinstance(pair, tuple) else [pair])
        ]
        sizes[id(node)] = 1 + sum(_expanded_values(child, sizes) for child in flat)
    return sizes[id(node)]
