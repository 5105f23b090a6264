"""Real sound events laid over real footage: each is where the list says it is."""

import itertools
import shutil

import numpy as np
import pytest
from media_files import make_video, run

from l2l.__main__ import main
from l2l.config import MediaConfig
from l2l.datasets import TableDataset
from l2l.demo.events import Footage, event_video
from l2l.errors import BadInput
from l2l.manifest.listing import list_dataset
from l2l.manifest.probe import probe_file
from l2l.media.decode import decode
from l2l.stores import read_table
from l2l.tools.lay_events import COLUMNS, lay_events, read_event, read_footage, split_footage

SECONDS = 8.0


def quiet_footage(frames: int, level: float = 0.0) -> Footage:
    """Black pictures with noise of a level."""
    noise = level * np.random.default_rng(frames).normal(size=round(frames / 15 * 16_000))
    return Footage(np.zeros((frames, 16, 16, 3), np.uint8), noise)


def tone(hz: int, seconds: float) -> np.ndarray:
    """A tone, (samples,) at 16 kHz."""
    return 0.3 * np.sin(2 * np.pi * hz * np.arange(round(seconds * 16_000)) / 16_000)


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """Two classes of tones in three folds, and four pieces of footage, of which three hum."""
    folder = tmp_path_factory.mktemp("material")
    for (label, hz), fold in itertools.product({"low": 1000, "high": 3000}.items(), (1, 4, 5)):
        path = folder / "events" / label / f"{fold}-7-A.ogg"
        path.parent.mkdir(parents=True, exist_ok=True)
        sound = f"aevalsrc=0.3*sin(2*PI*{hz}*t):s=44100:d=2"
        run("-f", "lavfi", "-i", sound, "-c:a", "libvorbis", path)
    (folder / "footage").mkdir()
    for number in range(4):
        sound = f"0.2*sin(2*PI*{200 + 50 * number}*t)" if number else None
        make_video(folder / "footage" / f"{number}.mp4", 2.4 + number / 5, sound=sound)
    return folder


@pytest.fixture(scope="module")
def laid(material):
    """The data set, drawn."""
    output = material / "laid"
    lay_events(material / "events", footage=material / "footage", output=output, seconds=SECONDS)
    return output


def test_the_folds_are_the_splits_and_each_event_is_a_video(laid):
    rows = read_table(laid / "segments.tsv", COLUMNS)
    assert [(row["file"], row["fold"]) for row in rows] == [
        (f"{split}/{label}/{fold}-7-A.mp4", fold)
        for label in ("high", "low")
        for fold, split in (("1", "train"), ("4", "val"), ("5", "test"))
    ]
    assert all((laid / row["file"]).is_file() for row in rows)


def test_the_event_is_heard_in_its_span_alone(laid):
    for row in read_table(laid / "segments.tsv", COLUMNS):
        path = laid / row["file"]
        decoded = decode(probe_file(path).source(path), MediaConfig(), "none")
        assert decoded.status == "ok"
        assert decoded.duration_seconds == pytest.approx(SECONDS, abs=0.1)
        start, end = float(row["start_seconds"]), float(row["end_seconds"])
        assert end - start == pytest.approx(2.0, abs=0.05)
        bin_of_tone = {"low": 100, "high": 300}[row["label"]]
        tenths = decoded.waveform[: 1600 * 75].reshape(-1, 1600) / 32768
        power = np.abs(np.fft.rfft(tenths * np.hanning(1600)))[:, bin_of_tone]
        heard = np.flatnonzero(power > 0.3 * power.max()) / 10
        assert heard.min() == pytest.approx(start, abs=0.11)
        assert heard.max() + 0.1 == pytest.approx(end, abs=0.16)


def test_the_list_is_read_by_the_adapter_for_tables(laid):
    dataset = TableDataset(
        role="both",
        shards=1,
        adapter="table",
        folder=laid,
        tables=(laid / "segments.tsv",),
        video_column="file",
        label_column="label",
        split_column="split",
        start_column="start_seconds",
        end_column="end_seconds",
    )
    videos = list_dataset(dataset, 0)
    assert len(videos) == 6
    assert {video.split for video in videos} == {"train", "val", "test"}
    assert all(len(video.segments) == 1 and video.status == "ok" for video in videos)


def test_the_same_seed_gives_the_same_bytes_and_another_one_another_second(material, laid):
    again, other = material / "again", material / "other"
    for output, seed in ((again, 0), (other, 1)):
        footage = material / "footage"
        options = ["--output", str(output), "--seconds", str(SECONDS), "--seed", str(seed)]
        assert (
            main(["lay_events", str(material / "events"), "--footage", str(footage), *options]) == 0
        )
    for path in laid.rglob("*.*"):
        assert path.read_bytes() == (again / path.relative_to(laid)).read_bytes(), path
    assert (laid / "segments.tsv").read_bytes() != (other / "segments.tsv").read_bytes()


def test_event_and_footage_are_equally_loud_and_nothing_else_is_changed():
    event = np.concatenate([tone(1000, 1.0), np.zeros(8000)])  # loudness is that of the tone
    pieces = [quiet_footage(20, 0.001), quiet_footage(31, 0.001)]
    film = event_video(np.random.default_rng(0), event, pieces, 6.0)
    ((start, end),) = film.actions
    assert end - start == 1.5
    assert len(film.waveform) == 96_000
    assert len(film.pictures) == 90
    span = slice(round(start * 16_000), round(start * 16_000) + 16_000)
    inside = film.waveform[span]
    outside = np.delete(film.waveform, np.r_[span])
    assert np.sqrt(np.mean(outside**2)) == pytest.approx(0.05, rel=0.02)
    assert np.sqrt(np.mean(inside**2)) == pytest.approx(0.05 * 2**0.5, rel=0.02)


def test_an_event_as_long_as_the_video_starts_with_it():
    film = event_video(np.random.default_rng(0), tone(500, 2.0), [quiet_footage(9)], 2.0)
    assert film.actions == ((0.0, 2.0),)


def test_no_group_of_footage_is_in_two_splits_and_the_largest_split_gets_most():
    footage = {f"{name}{i}": quiet_footage(10 + i) for name in "abcd" for i in range(3)}
    groups = {f"/{name}": name[0] for name in footage}
    paths = {f"/{name}": piece for name, piece in footage.items()}
    splits = split_footage(paths, groups, {"train": 6, "val": 1, "test": 1})
    owner = {id(piece): split for split, pieces in splits.items() for piece in pieces}
    assert len(owner) == 12
    for group in "abcd":
        assert len({owner[id(footage[f"{group}{i}"])] for i in range(3)}) == 1
    assert {split: len(splits[split]) for split in splits} == {"train": 6, "val": 3, "test": 3}
    with pytest.raises(BadInput, match="no group for it"):
        split_footage(paths, {"/a0": "a"}, {"train": 1})
    with pytest.raises(BadInput, match="4 groups of footage"):
        split_footage(paths, groups, dict.fromkeys("vwxyz", 1))


def test_footage_without_sound_is_left_out(material):
    assert [path.name for path in read_footage(material / "footage", 16)] == [
        *("1.mp4", "2.mp4", "3.mp4")
    ]


def test_wrong_material_is_answered_in_one_line(material, tmp_path):
    events, footage, output = material / "events", material / "footage", tmp_path / "out"
    shutil.copytree(events, tmp_path / "odd")
    (tmp_path / "odd/low/4-7-A.ogg").write_text("no sound")
    (tmp_path / "names/low").mkdir(parents=True)
    (tmp_path / "names/low/rain.ogg").touch()
    (tmp_path / "deaf").mkdir()
    shutil.copy(footage / "0.mp4", tmp_path / "deaf")
    for arguments, message in (
        ((tmp_path / "nowhere", footage, {}), "found no sound event"),
        ((tmp_path / "names", footage, {}), "does not begin with the number of a fold"),
        ((tmp_path / "odd", footage, {}), "cannot be decoded as sound"),
        ((events, tmp_path / "deaf", {}), "no video in it has sound from beginning to end"),
        ((events, footage, {"val_fold": 9}), "no event for val; its folds are 1, 4, 5"),
        ((events, footage, {"seconds": 1.0}), "longer than a video of 1 s"),
    ):
        where, clips, options = arguments
        with pytest.raises(BadInput, match=message) as refused:
            lay_events(where, footage=clips, output=output, **{"seconds": SECONDS} | options)
        assert "\n" not in str(refused.value)
        assert not output.exists()


def test_a_real_event_is_five_seconds_long(media):
    waveform = read_event(media / "esc10/rooster/1-26806-A.ogg", 40)
    assert len(waveform) == pytest.approx(80_000, abs=100)
