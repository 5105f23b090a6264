"""Decoding: one pass of ffmpeg gives a video's pictures on the 30 fps grid and its sound, and this
says whether to believe them.

Everything else sees `decode` alone, so that another decoder can take its place.
"""

from pathlib import Path
from typing import Literal

import ffmpeg
import numpy as np

from l2l.config import MediaConfig
from l2l.errors import KilledError
from l2l.manifest.artifact import CONTAINERS, USABLE
from l2l.manifest.probe import fingerprint_of
from l2l.media.decoded import Decoded
from l2l.media.ffmpeg import FfmpegStopped, Finished, run_ffmpeg
from l2l.media.sound import TIME_CHANNELS, place
from l2l.media.status import classify_status
from l2l.moments import (
    FRAME_RATE,
    MOMENT_FRAMES,
    SAMPLE_RATE_HZ,
    WINDOW_SAMPLES,
    moment_count,
    start_sample,
)

MOST_BYTES = 1 << 32  # of pictures or sound, of one video: about two hours of clips at 112 pixels
TRIES = 4  # one log in fifty is torn, of files whose sound and pictures are both damaged


def decode(
    path: Path,
    media: MediaConfig,
    video_stream: int,
    audio_stream: int,
    duration_seconds: float,
    pictures: Literal["clips", "moments"],
    fingerprint: str = "",
) -> Decoded:
    """Decode a file whole.

    Args:
        path: the file.
        media: size of the pictures, clip grid, time limit.
        video_stream: absolute index of the stream of pictures in the file.
        audio_stream: of the sound; -1 for none.
        duration_seconds: where the pictures end, as declared; 0 where nothing is declared.
        pictures: all that the clips are made of, or only the first of each moment.
        fingerprint: what the file had when it was listed; one that changed since, or while it is
            read, is refused. Empty: whatever it is now.

    Returns:
        Pictures and sound with the state found; without pictures and with the reason where the file
        is not usable.

    Raises:
        KilledError: if ffmpeg was ended from outside.
    """
    step = media.clip_stride if pictures == "clips" else MOMENT_FRAMES
    argv = compile_argv(path, media, video_stream, audio_stream, step)
    outputs = ["pictures"] if audio_stream < 0 else ["pictures", "sound"]
    try:
        finished = _run(argv, outputs, media.time_limit_seconds)
    except FfmpegStopped as stopped:
        return _unusable("refused", str(stopped), media, step)
    except KilledError:
        raise KilledError(f"{path}: the ffmpeg that decodes it") from None
    if not path.exists():
        return _unusable("missing", "no such file any more", media, step)
    if fingerprint and fingerprint != _fingerprint_now(path):
        return _unusable(
            "refused", "it changed since it was listed, or while it was read", media, step
        )
    frames = finished.log.grid_frames
    shown = _as_pictures(finished.outputs[0], media.frame_pixels)
    waveform, runs = place(
        finished.outputs[1] if audio_stream >= 0 else b"", _samples(frames, media)
    )
    whole = Decoded("ok", "", frames, step, shown, waveform, runs, media.grid)
    status, reason = classify_status(whole, finished, video_stream, audio_stream, duration_seconds)
    if status not in USABLE:
        return _unusable(status, reason, media, step)
    heard = (
        runs[:0] if status == "silent" else runs
    )  # a muted track tells nothing: to the networks it is as if there were none
    return Decoded(status, reason, frames, step, shown, waveform, heard, media.grid)


def _run(argv: list[str], outputs: list[str], time_limit_seconds: float) -> Finished:
    """Run ffmpeg until its log can be read.

    The verdict must not depend on which of its parts speaks first.
    """
    for _ in range(TRIES):
        finished = run_ffmpeg(argv, outputs, MOST_BYTES, time_limit_seconds)
        if not finished.log.torn:
            break
    return finished


def _fingerprint_now(path: Path) -> str:
    try:
        return fingerprint_of(path)[0]
    except (OSError, ValueError):
        return "not readable"


def compile_argv(
    path: Path, media: MediaConfig, video_stream: int, audio_stream: int, step: int
) -> list[str]:
    """The arguments of the one pass: rgb24 pictures, `step` frames of the grid apart, to
    `pipe:pictures`, sound to `pipe:sound`.

    Frame rate first, then scaling: pictures that are dropped are not scaled. The whole picture is
        scaled, then cropped: a crop of the source falls between its pixels. Interlaced pictures
        stay woven: scaled to so few lines their fields are averaged, a blur of half a frame
        (352x288 pixels come within 35 dB of what bwdif makes of them). HDR stays as it is stored:
        tone mapping is a matter of taste. Beside the sound go two channels with each sample's time;
        see `l2l.media.sound`.
    """
    (width, height), (left, top), side = _size(media), _corner(media), media.frame_pixels
    look = ",".join(
        [
            f"fps={FRAME_RATE}:start_time=0",
            f"framestep={step}",
            f"scale={width}:{height}:flags=bilinear+accurate_rnd+full_chroma_int+bitexact",
            f"crop={side}:{side}:{left}:{top}",
        ]
    )
    # mono by way of s16 averages the channels; by way of float it would add them up
    listen = ",".join(
        [
            f"aformat=sample_fmts=s16:channel_layouts=mono:sample_rates={SAMPLE_RATE_HZ}",
            f"aeval=exprs='{'|'.join(['val(0)', *TIME_CHANNELS])}':channel_layout=2.1",
        ]
    )
    # scale takes pictures that change their size in mid-stream; a graph built anew would begin its
    # time again
    source = ffmpeg.input(
        "FILE",  # by its name only afterwards: ffmpeg-python takes no name that is not UTF-8
        format_whitelist=CONTAINERS,
        protocol_whitelist="file",
        threads=1,
        flags="+bitexact",
        **{"reinit_filter:v": 0},
    )
    outputs = [
        ffmpeg.output(
            source[str(video_stream)], "pipe:pictures", vf=look, pix_fmt="rgb24", format="rawvideo"
        )
    ]
    if audio_stream >= 0:
        outputs.append(
            ffmpeg.output(source[str(audio_stream)], "pipe:sound", af=listen, format="s16le")
        )
    everything = ffmpeg.merge_outputs(*outputs) if len(outputs) > 1 else outputs[0]
    manner = (
        "-hide_banner",
        "-nostats",
        "-loglevel",
        "repeat+level+warning",
        "-filter_threads",
        "1",
        "-max_error_rate",
        "1",
    )
    argv = ffmpeg.compile(everything.global_args(*manner))[1:]
    return [f"file:{path.absolute()}" if word == "FILE" else word for word in argv]


def _size(media: MediaConfig) -> tuple[object, object]:
    """Width and height that pictures are scaled to, for ffmpeg.

    The longer side rounded down, as torchvision's Resize does.
    """
    if isinstance(media.resize_pixels, tuple):
        return media.resize_pixels[1], media.resize_pixels[0]
    short = media.resize_pixels
    return (
        f"'if(gt(iw,ih),trunc({short}*iw/ih),{short})'",
        f"'if(gt(iw,ih),{short},trunc({short}*ih/iw))'",
    )


def _corner(media: MediaConfig) -> tuple[object, object]:
    """Left and top of the crop, for ffmpeg, as torchvision's CenterCrop has them.

    Half a pixel goes to the even side.
    """
    side = media.frame_pixels
    if isinstance(media.resize_pixels, tuple):
        height, width = media.resize_pixels
        return round((width - side) / 2), round((height - side) / 2)
    left, top = (
        f"'if(mod({all_}-{side},2),2*round(({all_}-{side})/4),({all_}-{side})/2)'"
        for all_ in ("iw", "ih")
    )
    return left, top


def _samples(frames: int, media: MediaConfig) -> int:
    """Where sound ends to matter.

    The clock is the pictures', and the last moment's second may reach past them.
    """
    if not frames:
        return 0
    last = start_sample(moment_count(frames, media.grid) - 1)
    return max(-(-frames * SAMPLE_RATE_HZ // FRAME_RATE), last + WINDOW_SAMPLES)


def _as_pictures(raw: bytearray, side: int) -> np.ndarray:
    whole = len(raw) // (side * side * 3)
    return np.frombuffer(raw, np.uint8, whole * side * side * 3).reshape(whole, side, side, 3)


def _unusable(status: str, reason: str, media: MediaConfig, step: int) -> Decoded:
    side = media.frame_pixels
    return Decoded(
        status,
        reason,
        0,
        step,
        np.zeros((0, side, side, 3), np.uint8),
        np.zeros(0, np.int16),
        grid=media.grid,
    )
