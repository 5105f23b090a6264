"""The videos of `feature_world` as samplers read them: a quarter of a video's moments is useful to
the teacher, and these move more and are louder than the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import feature_world
import numpy as np

from l2l.config import (
    EvaluationConfig,
    MelsConfig,
    MotionConfig,
    SamplerConfig,
    TeacherConfig,
    TrainingConfig,
)
from l2l.evaluation.scsampler.stage import evaluate_scsampler
from l2l.features.artifact import read_features
from l2l.manifest.artifact import Video, read_videos
from l2l.media.artifact import write_media
from l2l.media.decoded import Decoded
from l2l.media.pictures import EncodedPictures
from l2l.mels.artifact import write_mels
from l2l.motion.artifact import Motion, write_motion
from l2l.sampler.rows import ROWS
from l2l.sampler.stage import score_clips, train_sampler
from l2l.teacher.artifact import ClipDescriptors, save_teacher, write_descriptors
from l2l.teacher.network import R2Plus1D

MEDIA = feature_world.MEDIA.model_copy(
    update={
        "resize_pixels": (16, 16),
        "frame_pixels": 16,
        "clip_frames": 4,
        "clip_stride": 8,
        "jpeg_quality": "lossless",
    }
)
MOTION = MotionConfig(pixels=48, stride=4)
FIT = TrainingConfig(epochs=8, batch_size=4, learning_rate=0.05)
SAMPLER = SamplerConfig(
    clips=6,
    seen=4,
    clips_of_a_video=8,
    pictures_of_a_clip=2,
    widths=(8, 8, 8, 8),
    blocks=(1, 1, 1, 1),
    stem_stride=1,
    shuffle_widths=(36, 48, 60),
    audio_widths=(4, 4, 8, 8, 8),
    audio_layers=(1, 1, 1, 1, 1),
    training=FIT,
    joint=FIT.model_copy(update={"epochs": 1}),
)
ALL_ROWS = SAMPLER.model_copy(update={"rows": tuple(row.name for row in ROWS)})
EVALUATION = EvaluationConfig(random_draws=3)


@dataclass(frozen=True)
class World:
    """Where the files are: those of two shards each, the training videos' first."""

    features: feature_world.World
    teacher: Path
    motion: list[Path]
    media: list[Path]
    mels: list[Path]
    descriptors: list[Path]
    useful: dict[str, np.ndarray]  # bool (moments,), by video


def make_world(folder: Path, motion: MotionConfig = MOTION) -> World:
    """12 training videos, 2 to validate and 8 to test; one test video is silent."""
    base = feature_world.make_world(folder / "base", 12, 2, 8)
    store, random = read_features(base.features), np.random.default_rng(0)
    listed = [video for video in read_videos(base.videos) if video.usable]
    world = World(base, folder / "teacher.pt", [], [], [], [], {})
    teacher = R2Plus1D(len(feature_world.CLASSES), (4, 4, 4, 8), (1, 1, 1, 1))
    save_teacher(world.teacher, teacher, feature_world.CLASSES, 16, 4, TeacherConfig())
    for name, videos in (
        ("shard-000", [video for video in listed if video.split != "test"]),
        ("test-000", [video for video in listed if video.split == "test"]),
    ):
        for video in videos:
            count = store.moments(video.video)
            world.useful[video.video] = random.permutation(count) < count / 4
        paths = {
            stage: folder / stage / f"{name}.h5"
            for stage in ("motion", "media", "mels", "descriptors")
        }
        _write_motion(paths["motion"], videos, world, motion, random)
        _write_media(paths["media"], videos, world, random)
        _write_mels(paths["mels"], videos, world, random)
        _write_descriptors(paths["descriptors"], videos, world, teacher, random)
        for stage, path in paths.items():
            getattr(world, stage).append(path)
    return world


def _write_motion(
    path: Path,
    videos: Sequence[Video],
    world: World,
    config: MotionConfig,
    random: np.random.Generator,
) -> None:
    per_moment = config.pictures_per_moment
    with write_motion(path, config, MEDIA) as writer:
        for video in videos:
            strength = np.repeat(np.where(world.useful[video.video], 20, 4), per_moment)
            count = len(strength)
            moves = (np.arange(count) % config.gop_pictures)[:, None, None, None] > 0
            shape = (count, 5, config.cells, config.cells)
            values = random.normal(size=shape) * strength[:, None, None, None] * moves
            pictures = np.clip(values, -127, 127).astype(np.int8)
            position = (np.arange(count) % config.gop_pictures).astype(np.uint8)
            writer.add(video.video, Motion(pictures[:, :2], pictures[:, 2:], position))


def _write_media(
    path: Path, videos: Sequence[Video], world: World, random: np.random.Generator
) -> None:
    with write_media(path, MEDIA, False) as writer:
        for video in videos:
            count = len(world.useful[video.video])
            pictures = random.integers(0, 256, (2 * count + 2, 16, 16, 3), np.uint8)
            frames = 16 * (count - 1) + MEDIA.grid.span_frames
            decoded = Decoded(
                "ok",
                "",
                frames,
                8,
                EncodedPictures.from_array(pictures),
                np.zeros(0, np.int16),
                grid=MEDIA.grid,
            )
            assert decoded.moments == count
            writer.add(video, decoded)


def _write_mels(
    path: Path, videos: Sequence[Video], world: World, random: np.random.Generator
) -> None:
    rows = {}
    for i, video in enumerate(videos):
        useful = world.useful[video.video]
        loud = np.where(useful, -2.0, -9.0)[:, None, None]
        mels = loud + random.normal(size=(len(useful), 101, 40))
        has_sound = np.arange(len(useful)) > 1
        if video.split == "test" and i == len(videos) - 1:
            has_sound[:] = False
        rows[video.video] = (mels.astype(np.float32), has_sound)
    write_mels(path, rows, MelsConfig(), (101, 40))


def _write_descriptors(
    path: Path,
    videos: Sequence[Video],
    world: World,
    teacher: R2Plus1D,
    random: np.random.Generator,
) -> None:
    rows = {}
    for video in videos:
        useful = world.useful[video.video]
        label = feature_world.CLASSES.index(video.label)
        scores = random.normal(size=(len(useful), len(feature_world.CLASSES)))
        scores[:, label] = np.where(useful, 4, -4)
        rows[video.video] = ClipDescriptors(
            np.arange(len(useful), dtype=np.int32),
            random.normal(size=(len(useful), teacher.descriptor_width)).astype(np.float16),
            scores.astype(np.float16),
        )
    write_descriptors(path, rows, teacher, feature_world.CLASSES)


def train(
    world: World, network: str, path: Path, config: SamplerConfig = SAMPLER, **changed: object
) -> Path:
    """Train one network on the training videos; inputs may be changed."""
    inputs = {
        "videos": world.features.videos,
        "mels": world.mels[:1],
        "motion": world.motion[:1],
        "media": world.media[:1],
        "descriptors": world.descriptors[:1],
    }
    train_sampler(network, sampler=path, config=config, seed=0, **(inputs | changed))
    return path


def score(world: World, samplers: Sequence[Path], path: Path, **changed: object) -> Path:
    """Score the clips of the test videos; inputs may be changed."""
    inputs = {
        "videos": world.features.videos,
        "mels": world.mels[1],
        "motion": world.motion[1],
        "media": world.media[1],
        "config": SAMPLER,
    }
    score_clips(list(samplers), saliency=path, **(inputs | changed))
    return path


def evaluate(
    world: World,
    saliency: Path,
    trained: Sequence[Path],
    folder: Path,
    config: SamplerConfig = SAMPLER,
    **changed: object,
) -> tuple[Path, Path]:
    """The tables of the test videos."""
    table, clips = folder / "scsampler.tsv", folder / "scsampler_clips.tsv"
    inputs = {
        "teacher": world.teacher,
        "descriptors": world.descriptors,
        "saliency": [saliency],
        "videos": world.features.videos,
        "student": world.features.student,
        "trained": list(trained),
        "features": world.features.features,
    }
    evaluate_scsampler(
        table=table,
        clips=clips,
        config=config,
        evaluation=EVALUATION,
        clip_stride=MEDIA.clip_stride,
        seed=0,
        **(inputs | changed),
    )
    return table, clips
