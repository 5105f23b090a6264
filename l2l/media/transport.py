"""Packets of a transport stream: were some lost, were recordings joined, of which streams?"""

import contextlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

PACKET_BYTES = 188
SYNC_BYTE = 0x47
HAS_PAYLOAD, HAS_ADAPTATION = 0x10, 0x20
UNIT_START = 0x40
VIDEO_PREFIX, VIDEO_STREAMS = (0, 0, 1), range(0xE0, 0xF0)  # how a unit of pictures begins
# Identifiers of packets: tables of the whole stream (PAT, SDT, ...) come first in each recording.
MAX_TABLE_PID = 0x1F
NULL_PID = 0x1FFF
BLOCK_PACKETS = 1 << 16
# Pictures of another stream between two of one: more than streams that are sent at the same time
# have, one of them at a rate of `SLOW_RATE` and the other at up to 60 pictures per second.
MIN_PICTURES, SLOW_RATE = 40, 5.0


def was_joined(path: Path) -> bool:
    """Whether every jump of a packet counter is at a joint of recordings.

    Each packet counts on from the one before with the same identifier. In another recording
    all counters start again, and its tables come first. So between the two packets where a counter
    jumps, a table's counter jumps as well. Where packets were lost, the next table comes later.

    Args:
        path: a file of whole packets; of any other False is returned.
    """
    try:
        content = np.memmap(path, np.uint8, "r")
    except (OSError, ValueError):
        return False
    packets = content[: len(content) // PACKET_BYTES * PACKET_BYTES].reshape(-1, PACKET_BYTES)
    header = np.array(packets[:, :4])
    if not len(header) or (header[:, 0] != SYNC_BYTE).any():
        return False
    pid = (header[:, 1] & 0x1F).astype(np.uint16) << 8 | header[:, 2]
    counter = header[:, 3] & 0x0F
    counted = (header[:, 3] & HAS_PAYLOAD) > 0
    jumps = {
        int(each): _jumps(np.flatnonzero(counted & (pid == each)), counter)
        for each in np.unique(pid)
        if each != NULL_PID
    }
    tables = [jump[:, 1] for each, jump in jumps.items() if each <= MAX_TABLE_PID]
    joints = np.sort(np.concatenate([*tables, np.zeros(0, np.int64)]))
    return all(
        (np.searchsorted(joints, jump[:, 0]) < np.searchsorted(joints, jump[:, 1])).all()
        for each, jump in jumps.items()
        if each > MAX_TABLE_PID
    )


def _jumps(positions: np.ndarray, counter: np.ndarray) -> np.ndarray:
    """The packets before and after each jump, int64 (jumps, 2); a repeated packet is none."""
    steps = np.diff(counter[positions].astype(np.int64)) % 16
    after = np.flatnonzero(steps > 1) + 1
    return np.stack([positions[after - 1], positions[after]], axis=1)


class Elsewhere(NamedTuple):
    """Pictures of another stream where one has none."""

    pid: int
    pictures: int
    first_byte: int


def pictures_elsewhere(path: Path, pid: int, frame_rate: float) -> Elsewhere | None:
    """The other stream with the most pictures where one has none, as where recordings with other
    identifiers were joined; None if streams are only sent at the same time.

    Args:
        path: a file of whole packets; of any other None is returned.
        pid: the identifier of the packets of the one stream.
        frame_rate: of its pictures.
    """
    starts, pids = _picture_starts(path)
    own = starts[pids == pid]
    if not len(own):
        return None
    minimum = MIN_PICTURES * max(1.0, SLOW_RATE / frame_rate if frame_rate else 1.0)
    elsewhere = []
    for other in np.unique(pids[pids != pid]).tolist():
        theirs = starts[pids == other]
        gap = np.searchsorted(own, theirs)  # before which picture of the one stream
        alone = np.bincount(gap)[gap] >= minimum
        if alone.any():
            first_byte = int(theirs[alone][0]) * PACKET_BYTES
            elsewhere.append(Elsewhere(other, int(alone.sum()), first_byte))
    return max(elsewhere, key=lambda each: each.pictures, default=None)


def count_pictures(path: Path, pid: int) -> int:
    """How many pictures the packets with an identifier begin; 0 for a file of no whole packets."""
    return int((_picture_starts(path)[1] == pid).sum())


def _picture_starts(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """In which packets pictures begin, int64 (pictures,), and the identifiers of these packets."""
    starts, pids, before = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], 0
    with contextlib.suppress(OSError), open(path, "rb") as file:
        while block := file.read(BLOCK_PACKETS * PACKET_BYTES):
            content = np.frombuffer(block, np.uint8)[: len(block) // PACKET_BYTES * PACKET_BYTES]
            packets = content.reshape(-1, PACKET_BYTES)
            if (packets[:, 0] != SYNC_BYTE).any():
                break
            at = np.flatnonzero(
                (packets[:, 1] & UNIT_START > 0) & (packets[:, 3] & HAS_PAYLOAD > 0)
            )
            units = packets[at]
            adaptation = np.where(units[:, 3] & HAS_ADAPTATION, 1 + units[:, 4].astype(np.int64), 0)
            payload = np.minimum(4 + adaptation, PACKET_BYTES - 4)
            prefix = units[np.arange(len(units))[:, None], payload[:, None] + np.arange(4)]
            shown = (prefix[:, :3] == VIDEO_PREFIX).all(axis=1) & np.isin(
                prefix[:, 3], VIDEO_STREAMS
            )
            starts.append(at[shown] + before)
            pids.append((units[shown, 1] & 0x1F).astype(np.int64) << 8 | units[shown, 2])
            before += len(packets)
    return np.concatenate(starts), np.concatenate(pids)
