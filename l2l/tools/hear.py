"""The names of AudioSet that are heard in files and folders of videos, over time."""

import json as json_text
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from l2l.errors import BadInput
from l2l.manifest.files import video_files
from l2l.manifest.probe import NO_SUCH_FILE
from l2l.progress import counted
from l2l.stores import check_replaceable, write_text
from l2l.terminal import escape

if TYPE_CHECKING:
    from l2l.apply.hearing import Heard, HeardRange


def hear(
    video: list[Path],
    /,
    weights: Path | None = None,
    json: bool = False,
    page: Path | None = None,
    seconds: float = 2.0,
    top: int = 3,
    least_probability: float = 0.2,
    threads: int | None = None,
) -> int:
    """Name what is heard in each video over time, by AudioSet's 527 names.

    Nothing is trained. One line per range in which one name is the most probable. The network is
    EfficientAT mn04.

    Args:
        video: files of any name, and folders.
        weights: needed: the file mn04_as_mAP_432.pt (4 MB), fetched once from the release v0.0.1
            of github.com/fschmid56/EfficientAT, see docs/hear.md.
        json: print one JSON object per file instead.
        page: a page with the timeline of each video, written as well.
        seconds: length of the windows of sound, each of which is heard by itself.
        top: names per range, at most.
        least_probability: what is less probable is not named.
        threads: of PyTorch; default: one per core.

    Raises:
        BadInput: if the weights are not given, are missing or are another file, a number is out of
            bounds, there is no video, or the page cannot be written.

    Returns:
        0 when every file was heard, 1 when one could not be used or has no sound.

    Example:
        l2l hear video.mp4 --weights mn04_as_mAP_432.pt --page heard.html
    """
    if weights is None:
        from l2l.pretrained.efficientat.weights import WEIGHTS  # which imports torch

        raise BadInput(
            f"--weights is missing: fetch {WEIGHTS.origin} (4 MB) once and give the file; see "
            "docs/hear.md"
        )
    files = video_files(video)
    if video and not files:
        raise BadInput(f"{', '.join(map(str, video))}: no file with the name of a video")
    if top < 1 or not 0 <= least_probability <= 1:
        raise BadInput(
            f"top {top}, least_probability {least_probability:g}: expected 1 or more, and 0 to 1"
        )
    if files and not any(map(os.path.lexists, files)):  # answered without torch
        for path in files:
            print(escape(f"{path}: {NO_SUCH_FILE.status}: {NO_SUCH_FILE.reason}"))
        return 1
    if page is not None:
        check_replaceable(page)
    from l2l.apply.hearing import Listener, ranges_of

    listener = Listener(weights, seconds, threads)
    unheard, timelines = 0, []
    for heard in counted(listener.hear_many(files), len(files), caller_prints=True):
        ranges = ranges_of(heard, listener.names, top, least_probability)
        unheard += not heard.has_sound.any()
        for line in [_object(heard, ranges)] if json else _lines(heard, ranges, least_probability):
            print(line, flush=True)
        timelines.append((heard, ranges))
    if page is not None:
        from l2l.apply.hearing_page import render_heard

        write_text(page, render_heard(timelines, listener.names, least_probability))
    return int(unheard > 0)


def _object(heard: "Heard", ranges: Sequence["HeardRange"]) -> str:
    return json_text.dumps(
        {
            "video": heard.video,
            "status": heard.status,
            "reason": heard.reason,
            "duration_seconds": heard.duration_seconds,
            "ranges": [
                each._asdict() | {"names": [name._asdict() for name in each.names]}
                for each in ranges
            ],
        }
    )


def _lines(heard: "Heard", ranges: Sequence["HeardRange"], least_probability: float) -> list[str]:
    """One line per range, and one of a file of which nothing can be heard, or with a remark."""
    lines = []
    if heard.reason or not heard.has_sound.any():
        lines.append(f"{heard.video}: {heard.status}: {heard.reason}")
    for each in ranges if heard.has_sound.any() else ():
        names = ", ".join(f"{name.name} ({name.probability:.2f})" for name in each.names)
        nothing = f"no name above {least_probability:g}" if each.has_sound else "no sound"
        span = f"{each.start_seconds:.1f} to {each.end_seconds:.1f} s"
        lines.append(f"{heard.video}: {span}: {names or nothing}")
    return [escape(line) for line in lines]
