"""Decoding: what is asked for of a video, its pictures on the 30 fps grid and its sound; the status
says whether they can be used.

The other stages call `decode` only.
"""

import itertools
from dataclasses import replace
from typing import Literal

import numpy as np

from l2l.config import MediaConfig
from l2l.manifest.artifact import USABLE
from l2l.manifest.joined import second_file_at
from l2l.manifest.source import Source
from l2l.media.by_ffmpeg import Plan, decode_whole, unusable
from l2l.media.by_skipping import Moments, chosen_moments, decode_chosen
from l2l.media.decoded import Decoded
from l2l.media.packets import UnsafeError
from l2l.media.pictures import EncodedPictures
from l2l.moments import MOMENT_FRAMES

ALL_MOMENTS = slice(None)


def decode(
    source: Source,
    media: MediaConfig,
    pictures: Literal["clips", "moments", "none"],
    quality: int | str = "lossless",
    *,
    moments: Moments = ALL_MOMENTS,
    sound: bool = True,
) -> Decoded:
    """Decode what is asked for of a file.

        decode(source, media, "moments", moments=slice(None, None, 5))  # 1 moment in 5, and sound
        decode(source, media, "none")                                   # the sound alone
        decode(source, media, "moments", moments=[3, 17], sound=False)  # two frames alone

    The stream of sound that the source names is heard. If nothing can be heard in it, the first
    other stream in which something can be heard takes its place; the reason says so.

    Args:
        source: the file, its streams and what it declares.
        media: size of the pictures, clip grid, time limit.
        pictures: all pictures of the clips, only the first of each moment, or none.
        quality: how pictures are held in memory: as JPEG of this quality, or `lossless`.
        moments: whose frames: a slice of all moments, such as every fifth; or their numbers in
            rising order, of `range(decoded.moments)`; or a function from `decoded.moments` to
            these numbers.
        sound: whether its sound is decoded. Without, the status is that of the pictures alone.

    Returns:
        Pictures and sound with the status, the length of the whole video, and how many of its
        pictures were decoded; without pictures and with the reason if the file is not usable.
        `decoded.chosen` has the moments that were asked for, `decoded.frames()` their frames.

    Raises:
        ValueError: if chosen moments do not rise, or clips of only some moments are asked for.
        IndexError: if the video has no such moment.
        KilledError: if the decoder was ended from outside.
        MachineError: if the machine did not give the decoder what it needs.
        BadInput: if the decoder itself does not work.
    """
    _check_moments(pictures, moments)
    step = media.clip_stride if pictures == "clips" else MOMENT_FRAMES
    asked = source if sound else replace(source, audio_stream=-1)
    plan = Plan(asked, media, step, quality, sound)
    decoded = _decoded(plan, () if pictures == "none" else moments)
    if decoded.status in USABLE and (second := second_file_at(source.path)):
        reason = (
            f"it is several files in one, of which only the first is read: byte {second:,} begins "
            "another; join them with `ffmpeg -f concat`"
        )
        return unusable("truncated", reason, plan)
    return decoded


def _decoded(plan: Plan, moments: Moments) -> Decoded:
    """What the chosen decoder gives."""
    if plan.media.decoder == "ffmpeg":
        return _with_frames_of(decode_whole(plan), moments)
    try:
        return decode_chosen(plan, None if moments == ALL_MOMENTS else moments)
    except UnsafeError as unsafe:
        return replace(_with_frames_of(decode_whole(plan), moments), not_skipped=str(unsafe))


def _check_moments(pictures: str, moments: Moments) -> None:
    if pictures == "clips" and moments != ALL_MOMENTS:
        raise ValueError("clips of some moments cannot be asked for, only those of all")
    if isinstance(moments, slice) or callable(moments):
        return
    if any(number >= after for number, after in itertools.pairwise([-1, *moments])):
        raise ValueError(f"moments {list(moments)}: expected numbers from 0 on that rise")


def _with_frames_of(decoded: Decoded, moments: Moments) -> Decoded:
    """The video without the frames of moments that were not asked for."""
    if moments == ALL_MOMENTS or decoded.status not in USABLE:
        return decoded
    chosen = chosen_moments(moments, decoded.moments)
    kept = [decoded.pictures.encoded[moment] for moment in chosen]
    pictures = EncodedPictures(decoded.pictures.side, decoded.pictures.quality, kept)
    return replace(decoded, pictures=pictures, chosen=np.array(chosen, np.int64))
