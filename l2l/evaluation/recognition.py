"""Table 2: recognition features by indexing features.

What was found here, and the published points that are known.
"""

from collections.abc import Collection, Mapping

from l2l.config import FeatureName
from l2l.evaluation.artifact import RECOGNITION_COLUMNS
from l2l.evaluation.variants import Found, Way
from l2l.skimmer.artifact import TrainedSkimmer
from l2l.skimmer.network import Skimmer
from l2l.student.network import Student

# Only mAP is known of this one; that it is Table 2's line of R(2+1)D-152 is inferred.
QUOTED = (
    {
        "dataset": "ActivityNet",
        "recognition": "R(2+1)D-152",
        "map": "89.90",
        "source": "paperswithcode.com, entry ListenToLook; its place in Table 2b is inferred",
    },
)


def makers(names: Collection[FeatureName], student: Student, teacher: str) -> str:
    """The networks that made features of these names.

    Image and audio are the one student's streams, whatever else it has.
    """
    how = "distilled" if student.settings["distilled"] else "undistilled"
    ours = [f"{'-'.join(student.modalities)} student, {how}"] if {*names} - {"teacher"} else []
    return "; ".join([*ours, *([f"teacher {teacher}"] if "teacher" in names else [])])


def recognition_rows(
    dataset: str,
    fitted: Mapping[str, TrainedSkimmer],
    found: Mapping[Way, Found],
    student: Student,
    teacher: str,
) -> list[dict[str, str]]:
    """A row a skimmer, then the quoted ones, marked so; what is not known is empty.

    Args:
        dataset: the target's name.
        fitted: the skimmers, by their names.
        found: their figures.
        student: that made the features of its modalities, and the fused ones.
        teacher: the network that made the teacher's descriptors, where a skimmer reads them.
    """
    rows = []
    for model, skimmer in fitted.items():
        assert isinstance(skimmer.network, Skimmer)
        names = {
            "quoted": "no",
            "dataset": dataset,
            "model": model,
            "recognition": "-".join(skimmer.network.widths),
            "indexing": "-".join(skimmer.network.modalities),
            "read": "selected" if skimmer.variant.selected else "weighed",
            "features_of": makers(
                {*skimmer.network.widths, *skimmer.network.modalities}, student, teacher
            ),
        }
        rows.append(names | found[Way(model)].figures() | {"source": "this run"})
    return [
        *rows,
        *({**dict.fromkeys(RECOGNITION_COLUMNS, ""), "quoted": "yes", **row} for row in QUOTED),
    ]
