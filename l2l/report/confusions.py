"""Which classes ours (dense) takes for which, its most confident errors, and gains per class."""

from collections import Counter
from collections.abc import Mapping, Sequence

Rows = Sequence[Mapping[str, str]]
MOST_CLASSES = 40  # of a matrix that can be read
MOST_ERRORS = 10
MOST_BARS = 40


def answers_of_ours(predictions: Rows) -> list[Mapping[str, str]]:
    """The rows of predictions.tsv of ours (dense)."""
    return [row for row in predictions if row["method"] == "ours_dense"]


def confusion_matrix(answers: Rows) -> dict[str, object] | None:
    """Counts of test videos by label and predicted class; None where the classes are too many."""
    counts = Counter((row["label"], row["predicted"]) for row in answers)
    classes = sorted({name for pair in counts for name in pair})
    if not classes or len(classes) > MOST_CLASSES:
        return None
    rows = []
    for label in classes:
        videos = sum(counts[label, predicted] for predicted in classes)
        cells = [
            {
                "count": counts[label, predicted],
                "share": f"{counts[label, predicted] / max(videos, 1):.2f}",
                "title": f"{counts[label, predicted]} of {videos} videos of {label} are taken for "
                f"{predicted}",
            }
            for predicted in classes
        ]
        rows.append({"label": label, "cells": cells})
    return {"classes": classes, "rows": rows}


def confused_pairs(answers: Rows) -> list[tuple[str, str, int]]:
    """The most frequent confusions: label, predicted class, videos."""
    pairs = Counter(
        (row["label"], row["predicted"]) for row in answers if row["label"] != row["predicted"]
    )
    ranked = sorted(pairs.items(), key=lambda item: (-item[1], item[0]))
    return [(*pair, count) for pair, count in ranked[:MOST_ERRORS]]


def confident_errors(answers: Rows) -> list[Mapping[str, str]]:
    """The errors with the largest probability, the largest first."""
    wrong = [row for row in answers if row["label"] != row["predicted"]]
    return sorted(wrong, key=lambda row: (-float(row["probability"]), row["video"]))


def videos_to_show(answers: Rows, count: int) -> list[str]:
    """Ids of videos to show: half of them right answers, evenly over the list, then the most
    confident errors; more of the one where the other has too few.
    """
    right = [row["video"] for row in answers if row["label"] == row["predicted"]]
    wrong = [row["video"] for row in confident_errors(answers)]
    of_right = min(len(right), max((count + 1) // 2, count - len(wrong)))
    spread = [right[i * len(right) // of_right] for i in range(of_right)]
    return [*spread, *wrong[: count - of_right]]


def gain_bars(classes: Rows) -> list[dict[str, object]]:
    """Bars of the gain in top-1 of ours (dense) over uniform, per class; those of both ends where
    the classes are many.
    """
    shown = list(classes)
    if len(shown) > MOST_BARS:
        shown = [*shown[: MOST_BARS // 2], *shown[-MOST_BARS // 2 :]]
    bars: list[dict[str, object]] = []
    for row in shown:
        gain = float(row["gain_top1"])
        bars.append(
            {
                "label": row["class"],
                "text": f"{gain:+.0f}",
                "parts": [
                    {
                        "x": f"{50 + min(gain, 0) / 2:.1f}",
                        "width": f"{abs(gain) / 2:.1f}",
                        "colour": "good" if gain > 0 else "bad",
                        "title": f"{row['class']}, {row['videos']} videos: ours (dense) "
                        f"{float(row['ours_top1']):.0f} %, uniform "
                        f"{float(row['uniform_top1']):.0f} %",
                    }
                ],
            }
        )
    return bars
