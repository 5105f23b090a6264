"""What state a decoded video is in, and why, in plain words. ffmpeg's exit code is no verdict: what it gave and said is."""

import re

from l2l.media.decoded import Decoded
from l2l.media.ffmpeg import Finished, Log

SHORT_BY_SECONDS = 0.5  # declared and decoded ends of whole files differ by a frame or two
SHORT_BY_PART = 0.02
_WHERE = re.compile(r"\[[^\[\]]* @ 0x[0-9a-f]+\] |\[[a-z]+\] ")


def judge(decoded: Decoded, finished: Finished, video_stream: int, audio_stream: int, duration_seconds: float) -> tuple[str, str]:
    """State and reason of a video whose bytes were decoded without hitting a limit.

    Args:
        decoded: what came out, as yet without a state.
        finished: ffmpeg's own account of it.
        video_stream: absolute index of the stream of pictures.
        audio_stream: of the sound; -1 for none.
        duration_seconds: where the pictures end, as declared; 0 where nothing is declared.
    """
    damage = _damage(decoded, finished, video_stream, duration_seconds)
    if damage is not None:
        return damage
    state, remark = _sound(decoded, finished.log, audio_stream)
    if decoded.frames < decoded.grid.span_frames:
        shorter = f"{decoded.frames} frames, a clip needs {decoded.grid.span_frames}: one moment, padded by the last frame"
        return "too_short", "; ".join(filter(None, [shorter, remark]))
    return state, remark


def _damage(decoded: Decoded, finished: Finished, video_stream: int, duration_seconds: float) -> tuple[str, str] | None:
    log = finished.log
    if not decoded.frames:
        return "corrupt", f"no picture can be decoded: {_plain(log)}"
    if len(decoded.pictures) != -(-decoded.frames // decoded.step):
        return "corrupt", f"{len(decoded.pictures)} pictures came of {decoded.frames} frames, one in {decoded.step} expected"
    short = duration_seconds - decoded.duration_seconds
    if short > SHORT_BY_SECONDS + SHORT_BY_PART * duration_seconds:
        return "truncated", f"pictures end at {decoded.duration_seconds:.1f} s of {duration_seconds:.1f} s declared"
    if any("partial file" in line for line in log.errors):
        return "truncated", "the file ends before its last pictures"
    if damaged := _decode_errors(log, video_stream, "video"):
        return "corrupt", f"{damaged} of its pictures are damaged: {_plain(log)}"
    if finished.exit_code:
        return "corrupt", f"ffmpeg gave up: {_plain(log)}"
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
    if damaged := _decode_errors(log, audio_stream, "audio"):
        remarks.append(f"{damaged} packets of sound are damaged")
    return ("audio_partial" if remarks else "ok"), "; ".join(remarks)


def _decode_errors(log: Log, stream: int, kind: str) -> int:
    """Packets of a stream that ffmpeg could not decode, or only in part."""
    summary = log.search(rf"Input stream #0:{stream} \({kind}\): .*; (\d+) decode errors")
    marks = (f"Error while decoding stream #0:{stream}:", "corrupt decoded frame") if kind == "video" else ()
    return (int(summary[1]) if summary else 0) + sum(any(mark in line for mark in marks) for line in log.errors)


def _plain(log: Log) -> str:
    """The first complaint of ffmpeg, without its addresses."""
    return _WHERE.sub("", log.errors[0]).strip() if log.errors else "ffmpeg does not say why"
