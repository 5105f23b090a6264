"""What Snakemake answers with a traceback before it reads the Snakefile, in one line.

The profiles call these functions: Snakemake reads them before anything else. See
`workflow/profiles/default/config.yaml`.
"""

import importlib.util
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from l2l.terminal import escape

_SUFFIXES = (".yaml", ".yml", ".json")
_KEY = re.compile(r"[a-zA-Z_][\w-]*\w")  # Snakemake's own, of `--config KEY=VALUE`


def check_configfiles(arguments: Sequence[str] | None = None) -> None:
    """End this process where a word after `--configfile` is no configuration file, or one after
    `--config` no key that Snakemake takes.

    Args:
        arguments: of Snakemake's command line; default: this process's.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    check_config_keys(arguments)
    words = configfile_words(arguments)
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


def check_config_keys(arguments: Sequence[str]) -> None:
    """End this process where a word after `--config` is not `section=value`."""
    for word in _words_after(lambda option: option in ("--config", "-C"), arguments):
        key, given, value = word.partition("=")
        if given and _KEY.fullmatch(key):
            continue
        if given and (names := [name for name in key.split(".") if name])[1:]:
            section, *inner = names
            for name in reversed(inner):
                value = f'{{"{name}": {value}}}'
            _end(f"{key}: Snakemake takes no key with a dot: --config '{section}={value}'")
        _end(
            f"--config {word}: expected a section and its keys, such as --config "
            "'skimmer={\"steps\": 3}'"
        )


def configfile_words(arguments: Sequence[str]) -> list[str]:
    """The words that Snakemake takes for configuration files; the last such option counts."""
    return _words_after(lambda option: option.startswith("--configfile"), arguments)


def _words_after(is_option: Callable[[str], bool], arguments: Sequence[str]) -> list[str]:
    """The words that belong to an option; the last such option counts."""
    words: list[str] = []
    taken = False
    for argument in arguments:
        if is_option(argument.partition("=")[0]):
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
