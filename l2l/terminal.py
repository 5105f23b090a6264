"""Text for a terminal or a page. File names, video ids and class names may hold any character, and
some of them are obeyed: colours, a cleared line, text that runs from right to left.
"""

import contextlib
import io
import sys
from collections.abc import Iterator
from typing import TextIO

_LAYOUT = "\n\t"  # what l2l itself prints besides text


def escape(text: str) -> str:
    """The text on one line: each character that is not printable becomes its escape in Python."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def escape_lines(text: str) -> str:
    """The text with its line ends and tabs, and all else as `escape` has it."""
    return "".join(char if char in _LAYOUT else escape(char) for char in text)


class EscapedOutput(io.TextIOBase):
    """A text stream that escapes what its terminal would obey and what its encoding cannot hold.
    Line ends and tabs pass.
    """

    def __init__(self, stream: TextIO, name: str) -> None:
        self.stream = stream  # below, where nothing is escaped: for a bar alone
        self._name = name  # in errors: what cannot be written to

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """That of the stream below."""
        return self.stream.encoding or "utf-8"

    def write(self, text: str) -> int:
        """Write the text, escaped."""
        encodable = (
            escape_lines(text).encode(self.encoding, "backslashreplace").decode(self.encoding)
        )
        with self._named_errors():
            self.stream.write(encodable)
        return len(text)

    def flush(self) -> None:
        """Flush the stream below."""
        with self._named_errors():
            self.stream.flush()

    @contextlib.contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OSError(error.errno, error.strerror, self._name) from None

    def fileno(self) -> int:
        """The file descriptor of the stream below."""
        return self.stream.fileno()

    def isatty(self) -> bool:
        """Whether the stream below is a terminal."""
        return self.stream.isatty()


@contextlib.contextmanager
def escaped_output() -> Iterator[None]:
    """Escape all that is printed inside the block, to standard output and standard error."""
    # They are None if the shell closed them.
    out = EscapedOutput(sys.stdout, "standard output") if sys.stdout else None
    err = EscapedOutput(sys.stderr, "standard error") if sys.stderr else None
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        yield
