"""Bars of the page: files by split and status, seconds and memory by rule. Widths are percent."""

from collections import Counter
from collections.abc import Mapping, Sequence

from l2l.manifest.artifact import SPLITS, USABLE, Video
from l2l.report.digits import significant
from l2l.report.spent import Spent


def status_bars(files: Mapping[str, Sequence[Video]]) -> list[dict[str, object]]:
    """One bar for each data set and split, one part for each status; as long as it has videos."""
    groups = {
        (dataset, split): Counter(video.status for video in videos if video.split == split)
        for dataset, videos in files.items()
        for split in SPLITS
    }
    longest = max((sum(counts.values()) for counts in groups.values()), default=1) or 1
    bars: list[dict[str, object]] = []
    for (dataset, split), counts in groups.items():
        parts, x = [], 0.0
        for i, (status, count) in enumerate(
            sorted(counts.items(), key=lambda item: (item[0] not in USABLE, item[0]))
        ):
            width = 100 * count / longest
            parts.append(
                {
                    "x": f"{x:.2f}",
                    "width": f"{width:.2f}",
                    "colour": ("good" if not i else "hue1") if status in USABLE else "bad",
                    "title": f"{dataset}, {split}: {count:,} {status}",
                }
            )
            x += width
        if counts:
            text = ", ".join(f"{count:,} {status}" for status, count in sorted(counts.items()))
            bars.append({"label": f"{dataset}, {split}", "text": text, "parts": parts})
    return bars


def spent_bars(spent: Sequence[Spent]) -> list[dict[str, object]]:
    """One bar for each rule: seconds above, memory below."""
    seconds = max((each.seconds for each in spent), default=0) or 1
    memory = max((each.megabytes or 0 for each in spent), default=0) or 1
    return [
        {
            "label": each.rule + (f" ({each.jobs:,} jobs)" if each.jobs > 1 else ""),
            "text": f"{significant(each.seconds)} s"
            + (f", {each.megabytes:,.0f} MB" if each.megabytes is not None else ""),
            "parts": [
                {
                    "x": "0",
                    "y": "0",
                    "width": f"{100 * each.seconds / seconds:.2f}",
                    "height": "6",
                    "colour": "hue0",
                    "title": f"{each.rule}: {significant(each.seconds)} s in all",
                },
                {
                    "x": "0",
                    "y": "6",
                    "width": f"{100 * (each.megabytes or 0) / memory:.2f}",
                    "height": "4",
                    "colour": "hue1",
                    "title": f"{each.rule}: at most {each.megabytes or 0:,.0f} MB per job",
                },
            ],
        }
        for each in spent
    ]
