"""Exact skipping: which packets of a video have to be decoded for the pictures of some times.

A picture to which no other refers is decoded only if it is shown at one of these times. A group of
pictures, from one border to the next, is decoded up to its last such picture, and not at all where
it has none. Borders are where no later picture refers to an earlier one: IDR pictures in H.264 and
HEVC, whose other key frames are no borders; elsewhere key frames after which no picture is shown
that precedes them. All decoded pictures are those that a decoder of the whole file would give.
"""

import itertools
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from l2l.media.packets import PacketKind, UnsafeError
from l2l.moments import FRAME_RATE

MICROSECONDS = 1_000_000
LONGEST_GAP_SECONDS = 3600  # ffmpeg corrects time stamps from a jump of 30 hours on


def rescaled(value: int, factor: Fraction) -> int:
    """The integer nearest to a product, halves away from zero, as ffmpeg rounds times."""
    twice = 2 * factor.denominator
    whole = (2 * abs(value) * factor.numerator + factor.denominator) // twice
    return whole if value >= 0 else -whole


@dataclass
class PacketTable:
    """The packets of a video stream in the file's order, and the pictures as they are shown."""

    time_base: Fraction  # seconds of one unit of the times below
    start_microseconds: int  # the file's first time stamp
    has_idr: bool  # borders are known by themselves, as in H.264 and HEVC
    kinds: list[PacketKind] = field(default_factory=list)
    pts: list[int] = field(default_factory=list)
    durations: list[int] = field(default_factory=list)
    hidden: list[bool] = field(default_factory=list)  # decoded, but cut off by an edit list
    last_dts: int | None = None

    def __post_init__(self) -> None:
        self._longest_gap = int(LONGEST_GAP_SECONDS / self.time_base)

    def add(self, kind: PacketKind, pts: int, dts: int | None, duration: int, hidden: bool) -> None:
        """Take the next packet.

        Raises:
            UnsafeError: if its times are not what those of whole files are.
        """
        if dts is not None:  # Matroska does not store it
            step = 0 if self.last_dts is None else dts - self.last_dts
            if not 0 <= step <= self._longest_gap:
                raise UnsafeError("time stamps that fall or jump")
            self.last_dts = dts
        self.kinds.append(kind)
        self.pts.append(pts)
        self.durations.append(duration)
        self.hidden.append(hidden or not kind.shown)

    def finish(self) -> None:
        """Find the borders, the order in which pictures are shown, and when.

        Raises:
            UnsafeError: if pictures cannot be skipped safely.
        """
        self.shown = sorted(
            (i for i, each in enumerate(self.hidden) if not each), key=self.pts.__getitem__
        )
        if not self.shown:
            raise UnsafeError("no picture is shown")
        times = [self.pts[i] for i in self.shown]
        if any(a == b for a, b in itertools.pairwise(times)):
            raise UnsafeError("two pictures of one time")
        offset = rescaled(-self.start_microseconds, 1 / (MICROSECONDS * self.time_base))
        unit = self.time_base * FRAME_RATE
        self.ticks = [rescaled(time + offset, unit) for time in times]
        duration = self.durations[self.shown[-1]]
        # ffmpeg takes a duration of 1 for a guess.
        if duration < 2:
            raise UnsafeError("a last picture without duration")
        end = rescaled(times[-1] + offset + duration, unit)
        self.grid_frames = max(end, self.ticks[-1], 0)
        self.borders = self._find_borders()
        self.top_layer = max(kind.layer for kind in self.kinds)

    def _find_borders(self) -> list[int]:
        borders = [i for i, kind in enumerate(self.kinds) if kind.begins]
        if not borders or borders[0]:
            raise UnsafeError("it does not begin with a picture that refers to no other")
        headers = {kind.headers for kind in self.kinds if kind.begins}
        others = any(kind.headers for kind in self.kinds if not kind.begins)
        if len(headers) > 1 or others:
            raise UnsafeError("headers that change")
        if self.has_idr:
            return borders
        # Without IDR, pictures that follow a key frame and are shown before it refer to others.
        closed, first_after = [], None
        for i in range(len(self.pts) - 1, -1, -1):
            if self.kinds[i].begins and (first_after is None or first_after > self.pts[i]):
                closed.append(i)
            first_after = self.pts[i] if first_after is None else min(first_after, self.pts[i])
        if not closed or closed[-1]:
            raise UnsafeError("pictures before its first key frame")
        return closed[::-1]

    def picture_at(self, tick: int) -> int:
        """The packet whose picture is shown at a tick: the last that is not later, or the first."""
        return self.shown[max(0, bisect_right(self.ticks, tick) - 1)]

    def groups(self, wanted: set[int]) -> Iterator[list[int]]:
        """The packets to decode for the pictures of some packets, group by group."""
        for begin, end in zip(self.borders, [*self.borders[1:], len(self.pts)], strict=True):
            inside = [i for i in range(begin, end) if i in wanted]
            if inside:
                yield [i for i in range(begin, inside[-1] + 1) if i in wanted or self._referred(i)]

    def frame_needs(self, ticks: Sequence[int]) -> list[tuple[int, int, int]]:
        """What the picture of each tick takes, as `l2l.media.decoded.pictures_needed` reads it: the
        number of its group; how many pictures to which others refer are decoded in the group up to
        it, with it; its packet if no other refers to it, else -1.
        """
        referred = [self._referred(i) and not hidden for i, hidden in enumerate(self.hidden)]
        before = [0, *itertools.accumulate(referred)]
        needs = []
        for packet in map(self.picture_at, ticks):
            group = bisect_right(self.borders, packet) - 1
            count = before[packet + 1] - before[self.borders[group]]
            needs.append((group, count, -1 if referred[packet] else packet))
        return needs

    def _referred(self, packet: int) -> bool:
        return self.kinds[packet].referred_from <= self.top_layer


def unique(ticks: Sequence[int], table: PacketTable) -> dict[int, list[int]]:
    """For each packet whose picture is shown at one of the ticks, the places of these ticks."""
    places: dict[int, list[int]] = {}
    for place, tick in enumerate(ticks):
        places.setdefault(table.picture_at(tick), []).append(place)
    return places
