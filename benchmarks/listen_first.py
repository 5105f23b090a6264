"""Listen to the whole sound first and look only where it says, or look at blind, evenly spaced
moments: what each finds in videos that `l2l lay_events` drew, by their labels alone, and its cost.

    python benchmarks/listen_first.py results/esc10-videos WEIGHTS OUTPUT [--seeds 1 2 3]

OUTPUT keeps what was heard and trained; delete it to start again. WEIGHTS is the file of
EfficientAT mn04. It hears either the whole track of a video in one pass, where a moment's feature
is the mean of its last feature map over the moment's second; or each moment's second by itself, as
the chain does, so nearly every sample twice. The networks of the skimmer's stage are trained on
either, from a random Psi and classifier: no training is given where an event lies. One look gives
the moments with the largest weights, of which pictures are decoded; blind, it hears and sees the
middle one of each span. The pictures' network is priced as EfficientNet-Lite0. Settings are those
of workflow/configs/esc10.yaml, with Psi and the classifier learning at the full rate.

Seconds are of CPU, one thread: means over some test videos.
"""

import argparse
import functools
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, NamedTuple, get_args

import numpy as np
import torch
from event_bars import Track, bars
from torchvision.models import MobileNetV3

from l2l.config import SkimmerConfig, read_config
from l2l.evaluation.cost import count_macs
from l2l.evaluation.measures.selection import key_frame_rate, scene_hit_rate
from l2l.features.artifact import VideoFeatures, complete_root, read_features, write_features
from l2l.manifest.artifact import Segment, Video, write_videos
from l2l.manifest.probe import probe_files
from l2l.manifest.source import Source
from l2l.media.decode import decode
from l2l.media.decoded import Decoded, cut_windows
from l2l.moments import MOMENT_SECONDS, WINDOW_SAMPLES, moments_inside
from l2l.pretrained.efficientat.network import FEATURES
from l2l.pretrained.efficientat.spectrogram import (
    HOP_SAMPLES,
    RATE_HZ,
    spectrogram_shape,
    spectrograms_of_windows,
)
from l2l.pretrained.efficientat.weights import load_efficientat_mn04
from l2l.pretrained.efficientnet.network import (
    SIDE_PIXELS,
    efficientnet_lite0_trunk,
    picture_input,
)
from l2l.skimmer.artifact import Model, TrainedSkimmer, load_skimmer
from l2l.skimmer.stage import train_skimmer
from l2l.stores import atomic_path, read_table
from l2l.student.artifact import save_head
from l2l.student.network import Head

CONFIG = read_config(Path(__file__).parents[1] / "workflow/configs/esc10.yaml")
SKIMMER = SkimmerConfig.model_validate(
    CONFIG.skimmer.model_dump() | {"fusion_lr_scale": 1.0, "classifier_lr_scale": 1.0}
)
COLUMN_SECONDS = 32 * HOP_SAMPLES / RATE_HZ  # of the last feature map
PSI = 256, 128  # widths of its two layers, a quarter of the paper's
TIMED_VIDEOS = 5
KINDS = ("whole track", "second by second")
Sounds = Mapping[str, np.ndarray]
"""What is heard in each video: (moments, channel) float32."""


# ---- What is heard. ------------------------------------------------------------------------------


def hear_whole(network: MobileNetV3, waveform: np.ndarray) -> np.ndarray:
    """The last feature map of a whole track, int16 at 16 kHz, averaged over its bands: (columns of
    0.32 s, 384).
    """
    with torch.inference_mode():
        spectrogram = torch.from_numpy(spectrograms_of_windows(waveform[None]))
        return network.features(spectrogram[:, None])[0].mean(1).T.numpy()


def moments_of_map(columns: np.ndarray, count: int) -> np.ndarray:
    """The mean of a feature map (columns, channel) over each moment's second: (moments, channel).

    A column belongs to the seconds in which its middle lies; a moment in which none lies, at the
    end of the sound, has the last column.
    """
    middles = (np.arange(len(columns)) + 0.5) * COLUMN_SECONDS
    rows = []
    for start in (float(k * MOMENT_SECONDS) for k in range(count)):
        inside = (middles >= start) & (middles < start + 1)
        rows.append(columns[inside].mean(0) if inside.any() else columns[-1])
    return np.stack(rows)


def hear_seconds(network: MobileNetV3, windows: np.ndarray) -> np.ndarray:
    """The feature of each second of sound, int16 (moments, 16000), heard by itself."""
    with torch.inference_mode():
        spectrograms = torch.from_numpy(spectrograms_of_windows(windows))
        return network.features(spectrograms[:, None]).mean((2, 3)).numpy()


def listed_videos(folder: Path, splits: Sequence[str]) -> list[Video]:
    """The videos of some splits that `l2l lay_events` wrote, with their events."""
    columns = ("file", "split", "label", "start_seconds", "end_seconds")
    videos = []
    for row in read_table(folder / "segments.tsv", columns):
        if row["split"] not in splits:
            continue
        event = Segment(float(row["start_seconds"]), float(row["end_seconds"]), row["label"])
        path = str(folder / row["file"])
        videos.append(Video(row["file"], path, row["split"], (row["label"],), (event,)))
    found = probe_files([video.path for video in videos])
    return [video._replace(**asdict(probed)) for video, probed in zip(videos, found, strict=True)]


def hear(network: MobileNetV3, video: Video) -> dict[str, np.ndarray]:
    """The feature of each moment (moments, 384) by each of `KINDS`."""
    decoded = decode(video.source, CONFIG.media, "none")
    windows = cut_windows(decoded.waveform, range(decoded.moments))
    whole = moments_of_map(hear_whole(network, decoded.waveform), decoded.moments)
    return dict(zip(KINDS, (whole, hear_seconds(network, windows)), strict=True))


def heard_in(network: MobileNetV3, videos: Sequence[Video], output: Path) -> dict[str, Sounds]:
    """What is heard in the videos, by kind; kept in OUTPUT, since it takes minutes."""
    sounds: dict[str, dict[str, np.ndarray]] = {kind: {} for kind in KINDS}
    for video in videos:
        kept = output / "heard" / f"{video.video}.npz"
        if not kept.is_file():
            heard = hear(network, video)
            with atomic_path(kept) as part, open(part, "wb") as file:
                np.savez(file, **heard)
        with np.load(kept) as arrays:
            for kind in KINDS:
                sounds[kind][video.video] = arrays[kind]
    return sounds


def standardised(sounds: Sounds, train: Sequence[Video]) -> Sounds:
    """The features shifted and scaled to mean 0 and deviation 1 over the train videos' moments."""
    rows = np.concatenate([sounds[video.video] for video in train])
    mean, spread = rows.mean(0), rows.std(0) + 1e-6
    return {video: (heard - mean) / spread for video, heard in sounds.items()}


def store_sound(sounds: Sounds, videos: Sequence[Video], folder: Path) -> None:
    """What `train_skimmer` reads: FOLDER/features and FOLDER/videos.tsv."""
    classes = sorted({video.label for video in videos})
    rows = []
    for video, heard in sounds.items():
        no_scores, has_sound = np.zeros((len(heard), 0), np.float32), np.ones(len(heard), bool)
        rows.append((video, VideoFeatures({"audio": heard}, heard[:, :1], no_scores, has_sound)))
    shard = folder / "features/shard-000"
    write_features(shard, rows, classes, "float32", 2048, {})
    complete_root(folder / "features", [shard])
    write_videos(folder / "videos.tsv", videos)


def trained_networks(folder: Path, model: Model, seeds: Sequence[int]) -> list[TrainedSkimmer]:
    """A model trained with several seeds on the labels of the train videos, each from a random Psi
    and classifier.
    """
    classes = read_features(folder / "features").classes
    networks = []
    for seed in seeds:
        start, path = folder / f"head-{seed}.pt", folder / f"{model}-{seed}.pt"
        torch.manual_seed(seed)
        head = Head({"audio": FEATURES}, len(classes), *PSI)
        head.class_names = classes
        save_head(start, head)
        inputs = start, folder / "videos.tsv", folder / "features"
        if not path.is_file():
            train_skimmer(*inputs, path, SKIMMER, model, seed)
        networks.append(load_skimmer(path))
    return networks


# ---- Where it looks, and what comes of it. -------------------------------------------------------


class Way(NamedTuple):
    """A way to choose the moments whose pictures are decoded.

    Attributes:
        name: in the table.
        factor: one moment in so many is heard.
        pictures: so many of those that are heard, with the largest weights; None: all.
    """

    name: str
    factor: int = 1
    pictures: int | None = None


CHOSEN = tuple(Way(f"listen first, {n}", 1, n) for n in (1, 3, 5, 10))
BLIND = tuple(Way(f"blind, 1 in {factor}", factor) for factor in (1, 2, 5, 10, 15))


class Looked(NamedTuple):
    """The result of a way for one video.

    Attributes:
        right: whether the answer by all moments that were heard is right.
        right_by_seen: the same by those alone whose pictures are decoded.
        in_event: share of these that lie in the event.
        event_seen: whether any does.
        heard: number of moments that are heard.
        pictures: number of moments whose pictures are decoded.
    """

    right: float
    right_by_seen: float
    in_event: float
    event_seen: float
    heard: float
    pictures: float


def answer(
    trained: TrainedSkimmer, heard: np.ndarray, factor: int = 1, picks: int | None = None
) -> tuple[int, list[int]]:
    """The class, and the moments that are picked or, of a network without weights, none.

    Args:
        trained: the network.
        heard: features (moments, channel).
        factor: features are read of one moment in so many.
        picks: how many moments one look picks; None: all that were read.
    """
    given = trained.read(torch.from_numpy(heard), factor)
    present = torch.ones(1, len(given), dtype=torch.bool)
    with torch.inference_mode():
        if trained.model == "lstm":
            return int(trained.scores({"audio": given[None]}, present).argmax()), []
        output = trained.output({"audio": given[None]}, present)
    places = trained.picks(output, len(given) if picks is None else picks)
    if trained.model == "one_look":
        read = trained.moments_read(len(heard), factor)
        places = [read[i] for i in places]
    return int(output.logits[0].argmax()), places


def look(way: Way, trained: TrainedSkimmer, heard: np.ndarray, label: int, video: Video) -> Looked:
    """Answer for one video by one look."""
    named, places = answer(trained, heard, way.factor, way.pictures)
    named_by_seen, _ = answer(trained, heard[places])
    return Looked(
        named == label,
        named_by_seen == label,
        key_frame_rate(places, events(video), len(heard)),
        scene_hit_rate(places, events(video), len(heard)),
        len(trained.moments_read(len(heard), way.factor)),
        len(places),
    )


def events(video: Video) -> list[tuple[float, float]]:
    """Start and end of a video's events in seconds."""
    return [(each.start_seconds, each.end_seconds) for each in video.segments or ()]


# ---- What it costs. ------------------------------------------------------------------------------


class Prices(NamedTuple):
    """What the parts cost: multiply-accumulates, and CPU seconds.

    The whole track and its decoding are per video, the others per moment.
    """

    whole_macs: int
    second_macs: int
    picture_macs: int
    decoding_seconds: float
    whole_seconds: float
    second_seconds: float
    picture_seconds: float


def cpu_seconds() -> float:
    """CPU time of this process and of all processes that it started."""
    spent = sum(os.times()[:4])  # ended children are in it, running ones are not
    for task in Path("/proc/self/task").iterdir():
        for child in (task / "children").read_text().split():
            fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
            spent += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return spent


def seconds_of(call: Callable[..., object], inputs: Sequence[Any], runs: int = 3) -> float:
    """CPU seconds of a call, mean over some inputs and runs, after one that is not counted."""
    call(inputs[0])
    began = cpu_seconds()
    for each in inputs:
        for _ in range(runs):
            call(each)
    return (cpu_seconds() - began) / (len(inputs) * runs)


def macs_of_sound(network: MobileNetV3, samples: int) -> int:
    """Multiply-accumulates of the feature map of so many samples at 16 kHz. Those of its
    spectrogram are left out, as in all tables.
    """
    return count_macs(lambda: network.features(torch.zeros(1, 1, *spectrogram_shape(samples))))


def prices(network: MobileNetV3, videos: Sequence[Video]) -> Prices:
    """Count and time the parts on some videos of one length."""
    sources = [video.source for video in videos]
    listen = functools.partial(decode, media=CONFIG.media, pictures="none")
    decoded = [listen(source) for source in sources]
    tracks = [each.waveform for each in decoded]
    windows = [cut_windows(each.waveform, range(each.moments)) for each in decoded]
    lite0 = efficientnet_lite0_trunk().eval()
    picture = picture_input(torch.zeros(1, SIDE_PIXELS, SIDE_PIXELS, 3, dtype=torch.uint8))

    def see(_: object) -> None:
        with torch.inference_mode():
            lite0(picture)

    whole, by_second = (functools.partial(each, network) for each in (hear_whole, hear_seconds))
    return Prices(
        macs_of_sound(network, len(tracks[0])),
        macs_of_sound(network, WINDOW_SAMPLES),
        count_macs(lambda: see(None)),
        seconds_of(listen, sources),
        seconds_of(whole, tracks),
        seconds_of(by_second, windows) / fmean(map(len, windows)),
        seconds_of(see, range(3)),
    )


def cost_of(way: Looked, whole: bool, price: Prices, seeing_seconds: float) -> tuple[float, float]:
    """GMACs and seconds per video; `seeing_seconds` are those of decoding its pictures."""
    macs = price.whole_macs if whole else way.heard * price.second_macs
    seconds = price.whole_seconds if whole else way.heard * price.second_seconds
    macs += way.pictures * price.picture_macs
    seconds += way.pictures * price.picture_seconds + price.decoding_seconds + seeing_seconds
    return macs / 1e9, seconds


# ---- The tables. ---------------------------------------------------------------------------------


def mean_and_deviation(values: Sequence[float]) -> str:
    """Of shares, in percent."""
    return f"{100 * fmean(values):.1f} ± {100 * (stdev(values) if len(values) > 1 else 0):.1f}"


def row_of_way(
    way: Way,
    kind: str,
    networks: Sequence[TrainedSkimmer],
    sounds: Sounds,
    test: Sequence[Video],
    price: Prices,
) -> list[str]:
    """The cells of a way: means over the videos, and their deviation over the seeds."""
    classes = networks[0].class_names
    by_seed = [
        Looked(*(fmean(values) for values in zip(*looked, strict=True)))
        for looked in (
            [look(way, each, sounds[v.video], classes.index(v.label), v) for v in test]
            for each in networks
        )
    ]
    mean = Looked(*(fmean(values) for values in zip(*by_seed, strict=True)))
    timed = [
        (video.source, answer(networks[0], sounds[video.video], way.factor, way.pictures)[1])
        for video in test[:TIMED_VIDEOS]
    ]

    def see(video: tuple[Source, list[int]]) -> Decoded:
        return decode(video[0], CONFIG.media, "moments", moments=video[1], sound=False)

    decoded = fmean(see(video).frames_decoded for video in timed)
    gmacs, seconds = cost_of(mean, kind == KINDS[0], price, seconds_of(see, timed))
    shares = [mean_and_deviation(values) for values in list(zip(*by_seed, strict=True))[:4]]
    counts = f"{mean.heard:.0f}", f"{mean.pictures:.1f}", f"{decoded:.0f}"
    return [way.name, kind, *shares, *counts, f"{gmacs:.2f}", f"{seconds:.2f}"]


def rows_of_model(
    model: Model, networks: Sequence[TrainedSkimmer], sounds: Sounds, test: Sequence[Video]
) -> list[list[str]]:
    """The cells of a network of the skimmer's stage, reading every moment and one in five: top-1,
    and the share of its picks in the event.
    """
    rows = []
    for factor in (1, 5) if model in ("one_look", "skimmer") else (1,):
        right, inside = [], []
        for each in networks:
            answers = [
                (video, answer(each, sounds[video.video], factor, CONFIG.evaluation.moments))
                for video in test
            ]
            right.append(fmean(each.class_names[c] == v.label for v, (c, _) in answers))
            count = len(sounds[test[0].video])
            rates = [key_frame_rate(p, events(v), count) for v, (_, p) in answers if p]
            inside.append(fmean(rates) if rates else 0.0)
        picks = mean_and_deviation(inside) if any(inside) else ""
        rows.append([f"{model}, 1 in {factor}", mean_and_deviation(right), picks])
    return rows


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table in markdown, row by row."""
    print(f"\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for row in rows:
        print(f"| {' | '.join(row)} |", flush=True)


def main() -> None:
    """Hear, train, look, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("folder", type=Path, help="what l2l lay_events wrote")
    parser.add_argument("weights", type=Path, help="the file of EfficientAT mn04")
    parser.add_argument("output", type=Path, help="the folder to write to")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--split", choices=("val", "test"), default="test")
    parser.add_argument("--models", nargs="+", choices=get_args(Model), default=["one_look"])
    parser.add_argument("--no-ways", action="store_true", help="no table of costs")
    given = parser.parse_args()
    torch.set_num_threads(1)
    network = load_efficientat_mn04(given.weights)
    videos = listed_videos(given.folder, ("train", "val", given.split))
    train, val, test = (
        [v for v in videos if v.split == split] for split in ("train", "val", given.split)
    )
    classes = sorted({video.label for video in videos})
    heard = heard_in(network, videos, given.output)
    price = None if given.no_ways else prices(network, test[:TIMED_VIDEOS])
    print(f"{len(train)} train videos, {len(test)} of {given.split}, {price}", flush=True)
    columns = ("way", "sound", "top-1 by all heard", "top-1 by those seen", "pictures in the event")
    columns += ("event seen", "heard", "seen", "pictures decoded", "GMACs", "s")
    for kind in KINDS:
        sounds, folder = standardised(heard[kind], train), given.output / kind.replace(" ", "_")
        tracks = [
            [
                Track(x, classes.index(v.label), moments_inside(events(v), len(x)))
                for v, x in ((v, sounds[v.video]) for v in part)
            ]
            for part in (train, val, test)
        ]
        shares = {name: f"{100 * share:.1f}" for name, share in bars(*tracks).items()}
        print_table((f"{kind}: bar", "%"), shares.items())
        store_sound(sounds, videos, folder)
        for model in given.models:
            networks = trained_networks(folder, model, given.seeds)
            titles = (f"{kind}: network", "top-1 %", "picks in the event %")
            print_table(titles, rows_of_model(model, networks, sounds, test))
            if model == "one_look" and price:
                ways = CHOSEN if kind == KINDS[0] else (*CHOSEN, *BLIND)
                rows = (row_of_way(way, kind, networks, sounds, test, price) for way in ways)
                print_table(columns, rows)


if __name__ == "__main__":
    main()
