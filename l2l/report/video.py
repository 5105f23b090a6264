"""The page of one test video: where the skimmer looked and listened, and all methods' answers."""

import difflib
from pathlib import Path

from l2l.errors import BadInput
from l2l.evaluation.artifact import read_evaluation_table
from l2l.evaluation.videos.methods import method_labels
from l2l.manifest.artifact import Video, read_videos
from l2l.report.attention import Stores, open_stores
from l2l.report.looks import look, picks_of
from l2l.report.page import page_template
from l2l.run_record import read_record
from l2l.stores import MADE_BY


def video_page(run: Path, video: str) -> str:
    """The page as text.

    Args:
        run: folder of a finished run, results/<run>.
        video: id of one of its test videos, as in videos.tsv.

    Raises:
        BadInput: if the run is not finished, or has no such usable test video.
    """
    sections = read_record(run)["videos"]
    (target,) = (name for name, each in sections.items() if each["role"] in ("target", "both"))
    listed = read_videos(run / "media" / target / "videos.tsv")
    shown = _test_video(run, listed, video)
    answers = [
        row
        for row in read_evaluation_table(run / "evaluation" / "predictions.tsv")
        if row["video"] == video
    ]
    selections = read_evaluation_table(run / "evaluation" / "selections.tsv")
    picks = picks_of([row for row in selections if row["video"] == video])[video]
    (ours,) = (row for row in answers if row["method"] == "ours_dense")
    picked = [
        row
        for row in read_evaluation_table(run / "evaluation" / "picks.tsv")
        if row["video"] == video
    ]
    stores = Stores(
        sorted((run / "media" / target).glob("test-*.h5")),
        sorted((run / "mels" / target).glob("test-*.h5")),
        run / "evaluation" / "scores.h5",
    )
    labels = method_labels()
    with open_stores(stores, listed, [shown]) as opened:
        return page_template("l2l.report", "video.html").render(
            title=video,
            made_by=MADE_BY,
            run=run.name,
            film=look(shown, ours, picks, opened, len(picks), picked),
            answers=[
                {
                    "method": labels.get(row["method"], row["method"]),
                    "predicted": row["predicted"],
                    "probability": f"{float(row['probability']):.2f}",
                    "right": row["predicted"] in shown.labels,
                }
                for row in answers
            ],
        )


def _test_video(run: Path, listed: list[Video], video: str) -> Video:
    usable = {each.video: each for each in listed if each.split == "test" and each.usable}
    if video in usable:
        return usable[video]
    unusable = {each.video: each for each in listed}
    if video in unusable:
        each = unusable[video]
        status = f"a video of split {each.split}, status {each.status}"
    else:
        close = difflib.get_close_matches(video, usable, 1, 0.3) or list(usable)[:1]
        status = f"no such video; did you mean {close[0]!r}" if close else "no such video"
    raise BadInput(f"{run}: {video!r}: {status}; expected one of {len(usable)} usable test videos")
