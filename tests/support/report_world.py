"""A finished run with few small videos: untrained networks, random pictures and sound."""

import json
from pathlib import Path

import evaluation_world
import feature_world
import numpy as np

from l2l.config import MelsConfig, ReportConfig
from l2l.evaluation.artifact import write_evaluation_table
from l2l.evaluation.videos.methods import chosen_methods
from l2l.features.artifact import read_features
from l2l.manifest.artifact import Segment, read_videos, write_videos
from l2l.media.artifact import write_media
from l2l.media.decoded import Decoded
from l2l.media.pictures import EncodedPictures
from l2l.mels.artifact import write_mels
from l2l.report.stage import write_report
from l2l.stores import write_text

SETTINGS = {
    "run": "small",
    "videos": {"mine": {"adapter": "folder", "role": "both"}},
    "report": {"film_strips": 3, "pictures": 3},
}


def make_run(folder: Path, test: int = 6) -> Path:
    """The run's folder, with everything that the page and `l2l show` read."""
    run = folder / "results/small"
    made = feature_world.make_world(folder / "world", train=12, val=0, test=test)
    for stage in ("media", "mels", "features", "evaluation", "skimmer"):
        (run / stage).mkdir(parents=True)
    videos = run / "media/mine/videos.tsv"
    videos.parent.mkdir()
    (run / "mels/mine").mkdir()
    made.features.rename(run / "features/mine")
    listed = [_with_span(video) for video in read_videos(made.videos)]
    listed[0] = listed[0]._replace(reason="a remark <b>")
    write_videos(videos, listed)
    world = feature_world.World(made.student, videos, run / "features/mine", made.media)
    networks = evaluation_world.untrained_networks(run / "skimmer")
    methods = (*(method.name for method in chosen_methods(None)), "one_look_sparse")
    section = evaluation_world.EVALUATION.model_copy(update={"methods": methods})
    evaluation_world.evaluate(world, networks, run / "evaluation", section)
    _write_stores(run, [video for video in listed if video.usable and video.split == "test"])
    write_evaluation_table(run / "evaluation/audio_helps.tsv", "audio_helps", _gains(listed))
    write_text(run / "config.json", json.dumps(SETTINGS))
    logs = folder / "logs/small"
    logs.mkdir(parents=True)
    lines = [f"epoch {i}/9 loss {3 / i:.2f} val_top1 {i / 10} seconds 1\n" for i in range(1, 10)]
    (logs / "train_teacher.log").write_text("".join(lines))
    benchmarks = folder / "benchmarks/results/small"
    benchmarks.mkdir(parents=True)
    (benchmarks / "train_teacher.tsv").write_text("s\tmax_rss\n9.5\t700.0\n")
    return run


def _with_span(video):
    return video._replace(segments=(Segment(1.0, 5.0, video.label),))


def _gains(listed) -> list[dict[str, object]]:
    """Where sound helps: nine clips of the test videos, the largest gain first; the first has no
    sound.
    """
    test = [video for video in listed if video.usable and video.split == "test"]
    return [
        {
            "video": test[i % len(test)].video,
            "moment": i // len(test),
            "start_seconds": f"{i // len(test) * 16 / 30:.3f}",
            "label": test[i % len(test)].label,
            "split": "test",
            "has_sound": "yes" if i else "no",
            "image": f"{0.5 + i / 100:.4f}",
            "image_audio": f"{0.1 + i / 10:.4f}",
            "l1_gain": f"{0.4 - 9 * i / 100:.4f}",
        }
        for i in range(9)
    ]


def _write_stores(run: Path, test) -> None:
    random, features = np.random.default_rng(3), read_features(run / "features/mine")
    mels = {}
    media = run / "media/mine/test-000.h5"
    with write_media(media, feature_world.MEDIA, clips_stored=False) as writer:
        for video in test:
            count = features.moments(video.video)
            samples = 8600 * count
            writer.add(
                video,
                Decoded(
                    "ok",
                    "",
                    16 * (count - 1) + 31,
                    16,
                    EncodedPictures.from_array(
                        random.integers(0, 256, (count, 32, 32, 3), np.uint8)
                    ),
                    random.integers(-9999, 9999, samples, np.int16),
                    np.array([[0, samples]]),
                ),
            )
            mel = random.normal(size=(count, 101, 40)).astype(np.float16)
            mels[video.video] = (mel, np.ones(count, bool))
    write_mels(run / "mels/mine/test-000.h5", mels, MelsConfig(), (101, 40))


def write_page(run: Path, report: Path) -> str:
    """The report of the run, as text."""
    videos = run / "media/mine/videos.tsv"
    write_report(
        sorted((run / "evaluation").glob("*.tsv")),
        videos,
        videos,
        [run / "media/mine/test-000.h5"],
        report,
        ReportConfig(**SETTINGS["report"]),
        json.dumps(SETTINGS),
        mels=[run / "mels/mine/test-000.h5"],
        source_media=[run / "media/mine/test-000.h5"],
        scores=run / "evaluation/scores.h5",
        figures=report.parent / "figures",
    )
    return report.read_text(encoding="utf-8")
