"""Packet counters of transport streams: jumps at joints, and jumps where packets were lost."""

import numpy as np
import pytest
from media_files import H264, decoded, make_video, run, tones

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


def test_time_that_jumps_ahead_at_a_joint_is_no_damage(recordings, tmp_path):
    later = make_video(
        tmp_path / "later.ts", extra=["-output_ts_offset", "7", "-muxdelay", "0", "-g", "25"]
    )
    path = tmp_path / "jump.ts"
    path.write_bytes(recordings[0] + later.read_bytes())
    video = decoded(path)
    assert (video.status, video.grid_frames) == ("audio_partial", 9 * 30)
    assert "its packet counters jump" in video.reason
    pictures = video.pictures.as_array()
    assert (pictures[31:104] == pictures[31]).all()  # the last picture is shown until then


@pytest.mark.parametrize("lost", [1, 3, 10])
def test_lost_packets_are_no_joint(recordings, tmp_path, lost):
    packets = np.frombuffer(recordings[0], np.uint8).reshape(-1, PACKET_BYTES)
    middle = len(packets) // 2
    path = tmp_path / "lost.ts"
    path.write_bytes(np.delete(packets, range(middle, middle + lost), axis=0).tobytes())
    assert not was_joined(path)
    assert decoded(path).status in ("corrupt", "audio_partial")


@pytest.mark.parametrize("sound", ["0", None])
@pytest.mark.parametrize(("order", "lost"), [("ab", 50), ("ba", 50), ("aba", 50), ("abb", 100)])
def test_parts_with_other_identifiers_are_not_lost_without_a_word(tmp_path, sound, order, lost):
    """Each part begins its time again, so no part is missed by the length of the whole."""
    one = make_video(tmp_path / "a.ts", sound=sound, extra=["-muxdelay", "0"])
    other = tmp_path / "b.ts"
    run("-i", one, "-c", "copy", "-muxdelay", "0", "-mpegts_start_pid", "0x200", other)
    path = tmp_path / "joined.ts"
    path.write_bytes(b"".join((tmp_path / f"{part}.ts").read_bytes() for part in order))
    video = decoded(path)
    assert video.status == "truncated"
    assert f"{lost} pictures" in video.reason
    assert "the rest is in stream" in video.reason


def test_a_part_of_another_codec_is_not_lost_without_a_word(tmp_path):
    one, other = make_video(tmp_path / "a.ts"), tmp_path / "b.ts"
    run("-i", one, "-c:v", "mpeg2video", "-q:v", "2", "-c:a", "mp2", other)
    for number, order in enumerate([(one, other), (other, one)]):
        path = tmp_path / f"joined{number}.ts"
        path.write_bytes(b"".join(part.read_bytes() for part in order))
        video = decoded(path)
        assert video.status in ("corrupt", "truncated")
        assert video.reason


def test_parts_of_other_sizes_and_sounds_are_all_read(tmp_path):
    """Also where time begins again, goes on, or jumps to that of an advert."""
    parts = []
    for number, (side, rate, offset) in enumerate([(64, 44100, 0), (128, 48000, 900)]):
        part = tmp_path / f"{number}.ts"
        scaled = ["-vf", f"scale={side}:{side}", "-ar", str(rate), "-ac", str(number + 1)]
        make_video(part, extra=[*scaled, "-output_ts_offset", str(offset)])
        parts.append(part.read_bytes())
    for number, order in enumerate([(0, 1), (1, 0), (0, 1, 0)]):
        path = tmp_path / f"joined{number}.ts"
        path.write_bytes(b"".join(parts[part] for part in order))
        video = decoded(path)
        assert video.status == "ok"
        assert abs(video.grid_frames - 60 * len(order)) <= 3
        assert tones(video.waveform) == [300, 400] * len(order)
        assert "its time stamps jump" in video.reason


def test_streams_that_are_sent_at_the_same_time_are_no_rest_of_each_other(tmp_path):
    for rate, other_rate in ((25, 60), (1, 60)):
        path = tmp_path / f"{rate}.ts"
        pictures = [("64x64", rate), ("32x32", other_rate)]
        inputs = [
            word
            for side, of in pictures
            for word in ("-f", "lavfi", "-i", f"testsrc=s={side}:r={of}:d=6")
        ]
        run(*inputs, "-map", "0", "-map", "1", *H264, path)
        video = decoded(path)
        assert (video.status, video.reason) == ("no_audio", "no sound stream")
        assert abs(video.grid_frames - 180) <= 3


def test_what_is_no_transport_stream_is_not_joined(tmp_path):
    for name, content in (("empty", b""), ("text", b"x" * 1000)):
        (tmp_path / name).write_bytes(content)
        assert not was_joined(tmp_path / name)
    assert not was_joined(tmp_path / "missing")
