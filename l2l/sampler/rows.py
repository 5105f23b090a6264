"""The rows of scsampler.tsv: one record for each, in the order of the four tables of SCSampler's
poster.

To add a row, add a record here. A row names the networks whose saliency it reads; those that no
row reads are not trained. The rules, the evaluation, `plan`, the report and the tests read this
list. The Snakefile imports this file for every job, so it imports nothing heavy.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from l2l.errors import BadInput

Objective = Literal["class", "right", "ranking"]
TableName = Literal["objective", "features", "combination", "classifier"]
JOINT = "joint"  # the visual and the audio networks, trained together
POSTER = "SCSampler, ICCV 2019, poster"
SPORTS1M = "Sports1M, R(2+1)D-18"
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
        quoted_top1: the poster's own figure, percent; of other data.
        quoted_runtime: the poster's own time for its test set, of other machines.
        quoted_dataset: the data set, and where there are several the recogniser, of both.
    """

    name: str
    table: TableName
    label: str
    choice: str
    visual: Sampler | None = None
    audio: Sampler | None = None
    quoted_top1: float | None = None
    quoted_runtime: str = ""
    quoted_dataset: str = "miniSports"

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
    Row(
        "scsampler",
        "classifier",
        "SCSampler (union list)",
        "union",
        SEEN,
        HEARD,
        73.9,
        "0.8 days",
        SPORTS1M,
    ),
    Row("ours_dense", "classifier", "Listen to Look (dense)", "ours_dense"),
    Row("ours_sparse", "classifier", "Listen to Look (sparse)", "ours_sparse"),
    Row("random", "classifier", "Random", "random", None, None, 63.0, "0.4 days", SPORTS1M),
    Row("uniform", "classifier", "Uniform", "uniform", None, None, 63.2, "0.4 days", SPORTS1M),
    Row(
        "empirical", "classifier", "Empirical", "empirical", None, None, 63.9, "0.4 days", SPORTS1M
    ),
    Row("confidence", "classifier", "Recogniser's own confidence", "confidence"),
    Row("dense", "classifier", "Dense", "dense", None, None, 68.7, "13.1 days", SPORTS1M),
    Row("oracle", "classifier", "Oracle", "oracle", None, None, 87.0, "", SPORTS1M),
)


def chosen_rows(names: Sequence[str] | None) -> tuple[Row, ...]:
    """The rows of `sampler.rows`, in the order of `ROWS`; all where it is not given.

    Raises:
        BadInput: for a name that is not in `ROWS`.
    """
    known = [row.name for row in ROWS]
    for name in names or ():
        if name not in known:
            raise BadInput(f"sampler.rows: found {name!r}, expected some of {', '.join(known)}")
    return tuple(row for row in ROWS if names is None or row.name in names)


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
