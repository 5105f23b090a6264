"""How well linear classifiers of features of published networks know the classes of clips
from new sources: cross-validated by group.

    python benchmarks/by_group.py OUTPUT workflow/configs/fight.yaml \
        workflow/configs/pretrained_fight.yaml [--folds 5] [--draws 5] [--untrained]

The features are the descriptors of the frame teacher, `teacher.network: frames`, of every moment of
the source, whose videos have groups. Whole groups are dealt to the folds, the largest first. For
each fold the teacher's linear classifier is fit on the moments of the others; a video's
probabilities are the mean of those of its moments. It prints top-1 per video, mean and standard
deviation over the folds of all draws, and how often the most frequent class of the other folds is
right. OUTPUT keeps the descriptors, since they take minutes. With `--untrained` the same networks
keep their initial random weights: take another OUTPUT.
"""

import argparse
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean, stdev

import numpy as np
import torch

from l2l.config import Config, read_config
from l2l.manifest.artifact import Video
from l2l.manifest.listing import list_dataset
from l2l.manifest.probe import probe_files
from l2l.media.decode import decode
from l2l.media.decoded import covered
from l2l.mels.spectrogram import log_mel
from l2l.pretrained.efficientnet.network import FEATURES
from l2l.stores import atomic_path
from l2l.teacher.artifact import load_frame_networks
from l2l.teacher.head import fit_head
from l2l.teacher.network import FrameTeacher, as_input

Descriptors = Mapping[str, np.ndarray]
"""Of each video: (moments, channel) float32."""
PARTS = {
    "mean of pictures": slice(FEATURES),
    "mean and change of pictures": slice(2 * FEATURES),
    "sound": slice(2 * FEATURES, None),
    "all three": slice(None),
}


def described(teacher: FrameTeacher, video: Video, config: Config) -> np.ndarray:
    """The teacher's descriptor of each moment (moments, 2944); none of an unusable video."""
    decoded = decode(video.source, config.media, "clips")
    rows = [np.zeros((0, teacher.descriptor_width), np.float32)]
    heard = log_mel(decoded.windows(), config.mels)
    has_sound = covered(decoded.sound_runs, decoded.moments)
    for moment in range(decoded.moments):
        clip = torch.from_numpy(decoded.clip(moment)[None])
        sound = torch.from_numpy(heard[moment : moment + 1]).float()
        flag = torch.from_numpy(has_sound[moment : moment + 1])
        with torch.inference_mode():
            rows.append(teacher.describe(as_input(clip, "frames"), sound, flag).numpy())
    return np.concatenate(rows)


def describe_all(
    config: Config, videos: Sequence[Video], output: Path, untrained: bool
) -> dict[str, np.ndarray]:
    """The descriptors of each video, kept in OUTPUT, each channel divided by its deviation over all
    moments: features of random networks are tiny.
    """
    torch.manual_seed(config.seed)
    teacher = FrameTeacher(len({video.label for video in videos})).eval()
    if not untrained:
        load_frame_networks(teacher, config.teacher)
    kept = {}
    for video in videos:
        path = output / f"{video.video}.npy"
        if not path.is_file():
            descriptors = described(teacher, video, config)
            with atomic_path(path) as part, open(part, "wb") as file:
                np.save(file, descriptors)
        kept[video.video] = np.load(path)
    spread = np.concatenate(list(kept.values())).astype(np.float64).std(0)
    spread[spread == 0] = 1
    return {video: (rows / spread).astype(np.float32) for video, rows in kept.items()}


def folds_of(videos: Sequence[Video], folds: int, seed: int) -> list[list[Video]]:
    """The videos of each fold: whole groups, the largest first and equally large ones in a random
    order, each to the fold with the fewest videos.
    """
    groups: defaultdict[str, list[Video]] = defaultdict(list)
    for video in videos:
        groups[video.group].append(video)
    names = np.random.default_rng(seed).permutation(sorted(groups)).tolist()
    dealt: list[list[Video]] = [[] for _ in range(folds)]
    for name in sorted(names, key=lambda name: -len(groups[name])):
        min(dealt, key=len).extend(groups[name])
    return dealt


def right_of_fold(
    features: Descriptors, train: Sequence[Video], test: Sequence[Video], classes: Sequence[str]
) -> list[bool]:
    """Whether each test video is classified right."""
    labels = [classes.index(video.label) for video in train]
    counts = [len(features[video.video]) for video in train]
    examples = np.concatenate([features[video.video] for video in train])
    head = fit_head(examples, np.repeat(labels, counts), len(classes))
    right = []
    with torch.inference_mode():
        for video in test:
            scores = head(torch.from_numpy(features[video.video]))
            right.append(classes[int(scores.softmax(1).mean(0).argmax())] == video.label)
    return right


def main() -> None:
    """Print a table in markdown."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("output", type=Path, help="the folder to keep descriptors in")
    parser.add_argument("config", type=Path, nargs="+", help="with teacher.network: frames")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--draws", type=int, default=5, help="how often groups are dealt")
    parser.add_argument("--untrained", action="store_true", help="networks with random weights")
    given = parser.parse_args()
    torch.set_num_threads(1)
    config = read_config(*given.config)
    listed = list_dataset(config.videos[config.source], config.seed)
    probed = probe_files([video.path for video in listed])
    found = [video._replace(**asdict(each)) for video, each in zip(listed, probed, strict=True)]
    usable = [video for video in found if video.usable]
    everything = describe_all(config, usable, given.output, given.untrained)
    videos = [video for video in found if len(everything.get(video.video, ()))]
    classes = sorted({video.label for video in videos})
    draws = [folds_of(videos, given.folds, seed) for seed in range(given.draws)]
    pairs = [
        ([video for other in folds if other is not test for video in other], test)
        for folds in draws
        for test in folds
    ]
    groups = len({video.group for video in videos})
    print(f"{len(videos)} videos of {groups} groups, {len(pairs)} folds\n")
    print("| features | top-1 % | ± |\n|---|---|---|")
    for name, span in PARTS.items():
        part = {video: np.ascontiguousarray(x[:, span]) for video, x in everything.items()}
        shares = [fmean(right_of_fold(part, *pair, classes)) for pair in pairs]
        print(f"| {name} | {100 * fmean(shares):.1f} | {100 * stdev(shares):.1f} |", flush=True)
    frequent = []
    for train, test in pairs:
        labels = [video.label for video in train]
        frequent.append(fmean(video.label == max(classes, key=labels.count) for video in test))
    print(f"| most frequent class | {100 * fmean(frequent):.1f} | {100 * stdev(frequent):.1f} |")


if __name__ == "__main__":
    main()
