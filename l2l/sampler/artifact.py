"""A trained sampler, and what samplers say of the clips of a shard's videos, in HDF5.

output/<network> (moments, outputs) float32
    probabilities of each class (AC), or saliency (SAL-CL, SAL-RANK, joint: one output)
pictures (moments,) int32        pictures of motion that a network reads of the moment; 0 where the
                                 samplers of the file read no motion
has_sound (moments,) bool
coded (videos,)                  pictures of the proxy
video, split (videos,)   offset (videos + 1,)   label, label_offset
video_index, moment, start_seconds (moments,)
    whose the rows are, see `l2l.video_rows.add_video_rows`
"""

import contextlib
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast, get_args

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from l2l.arrays import Labelled, labels_of, offsets_of, row_coordinates
from l2l.config import MediaConfig, MelsConfig, MotionConfig, SamplerConfig
from l2l.errors import BadInput
from l2l.hdf5 import (
    BOOLEANS,
    FLOATS,
    INTEGERS,
    Store,
    add_array,
    read_store,
    write_hdf5,
)
from l2l.mels.spectrogram import mel_shape
from l2l.sampler.network import (
    CHANNELS,
    Input,
    NetworkName,
    build_network,
)
from l2l.sampler.rows import JOINT, Objective
from l2l.torch_files import build_with_state, texts
from l2l.training import load_network, save_network
from l2l.video_rows import (
    add_video_rows,
    read_video_rows,
)

KIND = "sampler"
SALIENCY_KIND, SALIENCY_LAYOUT = "saliency", 2


@dataclass(frozen=True)
class Part:
    """A network of a sampler.

    Attributes:
        kind: of its input.
        objective: what it was trained for; a jointly trained one, before.
        network: which trunk.
    """

    kind: Input
    objective: Objective
    network: NetworkName

    @property
    def name(self) -> str:
        """As of its file."""
        return f"{self.kind}-{self.objective}-{self.network}"

    def outputs(self, classes: int) -> int:
        """Numbers per clip."""
        return classes if self.objective == "class" else 1


def part_of(name: str) -> Part:
    """The part that a network's name stands for.

    Raises:
        BadInput: if there is no such network.
    """
    kind, _, rest = name.partition("-")
    objective, _, network = rest.partition("-")
    if (
        kind not in CHANNELS
        or objective not in get_args(Objective)
        or network not in get_args(NetworkName)
        or (network == "vgg") != (kind == "audio")
    ):
        raise BadInput(
            f"network {name!r}: expected {JOINT}, or an input ({', '.join(CHANNELS)}), an "
            f"objective ({', '.join(get_args(Objective))}) and a network "
            f"({', '.join(get_args(NetworkName))}; vgg for audio only), joined by hyphens"
        )
    return Part(cast(Input, kind), cast(Objective, objective), cast(NetworkName, network))


class SamplerNetwork(nn.Module):
    """The networks of a sampler, by kind of input."""

    def __init__(self, parts: Sequence[Part], classes: int, config: SamplerConfig) -> None:
        super().__init__()
        self.parts: dict[Input, Part] = {part.kind: part for part in parts}
        self.networks = nn.ModuleDict(
            {
                part.kind: build_network(part.kind, part.network, part.outputs(classes), config)
                for part in parts
            }
        )

    def forward(
        self, kind: Input, pictures: Tensor, clip: Tensor, clips: int
    ) -> Float[Tensor, "clips outputs"]:
        """Outputs (logits) of the network of a kind of input; see `PictureNetwork`."""
        return self.networks[kind](pictures, clip, clips)

    def probabilities(self, kind: Input, outputs: Tensor) -> Float[Tensor, "clips outputs"]:
        """Class probabilities of a network trained for classes, else saliency, of its outputs."""
        is_class = self.parts[kind].objective == "class"
        return outputs.softmax(1) if is_class else outputs.sigmoid()


@dataclass(frozen=True)
class TrainedSampler:
    """A sampler, and what it was made with.

    Attributes:
        name: `joint`, or that of its only part.
        network: in evaluation mode.
        class_names: of the target.
        sections: media, motion and mels as they were, of those that its parts read.
        digest: of all that it is.
    """

    name: str
    network: SamplerNetwork
    class_names: tuple[str, ...]
    config: SamplerConfig
    sections: Mapping[str, Any]
    digest: str

    def example(self, kind: Input) -> Tensor:
        """A batch of one picture of zeros, as its network of this input takes it."""
        return torch.zeros(1, CHANNELS[kind], *picture_shape(kind, self.sections))


def picture_shape(kind: Input, sections: Mapping[str, Any]) -> tuple[int, int]:
    """Rows and columns of a picture of a kind of input, by the sections that it was made with."""
    if kind == "audio":
        return mel_shape(MelsConfig.model_validate(sections["mels"]))
    if kind == "frame":
        side = MediaConfig.model_validate(sections["media"]).frame_pixels
    else:
        side = MotionConfig.model_validate(sections["motion"]).cells
    return side, side


def save_sampler(
    path: Path,
    network: SamplerNetwork,
    joint: bool,
    class_names: Sequence[str],
    config: SamplerConfig,
    sections: Mapping[str, Any],
) -> None:
    """Write a sampler atomically."""
    settings = {
        "parts": [part.name for part in network.parts.values()],
        "joint": joint,
        "class_names": list(class_names),
        "config": config.model_dump(mode="json"),
        "sections": dict(sections),
    }
    save_network(path, KIND, network, settings)


def load_sampler(path: Path) -> TrainedSampler:
    """Read what `save_sampler` wrote; the network is in evaluation mode on the CPU.

    Raises:
        BadInput: if the file is missing, damaged or holds something else.
    """
    settings, state = load_network(path, KIND)
    fields: dict[str, Any] = {}

    def build() -> SamplerNetwork:
        config = SamplerConfig.model_validate(settings["config"])
        parts = [part_of(name) for name in texts(settings["parts"])]
        joint = settings["joint"]
        if type(joint) is not bool or (not joint and len(parts) != 1):
            raise ValueError(f"joint is {joint!r}, of {len(parts)} networks")
        if sum(config.blocks) + sum(config.audio_layers) > 1000:
            raise ValueError("more than 1000 layers")
        for part in parts:
            picture_shape(part.kind, settings["sections"])
        classes = texts(settings["class_names"])
        fields.update(name=JOINT if joint else parts[0].name, class_names=classes, config=config)
        return SamplerNetwork(parts, len(classes), config)

    network = build_with_state(path, KIND, build, state).eval()
    digest = hashlib.blake2b(json.dumps(settings, sort_keys=True).encode(), digest_size=8)
    for name, values in network.state_dict().items():
        digest.update(name.encode())
        digest.update(values.numpy().tobytes())
    return TrainedSampler(
        network=network, sections=settings["sections"], digest=digest.hexdigest(), **fields
    )


def joint_saliency(
    seen: Sequence[Float[Tensor, "clips outputs"]],
    heard: Float[Tensor, "clips outputs"],
    has_sound: Tensor,
) -> Float[Tensor, " clips"]:
    """The mean of the visual and the audio saliency (recalled from the paper); without sound the
    visual one.

    Args:
        seen: probabilities of the visual networks.
        heard: of the audio network.
        has_sound: bool (clips,).
    """
    visual, audio = torch.stack(list(seen)).mean(0).amax(1), heard.amax(1)
    return torch.where(has_sound, (visual + audio) / 2, visual)


class VideoSaliency(NamedTuple):
    """What the samplers say of a video.

    Attributes:
        outputs: float32 (moments, outputs), by network.
        pictures: int32 (moments,), of motion that a network reads.
        has_sound: bool (moments,).
        coded: pictures of the proxy.
    """

    outputs: Mapping[str, np.ndarray]
    pictures: np.ndarray
    has_sound: np.ndarray
    coded: int


@dataclass(frozen=True)
class Scored:
    """A network of which a file has the outputs.

    Attributes:
        digest: of the network.
        macs: multiply-accumulates of a picture, by kind of input.
        outputs: per clip.
    """

    digest: str
    macs: Mapping[str, int]
    outputs: int


def write_saliency(
    path: Path,
    rows: Mapping[str, VideoSaliency],
    networks: Mapping[str, Scored],
    class_names: Sequence[str],
    listed: Iterable[Labelled] = (),
) -> None:
    """Write what samplers say of a shard's videos.

    Args:
        path: the file.
        rows: of each video, what the samplers say.
        networks: those that `rows` have the outputs of.
        class_names: of the target.
        listed: splits and labels of the videos.
    """
    attributes = {
        "networks": {
            name: {"digest": each.digest, "macs": dict(each.macs), "outputs": each.outputs}
            for name, each in networks.items()
        },
        "class_names": list(class_names),
    }
    videos = list(rows.values())
    with write_hdf5(path, SALIENCY_KIND, SALIENCY_LAYOUT, attributes) as file:
        outputs = file.create_group("output")
        for name, scored in networks.items():
            empty = np.zeros((0, scored.outputs), np.float32)
            values = np.concatenate([empty, *(each.outputs[name] for each in videos)])
            add_array(outputs, name, values, ("moment", "output"))
        no_int, no_bool = np.zeros(0, np.int32), np.zeros(0, bool)
        pictures = np.concatenate([no_int, *(each.pictures for each in videos)])
        has_sound = np.concatenate([no_bool, *(each.has_sound for each in videos)])
        add_array(file, "pictures", pictures, ("moment",), "pictures")
        add_array(file, "has_sound", has_sound, ("moment",))
        offsets = offsets_of(len(each.pictures) for each in videos)
        coded = np.array([each.coded for each in videos], np.int64)
        add_array(file, "coded", coded, ("video",), "pictures")
        add_video_rows(file, "moment", labels_of(rows, listed), offsets, row_coordinates(offsets))


class SaliencyReader:
    """What samplers say of a shard's videos, video by video."""

    def __init__(self, store: Store) -> None:
        networks = json.loads(store.attribute("networks"))
        self.networks = {
            name: Scored(
                str(each["digest"]),
                {kind: int(macs) for kind, macs in each["macs"].items()},
                int(each["outputs"]),
            )
            for name, each in networks.items()
        }
        self.class_names = tuple(json.loads(store.attribute("class_names")))
        self._outputs = {
            name: store.array(f"output/{name}", FLOATS, (scored.outputs,))
            for name, scored in self.networks.items()
        }
        self._pictures = store.array("pictures", INTEGERS, ())
        self._has_sound = store.array("has_sound", BOOLEANS, ())
        lengths = {name: len(array) for name, array in self._outputs.items()}
        lengths |= {"pictures": len(self._pictures), "has_sound": len(self._has_sound)}
        self._rows, self.listed = read_video_rows(store, **lengths)
        self.videos = self._rows.videos
        coded = store.array("coded", INTEGERS, ())[...].tolist()
        self._coded = dict(zip(self.videos, coded, strict=True))

    def moments(self, video: str) -> int:
        """Number of moments of a video."""
        return self._rows.count(video)

    def saliency(self, video: str) -> VideoSaliency:
        """What the samplers say of a video."""
        rows = self._rows[video]
        return VideoSaliency(
            {name: array[rows] for name, array in self._outputs.items()},
            self._pictures[rows],
            self._has_sound[rows],
            self._coded[video],
        )


@contextlib.contextmanager
def read_saliency(path: Path) -> Iterator[SaliencyReader]:
    """Open what samplers say of a shard's videos.

    Raises:
        BadInput: if the file is missing, incomplete, damaged or of another kind.
    """
    with read_store(path, SALIENCY_KIND, SALIENCY_LAYOUT, SaliencyReader) as reader:
        yield reader
