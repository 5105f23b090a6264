"""How far long work is: counted lines in a log, a bar on a terminal."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TextIO, TypeVar

from l2l.terminal import EscapedOutput

EVERY_SECONDS = 30.0  # between two lines, at least
Entry = TypeVar("Entry")


class CountedLines:
    """Lines on standard error: how many entries are done, how fast, and the time that is left.

    Args:
        total: number of entries.
        noun: what is counted, such as `videos`.
        done: how many were done before.
        shown: whether lines are printed; of several processes, one prints.
    """

    def __init__(self, total: int, noun: str = "videos", done: int = 0, shown: bool = True) -> None:
        self.total, self.noun, self.shown = total, noun, shown
        self.first = self.done = done
        self.start_seconds = self._shown_seconds = time.monotonic()

    def count(self, done: int) -> None:
        """Print a line, if the last one is long ago and this is not the last entry."""
        self.done = done
        now = time.monotonic()
        if self.shown and now - self._shown_seconds >= EVERY_SECONDS and done < self.total:
            self._shown_seconds = now
            rate = (done - self.first) / (now - self.start_seconds)
            left = duration((self.total - done) / rate) if rate else "unknown time"
            _print(f"{done:,} of {self.total:,} {self.noun}, {per_time(rate)}, {left} left")

    def close(self) -> None:
        """Print what was done, in how long."""
        seconds = time.monotonic() - self.start_seconds
        rate = (self.done - self.first) / max(seconds, 1e-3)
        _print(f"{self.done:,} {self.noun} in {duration(seconds)}, {per_time(rate)}")


def counted(
    entries: Iterable[Entry], total: int, noun: str = "videos", caller_prints: bool = False
) -> Iterator[Entry]:
    """The entries, while standard error shows how many are done, how fast, and the time left: on a
    terminal as a bar, elsewhere as lines without control codes.

    Args:
        entries: what is worked on, one after another.
        total: their number.
        noun: what they are, such as `videos`.
        caller_prints: a line about each entry, so that the bar is cleared meanwhile, and the last
            of the counted lines is not needed.
    """
    if sys.stderr is not None and sys.stderr.isatty():
        yield from _with_bar(entries, total, noun, caller_prints)
        return
    lines = CountedLines(total, noun)
    for number, entry in enumerate(entries, 1):
        yield entry
        lines.count(number)
    if not caller_prints:
        lines.close()


def _with_bar(
    entries: Iterable[Entry], total: int, noun: str, caller_prints: bool
) -> Iterator[Entry]:
    from tqdm import tqdm  # here: nothing is imported for a log

    shown = {"total": total, "unit": f" {noun}", "leave": False, "dynamic_ncols": True}
    with tqdm(file=terminal(), **shown) as bar:
        for entry in entries:
            if caller_prints:
                bar.clear()
            yield entry
            bar.update()
            if caller_prints:
                bar.refresh()


def terminal() -> TextIO:
    """Standard error as it is, without escapes: for a bar, whose text l2l makes itself."""
    return sys.stderr.stream if isinstance(sys.stderr, EscapedOutput) else sys.stderr


def duration(seconds: float) -> str:
    """A time in its two largest units, such as `2 h 5 min`."""
    minutes, hours = round(seconds / 60), round(seconds / 3600)
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 24 * 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{hours // 24} d {hours % 24} h"


def per_time(rate: float) -> str:
    """A rate, from entries per second, in the unit in which it is not small."""
    for each, unit in ((rate, "second"), (60 * rate, "minute")):
        if each >= 1:
            return f"{each:,.3g} per {unit}" if each < 1000 else f"{each:,.0f} per {unit}"
    return f"{3600 * rate:.3g} per hour"


def _print(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
