"""The demo's rendered videos: `<folder>/<split>/<class>/<number>.mp4`, and `segments.tsv` where
only a part of a video shows the action.
"""

from collections import defaultdict
from pathlib import Path

from l2l.manifest.adapters.folder import find_videos
from l2l.manifest.artifact import Segment, Video
from l2l.stores import read_table

SEGMENT_COLUMNS = ("file", "start_seconds", "end_seconds", "label")


def list_demo(folder: Path) -> list[Video]:
    """The videos of a rendered folder.

    Raises:
        BadInput: if the folder is not as `render_demo` leaves it.
    """
    videos = find_videos(folder)
    table = folder / "segments.tsv"
    segments: defaultdict[str, list[Segment]] = defaultdict(list)
    for row in read_table(table, SEGMENT_COLUMNS) if table.exists() else ():
        segments[row["file"]].append(
            Segment(float(row["start_seconds"]), float(row["end_seconds"]), row["label"])
        )
    return [
        video._replace(segments=tuple(segments[video.video])) if video.video in segments else video
        for video in videos
    ]
