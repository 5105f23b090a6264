"""Reading and checking a configuration, and the lines that say what is wrong with it."""

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from l2l.config.whole import Config
from l2l.datasets import BY_ADAPTER
from l2l.errors import BadInput
from l2l.sections import Section
from l2l.text_files import read_yaml


def check_config(values: dict[str, Any], origin: str) -> Config:
    """Validate a configuration that is already read.

    Raises:
        BadInput: one line that names `origin`, each wrong key, what was found and what is allowed.
    """
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise BadInput(f"{origin}: " + " | ".join(map(_line, error.errors()))) from None


def read_config(*paths: Path) -> Config:
    """Read and validate a configuration: one file, or several of which later ones win key by key.

    Raises:
        BadInput: if a file is missing or is no YAML mapping, or the whole is not valid.
    """
    return check_config(merge_configs(*paths), " ".join(map(str, paths)))


def merge_configs(*paths: Path) -> dict[str, Any]:
    """The values of configuration files, merged as `snakemake --configfile A B` merges them.

    Raises:
        BadInput: if a file is missing or is no YAML mapping.
    """
    merged: dict[str, Any] = {}
    for path in paths:
        values = read_yaml(path, "a configuration file")
        if not isinstance(values, dict):
            raise BadInput(
                f"{path}: expected sections such as {', '.join(Config.model_fields)}, found "
                f"{type(values).__name__}"
            )
        _merge(merged, values)
    return merged


def _merge(into: dict[str, Any], values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


def as_json(section: Section, without: Collection[str] = ()) -> str:
    """A section as the JSON that a stage's command line takes, without some of its keys.

    The same section always gives the same text.
    """
    values = section.model_dump(mode="json", exclude=set(without))
    return json.dumps(values, sort_keys=True)


def _line(error: ErrorDetails) -> str:
    """One of pydantic's errors in one line: where, what was found, what was expected."""
    keys = tuple(map(str, error["loc"]))
    if keys[:1] == ("videos",):
        keys = keys[:2] + keys[3:]  # the third is the adapter, by which pydantic chose the class
    where, context = ".".join(keys), error.get("ctx", {})
    if error["type"] == "extra_forbidden":
        if "." in keys[-1]:
            return _dotted_line(keys, error["input"])
        section = ".".join(keys[:-1]) or "the top level"
        return (
            f"{where}: no such key; allowed in {section}: "
            f"{', '.join(_section(error['loc'][:-1]).model_fields)}"
        )
    if error["type"] == "missing":
        return f"{where}: missing"
    if error["type"] == "union_tag_not_found":
        return f"{where}.adapter: missing; expected one of {', '.join(BY_ADAPTER)}"
    if error["type"] == "union_tag_invalid":
        return f"{where}.adapter: found {context['tag']!r}, expected one of {', '.join(BY_ADAPTER)}"
    if error["type"] == "value_error":  # one of ours, which says what was found
        return f"{where}: {context['error']}" if where else str(context["error"])
    value = repr(error["input"])
    return f"{where}: {error['msg']} (found {value if len(value) < 60 else value[:57] + '...'})"


def _dotted_line(keys: Sequence[str], value: object) -> str:
    """What to write instead of `skimmer.steps=3`, which Snakemake takes for one key."""
    first, *others = [part for key in keys for part in key.split(".")]
    nested = value
    for part in reversed(others):
        nested = {part: nested}
    return (
        f"{'.'.join(keys)}: a key with a dot is not a path to a section; on the command line write "
        f"--config '{first}={json.dumps(nested, default=str)}', in a file put {others[-1]} inside "
        f"the section {'.'.join([first, *others[:-1]])}"
    )


def _section(where: Sequence[int | str]) -> type[Section]:
    """The section at the place that pydantic names."""
    if where[:1] == ("videos",):
        return _inner(BY_ADAPTER[str(where[2])], where[3:])
    return _inner(Config, where)


def _inner(section: type[Section], where: Sequence[int | str]) -> type[Section]:
    for part in where:
        # Without a field, the part is the name of an entry, as in `variants`.
        if field := section.model_fields.get(str(part)):
            kinds = (field.annotation, *get_args(field.annotation))
            section = next(
                kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Section)
            )
    return section
