"""Sound of real files: each second keeps its place next to the pictures."""

import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from media_files import (
    H264,
    TONES,
    decoded,
    flash_and_beep,
    make_video,
    numbers,
    run,
    shown_at,
    tones,
)

from l2l.media.sound import JITTER_SAMPLES, PlacedSound
from l2l.moments import start_sample


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
@pytest.mark.parametrize("at", [0.8, 16 / 15 + 0.001, 2.5])
def test_a_flash_and_its_beep_come_at_the_same_instant(tmp_path, name, at):
    found = decoded(flash_and_beep(tmp_path / name, at))
    seen = np.flatnonzero(found.pictures.as_array().mean(axis=(1, 2, 3)) > 128)
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
    assert (found.status, found.grid_frames, len(found.waveform)) == ("ok", 60, 32_000)
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
    assert (found.status, found.grid_frames) == ("ok", 90)
    assert numbers(found.pictures.as_array()) == [0] * 15 + [
        shown_at(50, Fraction(25), slot) for slot in range(0, 60, 2)
    ]
    assert tones(found.waveform) == [300, 400, 500]


def test_channels_are_averaged(tmp_path):
    """A mono file, the same in both channels, and in one of two: the mean, in any format.

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


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mkv", ["pcm_s16le"]), ("a.mp4", ["aac", "-b:a", "32k"])]
)
@pytest.mark.parametrize(("begin", "end"), [(0, 4), (1, 3), (1.53, 3.26)])
def test_channels_that_cancel_each_other_for_a_while_are_heard_all_the_time(
    tmp_path, name, codec, begin, end
):
    """Also where it begins and ends within a second, and after a codec that loses something."""
    tone = "0.5*sin(2*PI*500*t)"
    inverted = f"'{tone}|{tone}*(1-2*between(t,{begin},{end}))'"
    found = decoded(make_video(tmp_path / name, seconds=4, sound=inverted, extra=["-c:a", *codec]))
    assert found.status == "ok"
    _, seconds = found.reason.split(" cancel each other in ")
    assert float(seconds.partition(" s;")[0]) == pytest.approx(end - begin, abs=0.3)
    loudest = np.abs(found.waveform[: 40 * 1600].reshape(40, 1600)).max(axis=1) / 32768
    assert loudest[1:-1].min() > 0.2


def test_channels_of_which_only_some_cancel_are_averaged(tmp_path):
    """Left and right differ: of their mean a part is left."""
    tone = "0.5*sin(2*PI*500*t)"
    sound = f"'{tone}|-0.5*{tone}'"
    found = decoded(make_video(tmp_path / "a.mkv", sound=sound, extra=["-c:a", "pcm_s16le"]))
    assert (found.status, found.reason) == ("ok", "")
    assert np.abs(found.waveform).max() / 32768 == pytest.approx(0.125, abs=0.01)


def test_no_sound_and_silence_are_distinguished(tmp_path):
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


Pieces = list[tuple[int, np.ndarray]]  # the number of the first sample, and the samples


def place(pieces: Pieces, samples: int, block: int = 1 << 20) -> tuple[np.ndarray, np.ndarray]:
    """Waveform and runs of the bytes that ffmpeg gives, handed on in blocks of any size."""
    raw = np.concatenate([sound for _, sound in pieces]).astype("<i2").tobytes() if pieces else b""
    sound = PlacedSound()
    for start in range(0, len(raw), block):
        sound.write(raw[start : start + block])
    assert sound.taken == len(raw) // 2
    return sound.finish(samples, [(first, len(sound)) for first, sound in pieces])


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
    waveform, found = place(pieces, samples)
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
    waveform, runs = place(pieces, 10**6)
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
    whole, whole_runs = place(pieces, samples)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("l2l.media.sound.BLOCK_BYTES", 2 * block)
        waveform, runs = place(pieces, samples, block=7 * block + 1)
    np.testing.assert_array_equal(waveform, whole)
    assert runs.tolist() == whole_runs.tolist()


def test_the_memory_that_sound_is_placed_in_is_little_more_than_it_takes():
    seconds = 1200
    second = np.ones(16000, "<i2").tobytes()
    tracemalloc.start()
    try:
        sound = PlacedSound()
        for _ in range(seconds):
            sound.write(second)
        sound.finish(seconds * 16000, [(0, seconds * 16000)])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1.5 * seconds * len(second)
