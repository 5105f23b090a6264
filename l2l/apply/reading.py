"""How much of a video is read, and what one video is once that is decoded and heard."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from l2l.config import MediaConfig, MelsConfig
from l2l.manifest.artifact import USABLE, Video
from l2l.manifest.probe import ProbeResult
from l2l.manifest.source import Source
from l2l.media.decode import decode
from l2l.media.decoded import Decoded, covered, cut_windows
from l2l.mels.spectrogram import log_mel, mel_shape
from l2l.moments import FRAME_RATE, moment_count
from l2l.skimmer.sparse import moments_read


@dataclass(frozen=True)
class Request:
    """A video to answer for, and what is known of its file before it is decoded."""

    video: str  # its id
    source: Source
    status: str
    reason: str = ""

    @classmethod
    def of_file(cls, path: Path, probed: ProbeResult) -> "Request":
        """Of a file that was probed; its path is its id."""
        return cls(str(path), probed.source(path), probed.status, probed.reason)

    @classmethod
    def of_video(cls, video: Video) -> "Request":
        """Of a row of the manifest."""
        return cls(video.video, video.source, video.status, video.reason)


@dataclass(frozen=True, eq=False)
class ReadVideo:
    """What is read of one video: the frames and the mels of one moment in `factor`.

    Attributes:
        video: its id.
        status: after decoding; of an unusable video nothing is read.
        reason: why it has this status; a usable video may have a remark.
        decoded: pictures of the moments read, and sound; None of an unusable video.
        factor: features are made of one moment in so many.
        mels: (moments read, windows, bands) float32.
        has_sound: (moments,) bool, of every moment of the video.
        read: the numbers of the moments that are read.
    """

    video: str
    status: str
    reason: str
    decoded: Decoded | None = None
    factor: int = 1
    mels: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 0), np.float32))
    has_sound: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    read: Sequence[int] = ()

    @property
    def moments(self) -> int:
        """Number of moments of the video; 0 of an unusable one."""
        return len(self.has_sound)

    def frames(self, first: int, stop: int) -> np.ndarray:
        """The frames of some of the moments read, uint8 (moments, side, side, 3)."""
        assert self.decoded is not None
        return self.decoded.pictures.select(range(first, stop))


FactorOf = Callable[[int], int | None]
"""From a video's number of moments to the factor at which it is read; None: it cannot be."""
MomentsOf = Callable[[int, int], Sequence[int]]
"""From a video's number of moments and the factor to the numbers of the moments that are read."""


def read_video(
    request: Request,
    media: MediaConfig,
    mels: MelsConfig,
    factor_of: FactorOf,
    hears: bool = True,
    keep_sound: bool = False,
    moments_of: MomentsOf = moments_read,
) -> ReadVideo:
    """Decode and hear what is read of a video.

    Where the length that the file declares would give another factor than its real one, it is
    decoded a second time.

    Args:
        request: the video.
        media: size of the pictures, and their JPEG quality: that of the run's own pictures.
        mels: the spectrogram.
        factor_of: how much of it is read, by its number of moments.
        hears: whether the student hears; without, no sound is decoded.
        keep_sound: whether the decoded video keeps its sound, which hours of video take much memory
            for.
        moments_of: which moments are read at a factor.

    Raises:
        MachineError: if the machine did not give the decoder what it needs.
        BadInput: if the decoder itself does not work.
    """
    if request.status not in USABLE:
        return ReadVideo(request.video, request.status, request.reason)
    declared = max(1, int(request.source.duration_seconds * FRAME_RATE))
    factor = factor_of(moment_count(declared, media.grid)) or 1
    sound = hears or keep_sound
    decoded = _decode(request.source, media, factor, moments_of, sound)
    if decoded.status in USABLE and (real := factor_of(decoded.moments)) != factor:
        if real is None:
            reason = "reading a single moment of it costs more than the budget"
            return ReadVideo(request.video, "refused", reason)
        factor = real
        decoded = _decode(request.source, media, factor, moments_of, sound)
    reason = "; ".join(filter(None, [decoded.reason, request.reason]))
    if decoded.status not in USABLE:
        return ReadVideo(request.video, decoded.status, reason)
    has_sound = covered(decoded.sound_runs, decoded.moments)
    read = moments_of(decoded.moments, factor)
    windows = cut_windows(decoded.waveform, read)
    decoded = replace(decoded, reason=reason)
    if not keep_sound:
        decoded = replace(decoded, waveform=decoded.waveform[:0].copy())
    log_mels = log_mel(windows, mels) if hears else np.zeros((len(windows), *mel_shape(mels)), "f4")
    return ReadVideo(
        request.video, decoded.status, reason, decoded, factor, log_mels, has_sound, read
    )


def _decode(
    source: Source, media: MediaConfig, factor: int, moments_of: MomentsOf, sound: bool
) -> Decoded:
    """The frame of one moment in `factor`, with or without sound.

    At factor 1, too, moments are named: all pictures would be one more, behind the last moment.
    """
    return decode(
        source,
        media,
        "moments",
        media.jpeg_quality,
        moments=lambda count: moments_of(count, factor),
        sound=sound,
    )
