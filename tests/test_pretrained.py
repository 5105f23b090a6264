"""Published networks: the same numbers as where they were published, and their input."""

import hashlib
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from l2l.errors import BadInput
from l2l.pretrained.efficientat.network import FEATURES, efficientat_mn04, sound_features
from l2l.pretrained.efficientat.spectrogram import (
    spectrogram_shape,
    spectrograms,
    spectrograms_of_windows,
)
from l2l.pretrained.efficientat.weights import (
    audioset_names,
    load_efficientat_mn04,
    torchvision_names,
)
from l2l.tools.lay_events import read_event
from l2l.torch_files import load_tensors
from l2l.weights import PublishedFile, read_published

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

import heard_events


def chirp(seconds: float, rate_hz: int = 32_000) -> np.ndarray:
    """A tone that rises from 200 Hz by 900 Hz per second and beats three times per second."""
    times = np.arange(round(seconds * rate_hz)) / rate_hz
    beat = 0.6 + 0.4 * np.sin(2 * np.pi * 3 * times)
    return 0.3 * beat * np.sin(2 * np.pi * (200 * times + 450 * times**2))


def plain_spectrogram(samples: np.ndarray) -> np.ndarray:
    """The definition, window by window and band by band, in float64."""
    emphasised = np.pad(samples[1:] - 0.97 * samples[:-1], 512, mode="reflect")
    hann = np.zeros(1024)
    hann[112:912] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(800) / 799)
    mel = 1127 * np.log(1 + np.arange(513) * 31.25 / 700)
    edges = np.linspace(0, 1127 * np.log(1 + 15_000 / 700), 130)
    windows = []
    for first in range(0, len(emphasised) - 1023, 320):
        power = np.abs(np.fft.rfft(hann * emphasised[first : first + 1024])) ** 2
        bands = [
            power
            @ np.clip(np.minimum((mel - low) / (mid - low), (high - mel) / (high - mid)), 0, 1)
            for low, mid, high in zip(edges, edges[1:], edges[2:], strict=False)
        ]
        windows.append((np.log(np.array(bands) + 1e-5) + 4.5) / 5)
    return np.stack(windows, 1)


@pytest.mark.parametrize("seconds", [0.1, 1.0, 2.37])
def test_a_spectrogram_is_as_defined(seconds):
    noise = 0.01 * np.random.default_rng(0).normal(size=round(seconds * 32_000))
    sound = chirp(seconds) + noise
    ours = spectrograms(torch.from_numpy(sound[None].astype(np.float32)))[0].numpy()
    assert ours.shape == (128, 1 + (len(sound) - 1) // 320)
    assert np.abs(ours - plain_spectrogram(sound)).max() < 2e-3


def test_sound_of_media_gives_nearly_the_spectrogram_of_the_same_sound_at_32_khz():
    at_16_khz = (32768 * chirp(1, 16_000)).astype(np.int16)
    ours = spectrograms_of_windows(at_16_khz[None])
    assert ours.shape == (1, 128, 100)
    heard = slice(0, 100)  # bands below 8 kHz
    theirs = plain_spectrogram(chirp(1))[None]
    loud = theirs[:, heard] > 0
    assert np.abs(ours - theirs)[:, heard][loud].mean() < 0.05


def test_a_sounds_spectrogram_does_not_depend_on_the_others():
    windows = np.random.default_rng(0).integers(-9999, 9999, (70, 16_000)).astype(np.int16)
    together = spectrograms_of_windows(windows)
    for k in (0, 63, 64, 69):
        assert np.abs(together[k] - spectrograms_of_windows(windows[k : k + 1])[0]).max() < 1e-5
    assert spectrograms_of_windows(windows[:0]).shape == (0, 128, 100)


@pytest.mark.parametrize(("seconds", "windows"), [(0.1, 10), (1, 100), (10, 1000)])
def test_any_length_of_sound_gives_384_features_and_527_scores(seconds, windows):
    network = efficientat_mn04().eval()
    with torch.inference_mode():
        heard = spectrograms_of_windows((32768 * chirp(seconds, 16_000)[None]).astype(np.int16))
        features = sound_features(network, torch.from_numpy(heard))
        scores = network.classifier(features)
    assert heard.shape == (1, *spectrogram_shape(round(16_000 * seconds))) == (1, 128, windows)
    assert features.shape == (1, FEATURES) == (1, 384)
    assert scores.shape == (1, 527)
    assert sum(each.numel() for each in network.parameters()) == 983_599


def test_every_published_weight_has_its_place(weights):
    published = load_tensors(weights / "mn04_as_mAP_432.pt")
    network = efficientat_mn04()
    renamed = torchvision_names(published)
    assert len(renamed) == len(published)
    assert {name: value.shape for name, value in renamed.items()} == {
        name: value.shape for name, value in network.state_dict().items()
    }


def test_the_published_weights_give_the_recorded_numbers(weights):
    network = load_efficientat_mn04(weights / "mn04_as_mAP_432.pt")
    sound = torch.from_numpy(chirp(2)[None].astype(np.float32))
    with torch.inference_mode():
        features = sound_features(network, spectrograms(sound))
        scores = network.classifier(features)[0]
    best = scores.topk(4)
    names = audioset_names()
    assert [names[i] for i in best.indices] == ["Chirp tone", "Sine wave", "Music", "Theremin"]
    assert best.values.tolist() == pytest.approx([-1.95675, -1.98515, -2.04511, -2.26872], abs=2e-4)
    assert features[0, :4].tolist() == pytest.approx(
        [-0.23355, 0.13955, -0.19992, 0.07589], abs=2e-4
    )


def test_the_published_weights_name_real_sounds(weights, media):
    """The first recording of each class and fold of ESC-10; the network was not trained on them."""
    network = load_efficientat_mn04(weights / "mn04_as_mAP_432.pt")
    names = audioset_names()
    places = [[names.index(name) for name in each] for each in heard_events.NAMES.values()]
    right = []
    for label, folder in enumerate(heard_events.NAMES):
        for fold in range(1, 6):
            path = min((media / "esc10" / folder).glob(f"{fold}-*.ogg"))
            sound = (32767 * read_event(path, seconds=60)).astype(np.int16)
            heard = torch.from_numpy(spectrograms_of_windows(sound[None]))
            with torch.inference_mode():
                scores = network.classifier(sound_features(network, heard))[0]
            right.append(int(np.argmax([scores[place].max() for place in places])) == label)
    assert len(right) == 50
    assert np.mean(right) >= 0.9


def test_the_527_names_are_those_of_audioset():
    names = audioset_names()
    assert len(names) == len(set(names)) == 527
    assert (names[0], names[74], names[526]) == ("Speech", "Dog", "Field recording")


def test_another_file_is_answered_in_one_line_that_says_where_the_weights_come_from(tmp_path):
    for path, problem in (
        (tmp_path / "none.pt", "No such file or directory"),
        (tmp_path, "Is a directory"),
        (tmp_path / "other.pt", "a file with sha256"),
    ):
        (tmp_path / "other.pt").write_bytes(b"something else")
        with pytest.raises(BadInput, match=problem) as refused:
            load_efficientat_mn04(path)
        line = str(refused.value)
        assert line.startswith(f"{path}: ")
        assert "github.com/fschmid56/EfficientAT" in line
        assert "\n" not in line


def test_a_file_with_the_right_checksum_runs_no_code(tmp_path):
    """Were the pinned file a pickle that names a function, it would be refused all the same."""
    path = tmp_path / "evil.pt"
    torch.save({"x": print}, path)
    published = PublishedFile("X", "nowhere", hashlib.sha256(path.read_bytes()).hexdigest())
    with pytest.raises(ValueError, match="it names"):
        read_published(path, published)
