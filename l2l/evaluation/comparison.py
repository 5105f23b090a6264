"""The skimmer and its variants side by side: the supplement's ablations and Table 2."""

from pathlib import Path

from l2l.config import VARIANTS, Variant
from l2l.evaluation.ablations import LINES, ablation_rows
from l2l.evaluation.artifact import ABLATION_COLUMNS, RECOGNITION_COLUMNS
from l2l.evaluation.cost import descriptor_macs
from l2l.evaluation.inputs import load_student_and_features, load_trained, test_videos
from l2l.evaluation.recognition import recognition_rows
from l2l.evaluation.variants import Way, ask
from l2l.shards import read_shards
from l2l.stores import write_table
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
    """Ask the skimmer and its variants about each usable test video of the target, all of its
    moments read.

    Args:
        student: the one the features were made with.
        skimmers: fitted; a file's name says which it is, and the paper's names have to hold the
            paper's variants.
        videos: the target's videos, as decoded.
        features: root of the target's features in Zarr.
        ablations: written: a row a line of the supplement's G.1 to G.3, what the paper prints
            beside it.
        recognition: written: a row a skimmer by its recognition and indexing features, then the
            published ones.
        teacher: what a skimmer's `teacher` features cost is counted on; needed only by such.
        descriptors: what the teacher says of the target's moments, all shards; needed only by such.
        threads: of torch.
    """
    seed_and_pick_device(0, threads)
    origin, bank = load_student_and_features(student, features)
    known = {"skimmer": Variant(), **VARIANTS}
    fitted = {
        path.stem: load_trained(path, bank, "skimmer", known.get(path.stem)) for path in skimmers
    }
    test, truth = test_videos(videos, bank)
    names = [video.video for video in test]
    clip_macs = descriptor_macs(teacher) if teacher else 0
    both = len(origin.modalities) == 2  # the ablations are of nothing less
    ways = dict.fromkeys(
        [*map(Way, fitted), *(line.way for line in LINES if both and line.way.model in fitted)]
    )
    with read_shards(descriptors or [], read_descriptors, bank.videos) as described:
        found = {
            way: ask(
                way, fitted[way.model], names, truth.labels, bank, origin, described, clip_macs
            )
            for way in ways
        }
    write_table(ablations, ABLATION_COLUMNS, ablation_rows(found if both else {}))
    made_by = load_teacher_network(teacher)[0].network if teacher else ""
    write_table(
        recognition,
        RECOGNITION_COLUMNS,
        recognition_rows(features.name, fitted, found, origin, made_by),
    )
