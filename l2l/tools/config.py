"""What each key of the configuration means: `l2l config`, and docs/configuration.md."""

import json
import sys
import types
import typing
from collections.abc import Iterator
from typing import Any, NamedTuple

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from l2l.config import Config
from l2l.datasets import BY_ADAPTER
from l2l.errors import BadInput
from l2l.sections import Section


class Key(NamedTuple):
    """One key of the configuration."""

    path: str  # as skimmer.training.epochs; <name> stands for a name of the user's choice
    kind: str
    default: str  # as YAML writes it; "required" without one
    meaning: str  # with its unit and the paper's value


def keys() -> list[Key]:
    """Every key that a configuration can have, in the order of the chain."""
    return list(_keys_of(Config, ""))


def _keys_of(section: type[Section], prefix: str) -> Iterator[Key]:
    for name, field in section.model_fields.items():
        path = f"{prefix}{name}"
        if path == "videos":
            yield Key(path, "sections by name", "required", field.description or "")
            for adapter, dataset in BY_ADAPTER.items():
                yield from _keys_of(dataset, f"videos.<{adapter}>.")
            continue
        inner = _section_in(field.annotation)
        if inner is None:
            default = _as_yaml(field.get_default(call_default_factory=True))
            kind = _kind(field.annotation, field.metadata)
            yield Key(path, kind, default, field.description or "")
            continue
        by_name = typing.get_origin(field.annotation) is dict
        kind = "sections by name" if by_name else "section"
        yield Key(path, kind, _section_default(field), field.description or "")
        yield from _keys_of(inner, f"{path}.<name>." if by_name else f"{path}.")


def _section_in(annotation: object) -> type[Section] | None:
    """The section that a field holds: itself, one or none, or one per name."""
    for kind in (annotation, *typing.get_args(annotation)):
        if isinstance(kind, type) and issubclass(kind, Section):
            return kind
    return None


def _section_default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True)
    return _as_yaml(default) if default is None or default == {} else "that of each key"


def _as_yaml(value: object) -> str:
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, str):
        return value or '""'
    return json.dumps(value, default=str)


def _kind(annotation: Any, metadata: list[Any]) -> str:
    """A field's type and bounds in words."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _kind(inner[0], list(inner[1:]))
    if origin is typing.Literal:
        text = " | ".join(map(str, inner))
    elif origin in (typing.Union, types.UnionType):
        text = " or ".join("null" if kind is type(None) else _kind(kind, []) for kind in inner)
    elif origin is tuple and inner[-1] is ...:
        text = f"list of {_kind(inner[0], [])}"
    elif origin is tuple:
        text = f"list of {len(inner)}: {_kind(inner[0], [])}"
    else:
        plain = {int: "integer", float: "number", bool: "true | false", str: "text"}
        text = plain.get(annotation, "path")
    return " ".join([text, *_bounds(metadata)])


def _bounds(metadata: list[Any]) -> Iterator[str]:
    signs = {"gt": ">", "ge": ">=", "lt": "<", "le": "<=", "multiple_of": "multiple of"}
    for each in metadata:
        for constraint in getattr(each, "metadata", [each]):
            for name, sign in signs.items():
                if (bound := getattr(constraint, name, None)) is not None:
                    yield f"{sign} {bound}"


def as_text(shown: list[Key]) -> str:
    """The keys for a terminal."""
    return "\n\n".join(
        f"{key.path}  ({key.kind}; default {key.default})\n    {key.meaning}"
        if key.default != "required"
        else f"{key.path}  ({key.kind}; required)\n    {key.meaning}"
        for key in shown
    )


def as_markdown() -> str:
    """docs/configuration.md: one table per section."""
    tables: dict[str, list[Key]] = {}
    for key in keys():
        section = "" if key.kind.startswith("section") else key.path.rpartition(".")[0]
        if section or "." not in key.path:
            tables.setdefault(section, []).append(key)
    lines = [
        "# Every key of the configuration",
        "",
        "Made by `l2l config --markdown` from `l2l/config/` and `l2l/datasets.py`; do not edit. "
        "`l2l config skimmer` prints one section, `l2l config skimmer.steps` one key, and "
        "`l2l config --schema` the JSON Schema that editors read.",
        "",
        "*required*: has no default. Names in `<>` are the adapter of a data set, or a name of "
        "your choice.",
    ]
    for section, listed in tables.items():
        lines += ["", f"## {section or 'Top level'}", ""]
        if section and (own := next((k for k in keys() if k.path == section), None)):
            lines += [own.meaning, ""]
        lines += ["| key | type | default | meaning |", "|---|---|---|---|"]
        for key in listed:
            name = key.path.rpartition(".")[2]
            cells = (f"`{name}`", key.kind, f"`{key.default}`", key.meaning)
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def config(key: str | None = None, /, schema: bool = False, markdown: bool = False) -> None:
    """Print what KEY means: type, unit, default and the paper's value.

    Without KEY all of them; with a section's name, as `skimmer`, those in it. `--schema` prints
    the JSON Schema of config.yaml, which editors use to check and complete it; `--markdown` prints
    docs/configuration.md.

    Args:
        key: a section such as `skimmer`, or a key such as `skimmer.steps`; without one all keys.
        schema: print the JSON Schema of config.yaml, which editors use to check and complete it.
        markdown: print docs/configuration.md.

    Raises:
        BadInput: if there is no such key.

    Example:
        l2l config skimmer.steps
    """
    if schema:
        print(json.dumps(Config.model_json_schema(), indent=2))
        return
    if markdown:
        sys.stdout.write(as_markdown())
        return
    shown = [k for k in keys() if key is None or k.path == key or k.path.startswith(f"{key}.")]
    if not shown:
        raise BadInput(
            f"no key {key}; expected one such as skimmer or skimmer.steps; the sections are "
            f"{', '.join(Config.model_fields)}"
        )
    print(as_text(shown))
