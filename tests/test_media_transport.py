"""Packet counters of transport streams: jumps at joints, and jumps where packets were lost."""

import numpy as np
import pytest
from media_files import decoded, make_video

from l2l.media.transport import PACKET_BYTES, was_joined


@pytest.fixture(scope="module")
def recordings(tmp_path_factory) -> list[bytes]:
    """Two recordings of two seconds whose counters both start at zero."""
    folder = tmp_path_factory.mktemp("recordings")
    return [
        make_video(
            folder / f"{part}.ts",
            extra=["-output_ts_offset", str(2 * part), "-muxdelay", "0", "-g", "25"],
        ).read_bytes()
        for part in range(2)
    ]


def test_a_recording_and_joined_recordings_have_no_unexplained_jump(recordings, tmp_path):
    for name, content in (("one", recordings[0]), ("two", b"".join(recordings))):
        path = tmp_path / f"{name}.ts"
        path.write_bytes(content)
        assert was_joined(path)
        assert decoded(path).status == "ok"


@pytest.mark.parametrize("lost", [1, 3, 10])
def test_lost_packets_are_no_joint(recordings, tmp_path, lost):
    packets = np.frombuffer(recordings[0], np.uint8).reshape(-1, PACKET_BYTES)
    middle = len(packets) // 2
    path = tmp_path / "lost.ts"
    path.write_bytes(np.delete(packets, range(middle, middle + lost), axis=0).tobytes())
    assert not was_joined(path)
    assert decoded(path).status in ("corrupt", "audio_partial")


def test_what_is_no_transport_stream_is_not_joined(tmp_path):
    for name, content in (("empty", b""), ("text", b"x" * 1000)):
        (tmp_path / name).write_bytes(content)
        assert not was_joined(tmp_path / name)
    assert not was_joined(tmp_path / "missing")
