"""The first screen: what was recognised how well at what cost, how many files, and what holds."""

from collections import Counter
from collections.abc import Mapping, Sequence

from l2l.evaluation.videos.methods import method_labels
from l2l.manifest.artifact import Video
from l2l.report.digits import interval_half_width, percent, significant
from l2l.report.orders import order, right_answers
from l2l.report.relations import Relation

Rows = Sequence[Mapping[str, str]]
COMPARED = ("uniform", "dense")


def recognised(table1: Rows, predictions: Rows) -> dict[str, object] | None:
    """Accuracy and cost of ours (dense) and, compared with it, of uniform, dense and the best row;
    None where Table 1 does not have ours (dense).
    """
    rows = {row["method"]: row for row in table1}
    if "ours_dense" not in rows:
        return None
    right, ours = right_answers(predictions), rows["ours_dense"]
    others = []
    for name in COMPARED:
        if name in rows and name in right and "ours_dense" in right:
            compared = order(right["ours_dense"], right[name])
            others.append(_figures(rows[name]) | {"order": compared})
    best, cheapest = _best(rows, right)
    half = interval_half_width(ours, "top1", 0)
    low, high = (percent(float(ours[f"top1_{end}"]), half) for end in ("low", "high"))
    return _figures(ours) | {
        "low": low,
        "high": high,
        "videos": ours["videos"],
        "others": others,
        "best": best,
        "cheapest": cheapest,
    }


def _best(
    rows: Mapping[str, Mapping[str, str]], right: Mapping[str, Mapping[str, bool]]
) -> tuple[dict[str, object] | None, dict[str, object] | None]:
    """The row with the highest accuracy, compared with ours (dense), where that is another one; and
    the one with the lowest cost of those that are not known to recognise less. None where there is
    no such row. The oracle, which is given the class, is none of them.
    """
    names = [name for name in rows if name in right and name != "oracle"]
    if "ours_dense" not in names:
        return None, None
    first = max(names, key=lambda name: float(rows[name]["top1"]))
    if first == "ours_dense":
        return None, None

    def no_less(name: str) -> bool:
        compared = order(right[name], right[first])
        return compared.points >= 0 or not compared.known

    costs = {name: float(rows[name]["gmacs_per_video"]) for name in names if no_less(name)}
    least = min(costs, key=lambda name: costs[name])
    best = _figures(rows[first]) | {"order": order(right[first], right["ours_dense"])}
    return best, None if least == first else _figures(rows[least])


def headline(table1: Rows) -> str:
    """Accuracy of ours (dense), uniform and dense with the cost of each, in one line; of the first
    row in place of a method that Table 1 does not have.
    """
    rows = {row["method"]: row for row in table1}
    names = [name for name in ("ours_dense", *COMPARED) if name in rows] or [*rows][:1]
    return "; ".join(
        f"{figures['name']} {figures['top1']} % top-1 with {figures['gmacs']} GMACs per video"
        for figures in (_figures(rows[name]) for name in names)
    )


def _figures(row: Mapping[str, str]) -> dict[str, object]:
    return {
        "name": method_labels()[row["method"]],
        "top1": percent(float(row["top1"]), interval_half_width(row, "top1", 0)),
        "gmacs": significant(float(row["gmacs_per_video"])),
    }


def usable_files(files: Mapping[str, Sequence[Video]]) -> dict[str, object]:
    """How many files of all data sets are usable, and why the others are not."""
    videos = [video for each in files.values() for video in each]
    unusable = Counter(video.status for video in videos if not video.usable)
    return {
        "all": f"{len(videos):,}",
        "usable": f"{sum(video.usable for video in videos):,}",
        "unusable": ", ".join(f"{count} {status}" for status, count in unusable.most_common()),
        "remarked": f"{sum(video.usable and bool(video.reason) for video in videos):,}",
    }


def holding(relations: Sequence[Relation]) -> dict[str, object]:
    """How many of the relations that the run has numbers for hold, and which do not."""
    judged = [relation for relation in relations if relation.holds is not None]
    return {
        "judged": len(judged),
        "hold": sum(bool(relation.holds) for relation in judged),
        "broken": [relation for relation in judged if not relation.holds],
        "open": sum(relation.open for relation in relations),
    }
