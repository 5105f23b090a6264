"""One small store of each kind: how it is written, and all that is read back."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from l2l.config import MediaConfig, MelsConfig, MotionConfig
from l2l.evaluation.videos.artifact import Attention, read_scores, write_scores
from l2l.features.artifact import VideoFeatures, complete_root, read_features, write_features
from l2l.manifest.artifact import Video
from l2l.media.artifact import read_media, write_media
from l2l.media.decoded import Decoded
from l2l.media.pictures import EncodedPictures
from l2l.mels.artifact import read_mels, write_mels
from l2l.motion.artifact import Motion, read_motion, write_motion
from l2l.sampler.artifact import Scored, VideoSaliency, read_saliency, write_saliency
from l2l.teacher.artifact import ClipDescriptors, read_descriptors, write_descriptors
from l2l.teacher.network import R2Plus1D
from l2l.training import load_network, save_network

MEDIA = MediaConfig(resize_pixels=(32, 40), frame_pixels=32)
VIDEOS = [Video(f"test/a/{name}.mp4", f"{name}.mp4", "test", ("a", "b")) for name in ("one", "twö")]
RNG = np.random.default_rng(0)
PICTURES = RNG.integers(0, 256, (3, 32, 32, 3), np.uint8)
SOUND = RNG.integers(-9999, 9999, 30_000, np.int16)
MEL, HEARD = RNG.normal(size=(3, 101, 40)).astype(np.float16), np.array([True, False, True])
FEATURES = VideoFeatures(
    {"image": np.full((3, 8), 0.5, "f4")},
    RNG.normal(size=(3, 6)).astype("f2").astype("f4"),
    np.ones((3, 2), "f4"),
    HEARD,
)
DESCRIBED = ClipDescriptors(
    np.arange(3, dtype=np.int32), RNG.normal(size=(3, 4)).astype("f2"), np.ones((3, 2), "f2")
)


def write_a_media(path: Path) -> None:
    with write_media(path, MEDIA, clips_stored=False) as writer:
        for video in VIDEOS:
            writer.add(
                video,
                Decoded(
                    "ok",
                    "",
                    63,
                    16,
                    EncodedPictures.from_array(PICTURES),
                    SOUND,
                    np.array([[0, 30_000]]),
                ),
            )


def read_a_media(path: Path) -> list:
    with read_media(path) as media:
        found = [media.config, media.clips_stored, media.statuses, media.videos]
        for video in media.videos:
            frames = [media.frame(video, k) for k in range(media.moments(video))]
            found += [
                *frames,
                media.waveform(video),
                media.has_sound(video),
                media.grid_frames(video),
            ]
        return found


def write_some_mels(path: Path) -> None:
    rows = {video.video: (MEL, HEARD) for video in VIDEOS}
    write_mels(path, rows, MelsConfig(), (101, 40), VIDEOS)


def read_some_mels(path: Path) -> list:
    with read_mels(path) as mels:
        return [
            mels.config,
            mels.videos,
            *(mels.mels(v) for v in mels.videos),
            *(mels.has_sound(v) for v in mels.videos),
        ]


def write_some_motion(path: Path) -> None:
    rng, section = np.random.default_rng(1), MotionConfig(pixels=64)
    with write_motion(path, section, MEDIA, listed=VIDEOS) as writer:
        for video in VIDEOS:
            writer.add(
                video.video,
                Motion(
                    rng.integers(-9, 9, (40, 2, 4, 4), np.int8),
                    rng.integers(-9, 9, (40, 3, 4, 4), np.int8),
                    (np.arange(40) % 12).astype(np.uint8),
                ),
            )


def read_some_motion(path: Path) -> list:
    with read_motion(path) as reader:
        arrays = [array for video in reader.videos for array in reader.motion(video)]
        return [reader.config, reader.media, reader.videos, *arrays]


def write_some_descriptors(path: Path) -> None:
    write_descriptors(
        path,
        {video.video: DESCRIBED for video in VIDEOS},
        R2Plus1D(2, (2, 2, 2, 4), (1, 1, 1, 1)),
        ["a", "b"],
        listed=VIDEOS,
    )


def read_some_descriptors(path: Path) -> list:
    with read_descriptors(path) as shard:
        parts = [shard.described(video) for video in shard.videos]
        return [
            shard.class_names,
            shard.videos,
            *(x for p in parts for x in (p.moments, p.descriptors, p.scores)),
        ]


def write_some_saliency(path: Path) -> None:
    outputs = {"frame": np.full((3, 2), 0.5, np.float32)}
    said = VideoSaliency(outputs, np.full(3, 12, np.int32), HEARD, 40)
    networks = {"frame": Scored("0", {"frame": 7}, 2)}
    write_saliency(path, {video.video: said for video in VIDEOS}, networks, ("a", "b"), VIDEOS)


def read_some_saliency(path: Path) -> list:
    with read_saliency(path) as shard:
        parts = [shard.saliency(video) for video in shard.videos]
        arrays = [x for p in parts for x in (p.outputs["frame"], p.pictures, p.has_sound)]
        return [shard.networks, shard.class_names, shard.videos, *arrays]


def write_some_features(path: Path) -> None:
    write_features(
        path / "shard-000",
        [(video.video, FEATURES) for video in VIDEOS],
        ("a", "b"),
        "float16",
        4,
        {"made": "here"},
        VIDEOS,
    )
    complete_root(path, [path / "shard-000"])


def read_some_features(path: Path) -> list:
    bank = read_features(path)
    parts = [bank.load(video) for video in bank.videos]
    found = [x for p in parts for x in (p.features["image"], p.fused, p.scores, p.has_sound)]
    return [bank.classes, bank.videos, bank.provenance, *found]


def write_some_scores(path: Path) -> None:
    probabilities = {
        "random": [np.array([[0.5, 0.5], [0.25, 0.75]])] * 2,
        "ours_dense": [np.array([[0.125, 0.875]])] * 2,
    }
    weights = np.arange(16, dtype=np.float32).reshape(2, 2, 4) / 16
    look = Attention(("image", "audio"), weights, np.full((2, 2), 0.5, np.float32))
    write_scores(path, VIDEOS, ("a", "b"), probabilities, [look, look])


def read_some_scores(path: Path) -> list:
    with read_scores(path) as scores:
        looks = [scores.attention(video) for video in scores.videos]
        arrays = [array for look in looks for array in (look.weights, look.modality_weights)]
        arrays += [scores.probabilities(method) for method in scores.methods]
        return [scores.classes, scores.methods, scores.listed, *arrays]


def write_a_network(path: Path) -> None:
    torch.manual_seed(0)
    save_network(path, "line", torch.nn.Linear(3000, 3), {"width": 3000})


def read_a_network(path: Path) -> list:
    settings, state = load_network(path, "line")
    return [settings, *(value.numpy() for value in state.values())]


STORES: dict[str, tuple[Callable[[Path], None], Callable[[Path], list]]] = {
    "media.h5": (write_a_media, read_a_media),
    "mels.h5": (write_some_mels, read_some_mels),
    "motion.h5": (write_some_motion, read_some_motion),
    "descriptors.h5": (write_some_descriptors, read_some_descriptors),
    "saliency.h5": (write_some_saliency, read_some_saliency),
    "scores.h5": (write_some_scores, read_some_scores),
    "features": (write_some_features, read_some_features),
    "network.pt": (write_a_network, read_a_network),
}


def same(one: list, other: list) -> bool:
    pairs = zip(one, other, strict=True)
    return len(one) == len(other) and all(
        np.array_equal(a, b) if isinstance(a, np.ndarray) and isinstance(b, np.ndarray) else a == b
        for a, b in pairs
    )
