"""The report: one self-contained page with a run's tables, plots, film strips and files."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from markupsafe import Markup

from l2l.config import ReportConfig
from l2l.errors import BadInput
from l2l.evaluation.artifact import TABLES, Table, read_evaluation_table
from l2l.evaluation.videos.methods import method_labels
from l2l.manifest.artifact import Video, read_videos, usable_ids
from l2l.manifest.labels import label_warnings
from l2l.media.artifact import MediaReader, read_listed_media
from l2l.moments import start_seconds
from l2l.report.figures import clips_plot, cost_plot, frontier_plot, picture_address, tradeoff_plot
from l2l.report.page import page_template
from l2l.report.relations import relations
from l2l.shards import read_shards
from l2l.stores import MADE_BY, write_text

Rows = Sequence[Mapping[str, str]]
_MOST_REMARKS = 200
_PACKAGES = ("torch", "torchvision", "torchaudio", "zarr", "h5py", "numpy", "av")


def write_report(
    tables: list[Path],
    videos: Path,
    source_videos: Path,
    media: list[Path],
    report: Path,
    config: ReportConfig,
    settings: str,
) -> None:
    """Write the page.

    Args:
        tables: tables of the evaluation, in any order; the name of a file says which it is. A table
            that is not given has no section.
        videos: the target's videos, as decoded.
        source_videos: the source's videos, as decoded.
        media: the target's media, the shards with test videos.
        report: written: the page.
        config: title, and how many film strips and pictures are shown.
        settings: the whole configuration as JSON, shown at the end.

    Raises:
        BadInput: if a table is not one of l2l's, or is given twice.
    """
    rows = _read_tables(tables)
    configuration = json.loads(settings)
    target, source = videos.parent.name, source_videos.parent.name
    listed = read_videos(videos)
    files = {source: read_videos(source_videos), target: listed}  # one data set, or two
    remarks = [
        video for each in files.values() for video in each if video.reason or not video.usable
    ]
    same_data = configuration["videos"][target]["adapter"] == "activitynet"
    text = page_template("l2l.report").render(
        title=config.title,
        made_by=MADE_BY,
        run=configuration["run"],
        target=target,
        counts=_counts(listed),
        sections=[
            _section(table, rows[table.name], same_data)
            for table in TABLES
            if table.in_report and table.name in rows
        ],
        relations=relations(*(rows.get(name, ()) for name in ("table1", "clips", "tradeoff"))),
        films=_films(listed, rows, media, config),
        statuses=_statuses(files),
        warnings=[
            f"{dataset}: {warning}"
            for dataset, each in files.items()
            for warning in label_warnings(each)
        ],
        remarks=remarks[:_MOST_REMARKS],
        more_remarks=max(0, len(remarks) - _MOST_REMARKS),
        versions=", ".join(f"{name} {version(name)}" for name in _PACKAGES),
        settings=json.dumps(configuration, indent=2),
    )
    write_text(report, text)


def _read_tables(paths: Sequence[Path]) -> dict[str, Rows]:
    """The rows of each table, by its name."""
    rows: dict[str, Rows] = {}
    for path in paths:
        if path.stem in rows:
            raise BadInput(f"--tables: found {path.stem} twice, expected each table once")
        rows[path.stem] = read_evaluation_table(path)
    return rows


def _section(table: Table, rows: Rows, same_data: bool) -> dict[str, object]:
    """What the page shows of a table: heading, figure, rows and caption."""
    figures: Mapping[str, Callable[[Rows], str]] = {
        "table1": cost_plot,
        "tradeoff": tradeoff_plot,
        "frontier": lambda points: frontier_plot(points, same_data),
        "clips": clips_plot,
    }
    shown, note = list(rows), ""
    if table.ends and len(rows) > 2 * table.ends:
        shown = [*rows[: table.ends], *rows[-table.ends :]]
        note = f"The first and last {table.ends} of {len(rows)} rows; all are in {table.name}.tsv."
    columns = [column for column in table.columns if column.heading]
    labels = method_labels()
    return {
        "table": table,
        "columns": columns,
        # our own SVG; everything else is escaped
        "figure": Markup(figures[table.name](rows)) if rows and table.name in figures else "",
        "rows": [
            {
                "ours": row.get("method", "").startswith("ours") or row.get("model") == "skimmer",
                "cells": [
                    labels.get(row[c.name], row[c.name]) if c.name == "method" else row[c.name]
                    for c in columns
                ],
            }
            for row in shown
        ],
        "note": note,
    }


def _counts(videos: Sequence[Video]) -> dict[str, int]:
    """How many videos and classes the run uses."""
    test = [video for video in videos if video.split == "test"]
    return {
        "train": sum(video.split == "train" and video.usable for video in videos),
        "test": sum(video.usable for video in test),
        "unusable": sum(not video.usable for video in test),
        "classes": len({label for video in videos for label in video.labels}),
    }


def _films(
    listed: Sequence[Video], rows: Mapping[str, Rows], media: Sequence[Path], config: ReportConfig
) -> list[dict[str, object]]:
    """Film strips of some test videos."""
    selected = _selected(rows.get("selections", ()))
    predicted = {
        row["video"]: row["predicted"]
        for row in rows.get("predictions", ())
        if row["method"] == "ours_dense"
    }
    shown = _spread(
        [v for v in listed if v.video in selected and v.video in predicted], config.film_strips
    )
    with read_shards(
        media, read_listed_media(listed), usable_ids(listed), usable_ids(listed, "test")
    ) as shards:
        return [
            _film(
                video,
                predicted[video.video],
                selected[video.video],
                shards[video.video],
                config.pictures,
            )
            for video in shown
        ]


def _selected(rows: Rows) -> dict[str, dict[str, list[int]]]:
    """The selected moments of each video by modality, in the order of the steps."""
    selected: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for row in sorted(rows, key=lambda row: int(row["step"])):
        selected[row["video"]][row["modality"]].append(int(row["moment"]))
    return selected


def _spread(videos: Sequence[Video], count: int) -> list[Video]:
    """At most `count` of the videos, evenly over the list."""
    count = min(count, len(videos))
    return [videos[i * len(videos) // count] for i in range(count)]


def _film(
    video: Video,
    predicted: str,
    selected: Mapping[str, list[int]],
    shard: MediaReader,
    pictures: int,
) -> dict[str, object]:
    """A video's strips: the first moments that each modality selects, and uniform moments."""
    count = shard.moments(video.video)
    strips = {
        {"image": "looked at", "audio": "listened to"}.get(modality, modality): moments[:pictures]
        for modality, moments in selected.items()
    }
    strips["uniform"] = sorted({(2 * i + 1) * count // (2 * pictures) for i in range(pictures)})
    return {
        "video": video.video,
        "label": ", ".join(video.labels),
        "predicted": predicted,
        "right": predicted in video.labels,
        "strips": [
            {"name": name, "pictures": [_picture(video, shard, moment) for moment in moments]}
            for name, moments in strips.items()
        ],
    }


def _picture(video: Video, shard: MediaReader, moment: int) -> dict[str, object]:
    seconds = float(start_seconds(moment))
    inside = any(s.start_seconds <= seconds + 0.5 < s.end_seconds for s in video.segments or ())
    return {
        "address": picture_address(shard.frame(video.video, moment)),
        "seconds": f"{seconds:.1f}",
        "inside": inside,
    }


def _statuses(files: Mapping[str, Sequence[Video]]) -> list[dict[str, object]]:
    """How many videos of each data set have each status."""
    return [
        {"dataset": dataset, "status": status, "count": count}
        for dataset, videos in files.items()
        for status, count in sorted(Counter(video.status for video in videos).items())
    ]
