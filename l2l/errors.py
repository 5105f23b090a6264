"""Errors that are answered with one line instead of a traceback.

The line names the file, what was found, what was expected and how to repair it.
"""

import errno
import signal

from l2l.terminal import escape

KILLED = tuple(-each for each in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP))
"""Exit codes of a program that did not fail or crash: a signal from outside ended it."""

MACHINE_ERRNOS = frozenset(
    getattr(errno, name)
    for name in (
        *("EAGAIN", "ENOMEM", "EMFILE", "ENFILE", "ENOSPC", "EDQUOT", "ENOLCK"),
        *("ESTALE", "ETIMEDOUT", "EHOSTDOWN", "EHOSTUNREACH", "ENOTCONN"),
    )
    if hasattr(errno, name)
)
"""Error numbers that say something of the machine or its network, and nothing of the file."""


class BadInput(Exception):
    """Something given to l2l is not as it has to be.

    The message is one line, with unprintable characters escaped; it needs no traceback.
    """

    def __init__(self, message: str) -> None:
        super().__init__(escape(message))


class MachineError(BadInput):
    """The machine did not give a program what it needs to read a video: memory, threads, files.

    This says nothing about the video, so no status is written. The job fails and is tried again.
    """

    def __init__(self, program: str, cause: str) -> None:
        self.cause = cause
        super().__init__(
            f"{program} failed because of the machine ({cause}); this says nothing about the "
            "video. Run again what is not done, with more memory or with fewer jobs at once"
        )


class KilledError(MachineError):
    """A program that reads a video was ended from outside."""

    def __init__(self, program: str) -> None:
        super().__init__(
            program,
            "it was killed: by somebody, or because the machine or the job has no memory left",
        )
