"""What state a decoded video is in, and why, in plain words.

Ffmpeg's exit code is no verdict: what it gave and said is.
"""

import re
from collections.abc import Iterable

from l2l.manifest.artifact import CONTAINERS
from l2l.media.decoded import Decoded
from l2l.media.ffmpeg import Finished, Log, log_source

TOLERANCE_SECONDS = 0.25  # declared and decoded ends of whole files differ by a frame or two
TOLERANCE_PART = 0.01
_CUT = re.compile(
    "partial file|File ended prematurely"
)  # as the demuxers of MP4 and of Matroska say it
_STREAM = re.compile(r"ist#0:(\d+)/| stream #?(?:0:)?(\d+)[:.]?(?: |$)")
_OURS = ("out#", "s16le", "rawvideo", "af#", "vf#", "aost#", "vost#", "graph", "Parsed_")
_WHERE = re.compile(r"\[[^\[\]]* @ 0x[0-9a-f]+\] |\[[a-z]+\] ")


def classify_status(
    decoded: Decoded,
    finished: Finished,
    video_stream: int,
    audio_stream: int,
    duration_seconds: float,
) -> tuple[str, str]:
    """State and reason of a video whose bytes were decoded without hitting a limit.

    Args:
        decoded: what came out, as yet without a state.
        finished: ffmpeg's own account of it.
        video_stream: absolute index of the stream of pictures.
        audio_stream: of the sound; -1 for none.
        duration_seconds: where the pictures end, as declared; 0 where nothing is declared.
    """
    damage = _damage(decoded, finished, video_stream, audio_stream, duration_seconds)
    if damage is not None:
        return damage
    state, remark = _sound(decoded, finished.log, audio_stream)
    if decoded.frames < decoded.grid.span_frames:
        shorter = (
            f"{decoded.frames} frames, a clip needs {decoded.grid.span_frames}: one moment, "
            "padded by the last frame"
        )
        return "too_short", "; ".join(filter(None, [shorter, remark]))
    return state, remark


def _damage(
    decoded: Decoded,
    finished: Finished,
    video_stream: int,
    audio_stream: int,
    duration_seconds: float,
) -> tuple[str, str] | None:
    log = finished.log
    if not decoded.frames:
        why = _complaints(log, video_stream, None) or _in_order(log.complaints.values())
        return "corrupt", f"no picture can be decoded: {_plain(why)}"
    if len(decoded.pictures) != -(-decoded.frames // decoded.step):
        return (
            "corrupt",
            f"{len(decoded.pictures)} pictures came of {decoded.frames} frames, one in "
            f"{decoded.step} expected",
        )
    longer = decoded.duration_seconds - duration_seconds
    tolerance = TOLERANCE_SECONDS + TOLERANCE_PART * duration_seconds
    if duration_seconds and abs(longer) > tolerance:
        state = "truncated" if longer < 0 else "corrupt"
        return (
            state,
            f"pictures end at {decoded.duration_seconds:.1f} s, {duration_seconds:.1f} s are "
            "declared",
        )
    if any(_CUT.search(line) for line in _complaints(log, video_stream, audio_stream, None)):
        return "truncated", "the file ends before its last packet"
    if damage := _complaints(log, video_stream, None):
        return "corrupt", f"damaged: {_plain(damage)}"
    if finished.exit_code:
        return "corrupt", f"ffmpeg gave up: {_plain(_complaints(log, video_stream, None, -1))}"
    return None


def _sound(decoded: Decoded, log: Log, audio_stream: int) -> tuple[str, str]:
    if audio_stream < 0:
        return "no_audio", "no sound stream"
    if not len(decoded.sound_runs):
        return "no_audio", "nothing of its sound stream can be decoded"
    if not decoded.waveform.any():
        return "silent", "every sample of its sound is zero"
    heard = decoded.has_sound()
    remarks = []
    if not heard.all():
        remarks.append(f"sound in {heard.sum()} of {len(heard)} moments")
    if damage := _complaints(log, audio_stream):
        remarks.append(f"damaged sound: {_plain(damage)}")
    return ("audio_partial" if remarks else "ok"), "; ".join(remarks)


def _complaints(log: Log, *about: int | None) -> list[str]:
    """What was said that tells of damage: in a stream, by its index, or in the file as a whole,
    None.

    While a file is looked over, decoders complain of what comes before the first key frame, which
    nobody decodes later; the demuxer reads what it reads then only once.
    """
    while_decoding = [
        told
        for part, told in log.complaints.items()
        if part not in log.opening or _demuxes(told[0])
    ]
    return [line for line in _in_order(while_decoding) if _stream_of(line, log) in about]


def _in_order(complaints: Iterable[list[str]]) -> list[str]:
    """Complaints by speaker and wording.

    Parts of ffmpeg run at once, so the order of what they say differs from run to run.
    """
    return sorted(
        (line for told in complaints for line in told),
        key=lambda line: (log_source(line), _plain([line])),
    )


def _demuxes(line: str) -> bool:
    who = log_source(line)  # such as in#0/flv; before ffmpeg 7.1 matroska,webm
    return who.startswith("in#") or who.partition(",")[0] in CONTAINERS.split(",")


def _stream_of(line: str, log: Log) -> int | None:
    """The stream a complaint is about; None for the file as a whole, -1 for what we make of it."""
    if named := _STREAM.search(line):
        return int(named[1] or named[2])
    who = log_source(line)
    if who.startswith(_OURS):
        return -1
    return next((stream for stream, decoder in log.decoders.items() if decoder == who), None)


def _plain(lines: list[str]) -> str:
    """The first complaint of ffmpeg, without its addresses."""
    return _WHERE.sub("", lines[0]).strip() if lines else "ffmpeg does not say why"
