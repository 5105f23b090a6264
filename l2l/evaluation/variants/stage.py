"""The skimmer compared with its variants: the supplement's ablations and Table 2."""

from pathlib import Path

from l2l.config import VARIANTS, Variant
from l2l.evaluation.artifact import write_evaluation_table
from l2l.evaluation.cost import CostModel, descriptor_macs
from l2l.evaluation.inputs import load_student_and_features, load_trained, test_videos
from l2l.evaluation.variants.ablations import ABLATIONS, ablation_rows
from l2l.evaluation.variants.evaluate import EvaluatedVariant, evaluate_variant
from l2l.evaluation.variants.recognition import recognition_rows
from l2l.progress import counted
from l2l.shards import read_shards
from l2l.teacher.artifact import load_teacher_network, read_descriptors
from l2l.training import seed_and_pick_device


def evaluate_variants(
    student: Path,
    skimmers: list[Path],
    videos: Path,
    features: Path,
    ablations: Path,
    recognition: Path,
    teacher: Path | None = None,
    descriptors: list[Path] | None = None,
    threads: int = 1,
) -> None:
    """Evaluate the skimmer and its variants on the target's usable test videos, all moments read.

    Args:
        student: the network that made the features.
        skimmers: trained skimmers; the name of a file says which it is, and a name of the paper has
            to hold the paper's variant.
        videos: the target's videos, as decoded.
        features: root of the target's features in Zarr.
        ablations: written: one row per row of the supplement's G.1 to G.3, with what the paper
            prints.
        recognition: written: one row per skimmer with its recognition and indexing features, then
            published rows.
        teacher: the network whose descriptors some skimmer reads; needed to count their cost.
        descriptors: the teacher's descriptors of the target's moments, all shards; needed by such a
            skimmer.
        threads: of torch.
    """
    seed_and_pick_device(0, threads)
    network, stored = load_student_and_features(student, features)
    variants = {"skimmer": Variant(), **VARIANTS}
    trained = {
        path.stem: load_trained(path, stored, "skimmer", variants.get(path.stem))
        for path in skimmers
    }
    test, truth = test_videos(videos, stored)
    ids = [video.video for video in test]
    costs = CostModel(network, descriptor_macs(teacher) if teacher else 0)
    both_modalities = len(network.modalities) == 2  # the ablations are of nothing less
    evaluated = [EvaluatedVariant(model) for model in trained]
    if both_modalities:
        evaluated += [row.evaluated for row in ABLATIONS if row.evaluated.model in trained]
    distinct = list(dict.fromkeys(evaluated))
    with read_shards(descriptors or [], read_descriptors, stored.videos) as described:
        metrics = {
            variant: evaluate_variant(
                variant, trained[variant.model], ids, truth.labels, stored, costs, described
            )
            for variant in counted(distinct, len(distinct), "variants")
        }
    write_evaluation_table(
        ablations, "ablations", ablation_rows(metrics if both_modalities else {})
    )
    made_by = load_teacher_network(teacher)[0].network if teacher else ""
    rows = recognition_rows(features.name, trained, metrics, network, made_by)
    write_evaluation_table(recognition, "recognition", rows)
