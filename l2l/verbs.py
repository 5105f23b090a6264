"""The verbs of the command line and their options, read from the sources of their functions: so
help and wrong usage are answered without importing torch.

A parameter of a function is an option; a positional-only one is an argument. What an option means
is in the function's docstring, below `Args:`; an example is below `Example:`.
"""

import argparse
import ast
import difflib
import functools
import re
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

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
    "finetune_teacher": "l2l.teacher.stage",
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
    "completion": "l2l.tools.completion",
    "plan": "l2l.tools.plan.stage",
    "config": "l2l.tools.config",
    "fetch_weights": "l2l.tools.fetch_weights",
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

TRAININGS = (
    *("train_teacher", "finetune_teacher", "distil_student", "finetune_student"),
    *("train_skimmer", "train_sampler"),
)
"""The stages that go on from a checkpoint, and whose logs have epochs."""

# What `snakemake` has to be given for those stages that config.yaml alone does not run, and a note.
_SCSAMPLER = ("scsampler", "")
_APPLY = (
    "apply --configfile config.yaml apply.yaml",
    "apply.yaml has a data set of role apply: docs/apply.md",
)
_NEEDED = {
    "extract_motion": _SCSAMPLER,
    "train_sampler": _SCSAMPLER,
    "score_clips": _SCSAMPLER,
    "evaluate_scsampler": _SCSAMPLER,
    "write_scsampler_report": _SCSAMPLER,
    "fit_frame_teacher": (
        "--configfile my.yaml",
        "my.yaml has teacher.network: frames: docs/pretrained.md",
    ),
    "finetune_teacher": (
        "--configfile config.yaml my.yaml",
        "my.yaml has teacher.finetune: docs/configuration.md",
    ),
    "load_teacher": (
        "--configfile workflow/configs/paper.yaml my.yaml",
        "my.yaml has `run`, `seed` and `videos` alone of what `l2l init` writes",
    ),
    "apply_videos": _APPLY,
    "collect_predictions": _APPLY,
    "write_predictions_page": _APPLY,
}

_FOLDER = Path(__file__).parents[1]
_TEXT_TYPES: dict[str, Callable[[str], object]] = {
    "int": int,
    "float": float,
    "str": str,
    "Path": Path,
}
_QUOTES = "'\""
_SECTIONS = ("Args", "Raises", "Returns", "Example")  # of a docstring


def nearest(word: str, known: Sequence[str]) -> str:
    """A question that names the known word that a misspelt one is most like; empty if none is."""
    alike = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {alike[0]}?" if alike else ""


@functools.cache
def function_of(verb: str) -> ast.FunctionDef:
    """The definition of a verb's function, parsed and not imported."""
    definitions = _parsed(VERBS[verb]).body
    return next(
        node for node in definitions if isinstance(node, ast.FunctionDef) and node.name == verb
    )


def summary_of(verb: str) -> str:
    """The first sentence of the docstring of a verb's function, on one line."""
    paragraph = (ast.get_docstring(function_of(verb)) or "").partition("\n\n")[0]
    return re.split(r"(?<=\.)\s", paragraph)[0].replace("\n", " ")


def example_of(verb: str) -> str:
    """The commands that the help of a verb shows."""
    if verb in STAGES:  # its own command has the paths of a dozen files
        needed = f"{_NEEDED[verb][0]} " if verb in _NEEDED else ""
        return f"snakemake --cores 1 {needed}--forcerun {verb} --printshellcmds --dry-run"
    return _docstring_of(verb)["Example"]


class Parser(argparse.ArgumentParser):
    """A parser that names the option which a misspelt one is most like."""

    def error(self, message: str) -> NoReturn:
        """Print the usage on one line and what is wrong with it, and exit with status 2."""
        unknown = re.fullmatch(r"unrecognized arguments: (--[\w-]+).*", message)
        if unknown is not None:
            message += nearest(unknown[1], list(self._option_string_actions))
        positional = " ".join(
            each.metavar if isinstance(each.metavar, str) else f"{{{','.join(each.choices or ())}}}"
            for each in self._get_positional_actions()
        )
        words = " ".join(filter(None, (self.prog, positional, "[options]")))
        self.exit(2, f"usage: {words}    ({self.prog} --help)\n{self.prog}: error: {message}\n")

    def _check_value(self, action: argparse.Action, value: object) -> None:
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError as error:
            meaning = (action.help or "").replace("%%", "%").partition(" (default: ")[0]
            error.message += f": {meaning}"
            raise


def parser_of(verb: str) -> Parser:
    """The parser of a verb's options. One that is not given is left to the function's default."""
    function, documented = function_of(verb), _docstring_of(verb)
    texts = _texts_of_options(documented["Args"])
    parser = Parser(
        prog=f"l2l {verb}",
        description=documented[""],
        epilog=_epilog(verb, documented["Returns"]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parameters = [*function.args.posonlyargs, *function.args.args]
    defaults = [None] * (len(parameters) - len(function.args.defaults)) + function.args.defaults
    for parameter, default in zip(parameters, defaults, strict=True):
        positional = parameter in function.args.posonlyargs
        text = texts.get(parameter.arg, "")
        _add_option(parser, VERBS[verb], parameter, default, positional, text)
    return parser


def _add_option(
    parser: Parser,
    module: str,
    parameter: ast.arg,
    default: ast.expr | None,
    positional: bool,
    text: str,
) -> None:
    assert parameter.annotation is not None
    kind = ast.unparse(parameter.annotation).removesuffix(" | None")
    flag = "--" + parameter.arg.replace("_", "-")
    if kind == "bool":
        parser.add_argument(
            flag, dest=parameter.arg, action="store_true", default=argparse.SUPPRESS, help=text
        )
        return
    options: dict[str, Any] = {"help": (text + _shown_default(default, text)).replace("%", "%%")}
    if kind.startswith("list["):
        kind = kind.removeprefix("list[").removesuffix("]")
        options["nargs"] = "+"
        if not positional:
            options["action"] = "extend"  # given twice, it has the words of both
    if choices := _choices(kind, module):
        options["choices"] = choices
    if kind in _TEXT_TYPES:
        options["type"] = _TEXT_TYPES[kind]
    if kind.endswith(("Config", "Dataset", "Variant")):
        options["metavar"] = "JSON"
    if positional:
        if default is not None:
            options["nargs"] = "?"
        if not choices:
            options["metavar"] = parameter.arg.upper()
        parser.add_argument(parameter.arg, **options)
        return
    required = default is None
    parser.add_argument(
        flag, dest=parameter.arg, required=required, default=argparse.SUPPRESS, **options
    )


def _shown_default(default: ast.expr | None, text: str) -> str:
    """The default as help shows it, where the text does not name it itself."""
    if default is None or "default" in text:
        return ""
    shown = ast.unparse(default)
    named = isinstance(default, ast.Name | ast.Call)  # a section as it is without any key
    return "" if named or shown == "None" else f" (default: {shown.strip(_QUOTES)})"


def _choices(kind: str, module: str) -> tuple[str, ...]:
    """The words that an option takes; none for another type."""
    if kind.startswith("Literal["):
        return ast.literal_eval(kind.removeprefix("Literal").replace("[", "(", 1)[:-1] + ",)")
    if kind in _TEXT_TYPES:
        return ()
    for node in _parsed(module).body:  # a name for words is defined there, or imported
        if isinstance(node, ast.ImportFrom) and any(each.name == kind for each in node.names):
            return _choices(kind, str(node.module))
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == kind:
            words = ast.unparse(node.value)
            return _choices(words, module) if words.startswith("Literal[") else ()
    return ()


@functools.cache
def _parsed(module: str) -> ast.Module:
    path = _FOLDER.joinpath(*module.split("."))
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(source.read_text(encoding="utf-8"))


def _docstring_of(verb: str) -> dict[str, str]:
    """The sections of the docstring of a verb's function, each without its indentation; the text
    before the first is that of the empty name.
    """
    docstring = ast.get_docstring(function_of(verb)) or ""
    first, *others = re.split(rf"^({'|'.join(_SECTIONS)}):\n", docstring, flags=re.MULTILINE)
    sections = dict.fromkeys(_SECTIONS, "") | {"": first.strip()}
    for name, text in zip(others[::2], others[1::2], strict=True):
        sections[name] = textwrap.dedent(text).strip()
    return sections


def _texts_of_options(section: str) -> dict[str, str]:
    """The text of each option, on one line."""
    parts = re.split(r"^(\w+): ", section, flags=re.MULTILINE)[1:]
    return {
        name: " ".join(text.split()) for name, text in zip(parts[::2], parts[1::2], strict=True)
    }


def _epilog(verb: str, returns: str) -> str:
    lines = [f"exit status: {' '.join(returns.split())}", ""] if returns else []
    if verb in STAGES:
        _, note = _NEEDED.get(verb, ("", ""))
        lines += [f"Snakemake runs it, and prints its command{note and f' ({note})'}:"]
    else:
        lines.append("example:")
    return "\n".join([*lines, textwrap.indent(example_of(verb), "  ")])
