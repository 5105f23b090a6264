"""The methods of Table 1: one record for each, in the order of its rows.

To add a method, add a record here. A method that picks moments needs no more. A method with its
own network names it in `trained`; `docs/extending.md` says what else it takes. The
rows of Table 1, the inputs of the rules, `plan`, `inspect`, the report and the tests read this
list.

The Snakefile imports this file for every job, so it imports nothing heavy: what computes is in
`VideoInput`, which each method is given.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from l2l.errors import BadInput

if TYPE_CHECKING:
    from l2l.evaluation.videos.predictions import MethodPrediction, VideoInput

Predict = Callable[["VideoInput"], "MethodPrediction"]


@dataclass(frozen=True)
class Method:
    """One row of Table 1.

    Attributes:
        name: in tables and in `evaluation.methods` of the configuration.
        label: in the report, as the paper prints it.
        predict: from one video to class probabilities, and what they cost.
        trained: the trained network that it needs, results/<run>/skimmer/<trained>.pt: a model of
            `train_skimmer`, or a variant of the skimmer.
        paper: whether it is one of the default rows, which are those of the paper's Table 1. The
            others are rows where `evaluation.methods` names them.
    """

    name: str
    label: str
    predict: Predict
    trained: str | None = None
    paper: bool = True


# ---- Which moments, of `count`, a method that picks looks at. A shorter video gives all. ---------


def uniform(count: int, moments: int) -> list[int]:
    """The middles of `moments` spans of equal length."""
    size = min(count, moments)
    return [(2 * i + 1) * count // (2 * size) for i in range(size)]


def front(count: int, moments: int) -> list[int]:
    """The first moments."""
    return list(range(min(count, moments)))


def center(count: int, moments: int) -> list[int]:
    """The moments around the middle."""
    size = min(count, moments)
    return list(range((count - size) // 2, (count - size) // 2 + size))


def end(count: int, moments: int) -> list[int]:
    """The last moments."""
    return list(range(count - min(count, moments), count))


# ---- How methods predict. ------------------------------------------------------------------------


def average_of(pick: Callable[[int, int], list[int]]) -> Predict:
    """Average the student's class probabilities over the moments of `pick(count, moments)`.

    `count` is the video's number of moments, `moments` is `evaluation.moments`.
    """
    return lambda video: video.average([pick(video.count, video.config.moments)])


def average_of_random_moments() -> Predict:
    """The same for `evaluation.random_draws` random choices; metrics are averaged over them."""
    return lambda video: video.average(video.random_draws())


def average_of_most_confident() -> Predict:
    """SCSampler with the image-audio classifier: all moments are scored to choose some."""
    return lambda video: video.average([video.most_confident()], scored=video.count)


def average_of_all() -> Predict:
    """Average over every moment."""
    return lambda video: video.average([list(range(video.count))])


def average_of_best_of_class() -> Predict:
    """The moments with the largest probability of the true class: what picking can reach."""
    return lambda video: video.average([video.best_of_class()], scored=video.count)


def classified_by(trained: str) -> Predict:
    """A trained network reads the features of all moments."""
    return lambda video: video.classify(trained)


def classified_sparsely_by(trained: str) -> Predict:
    """The same, with features of one moment in `evaluation.sparse_factor`."""
    return lambda video: video.classify(trained, video.config.sparse_factor)


def looked_until_sure(trained: str) -> Predict:
    """One look reads a coarse grid, then more until it is sure, by `evaluation.stop`."""
    return lambda video: video.look_until_sure(trained)


METHODS: tuple[Method, ...] = (
    Method("random", "Random", average_of_random_moments()),
    Method("uniform", "Uniform", average_of(uniform)),
    Method("front", "Front", average_of(front)),
    Method("center", "Center", average_of(center)),
    Method("end", "End", average_of(end)),
    Method("scsampler", "SCSampler", average_of_most_confident()),
    Method("dense", "Dense", average_of_all()),
    Method("lstm", "LSTM", classified_by("lstm"), trained="lstm"),
    Method("non_recurrent", "Non-Recurrent", classified_by("non_recurrent"), "non_recurrent"),
    Method("ours_sparse", "Ours (sparse)", classified_sparsely_by("skimmer"), trained="skimmer"),
    Method("ours_dense", "Ours (dense)", classified_by("skimmer"), trained="skimmer"),
    Method(
        "one_look_sparse",
        "One look (sparse)",
        classified_sparsely_by("one_look"),
        trained="one_look",
        paper=False,
    ),
    Method(
        "one_look_dense", "One look (dense)", classified_by("one_look"), "one_look", paper=False
    ),
    Method(
        "one_look_stop", "One look, until sure", looked_until_sure("one_look"), "one_look", False
    ),
    Method(
        "ranked_sparse",
        "Ranked sampler (sparse)",
        classified_sparsely_by("ranked"),
        "ranked",
        False,
    ),
    Method("ranked_dense", "Ranked sampler (dense)", classified_by("ranked"), "ranked", False),
    Method(
        "early_exit", "Early exit, fixed order", classified_by("early_exit"), "early_exit", False
    ),
    Method("oracle", "Oracle (knows the class)", average_of_best_of_class(), paper=False),
)
# The methods that classes.tsv compares class by class; they are computed in every run.
COMPARED = ("ours_dense", "uniform")


# ---- What the rules, the plan and the report read of the list. -----------------------------------


def chosen_methods(names: Sequence[str] | None) -> tuple[Method, ...]:
    """The methods of `evaluation.methods`, in its order; the paper's where it is not given.

    Raises:
        BadInput: for a name that is not in `METHODS`, or that is given twice.
    """
    by_name = {method.name: method for method in METHODS}
    if names is None:
        names = tuple(method.name for method in METHODS if method.paper)
    for i, name in enumerate(names):
        if name not in by_name:
            raise BadInput(
                f"evaluation.methods: found {name!r}, expected some of {', '.join(by_name)}"
            )
        if name in names[:i]:
            raise BadInput(f"evaluation.methods: found {name!r} twice, expected it once")
    return tuple(by_name[name] for name in names)


def computed_methods(names: Sequence[str] | None) -> tuple[Method, ...]:
    """The chosen methods, then those of `COMPARED` that were not chosen."""
    chosen = chosen_methods(names)
    listed = [method.name for method in chosen]
    return (*chosen, *chosen_methods([name for name in COMPARED if name not in listed]))


def trained_networks(names: Sequence[str] | None) -> tuple[str, ...]:
    """Names of the trained networks that the chosen methods need, the skimmer first."""
    needed = [method.trained for method in computed_methods(names) if method.trained]
    return tuple(dict.fromkeys(["skimmer", *needed]))


def method_labels() -> dict[str, str]:
    """The label of each method, by name."""
    return {method.name: method.label for method in METHODS}
