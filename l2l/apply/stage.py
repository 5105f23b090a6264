"""Answer for the videos of a data set without labels: shards first, then tables and the page."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from l2l.apply.artifact import (
    Prediction,
    read_predictions,
    write_moments,
    write_prediction_table,
    write_predictions,
)
from l2l.config import NOT_ACCELERATED, AccelerationConfig, ApplyConfig, FeaturesConfig
from l2l.manifest.artifact import read_videos
from l2l.progress import counted
from l2l.shards import check_videos


def apply_videos(
    manifest: Path,
    run: Path,
    predictions: Path,
    config: ApplyConfig,
    features_config: FeaturesConfig,
    media: Path | None = None,
    mels: Path | None = None,
    features: Path | None = None,
    threads: int = 1,
    acceleration: AccelerationConfig = NOT_ACCELERATED,
) -> None:
    """Answer for every video of a shard: decode, hear, describe and skim in one job.

    Args:
        manifest: the shard's table of videos.
        run: the finished run that answers: its folder, or the file it was exported to.
        predictions: written: one JSON object per video, also of those that cannot be used.
        config: how much of each video is read, and how many classes are named.
        features_config: how features are stored, where they are.
        media: written, if given: the shard's frames and sound.
        mels: written, if given: the shard's spectrograms.
        features: written, if given: the shard's group in Zarr.
        threads: videos decoded at the same time, and threads of PyTorch.
        acceleration: the section `acceleration`.

    Raises:
        BadInput: if the run is not finished, or its networks do not belong together.
        MachineError: if the machine did not give the decoder what it needs.
    """
    # imported here: collect_predictions, which runs on every change, does not wait for PyTorch
    from l2l.apply.keep import kept_stores
    from l2l.apply.predictor import Options, Predictor
    from l2l.apply.reading import Request

    options = Options(config.factor, config.budget_gmacs, config.top)
    predictor = Predictor(run, threads, config.steps, config.method, acceleration)
    videos = read_videos(manifest)
    answers = predictor.answers(map(Request.of_video, videos), options, media is not None)
    answered = []
    with kept_stores(predictor.networks, features_config, media, mels, features) as keep:
        for video, answer in counted(zip(videos, answers, strict=True), len(videos)):
            keep(video, answer)
            answered.append(answer.prediction)
    write_predictions(predictions, answered)


def collect_predictions(
    shards: list[Path], videos: Path, predictions: Path, moments: Path, config: ApplyConfig
) -> None:
    """Write the answers of all shards as two files for a data set.

    Args:
        shards: the predictions of every shard.
        videos: the table of all videos; the new files have its order.
        predictions: written: one row per video.
        moments: written: one JSON object per video with its selected moments.
        config: how many classes are named.

    Raises:
        BadInput: if a shard is missing or damaged, or the shards hold other videos than the table.
    """
    ordered = _in_order(shards, videos)
    write_prediction_table(predictions, ordered, config.top)
    write_moments(moments, ordered)
    statuses = Counter(each.status for each in ordered)
    counts = ", ".join(f"{count} {status}" for status, count in sorted(statuses.items()))
    print(f"{sum(each.answered for each in ordered)} of {len(ordered)} videos answered: {counts}")


def write_predictions_page(
    shards: list[Path], videos: Path, run: Path, page: Path, config: ApplyConfig
) -> None:
    """Write the page of a data set's answers: counts, film strips, and what could not be used.

    The pictures of the film strips are decoded again; they are stored nowhere else.

    Args:
        shards: the predictions of every shard.
        videos: the table of all videos.
        run: the finished run that answered: its folder, or the file it was exported to.
        page: written.
        config: how many film strips and pictures are shown.
    """
    from l2l.apply.page import render_predictions
    from l2l.stores import write_text

    listed = {video.video: video for video in read_videos(videos)}
    text = render_predictions(_in_order(shards, videos), listed, run, videos.parent.name, config)
    write_text(page, text)


def _in_order(shards: Sequence[Path], videos: Path) -> list[Prediction]:
    """The predictions of all shards, in the order of the table of all videos."""
    by_video = {each.video: each for path in shards for each in read_predictions(path)}
    ids = [video.video for video in read_videos(videos)]
    check_videos(shards[0].parent, by_video, ids)
    return [by_video[video] for video in ids]
