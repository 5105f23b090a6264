"""What files declare about themselves: streams, durations, remarks."""

import pytest
from media_files import decoded, make_video, run

from l2l.manifest.probe import ProbeResult, probe_file


def test_declared_facts_are_those_of_the_file(clip):
    result = probe_file(clip)
    assert result.duration_seconds == pytest.approx(2.0, abs=0.001)
    assert result == ProbeResult(
        status="ok",
        duration_seconds=result.duration_seconds,
        frame_rate=25.0,
        width=64,
        height=64,
        audio="44100 Hz, 1 channels",
        video_stream=0,
        audio_stream=1,
        fingerprint=result.fingerprint,
    )


def test_a_program_stream_declares_no_end(tmp_path):
    """What the demuxer estimates for it ends half a second too early, and the whole file would
    count as damaged.
    """
    path = make_video(tmp_path / "v.mpg", rate=30, video=("-c:v", "mpeg2video", "-q:v", "2"))
    assert (probe_file(path).status, probe_file(path).duration_seconds) == ("ok", 0)
    assert (decoded(path).status, decoded(path).grid_frames) == ("ok", 60)


def test_pictures_are_the_largest_stream_and_no_cover(tmp_path):
    small, large = (f"testsrc=s={size}:r=25:d=1" for size in ("32x32", "64x48"))
    run(
        "-f",
        "lavfi",
        "-i",
        "sine=d=1",
        "-f",
        "lavfi",
        "-i",
        small,
        "-f",
        "lavfi",
        "-i",
        large,
        *("-map", "0", "-map", "1", "-map", "2"),
        tmp_path / "two.mkv",
    )
    result = probe_file(tmp_path / "two.mkv")
    assert (result.audio_stream, result.video_stream, result.width) == (0, 2, 64)
    cover = [
        "-f",
        "lavfi",
        "-i",
        "testsrc=s=640x480:r=1:d=1",
        "-map",
        "0:v",
        "-map",
        "1:v",
        "-c:v:1",
        "mjpeg",
        "-frames:v:1",
        "1",
    ]
    run(
        "-f",
        "lavfi",
        "-i",
        large,
        *cover,
        "-disposition:v:1",
        "attached_pic",
        tmp_path / "cover.mp4",
    )
    result = probe_file(tmp_path / "cover.mp4")
    assert (result.video_stream, result.width, result.audio_stream) == (0, 64, -1)


def test_the_duration_is_that_of_the_pictures_though_sound_goes_on(tmp_path):
    long_sound = ["-f", "lavfi", "-i", "testsrc=s=64x48:r=25:d=2", "-f", "lavfi", "-i", "sine=d=5"]
    for name in ("a.mp4", "a.mkv", "a.webm", "a.avi", "a.flv", "a.ts"):
        run(*long_sound, *(("-ar", "44100") if name == "a.flv" else ()), tmp_path / name)
        assert probe_file(tmp_path / name).duration_seconds == pytest.approx(2.0, abs=0.06), name


def test_where_only_one_duration_is_declared_the_packets_are_read(tmp_path):
    sources = ["-f", "lavfi", "-i", "testsrc=s=64x48:r=25:d=2", "-f", "lavfi", "-i", "sine=d=5"]
    run(*sources, "-write_crc32", "0", tmp_path / "a.mkv")
    # without the durations of its streams
    content = (tmp_path / "a.mkv").read_bytes().replace(b"DURATION", b"duration")
    (tmp_path / "bare.mkv").write_bytes(content)
    assert probe_file(tmp_path / "bare.mkv").duration_seconds == pytest.approx(2.0, abs=0.06)
    (tmp_path / "cut.mkv").write_bytes(content[: len(content) * 2 // 3])
    cut = probe_file(tmp_path / "cut.mkv")
    assert (cut.status, cut.reason[-17:]) == ("truncated", "of 5.0 s declared")


@pytest.mark.parametrize("name", ["a.mkv", "silent.mkv", "a.ts", "a.flv", "a.wmv"])
def test_time_that_does_not_begin_at_zero_is_no_damage(tmp_path, name):
    sound = [] if name == "silent.mkv" else ["-f", "lavfi", "-i", "sine=r=44100:d=4"]
    run(
        "-f",
        "lavfi",
        "-i",
        "testsrc=s=64x48:r=25:d=4",
        *sound,
        "-g",
        "5",
        "-output_ts_offset",
        "50",
        tmp_path / name,
    )
    assert probe_file(tmp_path / name).duration_seconds == pytest.approx(4.0, abs=0.06)
    if name.endswith(".mkv"):
        cut = tmp_path / f"cut_{name}"
        cut.write_bytes((tmp_path / name).read_bytes()[: (tmp_path / name).stat().st_size * 2 // 3])
        assert probe_file(cut).status == "truncated"


def test_late_sound_makes_no_file_longer_than_it_is(tmp_path):
    late = ["-itsoffset", "2", "-f", "lavfi", "-i", "sine=r=44100:d=2"]
    run("-f", "lavfi", "-i", "testsrc=s=64x48:r=25:d=4", *late, tmp_path / "a.wmv")
    result = probe_file(tmp_path / "a.wmv")
    assert (result.status, result.duration_seconds) == ("ok", pytest.approx(4.0, abs=0.06))


@pytest.mark.parametrize("tag", ["00:09:00.000000000", "about two seconds", "2.0", "::"])
@pytest.mark.parametrize("name", ["a.ogv", "a.nut"])
def test_a_comment_named_duration_is_not_the_duration(tmp_path, name, tag):
    run(
        "-f",
        "lavfi",
        "-i",
        "testsrc=s=64x48:r=25:d=2",
        "-metadata:s:v",
        f"DURATION={tag}",
        tmp_path / name,
    )
    result = probe_file(tmp_path / name)
    assert (result.status, result.duration_seconds) == ("ok", pytest.approx(2.0, abs=0.06))


def test_nut_declares_its_duration_in_an_index_that_zeros_may_hide(tmp_path):
    """What the demuxer estimates without the index is wrong."""
    run("-f", "lavfi", "-i", "testsrc=s=64x48:r=25:d=30", "-c:v", "libx264", tmp_path / "a.nut")
    content = (tmp_path / "a.nut").read_bytes()
    assert probe_file(tmp_path / "a.nut").duration_seconds == pytest.approx(30, abs=0.06)
    for name, changed in (("zeros", content + bytes(3000)), ("no_index", content[:-20])):
        (tmp_path / f"{name}.nut").write_bytes(changed)
        result = probe_file(tmp_path / f"{name}.nut")
        assert (result.status, result.duration_seconds) == ("ok", 0.0)
    video = decoded(tmp_path / "zeros.nut")
    assert (video.status, video.grid_frames) == ("no_audio", 900)
    assert "3000 bytes of zeros" in video.reason


def test_a_late_start_is_remarked(tmp_path):
    run(
        "-f",
        "lavfi",
        "-i",
        "sine=d=4",
        "-itsoffset",
        "1.5",
        "-f",
        "lavfi",
        "-i",
        "testsrc=s=64x48:r=25:d=2",
        tmp_path / "late.mp4",
    )
    result = probe_file(tmp_path / "late.mp4")
    assert result.duration_seconds == pytest.approx(3.5, abs=0.05)
    assert result.reason == "its pictures start at 1.5 s; the first is shown until then"


def test_high_dynamic_range_is_remarked(odd):
    assert (
        probe_file(odd / "41_hdr10_hevc.mp4").reason
        == "its pictures are HDR (PQ); they are shown as stored, without tone mapping"
    )
    assert probe_file(odd / "01_ref_25fps.mp4").reason == ""


def test_a_disabled_track_is_not_chosen_over_an_enabled_one(tmp_path):
    large, small = (f"testsrc=s={size}:r=25:d=1" for size in ("64x48", "32x32"))
    sources = ["-f", "lavfi", "-i", large, "-f", "lavfi", "-i", small]
    maps = ["-map", "0", "-map", "1", *("-disposition:v:0", "0", "-disposition:v:1", "default")]
    run(*sources, *maps, tmp_path / "a.mov")
    result = probe_file(tmp_path / "a.mov")
    assert (result.video_stream, result.width) == (1, 32)


def test_the_sound_that_is_marked_as_default_is_chosen(tmp_path):
    sources = ["-f", "lavfi", "-i", "testsrc=s=64x48:r=25:d=1"]
    sources += ["-f", "lavfi", "-i", "sine=r=8000:d=1", "-f", "lavfi", "-i", "sine=r=44100:d=1"]
    maps = ["-map", "0", "-map", "1", "-map", "2", "-ar:a:0", "48000", "-ar:a:1", "44100"]
    for name in ("a.mkv", "a.mp4"):
        for default, rate in ((0, 48000), (1, 44100)):
            marks = [f"-disposition:a:{default}", "default", f"-disposition:a:{1 - default}", "0"]
            run(*sources, *maps, *marks, tmp_path / name)
            result = probe_file(tmp_path / name)
            assert (result.audio_stream, result.audio) == (1 + default, f"{rate} Hz, 1 channels")
