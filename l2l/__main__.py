"""The command line: ``l2l VERB --option value``. Every stage function is a verb; its parameters are
the options.

Positional-only parameters of a function become positional arguments; a config section is given as
JSON. The options are read from the function's source, so that help and wrong usage are answered
without importing torch: a stage is imported once its options are known to be right.
"""

import argparse
import ast
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

# verb: module; the function has the verb's name. In the order of the chain, then what people run.
STAGES = {
    "render_demo": "l2l.demo.stage",
    "list_videos": "l2l.manifest.stage",
    "check_leaks": "l2l.manifest.stage",
    "decode_videos": "l2l.media.stage",
    "collect_statuses": "l2l.media.stage",
    "compute_mels": "l2l.mels.stage",
    "extract_motion": "l2l.motion.stage",
    "train_teacher": "l2l.teacher.stage",
    "fit_frame_teacher": "l2l.teacher.stage",
    "load_teacher": "l2l.teacher.stage",
    "extract_descriptors": "l2l.teacher.stage",
    "distil_student": "l2l.student.stage",
    "finetune_student": "l2l.student.stage",
    "extract_features": "l2l.features.stage",
    "complete_features": "l2l.features.stage",
    "train_skimmer": "l2l.skimmer.stage",
    "train_sampler": "l2l.sampler.stage",
    "score_clips": "l2l.sampler.stage",
    "evaluate_clips": "l2l.evaluation.clips.stage",
    "evaluate_audio": "l2l.evaluation.clips.stage",
    "evaluate_videos": "l2l.evaluation.videos.stage",
    "evaluate_tradeoff": "l2l.evaluation.videos.stage",
    "evaluate_variants": "l2l.evaluation.variants.stage",
    "evaluate_scsampler": "l2l.evaluation.scsampler.stage",
    "write_report": "l2l.report.stage",
    "write_scsampler_report": "l2l.report.scsampler.stage",
    "apply_videos": "l2l.apply.stage",
    "collect_predictions": "l2l.apply.stage",
    "write_predictions_page": "l2l.apply.stage",
}
TOOLS = {
    "init": "l2l.tools.init",
    "predict": "l2l.tools.predict",
    "hear": "l2l.tools.hear",
    "lay_events": "l2l.tools.lay_events",
    "export": "l2l.tools.export",
    "check": "l2l.tools.check",
    "show": "l2l.tools.show",
    "costs": "l2l.tools.costs",
    "diff": "l2l.tools.diff",
    "inspect": "l2l.tools.inspect",
    "doctor": "l2l.tools.doctor",
    "plan": "l2l.tools.plan.stage",
    "config": "l2l.tools.config",
    "export_predictions": "l2l.tools.export_predictions",
    "scsampler": "l2l.tools.scsampler",
    "summarise_study": "l2l.tools.summarise_study",
    "summarise_scsampler": "l2l.tools.summarise_scsampler",
    "import_checkpoint": "l2l.reference.stage",
    "import_features": "l2l.reference.stage",
    "score": "l2l.reference.stage",
    "evaluate_release": "l2l.tools.evaluate_release",
}
VERBS = STAGES | TOOLS

# What a shell reports of a program that SIGPIPE or SIGINT ended.
BROKEN_PIPE_STATUS = 128 + signal.SIGPIPE
INTERRUPTED_STATUS = 128 + signal.SIGINT
MOST_NUMBERED = 1_000_000  # paths that one {first..last} may stand for
_TEXT_TYPES: dict[str, Callable[[str], object]] = {
    "int": int,
    "float": float,
    "str": str,
    "Path": Path,
}


def verb_function(verb: str) -> Callable[..., int | None]:
    """The function a verb runs."""
    return getattr(importlib.import_module(VERBS[verb]), verb)


def _verb_source(verb: str) -> ast.FunctionDef:
    """The definition of a verb's function, parsed and not imported."""
    source = Path(__file__).parents[1].joinpath(*VERBS[verb].split(".")).with_suffix(".py")
    definitions = ast.parse(source.read_text(encoding="utf-8")).body
    return next(
        node for node in definitions if isinstance(node, ast.FunctionDef) and node.name == verb
    )


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


def _add_option(
    parser: argparse.ArgumentParser, argument: ast.arg, positional: bool, required: bool
) -> None:
    """Add a parameter. An option that is not given is left to the function's default."""
    assert argument.annotation is not None
    kind = ast.unparse(argument.annotation).removesuffix(" | None")
    flag = "--" + argument.arg.replace("_", "-")
    options: dict[str, Any] = {}
    if kind == "bool":
        parser.add_argument(flag, dest=argument.arg, action="store_true", default=argparse.SUPPRESS)
        return
    if kind.startswith("list["):
        kind = kind.removeprefix("list[").removesuffix("]")
        options["nargs"] = "+"
    if kind.startswith("Literal["):
        choices = ast.literal_eval(kind.removeprefix("Literal").replace("[", "(", 1)[:-1] + ",)")
        options["choices"] = choices
    if kind in _TEXT_TYPES:
        options["type"] = _TEXT_TYPES[kind]
    if positional:
        if not required:
            options["nargs"] = "?"
        parser.add_argument(argument.arg, metavar=argument.arg.upper(), **options)
        return
    parser.add_argument(
        flag, dest=argument.arg, required=required, default=argparse.SUPPRESS, **options
    )


def _parser_of(verb: str) -> argparse.ArgumentParser:
    function = _verb_source(verb)
    parser = argparse.ArgumentParser(
        prog=f"l2l {verb}",
        description=ast.get_docstring(function),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    arguments = [*function.args.posonlyargs, *function.args.args]
    without_default = len(arguments) - len(function.args.defaults)
    for place, argument in enumerate(arguments):
        positional = argument in function.args.posonlyargs
        _add_option(parser, argument, positional, required=place < without_default)
    return parser


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
    parser = _parser_of(verb)
    values = vars(parser.parse_args(arguments))
    function = verb_function(verb)
    kinds = typing.get_type_hints(function, include_extras=True)
    values = {name: _convert(parser, name, kinds[name], value) for name, value in values.items()}
    positional = [values.pop(each.arg) for each in _verb_source(verb).args.posonlyargs]
    return function(*positional, **values) or 0


def _usage() -> str:
    """Every verb, with what each tool does: the first line of its docstring."""
    lines = ["usage: l2l VERB ...    (VERB --help explains one; --version)", "", "tools:"]
    for verb in TOOLS:
        description = ast.get_docstring(_verb_source(verb)) or ""
        lines.append(f"  {verb:<19}{description.splitlines()[0]}")
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
    program = " ".join(["l2l", *(each for each in arguments[:1] if each in VERBS)])
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
            return INTERRUPTED_STATUS
        except BadInput as error:
            message = str(error)
        except OSError as error:  # a full disk, a folder without read permission: no traceback
            where = f"{error.filename}: " if error.filename is not None else ""
            message = f"{where}{' '.join(str(error.strerror or error).split())}"
        print(f"{program}: {message}", file=sys.stderr)
        return 1


def _run(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_usage())
        return 0 if arguments else 2
    verb = arguments[0]
    if verb == "--version":
        from l2l.stores import MADE_BY

        print(MADE_BY)
        return 0
    if verb not in VERBS:
        print(f"l2l: unknown verb {verb!r}; expected one of {', '.join(VERBS)}", file=sys.stderr)
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
