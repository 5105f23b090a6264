"""Mels: parity with librosa, known tones, and what is written is what is read."""

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l2l.config import MelsConfig
from l2l.mels.artifact import read_mels, write_mels
from l2l.mels.spectrogram import log_mel, mel_shape

PAPER = MelsConfig()


def noise(seed: int, moments: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(-20_000, 20_000, (moments, 16_000)).astype(np.int16)


@pytest.mark.parametrize(
    "mels",
    [
        PAPER,
        MelsConfig(bands=64),
        MelsConfig(fft_samples=512),
        MelsConfig(window_samples=320, hop_samples=200),
    ],
)
def test_mels_equal_those_of_librosa(mels):
    windows = noise(0, 2)
    for window, ours in zip(windows, log_mel(windows, mels), strict=True):
        power = librosa.feature.melspectrogram(
            y=window / 32768.0,
            sr=16_000,
            n_fft=mels.fft_samples,
            win_length=mels.window_samples,
            hop_length=mels.hop_samples,
            n_mels=mels.bands,
            htk=True,
            norm=None,
            pad_mode="reflect",
        )
        assert np.abs(ours - np.log(power + mels.floor).T).max() < 1e-4


def test_a_second_of_sound_gives_101_windows_of_40_bands():
    assert log_mel(noise(0), PAPER).shape == (1, *mel_shape(PAPER)) == (1, 101, 40)


def test_silence_is_exactly_the_floor():
    assert np.allclose(log_mel(np.zeros((1, 16_000), np.int16), PAPER), np.log(PAPER.floor))


@pytest.mark.parametrize("tone_hz", [250, 1000, 3000])
def test_a_tone_lights_the_band_that_holds_it(tone_hz):
    wave = (10_000 * np.sin(2 * np.pi * tone_hz * np.arange(16_000) / 16_000)).astype(np.int16)
    edges = librosa.mel_frequencies(42, fmin=0, fmax=8000, htk=True)
    band = log_mel(wave[None], PAPER)[0].mean(0).argmax()
    assert edges[band] < tone_hz < edges[band + 2]


@settings(max_examples=10)
@given(st.integers(1, 130), st.integers(0, 1000))
def test_a_moments_mel_does_not_depend_on_the_others_in_its_batch(moments, seed):
    windows = noise(seed, moments)
    k = seed % moments
    assert np.abs(log_mel(windows, PAPER)[k] - log_mel(windows[k : k + 1], PAPER)[0]).max() < 1e-5


@settings(max_examples=10)
@given(st.lists(st.integers(0, 4), max_size=4))
def test_what_is_written_is_what_is_read(tmp_path_factory, lengths):
    path = tmp_path_factory.mktemp("mels") / "m.h5"
    rng = np.random.default_rng(0)
    rows = {
        f"v {i}/ü": (rng.normal(size=(n, 101, 40)).astype(np.float16), rng.random(n) < 0.5)
        for i, n in enumerate(lengths)
    }
    write_mels(path, rows, PAPER, (101, 40))
    with read_mels(path) as reader:
        assert reader.config == PAPER
        assert reader.videos == tuple(rows)
        for video, (mel, has_sound) in rows.items():
            assert reader.moments(video) == len(mel)
            assert (reader.mels(video) == mel).all()
            assert (reader.has_sound(video) == has_sound).all()
            for k in range(len(mel)):
                assert (reader.mel(video, k) == mel[k]).all()
