"""What a run is worth: warnings that its own numbers give."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from l2l.evaluation.videos.methods import COMPARED, method_labels
from l2l.report.digits import percent
from l2l.report.orders import order, right_answers

Rows = Sequence[Mapping[str, str]]
NEARLY_ALL = 0.8  # share of the videos that get one class,
MORE_THAN_LABELLED = 0.2  # and by how much it is above that of the most frequent label


def run_warnings(predictions: Rows) -> list[str]:
    """All warnings, one sentence or two each."""
    return [*_one_class(predictions), *_too_few(predictions)]


def _one_class(predictions: Rows) -> list[str]:
    """Methods that answer one class for nearly all videos."""
    answers: dict[str, list[str]] = defaultdict(list)
    labels: dict[str, str] = {}
    for row in predictions:
        answers[row["method"]].append(row["predicted"])
        labels[row["video"]] = row["label"]
    if not labels:
        return []
    warned: dict[tuple[str, int, int], list[str]] = defaultdict(list)
    largest = Counter(labels.values()).most_common(1)[0][1] / len(labels)
    labels_of = method_labels()
    for method, given in answers.items():
        predicted, count = Counter(given).most_common(1)[0]
        if count / len(given) >= max(NEARLY_ALL, min(1.0, largest + MORE_THAN_LABELLED)):
            warned[predicted, count, len(given)].append(labels_of.get(method, method))
    return [
        f"One class for nearly all videos, {predicted} for {count} of {videos}: {', '.join(names)}."
        for (predicted, count, videos), names in warned.items()
    ]


def _too_few(predictions: Rows) -> list[str]:
    """Whether the test videos are too few to order ours and uniform."""
    right = right_answers(predictions)
    if not set(COMPARED) <= set(right):
        return []
    compared = order(*(right[name] for name in COMPARED))
    if compared.known:
        return []
    first, second = (method_labels()[name] for name in COMPARED)
    videos = len(right[COMPARED[0]])
    return [
        f"{videos} test videos are too few to order {first} and {second}: the difference is "
        f"{compared.text}. Differences below {percent(compared.half_width, compared.half_width)} "
        "points mean nothing here."
    ]
