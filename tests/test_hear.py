"""What is heard over time: ranges of names, on real files, and files without sound."""

import json
import re

import numpy as np
import pytest
import torch
from media_files import make_video

from l2l.__main__ import main
from l2l.apply.hearing import Heard, Listener, decoded_share, ranges_of
from l2l.apply.hearing_page import timeline_rows
from l2l.config import MediaConfig
from l2l.manifest.probe import probe_file
from l2l.media.decode import decode
from l2l.pretrained.efficientat.network import sound_features
from l2l.pretrained.efficientat.spectrogram import spectrograms_of_windows
from l2l.pretrained.efficientat.weights import load_efficientat_mn04

CHIRP = "0.3*sin(2*PI*(200*t+450*t*t))"
NAMES = ("dog", "rain", "speech")


def heard(*windows, seconds: float = 2.0, end: float | None = None) -> Heard:
    """Of each window the probabilities of the three names, or None: no sound."""
    probabilities = np.array([window or (0, 0, 0) for window in windows], np.float32)
    has_sound = np.array([window is not None for window in windows])
    return Heard("v", "ok", "", seconds, end or seconds * len(windows), probabilities, has_sound)


@pytest.fixture(scope="module")
def mn04(weights):
    """The file of the weights."""
    return weights / "mn04_as_mAP_432.pt"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A chirp of five seconds and a bit, a video without sound, and a file that is no video."""
    folder = tmp_path_factory.mktemp("heard")
    make_video(folder / "chirp.mp4", 5.6, sound=CHIRP)
    make_video(folder / "deaf.mp4", 2.0, sound=None)
    (folder / "page.mp4").write_text("<!doctype html><html></html>")
    return folder


def test_a_range_is_a_row_of_windows_with_one_most_probable_name():
    ranges = ranges_of(
        heard((0.9, 0.3, 0), (0.5, 0.1, 0), (0.1, 0.6, 0.2), (0.1, 0, 0), None, None, end=13.5),
        NAMES,
        top=2,
        least_probability=0.2,
    )
    assert [(each.start_seconds, each.end_seconds) for each in ranges] == [
        *((0, 4), (4, 6), (6, 8), (8, 13.5))
    ]
    assert [[name.name for name in each.names] for each in ranges] == [
        *(["dog", "rain"], ["rain", "speech"], [], [])
    ]
    assert ranges[0].names[0].probability == pytest.approx(0.7)
    assert [each.has_sound for each in ranges] == [True, True, True, False]


def test_a_video_without_windows_has_no_ranges_and_no_rows():
    nothing = Heard("v", "corrupt", "of some reason")
    assert ranges_of(nothing, NAMES, 3, 0.2) == []
    assert timeline_rows(nothing, NAMES, 0.2) == []


def test_rows_of_the_timeline_are_the_names_that_are_most_probable_anywhere():
    rows = timeline_rows(heard((0.3, 0.9, 0.1), (0.5, 0, 0)), NAMES, 0.2)
    assert [(row["name"], row["most"], row["at"]) for row in rows] == [
        *(("rain", "0.90", "0.0"), ("dog", "0.50", "2.0"))
    ]
    assert [row["columns"] for row in rows] == [2, 2]


def test_the_share_of_a_window_that_was_decoded_is_counted_in_samples():
    runs = np.array([[5, 10], [20, 40]])
    starts, stops = np.array([0, 10, 20]), np.array([10, 20, 60])
    assert decoded_share(runs, starts, stops).tolist() == [0.5, 0, 0.5]
    assert decoded_share(runs[:0], starts, stops).tolist() == [0, 0, 0]


def test_each_window_is_heard_by_itself_and_the_last_ends_with_the_video(mn04, files):
    listener = Listener(mn04, window_seconds=1, threads=1)
    (chirp,) = listener.hear_many([files / "chirp.mp4"])
    assert chirp.edges_seconds == pytest.approx([0, 1, 2, 3, 4, 5.6])
    path = files / "chirp.mp4"
    waveform = decode(probe_file(path).source(path), MediaConfig(), "none").waveform
    network = load_efficientat_mn04(mn04)
    for window, sound in enumerate([waveform[:16_000], waveform[64_000:89_600]]):
        with torch.inference_mode():
            spectrogram = torch.from_numpy(spectrograms_of_windows(sound[None]))
            scores = network.classifier(sound_features(network, spectrogram))[0]
        alone = torch.sigmoid(scores).numpy()
        assert np.abs(chirp.probabilities[-window] - alone).max() < 1e-4


def test_lines_page_and_status_of_a_folder(mn04, files, tmp_path, capsys):
    page = tmp_path / "heard.html"
    options = ["--weights", str(mn04), "--page", str(page), "--least-probability", "0.1"]
    assert main(["hear", str(files), *options, "--threads", "1"]) == 1
    printed = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r".*/chirp\.mp4: 0\.0 to \d\.\d s: .*\(0\.\d\d\).*", printed[0])
    assert printed[-2:] == [
        f"{files}/deaf.mp4: no_audio: no sound stream",
        f"{files}/page.mp4: corrupt: not a video: its contents look like an HTML page",
    ]
    text = page.read_text(encoding="utf-8")
    assert "chirp.mp4" in text
    assert "no_audio: no sound stream" in text
    assert "<script" not in text
    assert text.count("<svg") >= 1


def test_json_has_one_object_per_file_and_all_that_is_printed(mn04, files, capsys):
    path = files / "chirp.mp4"
    assert main(["hear", str(path), "--weights", str(mn04), "--json", "--threads", "1"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    said = json.loads(line)
    assert (said["video"], said["status"]) == (str(path), "ok")
    assert said["ranges"][0]["start_seconds"] == 0
    assert said["ranges"][-1]["end_seconds"] == said["duration_seconds"] == 5.6


def test_real_clips_are_heard_as_what_they_are(mn04, media, capsys):
    names = ["VideoLLaMA__dog_barking.mp4", "video_features__ActivityNet_v_GGSY1Qvo990.mp4"]
    paths = [str(media / "clips" / name) for name in names]
    assert main(["hear", *paths, "--weights", str(mn04), "--threads", "1"]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"dog_barking.mp4: 4\.0 to 7\.1 s: .*Dog \(0\.[34]\d\)", printed)
    assert re.search(r"GGSY1Qvo990.mp4: 0\.0 to 2\.0 s: Bouncing \(0\.[56]\d\)", printed)
    assert re.search(r"GGSY1Qvo990.mp4: 2\.0 to 14\.0 s: Speech \(0\.[67]\d\)", printed)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (
            [],
            "--weights is missing: fetch .*github.com/fschmid56.* and give the file; see docs/hear",
        ),
        (["--weights", "nowhere.pt"], "nowhere.pt: No such file .*github.com/fschmid56"),
        (["--weights", "chirp.mp4"], "chirp.mp4: a file with sha256 .*github.com/fschmid56"),
        (["--weights", "w", "--top", "0"], "top 0, least_probability 0.2: expected"),
        (["--weights", "w", "--seconds", "0"], "seconds 0: expected 0.1 to 3600"),
        (["--weights", "w", "--page", "/dev/null"], "/dev/null: is a device"),
    ],
)
def test_wrong_options_are_answered_in_one_line(options, line, files, monkeypatch, capsys):
    monkeypatch.chdir(files)
    assert main(["hear", "chirp.mp4", *options]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert re.match(rf"l2l hear: {line}", printed.err)
    assert printed.err.count("\n") == 1
