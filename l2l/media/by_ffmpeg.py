"""One pass of the ffmpeg program gives a video's pictures on the 30 fps grid and its sound; the
status says whether they can be used.

The other stages call `l2l.media.decode` only.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ffmpeg
import numpy as np

from l2l.config import MediaConfig
from l2l.errors import MACHINE_ERRNOS, KilledError, MachineError
from l2l.manifest.artifact import CONTAINERS, USABLE
from l2l.manifest.probe import fingerprint_of
from l2l.manifest.source import Source
from l2l.media.decoded import Decoded
from l2l.media.ffmpeg import FfmpegStopped, Finished, refuse_silence, run_ffmpeg
from l2l.media.pictures import EncodedPictures
from l2l.media.sound import PlacedSound, restore_cancelled
from l2l.media.status import classify_status
from l2l.moments import (
    FRAME_RATE,
    SAMPLE_RATE_HZ,
    WINDOW_SAMPLES,
    moment_count,
    start_sample,
)

# Of raw pictures or of sound, per video: about two hours of clips at 112 pixels.
MAX_BYTES = 1 << 32
# In place of the file: ffmpeg-python takes no name that is not UTF-8.
FILE = "FILE"
SCALING = "flags=bilinear+accurate_rnd+full_chroma_int+bitexact"
# One log in fifty is torn, of files whose sound and pictures are both damaged.
TRIES = 4
# Zeros at the end of a file: from one packet of a transport stream on they are looked at.
MIN_ZERO_BYTES = 188
ZERO_BLOCK_BYTES = 1 << 16


@dataclass(frozen=True)
class Plan:
    """One way to decode a file."""

    source: Source
    media: MediaConfig
    step: int  # frames of the grid from one picture to the next
    quality: int | str
    sound: bool = True  # whether it is asked for; if not, the source names no stream of it
    end_byte: int = 0  # where to stop reading the file; 0: at its end


def decode_whole(plan: Plan) -> Decoded:
    """Decode all pictures of a file, and the stream of sound that the source names.

    If nothing can be heard in it, the first other stream in which something can be heard takes its
    place; the reason says so.

    Returns:
        Pictures and sound with the status; without pictures and with the reason if the file is not
        usable.

    Raises:
        KilledError: if ffmpeg was ended from outside.
        MachineError: if the machine did not give ffmpeg what it needs.
        BadInput: if ffmpeg itself does not work.
    """
    decoded, finished = _decode(plan)
    if finished is None:
        return decoded
    if decoded.status not in USABLE:
        return _without_trailing_zeros(plan, decoded)
    return with_audible_stream(plan, decoded, finished)


def _decode(plan: Plan) -> tuple[Decoded, Finished | None]:
    """Decode a file in one way; also ffmpeg's account, None where no verdict rests on it."""
    try:
        finished, shown, mix, first_channel = run(plan)
    except FfmpegStopped as stopped:
        return unusable("refused", str(stopped), plan), None
    counts = (finished.log.grid_frames, finished.log.frames_in, finished.log.frames_in)
    return conclude(plan, shown, counts, finished, (mix, first_channel))


def conclude(
    plan: Plan,
    shown: EncodedPictures,
    counts: tuple[int, int, int],
    finished: Finished,
    sound: tuple[PlacedSound, PlacedSound],
    chosen: np.ndarray | None = None,
) -> tuple[Decoded, Finished | None]:
    """What was decoded of a file, with its status.

    Args:
        plan: how it was decoded.
        shown: the pictures.
        counts: frames of the grid, pictures decoded, pictures in the file.
        finished: ffmpeg's account of it.
        sound: the mix of its channels, and the first of them.
        chosen: the moments whose frames these are; None: all pictures.

    Returns:
        Also ffmpeg's account, None where no verdict rests on it.
    """
    source, media = plan.source, plan.media
    if not source.path.exists():
        return unusable("missing", "the file no longer exists", plan), None
    if source.fingerprint and source.fingerprint != fingerprint_now(source.path):
        reason = "it changed since it was listed, or while it was read"
        return unusable("refused", reason, plan), None
    grid_frames, frames_decoded, frames_total = counts
    samples = sample_count(grid_frames, media)
    placed = finished.log.sound_runs
    waveform, runs = sound[0].finish(samples, placed)
    replaced = restore_cancelled(waveform, sound[1].finish(samples, placed)[0])
    decoded = Decoded(
        *("ok", "", grid_frames, plan.step, shown, waveform, runs),
        *(media.grid, source.audio_stream, chosen, frames_decoded, frames_total),
    )
    status, reason = classify_status(decoded, finished, source, plan.sound)
    if status not in USABLE:
        return unusable(status, reason, plan), finished
    if replaced:
        cancelled = (
            f"the channels of its sound cancel each other in {max(replaced, 0.1):.1f} s; there the "
            "first channel is heard"
        )
        reason = "; ".join(filter(None, [reason, cancelled]))
    # To the networks, a muted track is as if there were none.
    heard = runs[:0] if not waveform.any() else runs
    return replace(decoded, status=status, reason=reason, sound_runs=heard), finished


def with_audible_stream(plan: Plan, decoded: Decoded, finished: Finished) -> Decoded:
    """The same video with the first other stream of sound in which something is heard, if nothing
    is heard in the stream that was decoded; a remark names the streams that are not heard.
    """
    used = plan.source.audio_stream
    streams = finished.log.streams
    others = [i for i, each in streams.items() if each.kind == "Audio" and i != used]
    if used < 0 or not others:
        return decoded
    if len(decoded.sound_runs):
        remark = f"it has other sound, which is not used: stream {_and(others)}"
        return replace(decoded, reason="; ".join(filter(None, [decoded.reason, remark])))
    for other in others:
        # How many channels it has is not known: the mix is checked as if there were several.
        source = replace(plan.source, audio_stream=other, audio="")
        again, _ = _decode(replace(plan, source=source))
        if len(again.sound_runs):
            remark = f"sound of stream {other}: nothing is heard in stream {used}"
            return replace(again, reason="; ".join(filter(None, [again.reason, remark])))
    return decoded


def _and(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers))


def _without_trailing_zeros(plan: Plan, decoded: Decoded) -> Decoded:
    """The same video read up to the zeros at the end of its file, if it can be used then.

    Recorders allot space ahead and leave zeros behind the last packet, which demuxers call damage.
    """
    size, end = size_without_zeros(plan.source.path)
    if size - end < MIN_ZERO_BYTES or not end:
        return decoded
    shorter, finished = _decode(replace(plan, end_byte=end))
    if shorter.status not in USABLE or finished is None:
        return decoded
    remark = f"{size - end} bytes of zeros after its last packet are not read"
    shorter = replace(shorter, reason="; ".join(filter(None, [shorter.reason, remark])))
    return with_audible_stream(replace(plan, end_byte=end), shorter, finished)


def size_without_zeros(path: Path) -> tuple[int, int]:
    """The size of a file, and its size without the zeros at its end.

    Raises:
        MachineError: if the machine did not let it be read.
    """
    try:
        with open(path, "rb") as file:
            size = end = file.seek(0, 2)
            while end:
                start = max(0, end - ZERO_BLOCK_BYTES)
                file.seek(start)
                block = file.read(end - start).rstrip(b"\0")
                end = start + len(block)
                if block:
                    break
    except OSError as error:
        if error.errno in MACHINE_ERRNOS:
            cause = error.strerror or str(error)
            raise MachineError(f"{path}: reading it again", cause) from None
        return 0, 0
    return size, end


def run(
    plan: Plan, pictures: bool = True
) -> tuple[Finished, EncodedPictures, PlacedSound, PlacedSound]:
    """Run ffmpeg: its account, the pictures, the mix, and the first channel alone.

    Raises:
        FfmpegStopped: if a limit was exceeded.
        KilledError: if it was ended from outside.
        MachineError: if the machine did not give it what it needs.
    """
    try:
        return _run(plan, pictures)
    except KilledError:
        raise KilledError(f"{plan.source.path}: the ffmpeg that decodes it") from None
    except MachineError as error:
        program = f"{plan.source.path}: the ffmpeg that decodes it"
        raise MachineError(program, error.cause) from None


def _run(plan: Plan, pictures: bool) -> tuple[Finished, EncodedPictures, PlacedSound, PlacedSound]:
    """Run ffmpeg until its log can be read.

    The status must not depend on which part of ffmpeg writes first.
    """
    argv = compile_argv(plan.source, plan.media, plan.step if pictures else 0, plan.end_byte)
    for _ in range(TRIES):
        shown = EncodedPictures(plan.media.frame_pixels, plan.quality)
        mix, first_channel = PlacedSound(), PlacedSound()
        takers = {"pictures": shown.write, "sound": mix.write, "first": first_channel.write}
        outputs = {name: take for name, take in takers.items() if f"pipe:{name}" in argv}
        finished = run_ffmpeg(argv, outputs, MAX_BYTES, plan.media.time_limit_seconds)
        placed = sum(count for _, count in finished.log.sound_runs) == mix.taken
        if placed and not finished.log.torn:
            break
    refuse_silence(finished)
    if not placed:
        raise FfmpegStopped("ffmpeg does not report the time of its sound")
    return finished, shown, mix, first_channel


def fingerprint_now(path: Path) -> str:
    """The fingerprint of a file, or that it has none.

    Raises:
        MachineError: if the machine did not let it be read.
    """
    try:
        return fingerprint_of(path)[0]
    except OSError as error:
        if error.errno in MACHINE_ERRNOS:
            cause = error.strerror or str(error)
            raise MachineError(f"{path}: reading it again", cause) from None
    except ValueError:  # it is no plain file
        pass
    return "not readable"


def compile_argv(source: Source, media: MediaConfig, step: int, end_byte: int = 0) -> list[str]:
    """The arguments of the one pass: rgb24 pictures, `step` frames of the grid apart, to
    `pipe:pictures`; the mean of the channels to `pipe:sound`, and their first to `pipe:first`.
    Without pictures if `step` is 0.

    Frame rate first, then scaling: pictures that are dropped are not scaled. The whole picture is
    scaled, then cropped: a crop of the source falls between its pixels. Interlaced pictures stay
    woven: scaled to so few lines their fields are averaged, a blur of half a frame (352x288 pixels
    come within 35 dB of what bwdif makes of them). HDR stays as it is stored: tone mapping is a
    matter of taste. The time of each frame of sound is in ffmpeg's
    report, by `ashowinfo`; see `l2l.media.sound`.
    """
    # By way of s16 a mix to mono is the mean of the channels; by way of float it is their sum.
    to_mono = f"aformat=sample_fmts=s16:channel_layouts=mono:sample_rates={SAMPLE_RATE_HZ}"
    file = open_input(end_byte)
    outputs = [
        ffmpeg.output(
            file[str(source.video_stream)],
            "pipe:pictures",
            vf=",".join(picture_filters(media, step)),
            pix_fmt="rgb24",
            format="rawvideo",
        )
    ][: 1 if step else 0]
    sounds = {} if source.audio_stream < 0 else {"pipe:sound": [to_mono, "ashowinfo"]}
    if sounds and not source.is_mono:
        sounds["pipe:first"] = ["pan=mono|c0=c0", to_mono]
    for pipe, filters in sounds.items():
        # flush_packets=0: in blocks, not one write for each of 40 packets per second
        stream = file[str(source.audio_stream)]
        outputs.append(
            ffmpeg.output(stream, pipe, af=",".join(filters), format="s16le", flush_packets=0)
        )
    merged = ffmpeg.merge_outputs(*outputs) if len(outputs) > 1 else outputs[0]
    return compile_outputs(merged, source.path, end_byte)


def picture_filters(media: MediaConfig, step: int) -> list[str]:
    """The filters that give the pictures, `step` frames of the grid apart; see `compile_argv`."""
    scaled = ["=".join(each) for each in scaling(media)]
    return [f"fps={FRAME_RATE}:start_time=0", f"framestep={step}", *scaled]


def scaling(media: MediaConfig) -> list[tuple[str, str]]:
    """The filters that scale and crop pictures: name and arguments of each."""
    (width, height), (left, top), side = _size(media), _corner(media), media.frame_pixels
    return [
        ("scale", f"{width}:{height}:{SCALING}"),
        ("crop", f"{side}:{side}:{left}:{top}"),
    ]


def open_input(end_byte: int = 0) -> Any:
    """The file that is decoded, as ffmpeg-python's input; up to a byte, where one is given.

    scale takes pictures that change their size in mid-stream; a graph that is built again would
    restart its time.
    """
    return ffmpeg.input(
        FILE,
        format_whitelist=CONTAINERS,
        protocol_whitelist="file,subfile" if end_byte else "file",
        threads=1,
        flags="+bitexact",
        **{"reinit_filter:v": 0},
    )


def compile_outputs(outputs: Any, path: Path, end_byte: int = 0) -> list[str]:
    """The arguments of ffmpeg for outputs of `open_input`, read from this file."""
    global_args = (
        *("-hide_banner", "-nostats", "-loglevel", "repeat+level+warning"),
        *("-filter_threads", "1", "-max_error_rate", "1"),
    )
    argv = ffmpeg.compile(outputs.global_args(*global_args))[1:]
    return [_url(path, end_byte) if word == FILE else word for word in argv]


def _url(path: Path, end_byte: int) -> str:
    url = f"file:{path.absolute()}"
    return f"subfile,,start,0,end,{end_byte},,:{url}" if end_byte else url


def _size(media: MediaConfig) -> tuple[object, object]:
    """Width and height that pictures are scaled to, for ffmpeg.

    The longer side is rounded down, as torchvision's Resize does.
    """
    if isinstance(media.resize_pixels, tuple):
        return media.resize_pixels[1], media.resize_pixels[0]
    short = media.resize_pixels
    return (
        f"'if(gt(iw,ih),trunc({short}*iw/ih),{short})'",
        f"'if(gt(iw,ih),{short},trunc({short}*ih/iw))'",
    )


def _corner(media: MediaConfig) -> tuple[object, object]:
    """Left and top of the crop, for ffmpeg, as in torchvision's CenterCrop.

    Half a pixel goes to the even side.
    """
    side = media.frame_pixels
    if isinstance(media.resize_pixels, tuple):
        height, width = media.resize_pixels
        return round((width - side) / 2), round((height - side) / 2)
    left, top = (
        f"'if(mod({size}-{side},2),2*round(({size}-{side})/4),({size}-{side})/2)'"
        for size in ("iw", "ih")
    )
    return left, top


def sample_count(grid_frames: int, media: MediaConfig) -> int:
    """Samples of a video that can be used.

    The pictures decide how long it is, and the second of the last moment may end after them.
    """
    if not grid_frames:
        return 0
    last = start_sample(moment_count(grid_frames, media.grid) - 1)
    return max(-(-grid_frames * SAMPLE_RATE_HZ // FRAME_RATE), last + WINDOW_SAMPLES)


def unusable(status: str, reason: str, plan: Plan) -> Decoded:
    """A video that cannot be used."""
    none = EncodedPictures(plan.media.frame_pixels, plan.quality)
    return Decoded(status, reason, 0, plan.step, none, np.zeros(0, np.int16), grid=plan.media.grid)
