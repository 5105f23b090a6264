"""Any content of a file that is given to inspect, score, predict or the imports: no traceback, and
no more memory than a bound.

Each artifact is changed in places drawn by chance (seeded): bytes flipped, cut off, doubled or put
in; and in its settings, numbers replaced by sizes that no memory holds, with every checksum
made to agree.
"""

import io
import json
import pickle
import random
import resource
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import reference
import torch
from feature_world import STUDENT
from features_files import rewrite

from l2l.__main__ import main
from l2l.apply.artifact import ClassProbability, Prediction, SelectedMoment, write_predictions
from l2l.config import MediaConfig, MelsConfig, MotionConfig
from l2l.features.artifact import VideoFeatures, complete_root, write_features
from l2l.manifest.artifact import Video, write_videos
from l2l.media.artifact import write_media
from l2l.media.decoded import Decoded
from l2l.media.pictures import EncodedPictures
from l2l.mels.artifact import write_mels
from l2l.motion.artifact import Motion, write_motion
from l2l.reference.lists import AUDIO, FUSED, IMAGE
from l2l.reference.stage import import_checkpoint
from l2l.sampler.artifact import Scored, VideoSaliency, write_saliency
from l2l.stores import checksum_path, write_text
from l2l.student.artifact import save_student
from l2l.student.network import Student
from l2l.teacher.artifact import ClipDescriptors, write_descriptors
from l2l.teacher.network import R2Plus1D

MORE_BYTES = 1 << 30
ROUNDS = 12
SMALL = {"classes": 5, "features": 6, "hidden": 9, "key": 7, "query": 8}
ODD = [1 << 40, 10**30, -1, 0, 2.5, "x", None, [], {}, True, float("inf"), [1 << 40] * 3]


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    """One of each artifact, and what the imports read."""
    folder, rng = tmp_path_factory.mktemp("world"), np.random.default_rng(0)
    state = reference.two_modalities_state(**SMALL, psi=6)
    torch.save(reference.checkpoint(state), folder / "ref.pth")
    old = folder / "old.pth"
    torch.save(reference.checkpoint(state), old, _use_new_zipfile_serialization=False)
    import_checkpoint(folder / "ref.pth", folder / "skimmer.pt")
    student = Student(("image", "audio"), 5, 6, (4, 4, 4, 6), (4, 4, 4, 6), (1, 1, 1, 1))
    widths = (4, 4, 4, 6)
    section = STUDENT.model_copy(update={"image_widths": widths, "audio_widths": widths})
    save_student(
        folder / "student.pt", student, section, tuple("01234"), True, MediaConfig(), MelsConfig()
    )
    run = folder / "run"
    (run / "skimmer").mkdir(parents=True)
    (run / "student/finetuned").mkdir(parents=True)
    shutil.copy(folder / "skimmer.pt", run / "skimmer/skimmer.pt")
    shutil.copy(folder / "student.pt", run / "student/finetuned/image-audio-distilled.pt")

    normal = lambda *shape: rng.normal(size=shape).astype("f4")  # noqa: E731
    video = VideoFeatures(
        {"image": normal(7, 6), "audio": normal(7, 6)},
        normal(7, 6),
        normal(7, 5),
        np.ones(7, bool),
    )
    write_features(folder / "store/s", [("v", video)], tuple("01234"), "float32", 4, {})
    complete_root(folder / "store", [folder / "store/s"])
    look = SelectedMoment(1, "image", 2, 1.067, 1.6, 0.5, 0.5, has_sound=True)
    answer = Prediction("v", "ok", "", (ClassProbability("0", 0.9),), (look,))
    write_predictions(folder / "answers.jsonl", [answer, Prediction("w", "missing", "no file")])
    write_mels(folder / "mels.h5", {"v": (normal(3, 4, 5), np.ones(3, bool))}, MelsConfig(), (4, 5))
    cells = rng.integers(-9, 9, (20, 5, 2, 2), np.int8)
    with write_motion(folder / "motion.h5", MotionConfig(pixels=32), MediaConfig()) as writer:
        position = (np.arange(20) % 12).astype(np.uint8)
        writer.add("v", Motion(cells[:, :2], cells[:, 2:], position))
    said = VideoSaliency({"a": normal(3, 5)}, np.ones(3, np.int32), np.ones(3, bool), 4)
    scored = {"a": Scored("0", {"audio": 7}, 5)}
    write_saliency(folder / "saliency.h5", {"v": said}, scored, tuple("01234"))
    teacher = R2Plus1D(5, (4, 4, 4, 4), (1, 1, 1, 1))
    clips = ClipDescriptors(np.arange(3, dtype=np.int32), normal(3, 4), normal(3, 5))
    write_descriptors(folder / "descriptors.h5", {"v": clips}, teacher, tuple("01234"))
    media = MediaConfig(resize_pixels=(16, 16), frame_pixels=16)
    write_some_media(folder / "media.h5", media, rng)
    write_videos(folder / "videos.tsv", [Video("v", "/v.mp4", "test", ("0",))])
    write_text(folder / "report.html", '<html><meta name="generator" content="l2l 9">\n</html>\n')
    for name in (FUSED, IMAGE, AUDIO):
        (folder / "release" / name).mkdir(parents=True)
        np.save(folder / "release" / name / "v.npy", normal(3, 512))
    path = str(folder / "release" / FUSED / "v.npy")
    torch.save(None, folder / "none.pt")
    (folder / "list.txt").write_text(f"{path} 1\n")
    (folder / "list.pkl").write_bytes(pickle.dumps(([path], [1]), protocol=2))
    return folder


def write_some_media(path: Path, media: MediaConfig, rng: np.random.Generator) -> None:
    pictures = rng.integers(0, 256, (20, 16, 16, 3), np.uint8)
    sound, runs = rng.integers(-9, 9, 16_000).astype("i2"), np.array([[0, 16_000]])
    with write_media(path, media, clips_stored=False) as writer:
        frames, step = 20 * media.clip_stride, media.clip_stride
        encoded = EncodedPictures.from_array(pictures)
        decoded = Decoded("ok", "", frames, step, encoded, sound, runs)
        writer.add(Video("v", "/v.mp4", "test", ("0",)), decoded)


@pytest.fixture(autouse=True)
def bounded():
    """What takes more than a GiB of memory fails, as it would on a small machine."""
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + MORE_BYTES, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def changed(content: bytes, rng: random.Random) -> bytes:
    """The content with a change drawn by chance."""
    at = rng.randrange(len(content))
    kind = rng.choice(("flip", "cut", "insert", "double", "ones", "empty"))
    if kind == "flip":
        return content[:at] + bytes([content[at] ^ (1 << rng.randrange(8))]) + content[at + 1 :]
    if kind == "cut":
        return content[:at]
    if kind == "insert":
        return content[:at] + rng.randbytes(rng.randrange(1, 9)) + content[at:]
    if kind == "double":
        return content[:at] + content[at : at + 64] * 2 + content[at + 64 :]
    if kind == "ones":
        return content[:at] + b"\xff" * 8 + content[at + 8 :]
    return b""


def with_odd_value(value, rng: random.Random):
    """A copy of plain data in which one value is replaced."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(list(value))
        return {**value, key: with_odd_value(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.9:
        at = rng.randrange(len(value))
        return [*value[:at], with_odd_value(value[at], rng), *value[at + 1 :]]
    return rng.choice(ODD)


def ends_in_one_line(argv: list[str], capsys) -> None:
    """The verb answers, or refuses in one line; it never raises."""
    status = main(argv)
    out, err = capsys.readouterr()
    assert status in (0, 1), argv
    if status == 1 and not out:
        assert err.count("\n") == 1, err
        assert len(err) < 2000
    assert "Traceback" not in err


COMMANDS = {
    "ref.pth": ["import_checkpoint", "{file}", "{out}"],
    "old.pth": ["import_checkpoint", "{file}", "{out}"],
    "list.txt": ["import_features", "{file}", "{out}"],
    "list.pkl": ["import_features", "{file}", "{out}"],
    "skimmer.pt": [
        *("score", "--checkpoint", "{file}", "--features", "{world}/store", "--scores", "{out}"),
        *("--batch-videos", "2"),
    ],
    "student.pt": ["inspect", "{file}", "--check"],
    "media.h5": ["inspect", "{file}", "--check"],
    "mels.h5": ["inspect", "{file}", "--check"],
    "motion.h5": ["inspect", "{file}", "--check"],
    "saliency.h5": ["inspect", "{file}", "--check"],
    "descriptors.h5": ["inspect", "{file}", "--check"],
    "videos.tsv": ["inspect", "{file}", "--check"],
    "answers.jsonl": ["inspect", "{file}", "--check"],
    "report.html": ["inspect", "{file}", "--check"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_changed_file_ends_in_one_line(tmp_path, world, name, capsys):
    rng = random.Random(name)
    whole = (world / name).read_bytes()
    path = tmp_path / name
    for number in range(ROUNDS):
        path.write_bytes(changed(whole, rng))
        if number % 2 and name.endswith((".tsv", ".html")):
            checksum_path(path).write_text("0" * 64)
        names = {"file": path, "out": tmp_path / "out", "world": world}
        ends_in_one_line([part.format(**names) for part in COMMANDS[name]], capsys)
        checksum_path(path).unlink(missing_ok=True)


def test_a_changed_file_of_features_ends_in_one_line(tmp_path, world, capsys):
    rng = random.Random(1)
    files = sorted(path for path in (world / "store").rglob("*") if path.is_file())
    for number in range(3 * ROUNDS):
        store = tmp_path / str(number)
        shutil.copytree(world / "store", store)
        path = store / rng.choice(files).relative_to(world / "store")
        path.write_bytes(changed(path.read_bytes(), rng))
        ends_in_one_line(["inspect", str(store), "--check"], capsys)
        score = ["score", "--checkpoint", str(world / "skimmer.pt"), "--features", str(store)]
        ends_in_one_line([*score, "--scores", str(tmp_path / "out")], capsys)


def test_odd_values_in_the_metadata_of_features_end_in_one_line(tmp_path, world, capsys):
    rng = random.Random(2)
    nodes = sorted(path.parent for path in (world / "store").rglob("zarr.json"))
    for number in range(3 * ROUNDS):
        store = tmp_path / str(number)
        shutil.copytree(world / "store", store)
        node = store / rng.choice(nodes).relative_to(world / "store")
        metadata = json.loads((node / "zarr.json").read_text())
        key = rng.choice(sorted(metadata.keys() - {"node_type"}))
        rewrite(node, **{key: with_odd_value(metadata[key], rng)})
        ends_in_one_line(["inspect", str(store), "--check"], capsys)


@pytest.mark.parametrize("name", ["skimmer.pt", "student.pt"])
@pytest.mark.parametrize("verb", ["inspect", "score", "predict"])
def test_odd_values_in_the_settings_of_a_network_end_in_one_line(
    tmp_path, world, name, verb, capsys
):
    rng = random.Random(name)
    saved = torch.load(world / name, weights_only=True)
    settings = json.loads(saved["settings"])
    run = tmp_path / "run"
    shutil.copytree(world / "run", run)
    path = (
        run
        / {
            "skimmer.pt": "skimmer/skimmer.pt",
            "student.pt": "student/finetuned/image-audio-distilled.pt",
        }[name]
    )
    argv = {
        "inspect": ["inspect", str(path), "--check"],
        "score": [
            *("score", "--checkpoint", str(path), "--features", str(world / "store")),
            *("--scores", str(tmp_path / "out")),
        ],
        "predict": ["predict", str(tmp_path / "no.mp4"), "--run", str(run)],
    }[verb]
    for _ in range(ROUNDS):
        odd = {**saved, "settings": json.dumps(with_odd_value(settings, rng))}
        torch.save(odd, path)
        ends_in_one_line(argv, capsys)


@pytest.mark.parametrize("name", ["ref.pth", "skimmer.pt"])
def test_a_changed_pickle_in_a_sound_archive_ends_in_one_line(tmp_path, world, name, capsys):
    """The checksums of the archive agree, so that the pickle is read."""
    rng = random.Random(name)
    with zipfile.ZipFile(world / name) as parts:
        entries = {entry: parts.read(entry) for entry in parts.namelist()}
    (key,) = (entry for entry in entries if entry.endswith("data.pkl"))
    verb = COMMANDS[name]
    for _ in range(2 * ROUNDS):
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as parts:
            for entry, part in {**entries, key: changed(entries[key], rng)}.items():
                parts.writestr(entry, part)
        (tmp_path / name).write_bytes(content.getvalue())
        names = {"file": tmp_path / name, "out": tmp_path / "out", "world": world}
        ends_in_one_line([part.format(**names) for part in verb], capsys)


def test_a_changed_file_of_published_features_ends_in_one_line(tmp_path, world, capsys):
    rng = random.Random(3)
    whole = (world / "release" / FUSED / "v.npy").read_bytes()[:400]
    for number in range(2 * ROUNDS):
        folder = tmp_path / str(number)
        shutil.copytree(world / "release", folder)
        (folder / IMAGE / "v.npy").write_bytes(changed(whole, rng))
        (tmp_path / "list.txt").write_text(f"{folder / FUSED / 'v.npy'} 1\n")
        out = str(tmp_path / f"out{number}")
        ends_in_one_line(["import_features", str(tmp_path / "list.txt"), out], capsys)
