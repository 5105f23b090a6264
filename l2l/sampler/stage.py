"""Train samplers on the target's training videos, and let them score the clips of test videos."""

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from l2l.acceleration import to_channels_last
from l2l.checkpoints import resumable
from l2l.config import MelsConfig, SamplerConfig, TrainingConfig, as_json
from l2l.errors import BadInput
from l2l.jobs.processes import own_threads, team
from l2l.manifest.artifact import Video, class_names, read_videos, usable_ids
from l2l.media.artifact import read_media
from l2l.mels.artifact import MelReader, read_mels
from l2l.mels.spectrogram import floor_of
from l2l.motion.artifact import MotionReader, read_motion
from l2l.progress import counted
from l2l.ranking import ranking_loss
from l2l.sampler.artifact import (
    Part,
    SamplerNetwork,
    Scored,
    TrainedSampler,
    VideoSaliency,
    joint_saliency,
    load_sampler,
    part_of,
    save_sampler,
    write_saliency,
)
from l2l.sampler.examples import (
    Clips,
    Pictures,
    Reader,
    Target,
    VideoClips,
    as_input,
    check_moments,
    collate,
    gather,
    sections_of,
)
from l2l.sampler.loss import class_loss, right_loss
from l2l.sampler.network import Input
from l2l.sampler.rows import JOINT
from l2l.shards import check_videos, read_shards
from l2l.teacher.artifact import DescriptorReader, read_descriptors
from l2l.teacher.head import recognised, recogniser_of
from l2l.training import seed_and_pick_device, train


def train_sampler(
    network: str,
    videos: Path,
    mels: list[Path],
    sampler: Path,
    config: SamplerConfig,
    seed: int,
    threads: int = 1,
    motion: list[Path] | None = None,
    media: list[Path] | None = None,
    descriptors: list[Path] | None = None,
    start: list[Path] | None = None,
) -> None:
    """Train one network of a sampler, or all of one together, on the target's usable training
    videos.

    Args:
        network: input, objective and trunk, such as displacement-class-resnet18; or `joint`.
        videos: the target's videos, with their final status.
        mels: the target's mels, which also say which moments have sound.
        sampler: written: the trained sampler.
        config: sizes and schedules.
        seed: of the initial weights, the order of the videos and the clips that are drawn.
        threads: of the job: one trains, the others load.
        motion: the target's motion; for displacement and residual.
        media: the target's media; for frames.
        descriptors: what the teacher says of all moments; for the objectives that learn from it,
            all but `class`.
        start: the trained networks that `joint` starts from.

    Raises:
        BadInput: if an input that the network needs is not given, or the inputs are of other
            videos; or if there are fewer than two training videos, with sound if it hears.
    """
    # ---- read: the videos, their pictures, what the teacher says

    device, workers = seed_and_pick_device(seed), own_threads(threads) - 1
    started = [load_sampler(path) for path in start or ()]
    parts = _parts(network, started)
    listed = read_videos(videos)
    classes, ids = class_names(listed), (usable_ids(listed), usable_ids(listed, "train_val"))
    training = config.joint if network == JOINT else config.training
    inputs = [videos, *mels, *(motion or []), *(media or []), *(descriptors or []), *(start or [])]
    with ExitStack() as stack:
        mel_readers = stack.enter_context(read_shards(mels, read_mels, *ids))
        shards = _shards(stack, [part.kind for part in parts], mel_readers, motion, media, ids)
        sections = sections_of(each for readers in shards.values() for each in readers.values())
        descriptor_readers = stack.enter_context(
            read_shards(descriptors or [], read_descriptors, *ids)
        )
        settings = [network, as_json(config), seed]
        checkpoints = stack.enter_context(resumable(sampler, inputs, settings))
        needs = network == JOINT or parts[0].objective != "class"
        if needs and not descriptor_readers:
            raise BadInput(
                f"--descriptors: missing; {network} learns from what the teacher says of all "
                "moments"
            )
        usable = [video for video in listed if video.video in mel_readers and video.split != "test"]
        targets = _targets(usable, classes, descriptor_readers, mel_readers, needs)
        pictures = {
            kind: Pictures(kind, readers, config.cache_bytes // len(parts))
            for kind, readers in shards.items()
        }
        has_sound = {
            video.video: mel_readers[video.video].has_sound(video.video) for video in usable
        }
        entries = {
            split: VideoClips(
                [video.video for video in usable if video.split == split],
                pictures,
                targets,
                has_sound,
                config.clips_of_a_video,
                config.pictures_of_a_clip,
                training.flip and split == "train",
                sounding=[part.kind for part in parts] == ["audio"],
            )
            for split in ("train", "val")
        }
        if len(entries["train"]) < 2:
            sounding = " with sound" * entries["train"].sounding
            raise BadInput(
                f"{videos}: found {len(entries['train'])} usable training videos{sounding}, "
                f"expected at least 2 to train {network} on (batch norm)"
            )

        # ---- build the network, train, write

        built = SamplerNetwork(parts, len(classes), config)
        for each in started:
            (kind,) = each.network.parts
            built.networks[kind].load_state_dict(each.network.networks[kind].state_dict())
        built = to_channels_last(built, device)
        floor = floor_of(next(iter(mel_readers.values())).config)
        loss = _loss(built, network, config, floor, device)
        train(
            built,
            [{"params": built.parameters()}],
            entries["train"],
            loss,
            training,
            lambda: _validate(entries["val"], loss, training),
            collate,
            workers,
            checkpoints,
        )
        if team().is_main:
            save_sampler(sampler, built, network == JOINT, classes, config, sections)


def _parts(network: str, started: Sequence[TrainedSampler]) -> list[Part]:
    """The networks that are trained.

    Raises:
        BadInput: if `joint` is not given networks of single inputs that see, and one that hears.
    """
    if network != JOINT:
        return [part_of(network)]
    names = [each.name for each in started]
    parts = [part_of(name) for name in names if name != JOINT]
    kinds = [part.kind for part in parts]
    if JOINT in names or len(set(kinds)) < len(kinds) or len(kinds) < 2 or "audio" not in kinds:
        raise BadInput(
            f"--start: found {', '.join(names) or 'nothing'}, expected networks of different "
            "inputs, one of them audio, that are trained together"
        )
    return parts


def _shards(
    stack: ExitStack,
    kinds: Sequence[Input],
    mel_readers: Mapping[str, MelReader],
    motion: Sequence[Path] | None,
    media: Sequence[Path] | None,
    ids: Sequence[set[str]],
) -> dict[Input, Mapping[str, Reader]]:
    """The reader of each video, by kind of input.

    Raises:
        BadInput: if one is not given, or has other moments than the mels.
    """
    readers: dict[Input, Mapping[str, Reader]] = {}
    moving: Mapping[str, Reader] = {}
    if motion:
        moving = stack.enter_context(read_shards(motion, read_motion, *ids))
    frames: Mapping[str, Reader] = {}
    if "frame" in kinds and media:
        frames = stack.enter_context(read_shards(media, read_media, *ids))
    for kind in kinds:
        option = {"audio": "mels", "frame": "media"}.get(kind, "motion")
        readers[kind] = {"mels": mel_readers, "media": frames, "motion": moving}[option]
        if not readers[kind]:
            raise BadInput(f"--{option}: missing; a network of {kind} reads it")
        for video in mel_readers:
            counts = {"mels": mel_readers[video].moments(video)}
            check_moments(video, counts | {option: readers[kind][video].moments(video)})
    return readers


def _targets(
    usable: Sequence[Video],
    classes: Sequence[str],
    descriptor_readers: Mapping[str, DescriptorReader],
    mel_readers: Mapping[str, MelReader],
    needed: bool,
) -> dict[str, Target]:
    """What the clips of each video are worth; log how often this teaches nothing."""
    number = {name: i for i, name in enumerate(classes)}
    targets = {}
    recogniser = recogniser_of(usable, classes, descriptor_readers) if needed else None
    constant = 0
    for video in usable:
        label, count = number[video.label], mel_readers[video.video].moments(video.video)
        truth, right = np.zeros(count, np.float32), np.zeros(count, bool)
        if recogniser is not None:
            probabilities = recognised(video.video, descriptor_readers, recogniser)
            check_moments(video.video, {"mels": count, "descriptors": len(probabilities)})
            truth = probabilities[:, label].astype(np.float32)
            right = probabilities.argmax(1) == label
            constant += right.all() or not right.any()
        targets[video.video] = Target(label, truth, right)
    if recogniser is not None:
        print(
            f"the teacher is right on all or on no clip of {constant} of {len(targets)} videos",
            file=sys.stderr,
        )
    return targets


def _loss(
    built: SamplerNetwork,
    network: str,
    config: SamplerConfig,
    mel_floor: float,
    device: torch.device,
) -> Callable[[Clips], Tensor]:
    """The loss of a batch of clips."""

    def outputs(batch: Clips, kind: Input) -> Tensor:
        pictures = as_input(kind, batch.pictures[kind], mel_floor, device)
        clip = torch.from_numpy(batch.clip[kind]).to(device)
        return built(kind, pictures, clip, len(batch.video))

    def of_batch(batch: Clips) -> Tensor:
        label, truth, right, video, has_sound = (
            torch.from_numpy(each).to(device)
            for each in (batch.label, batch.truth, batch.right, batch.video, batch.has_sound)
        )
        scores = {kind: outputs(batch, kind) for kind in built.parts}
        if network == JOINT:
            probabilities = {kind: built.probabilities(kind, x) for kind, x in scores.items()}
            audio = probabilities.pop("audio")
            saliency = joint_saliency(list(probabilities.values()), audio, has_sound)
            return ranking_loss(torch.logit(saliency, eps=1e-6), truth, video, config.margin)
        ((kind, part),) = built.parts.items()
        if part.objective == "class":
            return class_loss(scores[kind], label)
        logits = scores[kind][:, 0]
        if part.objective == "right":
            return right_loss(logits, right)
        return ranking_loss(logits, truth, video, config.margin)

    return of_batch


def _validate(
    val: VideoClips, loss: Callable[[Clips], Tensor], training: TrainingConfig
) -> dict[str, float]:
    """The mean loss on the validation videos, on clips that are the same in every epoch."""
    total = 0.0
    with torch.inference_mode():
        for first in range(0, len(val), training.batch_size):
            indices = range(first, min(first + training.batch_size, len(val)))
            total += float(loss(collate([val[i, i] for i in indices]))) * len(indices)
    return {"val_loss": total / len(val)} if len(val) else {}


def score_clips(
    samplers: list[Path],
    videos: Path,
    mels: Path,
    saliency: Path,
    config: SamplerConfig,
    motion: Path | None = None,
    media: Path | None = None,
    threads: int = 1,
) -> None:
    """Write what samplers say of every clip of a shard's videos, all pictures read.

    Args:
        samplers: the trained samplers.
        videos: the target's videos, with their final status.
        mels: of the shard.
        saliency: written: what each sampler says of each moment.
        config: pictures per batch.
        motion: of the shard; for displacement and residual.
        media: of the shard; for frames.
        threads: of torch.

    Raises:
        BadInput: if a sampler was trained on other classes, or on pictures or sound that were made
            in another way; if one is given twice; or if a number is not finite.
    """
    device = seed_and_pick_device(0, threads)
    listed = read_videos(videos)
    classes = class_names(listed)
    trained = _load_all(samplers, classes, videos)
    kinds = list(dict.fromkeys(kind for each in trained.values() for kind in each.network.parts))
    rows: dict[str, VideoSaliency] = {}
    with ExitStack() as stack:
        heard_reader = stack.enter_context(read_mels(mels))
        in_shard = set(heard_reader.videos)
        check_videos(mels, in_shard, usable_ids(listed), whole=False)
        mel_readers = dict.fromkeys(heard_reader.videos, heard_reader)
        ids = (in_shard, in_shard)
        shards = (
            _shards(
                stack, kinds, mel_readers, [motion] if motion else [], [media] if media else [], ids
            )
            if mel_readers
            else {}
        )
        sections = sections_of(each for readers in shards.values() for each in readers.values())
        for path, each in zip(samplers, trained.values(), strict=True):
            if mel_readers:
                _check_made_alike(path, each, sections)
        networks = {name: each.network.to(device) for name, each in trained.items()}
        for video in counted(heard_reader.videos, len(heard_reader.videos)):
            pictures = {kind: Pictures(kind, shards[kind], 0).moments(video) for kind in kinds}
            has_sound = heard_reader.has_sound(video)
            outputs = {
                name: _outputs(each, pictures, has_sound, heard_reader.config, config, device)
                for name, each in networks.items()
            }
            moving = [kind for kind in kinds if kind in ("displacement", "residual")]
            counts = [len(each) for each in pictures[moving[0]]] if moving else [0] * len(has_sound)
            reader = shards[moving[0]][video] if moving else None
            coded = reader.pictures(video) if isinstance(reader, MotionReader) else 0
            rows[video] = VideoSaliency(outputs, np.array(counts, np.int32), has_sound, coded)
    scored = {
        name: Scored(
            each.digest,
            {kind: _macs(each, kind) for kind in each.network.parts},
            len(classes) if name != JOINT and part_of(name).objective == "class" else 1,
        )
        for name, each in trained.items()
    }
    write_saliency(saliency, rows, scored, classes, listed)


def _load_all(
    paths: Sequence[Path], classes: Sequence[str], videos: Path
) -> dict[str, TrainedSampler]:
    trained: dict[str, TrainedSampler] = {}
    for path in paths:
        sampler = load_sampler(path)
        if sampler.name in trained:
            raise BadInput(f"--samplers: {path} holds {sampler.name}, and so does another file")
        if sampler.class_names != tuple(classes):
            raise BadInput(
                f"{path}: trained on other classes than those of {videos}; run snakemake again"
            )
        trained[sampler.name] = sampler
    return trained


def _check_made_alike(path: Path, sampler: TrainedSampler, sections: Mapping[str, Any]) -> None:
    """Refuse pictures or sound that were made in another way than those of the training."""
    for name, before in sampler.sections.items():
        if before != sections[name]:
            raise BadInput(
                f"{path}: trained on {name} made with {before}, found {sections[name]}; run "
                "snakemake again"
            )


def _outputs(
    sampler: SamplerNetwork,
    pictures: Mapping[Input, Sequence[np.ndarray]],
    has_sound: np.ndarray,
    mels: MelsConfig,
    config: SamplerConfig,
    device: torch.device,
) -> np.ndarray:
    """What a sampler says of the moments of one video: (moments, outputs) float32."""
    probabilities = {}
    with torch.inference_mode():
        for kind in sampler.parts:
            outputs = []
            for batch in _batches(pictures[kind], config.batch_pictures):
                joined, places = gather({kind: [[each] for each in batch]})
                x = as_input(kind, joined[kind], floor_of(mels), device)
                clip = torch.from_numpy(places[kind]).to(device)
                outputs.append(sampler(kind, x, clip, len(batch)))
            probabilities[kind] = sampler.probabilities(kind, torch.cat(outputs))
        if len(probabilities) > 1:
            audio = probabilities.pop("audio")
            flags = torch.from_numpy(has_sound).to(device)
            return joint_saliency(list(probabilities.values()), audio, flags)[:, None].cpu().numpy()
        (only,) = probabilities.values()
        return only.cpu().numpy()


def _batches(moments: Sequence[np.ndarray], size: int) -> list[list[np.ndarray]]:
    """Moments together until they have `size` pictures."""
    batches: list[list[np.ndarray]] = [[]]
    count = 0
    for pictures in moments:
        if count and count + len(pictures) > size:
            batches.append([])
            count = 0
        batches[-1].append(pictures)
        count += len(pictures)
    return batches


def _macs(sampler: TrainedSampler, kind: Input) -> int:
    """Multiply-accumulates of one picture."""
    network, picture = sampler.network.cpu(), sampler.example(kind)
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        network(kind, picture, torch.zeros(1, dtype=torch.long), 1)
    return counter.get_total_flops() // 2
