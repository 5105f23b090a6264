"""Table 2: recognition features by indexing features, with the published points that are known."""

from collections.abc import Collection, Mapping

from l2l.config import FeatureName
from l2l.evaluation.artifact import BY_NAME
from l2l.evaluation.variants.evaluate import EvaluatedVariant, VariantMetrics
from l2l.skimmer.artifact import TrainedSkimmer
from l2l.skimmer.network import Skimmer
from l2l.student.network import Student

# Only mAP is known of this one; that it is Table 2's row of R(2+1)D-152 is inferred.
QUOTED = (
    {
        "dataset": "ActivityNet",
        "recognition": "R(2+1)D-152",
        "map": "89.90",
        "source": "paperswithcode.com, entry ListenToLook; its place in Table 2b is inferred",
    },
)


def feature_sources(names: Collection[FeatureName], student: Student, teacher: str) -> str:
    """The networks that made features of these names.

    Image and audio features come from the streams of the one student of the run.
    """
    training = "distilled" if student.settings["distilled"] else "undistilled"
    sources = []
    if {*names} - {"teacher"}:
        sources.append(f"{'-'.join(student.modalities)} student, {training}")
    if "teacher" in names:
        sources.append(f"teacher {teacher}")
    return "; ".join(sources)


def recognition_rows(
    dataset: str,
    trained: Mapping[str, TrainedSkimmer],
    metrics: Mapping[EvaluatedVariant, VariantMetrics],
    student: Student,
    teacher: str,
) -> list[dict[str, str]]:
    """One row per skimmer, then the quoted rows, which are marked; unknown cells are empty.

    Args:
        dataset: the target's name.
        trained: the skimmers by name.
        metrics: of each skimmer.
        student: the network that made the features of its modalities, and the fused ones.
        teacher: name of the network that made the teacher's descriptors; empty if no skimmer reads
            them.
    """
    rows = []
    for model, skimmer in trained.items():
        assert isinstance(skimmer.network, Skimmer)
        row = {
            "quoted": "no",
            "dataset": dataset,
            "model": model,
            "recognition": "-".join(skimmer.network.widths),
            "indexing": "-".join(skimmer.network.modalities),
            "aggregation": "selected" if skimmer.variant.selected else "weighted",
            "features_of": feature_sources(skimmer.feature_names, student, teacher),
            "source": "this run",
        }
        rows.append(row | metrics[EvaluatedVariant(model)].cells())
    columns = BY_NAME["recognition"].column_names
    return [*rows, *({**dict.fromkeys(columns, ""), "quoted": "yes", **row} for row in QUOTED)]
