"""What Snakemake answers with a traceback before it reads the Snakefile, in one line.

The profiles call these functions: Snakemake reads them before anything else. See
`workflow/profiles/default/config.yaml`.
"""

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

from l2l.terminal import escape

_SUFFIXES = (".yaml", ".yml", ".json")


def check_configfiles(arguments: Sequence[str] | None = None) -> None:
    """End this process where a word after `--configfile` is no configuration file.

    Args:
        arguments: of Snakemake's command line; default: this process's.
    """
    words = configfile_words(sys.argv[1:] if arguments is None else arguments)
    for word in words:
        if Path(word).is_file():
            continue
        targets = [each for each in words if not Path(each).is_file()]
        files = " ".join(each for each in words if each not in targets)
        if files and not word.endswith(_SUFFIXES):
            _end(
                f"{word}: no configuration file; --configfile takes every word that follows, so "
                f"targets come first: snakemake {' '.join(targets)} --configfile {files}"
            )
        kind = "a folder" if Path(word).is_dir() else f"no such file in {Path.cwd()}"
        _end(
            f"{word}: {kind}; expected a configuration file: `l2l init FOLDER` writes one, and "
            "others are in workflow/configs"
        )


def configfile_words(arguments: Sequence[str]) -> list[str]:
    """The words that Snakemake takes for configuration files; the last such option counts."""
    words: list[str] = []
    taken = False
    for argument in arguments:
        if argument.startswith("--configfile"):
            _, given, value = argument.partition("=")
            words, taken = [value] if given else [], not given
        elif argument.startswith("-"):
            taken = False
        elif taken:
            words.append(argument)
    return words


def check_slurm_plugin() -> None:
    """End this process where Snakemake has no plugin for Slurm."""
    if importlib.util.find_spec("snakemake_executor_plugin_slurm") is None:
        _end("Snakemake's plugin for Slurm is not installed: run `make slurm` in the checkout once")


def _end(line: str) -> None:
    sys.exit(f"l2l: {escape(line)}")
