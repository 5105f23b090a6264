"""The tables of a run's evaluation, results/<run>/evaluation/<name>.tsv.

To add a table, add a record to `TABLES`, write the rows with `write_evaluation_table` in the stage
that computes them, and name the file in that stage's rule. The report, `inspect`, Snakemake's own
report and the tests read this list.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from l2l.errors import BadInput
from l2l.stores import read_table, write_table


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: in the file.
        heading: in the report; empty: the report does not show the column.
        unit: of the numbers, such as ``%``; empty: a count or a plain number; None: text.
        optional: whether a number may be missing.
    """

    name: str
    heading: str = ""
    unit: str | None = None
    optional: bool = False

    @property
    def title(self) -> str:
        """The heading with the unit."""
        return f"{self.heading} ({self.unit})" if self.unit else self.heading


@dataclass(frozen=True)
class Table:
    """A table of the evaluation.

    Attributes:
        name: of the file, without .tsv.
        title: heading of its section in the report.
        written_by: the verb that writes it.
        columns: in the order of the file.
        caption: what the rows are, and what to know to read them.
        in_report: whether the report shows its rows.
        folded: whether the report shows the rows only after a click.
        ends: the report shows so many rows of each end; None: all rows.
        plotted: whether the report has a plot of it, results/<run>/figures/<name>.svg.
    """

    name: str
    title: str
    written_by: str
    columns: tuple[Column, ...]
    caption: str
    in_report: bool = True
    folded: bool = False
    ends: int | None = None
    plotted: bool = False

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of the columns, in the order of the file."""
        return tuple(column.name for column in self.columns)


def _metrics(optional: bool = False) -> tuple[Column, ...]:
    """Columns that every compared skimmer has: means over the test videos."""
    return (
        Column("top1", "top-1", "%", optional),
        Column("map", "mAP", "%", optional),
        Column("gmacs_per_video", "GMACs per video", "", optional),
        Column("index_gmacs_per_video", "of these indexing", "", optional),
        Column("recognition_moments", "moments recognised", "", optional),
    )


VARIANT_METRICS = tuple(column.name for column in _metrics())

TABLES: tuple[Table, ...] = (
    Table(
        "table1",
        "Whole videos (Table 1)",
        "evaluate_videos",
        (
            Column("method", "method"),
            Column("top1", "top-1", "%"),
            Column("map", "mAP", "%"),
            Column("gmacs_per_video", "GMACs per video", ""),
            Column("moments", "moments read", ""),
            Column("pictures_decoded", "pictures decoded", "", optional=True),
            Column("index_gmacs_per_video", "GMACs of indexing", ""),
            Column("top5", "top-5", "%"),
            Column("map_interpolated", "mAP interpolated", "%"),
            Column("top1_low", "top-1, low", "%"),
            Column("top1_high", "top-1, high", "%"),
            Column("map_low", "mAP, low", "%"),
            Column("map_high", "mAP, high", "%"),
            Column("videos", "videos", ""),
            Column("top1_all", "top-1 of all", "%"),
            Column("map_all", "mAP of all", "%"),
            Column("videos_all", "all videos", ""),
        ),
        "One row per method, means over the usable test videos. MACs are multiply-accumulates, "
        "counted on the calls that are made; the literature prints them as GFLOPs. Pictures "
        "decoded are those of a file, per video, that the run's decoder decodes for the frames of "
        "the moments that the method reads, by exact skipping where a file allows it. mAP is not "
        "interpolated and counts the first label of each video, as in the public code; mAP "
        "interpolated counts all labels, as in ActivityNet's own evaluation. Low and high are the "
        "ends of 95 % intervals, from a bootstrap over the videos. The columns of all videos count "
        "a video that cannot be used as wrong, and rank it last.",
        plotted=True,
    ),
    Table(
        "selection",
        "Where the picked moments lie",
        "evaluate_videos",
        (
            Column("method", "method"),
            Column("key_frame_rate", "key frame rate", "%"),
            Column("scene_hit_rate", "scene hit rate", "%"),
            Column("picks", "picked moments", ""),
            Column("videos", "videos", ""),
        ),
        "One row per method that picks moments, means over the test videos with labelled segments. "
        "Key frame rate: the share of the picked moments inside a segment; of dense it is the "
        "share of all moments. Scene hit rate: the share of the segments with a picked moment. Of "
        "the skimmer the moments that either modality selects are picked, of one look and of the "
        "non-recurrent baseline those with the largest weights.",
    ),
    Table(
        "tradeoff",
        "Fewer moments and fewer steps (Figures 6 and 11)",
        "evaluate_tradeoff",
        (
            Column("network", "network"),
            Column("factor", "factor", ""),
            Column("steps", "steps", "", optional=True),
            Column("top1", "top-1", "%"),
            Column("map", "mAP", "%"),
            Column("gmacs_per_video", "GMACs per video", ""),
            Column("moments", "moments read", ""),
        ),
        "The skimmer with features of one moment in so many (factor), stopped after each step; and "
        "one look, which has no steps, where the run has trained it.",
        folded=True,
        plotted=True,
    ),
    Table(
        "frontier",
        "Compared with published systems (Figure 7)",
        "evaluate_tradeoff",
        (
            Column("method", "system"),
            Column("dataset", "data set"),
            Column("index_features", "indexing features"),
            Column("recognition_features", "recognition features"),
            Column("map", "mAP", "%"),
            Column("gmacs_per_video", "GMACs per video", ""),
            Column("factor", "factor", "", optional=True),
            Column("steps", "steps", "", optional=True),
            Column("quoted", "quoted"),
            Column("source", "source"),
        ),
        "Published points are quoted, all of ActivityNet, and cannot be compared with points of "
        "another data set. This run's points are measured.",
        folded=True,
        plotted=True,
    ),
    Table(
        "recognition",
        "Recognition features by indexing features (Table 2)",
        "evaluate_variants",
        (
            Column("quoted", "quoted"),
            Column("dataset", "data set"),
            Column("model", "skimmer"),
            Column("recognition", "recognition features"),
            Column("indexing", "indexing features"),
            Column("aggregation", "aggregation"),
            Column("features_of", "features made by"),
            *_metrics(optional=True),
            Column("source", "source"),
        ),
        "One row per skimmer, then the published rows that are known, marked as quoted. "
        "Aggregation: features of all moments are averaged with weights, or only the selected "
        "moments are classified.",
    ),
    Table(
        "ablations",
        "Ablations (supplement, G.1 to G.3)",
        "evaluate_variants",
        (
            Column("ablation", "ablation"),
            Column("variant", "variant"),
            Column("model", "skimmer"),
            *_metrics(optional=True),
            Column("quoted_activitynet_top1", "paper, ActivityNet, top-1", "%"),
            Column("quoted_mini_sports1m_top1", "paper, Mini-Sports1M, top-1", "%"),
            Column("quoted_source", ""),
        ),
        "The paper's own numbers are next to this run's, which are of other data. A dash: this "
        "run has not trained that skimmer.",
    ),
    Table(
        "clips",
        "Single clips (Figure 5)",
        "evaluate_clips",
        (
            Column("model", "network"),
            Column("modalities", "modalities"),
            Column("distilled", "distilled"),
            Column("top1", "top-1", "%"),
            Column("gmacs_per_clip", "GMACs per clip", ""),
            Column("top1_low", "top-1, low", "%"),
            Column("top1_high", "top-1, high", "%"),
            Column("clips", "clips", ""),
            Column("videos", "videos", ""),
        ),
        "The teacher and each student on the moments of the target's test videos that lie inside a "
        "labelled action. teacher: by its own classifier, which knows the target's classes; "
        "teacher_linear_head: by a linear one, trained on its descriptors of the target; "
        "teacher_finetuned: a copy, fine-tuned as a whole on the target, as the paper's "
        "(teacher.finetune). Low and high are the ends of 95 % intervals, from a bootstrap over "
        "the videos that the clips are of.",
        plotted=True,
    ),
    Table(
        "classes",
        "Classes",
        "evaluate_videos",
        (
            Column("class", "class"),
            Column("videos", "videos", ""),
            Column("ours_top1", "ours, top-1", "%"),
            Column("uniform_top1", "uniform, top-1", "%"),
            Column("gain_top1", "gain, top-1", "points"),
            Column("ours_ap", "ours, AP", "%"),
            Column("uniform_ap", "uniform, AP", "%"),
            Column("gain_ap", "gain, AP", "points"),
        ),
        "Ours (dense) compared with uniform on the usable test videos of each class, the largest "
        "gain first.",
        ends=10,
    ),
    Table(
        "audio_helps",
        "Clips where sound helps",
        "evaluate_audio",
        (
            Column("video", "video"),
            Column("moment", "", ""),
            Column("start_seconds", "start", "s"),
            Column("label", "class"),
            Column("split", "split"),
            Column("has_sound", "has sound"),
            Column("image", "image, L1", ""),
            Column("image_audio", "image-audio, L1", ""),
            Column("l1_gain", "L1 gain", ""),
        ),
        "L1 distance of the distilled students' descriptors to the teacher's descriptor of the "
        "clip, for the student that sees and the one that sees and hears. L1 gain: how much closer "
        "sound brings the student; the largest gain first. The clips are of the source's test "
        "videos, or of its val videos where it has no test videos.",
        ends=10,
    ),
    Table(
        "predictions",
        "Predictions",
        "evaluate_videos",
        (
            Column("video", "video"),
            Column("label", "label"),
            Column("method", "method"),
            Column("predicted", "predicted"),
            Column("probability", "probability", ""),
        ),
        "The most probable class of each test video by each method; of a random method the first "
        "draw.",
        in_report=False,
    ),
    Table(
        "selections",
        "Selected moments",
        "evaluate_videos",
        (
            Column("video", "video"),
            Column("moments", "moments", ""),
            Column("step", "step", ""),
            Column("modality", "modality"),
            Column("moment", "moment", ""),
            Column("weight", "weight", ""),
            Column("modality_weight", "modality weight", ""),
        ),
        "The moment that each modality of the skimmer selects in each step, with all moments read; "
        "its attention weight; and the weight of that modality.",
        in_report=False,
    ),
    Table(
        "picks",
        "Moments that other methods pick",
        "evaluate_videos",
        (
            Column("video", "video"),
            Column("method", "method"),
            Column("moment", "moment", ""),
            Column("weight", "weight", "", optional=True),
        ),
        "The moments that each method which is not of the paper's Table 1 picks in each test "
        "video, in order of time, and the weight of each where the method weighs them. The report "
        "shows them in its film strips.",
        in_report=False,
    ),
)
# Tables that only `snakemake scsampler` makes; they are not in the report of the chain.
SCSAMPLER_TABLES: tuple[Table, ...] = (
    Table(
        "scsampler",
        "SCSampler, whole",
        "evaluate_scsampler",
        (
            Column("table", "table"),
            Column("row", "row"),
            Column("inputs", "inputs"),
            Column("network", "networks"),
            Column("objective", "objectives"),
            Column("choice", "choice"),
            Column("top1", "top-1", "%"),
            Column("top1_low", "top-1, low", "%"),
            Column("top1_high", "top-1, high", "%"),
            Column("map", "mAP", "%"),
            Column("map_low", "mAP, low", "%"),
            Column("map_high", "mAP, high", "%"),
            Column("top1_all", "top-1 of all", "%"),
            Column("videos", "videos", ""),
            Column("clips", "clips", ""),
            Column("seen", "by eye", "", optional=True),
            Column("gmacs_per_video", "GMACs per video", ""),
            Column("sampler_gmacs_per_video", "of these choosing", ""),
            Column("recogniser_gmacs_per_video", "recognising", ""),
            Column("pictures_decoded", "pictures decoded", ""),
            Column("pictures_coded", "coded again", ""),
            Column("sound_seconds", "sound", "s"),
            Column("quoted_top1", "poster, top-1", "%", optional=True),
            Column("quoted_runtime", "poster, runtime"),
            Column("quoted_source", ""),
        ),
        "The teacher recognises the clips that each row chooses; means over the usable test "
        "videos. Low and high are the ends of 95 % intervals, from a bootstrap over the videos; "
        "top-1 of all counts unusable videos as wrong. A clip without sound ranks last by ear. "
        "Weighted: the teacher's probabilities are averaged by the weights that chose the clips. "
        "MACs are multiply-accumulates, counted on calls. Pictures decoded: pictures on the 30 fps "
        "grid that are needed. A decoder may have to decode some of those between them too, and to "
        "find how pictures move all are decoded and coded "
        "again. The poster's own figures are of other data (miniSports, Sports1M), and its "
        "runtimes of other machines: they cannot be compared.",
    ),
    Table(
        "scsampler_clips",
        "Chosen clips",
        "evaluate_scsampler",
        (
            Column("video", "video"),
            Column("label", "label"),
            Column("row", "row"),
            Column("predicted", "predicted"),
            Column("probability", "probability", ""),
            Column("clips", "clips"),
        ),
        "The clips that each row of scsampler.tsv chooses in each test video, in order of time, "
        "and the most probable class; of a random choice the first draw.",
        in_report=False,
    ),
)
ALL_TABLES = (*TABLES, *SCSAMPLER_TABLES)
BY_NAME: Mapping[str, Table] = {table.name: table for table in ALL_TABLES}
# Quoted points of mean average precision against cost, published/published.tsv.
PUBLISHED_COLUMNS = (*BY_NAME["frontier"].column_names[:6], "source")


def table_of_columns(columns: Sequence[str]) -> Table | None:
    """The table that has exactly these columns, if one has."""
    return next((table for table in BY_NAME.values() if table.column_names == tuple(columns)), None)


def check_rows(path: Path, table: Table, rows: Sequence[Mapping[str, object]]) -> None:
    """Refuse a cell of a numeric column that is not a finite number.

    Raises:
        BadInput: naming the row and the column.
    """
    numeric = [column for column in table.columns if column.unit is not None]
    for number, row in enumerate(rows, start=1):
        for column in numeric:
            cell = str(row[column.name])
            if not (_is_finite(cell) or (column.optional and not cell)):
                raise BadInput(
                    f"{path}: row {number}: {column.name} is {cell!r}, expected a finite number"
                )


def _is_finite(cell: str) -> bool:
    try:
        return math.isfinite(float(cell))
    except ValueError:
        return False


def write_evaluation_table(path: Path, name: str, rows: Sequence[Mapping[str, object]]) -> None:
    """Write the table of this name.

    Raises:
        BadInput: if a number is not finite.
    """
    table = BY_NAME[name]
    check_rows(path, table, rows)
    write_table(path, table.column_names, rows)


def read_evaluation_table(path: Path, name: str | None = None) -> list[dict[str, str]]:
    """Read a table that `write_evaluation_table` wrote.

    Args:
        path: the file.
        name: of the table; default: the name of the file.

    Raises:
        BadInput: if it is no table of the evaluation, has other columns, or a number is not finite.
    """
    table = BY_NAME.get(name or path.stem)
    if table is None:
        raise BadInput(
            f"{path}: found a table named {path.stem}, expected one of {', '.join(BY_NAME)}"
        )
    rows = read_table(path, table.column_names)
    check_rows(path, table, rows)
    return rows
