"""How the rows of scsampler.tsv choose the clips of a video that the recogniser sees."""

import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from jaxtyping import Float

from l2l.config import SamplerConfig
from l2l.evaluation.videos.methods import uniform
from l2l.evaluation.videos.predictions import random_draws
from l2l.moments import MOMENT_FRAMES, ClipGrid, start_seconds
from l2l.sampler.artifact import Scored, VideoSaliency
from l2l.sampler.choice import (
    best,
    convex_list,
    convex_score,
    empirical,
    intersection_list,
    union_list,
)
from l2l.sampler.rows import JOINT, Row, Sampler

Clips = list[list[int]]  # the chosen clips; one list per draw of a random choice


@dataclass(frozen=True)
class VideoClips:
    """One test video, as a choice is given it.

    Attributes:
        video: its id.
        probabilities: the recogniser's, of each class, for every clip, float64 (clips, classes).
        label: the number of its class; only the oracle reads it.
        saliency: what the samplers say of every clip.
        attention: the weight of each clip, (clips,), by row that chooses by a trained network's;
            -inf where it was not read.
        shares: where the oracle's clips lie in training videos.
        config: K, K', alpha.
        draws: repetitions of random choices.
        seed: of random choices.
    """

    video: str
    probabilities: Float[np.ndarray, "clips classes"]
    label: int
    saliency: VideoSaliency
    attention: Mapping[str, Float[np.ndarray, " clips"]]
    shares: Float[np.ndarray, " bins"]
    config: SamplerConfig
    draws: int
    seed: int

    @property
    def count(self) -> int:
        """Number of clips."""
        return len(self.probabilities)

    def seen(self, row: Row) -> Float[np.ndarray, " clips"]:
        """Saliency by the row's visual sampler."""
        return _saliency(row.visual, self.saliency)

    def heard(self, row: Row) -> Float[np.ndarray, " clips"]:
        """Saliency by the row's audio sampler; -inf where a clip has no sound."""
        saliency = _saliency(row.audio, self.saliency)
        return np.where(self.saliency.has_sound, saliency, -np.inf)

    def recognised(self, row: Row, clips: Sequence[int]) -> Float[np.ndarray, " classes"]:
        """The recogniser's class probabilities, averaged over the clips that a row chooses."""
        probabilities = self.probabilities[list(clips)]
        if not row.weighted:
            return probabilities.mean(0)
        # a clip that was not read has no weight
        weights = np.maximum(self.attention[row.name][list(clips)], 0)
        return weights @ probabilities / weights.sum()

    def empirical(self) -> Clips:
        """Draws by the histogram of the oracle's clips of training videos."""
        key = zlib.crc32(self.video.encode("utf-8", "surrogatepass"))
        generator = np.random.default_rng([self.seed, key, 1])
        clips = self.config.clips
        return [empirical(self.shares, self.count, clips, generator) for _ in range(self.draws)]


def _saliency(sampler: Sampler | None, saliency: VideoSaliency) -> Float[np.ndarray, " clips"]:
    """The mean over the networks, and of that the largest class probability if it is of classes."""
    assert sampler is not None
    outputs = [saliency.outputs[name].astype(np.float64) for name in sampler.networks]
    return np.mean(outputs, 0).max(1)


Choose = Callable[[VideoClips, Row], Clips]

CHOICES: Mapping[str, Choose] = {
    "visual": lambda video, row: [best(video.seen(row), video.config.clips)],
    "audio": lambda video, row: [best(video.heard(row), video.config.clips)],
    "union": lambda video, row: [
        union_list(video.seen(row), video.heard(row), video.config.clips, video.config.seen)
    ],
    "joint": lambda video, row: [
        best(video.saliency.outputs[JOINT][:, 0].astype(np.float64), video.config.clips)
    ],
    "convex_score": lambda video, row: [
        convex_score(
            video.seen(row), video.heard(row), video.config.clips, video.config.visual_weight
        )
    ],
    "convex_list": lambda video, row: [
        convex_list(
            video.seen(row), video.heard(row), video.config.clips, video.config.visual_weight
        )
    ],
    "intersection": lambda video, row: [
        intersection_list(video.seen(row), video.heard(row), video.config.clips)
    ],
    **dict.fromkeys(
        ("ours_dense", "ours_sparse", "one_look_dense", "one_look_sparse"),
        lambda video, row: [best(video.attention[row.name], video.config.clips)],
    ),
    "random": lambda video, row: random_draws(
        video.count, video.config.clips, video.draws, video.video, video.seed
    ),
    "uniform": lambda video, row: [uniform(video.count, video.config.clips)],
    "empirical": lambda video, row: video.empirical(),
    "confidence": lambda video, row: [best(video.probabilities.max(1), video.config.clips)],
    "dense": lambda video, row: [list(range(video.count))],
    "oracle": lambda video, row: [best(video.probabilities[:, video.label], video.config.clips)],
}
READS_ALL = ("confidence", "dense", "oracle")  # choices for which the recogniser sees every clip


def sampler_macs(row: Row, networks: Mapping[str, Scored], saliency: VideoSaliency) -> int:
    """Multiply-accumulates of the row's samplers on all clips of a video.

    A network reads one frame or mel of each clip, or all its pictures of motion.
    """
    counts = {"frame": len(saliency.pictures), "audio": len(saliency.pictures)}
    moving = int(saliency.pictures.sum())
    return sum(
        macs * counts.get(kind, moving)
        for name in row.networks
        for kind, macs in networks[name].macs.items()
    )


def inputs_of(row: Row, networks: Mapping[str, Scored]) -> set[str]:
    """The kinds of input that the row's samplers read."""
    return {kind for name in row.networks for kind in networks[name].macs}


def pictures_needed(
    clips: Iterable[int], framed: Iterable[int], moving: int, grid: ClipGrid
) -> int:
    """Different pictures of the 30 fps grid that a row needs of a video.

    Args:
        clips: those that are recognised.
        framed: moments of which choosing reads the frame.
        moving: first moments of which choosing reads how the pictures move, which takes them all.
        grid: of the clips.
    """
    ticks = set(range(moving * MOMENT_FRAMES))
    ticks |= {moment * MOMENT_FRAMES for moment in framed}
    for clip in clips:
        first = clip * MOMENT_FRAMES
        ticks |= set(range(first, first + grid.span_frames, grid.stride))
    return len(ticks)


def sound_seconds(heard: Sequence[int], count: int) -> Fraction:
    """Sound of a video that choosing hears: of each moment the second from its start on, and none
    twice.

    Args:
        heard: moments, in order of time.
        count: moments of the video, with whose last it ends.
    """
    ends = [start_seconds(moment) for moment in (*heard[1:], count)]
    spans = [end - start_seconds(moment) for moment, end in zip(heard, ends, strict=True)]
    return sum((min(Fraction(1), span) for span in spans), Fraction(0))
