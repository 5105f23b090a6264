"""Python children that open what may come from anybody: their command line and their memory.

A child has neither the working directory nor PYTHONPATH of its caller in front of its module path:
a file named av.py next to the videos is never run.
"""

import atexit
import contextlib
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, Protocol, TypeVar


class Child(Protocol):
    """A process that answers one request at a time."""

    owner: int  # the process that started it

    def end(self) -> object:
        """Kill the process."""


AnyChild = TypeVar("AnyChild", bound=Child)


class IdleChildren(Generic[AnyChild]):
    """Children that wait for the next request, from any thread; they end with this process."""

    def __init__(self, start: Callable[[], AnyChild]) -> None:
        self._start = start
        self._lock = threading.Lock()
        self.waiting: list[AnyChild] = []
        atexit.register(self.end)

    def take(self) -> AnyChild:
        """One that no other thread uses: the last one used, which knows its file, or a new one.

        A fork of this process must not talk to its children.
        """
        with self._lock:
            own = [each for each in self.waiting if each.owner == os.getpid()]
            child = own.pop() if own else None
            self.waiting[:] = own
        return child or self._start()

    def give_back(self, child: AnyChild) -> None:
        """Let it wait for the next request."""
        with self._lock:
            self.waiting.append(child)

    def end(self) -> None:
        """End those that wait."""
        with self._lock:
            while self.waiting:
                child = self.waiting.pop()
                if child.owner == os.getpid():
                    child.end()


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
