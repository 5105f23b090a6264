"""Evaluation of whole videos: Table 1, and what fewer moments and fewer steps cost."""

from pathlib import Path
from statistics import fmean

from l2l.config import EvaluationConfig
from l2l.errors import BadInput
from l2l.evaluation.artifact import read_evaluation_table, write_evaluation_table
from l2l.evaluation.cost import CostModel
from l2l.evaluation.inputs import (
    load_student_and_features,
    load_trained,
    load_trained_networks,
    test_videos,
)
from l2l.evaluation.measures.intervals import resamples
from l2l.evaluation.measures.probabilities import check_finite
from l2l.evaluation.published.frontier import frontier_rows
from l2l.evaluation.videos.artifact import Attention, write_scores
from l2l.evaluation.videos.methods import (
    chosen_methods,
    computed_methods,
    trained_networks,
)
from l2l.evaluation.videos.predictions import (
    MethodPrediction,
    VideoInput,
    attention_of,
    skim,
)
from l2l.evaluation.videos.tables import (
    class_rows,
    draws_of,
    pick_rows,
    prediction_rows,
    selection_quality_rows,
    selection_rows,
    table1_row,
)
from l2l.evaluation.videos.tradeoff import one_look_rows, tradeoff_rows
from l2l.manifest.artifact import read_videos, usable_ids
from l2l.media.artifact import read_listed_media
from l2l.progress import counted
from l2l.shards import read_shards
from l2l.training import seed_and_pick_device


def evaluate_videos(
    student: Path,
    trained: list[Path],
    videos: Path,
    features: Path,
    table: Path,
    classes: Path,
    predictions: Path,
    scores: Path,
    selections: Path,
    picks: Path,
    selection: Path,
    config: EvaluationConfig,
    seed: int,
    threads: int = 1,
    media: list[Path] | None = None,
) -> None:
    """Let every method of Table 1 predict the class of each usable test video of the target.

    Args:
        student: the network that made the features; or the head of one whose streams are not
            available, with the costs of the paper's streams.
        trained: the trained networks that the methods need, in any order; each file says which
            network it holds. The skimmer is always needed.
        videos: the target's videos, as decoded.
        features: root of the target's features in Zarr.
        table: written: Table 1, one row per method of `evaluation.methods`. `top1` and `map` are in
            percent; costs are means over videos: of multiply-accumulates (10^9), of moments whose
            features are computed, and of multiply-accumulates spent on features (for SCSampler:
            scores) of the moments that are read to decide which count.
        classes: written: one row per class, ours (dense) compared with uniform.
        predictions: written: one row per video and method, with the most probable class; of a
            random method the first draw. It has ours (dense) and uniform in every run.
        scores: written: the probability of every class by each method for each video, and the
            skimmer's attention over all moments, in HDF5.
        selections: written: what the skimmer, reading densely, selects in each step for the next.
        picks: written: the moments that each method which is not of the paper's Table 1 picks, of
            random choices the first draw's.
        selection: written: one row per method that picks moments, with the shares of its picks
            inside labelled segments and of segments that are hit; none where no test video has
            segments.
        config: methods, moments looked at, sparse factor, random draws.
        seed: of random choices and of the bootstrap.
        threads: of torch.
        media: the target's media, the shards with test videos: how many pictures are decoded for
            the frames of which moments. Without them that column is empty.

    Raises:
        BadInput: if the features hold no class scores, a network is missing or belongs to other
            features, or a prediction is not finite.
    """
    seed_and_pick_device(seed, threads)
    methods, computed = chosen_methods(config.methods), computed_methods(config.methods)
    network, stored = load_student_and_features(student, features)
    networks = load_trained_networks(trained, stored, trained_networks(config.methods))
    test, truth = test_videos(videos, stored)
    if not stored.has_scores:
        raise BadInput(
            f"{features}: holds no class scores of moments, which Table 1 needs; expected "
            "those of extract_features, or of import_features with --checkpoint"
        )

    costs = CostModel(network)
    predicted: dict[str, list[MethodPrediction]] = {method.name: [] for method in computed}
    pictures: dict[str, list[float]] = {method.name: [] for method in computed}
    selected: list[dict[str, object]] = []
    attentions: list[Attention] = []
    listed = read_videos(videos)
    with read_shards(
        media or [], read_listed_media(listed), usable_ids(listed), usable_ids(listed, "test")
    ) as shards:
        labelled = zip(test, truth.labels.tolist(), strict=True)
        for video, label in counted(labelled, len(test)):
            read = stored.load(video.video)
            video_input = VideoInput(video.video, read, networks, costs, config, seed, label)
            for method in computed:
                prediction = method.predict(video_input)
                check_finite(prediction.probabilities, f"{method.label}: video {video.video!r}")
                predicted[method.name].append(prediction)
                if shard := shards.get(video.video):
                    pictures[method.name].append(
                        fmean(shard.pictures_needed(video.video, seen) for seen in prediction.seen)
                    )
            output = skim(networks["skimmer"], video.video, read)
            selected += selection_rows(video.video, networks["skimmer"], output)
            attentions.append(attention_of(networks["skimmer"], output))

    counts = resamples(len(test), seed)
    rows = [
        table1_row(method.name, predicted[method.name], truth, counts, pictures[method.name])
        for method in methods
    ]
    write_evaluation_table(table, "table1", rows)
    ours, uniform = draws_of(predicted["ours_dense"]), draws_of(predicted["uniform"])
    by_class = class_rows(ours, uniform, truth.labels, stored.classes)
    write_evaluation_table(classes, "classes", by_class)
    write_evaluation_table(
        predictions, "predictions", prediction_rows(test, predicted, stored.classes)
    )
    probabilities = {
        method: [prediction.probabilities for prediction in each]
        for method, each in predicted.items()
    }
    write_scores(scores, test, stored.classes, probabilities, attentions)
    write_evaluation_table(selections, "selections", selected)
    own = {method.name: predicted[method.name] for method in methods if not method.paper}
    write_evaluation_table(picks, "picks", pick_rows(test, own))
    of_rows = {method.name: predicted[method.name] for method in methods}
    moments = [stored.moments(video.video) for video in test]
    quality = selection_quality_rows(test, moments, of_rows)
    write_evaluation_table(selection, "selection", quality)


def evaluate_tradeoff(
    student: Path,
    skimmer: Path,
    videos: Path,
    features: Path,
    table1: Path,
    dataset: str,
    tradeoff: Path,
    frontier: Path,
    threads: int = 1,
    one_look: Path | None = None,
) -> None:
    """Evaluate the skimmer at every factor and after every step, and compare with published costs.

    Args:
        student: the network that made the features, or its head.
        skimmer: the trained skimmer.
        videos: the target's videos, as decoded.
        features: root of the target's features in Zarr.
        table1: what `evaluate_videos` wrote of the same videos.
        dataset: the target's name.
        tradeoff: written: one row per factor and number of steps (paper, Figs. 6 and 11), then one
            per factor of one look.
        frontier: written: mean average precision and cost of this run's systems, then of published
            ones (paper, Fig. 7).
        threads: of torch.
        one_look: one look, where the run has trained it.
    """
    seed_and_pick_device(0, threads)
    network, stored = load_student_and_features(student, features)
    trained = load_trained(skimmer, stored)
    test, truth = test_videos(videos, stored)
    ids = [video.video for video in test]
    costs = CostModel(network)
    rows = tradeoff_rows(trained, stored, ids, truth.labels, costs)
    if one_look is not None:
        looking = load_trained(one_look, stored, "one_look")
        rows += one_look_rows(looking, stored, ids, truth.labels, costs)
    write_evaluation_table(tradeoff, "tradeoff", rows)
    points = frontier_rows(
        read_evaluation_table(table1, "table1"), rows, "-".join(network.modalities), dataset
    )
    write_evaluation_table(frontier, "frontier", points)
