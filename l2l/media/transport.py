"""Packet counters of a transport stream: were packets lost, or were recordings joined?"""

from pathlib import Path

import numpy as np

PACKET_BYTES = 188
SYNC_BYTE = 0x47
HAS_PAYLOAD = 0x10
# Identifiers of packets: tables of the whole stream (PAT, SDT, ...) come first in each recording.
MAX_TABLE_PID = 0x1F
NULL_PID = 0x1FFF


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
