"""The command line: ``l2l VERB --option value``. Every stage function is a verb; its
parameters are the options.

Positional-only parameters of a function become positional arguments; a config section is given as
JSON.
"""

import argparse
import ast
import importlib
import inspect
import os
import re
import sys
import textwrap
import types
import typing
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from l2l import __version__
from l2l.errors import BadInput
from l2l.jobs.orphans import end_with_job

# verb: module; the function has the verb's name. In the order of the chain, then what serves
# people.
STAGES = {
    "render_demo": "l2l.demo.stage",
    "list_videos": "l2l.manifest.stage",
    "decode_videos": "l2l.media.stage",
    "collect_statuses": "l2l.media.stage",
    "compute_mels": "l2l.mels.stage",
    "train_teacher": "l2l.teacher.stage",
    "load_teacher": "l2l.teacher.stage",
    "extract_descriptors": "l2l.teacher.stage",
    "distil_student": "l2l.student.stage",
    "finetune_student": "l2l.student.stage",
    "extract_features": "l2l.features.stage",
    "complete_features": "l2l.features.stage",
    "train_skimmer": "l2l.skimmer.stage",
    "evaluate_clips": "l2l.evaluation.stage",
    "evaluate_audio": "l2l.evaluation.stage",
    "evaluate_videos": "l2l.evaluation.stage",
    "evaluate_tradeoff": "l2l.evaluation.stage",
    "evaluate_variants": "l2l.evaluation.comparison",
    "write_report": "l2l.report.stage",
}
PEOPLE = {
    "predict": "l2l.tools.predict",
    "check": "l2l.tools.check",
    "inspect": "l2l.tools.inspect",
    "doctor": "l2l.tools.doctor",
    "plan": "l2l.tools.plan.stage",
    "config": "l2l.tools.config",
    "summarise_study": "l2l.tools.study",
    "import_checkpoint": "l2l.reference.stage",
    "import_features": "l2l.reference.stage",
    "score": "l2l.reference.stage",
}
VERBS = STAGES | PEOPLE


def verb_function(verb: str) -> Callable[..., int | None]:
    """The function a verb runs."""
    return getattr(importlib.import_module(VERBS[verb]), verb)


def _reader(kind: object) -> Callable[[str], object]:
    """How an option's text becomes a value of this type."""
    import pydantic  # here, so that the doctor can tell of a broken one

    if typing.get_origin(kind) is typing.Annotated or (
        isinstance(kind, type) and issubclass(kind, pydantic.BaseModel)
    ):
        return pydantic.TypeAdapter(typing.cast(Any, kind)).validate_json
    return typing.cast(type, kind)


def numbered(paths: Sequence[Path]) -> list[Path]:
    """The paths, shard-{000..119}.h5 standing for 120 of them, as in a shell.

    Thousands fit on no command line.
    """
    found: list[Path] = []
    for path in paths:
        span = re.fullmatch(r"(.*)\{([0-9]+)\.\.([0-9]+)\}(.*)", str(path), re.DOTALL)
        if span is None or path.exists():
            found.append(path)
            continue
        before, first, last, after = span.groups()
        found += [
            Path(f"{before}{number:0{len(first)}d}{after}")
            for number in range(int(first), int(last) + 1)
        ]
    return found


def _add_option(
    parser: argparse.ArgumentParser, parameter: inspect.Parameter, kind: object
) -> None:
    options: dict[str, object] = {}
    if typing.get_origin(kind) in (types.UnionType, typing.Union):  # X | None
        (kind,) = (part for part in typing.get_args(kind) if part is not types.NoneType)
    if kind is bool:
        parser.add_argument(
            "--" + parameter.name.replace("_", "-"), dest=parameter.name, action="store_true"
        )
        return
    if typing.get_origin(kind) is list:
        (kind,) = typing.get_args(kind)
        options["nargs"] = "+"
    if typing.get_origin(kind) is typing.Literal:
        options["choices"] = typing.get_args(kind)
        kind = str
    options["type"] = _reader(kind)
    if parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
        if parameter.default is not inspect.Parameter.empty:
            options |= {"nargs": "?", "default": parameter.default}
        parser.add_argument(parameter.name, metavar=parameter.name.upper(), **options)  # type: ignore[arg-type]
        return
    required = parameter.default is inspect.Parameter.empty
    default = None if required else parameter.default
    name = "--" + parameter.name.replace("_", "-")
    parser.add_argument(name, dest=parameter.name, required=required, default=default, **options)  # type: ignore[arg-type]


def _parser_of(verb: str, function: Callable[..., object]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"l2l {verb}",
        description=inspect.getdoc(function),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    kinds = typing.get_type_hints(function, include_extras=True)
    for parameter in inspect.signature(function).parameters.values():
        _add_option(parser, parameter, kinds[parameter.name])
    return parser


def _call(function: Callable[..., int | None], values: dict[str, object]) -> int:
    positional = [
        values.pop(name)
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is inspect.Parameter.POSITIONAL_ONLY
    ]
    return function(*positional, **values) or 0


def _usage() -> str:
    """Every verb; of those for people what they do, read from their source, since importing all
    takes seconds.
    """
    lines = [
        "usage: l2l VERB ...    (VERB --help explains one; --version)",
        "",
        "for people:",
    ]
    for verb, module in PEOPLE.items():
        source = (
            Path(__file__)
            .parents[1]
            .joinpath(*module.split("."))
            .with_suffix(".py")
            .read_text(encoding="utf-8")
        )
        functions = (node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef))
        (told,) = (
            ast.get_docstring(function) or "" for function in functions if function.name == verb
        )
        lines.append(f"  {verb:<19}{told.splitlines()[0]}")
    stages = textwrap.wrap(", ".join(STAGES), 100, initial_indent="  ", subsequent_indent="  ")
    return "\n".join([*lines, "", "stages, which Snakemake runs:", *stages])


def _are_paths(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, Path) for each in value)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb.

    0 when it did its work, 1 for bad input (told in one line), 2 for wrong usage.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_usage())
        return 0 if arguments else 2
    verb = arguments[0]
    if verb == "--version":
        print(f"l2l {__version__}")
        return 0
    if verb not in VERBS:
        print(f"l2l: unknown verb {verb!r}; expected one of {', '.join(VERBS)}", file=sys.stderr)
        return 2
    if job := os.environ.get("L2L_JOB"):  # set where a rule runs this, and nowhere else
        end_with_job(job)
    try:
        function = verb_function(verb)
        values = vars(_parser_of(verb, function).parse_args(arguments[1:]))
        return _call(
            function, {name: numbered(v) if _are_paths(v) else v for name, v in values.items()}
        )
    except BadInput as error:
        print(f"l2l {verb}: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        return 0
    # a disk that is full, a folder that may not be read: nothing that a traceback would explain
    except OSError as error:
        where = f"{error.filename}: " if error.filename is not None else ""
        print(
            f"l2l {verb}: {where}{' '.join(str(error.strerror or error).split())}", file=sys.stderr
        )
        return 1


if __name__ == "__main__":
    sys.exit(main())
