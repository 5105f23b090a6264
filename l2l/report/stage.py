"""The report: one self-contained page of a run's tables, plot, film strips and files."""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import jinja2
from markupsafe import Markup

from l2l.config import ReportConfig
from l2l.evaluation.artifact import (
    ABLATION_COLUMNS,
    AUDIO_COLUMNS,
    CLASS_COLUMNS,
    CLIP_COLUMNS,
    FRONTIER_COLUMNS,
    PREDICTION_COLUMNS,
    RECOGNITION_COLUMNS,
    SELECTION_COLUMNS,
    TABLE1_COLUMNS,
    TRADEOFF_COLUMNS,
)
from l2l.manifest.artifact import Video, read_videos, usable_ids
from l2l.media.artifact import MediaReader, read_media
from l2l.moments import start_seconds
from l2l.report.figures import clips_plot, cost_plot, frontier_plot, picture_address, tradeoff_plot
from l2l.report.relations import relations
from l2l.shards import read_shards
from l2l.stores import MADE_BY, read_table, write_text

_MOST_REMARKS = 200
_ENDS = 10  # rows shown of each end of a long table
_PACKAGES = ("torch", "torchvision", "torchaudio", "zarr", "h5py", "numpy", "av")


def write_report(
    table1: Path,
    clips: Path,
    predictions: Path,
    selections: Path,
    tradeoff: Path,
    frontier: Path,
    recognition: Path,
    ablations: Path,
    classes: Path,
    audio_helps: Path,
    videos: Path,
    source_videos: Path,
    media: list[Path],
    report: Path,
    config: ReportConfig,
    settings: str,
) -> None:
    """Write the page. `settings` is the whole configuration as JSON, shown at its end."""
    listed, chosen = read_videos(videos), _selected(read_table(selections, SELECTION_COLUMNS))
    said = {
        row["video"]: row["predicted"]
        for row in read_table(predictions, PREDICTION_COLUMNS)
        if row["method"] == "ours_dense"
    }
    shown = _spread([video for video in listed if video.video in chosen], config.film_strips)
    with read_shards(media, read_media, usable_ids(listed), usable_ids(listed, "test")) as shards:
        films = [
            _film(
                video, said[video.video], chosen[video.video], shards[video.video], config.pictures
            )
            for video in shown
        ]
    rows1, rows2 = read_table(table1, TABLE1_COLUMNS), read_table(clips, CLIP_COLUMNS)
    points, named = read_table(frontier, FRONTIER_COLUMNS), read_table(classes, CLASS_COLUMNS)
    on_activitynet = json.loads(settings)["videos"][videos.parent.name]["adapter"] == "activitynet"
    files = {
        source_videos.parent.name: read_videos(source_videos),
        videos.parent.name: listed,
    }  # the same, or two
    remarks = [
        video for rows in files.values() for video in rows if video.reason or not video.usable
    ]
    page = jinja2.Environment(
        loader=jinja2.PackageLoader("l2l.report", "."), autoescape=True, trim_blocks=True
    ).get_template("page.html")
    text = page.render(
        title=config.title,
        made_by=MADE_BY,
        run=json.loads(settings)["run"],
        target=videos.parent.name,
        counts=_counts(listed, said),
        table1=rows1,
        lost=int(rows1[0]["videos_all"]) - int(rows1[0]["videos"]),
        plot=Markup(cost_plot(rows1)),  # our own SVG; everything else is escaped
        clips=rows2,
        clips_plot=Markup(clips_plot(rows2)),
        tradeoff_plot=Markup(tradeoff_plot(read_table(tradeoff, TRADEOFF_COLUMNS))),
        frontier=points,
        frontier_plot=Markup(frontier_plot(points, on_activitynet)),
        on_activitynet=on_activitynet,
        recognition=read_table(recognition, RECOGNITION_COLUMNS),
        ablations=read_table(ablations, ABLATION_COLUMNS),
        classes=named if len(named) <= 2 * _ENDS else named[:_ENDS] + named[-_ENDS:],
        class_count=len(named),
        audio_helps=[
            row
            for row in read_table(audio_helps, AUDIO_COLUMNS)[:_ENDS]
            if float(row["nearer"]) > 0
        ],
        relations=relations(rows1, rows2),
        films=films,
        states=_states(files),
        remarks=remarks[:_MOST_REMARKS],
        more_remarks=max(0, len(remarks) - _MOST_REMARKS),
        versions=", ".join(f"{name} {version(name)}" for name in _PACKAGES),
        settings=json.dumps(json.loads(settings), indent=2),
    )
    write_text(report, text)


def _counts(videos: Sequence[Video], said: Mapping[str, str]) -> dict[str, int]:
    train = sum(video.split == "train" and video.usable for video in videos)
    return {
        "test": len(said),
        "train": train,
        "classes": len({label for video in videos for label in video.labels}),
    }


def _selected(rows: Sequence[Mapping[str, str]]) -> dict[str, dict[str, list[int]]]:
    """The selected moments of each video by modality, in the order of the steps."""
    chosen: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for row in sorted(rows, key=lambda row: int(row["step"])):
        chosen[row["video"]][row["modality"]].append(int(row["moment"]))
    return chosen


def _spread(videos: Sequence[Video], count: int) -> list[Video]:
    """At most `count` of the videos, evenly over the list."""
    count = min(count, len(videos))
    return [videos[i * len(videos) // count] for i in range(count)]


def _film(
    video: Video, predicted: str, chosen: Mapping[str, list[int]], shard: MediaReader, pictures: int
) -> dict[str, object]:
    """A video's strips: what each modality selects first, and the uniform moments."""
    moments = shard.moments(video.video)
    uniform = sorted({(2 * i + 1) * moments // (2 * pictures) for i in range(pictures)})
    names = {"image": "looked at", "audio": "listened to"}
    strips = [
        {"name": names[m], "pictures": [_picture(video, shard, k) for k in ks[:pictures]]}
        for m, ks in chosen.items()
    ]
    strips.append({"name": "uniform", "pictures": [_picture(video, shard, k) for k in uniform]})
    label = ", ".join(video.labels)
    return {
        "video": video.video,
        "label": label,
        "predicted": predicted,
        "right": predicted in video.labels,
        "strips": strips,
    }


def _picture(video: Video, shard: MediaReader, moment: int) -> dict[str, object]:
    seconds = float(start_seconds(moment))
    inside = any(s.start_seconds <= seconds + 0.5 < s.end_seconds for s in video.segments or ())
    return {
        "address": picture_address(shard.frame(video.video, moment)),
        "seconds": f"{seconds:.1f}",
        "inside": inside,
    }


def _states(files: Mapping[str, Sequence[Video]]) -> list[dict[str, object]]:
    return [
        {"dataset": dataset, "status": status, "count": count}
        for dataset, videos in files.items()
        for status, count in sorted(Counter(video.status for video in videos).items())
    ]
