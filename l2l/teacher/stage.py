"""Make a teacher, by training or from weights, and let it describe clips."""

import contextlib
import functools
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import nn
from torch.utils.data import Dataset

from l2l.acceleration import for_training
from l2l.checkpoints import resumable
from l2l.config import (
    NOT_ACCELERATED,
    AccelerationConfig,
    MediaConfig,
    TeacherConfig,
    TeacherNetwork,
    TrainingConfig,
    as_json,
)
from l2l.errors import BadInput
from l2l.jobs.processes import own_threads, team
from l2l.loading import RandomHorizontalFlip, load_batches
from l2l.manifest.artifact import Video, class_names, read_videos, usable_ids
from l2l.media.artifact import MediaReader, read_listed_media
from l2l.media.decode import decode
from l2l.media.examples import Example, labelled_moments
from l2l.mels.artifact import MelReader, read_mels
from l2l.moments import FRAME_RATE, moments_inside
from l2l.progress import counted
from l2l.shards import check_videos, read_shards
from l2l.teacher.artifact import (
    ClipDescriptors,
    check_clips,
    load_frame_networks,
    load_teacher_network,
    published_teacher,
    save_teacher,
    write_descriptors,
)
from l2l.teacher.head import fit_head
from l2l.teacher.inference import for_inference
from l2l.teacher.network import (
    PUBLISHED,
    AnyTeacher,
    FrameTeacher,
    as_input,
    build_teacher,
    check_size,
)
from l2l.training import seed_and_pick_device, train

CLIP_FRAMES = 16  # of the paper: the fewest that pretrained weights are given


class _Clips(Dataset):
    """Labelled clips: ((clip_frames, side, side, 3) uint8, class)."""

    def __init__(self, examples: Sequence[Example], media: dict[str, MediaReader]) -> None:
        self.examples, self.media = examples, media

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, i: int) -> tuple[np.ndarray, int]:
        example = self.examples[i]
        return self.media[example.video].clip(example.video, example.moment), example.label


def _top1(
    teacher: AnyTeacher, clips: _Clips, batch_clips: int, workers: int, device: torch.device
) -> float:
    right = 0
    with torch.inference_mode():
        for batch in load_batches(clips, workers, batch_size=batch_clips):
            _, scores = teacher(as_input(batch[0].to(device), teacher.network))
            right += int((scores.argmax(1).cpu() == batch[1]).sum())
    return right / max(1, len(clips))


def train_teacher(
    videos: Path,
    media: list[Path],
    teacher: Path,
    config: TeacherConfig,
    seed: int,
    threads: int = 1,
    acceleration: AccelerationConfig = NOT_ACCELERATED,
) -> None:
    """Train a teacher on the clips and labels of a distillation source that stores its clips.

    Val accuracy is logged.

    Args:
        videos: the source's videos, with their final status.
        media: the source's media, all shards.
        teacher: written: the network.
        config: the section `teacher`.
        seed: of the initial weights and the order of the clips.
        threads: of the job: one trains, the others load clips.
        acceleration: the section `acceleration`.
    """
    if config.training is None:
        raise BadInput(
            "teacher.training: missing; a teacher with weights: train needs its schedule"
        )

    def build(classes: int, clips: MediaConfig) -> AnyTeacher:
        check_size(config.network, clips)
        return build_teacher(config.network, classes, config.widths, config.blocks)

    _train_on_clips(
        videos, media, teacher, build, config.training, config, seed, threads, acceleration
    )


def finetune_teacher(
    teacher: Path,
    videos: Path,
    media: list[Path],
    finetuned: Path,
    config: TeacherConfig,
    seed: int,
    threads: int = 1,
    acceleration: AccelerationConfig = NOT_ACCELERATED,
) -> None:
    """Fine-tune a copy of the teacher on the labelled clips of the target's train videos: all of
    its parameters, from the teacher's, and a new classifier of the target's classes.

    The paper compares its student on single clips with such a teacher (section 4.1, Fig. 5).
    Nothing is distilled from the copy. Val accuracy is logged.

    Args:
        teacher: the teacher.
        videos: the target's videos, with their final status.
        media: the target's media, all shards, with stored clips.
        finetuned: written: the network.
        config: the section `teacher`.
        seed: of the new classifier and the order of the clips.
        threads: of the job: one trains, the others load clips.
        acceleration: the section `acceleration`.
    """
    if config.finetune is None:
        raise BadInput("teacher.finetune: missing; fine-tuning a teacher needs its schedule")

    def build(classes: int, clips: MediaConfig) -> AnyTeacher:
        network, settings = load_teacher_network(teacher)
        check_clips(teacher, settings, media[0], clips)
        network.fc = nn.Linear(network.descriptor_width, classes)
        return network

    _train_on_clips(
        videos,
        media,
        finetuned,
        build,
        config.finetune,
        config,
        seed,
        threads,
        acceleration,
        made_from=[teacher],
    )


def _train_on_clips(
    videos: Path,
    media: list[Path],
    artifact: Path,
    build: Callable[[int, MediaConfig], AnyTeacher],
    training: TrainingConfig,
    config: TeacherConfig,
    seed: int,
    threads: int,
    acceleration: AccelerationConfig,
    made_from: Sequence[Path] = (),
) -> None:
    """Train a network on the labelled clips of the train videos of a data set, and write it.

    Args:
        videos: of the data set, with their final status.
        media: of the data set, all shards.
        artifact: written: the network.
        build: gives the network for a number of classes and clips of these sizes.
        training: the schedule.
        config: the section `teacher`.
        seed: of what `build` draws and the order of the clips.
        threads: of the job: one trains, the others load clips.
        acceleration: the section `acceleration`.
        made_from: other files that the network is made from.

    Raises:
        BadInput: if there is no usable train video, or its clips are not stored.
    """
    device, workers = seed_and_pick_device(seed), own_threads(threads) - 1
    listed = read_videos(videos)
    classes = class_names(listed)
    with (
        read_shards(
            media, read_listed_media(listed), usable_ids(listed), usable_ids(listed, "train_val")
        ) as shards,
        resumable(artifact, [videos, *media, *made_from], [as_json(config), seed]) as checkpoints,
    ):
        counts = {video: shard.moments(video) for video, shard in shards.items()}
        examples = labelled_moments(listed, counts, classes, "train")
        if not examples:
            raise BadInput(
                f"{videos}: no usable train video; a teacher that is trained needs labelled clips"
            )
        if not all(shard.clips_stored for shard in shards.values()):
            raise BadInput(
                f"{media[0]}: found the first frame of each moment, expected whole clips to train "
                "a teacher on: media.clips: stored for a source, teacher.finetune for a target; "
                "then rerun decode_videos"
            )
        held_out = _Clips(labelled_moments(listed, counts, classes, "val"), shards)
        settings = next(iter(shards.values())).config
        network = for_training(build(len(classes), settings), device, acceleration)
        train_clips = _Clips(examples, shards)

        def loss(batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
            _, scores = network(as_input(batch[0].to(device), config.network))
            return torch.nn.functional.cross_entropy(scores.float(), batch[1].to(device))

        validate = functools.partial(_top1, network, held_out, config.batch_clips, workers, device)
        train(
            network,
            [{"params": network.parameters()}],
            RandomHorizontalFlip(train_clips) if training.flip else train_clips,
            loss,
            training,
            lambda: {"val_top1": validate()},
            workers=workers,
            checkpoints=checkpoints,
        )
        if team().is_main:
            save_teacher(
                artifact, network, classes, settings.frame_pixels, settings.clip_frames, config
            )


def fit_frame_teacher(
    videos: Path,
    media: list[Path],
    mels: list[Path],
    teacher: Path,
    config: TeacherConfig,
    threads: int = 1,
) -> None:
    """Take the two networks of a frame teacher from their weights, and fit its linear classifier on
    the labelled clips of a source that stores its clips. Nothing is random.

    Val accuracy is logged.

    Args:
        videos: the source's videos, with their final status.
        media: the source's media, all shards.
        mels: the source's mels, all shards.
        teacher: written: the network.
        config: the section `teacher`.
        threads: of torch.
    """
    device = seed_and_pick_device(0, threads)
    listed = read_videos(videos)
    classes, ids = class_names(listed), (usable_ids(listed), usable_ids(listed, "train_val"))
    network = FrameTeacher(len(classes))
    load_frame_networks(network, config)
    network = network.eval().to(device)
    with (
        read_shards(media, read_listed_media(listed), *ids) as shards,
        read_shards(mels, read_mels, *ids) as sounds,
    ):
        counts = {video: shard.moments(video) for video, shard in shards.items()}
        described, labels = {}, {}
        for split in ("train", "val"):
            examples = labelled_moments(listed, counts, classes, split)
            labels[split] = np.array([example.label for example in examples], np.int64)
            described[split] = _describe_examples(
                network, examples, shards, sounds, config.batch_clips, device
            )
        if not len(labels["train"]):
            raise BadInput(f"{videos}: no usable train video; network: frames needs labelled clips")
        settings = next(iter(shards.values())).config
    head = fit_head(described["train"], labels["train"], len(classes))
    network.fc.load_state_dict(head.state_dict())
    with torch.inference_mode():
        best = head(torch.from_numpy(described["val"])).argmax(1).numpy()
    right = (best == labels["val"]).sum() / max(1, len(best))
    print(f"fit on {len(labels['train'])} clips; val_top1 {right:.4g}", file=sys.stderr)
    save_teacher(teacher, network, classes, settings.frame_pixels, settings.clip_frames, config)


def _describe_examples(
    network: FrameTeacher,
    examples: Sequence[Example],
    media: Mapping[str, MediaReader],
    mels: Mapping[str, MelReader],
    batch_clips: int,
    device: torch.device,
) -> Float[np.ndarray, "clips descriptor"]:
    """The descriptor of each example's clip, float32."""
    parts = [np.zeros((0, network.descriptor_width), np.float32)]
    with torch.inference_mode():
        batches = range(0, len(examples), batch_clips)
        for first in counted(batches, len(batches), "batches of clips"):
            batch = [(each.video, each.moment) for each in examples[first : first + batch_clips]]
            clips = np.stack([media[video].clip(video, moment) for video, moment in batch])
            heard = np.stack([mels[video].mel(video, moment) for video, moment in batch])
            has_sound = np.array([mels[video].has_sound(video)[moment] for video, moment in batch])
            clip, mel, flag = (torch.from_numpy(x).to(device) for x in (clips, heard, has_sound))
            described = network.describe(as_input(clip, network.network), mel, flag)
            parts.append(described.cpu().numpy())
    return np.concatenate(parts)


def _check_media(network: TeacherNetwork, media: MediaConfig) -> None:
    """Refuse clips that differ from those on which a network's weights were trained."""
    published = PUBLISHED[network]
    sizes = (published.resize_pixels, published.crop_pixels)
    if (media.resize_pixels, media.frame_pixels) != sizes:
        raise BadInput(
            f"media: resize_pixels and frame_pixels must be {sizes}, as the weights of {network} "
            f"were trained with; found {(media.resize_pixels, media.frame_pixels)}"
        )
    most = published.frames
    if not CLIP_FRAMES <= media.clip_frames <= most:
        expected = CLIP_FRAMES if most == CLIP_FRAMES else f"{CLIP_FRAMES} to {most}"
        raise BadInput(
            f"media: clip_frames must be {expected} for the weights of {network}; found "
            f"{media.clip_frames}"
        )
    if (stride := FRAME_RATE / published.frame_rate) != media.clip_stride:
        raise BadInput(
            f"media: clip_stride must be {stride}, as the weights of {network} were trained on "
            f"clips of {float(published.frame_rate):g} frames per second; found "
            f"{media.clip_stride}"
        )


def load_teacher(teacher: Path, config: TeacherConfig, media_config: MediaConfig) -> None:
    """Take a teacher from torchvision's weights or a local file.

    The weights' own preprocessing must be what the media hold.

    Args:
        teacher: written: the network.
        config: the section `teacher`, which names the weights.
        media_config: the section `media`: the clips that the network will see.
    """
    _check_media(config.network, media_config)
    network, classes = published_teacher("teacher.weights", config.weights, config)
    save_teacher(
        teacher, network, classes, media_config.frame_pixels, media_config.clip_frames, config
    )


def _wanted(video: Video, count: int, part: Literal["all", "segments"]) -> list[int]:
    """The moments of a video that the teacher describes."""
    if part == "all" or video.segments is None:
        return list(range(count))
    return moments_inside([(s.start_seconds, s.end_seconds) for s in video.segments], count)


def _clips(video: Video, shard: MediaReader, moments: list[int]) -> Iterator[np.ndarray]:
    """The clips of these moments, from the store if it keeps them, else decoded again."""
    if shard.clips_stored:
        yield from (shard.clip(video.video, moment) for moment in moments)
        return
    decoded = decode(video.source, shard.config, "clips")
    if decoded.moments != shard.moments(video.video):
        stored = shard.moments(video.video)
        raise BadInput(
            f"{video.path}: {decoded.moments} moments now, {stored} when its media were stored; "
            "rerun decode_videos"
        )
    yield from (decoded.clip(moment) for moment in moments)


def extract_descriptors(
    manifest: Path,
    media: Path,
    teacher: Path,
    descriptors: Path,
    part: Literal["all", "segments"],
    config: TeacherConfig,
    threads: int = 1,
    acceleration: AccelerationConfig = NOT_ACCELERATED,
    mels: Path | None = None,
) -> None:
    """Write the teacher's descriptor and class scores of a shard's clips.

    Of `all` moments, or only those inside `segments`. `mels` are of the same shard; a teacher that
    hears needs them.

    Args:
        manifest: the shard's table of videos.
        media: of the shard.
        teacher: the network.
        descriptors: written: descriptors and class scores, HDF5.
        part: of which moments: `all`, or those inside labelled `segments`.
        config: the section `teacher`.
        threads: of torch.
        acceleration: the section `acceleration`.
        mels: of the same shard; a teacher that hears needs them.
    """
    device = seed_and_pick_device(0, threads)
    network, settings = load_teacher_network(teacher)
    describe = for_inference(network, device, acceleration, config.batch_clips)
    rows = {}
    listed = read_videos(manifest)
    hears = isinstance(network, FrameTeacher)
    if hears != (mels is not None):
        raise BadInput(f"{teacher}: a teacher that hears needs mels, and no other takes them")
    with (
        read_listed_media(listed)(media) as shard,
        read_mels(mels) if mels else contextlib.nullcontext() as sounds,
        torch.inference_mode(),
    ):
        check_clips(teacher, settings, media, shard.config)
        check_videos(media, shard.statuses, [video.video for video in listed])
        for video in counted(listed, len(listed)):
            if video.video not in shard.videos:
                continue
            moments = _wanted(video, shard.moments(video.video), part)
            clips = list(_clips(video, shard, moments))
            heard = (
                (sounds.mels(video.video)[moments], sounds.has_sound(video.video)[moments])
                if sounds
                else ()
            )
            outputs = []
            for i in range(0, len(clips), config.batch_clips):
                batch = slice(i, i + config.batch_clips)
                clip, *sound = (
                    torch.from_numpy(x).to(device)
                    for x in (np.stack(clips[batch]), *(each[batch] for each in heard))
                )
                outputs.append(describe(as_input(clip, network.network), *sound))
            z, scores = (
                torch.cat(part).half().cpu().numpy() for part in zip(*outputs, strict=True)
            )
            rows[video.video] = ClipDescriptors(np.asarray(moments, np.int32), z, scores)
    write_descriptors(descriptors, rows, network, settings["class_names"], config, listed)
