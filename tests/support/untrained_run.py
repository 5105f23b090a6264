"""The folder of a run with an untrained student and skimmer: what holds for its answers holds for
those of trained ones.
"""

from dataclasses import replace
from pathlib import Path

import torch
from feature_world import CLASSES, MEDIA, SKIMMER, STUDENT, WIDTH

from l2l import config
from l2l.skimmer.artifact import TrainedSkimmer, build, load_skimmer, save_skimmer
from l2l.student.artifact import build_student, digest_of, load_student, save_student


def make_run(folder: Path) -> Path:
    """Write the student and the skimmer of a finished run; it sees 32 pixels and hears 40 bands."""
    torch.manual_seed(5)
    path = folder / "student/finetuned/image-audio-distilled.pt"
    student = build_student(STUDENT, ("image", "audio"), len(CLASSES), WIDTH, 40)
    # batch norm with its initial statistics leaves hardly any differences between moments
    for module in student.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.2, 0.6)
    save_student(path, student, STUDENT, CLASSES, True, MEDIA, config.MelsConfig())
    widths = {"image": WIDTH, "audio": WIDTH}
    network = build("skimmer", widths, len(CLASSES), 2 * WIDTH, WIDTH, SKIMMER)
    with torch.no_grad():
        network.classifier.weight.mul_(20)
    digest = digest_of(load_student(path))
    trained = TrainedSkimmer(network, "skimmer", CLASSES, SKIMMER.steps, student_digest=digest)
    save_skimmer(folder / "skimmer/skimmer.pt", trained, widths, SKIMMER)
    return folder


def add_one_look(folder: Path) -> None:
    """Write a one look next to the skimmer of `make_run`, which is choosy and whose Psi and
    classifier are the skimmer's.
    """
    torch.manual_seed(6)
    skimmer, widths = load_skimmer(folder / "skimmer/skimmer.pt"), {"image": WIDTH, "audio": WIDTH}
    network = build("one_look", widths, len(CLASSES), 2 * WIDTH, WIDTH, SKIMMER)
    network.fusion.load_state_dict(skimmer.network.fusion.state_dict())
    network.classifier.load_state_dict(skimmer.network.classifier.state_dict())
    with torch.no_grad():
        network.scorer[3].weight.mul_(30)
    trained = replace(skimmer, network=network, model="one_look")
    save_skimmer(folder / "skimmer/one_look.pt", trained, widths, SKIMMER)
