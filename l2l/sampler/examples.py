"""What samplers read: the pictures of every moment, by kind of input, and what they learn from."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from l2l.config import as_json
from l2l.errors import BadInput
from l2l.loading import RandomizedDataset
from l2l.media.artifact import MediaReader
from l2l.mels.artifact import MelReader
from l2l.motion.artifact import MotionReader
from l2l.sampler.network import Input
from l2l.sections import Section
from l2l.student.network import mel_input

Reader = MotionReader | MediaReader | MelReader


def sections_of(readers: Iterable[Reader]) -> dict[str, Any]:
    """The sections that shards were made with, by name: media, mels, motion, of those read.

    Raises:
        BadInput: naming the first shard that was made with another section than one before.
    """
    sections: dict[str, Section] = {}
    for reader in dict.fromkeys(readers):
        for name, section in _made_with(reader).items():
            expected = sections.setdefault(name, section)
            if section != expected:
                raise BadInput(
                    f"{reader.path}: made with {name} {as_json(section)}, expected "
                    f"{as_json(expected)}, as of other shards; run snakemake again"
                )
    return {name: section.model_dump(mode="json") for name, section in sections.items()}


def _made_with(reader: Reader) -> dict[str, Section]:
    if isinstance(reader, MotionReader):
        return {"motion": reader.config, "media": reader.media}
    return {"media" if isinstance(reader, MediaReader) else "mels": reader.config}


class Pictures:
    """The pictures of each moment of some videos, of one kind of input. Those of the first videos
    that are to be kept stay in memory, within a bound.

    Args:
        kind: displacement, residual, frame or audio.
        shards: the reader of each video: of its motion, its media or its mels.
        cache_bytes: the bound.
    """

    def __init__(self, kind: Input, shards: Mapping[str, Reader], cache_bytes: int) -> None:
        self.kind, self.shards = kind, shards
        self._free_bytes = cache_bytes
        self._cached: dict[str, list[np.ndarray]] = {}

    def keep(self, videos: Sequence[str]) -> None:
        """Read videos into memory, in this order, up to the bound.

        Before a training begins: the processes that load are new in each epoch, and share what this
        one has read.
        """
        for video in videos:
            pictures = self._read(video)
            self._free_bytes -= sum(each.nbytes for each in pictures)
            if self._free_bytes < 0:
                return
            self._cached[video] = pictures

    def moments(self, video: str) -> list[np.ndarray]:
        """The pictures of each moment as they are stored, (pictures, channel, rows, columns): one
        frame or mel; as many pictures of motion as the moment has, and one of zeros where it has
        key pictures only.
        """
        return self._cached.get(video) or self._read(video)

    def _read(self, video: str) -> list[np.ndarray]:
        reader = self.shards[video]
        if isinstance(reader, MelReader):
            mels = reader.mels(video).astype(np.float16)  # as they are stored
            return [mel[None, None] for mel in mels]
        if isinstance(reader, MediaReader):
            frames = [reader.frame(video, moment) for moment in range(reader.moments(video))]
            return [frame.transpose(2, 0, 1)[None].copy() for frame in frames]
        return _moving(reader, video, self.kind)


def _moving(reader: MotionReader, video: str, kind: Input) -> list[np.ndarray]:
    """Displacement or residual of the pictures of each moment that are no key pictures."""
    motion, size = reader.motion(video), reader.config.pictures_per_moment
    values = motion.displacement if kind == "displacement" else motion.residual
    pictures = []
    for first in range(0, len(values), size):
        moving = values[first : first + size][motion.moves[first : first + size]]
        pictures.append(moving if len(moving) else np.zeros((1, *values.shape[1:]), values.dtype))
    return pictures


def as_input(kind: Input, pictures: np.ndarray, mel_floor: float, device: torch.device) -> Tensor:
    """Stored pictures as float32 for a network, whose batch norm brings them to its scale."""
    x = torch.from_numpy(pictures).to(device).float()
    if kind == "audio":
        return mel_input(x[:, 0], mel_floor)[:, None]
    return x / 255 if kind == "frame" else x


class Target(NamedTuple):
    """What the clips of a video are worth.

    Attributes:
        label: the number of the video's class.
        truth: the recogniser's probability of that class, float32 (moments,).
        right: whether the recogniser's best class is that class, bool (moments,).
    """

    label: int
    truth: np.ndarray
    right: np.ndarray


class Clips(NamedTuple):
    """Some clips of one video, or of all videos of a batch.

    Attributes:
        pictures: by kind of input, as stored, those of all clips one after another.
        clip: by kind of input, the place of each picture's clip.
        video: the place of each clip's video in the batch.
        label, truth, right: as `Target`, one per clip.
        has_sound: one per clip.
    """

    pictures: dict[Input, np.ndarray]
    clip: dict[Input, np.ndarray]
    video: np.ndarray
    label: np.ndarray
    truth: np.ndarray
    right: np.ndarray
    has_sound: np.ndarray


def gather(
    pictures: Mapping[Input, Sequence[Sequence[np.ndarray]]],
) -> tuple[dict[Input, np.ndarray], dict[Input, np.ndarray]]:
    """Pictures of clips, and the place of each one's clip, by kind of input."""
    joined, places = {}, {}
    for kind, clips in pictures.items():
        joined[kind] = np.concatenate([picture for clip in clips for picture in clip])
        counts = [sum(len(each) for each in clip) for clip in clips]
        places[kind] = np.repeat(np.arange(len(clips)), counts)
    return joined, places


class VideoClips(RandomizedDataset):
    """Videos, each as some of its clips with some of their pictures, drawn again in every epoch;
    their pictures are kept in memory, as far as there is room.

    Args:
        videos: their ids.
        pictures: by kind of input.
        targets: by video.
        has_sound: of each video, bool (moments,).
        clips: drawn per video; a shorter video gives all of its.
        pictures_of_a_clip: drawn per clip; a clip with fewer gives all of its.
        flip: whether all clips of a video are mirrored left to right with probability 1/2.
        sounding: draw among clips with sound only.
    """

    def __init__(
        self,
        videos: Sequence[str],
        pictures: Mapping[Input, Pictures],
        targets: Mapping[str, Target],
        has_sound: Mapping[str, np.ndarray],
        clips: int,
        pictures_of_a_clip: int,
        flip: bool,
        sounding: bool,
    ) -> None:
        self.pictures, self.targets, self.has_sound = pictures, targets, has_sound
        self.clips, self.pictures_of_a_clip, self.flip = clips, pictures_of_a_clip, flip
        self.sounding = sounding
        self.videos = [video for video in videos if len(self._moments(video))]
        for each in pictures.values():
            each.keep(self.videos)

    def __len__(self) -> int:
        return len(self.videos)

    def draw(self, count: int) -> Tensor:
        """A seed for each video."""
        return torch.randint(1 << 62, (count,))

    def _moments(self, video: str) -> np.ndarray:
        """The moments that may be drawn."""
        sound = self.has_sound[video]
        return np.flatnonzero(sound) if self.sounding else np.arange(len(sound))

    def __getitem__(self, key: tuple[int, int]) -> Clips:
        index, seed = key
        video = self.videos[index]
        generator = np.random.default_rng(seed)
        moments = np.sort(generator.permutation(self._moments(video))[: self.clips])
        mirrored = self.flip and generator.random() < 0.5
        drawn = {}
        for kind, pictures in self.pictures.items():
            of_moment = pictures.moments(video)
            drawn[kind] = [
                [_mirrored(kind, each) if mirrored else each]
                for each in (
                    _some(of_moment[moment], self.pictures_of_a_clip, generator)
                    for moment in moments
                )
            ]
        joined, places = gather(drawn)
        target = self.targets[video]
        return Clips(
            joined,
            places,
            np.zeros(len(moments), np.int64),
            np.full(len(moments), target.label, np.int64),
            target.truth[moments],
            target.right[moments],
            self.has_sound[video][moments],
        )


def _some(pictures: np.ndarray, count: int, generator: np.random.Generator) -> np.ndarray:
    """At most `count` of the pictures, in their order."""
    if len(pictures) <= count:
        return pictures
    return pictures[np.sort(generator.permutation(len(pictures))[:count])]


def _mirrored(kind: Input, pictures: np.ndarray) -> np.ndarray:
    """Pictures mirrored left to right; what moves right then moves left. Sound stays."""
    if kind == "audio":
        return pictures
    mirrored = pictures[..., ::-1].copy()
    if kind == "displacement":
        mirrored[:, 0] = np.negative(mirrored[:, 0])
    return mirrored


def collate(batch: Sequence[Clips]) -> Clips:
    """The clips of several videos as one."""
    sizes = [len(each.video) for each in batch]
    first = np.cumsum([0, *sizes])[:-1]
    kinds = batch[0].pictures
    return Clips(
        {kind: np.concatenate([each.pictures[kind] for each in batch]) for kind in kinds},
        {
            kind: np.concatenate(
                [each.clip[kind] + start for each, start in zip(batch, first, strict=True)]
            )
            for kind in kinds
        },
        np.repeat(np.arange(len(batch)), sizes),
        *(
            np.concatenate([getattr(each, name) for each in batch])
            for name in ("label", "truth", "right", "has_sound")
        ),
    )


def check_moments(video: str, counts: Mapping[str, int]) -> None:
    """Refuse a video of which the stores do not have the same number of moments.

    Raises:
        BadInput: with what each has.
    """
    if len(set(counts.values())) > 1:
        each = ", ".join(f"{count} in the {name}" for name, count in counts.items())
        raise BadInput(
            f"video {video!r}: found {each}, expected the same number of moments; run snakemake "
            "again"
        )
