"""The rows of scsampler.tsv: one record for each, in the order of the four tables of SCSampler's
poster.

To add a row, add a record here. A row names the networks whose saliency it reads; those that no
row reads are not trained. The rules, the evaluation, `plan`, the report and the tests read this
list. The Snakefile imports this file for every job, so it imports nothing heavy.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from l2l.errors import BadInput

Objective = Literal["class", "right", "ranking"]
TableName = Literal["objective", "features", "combination", "classifier"]
JOINT = "joint"  # the visual and the audio networks, trained together
POSTER = "SCSampler, ICCV 2019, poster"
MINI_SPORTS = "miniSports"
OBJECTIVES: dict[Objective, str] = {"class": "AC", "right": "SAL-CL", "ranking": "SAL-RANK"}


@dataclass(frozen=True)
class Sampler:
    """Networks of one objective whose outputs are averaged: what gives each clip its saliency.

    Attributes:
        inputs: one network for each: displacement, residual, frame; or audio.
        objective: class (AC), right (SAL-CL) or ranking (SAL-RANK).
        network: resnet18 or shufflenet26; of audio vgg.
    """

    inputs: tuple[str, ...]
    objective: Objective
    network: str = "resnet18"

    @property
    def networks(self) -> tuple[str, ...]:
        """Names of its networks, as of their files."""
        return tuple(f"{each}-{self.objective}-{self.network}" for each in self.inputs)


@dataclass(frozen=True)
class Row:
    """One row of scsampler.tsv.

    Attributes:
        name: in the table and in `sampler.rows` of the configuration.
        table: of the poster.
        label: in the report.
        choice: how clips are chosen: a name of `CHOICES` in l2l/evaluation/scsampler/choices.py.
        visual: the sampler that sees, if the choice reads one.
        audio: the sampler that hears, if the choice reads one.
        trained: the run's trained network by whose weights clips are chosen, if the choice reads
            them: results/<run>/skimmer/<trained>.pt.
        sparse: whether that network reads one moment in `evaluation.sparse_factor`.
        weighted: whether the recogniser's probabilities are averaged by that network's weights;
            else each chosen clip counts the same.
        quoted_top1: the poster's own figure, percent, of miniSports; of the table `classifier` see
            `POSTER_CLASSIFIERS`.
        quoted_runtime: the poster's own time for its test set, of other machines.
    """

    name: str
    table: TableName
    label: str
    choice: str
    visual: Sampler | None = None
    audio: Sampler | None = None
    quoted_top1: float | None = None
    quoted_runtime: str = ""
    trained: str | None = None
    sparse: bool = False
    weighted: bool = False

    @property
    def networks(self) -> tuple[str, ...]:
        """Names of the trained networks whose saliency it reads."""
        joint = (JOINT,) if self.choice == "joint" else ()
        samplers = [each for each in (self.visual, self.audio) if each is not None]
        return (*joint, *(name for each in samplers for name in each.networks))


MOTION = ("displacement", "residual")


def _seen(objective: Objective, inputs: tuple[str, ...] = MOTION, network: str = "") -> Sampler:
    return Sampler(inputs, objective, network or "resnet18")


def _heard(objective: Objective) -> Sampler:
    return Sampler(("audio",), objective, "vgg")


def _attended(
    name: str, label: str, trained: str, sparse: bool = False, weighted: bool = False
) -> Row:
    """The clips to which a trained network of the run gives the largest weights."""
    reading = "sparse" if sparse else "dense"
    choice = f"{name}_{reading}"
    return Row(
        choice + "_weighted" * weighted,
        "classifier",
        f"{label} ({reading}{', weighted' * weighted})",
        choice,
        trained=trained,
        sparse=sparse,
        weighted=weighted,
    )


SHUFFLE = "shufflenet26"
SEEN, HEARD = _seen("class"), _heard("ranking")  # the best of each row of the poster's table
WITH_FRAME = ("frame", *MOTION)

ROWS: tuple[Row, ...] = (
    Row("visual_class", "objective", "visual, AC", "visual", _seen("class"), None, 73.05),
    Row("visual_right", "objective", "visual, SAL-CL", "visual", _seen("right"), None, 63.17),
    Row("visual_ranking", "objective", "visual, SAL-RANK", "visual", _seen("ranking"), None, 64.77),
    Row("audio_class", "objective", "audio, AC", "audio", None, _heard("class"), 66.37),
    Row("audio_right", "objective", "audio, SAL-CL", "audio", None, _heard("right"), 58.73),
    Row("audio_ranking", "objective", "audio, SAL-RANK", "audio", None, _heard("ranking"), 67.82),
    Row(
        "displacement",
        "features",
        "ResNet-18, displacement",
        "visual",
        _seen("class", ("displacement",)),
        None,
        63.5,
        "19.8 min",
    ),
    Row(
        "residual",
        "features",
        "ResNet-18, residual",
        "visual",
        _seen("class", ("residual",)),
        None,
        68.0,
        "20.4 min",
    ),
    Row("frame", "features", "ResNet-18, frame", "visual", _seen("class", ("frame",))),
    Row("motion", "features", "ResNet-18, both", "visual", SEEN, None, 73.1, "20.9 min"),
    Row(
        "motion_frame",
        "features",
        "ResNet-18, both and frame",
        "visual",
        _seen("class", WITH_FRAME),
        None,
        74.9,
        "27.3 min",
    ),
    Row(
        "motion_shufflenet",
        "features",
        "ShuffleNet-26, both",
        "visual",
        _seen("class", MOTION, SHUFFLE),
        None,
        67.9,
        "19.1 min",
    ),
    Row(
        "motion_frame_shufflenet",
        "features",
        "ShuffleNet-26, both and frame",
        "visual",
        _seen("class", WITH_FRAME, SHUFFLE),
        None,
        69.9,
        "23.8 min",
    ),
    Row("union", "combination", "union list", "union", SEEN, HEARD, 75.98, "23.4 min"),
    Row("joint", "combination", "joint training", "joint", None, None, 75.53, "23.4 min"),
    Row("visual", "combination", "visual alone", "visual", SEEN, None, 73.05, "20.9 min"),
    Row("audio", "combination", "audio alone", "audio", None, HEARD, 67.82, "22.0 min"),
    Row("convex_score", "combination", "convex score", "convex_score", SEEN, HEARD),
    Row("convex_list", "combination", "convex list", "convex_list", SEEN, HEARD),
    Row("intersection", "combination", "intersection list", "intersection", SEEN, HEARD),
    Row(
        "union_ranking",
        "combination",
        "union list, both SAL-RANK",
        "union",
        _seen("ranking"),
        HEARD,
    ),
    Row("scsampler", "classifier", "SCSampler (union list)", "union", SEEN, HEARD),
    _attended("ours", "Listen to Look", "skimmer"),
    _attended("ours", "Listen to Look", "skimmer", sparse=True),
    _attended("one_look", "One look", "one_look"),
    _attended("one_look", "One look", "one_look", sparse=True),
    _attended("one_look", "One look", "one_look", weighted=True),
    _attended("one_look", "One look", "one_look", sparse=True, weighted=True),
    Row("random", "classifier", "Random", "random"),
    Row("uniform", "classifier", "Uniform", "uniform"),
    Row("empirical", "classifier", "Empirical", "empirical"),
    Row("confidence", "classifier", "Recogniser's own confidence", "confidence"),
    Row("dense", "classifier", "Dense", "dense"),
    Row("oracle", "classifier", "Oracle", "oracle"),
)


class Quote(NamedTuple):
    """A figure of the poster.

    Attributes:
        top1: percent; None where the poster has none.
        runtime: for its test set, on machines that are not stated.
        dataset: and the recogniser, where the poster has several.
    """

    top1: float | None
    runtime: str
    dataset: str


@dataclass(frozen=True)
class PosterClassifier:
    """A line of the poster's two tables of recognisers, K = 10.

    Attributes:
        dataset: of the table.
        name: of the recogniser.
        network: as `teacher.network` names it; empty where the chain does not have it.
        top1: percent, by row.
        days: by row.
    """

    dataset: str
    name: str
    network: str
    top1: Mapping[str, float]
    days: Mapping[str, float]


_SPORTS1M = ("scsampler", "random", "uniform", "empirical", "dense", "oracle")


def _on_sports1m(
    name: str, network: str, top1: Sequence[float], sampled: float, drawn: float, dense: float
) -> PosterClassifier:
    days = (sampled, drawn, drawn, drawn, dense)
    return PosterClassifier(
        "Sports1M",
        name,
        network,
        dict(zip(_SPORTS1M, top1, strict=True)),
        dict(zip(_SPORTS1M[:-1], days, strict=True)),
    )


def _on_kinetics(name: str, *top1: float) -> PosterClassifier:
    return PosterClassifier(
        "Kinetics", name, "", dict(zip(_SPORTS1M[:4], top1, strict=True)), days={}
    )


POSTER_CLASSIFIERS: tuple[PosterClassifier, ...] = (
    _on_sports1m("MC3-18", "mc3_18", (72.8, 64.5, 64.8, 65.3, 66.6, 85.1), 0.8, 0.4, 12.9),
    _on_sports1m("R(2+1)D-18", "r2plus1d_18", (73.9, 63.0, 63.2, 63.9, 68.7, 87.0), 0.8, 0.4, 13.1),
    _on_sports1m("R3D-18", "r3d_18", (70.2, 59.8, 59.9, 60.3, 65.6, 85.0), 0.8, 0.4, 13.3),
    _on_sports1m("R(2+1)D-34", "", (78.0, 71.2, 71.5, 72.0, 70.9, 88.4), 0.9, 0.6, 14.2),
    _on_sports1m("ir-CSN-152", "", (84.0, 75.3, 75.8, 76.2, 77.0, 92.6), 0.9, 0.5, 14.0),
    _on_kinetics("R(2+1)D-34, pretrained on Sports1M", 76.7, 73.8, 74.0, 74.1),
    _on_kinetics("I3D-RGB, pretrained on ImageNet", 75.1, 71.9, 71.8, 71.9),
    _on_kinetics("ir-CSN-152, pretrained on Sports1M", 80.2, 77.8, 78.5, 79.2),
)
QUOTED_WITHOUT_ITS_OWN = "r2plus1d_18"  # for a teacher of which the poster has no line


def quote(row: Row, network: str) -> Quote:
    """What the poster has of a row: in the table `classifier` of the run's recogniser, where it has
    that one, else of R(2+1)D-18.

    Args:
        row: of the tables.
        network: as `teacher.network` names it.
    """
    if row.table != "classifier":
        return Quote(row.quoted_top1, row.quoted_runtime, MINI_SPORTS)
    lines = {each.network: each for each in POSTER_CLASSIFIERS if each.network}
    line = lines.get(network, lines[QUOTED_WITHOUT_ITS_OWN])
    days = line.days.get(row.name)
    return Quote(
        line.top1.get(row.name), f"{days} days" if days else "", f"{line.dataset}, {line.name}"
    )


def chosen_rows(
    names: Sequence[str] | None, trained: Sequence[str] = ("skimmer",)
) -> tuple[Row, ...]:
    """The rows of `sampler.rows`, in the order of `ROWS`; where it is not given, all that need no
    other trained network than the run has.

    Args:
        names: of the rows.
        trained: the networks that the run trains for Table 1.

    Raises:
        BadInput: for a name that is not in `ROWS`.
    """
    known = [row.name for row in ROWS]
    for name in names or ():
        if name not in known:
            raise BadInput(f"sampler.rows: found {name!r}, expected some of {', '.join(known)}")
    if names is None:
        return tuple(row for row in ROWS if row.trained in (None, *trained))
    return tuple(row for row in ROWS if row.name in names)


def single_networks(rows: Sequence[Row]) -> tuple[str, ...]:
    """Names of the networks of one input that the rows read, those that the joint training starts
    from too.
    """
    names = [name for row in rows for name in row.networks if name != JOINT]
    if JOINT in joint_networks(rows):
        names += joint_start()
    return tuple(dict.fromkeys(names))


def joint_networks(rows: Sequence[Row]) -> tuple[str, ...]:
    """The jointly trained networks, if a row reads them."""
    return (JOINT,) if any(JOINT in row.networks for row in rows) else ()


def joint_start() -> tuple[str, ...]:
    """Names of the networks that the joint training starts from."""
    return (*SEEN.networks, *HEARD.networks)
