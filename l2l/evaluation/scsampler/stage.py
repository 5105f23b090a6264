"""The tables of SCSampler: which clips each sampler chooses, and what the recogniser makes of them.
No network runs but the skimmer, so this takes seconds.
"""

import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from l2l.config import EvaluationConfig, SamplerConfig
from l2l.errors import BadInput
from l2l.evaluation.artifact import write_evaluation_table
from l2l.evaluation.cost import CostModel, count_macs
from l2l.evaluation.inputs import load_student_and_features, load_trained_networks
from l2l.evaluation.measures.intervals import resamples
from l2l.evaluation.measures.truth import Truth
from l2l.evaluation.scsampler.attention import Attention
from l2l.evaluation.scsampler.choices import (
    CHOICES,
    READS_ALL,
    VideoClips,
    inputs_of,
    pictures_needed,
    sampler_macs,
    sound_seconds,
)
from l2l.evaluation.scsampler.tables import Recognised, clip_rows, scsampler_row
from l2l.manifest.artifact import Video, class_names, read_videos, usable_ids
from l2l.moments import ClipGrid
from l2l.progress import counted
from l2l.sampler.artifact import SaliencyReader, Scored, VideoSaliency, read_saliency
from l2l.sampler.choice import histogram_of_oracle
from l2l.sampler.examples import check_moments
from l2l.sampler.rows import Row, chosen_rows
from l2l.shards import read_shards
from l2l.teacher.artifact import load_teacher_network, read_descriptors
from l2l.teacher.head import Recogniser, recognised, recogniser_of
from l2l.teacher.network import example_clip
from l2l.training import seed_and_pick_device

BINS = 20  # of a video's length, in the histogram of the empirical choice


def evaluate_scsampler(
    teacher: Path,
    descriptors: list[Path],
    saliency: list[Path],
    videos: Path,
    student: Path,
    trained: list[Path],
    features: Path,
    table: Path,
    clips: Path,
    config: SamplerConfig,
    evaluation: EvaluationConfig,
    clip_stride: int,
    seed: int,
    threads: int = 1,
) -> None:
    """Let the teacher recognise the clips of each usable test video of the target that each row of
    scsampler.tsv chooses.

    The teacher uses its own classifier where that knows every class of the target, else a linear
    head on its descriptors of the labelled training moments. Its class probabilities are averaged
    over the chosen clips.

    Args:
        teacher: the teacher, for what a clip costs.
        descriptors: what the teacher says of all moments of the target, all shards.
        saliency: what the samplers say of the clips of the test videos, all shards.
        videos: the target's videos, as decoded.
        student: the network that made the features.
        trained: the trained networks of the run by whose weights a row chooses, in any order.
        features: root of the target's features in Zarr.
        table: written: one row per record of l2l/sampler/rows.py.
        clips: written: the clips that each row chooses, of random choices the first draw's.
        config: K, K', alpha, rows.
        evaluation: draws of random choices, and the factor of sparse reading.
        clip_stride: ticks of the 30 fps grid from one picture of a clip to the next.
        seed: of random choices and of the bootstrap.
        threads: of torch.

    Raises:
        BadInput: if a network's saliency is missing, the inputs are of other videos or of networks
            that differ, or a number is not finite.
    """
    seed_and_pick_device(seed, threads)
    rows, listed = chosen_rows(config.rows), read_videos(videos)
    classes = class_names(listed)
    test = [video for video in listed if video.split == "test" and video.usable]
    if not test:
        raise BadInput(f"{videos}: no usable test videos to evaluate on")
    truth = _truth(listed, classes)
    attention = _attention(rows, student, trained, features, evaluation)
    with ExitStack() as stack:
        ids = usable_ids(listed)
        descriptor_readers = stack.enter_context(read_shards(descriptors, read_descriptors, ids))
        scored = stack.enter_context(
            read_shards(saliency, read_saliency, ids, usable_ids(listed, "test"))
        )
        networks = _networks(saliency, scored, rows, classes)
        recogniser = recogniser_of(listed, classes, descriptor_readers)
        network, macs, frames = _clip_cost(teacher, recogniser)
        grid = ClipGrid(frames, clip_stride)
        train = [video for video in listed if video.split == "train" and video.usable]
        shares = histogram_of_oracle(
            [
                recognised(video.video, descriptor_readers, recogniser)[
                    :, classes.index(video.label)
                ]
                for video in train
            ],
            config.clips,
            BINS,
        )
        if any(row.audio or row.choice == "joint" for row in rows):
            _log_missing_sound([scored[each.video].saliency(each.video) for each in test], config)
        answers: dict[str, list[Recognised]] = {row.name: [] for row in rows}
        chosen: list[dict[str, str]] = []
        labelled = zip(test, truth.labels.tolist(), strict=True)
        for video, label in counted(labelled, len(test)):
            probabilities = recognised(video.video, descriptor_readers, recogniser)
            saliency_of_clips = scored[video.video].saliency(video.video)
            weights = attention.weights(video.video) if attention else {}
            lengths = {
                "descriptors": len(probabilities),
                "saliency": len(saliency_of_clips.pictures),
            }
            lengths |= {f"weights of {name}": len(x) for name, x in weights.items()}
            check_moments(video.video, lengths)
            clips_of_video = VideoClips(
                video.video,
                probabilities,
                label,
                saliency_of_clips,
                weights,
                shares,
                config,
                evaluation.random_draws,
                seed,
            )
            for row in rows:
                each = _recognise(row, clips_of_video, networks, attention, macs, grid)
                answers[row.name].append(each)
                chosen.append(clip_rows(video.video, video.label, classes, row, each))
    counts = resamples(len(test), seed)
    table_rows = [
        scsampler_row(row, answers[row.name], truth, counts, config, network) for row in rows
    ]
    write_evaluation_table(table, "scsampler", table_rows)
    write_evaluation_table(clips, "scsampler_clips", chosen)


def _truth(listed: Sequence[Video], classes: Sequence[str]) -> Truth:
    """What the test videos show."""
    number = {name: i for i, name in enumerate(classes)}
    test = [video for video in listed if video.split == "test"]
    usable = [video for video in test if video.usable]
    shown = np.zeros((len(usable), len(classes)), bool)
    for i, video in enumerate(usable):
        shown[i, [number[label] for label in video.labels]] = True
    labels, unusable = (
        np.array([number[video.label] for video in each], np.int64)
        for each in (usable, [video for video in test if not video.usable])
    )
    return Truth(labels, shown, unusable)


def _attention(
    rows: Sequence[Row],
    student: Path,
    trained: Sequence[Path],
    features: Path,
    config: EvaluationConfig,
) -> Attention | None:
    """The run's trained networks, if a row lets one choose."""
    choosing = [row for row in rows if row.trained]
    if not choosing:
        return None
    network, stored = load_student_and_features(student, features)
    names = dict.fromkeys(row.trained for row in choosing if row.trained)
    networks = load_trained_networks(trained, stored, list(names))
    return Attention(networks, stored, CostModel(network), choosing, config.sparse_factor)


def _networks(
    paths: Sequence[Path],
    scored: Mapping[str, SaliencyReader],
    rows: Sequence[Row],
    classes: Sequence[str],
) -> dict[str, Scored]:
    """The networks of the saliency, the same in every shard.

    Raises:
        BadInput: if one that a row reads is missing, the shards differ, or the classes are others.
    """
    readers = list({id(reader): reader for reader in scored.values()}.values())
    networks = readers[0].networks
    for reader in readers:
        if reader.networks != networks:
            raise BadInput(
                f"{paths[0].parent}: the shards are of networks that differ; run snakemake again"
            )
        if reader.class_names != tuple(classes):
            raise BadInput(
                f"{paths[0].parent}: of other classes than those of the videos; run snakemake again"
            )
    for row in rows:
        for name in row.networks:
            if name not in networks:
                raise BadInput(
                    f"{paths[0].parent}: found {', '.join(networks) or 'no network'}, expected "
                    f"{name} too, which row {row.name} reads"
                )
    return networks


def _log_missing_sound(saliencies: Sequence[VideoSaliency], config: SamplerConfig) -> None:
    """Say how often the sampler that hears has too few clips to choose from."""
    few = sum(each.has_sound.sum() < min(config.clips, len(each.has_sound)) for each in saliencies)
    print(
        f"clips without sound rank last by ear; {few} of {len(saliencies)} test videos have fewer "
        f"than {config.clips} clips with sound: their others are spread evenly (audio alone) or "
        "chosen by eye (union list)",
        file=sys.stderr,
    )


def _clip_cost(teacher: Path, recogniser: Recogniser) -> tuple[str, int, int]:
    """The name of the recogniser's network, its multiply-accumulates on one clip, and the frames of
    a clip.
    """
    network, settings = load_teacher_network(teacher)
    frames = settings["clip_frames"]
    clip = example_clip(network, frames, settings["frame_pixels"])
    head = recogniser.head
    if head is None:
        macs = count_macs(lambda: network(*clip))
    else:
        macs = count_macs(lambda: head(network.describe(*clip)))
    return str(settings["network"]), macs, frames


def _recognise(
    row: Row,
    video: VideoClips,
    networks: Mapping[str, Scored],
    attention: Attention | None,
    clip_macs: int,
    grid: ClipGrid,
) -> Recognised:
    """What the recogniser makes of the clips that a row chooses, and what that costs."""
    draws = CHOICES[row.choice](video, row)
    seen = video.count if row.choice in READS_ALL else len(draws[0])
    recogniser, sampler = seen * clip_macs, sampler_macs(row, networks, video.saliency)
    kinds, read = inputs_of(row, networks), list(range(video.count))
    if attention is not None and row.trained:
        sampler += attention.macs(row, video.count)
        read = attention.moments_read(row, video.count)
        kinds |= {"frame", "audio"} & {
            {"image": "frame"}.get(each, each) for each in attention.network(row).network.modalities
        }
    recognised_clips = range(video.count) if row.choice in READS_ALL else draws[0]
    moves = bool(kinds & {"displacement", "residual"})
    framed = read if "frame" in kinds else []
    pictures = pictures_needed(recognised_clips, framed, video.count if moves else 0, grid)
    return Recognised(
        np.stack([video.recognised(row, clips) for clips in draws]),
        draws[0],
        sampler,
        recogniser,
        pictures,
        video.saliency.coded if moves else 0,
        float(sound_seconds(read, video.count)) if "audio" in kinds else 0.0,
    )
