"""What a user can mend is told in one line.

The file, what was found, what was expected, how to mend it.
"""

import signal

KILLED = tuple(-each for each in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP))
"""Exit codes of a program that neither failed nor crashed: something told it to end."""


class BadInput(Exception):
    """Something given to l2l is not as it has to be.

    The message is one line and needs no traceback.
    """


class KilledError(BadInput):
    """A program that reads a video was ended from outside.

    This says nothing of the video, and no state of it is written down.
    """

    def __init__(self, program: str) -> None:
        super().__init__(
            f"{program} was killed: by somebody, or because the machine or the job has no memory "
            "left; nothing is said against "
            "the video: run again what is not done, with more memory or fewer jobs at once"
        )
