"""What a run would make of files, without a run.

They are probed and decoded as the manifest and media stages do it.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from l2l.errors import BadInput
from l2l.manifest.artifact import USABLE, Video
from l2l.manifest.examine import mark_duplicates, with_facts
from l2l.manifest.files import video_files
from l2l.moments import FRAME_RATE, SAMPLE_RATE_HZ
from l2l.progress import counted
from l2l.stores import write_table
from l2l.terminal import escape

NAMED = 10  # unusable files that the summary repeats
WITHOUT_SOUND = ("silent", "no_audio")


@dataclass(frozen=True)
class Finding:
    """What a run would make of a file: a row of the table."""

    file: str
    status: str  # one of l2l.manifest.artifact.STATUSES
    reason: str
    frames: int = 0  # at 30 fps; none are kept of an unusable file
    duration_seconds: float = 0.0  # of the pictures
    sound_seconds: float = 0.0  # decoded from the file, while there are pictures
    video_stream: int = -1  # the chosen one, its index in the file; -1: none
    audio_stream: int = -1

    @property
    def usable(self) -> bool:
        """Whether a run would use it."""
        return self.status in USABLE


def check(path: list[Path], /, tsv: Path | None = None) -> int:
    """Print status, reason and length of video files, before a run reads them.

    Also which streams of picture and sound a run chooses.

    Args:
        path: files of any name, and folders.
        tsv: a table to write as well.

    Returns:
        0 when all can be used, 1 when some cannot.

    Raises:
        BadInput: if there is nothing to check, or the table cannot be written.

    Example:
        l2l check folder --tsv checked.tsv
    """
    videos = video_files(path)
    if not videos:
        raise BadInput(
            f"{', '.join(map(str, path))}: no file with the name of a video, such as .mp4 or .mkv; "
            "to check a file of another name, name the file itself"
        )
    if tsv is not None:
        _check_destination(tsv)
    findings = []
    output_is_read = True
    for finding in counted(examine(videos), len(videos), caller_prints=True):
        findings.append(finding)
        try:
            if output_is_read:
                print(_line(finding), flush=True)
        except BrokenPipeError:
            if tsv is None:
                raise
            output_is_read = False  # the table is still wanted
    if tsv is not None:
        _write(tsv, findings)
    usable = sum(finding.usable for finding in findings)
    if output_is_read:
        print("\n".join(_summary(findings)))
    return int(usable < len(findings))


def _summary(findings: Sequence[Finding]) -> list[str]:
    """How many files can be used, by status; of many files those that cannot be used once more,
    since their lines are far above.
    """
    unusable = [finding for finding in findings if not finding.usable]
    lines = []
    if unusable and len(findings) > NAMED:
        from l2l.config import ManifestConfig

        limit = ManifestConfig().max_bad_fraction
        lines.append(
            f"{len(unusable)} cannot be used ({len(unusable) / len(findings):.0%}) and are left "
            f"out; above {limit:.0%} a run stops (manifest.max_bad_fraction):"
        )
        lines += [f"  {_line(finding)}" for finding in unusable[:NAMED]]
        if len(unusable) > NAMED:
            lines.append(f"  and {len(unusable) - NAMED} more")
    counts = Counter(finding.status for finding in findings if finding.usable)
    line = f"{counts.total()} of {len(findings)} files can be used"
    if counts:
        line += ": " + ", ".join(f"{count} {status}" for status, count in counts.most_common())
    if without_sound := [status for status in WITHOUT_SOUND if status in counts]:
        line += f"; of {' and '.join(without_sound)} only the pictures are used"
    return [*lines, line]


def examine(paths: Sequence[Path]) -> Iterator[Finding]:
    """What a run would make of each file, in the order given.

    Raises:
        BadInput: if ffmpeg does not work, so that nothing can be said about any file.
        MachineError: if the machine has no memory or threads left.
    """
    listed = [Video(str(path), str(path), "test", ("",)) for path in paths]
    videos = mark_duplicates(with_facts(listed))
    if any(video.usable for video in videos):
        # here and in `_decoded`, so that a wrong name is answered without importing numpy
        from l2l.media.ffmpeg import check_ffmpeg

        check_ffmpeg()
    for video in videos:
        yield _decoded(video) if video.usable else _finding(video, video.status, video.reason)


def _check_destination(tsv: Path) -> None:
    """Refuse a table that could not be written, before hours of work."""
    if tsv.is_symlink() or (tsv.exists() and not tsv.is_file()):
        kind = "not a plain file"
    elif tsv.exists() and tsv.stat().st_size and not _is_table(tsv):
        kind = "not a table of `l2l check`"
    elif not all(above.is_dir() for above in tsv.parents if above.exists()):
        raise BadInput(f"{tsv}: cannot be written ({tsv.parent} is no folder)")
    else:
        return
    raise BadInput(
        f"{tsv}: {kind}, so it is not replaced; expected the name of a new or an existing table"
    )


def _is_table(path: Path) -> bool:
    header = b"\t".join(field.name.encode() for field in fields(Finding))
    with open(path, "rb") as file:
        return file.read(len(header)) == header


def _write(tsv: Path, findings: Sequence[Finding]) -> None:
    names = [field.name for field in fields(Finding)]
    rows = [{name: getattr(finding, name) for name in names} for finding in findings]
    try:
        write_table(tsv, names, rows)
    except OSError as error:
        raise BadInput(f"{tsv}: cannot be written ({error.strerror or error})") from None


def _decoded(video: Video) -> Finding:
    from l2l.config import MediaConfig
    from l2l.media.decode import decode

    media = MediaConfig()
    decoded = decode(video.source, media, "moments", media.jpeg_quality)
    if decoded.audio_stream >= 0:  # not the listed one, if nothing is heard in that
        video = video._replace(audio_stream=decoded.audio_stream)
    reason = "; ".join(filter(None, [decoded.reason, video.reason]))
    end = decoded.grid_frames * SAMPLE_RATE_HZ // FRAME_RATE
    sound_samples = sum(
        max(0, min(stop, end) - start) for start, stop in decoded.sound_runs.tolist()
    )
    return _finding(
        video,
        decoded.status,
        reason,
        decoded.grid_frames,
        round(decoded.duration_seconds, 3),
        round(sound_samples / SAMPLE_RATE_HZ, 3),
    )


def _finding(
    video: Video,
    status: str,
    reason: str,
    frames: int = 0,
    duration_seconds: float = 0.0,
    sound_seconds: float = 0.0,
) -> Finding:
    return Finding(
        video.file,
        status,
        reason,
        frames,
        duration_seconds,
        sound_seconds,
        video.video_stream,
        video.audio_stream,
    )


def _line(finding: Finding) -> str:
    line = f"{finding.file}: {finding.status}"
    if finding.usable:
        line += (
            f"; {finding.frames} frames, {finding.duration_seconds:g} s of stream "
            f"{finding.video_stream}"
        )
    if finding.usable and finding.audio_stream >= 0:
        line += f", {finding.sound_seconds:g} s of sound of stream {finding.audio_stream}"
    if finding.reason:
        line += f"{'; ' if finding.usable else ': '}{finding.reason}"
    return escape(line)
