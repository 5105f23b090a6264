"""Completion of verbs, options and files by a shell."""

import argparse
from typing import Literal

from l2l.verbs import VERBS, parser_of, summary_of


def completion(shell: Literal["bash", "zsh", "tcsh"], /) -> None:
    """Print what lets a shell complete l2l's verbs, options and files.

    Args:
        shell: the shell; fish is not offered, because shtab, which writes the completion, has
            none for it.

    Example:
        eval "$(l2l completion bash)"
    """
    import shtab

    parser = argparse.ArgumentParser(prog="l2l")
    verbs = parser.add_subparsers()
    for verb in VERBS:
        options = parser_of(verb)
        for action in options._actions:
            if getattr(action.type, "__name__", "") == "Path":
                action.complete = shtab.FILE  # type: ignore[attr-defined]
        verbs.add_parser(verb, parents=[options], add_help=False, help=summary_of(verb))
    print(shtab.complete(parser, shell))
