"""The status of a decoded video and its reason, in plain words.

The exit code of ffmpeg is no verdict: what it wrote and what it reported are.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from l2l.manifest.artifact import CONTAINERS
from l2l.manifest.source import Source
from l2l.media.decoded import Decoded
from l2l.media.ffmpeg import Finished
from l2l.media.ffmpeg_log import Log, log_source
from l2l.media.transport import count_pictures, pictures_elsewhere, was_joined

# Declared and decoded ends of whole files differ by a frame or two.
TOLERANCE_SECONDS = 0.25
TOLERANCE_FRACTION = 0.01
# Of the declared rate; film that is shown at a higher one has four in five.
MOST_PICTURES = 0.7
MISSING_PICTURES = 3  # at a joint of a transport stream, before the gap counts as damage
# As the demuxers of MP4 and of Matroska report it.
_CUT = re.compile("partial file|File ended prematurely")
# A jump of a packet counter: packets were lost, or another recording begins.
_COUNTER = "corrupt input packet in stream"
_STREAM = re.compile(r"ist#0:(\d+)/| stream #?(?:0:)?(\d+)[:.]?(?: |$)")
# The parts that write our own outputs. Their streams are numbered apart from those of the file.
_OURS = ("out#", "s16le", "rawvideo", "af#", "vf#", "aost#", "vost#", "graph", "Parsed_")
_WHERE = re.compile(r"\[[^\[\]]* @ 0x[0-9a-f]+\] |\[[a-z]+\] ")


def classify_status(
    decoded: Decoded, finished: Finished, source: Source, sound: bool = True
) -> tuple[str, str]:
    """Status and reason of a video that was decoded without exceeding a limit.

    Args:
        decoded: what was decoded, with no status yet.
        finished: ffmpeg's own account of it.
        source: the streams that were decoded, and the declared end of the pictures.
        sound: whether its sound was asked for. Without, the status is that of the pictures.
    """
    damage = _damage(decoded, finished, source)
    if damage is not None:
        return damage
    status, remark = "ok", ""
    if sound:
        status, remark = _sound(decoded, finished.log, source.audio_stream)
    remarks = [remark, *_joints(finished.log, source.video_stream)]
    if decoded.grid_frames < decoded.grid.span_frames:
        status = "too_short"
        shorter = (
            f"{decoded.grid_frames} frames, a clip needs {decoded.grid.span_frames}: one moment, "
            "padded by the last frame"
        )
        remarks.insert(0, shorter)
    return status, "; ".join(filter(None, remarks))


def _damage(decoded: Decoded, finished: Finished, source: Source) -> tuple[str, str] | None:
    log, video = finished.log, source.video_stream
    if not decoded.grid_frames:
        causes = _complaints(log, video, None) or _in_order(log.complaints.values())
        return "corrupt", f"no picture can be decoded: {_plain(causes)}"
    expected = -(-decoded.grid_frames // decoded.step)
    if decoded.chosen is None and len(decoded.pictures) != expected:
        return (
            "corrupt",
            f"{len(decoded.pictures)} pictures were decoded from {decoded.grid_frames} frames, "
            f"expected one in {decoded.step}",
        )
    if mismatch := _length_mismatch(decoded, log, source.duration_seconds):
        return mismatch
    if elsewhere := _rest_elsewhere(decoded, log, video) or _spliced(source.path, log, video):
        return "truncated", elsewhere
    if lost := _lost_at_joints(decoded, log, video):
        return "corrupt", lost
    if any(_CUT.search(line) for line in _complaints(log, video, source.audio_stream, None)):
        return "truncated", "the file ends before its last packet"
    damage = _complaints(log, video, None)
    if any(_COUNTER in line for line in damage) and _whole_across_joints(decoded, log, source):
        damage = [line for line in damage if _COUNTER not in line]
    if damage:
        return "corrupt", f"damaged: {_plain(damage)}"
    if finished.exit_code:
        return "corrupt", f"ffmpeg gave up: {_plain(_complaints(log, video, None, -1))}"
    return None


def _length_mismatch(decoded: Decoded, log: Log, duration_seconds: float) -> tuple[str, str] | None:
    """Whether the pictures end where the file declares it.

    The length of a transport stream is estimated from its first and last time stamp, which says
    nothing if time restarts between them.
    """
    if not duration_seconds or log.time_restarts:
        return None
    longer = decoded.duration_seconds - duration_seconds
    if abs(longer) <= TOLERANCE_SECONDS + TOLERANCE_FRACTION * duration_seconds:
        return None
    return (
        "truncated" if longer < 0 else "corrupt",
        f"pictures end at {decoded.duration_seconds:.1f} s, {duration_seconds:.1f} s are declared",
    )


def _rest_elsewhere(decoded: Decoded, log: Log, video_stream: int) -> str:
    """Which streams hold the rest of the pictures, where a transport stream was spliced from parts
    whose streams have other identifiers; empty if none is missing.
    """
    others = [
        str(index)
        for index, stream in log.streams.items()
        if stream.kind == "Video" and index != video_stream and not stream.is_attached_picture
    ]
    if log.container != "mpegts" or not others or video_stream not in log.streams:
        return ""
    start = max(0.0, log.streams[video_stream].start_seconds - log.start_seconds)
    end = decoded.duration_seconds
    tolerance = TOLERANCE_SECONDS + TOLERANCE_FRACTION * log.duration_seconds
    if start <= tolerance and end >= log.duration_seconds - tolerance:
        return ""
    return (
        f"pictures of stream {video_stream} go from {start:.1f} s to {end:.1f} s of "
        f"{log.duration_seconds:.1f} s; the rest is in stream {', '.join(others)}"
    )


def _spliced(path: Path, log: Log, video_stream: int) -> str:
    """Which stream of a transport stream has pictures where the one that was decoded has none, and
    may have some before and after; empty if there is none.
    """
    stream = log.streams.get(video_stream)
    streams_of_pictures = [each for each in log.streams.values() if each.kind == "Video"]
    if log.container != "mpegts" or stream is None:
        return ""
    if len(streams_of_pictures) == 1 and not log.later_pictures:
        return ""
    other = pictures_elsewhere(path, stream.pid, stream.frame_rate)
    if other is None:
        return ""
    number = next((i for i, each in log.streams.items() if each.pid == other.pid), None)
    name = f"packets 0x{other.pid:x}" if number is None else f"stream {number}"
    return (
        f"stream {video_stream} has no pictures from byte {other.first_byte:,} on; the rest is in "
        f"{name}: {other.pictures} pictures"
    )


def _lost_at_joints(decoded: Decoded, log: Log, video_stream: int) -> str:
    """How many pictures of joined recordings were decoded, as where one has another codec; empty if
    nearly all were.
    """
    stream = log.streams.get(video_stream)
    if log.container != "mpegts" or not log.time_restarts or stream is None:
        return ""
    begin = max(0.0, stream.start_seconds - log.start_seconds)
    expected = (decoded.duration_seconds - begin) * stream.frame_rate
    if log.frames_in >= MOST_PICTURES * expected:
        return ""
    return (
        f"{log.frames_in} pictures were decoded of about {expected:.0f} in its joined parts, of "
        "which one is damaged or has another codec"
    )


def _whole_across_joints(decoded: Decoded, log: Log, source: Source) -> bool:
    """Whether all pictures were decoded although a packet counter jumped.

    The counters of joined recordings start again, and the demuxer calls the packet before the joint
    corrupt. If a whole recording between two joints was not decoded, pictures are missing: compared
    with the time they fill, or, where time jumps ahead at a joint, with those that the file has.
    """
    stream = log.streams.get(source.video_stream)
    if log.container != "mpegts" or stream is None or not stream.frame_rate:
        return False
    if not was_joined(source.path):
        return False
    expected = decoded.duration_seconds * stream.frame_rate
    if log.frames_in < expected - MISSING_PICTURES:
        expected = count_pictures(source.path, stream.pid) or expected
    return log.frames_in >= expected - MISSING_PICTURES


def _joints(log: Log, video_stream: int) -> list[str]:
    remarks = []
    if any(_COUNTER in line for line in _complaints(log, video_stream)):
        remarks.append("its packet counters jump, as where recordings were joined")
    if log.time_restarts:
        remarks.append("its time stamps jump; the parts follow each other without a gap")
    return remarks


def _sound(decoded: Decoded, log: Log, audio_stream: int) -> tuple[str, str]:
    if audio_stream < 0:
        return "no_audio", "no sound stream"
    if not len(decoded.sound_runs):
        return "no_audio", "nothing of its sound stream can be decoded"
    if not decoded.waveform.any():
        return "silent", "every sample of its sound is zero"
    has_sound = decoded.has_sound()
    remarks = []
    if not has_sound.all():
        remarks.append(f"sound in {has_sound.sum()} of {len(has_sound)} moments")
    if damage := _complaints(log, audio_stream):
        remarks.append(f"damaged sound: {_plain(damage)}")
    return ("audio_partial" if remarks else "ok"), "; ".join(remarks)


def _complaints(log: Log, *streams: int | None) -> list[str]:
    """The complaints about streams of the file, by index, or about the file as a whole, None.

    While a file is opened, decoders complain about what comes before the first key frame, which is
    not decoded later; the demuxer reads only once what it reads then.
    """
    while_decoding = [
        complaints
        for part, complaints in log.complaints.items()
        if part not in log.opening or _is_demuxer(complaints[0])
    ]
    return [line for line in _in_order(while_decoding) if _stream_of(line, log) in streams]


def _in_order(complaints: Iterable[list[str]]) -> list[str]:
    """Complaints by source and wording.

    Parts of ffmpeg run at the same time, so the order of their lines differs from run to run.
    """
    return sorted(
        (line for lines in complaints for line in lines),
        key=lambda line: (log_source(line), _plain([line])),
    )


def _is_demuxer(line: str) -> bool:
    source = log_source(line)  # such as in#0/flv; before ffmpeg 7.1 matroska,webm
    return source.startswith("in#") or source.partition(",")[0] in CONTAINERS.split(",")


def _stream_of(line: str, log: Log) -> int | None:
    """The stream that a complaint is about; None for the file as a whole, -1 for our outputs."""
    source = log_source(line)
    if source.startswith(_OURS):
        return -1
    if named := _STREAM.search(line):
        return int(named[1] or named[2])
    return next((stream for stream, decoder in log.decoders.items() if decoder == source), None)


def _plain(lines: list[str]) -> str:
    """The first complaint of ffmpeg, without its addresses."""
    return _WHERE.sub("", lines[0]).strip() if lines else "ffmpeg does not say why"
