"""From the public release, its features and checkpoints, to Table 1 and Fig. 6, without video."""

import sys
from collections.abc import Mapping
from pathlib import Path

from l2l.__main__ import verb_function
from l2l.config import PAPER_TRAINING, EvaluationConfig, SkimmerConfig
from l2l.errors import BadInput
from l2l.evaluation.artifact import TABLES, read_evaluation_table
from l2l.evaluation.videos.methods import METHODS, Method, chosen_methods, trained_networks
from l2l.terminal import escape

DATASET = "activitynet"  # the release's
_COLUMNS = ("top1", "map", "map_interpolated", "gmacs_per_video", "moments")
_HEADINGS = ("top-1 %", "mAP %", "interpolated %", "GMACs", "moments", "paper, top-1 %")
_WIDTH = 15  # of a printed column


def evaluate_release(
    listing: Path,
    out: Path,
    /,
    head: Path,
    skimmer: Path | None = None,
    train: Path | None = None,
    folder: Path | None = None,
    class_names: Path | None = None,
    evaluation: EvaluationConfig = EvaluationConfig(),  # noqa: B008 - frozen
    config: SkimmerConfig = SkimmerConfig(training=PAPER_TRAINING),  # noqa: B008 - frozen
    seed: int = 1,
    threads: int = 1,
) -> int:
    """Print Table 1 from the features and checkpoints of the public release.

    All rows that they allow. Imports both checkpoints and the features, trains what no checkpoint
    is given of, and writes the tables of a run and their plots; no video is read. GMACs are counted
    on the paper's networks.

    Args:
        listing: the list of the test videos: a pickle of (paths, labels), or `path label` lines.
        out: a folder, written: features/, head.pt, skimmer/, evaluation/*.tsv, figures/*.svg.
        head: the published image-audio network, whose classifier gives each moment its scores.
        skimmer: a checkpoint of the public code; without it one is trained.
        train: the list of the training videos, for the networks that are trained.
        folder: that holds the three folders of features, in place of where the lists say.
        class_names: one class name per line, in the order of their indices.
        evaluation: the section `evaluation`, as JSON: rows, moments, sparse factor.
        config: the section `skimmer`, as JSON, for the networks that are trained.
        seed: of the trainings, of the random choices and of the bootstrap.
        threads: of torch.

    Raises:
        BadInput: if neither a skimmer nor a training list is given, a file is missing or is another
            one, or a row is asked for that needs a training without a training list.

    Example:
        l2l evaluate_release val.pkl results/release --head head.pth --skimmer skimmer.pth.tar
    """
    if skimmer is None and train is None:
        raise BadInput("expected --skimmer, a checkpoint, or --train, the list to train one on")
    methods, left_out = rows_of(evaluation, train is not None)
    store, videos = out / "features", out / "features.videos.tsv"
    names = {"class_names": class_names, "threads": threads}
    ours, networks = out / "head.pt", trained_networks([method.name for method in methods])
    trained = {name: out / "skimmer" / f"{name}.pt" for name in networks}
    trained["skimmer"].parent.mkdir(parents=True, exist_ok=True)
    _run("import_checkpoint", head, ours, **names)
    if skimmer is not None:
        _run("import_checkpoint", skimmer, trained["skimmer"], **names)
    for path, split in ((train, "train"), (listing, "test")):
        if path is not None:
            imported = {"split": split, "folder": folder, "checkpoint": ours, "threads": threads}
            _run("import_features", path, store, **imported)
    read = {"videos": videos, "features": store}
    for name, path in trained.items():
        if name != "skimmer" or skimmer is None:
            options = {"skimmer": path, "config": config, "model": name, "seed": seed}
            _run("train_skimmer", student=ours, threads=threads, **read, **options)
    tables = {table.name: out / "evaluation" / f"{table.name}.tsv" for table in TABLES}
    _run(
        "evaluate_videos",
        student=ours,
        trained=list(trained.values()),
        **read,
        **_written_by("evaluate_videos", tables),
        scores=out / "evaluation/scores.h5",
        config=evaluation.model_copy(update={"methods": tuple(m.name for m in methods)}),
        seed=seed,
        threads=threads,
    )
    _run(
        "evaluate_tradeoff",
        student=ours,
        skimmer=trained["skimmer"],
        **read,
        table1=tables["table1"],
        **_written_by("evaluate_tradeoff", tables),
        dataset=DATASET,
        threads=threads,
    )
    _write_plots(tables, out / "figures")
    _print_table1(tables["table1"], methods)
    for method in left_out:
        print(f"left out: {method.label}, which is trained; give --train")
    return 0


def rows_of(evaluation: EvaluationConfig, can_train: bool) -> tuple[list[Method], list[Method]]:
    """The rows of the table, and those of the paper that nothing is trained for.

    Raises:
        BadInput: if one that needs a training is asked for by name and there is no training list.
    """
    chosen = chosen_methods(evaluation.methods)
    possible = [each for each in chosen if can_train or each.trained in (None, "skimmer")]
    left_out = [each for each in chosen if each not in possible]
    if left_out and evaluation.methods is not None:
        raise BadInput(
            f"evaluation.methods: found {left_out[0].name}, which is trained; give --train"
        )
    return possible, left_out


def _written_by(verb: str, tables: Mapping[str, Path]) -> dict[str, Path]:
    """The tables that a verb writes, by the options that name them."""
    return {
        {"table1": "table"}.get(table.name, table.name): tables[table.name]
        for table in TABLES
        if table.written_by == verb
    }


def _run(verb: str, *arguments: Path, **options: object) -> None:
    print(escape(" ".join([verb, *map(str, arguments)])), file=sys.stderr, flush=True)
    verb_function(verb)(*arguments, **options)


def _write_plots(tables: dict[str, Path], figures: Path) -> None:
    """Table 1, Fig. 6 and Fig. 7 as the report of a run has them."""
    from l2l.report.sections import Target, plots
    from l2l.stores import write_text

    rows = {
        name: read_evaluation_table(tables[name]) for name in ("table1", "tradeoff", "frontier")
    }
    for name, plot in plots(rows, Target(DATASET, int(rows["table1"][0]["videos"]))).items():
        write_text(figures / f"{name}.svg", plot.whole())


def _print_table1(table: Path, methods: list[Method]) -> None:
    from l2l.report.sections import quoted_table1

    ((_, quoted),) = quoted_table1(DATASET).items()
    width = max(len(method.label) for method in METHODS)
    print(f"{'ActivityNet':<{width}}" + "".join(f"{each:>{_WIDTH}}" for each in _HEADINGS))
    for method, row in zip(methods, read_evaluation_table(table), strict=True):
        cells = [f"{float(row[column]):.4g}" for column in _COLUMNS]
        cells.append(quoted.get(method.name, "-"))
        print(f"{method.label:<{width}}" + "".join(f"{each:>{_WIDTH}}" for each in cells))
