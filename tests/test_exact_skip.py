"""Exact skipping: the same bytes and statuses as a whole decode by ffmpeg, from fewer pictures.

Pictures that are decoded are counted; seconds are in benchmarks.
"""

import functools
import os
import re
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from media_files import run

from l2l.config import MediaConfig
from l2l.errors import KilledError
from l2l.manifest.artifact import USABLE
from l2l.manifest.probe import probe_file
from l2l.media import by_skipping, skip_child
from l2l.media.decode import decode
from l2l.media.decoded import pictures_needed
from l2l.media.exact_skip import PacketTable
from l2l.media.packets import LAYERS, PacketKind, UnsafeError

SKIP = MediaConfig(resize_pixels=64, frame_pixels=64)
WHOLE = SKIP.model_copy(update={"decoder": "ffmpeg"})
MOVING = "testsrc2=s=96x64:r={rate}:d={seconds},noise=alls=12:allf=t:all_seed=1"
TONE = "sine=440:d={seconds}:r=44100"
SOME = [
    {"pictures": "moments"},
    {"pictures": "moments", "moments": slice(1, None, 4)},
    {"pictures": "moments", "moments": [5], "sound": False},
    {"pictures": "clips"},
    {"pictures": "none"},
]


def draw(path, video, *after, rate="25", seconds=6, filters="null"):
    """A moving picture with a tone."""
    seen = MOVING.format(rate=rate, seconds=seconds)
    heard = ["-f", "lavfi", "-i", TONE.format(seconds=seconds)]
    run("-f", "lavfi", "-i", f"{seen},{filters}", *heard, *video, *after, path)
    return path


def x264(**options):
    # the group of pictures is two seconds: there are three in a file
    given = {"keyint": 50, "scenecut": 0, "threads": 1} | options
    parameters = ":".join(f"{name}={value}" for name, value in given.items())
    return ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-x264-params", parameters.replace("_", "-"))


def x265(**options):
    given = {"keyint": 50, "scenecut": 0, "pools": 1, "log-level": "none"} | options
    parameters = ":".join(f"{name}={value}" for name, value in given.items())
    return ("-c:v", "libx265", "-preset", "superfast", "-x265-params", parameters.replace("_", "-"))


VP = ("-g", "50", "-b:v", "200k", "-deadline", "realtime", "-cpu-used", "8")
MPEG = ("-g", "15", "-bf", "2", "-b:v", "400k")
CODECS = {
    "h264": ("mp4", x264()),
    "h264, open groups": ("mp4", x264(open_gop=1)),
    "h264, one group": ("mp4", x264(keyint="infinite")),
    "h264 without B": ("mkv", x264(bframes=0)),
    "h264, woven fields": ("mp4", x264(interlaced=1)),
    "h264, four slices": ("mp4", x264(slices=4)),
    "hevc": ("mp4", x265(open_gop=0)),
    "hevc, open groups": ("mkv", x265(open_gop=1)),
    "hevc, temporal layers": ("mp4", x265(open_gop=0, temporal_layers=3)),
    "vp8": ("webm", ("-c:v", "libvpx", *VP, "-auto-alt-ref", "1", "-lag-in-frames", "12")),
    "vp9": ("webm", ("-c:v", "libvpx-vp9", *VP, "-auto-alt-ref", "1", "-lag-in-frames", "12")),
    "av1": ("mp4", ("-c:v", "libsvtav1", "-preset", "12", "-g", "50")),
    "mpeg1": ("mkv", ("-c:v", "mpeg1video", *MPEG)),
    "mpeg2": ("mp4", ("-c:v", "mpeg2video", *MPEG)),
    "mpeg2, closed groups": (
        "mkv",
        ("-c:v", "mpeg2video", *MPEG, "-flags", "+cgop", "-sc_threshold", "1000000000"),
    ),
    "mpeg4": ("mp4", ("-c:v", "mpeg4", *MPEG)),
    "mpeg4 without B": ("mkv", ("-c:v", "mpeg4", "-g", "15")),
}
NO_B = {"h264 without B", "vp8", "vp9", "av1", "mpeg4 without B"}
ONE_GROUP = {"h264, open groups", "h264, one group", "hevc, open groups", "mpeg1", "mpeg2"}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn")

    @functools.cache
    def by_codec(name):
        kind, video = CODECS[name]
        return draw(folder / f"{name}.{kind}", video)

    return by_codec


def same(path, some=SOME):
    """What both decoders give, which has to be the same, for each thing that is asked for."""
    source = probe_file(path).source(path)
    results = []
    for asked in some:
        skipped, whole = (decode(source, media, **asked) for media in (SKIP, WHOLE))
        assert (skipped.status, skipped.grid_frames) == (whole.status, whole.grid_frames), asked
        assert skipped.reason == whole.reason
        assert skipped.pictures.encoded == whole.pictures.encoded, asked
        np.testing.assert_array_equal(skipped.waveform, whole.waveform)
        np.testing.assert_array_equal(skipped.sound_runs, whole.sound_runs)
        assert skipped.chosen is whole.chosen is None or (skipped.chosen == whole.chosen).all()
        if not skipped.not_skipped and whole.status in USABLE:
            assert skipped.frames_total == whole.frames_total
            assert skipped.frames_decoded <= skipped.frames_total
            if skipped.chosen is not None:
                needed = pictures_needed(skipped.needs, skipped.chosen.tolist())
                assert skipped.frames_decoded == needed, asked
            # any of its pictures takes the whole file
            assert {pictures_needed(whole.needs, [k]) for k in range(whole.moments)} <= {
                whole.frames_total
            }
        results.append(skipped)
    return results


@pytest.mark.parametrize("name", CODECS)
def test_every_codec_gives_the_bytes_of_a_whole_decode(drawn, name):
    every, some, one, clips, none = same(drawn(name))
    assert {each.not_skipped for each in (every, some, one, clips, none)} == {""}
    assert every.frames_total == 150
    assert none.frames_decoded == 0
    assert one.frames_decoded <= some.frames_decoded <= every.frames_decoded
    if name not in NO_B:
        assert every.frames_decoded < 0.7 * every.frames_total
    if name not in ONE_GROUP:  # moment 5 is at 2.7 s, in the second group of three
        assert one.frames_decoded < 30
    assert one.frames_decoded < 80  # nothing after it is decoded


@pytest.mark.parametrize(
    ("kind", "after", "options"),
    [
        ("mp4", ["-fps_mode", "vfr"], {"filters": "select='not(mod(n,3))+lt(mod(n,40),9)'"}),
        ("mkv", ["-fps_mode", "vfr"], {"filters": "select='not(mod(n,3))+lt(mod(n,40),9)'"}),
        ("mp4", [], {"rate": "30000/1001"}),
        ("mkv", [], {"rate": "30000/1001"}),
        ("mkv", [], {"rate": "24000/1001"}),
        ("mp4", [], {"rate": "60"}),
        ("mp4", [], {"rate": "1"}),
        ("mp4", ["-output_ts_offset", "1.37"], {}),
        ("mkv", ["-output_ts_offset", "1.37"], {}),
        ("mp4", ["-vf", "setpts=PTS+0.7/TB"], {}),
        ("mp4", ["-movflags", "frag_keyframe+empty_moov"], {}),
        ("mov", ["-vf", "format=yuv422p"], {}),
    ],
)
def test_times_are_those_of_ffmpeg(tmp_path, kind, after, options):
    path = draw(tmp_path / f"a.{kind}", x264(), *after, **options)
    assert {each.not_skipped for each in same(path, SOME[:4])} == {""}


def test_what_an_edit_list_cuts_off_is_not_shown(drawn, tmp_path):
    cut = tmp_path / "cut.mp4"
    run("-ss", "0.9", "-i", drawn("h264"), "-t", "4.1", "-c", "copy", cut)
    assert {each.not_skipped for each in same(cut)} == {""}
    outer = tmp_path / "open.mp4"  # begins at a key frame that is no border
    run("-ss", "2.5", "-i", drawn("h264, open groups"), "-c", "copy", outer)
    same(outer)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_turned_pictures_are_turned(drawn, tmp_path, degrees):
    turned = tmp_path / "turned.mp4"
    run("-display_rotation", str(degrees), "-i", drawn("h264"), "-c", "copy", turned)
    assert same(turned, SOME[:2])[0].not_skipped == ""


def test_mirrored_and_cropped_pictures_are_left_to_ffmpeg(drawn, tmp_path):
    mirrored = tmp_path / "mirrored.mp4"
    run("-display_hflip", "-i", drawn("h264"), "-c", "copy", mirrored)
    assert "display matrix" in same(mirrored, SOME[:1])[0].not_skipped
    cropped = tmp_path / "cropped.mp4"
    good = drawn("h264").read_bytes()
    cropped.write_bytes(good.replace(b"pasp", b"clap", 1))  # another box of the same track
    assert "may crop" in same(cropped, SOME[:1])[0].not_skipped
    header = good.index(b"moov") - 4
    assert good.find(b"mdat") < header, "the header is the last box"
    cropped.write_bytes(good[:header] + bytes(4) + good[header + 4 :].replace(b"pasp", b"clap"))
    assert "may crop" in same(cropped, SOME[:1])[0].not_skipped


def test_a_crop_is_seen_where_tracks_follow_free_space(drawn, tmp_path):
    """As mkvmerge leaves it; ffmpeg crops such pictures."""
    data = bytearray(drawn("h264 without B").read_bytes())
    index = data.index(b"\x11\x4d\x9b\x74")
    assert index == data.index(b"\x18\x53\x80\x67") + 12
    data[index - 8 : index] = b"\x01" + bytes([255] * 7)  # the segment's size is left open
    end = index + 5 + (data[index + 4] & 127)
    data[index:end] = b"\xec" + bytes([0x80 | end - index - 2]) + bytes(end - index - 2)
    tracks = data.index(b"\x16\x54\xae\x6b", end)
    entry = data.index(b"\xae\x01" + bytes(6), tracks)
    pictures = re.compile(rb"\xe0[\x80-\xff]\xb0\x81").search(data, entry).start()
    for last_byte_of_size in (tracks + 5, entry + 8, pictures + 1):
        data[last_byte_of_size] += 4
    data[pictures + 2 : pictures + 2] = b"\x54\xbb\x81\x10"  # 16 rows off the top
    data[tracks:tracks] = b"\xec\x01" + (5000).to_bytes(7, "big") + bytes(5000)
    path = tmp_path / "cropped.mkv"
    path.write_bytes(data)
    found = same(path, SOME[:1])[0]
    assert "may crop" in found.not_skipped
    (not_cropped,) = same(drawn("h264 without B"), SOME[:1])
    assert found.status == "ok"
    assert found.pictures.encoded != not_cropped.pictures.encoded


def test_pictures_that_h264_need_not_show_are_shown_by_both(drawn, tmp_path):
    """no_output_of_prior_pics_flag of x264's IDR slices, whose header is: first macroblock 1 bit,
    slice type 7, parameter set 1, frame number 4, IDR number 1 or 3, order 6, then the flag.
    """
    data = bytearray(drawn("h264").read_bytes())
    changed = 0
    for at in [match.end() for match in re.finditer(rb"\x65(?=\x88)", data)]:
        header = int.from_bytes(data[at : at + 4], "big")
        if header >> 19 == 0b1_0001000_1_0000:  # else these bytes are no header
            flag = 1 << 31 - (20 if header >> 18 & 1 else 22)
            assert not header & flag
            data[at : at + 4] = (header | flag).to_bytes(4, "big")
            changed += 1
    assert changed == 3
    path = tmp_path / "a.mp4"
    path.write_bytes(data)
    assert {each.not_skipped for each in same(path)} == {""}
    as_before = same(drawn("h264"), SOME[:1])[0].pictures.encoded
    assert same(path, SOME[:1])[0].pictures.encoded == as_before


@pytest.mark.parametrize("name", ["a.avi", "a.ts", "a.mpg", "a.flv"])
def test_other_containers_are_left_to_ffmpeg(drawn, tmp_path, name):
    video = MPEG if name == "a.mpg" else x264()
    (found,) = same(draw(tmp_path / name, video, seconds=2), SOME[:1])
    assert found.not_skipped.startswith("its container is ")
    assert found.frames_decoded == found.frames_total


def test_headers_that_change_are_left_to_ffmpeg(tmp_path):
    """Two films in one: the second has other parameter sets, in its first packet."""
    parts = [
        draw(tmp_path / f"{i}.h264", x264(ref=1 + 2 * i, bframes=i), "-an", seconds=2)
        for i in range(2)
    ]
    (tmp_path / "both.h264").write_bytes(b"".join(part.read_bytes() for part in parts))
    path = tmp_path / "a.mp4"
    run("-r", "25", "-i", tmp_path / "both.h264", "-c", "copy", "-tag:v", "avc3", path)
    assert same(path, SOME[:2])[0].not_skipped


def damaged(path, copy, place, count=40):
    """A copy in which some bytes of the film, at a fraction of it, are others."""
    data = bytearray(path.read_bytes())
    begin = data.index(b"mdat") + 4
    size = int.from_bytes(data[begin - 8 : begin - 4], "big") - 8
    at = begin + int(size * place)
    data[at : at + count] = bytes(each ^ 0x5A for each in data[at : at + count])
    copy.write_bytes(data)
    return copy


@pytest.mark.parametrize("place", [0.02, 0.2, 0.5, 0.8])
def test_a_damaged_file_has_the_status_of_a_whole_decode_or_whole_pictures(drawn, tmp_path, place):
    """Damage that no wanted picture needs is not seen; each picture is as in a whole decode,
    or as in the undamaged file.
    """
    good, path = drawn("h264"), damaged(drawn("h264"), tmp_path / "a.mp4", place)
    source = probe_file(path).source(path)
    skipped, whole = (decode(source, media, "moments") for media in (SKIP, WHOLE))
    if skipped.not_skipped or whole.status in USABLE:
        assert (skipped.status, skipped.reason) == (whole.status, whole.reason)
        assert skipped.pictures.encoded == whole.pictures.encoded
    else:
        undamaged = decode(probe_file(good).source(good), WHOLE, "moments")
        assert skipped.frames_decoded < skipped.frames_total
        assert skipped.pictures.encoded == undamaged.pictures.encoded


def test_damage_in_a_picture_that_is_not_decoded_is_not_seen(drawn, tmp_path):
    """As documented: the status is that of what was asked for."""
    path = damaged(drawn("h264"), tmp_path / "a.mp4", 0.65)
    source = probe_file(path).source(path)
    whole = decode(source, WHOLE, "moments", moments=[0], sound=False)
    skipped = decode(source, SKIP, "moments", moments=[0], sound=False)
    assert whole.status == "corrupt"
    assert (skipped.status, skipped.frames_decoded) in {("ok", 1), ("corrupt", 0)}


def test_a_file_that_ends_early_has_the_status_of_a_whole_decode(tmp_path):
    path = draw(tmp_path / "a.mp4", x264(), "-movflags", "+faststart")
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    skipped = same(path, [{"pictures": "moments", "moments": [0]}])[0]
    assert skipped.status == "truncated"


def test_sound_alone_decodes_no_picture(drawn):
    heard = decode(probe_file(drawn("hevc")).source(drawn("hevc")), SKIP, "none")
    assert (heard.status, heard.frames_decoded, len(heard.pictures)) == ("ok", 0, 0)
    assert heard.moments == 10
    assert heard.has_sound().all()


def test_a_second_request_does_not_read_the_file_again(drawn, monkeypatch):
    source = probe_file(drawn("h264")).source(drawn("h264"))
    first = decode(source, SKIP, "none")
    by_skipping._idle.end()
    decode(source, SKIP, "none")
    pid = by_skipping._idle.waiting[-1]._process.pid
    before = bytes_read(pid)
    again = decode(source, SKIP, "moments", moments=[2, 7], sound=False)
    assert first.moments == again.moments
    assert by_skipping._idle.waiting[-1]._process.pid == pid
    # It is opened, so that its decoder is set up; its packets are not read.
    assert bytes_read(pid) - before < drawn("h264").stat().st_size / 2


@pytest.mark.parametrize("name", ["h264", "h264 without B"])
def test_packets_that_are_not_held_are_read_again(drawn, monkeypatch, name):
    """As of a film of more than 64 MiB."""
    path, wanted = drawn(name), [{0, 140}, {3, 70}, set(range(150))]

    def pictures():
        video = skip_child.OpenedVideo(path, 0)
        return [
            [(i, frame.to_ndarray().tobytes()) for i, frame in video.decode(each) if frame]
            for each in wanted
        ]

    held = pictures()
    assert [len(each) for each in held] == [2, 2, 150]
    monkeypatch.setattr(skip_child, "HELD_BYTES", 0)
    assert pictures() == held


def test_a_file_that_is_left_to_ffmpeg_does_not_end_the_child(drawn, tmp_path):
    by_skipping._idle.end()
    left = draw(tmp_path / "a.avi", x264(), seconds=1)
    decode(probe_file(drawn("h264")).source(drawn("h264")), SKIP, "none")
    pid = by_skipping._idle.waiting[-1]._process.pid
    for path, skipped in [(left, False), (drawn("h264"), True), (left, False)]:
        found = decode(probe_file(path).source(path), SKIP, "moments")
        assert (not found.not_skipped) == skipped
        assert [each._process.pid for each in by_skipping._idle.waiting] == [pid]


@pytest.mark.parametrize("media", [SKIP, WHOLE], ids=["skipped", "whole"])
def test_a_file_that_became_shorter_is_refused_and_a_wrong_number_is_an_error(
    drawn, tmp_path, media
):
    path = tmp_path / "a.mp4"
    path.write_bytes(drawn("h264").read_bytes())
    source = probe_file(path).source(path)
    with pytest.raises(IndexError, match="no moment 90"):
        decode(source, media, "moments", moments=[90])
    draw(path, x264(), "-y", seconds=1)
    found = decode(source, media, "moments", moments=[9])
    assert (found.status, "changed" in found.reason) == ("refused", True)


def bytes_read(pid):
    with open(f"/proc/{pid}/io") as file:
        return int(dict(line.split(": ") for line in file)["rchar"])


def test_the_child_is_kept_and_is_used_by_one_thread_at_a_time(drawn):
    by_skipping._idle.end()
    source = probe_file(drawn("h264")).source(drawn("h264"))
    expected = decode(source, WHOLE, "moments", sound=False).pictures.encoded
    with ThreadPoolExecutor(3) as pool:
        tasks = [pool.submit(decode, source, SKIP, "moments", sound=False) for _ in range(6)]
        assert all(task.result().pictures.encoded == expected for task in tasks)
    assert 1 <= len(by_skipping._idle.waiting) <= 3


def test_a_child_that_is_killed_is_no_status(drawn):
    source = probe_file(drawn("h264")).source(drawn("h264"))
    decode(source, SKIP, "none")
    os.kill(by_skipping._idle.waiting[-1]._process.pid, signal.SIGKILL)
    with pytest.raises(KilledError, match="h264"):
        decode(source, SKIP, "none")
    assert decode(source, SKIP, "none").status == "ok"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "crashed (SIGSEGV)"),
        ("raise SystemExit(3)", "crashed (exit 3)"),
        ('print(\'{"unsafe": "a reason"}\', flush=True)', "a reason"),
    ],
)
def test_a_child_that_fails_leaves_the_file_to_ffmpeg(drawn, monkeypatch, code, reason):
    by_skipping._idle.end()
    child = f"import sys; print('{{\"ready\": 1}}', flush=True); sys.stdin.readline(); {code}"
    monkeypatch.setattr(by_skipping, "CHILD", (sys.executable, "-c", child))
    source = probe_file(drawn("h264")).source(drawn("h264"))
    found = decode(source, SKIP, "moments")
    by_skipping._idle.end()
    assert (found.status, found.frames_decoded) == ("ok", 150)
    assert reason in found.not_skipped


def test_a_child_that_takes_too_long_is_ended(drawn, monkeypatch):
    by_skipping._idle.end()
    child = "import time; print('{\"ready\": 1}', flush=True); time.sleep(60)"
    monkeypatch.setattr(by_skipping, "CHILD", (sys.executable, "-c", child))
    media = SKIP.model_copy(update={"time_limit_seconds": 0.3})
    found = decode(probe_file(drawn("h264")).source(drawn("h264")), media, "moments")
    assert (found.status, found.reason) == ("refused", "not done within 0.3 s")
    assert not by_skipping._idle.waiting


def table(pts, referred, begins, has_idr=True):
    found = PacketTable(Fraction(1, 30), 0, has_idr)
    for i, time in enumerate(pts):
        kind = PacketKind(0 if referred[i] else LAYERS, i in begins)
        found.add(kind, 1001 * time, i, 1001, False)
    found.time_base = Fraction(1, 30 * 1001)
    found.finish()
    return found


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30), st.data())
def test_a_group_is_decoded_up_to_its_last_wanted_picture(packets, data):
    begins = {0} | {i for i, (begin, _) in enumerate(packets) if begin}
    referred = [ref or i in begins for i, (_, ref) in enumerate(packets)]
    found = table(range(len(packets)), referred, begins)
    wanted = data.draw(st.sets(st.integers(0, len(packets) - 1)))
    decoded = [i for group in found.groups(wanted) for i in group]
    assert decoded == sorted(decoded)
    assert wanted <= set(decoded)
    for packet in range(len(packets)):
        end = next((i for i in sorted(begins) if i > packet), len(packets))
        needed = referred[packet] and any(packet <= each < end for each in wanted)
        assert (packet in decoded) == (packet in wanted or needed)


def test_a_key_frame_with_leading_pictures_is_no_border():
    """Shown in the order 0 2 1 4 3: picture 3, after the key frame 4, refers to picture 1 too."""
    found = table([0, 2, 1, 4, 3], [True, True, False, True, False], {0, 3}, has_idr=False)
    assert found.borders == [0]
    assert table(
        [0, 2, 1, 3, 4], [True, True, False, True, True], {0, 3}, has_idr=False
    ).borders == [0, 3]


@pytest.mark.parametrize("pts", [[0, 0], [1, 1, 2]])
def test_two_pictures_of_one_time_are_not_safe(pts):
    with pytest.raises(UnsafeError, match="one time"):
        table(pts, [True] * len(pts), {0})


@pytest.mark.long
def test_every_file_of_the_collections_gives_the_bytes_of_a_whole_decode(media):
    """Also at moments that are far apart; every choice of the whole decode is named."""
    tried, skipped = 0, 0
    for path in sorted(each for each in media.rglob("*") if each.is_file()):
        facts = probe_file(path)
        if facts.status in USABLE:
            found = same(path, SOME[:2] if facts.duration_seconds > 2 else SOME[:1])
            tried, skipped = tried + 1, skipped + (not found[0].not_skipped)
    assert tried > 300
    assert skipped > 0.8 * tried
