"""What would become of files, without a run.

They are listed and decoded as the manifest and media stages do it.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from l2l.config import MediaConfig
from l2l.errors import BadInput
from l2l.manifest.artifact import USABLE, Video
from l2l.manifest.examine import mark_duplicates, with_facts
from l2l.manifest.files import is_video_name, walk_files
from l2l.media.decode import decode
from l2l.moments import FRAME_RATE, SAMPLE_RATE_HZ
from l2l.stores import write_table


@dataclass(frozen=True)
class Finding:
    """What would become of a file: a row of the table."""

    file: str
    status: str  # one of l2l.manifest.artifact.STATUSES
    reason: str
    frames: int = 0  # at 30 fps; of an unusable file none are kept
    duration_seconds: float = 0.0  # of the pictures
    sound_seconds: float = 0.0  # really decoded, while there are pictures
    video_stream: int = -1  # the one chosen, its index in the file; -1: none
    audio_stream: int = -1

    @property
    def usable(self) -> bool:
        """Whether a run would use it."""
        return self.status in USABLE


def check(path: list[Path], /, tsv: Path | None = None) -> int:
    """Say what a run would make of files, or of all videos below folders: status, reason, length,
    streams chosen.

    Args:
        path: files, of whatever name, and folders.
        tsv: a table to write as well.

    Returns:
        0 when all can be used, 1 when some cannot.

    Raises:
        BadInput: if there is nothing to check, or the table cannot be written.
    """
    findings = []
    for finding in examine(_videos_of(path)):
        print(_line(finding), flush=True)
        findings.append(finding)
    if not findings:
        raise BadInput(
            f"{', '.join(map(str, path))}: no file named as a video; name the files themselves"
        )
    bad = sum(not finding.usable for finding in findings)
    print(f"{len(findings) - bad} of {len(findings)} files can be used")
    if tsv is not None:
        names = [field.name for field in fields(Finding)]
        try:
            write_table(
                tsv,
                names,
                [{name: getattr(finding, name) for name in names} for finding in findings],
            )
        except OSError as error:
            raise BadInput(f"{tsv}: cannot be written ({error.strerror or error})") from None
    return int(bad > 0)


def examine(paths: Sequence[Path]) -> Iterator[Finding]:
    """What would become of each file, in the order given."""
    listed = [Video(str(path), str(path), "test", ("",)) for path in paths]
    for video in mark_duplicates(with_facts(listed)):
        yield (
            _decoded(video, MediaConfig())
            if video.usable
            else _finding(video, video.status, video.reason)
        )


def _videos_of(paths: Sequence[Path]) -> list[Path]:
    found, left_out = [], 0
    for path in paths:
        below = list(walk_files(path)) if path.is_dir() else [path]
        videos = [each for each in below if each == path or is_video_name(each.name)]
        left_out += len(below) - len(videos)
        found += videos
    if left_out:
        print(f"{left_out} files that are not named as videos are left out", file=sys.stderr)
    return found


def _decoded(video: Video, media: MediaConfig) -> Finding:
    streams = video.video_stream, video.audio_stream
    decoded = decode(
        video.path, media, *streams, video.duration_seconds, "moments", video.fingerprint
    )
    reason = "; ".join(filter(None, [decoded.reason, video.reason]))
    end = decoded.frames * SAMPLE_RATE_HZ // FRAME_RATE
    heard = sum(max(0, min(stop, end) - start) for start, stop in decoded.sound_runs.tolist())
    seconds = round(decoded.duration_seconds, 3), round(heard / SAMPLE_RATE_HZ, 3)
    return _finding(video, decoded.status, reason, decoded.frames, *seconds)


def _finding(
    video: Video,
    status: str,
    reason: str,
    frames: int = 0,
    duration_seconds: float = 0.0,
    sound_seconds: float = 0.0,
) -> Finding:
    streams = video.video_stream, video.audio_stream
    return Finding(video.file, status, reason, frames, duration_seconds, sound_seconds, *streams)


def _line(finding: Finding) -> str:
    said = f"{finding.file}: {finding.status}"
    if finding.usable:
        said += (
            f"; {finding.frames} frames, {finding.duration_seconds:g} s of stream "
            f"{finding.video_stream}"
        )
    if finding.usable and finding.audio_stream >= 0:
        said += f", {finding.sound_seconds:g} s of sound of stream {finding.audio_stream}"
    said += f"; {finding.reason}" if finding.reason else ""
    return "".join(
        char if char.isprintable() else ascii(char)[1:-1] for char in said
    )  # a name may hold anything
