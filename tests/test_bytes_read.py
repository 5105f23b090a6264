"""How many bytes are read, and how often a file is opened: work, not seconds."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from media_files import H264, make_video, run
from reading import bytes_read, counted_opens
from untrained_run import make_run

import l2l
from l2l.features.artifact import VideoFeatures, complete_root, read_features, write_features
from l2l.skimmer.examples import FeatureCache

# ---- videos --------------------------------------------------------------------------------------

DECODE = """
import sys
from pathlib import Path
from l2l.config import MediaConfig
from l2l.manifest.probe import probe_file
from l2l.media.decode import decode

path, factor, sound = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "sound"
media = MediaConfig(resize_pixels=(32, 32), frame_pixels=32)
decoded = decode(probe_file(path).source(path), media, "moments",
                 moments=slice(None, None, factor), sound=sound)
assert decoded.status in ("ok", "silent"), decoded
assert decoded.frames_decoded < decoded.frames_total, decoded.not_skipped
"""
SHORT, LONG = 12, 36  # seconds


@pytest.fixture(scope="module", params=["mp4", "mkv"])
def short_and_long(request, tmp_path_factory) -> tuple[Path, Path]:
    """Grainy pictures, 0.6 MB per second, and a tone; with an index. Both are longer than the 5 MB
    that ffmpeg reads of a file to know its streams.
    """
    folder = tmp_path_factory.mktemp("videos")
    paths = []
    for seconds in (SHORT, LONG):
        paths.append(folder / f"{seconds}.{request.param}")
        seen = f"testsrc2=s=128x128:r=30:d={seconds},noise=alls=40:allf=t:all_seed=1"
        tone = f"aevalsrc='sin(440*2*PI*t)/3':s=16000:d={seconds}"
        inputs = ("-f", "lavfi", "-i", seen, "-f", "lavfi", "-i", tone)
        run(*inputs, *H264, "-bf", "2", "-c:a", "aac", paths[-1])
    return paths[0], paths[1]


@pytest.mark.parametrize(("sound", "share"), [("mute", 1.05), ("sound", 2.15)])
def test_a_video_is_read_once_for_its_pictures_and_once_for_its_sound(short_and_long, sound, share):
    """By all processes, however few pictures are asked for: what a picture refers to is said in its
    own first bytes. What starting takes is the same for both files, and drops out. The samples that
    pass from one process to the other count too, a tenth of these files.
    """
    read = []
    for path in short_and_long:
        before = bytes_read()
        program = [sys.executable, "-c", DECODE, str(path), "10", sound]
        ran = subprocess.run(program, capture_output=True, text=True, timeout=300)
        assert ran.returncode == 0, ran.stderr
        read.append(bytes_read() - before)
    short, long = (path.stat().st_size for path in short_and_long)
    assert short > 6e6
    assert 0.9 <= (read[1] - read[0]) / (long - short) <= share


def test_predict_opens_a_video_seven_times_at_most(tmp_path):
    """To see whether another file follows in it (twice), to examine it (twice), for its crop, its
    packets and its sound.
    """
    loaded = l2l.load(make_run(tmp_path / "run"), threads=1)
    path = make_video(tmp_path / "v.mp4", 2.0, sound="0.3*sin(700*t)")
    with counted_opens(path) as opens:
        assert loaded.predict(path).answered
    assert 1 <= opens[0] <= 7


# ---- features ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    """Two shards of twelve videos, in chunks of 64 moments, which few videos end with."""
    root = tmp_path_factory.mktemp("features") / "set"
    rng = np.random.default_rng(0)
    shards = [root / f"shard-{i:03d}" for i in range(2)]
    for shard in shards:
        rows = []
        for i in range(12):
            n = 20 + 7 * i
            features = {m: rng.normal(size=(n, 256)).astype("f4") for m in ("image", "audio")}
            fused, scores = rng.normal(size=(n, 256)), rng.normal(size=(n, 3))
            heard = np.ones(n, bool)
            video = VideoFeatures(features, fused.astype("f4"), scores.astype("f4"), heard)
            rows.append((f"{shard.name}/{i}", video))
        write_features(shard, rows, ("a", "b", "c"), "float16", 64, {})
    complete_root(root, shards)
    return root


def stored_bytes(root: Path, *names: str) -> int:
    """Of the chunks of some arrays, or of all."""
    files = (path for path in root.rglob("c/**/*") if path.is_file())
    return sum(p.stat().st_size for p in files if not names or set(names) & set(p.parts))


METADATA = 100_000  # of the arrays, in JSON


def test_all_videos_in_order_read_each_stored_byte_once(store):
    before = bytes_read()
    features = read_features(store)
    for video in features.videos:
        features.load(video)
    assert stored_bytes(store) <= bytes_read() - before <= stored_bytes(store) + METADATA


def test_the_first_epoch_reads_each_stored_byte_of_its_features_once_and_a_later_one_none(store):
    before = bytes_read()
    features = read_features(store)
    cache = FeatureCache(features, ("image", "audio"), 1 << 30, {})
    cache.add(features.videos)
    first = bytes_read() - before
    stored = stored_bytes(store, "image_feature", "audio_feature")
    assert stored <= first <= stored + METADATA
    before = bytes_read()
    for video in reversed(features.videos):
        assert len(cache.features(video)["image"]) == features.moments(video)
    assert bytes_read() - before < 1000  # of the counter itself


def test_an_epoch_without_a_cache_in_order_of_storage_reads_each_chunk_once(store):
    features = read_features(store)
    before = bytes_read()
    for video in features.videos:
        features.stored(video, ("image", "audio"))
    stored = stored_bytes(store, "image_feature", "audio_feature")
    assert stored <= bytes_read() - before <= stored + METADATA
