"""The student on disk."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor
from torchvision.models import ResNet18_Weights

from l2l.config import MediaConfig, MelsConfig, StudentConfig
from l2l.errors import BadInput
from l2l.mels.spectrogram import mel_shape
from l2l.pretrained.efficientat import weights as efficientat
from l2l.pretrained.efficientnet import weights as efficientnet
from l2l.student.network import IMAGE_NETWORKS, Head, Modality, Student
from l2l.torch_files import build_with_state, texts
from l2l.training import load_network, save_network
from l2l.weights import fill, published_state

MOST_PIXELS = 4096  # per side of a frame that a file may ask for


def build_student(
    config: StudentConfig,
    modalities: Sequence[Modality],
    classes: int,
    descriptor_width: int,
    mel_bands: int,
) -> Student:
    """A student with fresh random numbers."""
    return Student(
        modalities,
        classes,
        descriptor_width,
        config.image_widths,
        config.audio_widths,
        config.blocks,
        config.audio_stem_stride,
        config.time_pooling,
        mel_bands,
        config.stream_width,
        config.image_network,
        config.audio_network,
        config.frozen,
    )


def descriptor_width_without_teacher(config: StudentConfig) -> int:
    """The width of the descriptor of a student that no teacher gives one: as many channels as the
    image network's feature has.
    """
    return IMAGE_NETWORKS[config.image_network].width or config.image_widths[-1]


def load_image_weights(student: Student, image_weights: str) -> None:
    """Give the image trunk the published numbers of its network, by their name or from a file;
    `none` leaves it as it was drawn.

    Raises:
        BadInput: if they are not available, or the trunk is not that network's.
    """
    if image_weights == "none" or "image" not in student.modalities:
        return
    key, network, trunk = "student.image_weights", student.image.network, student.image.trunk
    if network == "resnet18":
        published = published_state(key, image_weights, ResNet18_Weights, network)
        state = {name: x for name, x in published.items() if not name.startswith("fc.")}
    else:
        state = efficientnet.read_trunk_state(key, trunk, image_weights)
    fill(trunk, state, image_weights, network)


def load_audio_weights(student: Student, audio_weights: str) -> None:
    """Give the audio trunk the published numbers of EfficientAT mn04; `none` leaves it as it was
    drawn.

    Raises:
        BadInput: if the file is missing or is another one.
    """
    if audio_weights != "none" and "audio" in student.modalities:
        published = efficientat.load_efficientat_mn04(Path(audio_weights))
        student.audio.trunk.load_state_dict(published.features.state_dict())


def save_student(
    path: Path,
    student: Student,
    config: StudentConfig,
    class_names: Sequence[str],
    distilled: bool,
    media: MediaConfig,
    mels: MelsConfig,
) -> None:
    """Keep a student with the names of its classes and what it looks at and listens to."""
    settings = {
        "modalities": list(student.modalities),
        "class_names": list(class_names),
        "descriptor_width": student.classifier.in_features,
        "distilled": distilled,
        "frame_pixels": media.frame_pixels,
        "media": media.model_dump(mode="json"),
        "mels": mels.model_dump(mode="json"),
        "config": config.model_dump(mode="json"),
    }
    save_network(path, "student", student, settings)


def load_student(path: Path) -> Student:
    """A student in evaluation mode, with its `class_names` and its `settings`.

    Raises:
        BadInput: if the file is missing or is no student.
    """
    return restore_student(path, *load_network(path, "student"))


def restore_student(path: Path, settings: dict[str, Any], state: Mapping[str, Tensor]) -> Student:
    """A student from its settings and its numbers, as `load_student`.

    Args:
        path: the file that both are from, for errors.
        settings: what `save_student` keeps.
        state: its numbers.

    Raises:
        BadInput: if the settings make no student, or one that the numbers are not of.
    """

    def build() -> Student:
        config = StudentConfig.model_validate(settings["config"])
        side = MediaConfig.model_validate(settings["media"]).frame_pixels
        if type(settings["frame_pixels"]) is not int or settings["frame_pixels"] != side:
            raise ValueError("frame_pixels is not that of media")
        if side > MOST_PIXELS:
            raise ValueError(f"frame_pixels is {side}, expected at most {MOST_PIXELS}")
        mels = MelsConfig.model_validate(settings["mels"])
        if sum(config.blocks) > len(state):
            raise ValueError(f"{len(state)} tensors for {sum(config.blocks)} blocks")
        classes, width = len(texts(settings["class_names"])), settings["descriptor_width"]
        return build_student(config, settings["modalities"], classes, width, mel_shape(mels)[1])

    student = build_with_state(path, "student", build, state)
    student.class_names = tuple(settings["class_names"])
    student.settings = settings
    return student.eval()


def save_head(path: Path, head: Head) -> None:
    """Keep Psi and classifier alone, with the names of the classes."""
    settings = {
        "widths": head.widths,  # modality: channels, in the order of the fusion
        "class_names": list(head.class_names),
        "fusion_hidden": head.fusion.fc1.out_features,
        "descriptor_width": head.fusion.fc2.out_features,
    }
    save_network(path, "student-head", head, settings)


def load_start(path: Path) -> Student | Head:
    """What a skimmer starts from: a student, or the Psi and classifier of one; in evaluation mode.

    Raises:
        BadInput: if the file is missing or is neither.
    """
    try:
        return load_student(path)
    except BadInput as no_student:
        try:
            settings, state = load_network(path, "student-head")
        except BadInput:
            raise no_student from None

    def build() -> Head:
        sizes = settings["fusion_hidden"], settings["descriptor_width"]
        return Head(settings["widths"], len(texts(settings["class_names"])), *sizes)

    head = build_with_state(path, "student-head", build, state)
    head.class_names = tuple(settings["class_names"])
    return head.eval()


def student_around(path: Path, head: Head) -> Student:
    """A student of the paper's sizes with this Psi and classifier, whose streams are random: what
    its networks cost can be counted, and their features are not to be used.

    Args:
        path: the head's file, for errors.
        head: of a student whose streams are not available.

    Raises:
        BadInput: if the head reads features of other widths than the paper's streams give.
    """
    unread = {"epochs": 1, "batch_size": 2, "learning_rate": 1}
    config = StudentConfig.model_validate({"distil": unread, "finetune": unread})
    media, mels = MediaConfig(), MelsConfig()
    sizes = len(head.class_names), head.fusion.fc2.out_features, mel_shape(mels)[1]
    student = build_student(config, head.modalities, *sizes)
    if head.fusion.fc1.in_features != student.fusion.fc1.in_features:
        raise BadInput(
            f"{path}: its Psi reads {head.fusion.fc1.in_features} channels, expected "
            f"{student.fusion.fc1.in_features}, those of the paper's streams, whose costs are "
            "counted"
        )
    student.fusion, student.classifier = head.fusion, head.classifier
    student.class_names = head.class_names
    student.settings = {
        "frame_pixels": media.frame_pixels,
        "media": media.model_dump(mode="json"),
        "mels": mels.model_dump(mode="json"),
    }
    return student.eval()


def digest_of(student: Student | Head) -> str:
    """A checksum of all that a student is, its settings and its numbers.

    It stands with what the student has made.
    """
    settings = student.settings if isinstance(student, Student) else {}
    digest = hashlib.blake2b(json.dumps(settings, sort_keys=True).encode(), digest_size=8)
    for name, values in student.state_dict().items():
        digest.update(name.encode())
        digest.update(values.cpu().numpy().tobytes())
    return digest.hexdigest()


def media_of(settings: dict[str, Any]) -> MediaConfig:
    """How the pictures and sound that a student with these settings was trained on were taken from
    their files.
    """
    return MediaConfig.model_validate(settings["media"])


def mels_of(settings: dict[str, Any]) -> MelsConfig:
    """The spectrogram that a student with these settings listens to."""
    return MelsConfig.model_validate(settings["mels"])
