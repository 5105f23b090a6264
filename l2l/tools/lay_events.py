"""Untrimmed videos of real sound events and real footage, of which the right seconds are known."""

import os
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np

from l2l.config import MediaConfig
from l2l.demo.artifact import write_film
from l2l.demo.events import Footage, event_video
from l2l.demo.films import FRAME_RATE, generator_of
from l2l.demo.sounds import RATE_HZ
from l2l.errors import BadInput
from l2l.manifest.adapters.folder import find_unlabelled_videos
from l2l.manifest.artifact import SPLITS
from l2l.manifest.lists import read_rows
from l2l.manifest.probe import probe_files
from l2l.media.decode import decode
from l2l.progress import counted
from l2l.stores import atomic_path, write_table

COLUMNS = ("file", "split", "label", "start_seconds", "end_seconds", "fold")
LAYOUT = "expected files CLASS/FOLD-ID-TAKE.ogg, as in ESC-10 and ESC-50"


class Event(NamedTuple):
    """A recording of a sound event."""

    path: Path
    label: str
    fold: int


def lay_events(
    events: Path,
    /,
    footage: Path,
    output: Path,
    groups: Path | None = None,
    group_column: str = "source_group",
    seconds: float = 40.0,
    val_fold: int = 4,
    test_fold: int = 5,
    side_pixels: int = 64,
    seed: int = 0,
) -> None:
    """Draw a data set: sound events laid over footage at known seconds.

    The footage keeps its own sound. Writes OUTPUT/SPLIT/CLASS/EVENT.mp4 and OUTPUT/segments.tsv,
    for the adapter `table`. The folds of the events are the splits, and no piece of footage is in
    two splits.

    Args:
        events: a folder of CLASS/FOLD-ID-TAKE.ogg, such as ESC-10.
        footage: a folder of videos with sound; those without are left out.
        output: the folder to write.
        groups: a tab-separated table with a column `file`, relative to its folder, whose groups of
            footage stay in one split; default: each file for itself.
        group_column: the column of the groups.
        seconds: length of each video.
        val_fold: the fold of the val split.
        test_fold: the fold of the test split; the others are train.
        side_pixels: side of the square pictures.
        seed: of the order of the footage and the second of each event.

    Raises:
        BadInput: if there are no events or no footage, an event cannot be read or is longer than
            the video, a fold has no events, or a file of footage has no group.

    Example:
        l2l lay_events ESC-10 --footage footage --output laid
    """
    recordings = find_events(events)
    split_of = {each.fold: "train" for each in recordings} | {val_fold: "val", test_fold: "test"}
    counts = {split: sum(split_of[each.fold] == split for each in recordings) for split in SPLITS}
    if empty := [split for split, count in counts.items() if not count]:
        folds = ", ".join(map(str, sorted({each.fold for each in recordings})))
        raise BadInput(f"{events}: no event for {empty[0]}; its folds are {folds}")
    group_of = read_groups(groups, group_column) if groups else {}
    pieces = split_footage(read_footage(footage, side_pixels), group_of, counts)
    rows = []
    with atomic_path(output, "segments.tsv") as folder:
        for each in counted(recordings, len(recordings), "events"):
            split = split_of[each.fold]
            file = f"{split}/{each.label}/{each.path.stem}.mp4"
            rng = generator_of(seed, file)
            waveform = read_event(each.path, seconds)
            film = event_video(rng, waveform, pieces[split], seconds)
            write_film(folder / file, film)
            (span,) = film.actions
            values = (file, split, each.label, *(f"{edge:.3f}" for edge in span), each.fold)
            rows.append(dict(zip(COLUMNS, values, strict=True)))
        write_table(folder / "segments.tsv", COLUMNS, rows)


def find_events(folder: Path) -> list[Event]:
    """The recordings of a folder, by class and name.

    Raises:
        BadInput: if there are none, or the name of one does not begin with the number of its fold.
    """
    events = []
    for path in sorted(folder.glob("*/*.ogg")):
        fold = path.name.partition("-")[0]
        if not (fold.isascii() and fold.isdigit()):
            raise BadInput(f"{path}: its name does not begin with the number of a fold; {LAYOUT}")
        events.append(Event(path, path.parent.name, int(fold)))
    if not events:
        raise BadInput(f"{folder}: found no sound event; {LAYOUT}")
    return events


def read_event(path: Path, seconds: float) -> np.ndarray:
    """The waveform of a recording: mono at 16 kHz, (samples,) float64.

    Raises:
        BadInput: if it cannot be decoded, or is longer than so many seconds.
    """
    try:
        with av.open(str(path)) as container:
            resampler = av.AudioResampler("flt", "mono", RATE_HZ)
            frames = [
                resampled
                for frame in [*container.decode(audio=0), None]
                for resampled in resampler.resample(frame)
            ]
    except (av.error.FFmpegError, IndexError) as error:
        raise BadInput(f"{path}: cannot be decoded as sound ({error})") from None
    waveform = np.concatenate([frame.to_ndarray()[0] for frame in frames]).astype(np.float64)
    if len(waveform) > seconds * RATE_HZ:
        length = f"{len(waveform) / RATE_HZ:.1f} s of sound"
        raise BadInput(f"{path}: {length}, longer than a video of {seconds:g} s")
    return waveform


def read_footage(folder: Path, side_pixels: int) -> dict[Path, Footage]:
    """The videos of a folder that have sound from beginning to end.

    Raises:
        BadInput: if there are none.
    """
    media = MediaConfig(resize_pixels=side_pixels, frame_pixels=side_pixels, clip_stride=2)
    paths = [Path(video.file) for video in find_unlabelled_videos(folder)]
    footage = {}
    opened = zip(paths, probe_files(paths), strict=True)
    for path, probed in counted(opened, len(paths), "pieces of footage"):
        if probed.status != "ok":
            continue
        decoded = decode(probed.source(path), media, "clips")
        if decoded.status == "ok":
            pictures = decoded.pictures.as_array()
            waveform = np.zeros(round(len(pictures) / FRAME_RATE * RATE_HZ))
            samples = decoded.waveform[: len(waveform)] / 32768
            waveform[: len(samples)] = samples
            footage[path] = Footage(pictures, waveform)
    if not footage:
        raise BadInput(f"{folder}: no video in it has sound from beginning to end")
    return footage


def read_groups(table: Path, column: str) -> dict[str, str]:
    """The group of each file of a table, by its real path.

    Raises:
        BadInput: if the table is missing or has no such columns.
    """
    return {
        os.path.realpath(table.parent / row["file"]): row[column]
        for _, row in read_rows(table, ("file", column), delimiter="\t")
    }


def split_footage(
    footage: Mapping[Path, Footage], group_of: Mapping[str, str], counts: Mapping[str, int]
) -> dict[str, list[Footage]]:
    """The pieces of each split: whole groups, about in proportion to the videos of the splits.

    The longest group that is left goes to the split that lacks most.

    Args:
        footage: by path.
        group_of: group by real path; empty: each piece for itself.
        counts: videos of each split.

    Raises:
        BadInput: if a piece has no group, or there are fewer groups than splits.
    """
    groups: defaultdict[str, list[Footage]] = defaultdict(list)
    for path, piece in footage.items():
        real = os.path.realpath(path)
        if group_of and not group_of.get(real):
            raise BadInput(f"{path}: the table of groups has no group for it")
        groups[group_of.get(real, real)].append(piece)
    if len(groups) < len(counts):
        raise BadInput(f"{len(groups)} groups of footage, expected one per split at least")
    frames = {name: sum(len(p.pictures) for p in pieces) for name, pieces in groups.items()}
    splits: dict[str, list[Footage]] = {split: [] for split in counts}
    taken = dict.fromkeys(counts, 0.0)
    for name in sorted(groups, key=lambda name: (-frames[name], name)):
        split = min(taken, key=lambda split: (bool(splits[split]), taken[split] / counts[split]))
        splits[split] += groups[name]
        taken[split] += frames[name]
    return splits
