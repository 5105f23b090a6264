"""From the public release, its checkpoints and features, to our files and scores, without touching
video.
"""

import random
import shutil
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from l2l.config import FeatureName
from l2l.errors import BadInput
from l2l.evaluation.measures.metrics import (
    interpolated_mean_average_precision,
    mean_average_precision,
    top1,
)
from l2l.evaluation.measures.probabilities import class_probabilities
from l2l.features.artifact import VideoFeatures, complete_root, read_features, write_features
from l2l.manifest.artifact import SPLITS, Video, read_videos, write_videos
from l2l.progress import counted
from l2l.reference.checkpoint import head_of, read_checkpoint, skimmer_of
from l2l.reference.exported import import_run, is_safetensors
from l2l.reference.lists import (
    AUDIO,
    CHANNELS,
    FUSED,
    IMAGE,
    Listed,
    check_features,
    class_indices,
    feature_paths,
    load_features,
    read_list,
    video_id,
)
from l2l.reference.preset import PAPER, SINGLE_MODALITY, TWO_MODALITIES, Reference, skim_videos
from l2l.shards import check_videos
from l2l.skimmer.artifact import (
    TrainedSkimmer,
    check_student,
    load_skimmer,
    named_features,
    save_skimmer,
)
from l2l.skimmer.early_exit import EarlyExit
from l2l.skimmer.network import Skimmer
from l2l.stores import write_table
from l2l.student.artifact import load_start, save_head
from l2l.student.network import Modality
from l2l.training import seed_and_pick_device

SHARD_VIDEOS = 128  # some 150 MB of features


def import_checkpoint(
    ref: Path,
    out: Path,
    /,
    class_names: Path | None = None,
    modality: Modality = "image",
    threads: int = 1,
) -> None:
    """Turn a checkpoint of the public code into a file of ours.

    A skimmer, of two modalities or of one, becomes a skimmer as train_skimmer writes it; the
    published image-audio network becomes the head of a student, for train_skimmer to start from.
    The file that `l2l export` made of a run becomes the folder of a run again, with its networks
    and its configuration.

    Args:
        ref: the checkpoint, or a state dict alone; nothing is unpickled but tensors and plain
            containers; or the file of `l2l export`.
        out: written; of an exported run a folder, such as results/imported.
        class_names: a text with one class name per line, in the order of their indices; without
            it they are 0, 1, 2, ...
        modality: what a single-modality checkpoint is said to read.
        threads: of torch.

    Raises:
        BadInput: if the file is refused, or is not a network of the public code.

    Example:
        l2l import_checkpoint skimmer.pth.tar skimmer.pt --class-names classes.txt
    """
    seed_and_pick_device(0, threads)
    if is_safetensors(ref):
        import_run(ref, out)
        return
    saved = read_checkpoint(ref)
    if any(name.startswith("rnn.") for name in saved.state):
        network, widths, config = skimmer_of(ref, saved.state, modality)
        config = config.model_copy(update={"steps": saved.steps or config.steps})
        names = _names(class_names, network.classifier.out_features)
        save_skimmer(out, TrainedSkimmer(network, "skimmer", names, config.steps), widths, config)
    else:
        head = head_of(ref, saved.state)
        head.class_names = _names(class_names, head.classifier.out_features)
        save_head(out, head)


def _names(path: Path | None, classes: int) -> tuple[str, ...]:
    if path is None:
        return tuple(map(str, range(classes)))
    try:
        names = tuple(
            line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()
        )
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(
            f"{path}: not readable ({error}); expected one class name per line"
        ) from None
    if len(names) != classes or len(set(names)) != classes:
        raise BadInput(
            f"{path}: {len(set(names))} different names in {len(names)} lines, expected {classes}"
        )
    return names


def import_features(
    listing: Path,
    out: Path,
    /,
    split: Literal["train", "val", "test"] = "test",
    folder: Path | None = None,
    checkpoint: Path | None = None,
    only: str | None = None,
    threads: int = 1,
) -> None:
    """Bring a list of published features into a Zarr store of ours.

    A table of the videos is written next to it: `OUT.videos.tsv`. The features of another list, for
    another split, are added to the store; those of the same split are replaced.

    Args:
        listing: a pickle of (paths, labels), or text with `path label` in a line; paths lead
            through a folder imageAudio_features, and image_features and audio_features are next to
            it: in each one .npy per video, (moments, 512).
        out: the store, a folder.
        split: what the list's videos are for.
        folder: that holds the three folders, in place of where the list says.
        checkpoint: what import_checkpoint wrote, for the names of the classes and the score of each
            moment. Without it classes are those of the store; of a new one 0, 1, 2, ... or the
            list's names, sorted; and no scores are stored.
        only: a folder read in place of the three, such as r2plus1d152_features: a single modality
            of any width, called image.
        threads: of torch.

    Raises:
        BadInput: naming the file that is missing, misshapen or not as long as its fellows, before
            anything is written; or the file with a number that is not finite, while the store is
            written: then it is not marked as whole.

    Example:
        l2l import_features test.pkl features --split test --checkpoint skimmer.pt
    """
    seed_and_pick_device(0, threads)
    lines = read_list(listing)
    class_names, classifier = _classifier_of(checkpoint) if checkpoint else (None, None)
    stored = _stored_classes(out, split)
    if class_names and stored and class_names != stored:
        raise BadInput(f"{out}: holds features of other classes than those of {checkpoint}")
    classes, indices = class_indices(listing, lines, class_names or stored)
    imported = _videos(out)
    if (
        unfinished := {_split(shard) for shard in _shards(out)}
        - {row.split for row in imported}
        - {split}
    ):
        raise BadInput(
            f"{out}: the import of split {min(unfinished)} was not finished; import that again "
            "first"
        )
    others = [row for row in imported if row.split != split]
    rows = _rows(lines, [classes[i] for i in indices], split, {row.video for row in others})
    files = {row.video: feature_paths(row.file, folder, only) for row in rows}
    widths = {check_features(paths, None if only else CHANNELS) for paths in files.values()}
    if len(widths) > 1:
        raise BadInput(
            f"{listing}: its features have {' and '.join(map(str, sorted(widths)))} channels, "
            "expected one number"
        )

    _open_for_writing(out, split, others)
    read = ((row.video, _features(files[row.video], only, classifier)) for row in rows)
    for number, part in enumerate(_parts(counted(read, len(rows)))):
        write_features(
            out / f"{split}-{number:03d}",
            part,
            classes,
            "float32",
            2048,
            {"list": str(listing), "split": split},
            rows,
        )
    write_videos(_table(out), [*others, *rows])
    complete_root(out, _shards(out))


def _stored_classes(out: Path, split: str) -> tuple[str, ...] | None:
    """The classes of what the store holds already, if anything.

    Of other splits, where an import of this one was broken off.
    """
    if (out / "zarr.json").exists():
        return read_features(out).classes
    strangers = {path.name for path in out.iterdir()} if out.is_dir() else set()
    strangers -= {path.name for path in _shards(out)}
    if strangers:
        raise BadInput(
            f"{out}: holds {min(strangers)}; expected a new folder, or a store that "
            "import_features wrote"
        )
    return next(
        (read_features(shard).classes for shard in _shards(out) if _split(shard) != split), None
    )


def _table(out: Path) -> Path:
    """The table of the store's videos: next to it, since a Zarr group holds only Zarr."""
    return Path(f"{out}.videos.tsv")


def _videos(out: Path) -> list[Video]:
    """The videos of what is in the store already; an import that was broken off has none."""
    return read_videos(_table(out)) if _shards(out) and _table(out).exists() else []


def _shards(out: Path) -> list[Path]:
    """The shards in a store, in the order of splits."""
    return [
        path
        for split in SPLITS
        for path in sorted(out.glob(f"{split}-[0-9][0-9][0-9]*"), key=lambda p: (len(p.name), p))
    ]


def _split(shard: Path) -> str:
    """What a shard's videos are for."""
    return shard.name.partition("-")[0]


def _open_for_writing(out: Path, split: str, others: Sequence[Video]) -> None:
    """Take away the mark that the store is whole, then what it and its table have of the split."""
    (out / "zarr.json").unlink(missing_ok=True)
    if _table(out).exists():
        write_videos(_table(out), others)
    for shard in _shards(out):
        if _split(shard) == split:
            shutil.rmtree(shard)


def _classifier_of(checkpoint: Path) -> tuple[tuple[str, ...], nn.Linear]:
    """The names of the classes and the classifier of a skimmer or of a head.

    Raises:
        BadInput: if it is neither, or has several classifiers.
    """
    try:
        trained = load_skimmer(checkpoint)
    except BadInput:
        head = load_start(checkpoint)
        return head.class_names, head.classifier
    if isinstance(trained.network, EarlyExit):
        raise BadInput(
            f"{checkpoint}: found early_exit, which has a classifier per moment, expected a "
            "network with one"
        )
    return trained.class_names, trained.network.classifier


def _rows(
    lines: Sequence[Listed], labels: Sequence[str], split: str, elsewhere: set[str]
) -> list[Video]:
    """One row per video; one that the list has several times has all of its labels."""
    of_path: dict[str, dict[str, None]] = {}
    for line, label in zip(lines, labels, strict=True):
        of_path.setdefault(line.path, {})[label] = None
    rows: dict[str, Video] = {}
    for path, named in of_path.items():
        video = video_id(path)
        if video in rows or video in elsewhere:
            raise BadInput(
                f"{path}: a video {video!r} is there already, in this list or in the store for "
                "another split"
            )
        rows[video] = Video(video, path, split, tuple(named))
    return [*rows.values()]


def _parts(
    videos: Iterator[tuple[str, VideoFeatures]],
) -> Iterator[list[tuple[str, VideoFeatures]]]:
    while part := list(islice(videos, SHARD_VIDEOS)):
        yield part


def _features(
    paths: Mapping[str, Path], only: str | None, classifier: nn.Linear | None
) -> VideoFeatures:
    read = {name: load_features(path) for name, path in paths.items()}
    fused = read[only or FUSED]
    scores = np.zeros((len(fused), 0), np.float32)  # not known
    if classifier is not None and classifier.in_features == fused.shape[1]:
        with torch.inference_mode():
            scores = classifier(torch.from_numpy(fused)).numpy()
    features = {"image": fused} if only else {"image": read[IMAGE], "audio": read[AUDIO]}
    # a moment without sound has the audio feature zero, as with the students of l2l
    has_sound = np.zeros(len(fused), bool) if only else np.asarray((read[AUDIO] != 0).any(axis=1))
    return VideoFeatures(features, fused, scores, has_sound)


def score(
    checkpoint: Path,
    features: Path,
    scores: Path,
    videos: Path | None = None,
    steps: int | None = None,
    factor: int = 1,
    hard: bool = False,
    repeats: bool = False,
    preset: Literal["paper", "reference"] = "paper",
    batch_videos: int = 64,
    seed: int = 0,
    threads: int = 1,
) -> None:
    """Write the skimmer's logits of every video of a store, and print its accuracy.

    Top-1 and both mean average precisions, for each split.

    Args:
        checkpoint: a skimmer that import_checkpoint or train_skimmer wrote.
        features: root of the features in Zarr.
        scores: written: one row per video, in the order of the store: video, then one column per
            class, every digit of float32.
        videos: the table with the videos' labels; default: the one that import_features writes next
            to its store. Without labels nothing is printed.
        steps: T; without it as many as the skimmer was trained with.
        factor: features are read of one moment in so many and interpolated between; those that a
            skimmer reads only of the moments it selects are read there.
        hard: steps see the features of the selected moments, not weighted means.
        repeats: a moment may be selected again.
        preset: `paper`; or `reference`, with the public code's accidents, among them a draw of
            chance for each video.
        batch_videos: skimmed at once; changes no score of the paper's (the public code's own
            command has 256).
        seed: of the reference's chance.
        threads: of torch.

    Raises:
        BadInput: if the checkpoint is no skimmer, was trained for another student than the
            features', reads others than the store's, or is one that the public code has not, with
            `reference`.

    Example:
        l2l score --checkpoint skimmer.pt --features features --scores scores.tsv
    """
    for name, value in (
        ("steps", 1 if steps is None else steps),
        ("factor", factor),
        ("batch-videos", batch_videos),
    ):
        if value < 1:
            raise BadInput(f"--{name} is {value}, expected at least 1")
    trained, stored = load_skimmer(checkpoint), read_features(features)
    device = seed_and_pick_device(
        seed, threads
    )  # after a network is built, which draws numbers too
    check_student(checkpoint, trained, features, stored.student_digest)
    network = trained.network
    if not isinstance(network, Skimmer) or trained.model != "skimmer":
        raise BadInput(f"{checkpoint}: found {trained.model}, expected a skimmer")
    if "video" in trained.class_names:
        raise BadInput(
            f"{checkpoint}: a class is named video, as is the column of the videos' ids; expected "
            "another name"
        )
    variant = trained.variant
    if preset == "reference" and (variant.indexing or variant.selected or variant.queried):
        advice = (
            f"found a skimmer that reads {variant!r}, which the public code has not; leave "
            "out --preset reference"
        )
        raise BadInput(f"{checkpoint}: {advice}")
    widths = network.widths | (network.indexing or {})
    if lacking := [m for m in widths if m not in (*stored.modalities, "fused")]:
        stored_features = " and ".join((*stored.modalities, "fused"))
        advice = (
            f"score reads those of a store alone: give a skimmer without {lacking[0]}, or see "
            "evaluation.variants"
        )
        raise BadInput(
            f"{features}: found {stored_features} features, expected {' and '.join(lacking)} too, "
            f"as {checkpoint} reads; {advice}"
        )
    network.to(device)
    reference, filler = (
        reference_of(network) if preset == "reference" else PAPER,
        random.Random(seed),
    )
    rows = []
    batches = range(0, len(stored.videos), batch_videos)
    for first in counted(batches, len(batches), "batches of videos"):
        names = stored.videos[first : first + batch_videos]
        loaded = [named_features(name, stored.load(name), tuple(widths), {}) for name in names]
        _check_widths(checkpoint, widths, features, {m: x.shape[1] for m, x in loaded[0].items()})
        read = [{m: x.to(device) for m, x in video.items()} for video in loaded]
        with torch.inference_mode():
            how = (
                steps or trained.steps,
                factor,
                hard,
                repeats,
                reference,
                filler,
                trained.variant.selected,
            )
            logits = skim_videos(network, read, *how)
        if not logits.isfinite().all():
            raise BadInput(
                f"{checkpoint}: its scores of {features} are not finite; none is written"
            )
        for name, row in zip(names, logits.cpu().tolist(), strict=True):
            rows.append(
                {"video": name}
                | {c: f"{x:.9g}" for c, x in zip(trained.class_names, row, strict=True)}
            )
    write_table(scores, ("video", *trained.class_names), rows)
    labelled = videos or _table(features)
    if videos is not None or labelled.exists():
        scored = np.array([[float(row[c]) for c in trained.class_names] for row in rows])
        _print_accuracy(labelled, stored.videos, scored, trained.class_names)


def _print_accuracy(
    videos: Path,
    ids: Sequence[str],
    logits: Float[np.ndarray, "videos classes"],
    class_names: Sequence[str],
) -> None:
    """One line per split: top-1, and mean average precision in both definitions.

    Raises:
        BadInput: if the table lacks a scored video, or names a class that has no score.
    """
    row_of = {name: i for i, name in enumerate(ids)}
    number = {name: i for i, name in enumerate(class_names)}
    listed = [video for video in read_videos(videos) if video.video in row_of]
    check_videos(videos, [video.video for video in listed], ids)
    for video in listed:
        if unknown := set(video.labels) - set(number):
            raise BadInput(
                f"{videos}: video {video.video!r} is of class {min(unknown)!r}, which has no "
                "score; import_checkpoint takes the names of the classes"
            )
    for split in SPLITS:
        if not (of_split := [video for video in listed if video.split == split]):
            continue
        probabilities = class_probabilities(logits[[row_of[each.video] for each in of_split]])
        labels = np.array([number[each.label] for each in of_split])
        shown = np.zeros(probabilities.shape, bool)
        for i, each in enumerate(of_split):
            shown[i, [number[label] for label in each.labels]] = True
        print(
            f"{split}: {len(of_split)} videos, top-1 {100 * top1(probabilities, labels):.2f} %, "
            f"mAP {100 * mean_average_precision(probabilities, labels):.2f} %, interpolated "
            f"{100 * interpolated_mean_average_precision(probabilities, shown):.2f} %"
        )


def reference_of(network: Skimmer) -> Reference:
    """The public code's accidents.

    Its single-modality variant, which has no Psi, has others than its main one.
    """
    return SINGLE_MODALITY if isinstance(network.fusion, nn.Identity) else TWO_MODALITIES


def _check_widths(
    checkpoint: Path,
    read: Mapping[FeatureName, int],
    features: Path,
    stored: Mapping[FeatureName, int],
) -> None:
    for m, width in read.items():
        if stored[m] != width:
            raise BadInput(
                f"{features}: {m} features: found {stored[m]} channels, expected {width} channels, "
                f"as {checkpoint} reads"
            )
