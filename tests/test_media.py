"""Decoding real files: which picture and which second belong to a moment, and what becomes of files
that are damaged or odd.
"""

import os
import shutil
import subprocess
import sys
import tracemalloc
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from media_files import (
    H264,
    TONES,
    WHOLE,
    decoded,
    flash_and_beep,
    listed,
    make_video,
    numbered,
    numbers,
    run,
    tones,
)
from test_probe import NAMES, playlists
from torchvision.transforms.v2.functional import center_crop, resize

from l2l.__main__ import main
from l2l.config import ManifestConfig, MediaConfig
from l2l.errors import BadInput
from l2l.manifest.artifact import read_videos, write_videos
from l2l.media import ffmpeg as runner
from l2l.media.artifact import read_media
from l2l.media.decode import compile_argv, decode
from l2l.media.ffmpeg import FfmpegStopped, Log, ffmpeg_program, run_ffmpeg
from l2l.media.sound import JITTER_SAMPLES, WORD, place
from l2l.media.stage import collect_statuses, decode_videos
from l2l.moments import moment_count, start_sample


def shown_at(frames: int, rate: Fraction, slot: int) -> int:
    """The frame that the 30 fps grid shows at a slot.

    The last whose time, rounded to the grid, is not later.
    """
    return max(n for n in range(frames) if int(n * 30 / rate + Fraction(1, 2)) <= slot)


# ---- pictures ------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [1, 10, 24, 25, Fraction(30_000, 1001), 30, 50, 60, 120])
def test_each_picture_is_the_frame_of_its_time(tmp_path, rate):
    rate = Fraction(rate)
    count = int(4 * rate)
    found = decoded(
        make_video(tmp_path / "a.mp4", seconds=float(count / rate), rate=rate, sound=None)
    )
    assert abs(found.frames - float(count / rate * 30)) <= 1
    assert found.moments == moment_count(found.frames, WHOLE.grid)
    assert numbers(found.pictures) == [
        shown_at(count, rate, slot) for slot in range(0, found.frames, 2)
    ]
    for moment in range(found.moments):
        expected = [shown_at(count, rate, 16 * moment + 2 * i) for i in range(16)]
        assert numbers(found.clip(moment)) == expected
        assert numbers(found.frame(moment)[None]) == expected[:1]


def test_frames_of_moments_alone_are_those_of_the_clips(tmp_path):
    path = make_video(tmp_path / "a.mp4", seconds=3.3)
    every, first = decoded(path), decoded(path, pictures="moments")
    assert (first.frames, first.moments, first.status) == (every.frames, every.moments, "ok")
    assert len(first.pictures) == -(-every.frames // 16) < len(every.pictures)
    for moment in range(every.moments):
        np.testing.assert_array_equal(first.frame(moment), every.frame(moment))
    np.testing.assert_array_equal(first.waveform, every.waveform)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi", "a.ts", "a.webm"])
def test_every_container_gives_the_same_frames_and_seconds(tmp_path, name):
    codec = ("-c:v", "libvpx", "-b:v", "2M", "-deadline", "realtime") if name == "a.webm" else H264
    found = decoded(make_video(tmp_path / name, seconds=3, video=codec))
    assert found.status == "ok"
    assert abs(found.frames - 90) <= 1
    expected = [shown_at(75, Fraction(25), slot) for slot in range(0, found.frames, 2)]
    assert all(
        abs(a - b) <= 1 for a, b in zip(numbers(found.pictures), expected, strict=True)
    )  # .ts and .avi start a frame late
    assert tones(found.waveform) == [300, 400, 500]


@pytest.mark.parametrize(
    ("height", "width", "resize_pixels", "whole"),
    [
        (240, 320, (128, 171), (128, 171)),
        (
            200,
            334,
            128,
            (128, 213),
        ),  # 213.76 wide, rounded down; 50.5 pixels to the left of the crop: 50
        (200, 324, 128, (128, 207)),  # 47.5: 48
        (310, 240, 128, (165, 128)),  # upright
        (240, 240, 128, (128, 128)),
    ],
)
def test_crop_and_scale_are_those_of_the_antialiased_resize(
    tmp_path, height, width, resize_pixels, whole
):
    y, x = np.mgrid[:height, :width]
    waves = [128 + 100 * np.sin(x / a) * np.cos(y / b) for a, b in ((23, 31), (41, 17), (29, 37))]
    picture = np.stack(waves, axis=2).astype(np.uint8)
    raw = [
        "-f",
        "rawvideo",
        "-pix_fmt",
        "rgb24",
        "-s",
        f"{width}x{height}",
        "-r",
        "30",
        "-i",
        "pipe:0",
    ]
    lossless = ["-c:v", "libx264rgb", "-qp", "0", tmp_path / "a.mkv"]
    run(*raw, *lossless, pictures=picture.tobytes() * 31)
    found = decoded(tmp_path / "a.mkv", MediaConfig(resize_pixels=resize_pixels)).pictures[3]
    given = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float()
    size = [resize_pixels] if isinstance(resize_pixels, int) else list(resize_pixels)
    resized = resize(given, size, antialias=True)
    assert resized.shape[2:] == whole
    expected = center_crop(resized, [112, 112])[0].permute(1, 2, 0).numpy()
    error = np.mean((expected - found) ** 2)
    assert 10 * np.log10(255**2 / error) > 50
    shifted = np.mean((np.roll(expected, 1, axis=1) - found) ** 2)
    assert 10 * np.log10(255**2 / shifted) < 35  # the measure would see one pixel


def test_pictures_that_change_their_size_in_mid_stream_keep_their_time(tmp_path):
    parts = []
    for part, size in enumerate(["64x64", "128x96"]):
        sound = f"'0.5*sin(2*PI*{400 + 400 * part}*t){'|0' * part}'"
        resized = ["-vf", f"scale={size.replace('x', ':')}:flags=neighbor"]
        spliced = [
            "-output_ts_offset",
            str(2 * part),
            "-muxdelay",
            "0",
            "-mpegts_flags",
            "+initial_discontinuity",
        ]
        parts.append(make_video(tmp_path / f"{part}.ts", sound=sound, extra=[*resized, *spliced]))
    (tmp_path / "a.ts").write_bytes(b"".join(part.read_bytes() for part in parts))
    found = decoded(tmp_path / "a.ts")
    assert found.status == "ok"
    assert abs(found.frames - 120) <= 4
    half = [shown_at(50, Fraction(25), slot) for slot in range(0, 60, 2)]
    assert np.abs(np.array(numbers(found.pictures)[:55]) - (half + half)[:55]).max() <= 3
    assert tones(found.waveform)[:4] == [400, 400, 800, 800]  # stereo from the third second on


def test_a_video_shorter_than_a_clip_is_one_padded_moment(tmp_path):
    found = decoded(make_video(tmp_path / "a.mp4", seconds=1))  # 30 frames; a clip spans 31
    assert (found.status, found.frames, found.moments) == ("too_short", 30, 1)
    assert "padded by the last frame" in found.reason
    assert numbers(found.clip(0))[-1] == shown_at(25, Fraction(25), 28)
    assert decoded(make_video(tmp_path / "b.mp4", seconds=1.04)).status == "ok"


# ---- sound ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
@pytest.mark.parametrize("at", [0.8, 16 / 15 + 0.001, 2.5])
def test_a_flash_and_its_beep_come_at_the_same_instant(tmp_path, name, at):
    found = decoded(flash_and_beep(tmp_path / name, at))
    seen = np.flatnonzero(found.pictures.mean(axis=(1, 2, 3)) > 128)
    heard = np.flatnonzero(np.abs(found.waveform) > 8000)
    assert abs(seen[0] / 15 - at) <= 1 / 15
    assert abs(heard[0] / 16000 - at) <= 0.003
    assert abs(heard[-1] / 16000 - at - 0.2) <= 0.003
    for moment, window in enumerate(found.windows()):
        inside = [i - start_sample(moment) for i in heard if 0 <= i - start_sample(moment) < 16_000]
        assert np.flatnonzero(np.abs(window) > 8000).tolist() == inside


def test_sound_that_starts_late_or_ends_early_keeps_its_place(tmp_path):
    picture = ["-f", "lavfi", "-i", "color=gray:s=64x64:r=25:d=6"]
    sound = ["-itsoffset", "2", "-f", "lavfi", "-i", f"aevalsrc={TONES}:d=2"]
    for name in ("a.mp4", "a.mkv"):
        run(*picture, *sound, "-map", "0", "-map", "1", *H264, tmp_path / name)
        found = decoded(tmp_path / name)
        assert (found.status, found.reason) == ("audio_partial", "sound in 4 of 10 moments")
        assert tones(found.waveform) == [0, 0, 300, 400]
        assert np.abs(found.sound_runs - [[32_000, 64_000]]).max() <= 800  # AAC's own padding aside
        assert found.has_sound().tolist() == [False] * 3 + [True] * 4 + [False] * 3


def test_a_gap_in_the_sound_is_a_gap(tmp_path):
    path = make_video(tmp_path / "a.mkv", seconds=5)
    parts = "aselect='not(between(t,1,3))'"  # what is left keeps its time stamps
    run("-i", path, "-af", parts, "-c:v", "copy", "-c:a", "pcm_s16le", tmp_path / "gap.mkv")
    found = decoded(tmp_path / "gap.mkv")
    assert found.status == "audio_partial"
    assert tones(found.waveform)[:4] == [300, 0, 0, 600]
    assert np.abs(found.sound_runs - [[0, 16_000], [48_000, 80_000]]).max() <= 1024


def test_sound_that_outlasts_the_pictures_is_cut_and_pictures_that_start_late_are_shown_late(
    tmp_path,
):
    run(
        "-f",
        "lavfi",
        "-i",
        "color=gray:s=64x64:r=25:d=2",
        "-f",
        "lavfi",
        "-i",
        f"aevalsrc={TONES}:d=9",
        *H264,
        tmp_path / "a.mp4",
    )
    found = decoded(tmp_path / "a.mp4")
    assert (found.status, found.frames, len(found.waveform)) == ("ok", 60, 32_000)
    late = make_video(tmp_path / "b.mp4", seconds=2, sound=None)
    run(
        "-itsoffset",
        "1",
        "-i",
        late,
        "-f",
        "lavfi",
        "-i",
        f"aevalsrc={TONES}:d=3",
        "-c:v",
        "copy",
        tmp_path / "late.mp4",
    )
    found = decoded(tmp_path / "late.mp4")
    assert (found.status, found.frames) == ("ok", 90)
    assert numbers(found.pictures) == [0] * 15 + [
        shown_at(50, Fraction(25), slot) for slot in range(0, 60, 2)
    ]
    assert tones(found.waveform) == [300, 400, 500]


def test_channels_are_averaged(tmp_path):
    """A mono file, the same in both channels, and in one of two: the mean, whatever the format.

    (Adding up would clip.)
    """
    tone = "0.9*sin(2*PI*500*t)"
    peaks = {}
    for name, sound in (("mono", tone), ("both", f"{tone}|{tone}"), ("one", f"{tone}|0")):
        for codec in ("pcm_s16le", "pcm_f32le"):
            path = make_video(tmp_path / f"{name}.mkv", sound=f"'{sound}'", extra=["-c:a", codec])
            peaks[name, codec] = int(np.abs(decoded(path).waveform[1600:-1600]).max())
    assert {key: round(peak / 32768, 2) for key, peak in peaks.items()} == {
        (name, codec): value
        for name, value in (("mono", 0.9), ("both", 0.9), ("one", 0.45))
        for codec in ("pcm_s16le", "pcm_f32le")
    }


def test_no_sound_and_silence_are_told_apart(tmp_path):
    none, silent = (
        make_video(tmp_path / "a.mp4", sound=None),
        make_video(tmp_path / "b.mp4", sound="0"),
    )
    found = decoded(none)
    assert (found.status, found.has_sound().any(), len(found.waveform)) == ("no_audio", False, 0)
    assert found.windows().shape == (found.moments, 16_000)
    found = decoded(silent)
    assert (found.status, found.has_sound().any(), found.waveform.any()) == ("silent", False, False)
    assert len(found.waveform) > 0


def marked(pieces: list[tuple[int, np.ndarray]]) -> bytes:
    """Samples with their numbers, as ffmpeg gives them."""
    columns = [
        np.stack([sound, (n := np.arange(at, at + len(sound))) % WORD, n // WORD], axis=1)
        for at, sound in pieces
    ]
    return np.concatenate(columns).astype("<i2").tobytes() if columns else b""


@given(
    st.lists(st.tuples(st.integers(JITTER_SAMPLES + 1, 90_000), st.integers(1, 3000)), max_size=5),
    st.integers(0, 400_000),
)
def test_each_decoded_sample_is_put_where_it_belongs(spans, samples):
    pieces, runs, at = [], [], -1000 - JITTER_SAMPLES
    for gap, length in spans:
        at += gap
        pieces.append((at, np.arange(1, length + 1, dtype=np.int16)))
        runs.append([at, at := at + length])
    waveform, found = place(marked(pieces), samples)
    expected = np.zeros(500_000, np.int16)
    for start, sound in pieces:
        expected[np.arange(max(0, start), max(0, start + len(sound)))] = sound[max(0, -start) :]
    np.testing.assert_array_equal(waveform, expected[: len(waveform)])
    assert not expected[len(waveform) : samples].any()
    assert found.tolist() == [
        [max(a, 0), min(b, samples)] for a, b in runs if min(b, samples) > max(a, 0)
    ]


@given(st.lists(st.integers(-JITTER_SAMPLES // 2, JITTER_SAMPLES // 2), min_size=1, max_size=20))
def test_rounded_time_stamps_leave_no_gaps(jitter):
    sound = np.arange(1, 1000 * len(jitter) + 1).astype(np.int16)
    pieces = [
        (1000 * i + (off if i else 0), sound[1000 * i :][:1000]) for i, off in enumerate(jitter)
    ]
    waveform, runs = place(marked(pieces), 10**6)
    np.testing.assert_array_equal(waveform, sound)
    assert runs.tolist() == [[0, len(sound)]]


@given(
    st.lists(
        st.tuples(st.integers(-2 * JITTER_SAMPLES, 2 * JITTER_SAMPLES), st.integers(1, 700)),
        min_size=1,
        max_size=12,
    ),
    st.integers(1, 900),
    st.integers(0, 9000),
)
def test_sound_is_placed_alike_in_blocks_and_at_once(spans, block, samples):
    at, pieces = 0, []
    for gap, length in spans:
        at += gap
        pieces.append((at, np.arange(1, length + 1, dtype=np.int16)))
        at += length
    whole, whole_runs = place(marked(pieces), samples)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("l2l.media.sound.BLOCK_SAMPLES", block)
        waveform, runs = place(marked(pieces), samples)
    np.testing.assert_array_equal(waveform, whole)
    assert runs.tolist() == whole_runs.tolist()


def test_the_memory_that_sound_is_placed_in_is_little_more_than_it_takes():
    seconds = 1200
    raw = marked([(0, np.ones(seconds * 16000, np.int16))])
    tracemalloc.start()
    try:
        place(raw, seconds * 16000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2 * len(raw)


# ---- damage --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    """Three seconds of numbered pictures, a key frame each second, index in front."""
    folder = tmp_path_factory.mktemp("clip")
    return make_video(folder / "clip.mp4", seconds=3, extra=["-g", "25", "-movflags", "+faststart"])


@pytest.fixture
def shard(clip, tmp_path) -> Path:
    """Good files among bad ones, listed in a table."""
    good = clip.read_bytes()
    damaged = bytearray(good)
    at = good.index(b"mdat") + 3000
    damaged[at : at + 300] = bytes(300)
    files = {
        "1 good": good,
        "2 half": good[: len(good) * 2 // 3],
        "3 damaged": bytes(damaged),
        "5 good": good + b"\0",
    }
    rows = []
    for name, content in files.items():
        (tmp_path / f"{name}.mp4").write_bytes(content)
        rows.append(listed(tmp_path / f"{name}.mp4", video=name))
    rows.insert(3, rows[0]._replace(video="4 missing", status="missing", reason="no such file"))
    soundless = make_video(tmp_path / "soundless.mp4", sound=None)
    rows += [
        listed(soundless, video="6 soundless"),
        rows[0]._replace(video="7 vanished", file=str(tmp_path / "vanished.mp4")),
    ]
    write_videos(tmp_path / "shard.tsv", rows)
    return tmp_path / "shard.tsv"


STATUSES = {
    "1 good": "ok",
    "2 half": "truncated",
    "3 damaged": "corrupt",
    "4 missing": "missing",
    "5 good": "ok",
    "6 soundless": "no_audio",
    "7 vanished": "missing",
}


def test_a_bad_file_stops_no_other_and_is_replaced_by_nothing(shard, tmp_path):
    decode_videos(shard, tmp_path / "a.h5", WHOLE, "source")
    with read_media(tmp_path / "a.h5") as media:
        assert {video: state for video, (state, _) in media.statuses.items()} == STATUSES
        assert media.videos == ("1 good", "5 good", "6 soundless")
        assert media.statuses["4 missing"] == ("missing", "no such file")
        assert all(
            "\n" not in reason and "0x" not in reason for _, reason in media.statuses.values()
        )
        assert media.statuses["2 half"][1].endswith("3.0 s are declared")
        for video in ("2 half", "3 damaged"):
            assert (media.moments(video), len(media.waveform(video))) == (0, 0)
        assert numbers(media.clip("5 good", 1)) == [
            shown_at(75, Fraction(25), 16 + 2 * i) for i in range(16)
        ]


def test_a_file_that_is_cut_and_does_not_tell_its_length_is_truncated(tmp_path):
    path = make_video(tmp_path / "live.mkv", seconds=3, extra=["-live", "1"])
    assert listed(path).duration_seconds == 0
    assert decoded(path).status == "ok"
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    found = decoded(path)
    assert (found.status, found.reason) == ("truncated", "the file ends before its last packet")


def test_several_files_at_once_give_the_same_bytes(shard, tmp_path):
    for threads in (1, 4):
        decode_videos(shard, tmp_path / f"{threads}.h5", WHOLE, "both", threads)
    assert (tmp_path / "1.h5").read_bytes() == (tmp_path / "4.h5").read_bytes()


def test_a_target_or_a_source_decoded_on_the_fly_keeps_one_frame_a_moment_and_the_same_one(
    shard, tmp_path
):
    on_the_fly = WHOLE.model_copy(update={"clips": "decoded"})
    for name, config, role in (
        ("clips", WHOLE, "both"),
        ("target", WHOLE, "target"),
        ("fly", on_the_fly, "source"),
    ):
        decode_videos(shard, tmp_path / f"{name}.h5", config, role)
    with (
        read_media(tmp_path / "clips.h5") as clips,
        read_media(tmp_path / "target.h5") as target,
        read_media(tmp_path / "fly.h5") as fly,
    ):
        assert (clips.clips_stored, target.clips_stored, fly.clips_stored) == (True, False, False)
        assert clips.statuses == target.statuses == fly.statuses
        for row in read_videos(shard):
            if row.video not in clips.videos:
                continue
            again = decode(
                row.path,
                fly.config,
                row.video_stream,
                row.audio_stream,
                row.duration_seconds,
                "clips",
            )
            for moment in range(clips.moments(row.video)):
                np.testing.assert_array_equal(again.clip(moment), clips.clip(row.video, moment))
                np.testing.assert_array_equal(
                    clips.frame(row.video, moment), target.frame(row.video, moment)
                )
                np.testing.assert_array_equal(
                    clips.frame(row.video, moment), fly.frame(row.video, moment)
                )


def test_what_was_remarked_when_it_was_listed_stays(clip, tmp_path):
    write_videos(
        tmp_path / "shard.tsv", [listed(clip)._replace(reason="segment 3 to 2 s of 9 s dropped")]
    )
    decode_videos(tmp_path / "shard.tsv", tmp_path / "a.h5", WHOLE, "target")
    with read_media(tmp_path / "a.h5") as media:
        assert media.statuses["v"] == ("ok", "segment 3 to 2 s of 9 s dropped")


def test_final_states_stand_in_the_order_of_the_manifest_and_too_many_bad_stop_the_run(
    shard, tmp_path
):
    rows = read_videos(shard)
    manifest = tmp_path / "videos.tsv"
    write_videos(manifest, rows[::-1])
    for part in (0, 1):
        write_videos(tmp_path / "part.tsv", rows[part::2])
        arguments = [
            "--manifest",
            tmp_path / "part.tsv",
            "--media",
            tmp_path / f"{part}.h5",
            "--config",
            WHOLE.model_dump_json(),
        ]
        assert (
            main(["decode_videos", *map(str, arguments), "--role", "target", "--threads", "2"]) == 0
        )
    media = [tmp_path / "0.h5", tmp_path / "1.h5"]
    collect_statuses(
        manifest, media, tmp_path / "final.tsv", ManifestConfig(max_bad_fraction=4 / 7)
    )
    final = read_videos(tmp_path / "final.tsv")
    assert [(row.video, row.status) for row in final] == list(STATUSES.items())[::-1]
    assert [row._replace(status="", reason="") for row in final] == [
        row._replace(status="", reason="") for row in rows[::-1]
    ]
    with pytest.raises(BadInput, match="4 of 7 videos are unusable after decoding"):
        collect_statuses(
            manifest, media, tmp_path / "again.tsv", ManifestConfig(max_bad_fraction=0.5)
        )
    assert not (tmp_path / "again.tsv").exists()
    assert read_videos(tmp_path / "again.refused.tsv") == sorted(
        final, key=lambda video: video.usable
    )
    with pytest.raises(BadInput, match="3 videos, without '1 good'"):
        collect_statuses(
            manifest, media[1:], tmp_path / "again.tsv", ManifestConfig(max_bad_fraction=1)
        )


def test_names_are_only_names(clip, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in NAMES:
        shutil.copy(clip, Path("./", name))
    found = [decode(Path(name), WHOLE, 0, 1, 3.0, "moments") for name in NAMES]
    assert [(each.status, each.frames) for each in found] == [("ok", 90)] * len(NAMES)
    assert sorted(os.listdir()) == sorted(NAMES)


def test_only_containers_on_the_list_are_opened_and_only_files(clip, tmp_path):
    for path in playlists(tmp_path, clip):
        found = decode(path, WHOLE, 0, -1, 3.0, "clips")
        assert (found.status, found.frames, len(found.pictures)) == ("corrupt", 0, 0)


# ---- the runner ----------------------------------------------------------------------------------


def test_the_argv_is_a_list_with_the_file_as_an_absolute_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    argv = compile_argv(Path("-y; rm.mp4"), WHOLE, 2, 3, 16)
    assert argv[argv.index("-i") + 1] == f"file:{tmp_path}/-y; rm.mp4"
    assert [argv[i + 1] for i, word in enumerate(argv) if word == "-map"] == ["0:2", "0:3"]
    assert all(isinstance(word, str) for word in argv)


def test_a_run_out_of_time_is_killed_with_its_whole_group(tmp_path, monkeypatch):
    pids = tmp_path / "pids"
    hang = tmp_path / "hang"
    hang.write_text(f"#!/bin/sh\nsleep 600 &\necho $$ $! > {pids}\nwait\n")
    hang.chmod(0o755)
    monkeypatch.setattr(runner, "ffmpeg_program", lambda: hang)
    found = decode(
        Path(__file__), WHOLE.model_copy(update={"time_limit_seconds": 3}), 0, -1, 3.0, "clips"
    )
    assert (found.status, found.reason) == ("refused", "not done within 3 s")
    for pid in pids.read_text().split():
        state = Path(f"/proc/{pid}/stat")
        assert not state.exists() or state.read_text().split(")")[1].split()[0] == "Z"


def test_a_run_out_of_bytes_is_ended():
    endless = ["-f", "lavfi", "-i", "testsrc=s=64x64", "-f", "rawvideo", "pipe:out"]
    with pytest.raises(FfmpegStopped, match="more than 1 MB"):
        run_ffmpeg(endless, ["out"], 1_000_000, 60)


@pytest.mark.skipif(
    sys.platform != "linux",
    reason="processor time and memory of a child are bounded on Linux alone",
)
def test_a_run_out_of_processor_time_is_ended(tmp_path, monkeypatch):
    spin = tmp_path / "spin"
    spin.write_text("#!/bin/sh\nwhile :; do :; done\n")
    spin.chmod(0o755)
    monkeypatch.setattr(runner, "ffmpeg_program", lambda: spin)
    with pytest.raises(FfmpegStopped, match="more than 1 s of processor time"):
        run_ffmpeg([], [], 1, 60, cpu_limit_seconds=0.5)


@pytest.mark.parametrize("how", ["KILL", "TERM", "INT"])
def test_a_run_that_somebody_kills_says_nothing_of_the_video(how, tmp_path, monkeypatch):
    video, killed = make_video(tmp_path / "v.mp4", seconds=20), tmp_path / "killed"
    killed.write_text(
        f'#!/bin/sh\n(sleep 0.5; kill -{how} $$) &\nexec {ffmpeg_program()} -readrate 0.1 "$@"\n'
    )
    killed.chmod(0o755)
    monkeypatch.setattr(runner, "ffmpeg_program", lambda: killed)
    with pytest.raises(
        BadInput,
        match=r"v.mp4: the ffmpeg that decodes it was killed: .* run again what is not done",
    ):
        decoded(video)


@pytest.mark.skipif(
    sys.platform != "linux",
    reason="processor time and memory of a child are bounded on Linux alone",
)
def test_a_run_out_of_memory_is_ended(tmp_path):
    large = tmp_path / "large.avi"
    run("-f", "lavfi", "-i", "color=s=8000x8000:d=0.2:r=10", "-c:v", "mjpeg", "-q:v", "20", large)
    argv = compile_argv(large, WHOLE, 0, -1, 16)
    with pytest.raises(FfmpegStopped, match="more than 268 MB of memory"):
        run_ffmpeg(argv, ["pictures"], 1 << 30, 60, memory_limit_bytes=1 << 28)
    assert len(run_ffmpeg(argv, ["pictures"], 1 << 30, 60).outputs[0]) == 64 * 64 * 3


def test_several_outputs_are_read_at_once():
    """One pipe is full long before the other has anything.

    Reading them in turn would wait for ever.
    """
    many = [
        "-f",
        "lavfi",
        "-i",
        "color=s=512x512:d=1:r=25",
        "-map",
        "0",
        "-f",
        "rawvideo",
        "-pix_fmt",
        "rgb24",
        "pipe:a",
    ]
    few = ["-map", "0", "-vf", "scale=2:2", "-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:b"]
    finished = run_ffmpeg([*many, *few], ["a", "b"], 1 << 30, 60)
    assert [len(output) for output in finished.outputs] == [512 * 512 * 3 * 25, 2 * 2 * 3 * 25]


def test_the_log_is_bounded_but_keeps_the_first_complaints_of_each_part():
    log = Log()
    log.report("[h264 @ 0x1] [error] while looking the file over")
    log.report("  Stream #0:3 -> #0:0 (h264 (native) -> rawvideo (native))")
    for i in range(100_000):
        log.complain(f"[h264 @ 0x2] [error] complaint {i}")
        log.report(f"[h264 @ 0x2] [error] complaint {i}")
    log.complain("[in#0/mov @ 0x3] [error] the last")
    log.report(
        "[info]   Stream #1: Aud30 frames in, 29 frames out; 0 frames dropped"
    )  # within a line that another part began
    assert (log.decoders, log.opening, log.grid_frames) == ({3: "h264"}, {"[h264 @ 0x1"}, 29)
    assert sum(map(len, log.complaints.values())) < 1000
    assert log.complaints["[h264 @ 0x2"][0].endswith("complaint 0")
    assert log.complaints["[in#0/mov @ 0x3"] == ["[in#0/mov @ 0x3] [error] the last"]


def test_a_file_is_decoded_again_while_its_log_is_torn(tmp_path, monkeypatch):
    """One part says `Gain control`, another its error, and only then the first that this `is not
    implemented`.
    """
    video, runs = make_video(tmp_path / "v.mp4"), tmp_path / "runs"
    torn = (
        "[aac @ 0x1] [warning] Gain controlerror while decoding MB 0 0\n[aac @ 0x1] [warning]  is "
        "not implemented.\n"
    )
    whole = (
        "[aac @ 0x1] [warning] Gain control is not implemented.\n[h264 @ 0x2] [error] error while "
        "decoding MB 0 0\n"
    )
    (tmp_path / "1").write_text(torn)
    (tmp_path / "2").write_text(whole)
    script = f'echo >>{runs}; cat "{tmp_path}/$(wc -l <{runs})" >&2; exec {ffmpeg_program()} "$@"'
    twice = tmp_path / "twice"
    twice.write_text(f"#!/bin/sh\n{script}\n")
    twice.chmod(0o755)
    monkeypatch.setattr(runner, "ffmpeg_program", lambda: twice)
    result = decoded(video)
    assert (result.status, result.reason) == ("corrupt", "damaged: error while decoding MB 0 0")


def test_the_ffmpeg_on_path_comes_first_and_the_carried_one_helps_out(tmp_path, monkeypatch):
    own = tmp_path / "ffmpeg"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    ffmpeg_program.cache_clear()
    try:
        assert ffmpeg_program() == own
        own.unlink()
        ffmpeg_program.cache_clear()
        assert "imageio_ffmpeg" in str(ffmpeg_program())
        monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
        ffmpeg_program.cache_clear()
        with pytest.raises(BadInput, match="no ffmpeg: put one on PATH"):
            ffmpeg_program()
    finally:
        ffmpeg_program.cache_clear()


def test_no_process_is_left_when_the_caller_is_interrupted(tmp_path):
    script = (
        "import signal, threading, os, time\n"
        "from l2l.media.ffmpeg import run_ffmpeg\n"
        "threading.Timer(1, lambda: os.kill(os.getpid(), signal.SIGINT)).start()\n"
        "run_ffmpeg(['-re', '-f', 'lavfi', '-i', 'testsrc=d=61', '-f', 'rawvideo', 'pipe:a'], "
        "['a'], 1 << 40, 600)\n"
    )
    before = running()
    ended = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert b"KeyboardInterrupt" in ended.stderr
    assert running() - before == set()


def running() -> set[str]:
    """Processes that show the test picture of 61 s."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (
                b"testsrc=d=61" in (process / "cmdline").read_bytes()
                and b"lavfi\0" in (process / "cmdline").read_bytes()
            ):
                found.add(process.name)
        except OSError:
            continue
    return found


# ---- the collection of odd files -----------------------------------------------------------------

STRIP = MediaConfig(
    resize_pixels=(128, 128), frame_pixels=128, jpeg_quality="lossless"
)  # nothing cropped

AT_25_FPS = [0, 13, 27, 40, 53, 67]  # frames shown at the first six moments
ODD = {
    "01_ref_25fps.mp4": ("ok", 300, AT_25_FPS, [300 + 100 * k for k in range(10)]),
    "09_vfr.mp4": ("ok", 239, [0, 27, 54, 80, 102, 111], [300 + 100 * k for k in range(7)]),
    "10_60fps.mp4": ("ok", 120, [0, 32, 64, 96, 128, 160], [300, 400, 500, 600]),
    "11_ntsc_2997.mp4": ("ok", 180, [0, 16, 32, 48, 64, 80], [300 + 100 * k for k in range(6)]),
    "12_1fps.mp4": ("ok", 240, [0, 0, 1, 1, 2, 2], [300 + 100 * k for k in range(8)]),
    "13_one_frame.mp4": ("too_short", 1, [0], [300]),
    "14_very_short.mp4": ("too_short", 6, [0], []),
    "15_one_keyframe_120s.mp4": ("ok", 3600, [0, 5, 10, 16, 21, 26], None),
    "16_ts_wrap_offset.ts": (
        "ok",
        301,
        [0, 13, 26, 39, 53, 66],
        [300 + 100 * k for k in range(10)],
    ),
    "18_edit_list.mp4": ("ok", 194, [88, 101, 115, 128, 141, 155], None),
    "19_cut_mid_gop.ts": ("audio_partial", 104, [89, 97, 110, 124, 137, 150], None),
    "20_no_audio.mp4": ("no_audio", 300, AT_25_FPS, []),
    "23_audio_long_15s.mp4": ("ok", 180, AT_25_FPS, [300 + 100 * k for k in range(6)]),
    "25_video_starts_at_3s.mp4": (
        "ok",
        300,
        [0, 0, 0, 0, 0, 0, 5],
        [300 + 100 * k for k in range(10)],
    ),
    "26_silent_track.mp4": ("silent", 150, AT_25_FPS, [0] * 5),
    "27_two_audio.mp4": ("ok", 150, AT_25_FPS, [300, 400, 500, 600, 700]),
    "28_cover_art_first.mp4": ("ok", 300, AT_25_FPS, [300 + 100 * k for k in range(10)]),
    "29_audio_stream_first.mp4": ("ok", 300, AT_25_FPS, [300 + 100 * k for k in range(10)]),
    "30_surround_51.mkv": ("ok", 90, [0, 13, 26, 40], [300, 400, 500]),
    "31_mjpeg_pcm_u8_8k.avi": ("ok", 90, AT_25_FPS[:4], [300, 400, 500]),
    "36_odd_321x241_444.mp4": ("no_audio", 60, AT_25_FPS[:3], []),
    "37_1x1.mkv": ("too_short", 30, None, []),
    "38_3x5.mkv": ("too_short", 30, None, []),
    "39_4k.mp4": ("too_short", 30, None, [300]),
    "41_hdr10_hevc.mp4": ("ok", 60, AT_25_FPS[:3], [300, 400]),
    "42_interlaced_tff.mpg": ("ok", 120, None, [300, 400, 500, 600]),
    "43_vp9_alpha_live.webm": ("no_audio", 60, AT_25_FPS[:3], []),
    "44_gif_named.mp4": ("no_audio", 90, [0, 5, 10, 16], []),
    "45_webm_named.avi": ("ok", 90, AT_25_FPS[:4], [300, 400, 500]),
    "47_fragmented.mp4": ("ok", 62, None, [300, 400]),
    "48_all_black.mp4": ("ok", 90, [0, 0, 0, 0], [300, 400, 500]),
    "33_rotate90.mp4": ("ok", 94, None, [300, 400, 500]),
    "34_rotate180.mp4": ("ok", 94, None, [300, 400, 500]),
    "02_truncated_no_moov.mp4": ("truncated", 0, None, []),
    "03_truncated_faststart.mp4": ("truncated", 0, None, []),
    "04_zero_bytes.mp4": ("corrupt", 0, None, []),
    "05_html_error_page.mp4": ("corrupt", 0, None, []),
    "06_random_bytes.mp4": ("corrupt", 0, None, []),
    "21_audio_only.mp4": ("refused", 0, None, []),
    "49_hls_disguised.mp4": ("corrupt", 0, None, []),
    "50_ffconcat_disguised.mp4": ("refused", 0, None, []),
    "51_dash_disguised.mp4": ("corrupt", 0, None, []),
}


@pytest.mark.parametrize("name", sorted(ODD))
def test_an_odd_file_does_what_one_means(odd, name):
    status, frames, first_frames, heard = ODD[name]
    row = listed(odd / name)
    if not row.usable:
        assert (row.status, frames) == (status, 0)
        assert row.reason
        return
    found = decode(
        row.path, STRIP, row.video_stream, row.audio_stream, row.duration_seconds, "moments"
    )
    assert (found.status, found.frames) == (status, frames)
    if first_frames is not None:
        assert numbers(found.pictures[: len(first_frames)]) == first_frames
    if heard is not None:
        assert tones(found.waveform)[: len(heard)] == heard


def test_every_odd_file_is_tried(odd):
    assert set(ODD) == {path.name for path in odd.iterdir()} - {"EXPECT.tsv"}


@pytest.mark.parametrize(("name", "quarters"), [("33_rotate90.mp4", 3), ("34_rotate180.mp4", 2)])
def test_a_turned_picture_is_shown_as_its_matrix_says(odd, name, quarters):
    """Turned counterclockwise by 90 degrees or by 180.

    The strip runs up the left side, or upside down along the bottom.
    """
    row = listed(odd / name)
    found = decode(
        row.path, STRIP, row.video_stream, row.audio_stream, row.duration_seconds, "moments"
    )
    readable = [
        k
        for k in range(4)
        if numbers(np.rot90(found.pictures, k, axes=(1, 2))) == AT_25_FPS[: len(found.pictures)]
    ]
    assert readable == [quarters]


def test_interlaced_pictures_are_shown_at_their_time(odd):
    """Frame k weaves the numbers 2k and 2k + 1; both fields are seen, averaged."""
    row = listed(odd / "42_interlaced_tff.mpg")
    found = decode(
        row.path, STRIP, row.video_stream, row.audio_stream, row.duration_seconds, "moments"
    )
    shown = [number // 2 for number in numbers(found.pictures[:6])]
    assert (
        np.abs(np.array(shown) - AT_25_FPS).max() <= 1
    )  # its first time stamp falls between those of the grid


def test_numbered_pictures_show_their_numbers():
    assert numbers(numbered(300)) == list(range(300))
