"""Errors that are answered with one line instead of a traceback.

The line names the file, what was found, what was expected and how to mend it.
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
    """The machine could not do what was asked of it, and may do so when asked again.

    This says nothing about a video, so no status is written for one: the job fails and is tried
    again.
    """


class KilledError(MachineError):
    """A program that reads a video was ended from outside."""

    def __init__(self, program: str) -> None:
        super().__init__(
            f"{program} was killed: by somebody, or because the machine or the job ran out of "
            "memory. No status is written for the video; run the job again, with more memory or "
            "fewer jobs at once"
        )
