"""The page of SCSampler: its four tables, accuracy against cost, film strips, and the poster's
relations.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from markupsafe import Markup

from l2l.config import ReportConfig
from l2l.evaluation.artifact import BY_NAME, read_evaluation_table
from l2l.manifest.artifact import Video, read_videos, usable_ids
from l2l.media.artifact import MediaReader, read_media
from l2l.moments import start_seconds
from l2l.report.figures import picture_address, scsampler_plot, themed
from l2l.report.page import page_template
from l2l.report.scsampler.relations import poster_relations
from l2l.sampler.rows import POSTER_CLASSIFIERS, ROWS
from l2l.shards import read_shards
from l2l.stores import MADE_BY, write_text

Rows = Sequence[Mapping[str, str]]
TITLES = {
    "objective": "Objectives",
    "features": "Inputs of the visual sampler",
    "combination": "Combinations of the visual and the audio sampler",
    "classifier": "Compared with other choices, for the same recogniser",
}
FILMED = (
    *("visual", "audio", "union", "visual_ranking"),
    *("ours_dense", "one_look_dense", "one_look_sparse"),
    *("uniform", "oracle"),
)
_HIDDEN = ("table", "row", "quoted_source")


def write_scsampler_report(
    table: Path,
    clips: Path,
    table1: Path,
    videos: Path,
    media: list[Path],
    report: Path,
    config: ReportConfig,
    run: str,
) -> None:
    """Write the page.

    Args:
        table: what `evaluate_scsampler` wrote: the tables.
        clips: and the chosen clips.
        table1: what `evaluate_videos` wrote, for Listen to Look with the student as recogniser.
        videos: the target's videos, as decoded.
        media: the target's media, the shards with test videos.
        report: written: the page.
        config: title, and how many film strips are shown.
        run: its name.
    """
    rows = read_evaluation_table(table, "scsampler")
    listed = read_videos(videos)
    labels, quoted = {row.name: row.label for row in ROWS}, list(POSTER_CLASSIFIERS[0].top1)
    text = page_template("l2l.report.scsampler").render(
        title=f"{config.title}: SCSampler",
        made_by=MADE_BY,
        run=run,
        one_look=any(row["choice"].startswith("one_look") for row in rows),
        figure=Markup(
            themed(scsampler_plot(rows, read_evaluation_table(table1, "table1")).whole())
        ),
        sections=_sections(rows),
        caption=BY_NAME["scsampler"].caption,
        classifier_labels=[labels[name] for name in quoted],
        classifiers=[
            (each, [each.top1.get(name) for name in quoted]) for each in POSTER_CLASSIFIERS
        ],
        relations=poster_relations(rows),
        films=_films(listed, read_evaluation_table(clips, "scsampler_clips"), media, config),
    )
    write_text(report, text)


def _sections(rows: Rows) -> list[dict[str, object]]:
    """The tables in the poster's order: title, columns and rows."""
    labels = {row.name: row.label for row in ROWS}
    columns = [
        column
        for column in BY_NAME["scsampler"].columns
        if column.heading and column.name not in _HIDDEN
    ]
    sections: list[dict[str, object]] = []
    for name, title in TITLES.items():
        shown = [row for row in rows if row["table"] == name]
        if shown:
            cells = [
                (labels.get(row["row"], row["row"]), [row[column.name] for column in columns])
                for row in shown
            ]
            sections.append({"title": title, "columns": columns, "rows": cells})
    return sections


def _films(
    listed: Sequence[Video], clips: Rows, media: Sequence[Path], config: ReportConfig
) -> list[dict[str, object]]:
    """Film strips of some test videos: all clips that each of some rows chooses."""
    labels = {row.name: row.label for row in ROWS}
    chosen = {(row["video"], row["row"]): row for row in clips}
    with_clips = {row["video"] for row in clips if row["row"] in FILMED}
    test = [video for video in listed if video.video in with_clips]
    count = min(config.film_strips, len(test))
    films: list[dict[str, object]] = []
    with read_shards(media, read_media, usable_ids(listed), usable_ids(listed, "test")) as shards:
        for video in [test[i * len(test) // count] for i in range(count)]:
            strips = []
            for name in FILMED:
                if row := chosen.get((video.video, name)):
                    pictures = [
                        _picture(video, shards[video.video], int(clip))
                        for clip in row["clips"].split()
                    ]
                    right = row["predicted"] in video.labels
                    strips.append(
                        {
                            "name": labels[name],
                            "predicted": row["predicted"],
                            "right": right,
                            "pictures": pictures,
                        }
                    )
            films.append({"video": video.video, "label": ", ".join(video.labels), "strips": strips})
    return films


def _picture(video: Video, shard: MediaReader, moment: int) -> dict[str, object]:
    seconds = float(start_seconds(moment))
    inside = any(s.start_seconds <= seconds + 0.5 < s.end_seconds for s in video.segments or ())
    return {
        "address": picture_address(shard.frame(video.video, moment)),
        "seconds": f"{seconds:.1f}",
        "inside": inside,
    }
