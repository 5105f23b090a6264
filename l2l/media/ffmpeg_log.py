"""What ffmpeg reports: its complaints by the part that made them, and facts about its input."""

import re
from dataclasses import dataclass, field

KEPT_COMPLAINTS = 20  # per part of ffmpeg

# Only broadcasts may begin their time again.
_BACKWARDS = r"^\[(?!in#\d+/mpeg|mpeg).* DTS -?\d+ < -?\d+ out of order"
_COMPLAINT = re.compile(
    rf"\[(error|fatal|panic)\] |corrupt (decoded frame|input packet)|{_BACKWARDS}"
)
_INPUT = re.compile(r"(?:\[info\] )?Input #0, (\S+), from ")
_DURATION = re.compile(r"(?:\[info\] )?  Duration: (\d+):(\d\d):(\d\d\.\d+), start: (-?[\d.]+)")
_STREAM = re.compile(
    r"(?:\[info\] )?  Stream #0:(\d+)(?:\[0x([0-9a-f]+)\])?[(:].*?(Video|Audio): (.*)"
)
_FRAME_RATE = re.compile(r" ([\d.]+) fps")
_START = re.compile(r", start (-?[\d.]+)")
# Which stream goes to which output, with the codec and its decoder.
_MAPPED = re.compile(r"Stream #0:(\d+) -> #\d+:\d+ \((\S+) \((\S+)\)")
_GRID = re.compile(r"(\d+) frames in, (\d+) frames out")
# A frame of sound, as ashowinfo reports it: the number of its first sample, and of its samples.
_SOUND = re.compile(r"n:\s*\d+ pts:(-?\d+) pts_time:\S+ fmt:.*? nb_samples:(\d+) checksum:")
# The same as a whole line, which is what most lines of a report are.
_SOUND_LINE = re.compile(
    r"\[Parsed_ashowinfo_\d+ @ \w+\] \[info\] n:\s*\d+ pts:(-?\d+) pts_time:\S+ fmt:\w+ "
    r"channels:\d+ chlayout:\w+ rate:\d+ nb_samples:(\d+) checksum:\w+ plane_checksums: \[ \w+ \]"
)
_TORN = re.compile(r"\[[a-z]+\]  ")
_RECEIVED_SIGNAL = re.compile(r"(\[info\] )?Exiting normally, received signal")
# As ffmpeg words errno of a starved process, and failures to write our own pipes. A hostile file
# can cause most of these as well: see `_check_machine`.
_MACHINE = re.compile(
    r"Cannot allocate memory|Resource temporarily unavailable|pthread_create|Too many open files"
    r"|No space left on device|Stale file handle|Broken pipe|Error (writing|muxing)"
)


@dataclass(frozen=True)
class InputStream:
    """One stream of the file, as ffmpeg lists it."""

    kind: str  # Video or Audio
    text: str  # codec, size, rate and disposition
    pid: int = 0  # the identifier of its packets in a transport stream

    @property
    def is_attached_picture(self) -> bool:
        """Whether it is a cover rather than a video."""
        return "(attached pic)" in self.text

    @property
    def frame_rate(self) -> float:
        """Pictures per second, 0 where ffmpeg does not know."""
        rate = _FRAME_RATE.search(self.text)
        return float(rate[1]) if rate else 0.0

    @property
    def start_seconds(self) -> float:
        """Its first time stamp."""
        start = _START.search(self.text)
        return float(start[1]) if start else 0.0


@dataclass
class Log:
    """What ffmpeg reported: which part complained of what, and facts from its report.

    Its parts run at the same time, and one may finish the line that another began. Complaints are
    therefore read from standard error, where only warnings and errors are written. These come in
    whole lines, except for warnings about missing features, which come in two pieces.
    """

    # The first complaints of each part, by its name and address.
    complaints: dict[str, list[str]] = field(default_factory=dict)
    # The parts that complained while the file was opened.
    opening: set[str] = field(default_factory=set)
    container: str = ""  # such as mpegts
    duration_seconds: float = 0.0  # of the whole file, as declared or estimated
    start_seconds: float = 0.0  # its first time stamp
    streams: dict[int, InputStream] = field(default_factory=dict)
    # The decoder of each stream that is read, by the stream's index.
    decoders: dict[int, str] = field(default_factory=dict)
    frames_in: int = 0  # pictures that the fps filter was given
    grid_frames: int = 0  # and gave, which it reports at its end; 0 if it never ran
    # The sound that ashowinfo was given, run by run: the number of its first sample on the clock,
    # and of its samples.
    sound_runs: list[list[int]] = field(default_factory=list)
    time_restarts: bool = False  # time stamps jump in mid-stream, and ffmpeg joined them
    later_pictures: bool = False  # a stream of pictures begins in mid-file
    # A complaint may have come between the two pieces of a warning, and is then not recognised.
    torn: bool = False
    received_signal: bool = False  # one that ffmpeg heeds
    machine_complaint: str = ""  # the first that may be the machine's fault

    def complain(self, line: str) -> None:
        """Take one line of standard error, without its end."""
        self.torn |= bool(_TORN.search(line))
        if not _COMPLAINT.search(line):
            return
        complaints = self.complaints.setdefault(_part(line), [])
        if len(complaints) < KEPT_COMPLAINTS:
            complaints.append(line)
        # Other parts complain of what follows from a thread that did not start.
        if "pthread_create" in line or (not self.machine_complaint and _MACHINE.search(line)):
            self.machine_complaint = line

    def report(self, line: str) -> None:
        """Take one line of the report, without its end."""
        if whole := _SOUND_LINE.fullmatch(line.rstrip()):
            self._place_sound(int(whole[1]), int(whole[2]))
            return
        for first, count in _SOUND.findall(line):  # it was torn by what another part said
            self._place_sound(int(first), int(count))
        if not self.decoders:
            self._describe_input(line)
        if mapped := _MAPPED.search(line):
            self.decoders[int(mapped[1])] = mapped[2] if mapped[3] == "native" else mapped[3]
        if counted := _GRID.search(line):
            self.frames_in, self.grid_frames = int(counted[1]), int(counted[2])
        if "timestamp discontinuity" in line:
            self.time_restarts = True
        if "New video stream" in line:
            self.later_pictures = True
        if _RECEIVED_SIGNAL.match(line):
            self.received_signal = True

    def _place_sound(self, first: int, count: int) -> None:
        if self.sound_runs and first == sum(self.sound_runs[-1]):
            self.sound_runs[-1][1] += count
        else:
            self.sound_runs.append([first, count])

    def _describe_input(self, line: str) -> None:
        if _COMPLAINT.search(line):
            self.opening.add(_part(line))
        if opened := _INPUT.match(line):
            self.container = opened[1]
        if duration := _DURATION.match(line):
            hours, minutes, seconds, start = duration.groups()
            self.start_seconds = float(start)
            self.duration_seconds = 3600 * int(hours) + 60 * int(minutes) + float(seconds)
        if stream := _STREAM.match(line):
            number, pid, kind, text = stream.groups()
            self.streams.setdefault(int(number), InputStream(kind, text, int(pid or "0", 16)))


def log_source(line: str) -> str:
    """Which part of ffmpeg wrote this: h264 for `[h264 @ 0x55] [error] no frame!`."""
    source = re.match(r"\[([^\[\] ]+)", line)
    return source[1] if source else ""


def _part(line: str) -> str:
    """The part of ffmpeg that wrote this, with its address.

    The decoder that is used while a file is opened is not the one that decodes it.
    """
    return line.partition("]")[0]
