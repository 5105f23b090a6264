"""The teacher on disk, and what it says of clips.

Descriptors and class scores, in HDF5, one file per shard:

descriptor (clips, descriptor) float16   score (clips, classes) float16, logit
class (classes,)
video, split (videos,)   offset (videos + 1,)   label, label_offset
video_index, moment, start_seconds (clips,)
    whose the rows are, see `l2l.video_rows.add_video_rows`
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torchvision.models import get_model_weights

from l2l.arrays import Labelled, chosen_coordinates, labels_of, offsets_of
from l2l.config import MediaConfig, TeacherConfig, as_json
from l2l.errors import BadInput
from l2l.hdf5 import (
    FLOATS,
    INTEGERS,
    Store,
    add_array,
    add_texts,
    read_store,
    write_hdf5,
)
from l2l.pretrained.efficientat import weights as efficientat
from l2l.pretrained.efficientnet import weights as efficientnet
from l2l.teacher.network import AnyTeacher, FrameTeacher, R2Plus1D, build_teacher, our_names
from l2l.torch_files import build_with_state, texts
from l2l.training import load_network, save_network
from l2l.video_rows import (
    add_video_rows,
    read_video_rows,
)
from l2l.weights import fill, published_state

KIND, LAYOUT = "descriptors", 3


def save_teacher(
    path: Path,
    teacher: AnyTeacher,
    class_names: Sequence[str],
    frame_pixels: int,
    clip_frames: int,
    config: TeacherConfig | None = None,
) -> None:
    """Keep a teacher with the names of its classes, the clips it is made for and the section it was
    made with.
    """
    narrow = (
        {"widths": teacher.widths, "blocks": teacher.blocks}
        if isinstance(teacher, R2Plus1D)
        else {}
    )
    settings = {
        "network": teacher.network,
        **narrow,
        "class_names": list(class_names),
        "frame_pixels": frame_pixels,
        "clip_frames": clip_frames,
        "config": config and config.model_dump(mode="json"),
    }
    save_network(path, "teacher", teacher, settings)


def load_teacher_network(path: Path) -> tuple[AnyTeacher, dict[str, Any]]:
    """The teacher, in evaluation mode, and its settings.

    Network, class_names, frame_pixels, clip_frames.
    """
    settings, state = load_network(path, "teacher")

    def build() -> AnyTeacher:
        blocks = settings.get("blocks", ())
        if sum(blocks) > len(state):
            raise ValueError(f"{len(state)} tensors for {sum(blocks)} blocks")
        classes = len(texts(settings["class_names"]))
        return build_teacher(settings["network"], classes, settings.get("widths", ()), blocks)

    return build_with_state(path, "teacher", build, state).eval(), settings


def check_clips(
    teacher: Path, settings: Mapping[str, Any], media: Path, clips: MediaConfig
) -> None:
    """Refuse clips of other sizes than those that a teacher is made for.

    Args:
        teacher: the file of the teacher.
        settings: of the teacher.
        media: a file of media.
        clips: the section `media` that it is made with.
    """
    sizes = (settings["frame_pixels"], settings["clip_frames"])
    if sizes != (clips.frame_pixels, clips.clip_frames):
        raise BadInput(
            f"{media}: its clips are not those that {teacher} is made for; rerun both stages with "
            "one config"
        )


def published_teacher(
    key: str, weights: str, config: TeacherConfig
) -> tuple[AnyTeacher, tuple[str, ...]]:
    """A teacher with torchvision's weights, or with a local file of the same form, and the names of
    its classes: those of Kinetics where it has as many.

    Args:
        key: of the configuration or the command line, for errors.
        weights: a name of torchvision's weights, or a file.
        config: the network and its sizes.

    Raises:
        BadInput: if the weights are not available, or are not numbers of this network.
    """
    named = get_model_weights(config.network)
    state = our_names(config.network, published_state(key, weights, named, config.network))
    if "fc.bias" not in state:
        raise BadInput(
            f"{weights}: not a state dict of {config.network}: its last layer is not in it"
        )
    categories = named["KINETICS400_V1"].meta["categories"]
    count = len(state["fc.bias"])
    classes = categories if count == len(categories) else [f"class {i}" for i in range(count)]
    teacher = build_teacher(config.network, count, config.widths, config.blocks)
    fill(teacher, state, weights, config.network)
    return teacher, tuple(classes)


def load_frame_networks(teacher: FrameTeacher, config: TeacherConfig) -> None:
    """Give a frame teacher's two networks their published weights.

    Raises:
        BadInput: if these are missing or are other files.
    """
    key, image = "teacher.weights", teacher.image
    fill(image, efficientnet.read_trunk_state(key, image, config.weights), config.weights, "frames")
    assert config.audio_weights is not None  # the configuration says so
    published = efficientat.load_efficientat_mn04(config.audio_weights)
    teacher.audio.load_state_dict(published.features.state_dict())


@dataclass(frozen=True)
class ClipDescriptors:
    """What the teacher says of some moments of a video."""

    moments: np.ndarray  # (clips,) int32: which
    descriptors: np.ndarray  # (clips, descriptor) float16
    scores: np.ndarray  # (clips, classes) float16, logits


def write_descriptors(
    path: Path,
    rows: Mapping[str, ClipDescriptors],
    teacher: AnyTeacher,
    class_names: Sequence[str],
    config: TeacherConfig | None = None,
    listed: Iterable[Labelled] = (),
) -> None:
    """Write a shard's descriptors, all videos one after another.

    Args:
        path: the file.
        rows: of each video.
        teacher: that made them.
        class_names: of the scores.
        config: the section that they are made with.
        listed: splits and labels of the videos.
    """
    parts = list(rows.values())
    made_with = {"config": as_json(config)} if config else {}
    with write_hdf5(
        path,
        KIND,
        LAYOUT,
        {"network": teacher.network, **made_with},
    ) as file:
        empty = ClipDescriptors(
            np.zeros(0, np.int32),
            np.zeros((0, teacher.descriptor_width), np.float16),
            np.zeros((0, len(class_names)), np.float16),
        )
        add_texts(file, "class", class_names, ("class",))
        add_array(
            file,
            "descriptor",
            np.concatenate([p.descriptors for p in (empty, *parts)]),
            ("clip", "descriptor"),
        )
        add_array(
            file,
            "score",
            np.concatenate([p.scores for p in (empty, *parts)]),
            ("clip", "class"),
            "logit",
        )
        offsets = offsets_of(len(p.moments) for p in parts)
        moments = np.concatenate([p.moments for p in (empty, *parts)])
        coordinates = chosen_coordinates(offsets, moments)
        add_video_rows(file, "clip", labels_of(rows, listed), offsets, coordinates)


class DescriptorReader:
    """The descriptors of a shard, video by video."""

    def __init__(self, store: Store) -> None:
        names = ("moment", "descriptor", "score")
        self.class_names = store.texts("class")
        self._arrays = (
            store.array("moment", INTEGERS, ()),
            store.array("descriptor", FLOATS, (None,)),
            store.array("score", FLOATS, (len(self.class_names),)),
        )
        lengths = dict(zip(names, map(len, self._arrays), strict=True))
        self._rows, self.listed = read_video_rows(store, **lengths)
        self.videos = self._rows.videos

    def moments(self, video: str) -> int:
        """Number of described moments of a video."""
        return self._rows.count(video)

    def described(self, video: str) -> ClipDescriptors:
        """What the teacher says of a video's described moments."""
        rows = self._rows[video]
        return ClipDescriptors(*(array[rows] for array in self._arrays))


@contextlib.contextmanager
def read_descriptors(path: Path) -> Iterator[DescriptorReader]:
    """Open a shard's descriptors.

    Raises:
        BadInput: if the file is missing, incomplete, damaged or of another kind.
    """
    with read_store(path, KIND, LAYOUT, DescriptorReader) as reader:
        yield reader
