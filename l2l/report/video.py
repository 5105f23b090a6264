"""The page of one test video: where the skimmer looked and listened, and all methods' answers."""

import difflib
import shlex
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


def video_page(run: Path, name: str) -> tuple[str, str]:
    """The id of a test video, and its page as text.

    Args:
        run: folder of a finished run, results/<run>.
        name: id of one of its test videos, as in videos.tsv; or that without its suffix, where no
            other begins so; or the path of its file.

    Raises:
        BadInput: if the run is not finished, or has no such usable test video.
    """
    sections = read_record(run)["videos"]
    (target,) = (name for name, each in sections.items() if each["role"] in ("target", "both"))
    listed = read_videos(run / "media" / target / "videos.tsv")
    shown = _test_video(run, listed, name)
    video = shown.video
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
        page = page_template("l2l.report", "video.html").render(
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
    return video, page


def _test_video(run: Path, listed: list[Video], name: str) -> Video:
    videos = {each.video: each for each in listed}
    if name not in videos and Path(name).is_file():
        name = _id_of_file(run, listed, name)
    usable = [each.video for each in listed if each.split == "test" and each.usable]
    without_suffix = [video for video in videos if video.rpartition(".")[0] == name]
    if name not in videos and len(without_suffix) == 1:
        (name,) = without_suffix
    if name in usable:
        return videos[name]
    if name in videos:
        status = f"a video of split {videos[name].split}, status {videos[name].status}"
    else:
        status = f"no such video{_question(name, usable)}"
    raise BadInput(f"{run}: {name!r}: {status}; expected one of {len(usable)} usable test videos")


def _id_of_file(run: Path, listed: list[Video], name: str) -> str:
    """The id of the video whose file this is."""
    for each in listed:
        if each.path.is_file() and each.path.samefile(name):
            return each.video
    raise BadInput(
        f"{name}: a file, but of no video of {run}, and pages are of its test videos alone; an "
        f"answer for any file: l2l predict {shlex.quote(name)} --run {shlex.quote(str(run))} --json"
    )


def _question(name: str, known: list[str]) -> str:
    """A question that names the known video which one is most like; empty where there is none."""
    begins = [video for video in known if video.startswith(name)] if name else []
    close = begins or difflib.get_close_matches(name, known, 1, 0.3) or known
    return f"; did you mean {close[0]!r}?" if close else ""
