"""The report: one self-contained page with what a run found, where it looked, and its files."""

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from l2l.config import ReportConfig
from l2l.errors import BadInput
from l2l.evaluation.artifact import TABLES, read_evaluation_table
from l2l.manifest.artifact import Video, read_videos
from l2l.manifest.labels import label_warnings
from l2l.report import confusions
from l2l.report.attention import Stores, open_stores
from l2l.report.bars import status_bars
from l2l.report.helps import clips_to_hear
from l2l.report.looks import look, picks_of
from l2l.report.page import page_template
from l2l.report.relations import Relation, relations, reported_orders
from l2l.report.sections import Target, empty_plot, plots, section
from l2l.report.verdict import holding, recognised, usable_files
from l2l.report.worth import run_warnings
from l2l.stores import MADE_BY, write_text

Rows = Sequence[Mapping[str, str]]
_MOST_FILES = 200  # per table
_PACKAGES = ("torch", "torchvision", "torchaudio", "zarr", "h5py", "numpy", "av")


def write_report(
    tables: list[Path],
    videos: Path,
    source_videos: Path,
    media: list[Path],
    report: Path,
    config: ReportConfig,
    settings: str,
    mels: list[Path] | None = None,
    source_media: list[Path] | None = None,
    scores: Path | None = None,
    figures: Path | None = None,
) -> None:
    """Write the page. It depends on results alone, so the same results give the same bytes; what a
    run took is on the page of `l2l costs`.

    Args:
        tables: tables of the evaluation, in any order; the name of a file says which it is. A table
            that is not given has no section.
        videos: the target's videos, as decoded.
        source_videos: the source's videos, as decoded.
        media: the target's media, the shards with test videos.
        report: written: the page.
        config: title, and how many film strips and pictures are shown.
        settings: the whole configuration as JSON, shown at the end.
        mels: the target's mels, the shards with test videos, for the spectrograms.
        source_media: the source's media, for the clips where sound helps.
        scores: of the target's test videos, for the attention over all moments.
        figures: written: a folder with the plots, as SVG.

    Raises:
        BadInput: if a table is not one of l2l's, or is given twice.
    """
    rows = _read_tables(tables)
    configuration = json.loads(settings)
    listed = read_videos(videos)
    # one data set, or two
    files = {source_videos.parent.name: read_videos(source_videos), videos.parent.name: listed}
    usable = sum(video.usable and video.split == "test" for video in listed)
    dataset = configuration["videos"][videos.parent.name]
    target = Target(dataset["adapter"], usable, dataset.get("action_seconds"))
    drawn = plots(rows, target)
    answers = confusions.answers_of_ours(rows.get("predictions", ()))
    stores = Stores(media, mels or (), scores)
    expected = _expected(rows, target)
    text = page_template("l2l.report").render(
        title=config.title,
        made_by=MADE_BY,
        run=configuration["run"],
        target=videos.parent.name,
        counts=_counts(listed),
        recognised=recognised(rows.get("table1", ()), rows.get("predictions", ())),
        usable=usable_files(files),
        holding=holding(expected),
        warnings=run_warnings(rows.get("predictions", ())),
        sections=[
            section(table, rows[table.name], drawn.get(table.name), target)
            for table in TABLES
            if table.in_report and table.name in rows
        ],
        relations=expected,
        is_demo=target.is_demo,
        films=_films(listed, rows, answers, stores, config),
        errors=confusions.confident_errors(answers)[: confusions.MOST_ERRORS],
        matrix=confusions.confusion_matrix(answers),
        pairs=confusions.confused_pairs(answers),
        gains=confusions.gain_bars(rows.get("classes", ())),
        heard=clips_to_hear(
            rows.get("audio_helps", ()), files[source_videos.parent.name], source_media or ()
        ),
        statuses=status_bars(files),
        **_files(files),
        versions=", ".join(f"{name} {version(name)}" for name in _PACKAGES),
        settings=json.dumps(configuration, indent=2),
    )
    if figures:
        for name in (table.name for table in TABLES if table.plotted):
            plot = drawn[name].whole() if name in drawn else empty_plot()
            write_text(figures / f"{name}.svg", plot)
    write_text(report, text)


def _read_tables(paths: Sequence[Path]) -> dict[str, Rows]:
    """The rows of each table, by its name."""
    rows: dict[str, Rows] = {}
    for path in paths:
        if path.stem in rows:
            raise BadInput(f"--tables: found {path.stem} twice, expected each table once")
        rows[path.stem] = read_evaluation_table(path)
    return rows


def _expected(rows: Mapping[str, Rows], target: Target) -> list[Relation]:
    if target.is_demo:
        return relations(*(rows.get(name, ()) for name in ("table1", "clips", "tradeoff")))
    return reported_orders(rows.get("predictions", ()), rows.get("clips", ()))


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
    listed: Sequence[Video],
    rows: Mapping[str, Rows],
    answers: Rows,
    stores: Stores,
    config: ReportConfig,
) -> list[dict[str, object]]:
    """Some test videos: right answers, then errors."""
    picks, by_id = picks_of(rows.get("selections", ())), {video.video: video for video in listed}
    answered = {row["video"]: row for row in answers if row["video"] in picks}
    picked: dict[str, list[Mapping[str, str]]] = {}
    for row in rows.get("picks", ()):
        picked.setdefault(row["video"], []).append(row)
    chosen = confusions.videos_to_show(list(answered.values()), config.film_strips)
    shown = [by_id[video] for video in chosen]
    with open_stores(stores, listed, shown) as opened:
        return [
            look(
                video,
                answered[video.video],
                picks[video.video],
                opened,
                config.pictures,
                picked.get(video.video, ()),
            )
            for video in shown
        ]


def _files(files: Mapping[str, Sequence[Video]]) -> dict[str, Any]:
    """What was left out, what is used with a remark, and warnings about labels."""
    videos = [video for each in files.values() for video in each]
    left_out = [video for video in videos if not video.usable]
    remarked = [video for video in videos if video.usable and video.reason]
    return {
        "file_tables": [
            {"title": title, "videos": each[:_MOST_FILES], "more": len(each[_MOST_FILES:])}
            for title, each in (("Left out", left_out), ("Used, with a remark", remarked))
            if each
        ],
        "label_warnings": [
            f"{dataset}: {warning}"
            for dataset, each in files.items()
            for warning in label_warnings(each)
        ],
    }
