"""The command line: ``l2l VERB --option value``. Every stage function is a verb; its parameters are
the options, see `l2l.verbs`.

A config section is given as JSON. A stage is imported once its options are known to be right.
"""

import argparse
import contextlib
import importlib
import os
import re
import signal
import sys
import textwrap
import types
import typing
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from l2l.errors import BadInput
from l2l.terminal import escaped_output
from l2l.verbs import STAGES, TOOLS, TRAININGS, VERBS, function_of, nearest, parser_of, summary_of

# What a shell reports of a program that SIGPIPE or SIGINT ended.
BROKEN_PIPE_STATUS = 128 + signal.SIGPIPE
INTERRUPTED_STATUS = 128 + signal.SIGINT
MOST_NUMBERED = 1_000_000  # paths that one {first..last} may stand for


def verb_function(verb: str) -> Callable[..., int | None]:
    """The function a verb runs."""
    return getattr(importlib.import_module(VERBS[verb]), verb)


def numbered(paths: Sequence[Path]) -> list[Path]:
    """The paths, with shard-{000..119}.h5 replaced by the 120 paths that it stands for, as in a
    shell: thousands of paths do not fit on a command line.

    Raises:
        BadInput: if one stands for more than a million.
    """
    expanded: list[Path] = []
    for path in paths:
        span = re.fullmatch(r"(.*)\{([0-9]+)\.\.([0-9]+)\}(.*)", str(path), re.DOTALL)
        if span is None or os.path.exists(path):  # noqa: PTH110 - Path's own stops at long names
            expanded.append(path)
            continue
        before, first, last, after = span.groups()
        if len(last) > len(str(MOST_NUMBERED)) or int(last) - int(first) >= MOST_NUMBERED:
            raise BadInput(f"{path}: stands for more than {MOST_NUMBERED:,} paths")
        expanded += [
            Path(f"{before}{number:0{len(first)}d}{after}")
            for number in range(int(first), int(last) + 1)
        ]
    return expanded


def _convert(parser: argparse.ArgumentParser, name: str, kind: Any, value: object) -> object:
    """An option's value in the type that its function takes. Texts of the other types are converted
    already; left are config sections, as JSON, and words of a named `Literal`.
    """
    if typing.get_origin(kind) in (types.UnionType, typing.Union):  # X | None
        (kind,) = (each for each in typing.get_args(kind) if each is not types.NoneType)
    if typing.get_origin(kind) is list:
        (kind,) = typing.get_args(kind)
        assert isinstance(value, list)
        values = [_convert(parser, name, kind, each) for each in value]
        return numbered(typing.cast(list[Path], values)) if kind is Path else values
    option = "--" + name.replace("_", "-")
    if typing.get_origin(kind) is typing.Literal:
        if value not in typing.get_args(kind):
            choices = ", ".join(map(repr, typing.get_args(kind)))
            parser.error(f"argument {option}: invalid choice: {value!r} (choose from {choices})")
        return value
    if not isinstance(value, str) or kind is str:
        return value
    import pydantic

    try:
        return pydantic.TypeAdapter(kind).validate_json(value)
    except pydantic.ValidationError as error:
        wrong = (
            f"{'.'.join(map(str, each['loc'])) or option}: {each['msg']}" for each in error.errors()
        )
        parser.error(f"argument {option}: not a section's JSON: {' | '.join(wrong)}")


def _call(verb: str, arguments: Sequence[str]) -> int:
    parser = parser_of(verb)
    values = vars(parser.parse_args(arguments))
    function = verb_function(verb)
    kinds = typing.get_type_hints(function, include_extras=True)
    values = {name: _convert(parser, name, kinds[name], value) for name, value in values.items()}
    positional = [values.pop(each.arg) for each in function_of(verb).args.posonlyargs]
    return function(*positional, **values) or 0


def _usage() -> str:
    """Every verb, with what each tool does: the first line of its docstring."""
    lines = ["usage: l2l VERB ...    (VERB --help explains one; --version)", "", "tools:"]
    for verb in TOOLS:
        lines.append(f"  {verb:<20}{summary_of(verb)}")
    stages = textwrap.wrap(", ".join(STAGES), 100, initial_indent="  ", subsequent_indent="  ")
    return "\n".join([*lines, "", "stages, which Snakemake runs:", *stages])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb.

    Returns:
        0 when it did its work; 1 for bad input, which is explained in one line; 2 for wrong usage;
        130 when it was interrupted by Ctrl-C; 141 when the program that reads the output, such as
        `head`, ended first.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    verbs = [each.replace("-", "_") for each in arguments[:1]]
    program = " ".join(["l2l", *(each for each in verbs if each in VERBS)])
    _open_closed_streams()
    with escaped_output():
        try:
            try:
                return _run(arguments)
            finally:
                _flush()
        except BrokenPipeError:
            return BROKEN_PIPE_STATUS
        except KeyboardInterrupt:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # another one ends it at once
            print(f"{program}: {_how_to_go_on(program)}", file=sys.stderr, flush=True)
            return INTERRUPTED_STATUS
        except BadInput as error:
            message = str(error)
        except OSError as error:  # a full disk, a folder without read permission: no traceback
            where = f"{error.filename}: " if error.filename is not None else ""
            message = f"{where}{' '.join(str(error.strerror or error).split())}"
        except ModuleNotFoundError as error:
            if error.name is None or error.name.partition(".")[0] == "l2l":
                raise  # a mistake of ours
            message = _how_to_install(error.name)
        print(f"{program}: {message}", file=sys.stderr)
        return 1


def _how_to_install(module: str) -> str:
    """What to do where a package is not installed."""
    modules = importlib.import_module("l2l.tools.doctor").MODULES
    package = module.partition(".")[0]
    distribution = {module: name for name, module in modules.items()}.get(package, package)
    return (
        f"the package {distribution} is not installed in {sys.prefix}: run `rm -f .venv/installed; "
        f"make doctor` in the checkout, or `{sys.executable} -m pip install {distribution}`; "
        "`l2l doctor` says what else is missing"
    )


def _how_to_go_on(program: str) -> str:
    """What to do after Ctrl-C. No artifact is left half-written: see `l2l.stores.atomic_path`."""
    command = "snakemake" if "L2L_JOB" in os.environ else "the same command"
    verb = program.rpartition(" ")[2]
    if verb in TRAININGS:
        return f"interrupted; run {command} again: it goes on from the last checkpoint"
    if verb == "fetch_weights":
        return f"interrupted; run {command} again: it goes on where the download stopped"
    return f"interrupted; nothing unfinished was kept: run {command} again"


def _run(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_usage())
        return 0 if arguments else 2
    verb = arguments[0] if arguments[0].startswith("-") else arguments[0].replace("-", "_")
    if verb == "--version":
        from l2l.stores import MADE_BY

        print(MADE_BY)
        return 0
    if verb not in VERBS:
        known = nearest(verb, list(VERBS)) or f"; expected one of {', '.join(VERBS)}"
        print(f"l2l: unknown verb {verb!r}{known}", file=sys.stderr)
        return 2
    if job := os.environ.get("L2L_JOB"):  # set where a rule runs this, and nowhere else
        from l2l.jobs.orphans import end_with_job

        end_with_job(job)
    return _call(verb, arguments[1:])


def _open_closed_streams() -> None:
    """Open those of standard input, output and error that the shell closed, so that no other file
    gets their numbers.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is this one


def _flush() -> None:
    """Write out what was printed. Where that fails, drop the rest: Python would try again when it
    ends, and change the exit status.
    """
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise


if __name__ == "__main__":
    sys.exit(main())
