"""Python children that open what may come from anybody: their command line and their memory.

A child has neither the working directory nor PYTHONPATH of its caller in front of its module path:
a file named av.py next to the videos is never run.
"""

import contextlib
import os
import sys
from pathlib import Path


def child_argv(module: str) -> tuple[str, ...]:
    """The command line of a child that runs `serve` of a module of l2l; `module_folders` follow."""
    return (
        sys.executable,
        "-P",
        "-c",
        "import sys; sys.path.insert(0, sys.argv[1]); sys.path += sys.argv[2:]; "
        f"from {module} import serve; serve()",
    )


def module_folders() -> list[str]:
    """The folder of l2l, and where else this process finds modules; never the working directory."""
    here = os.path.realpath(".")
    others = [each for each in sys.path if each and os.path.realpath(each) != here]
    return [str(Path(__file__).parents[2]), *others]


def limit_memory(most_bytes: int) -> None:
    """Bound the address space of this process, where the system can do that."""
    import resource

    with contextlib.suppress(ValueError, OSError):
        soft, _ = resource.getrlimit(resource.RLIMIT_AS)
        if soft == resource.RLIM_INFINITY or soft > most_bytes:
            resource.setrlimit(resource.RLIMIT_AS, (most_bytes, most_bytes))
