"""A target data set made of numbers alone: videos whose moments are action, distraction or advert,
and a student that knows the actions from single moments but has never seen an advert.

An advert shows another class and is marked in one channel of each feature. So a method that
averages over all moments, or trusts the student's confidence, is misled; a method that is trained
on whole videos can ignore the adverts.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from l2l import config
from l2l.features.artifact import VideoFeatures, complete_root, write_features
from l2l.manifest.artifact import Video, write_videos
from l2l.media.artifact import write_media
from l2l.media.decoded import Decoded
from l2l.media.pictures import EncodedPictures, encode
from l2l.moments import MOMENT_FRAMES
from l2l.student.artifact import digest_of, load_student, save_student
from l2l.student.network import Student

CLASSES = ("climb", "dance", "dive", "run", "sing", "swim")
WIDTH = 16  # of each modality's features; the last channel is the advert's mark
STUDENT = config.StudentConfig(
    image_widths=(4, 4, 4, WIDTH),
    audio_widths=(4, 4, 4, WIDTH),
    blocks=(1, 1, 1, 1),
    distil=config.TrainingConfig(epochs=1, batch_size=2, learning_rate=1),
    finetune=config.FinetuningConfig(epochs=1, batch_size=2, learning_rate=1),
)
MEDIA = config.MediaConfig(resize_pixels=(32, 40), frame_pixels=32)
SKIMMER = config.SkimmerConfig(
    lstm_width=32,
    key_width=16,
    query_width=32,
    steps=6,
    training=config.TrainingConfig(epochs=20, batch_size=16, learning_rate=0.1, milestones=(15,)),
)


@dataclass(frozen=True)
class World:
    """Where the files of the data set are."""

    student: Path
    videos: Path
    features: Path
    media: Path  # of the test videos; each frame takes 5 pictures


def make_world(
    folder: Path, train: int = 96, val: int = 12, test: int = 48, seed: int = 0
) -> World:
    """Write the student, the table of videos and their features."""
    random = np.random.default_rng(seed)
    prototypes = {m: random.normal(size=(len(CLASSES), WIDTH)) for m in ("image", "audio")}
    for prototype in prototypes.values():
        prototype[:, -1] = 0
    world = World(
        folder / "student.pt",
        folder / "videos.tsv",
        folder / "features",
        folder / "media/test-000.h5",
    )
    student = _student(world.student, prototypes, random)
    videos, rows = [], []
    for split, count in (("train", train), ("val", val), ("test", test)):
        for i in range(count):
            name, label = f"{split}-{i:03d}", int(random.integers(len(CLASSES)))
            videos.append(Video(name, f"{name}.mp4", split, (CLASSES[label],)))
            rows.append((name, _video(prototypes, label, student, random)))
    videos.append(
        Video("broken", "broken.mp4", "test", (CLASSES[0],), status="corrupt")
    )  # no features, as in a real run
    write_videos(world.videos, videos)
    made_with = {"student": student.settings, "student_digest": digest_of(student)}
    for shard in range(2):
        write_features(
            world.features / f"shard-{shard:03d}",
            rows[shard::2],
            CLASSES,
            "float32",
            256,
            made_with,
            videos,
        )
    complete_root(world.features, [world.features / f"shard-{shard:03d}" for shard in range(2)])
    counts = {name: len(features) for name, features in rows if name.startswith("test")}
    _write_media(world.media, [video for video in videos if video.split == "test"], counts)
    return world


def _write_media(path: Path, videos: list[Video], counts: dict[str, int]) -> None:
    """Grey frames of so many moments, each in its own group of pictures."""
    grey = encode(np.full((MEDIA.frame_pixels, MEDIA.frame_pixels, 3), 128, np.uint8), 95)
    with write_media(path, MEDIA, clips_stored=False) as writer:
        for video in videos:
            if video.video not in counts:
                writer.add_unusable(video, video.status, "")
                continue
            count = counts[video.video]
            pictures = EncodedPictures(MEDIA.frame_pixels, 95, [grey] * (count + 1))
            needs = np.stack([np.arange(count), np.full(count, 4), 100 + np.arange(count)], 1)
            frames = (count + 1) * MOMENT_FRAMES  # the last clip is two moments long
            writer.add(
                video,
                Decoded(
                    *("ok", "", frames, MOMENT_FRAMES, pictures, np.zeros(0, np.int16)),
                    *(np.zeros((0, 2), np.int64), MEDIA.grid),
                    frames_total=frames,
                    frame_needs=needs,
                ),
            )


def _moments(
    prototypes: dict[str, np.ndarray],
    labels: np.ndarray,
    mark: np.ndarray,
    random: np.random.Generator,
) -> dict:
    """Features of moments: of a class, or of none for label -1; marked or not."""
    features = {}
    for modality, prototype in prototypes.items():
        clean = np.where(labels[:, None] >= 0, prototype[labels], 0) + 0.4 * random.normal(
            size=(len(labels), WIDTH)
        )
        clean[:, -1] = mark + 0.1 * random.normal(size=len(labels))
        features[modality] = clean.astype(np.float32)
    return features


def _student(path: Path, prototypes: dict[str, np.ndarray], random: np.random.Generator) -> Student:
    """A student whose Psi and classifier are trained on single moments of actions."""
    torch.manual_seed(0)
    student = Student(
        ("image", "audio"),
        len(CLASSES),
        WIDTH,
        STUDENT.image_widths,
        STUDENT.audio_widths,
        STUDENT.blocks,
    )
    labels = random.integers(len(CLASSES), size=240)
    seen = _moments(prototypes, labels, np.zeros(240), random)
    features, targets = {m: torch.from_numpy(x) for m, x in seen.items()}, torch.from_numpy(labels)
    optimizer = torch.optim.Adam(
        [*student.fusion.parameters(), *student.classifier.parameters()], 0.01
    )
    for _ in range(100):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(
            student.classifier(student.fuse(features)), targets
        ).backward()
        optimizer.step()
    save_student(
        path, student, STUDENT, CLASSES, distilled=True, media=MEDIA, mels=config.MelsConfig()
    )
    return load_student(path)


def _video(
    prototypes: dict[str, np.ndarray], label: int, student: Student, random: np.random.Generator
) -> VideoFeatures:
    """A video of 16 to 31 moments in eight spans.

    Two of action, two of adverts, the rest distraction, in any order.
    """
    count = int(random.integers(16, 32))
    kind = random.permutation(8)[np.arange(count) * 8 // count]
    action, advert = kind < 2, (kind >= 2) & (kind < 4)
    other = (label + int(random.integers(1, len(CLASSES)))) % len(CLASSES)
    labels = np.select([action, advert], [label, other], -1)
    mark = advert.astype(float)
    features = _moments(prototypes, labels, mark, random)
    with torch.inference_mode():
        fused = student.fuse({m: torch.from_numpy(x) for m, x in features.items()})
        scores = student.classifier(fused)
    return VideoFeatures(features, fused.numpy(), scores.numpy(), np.ones(count, bool))
