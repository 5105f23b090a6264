"""The frames of moments, dense and sparse, against a full decode by ffmpeg that keeps nothing, and
against libraries that are asked for the same times.
"""

import functools
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from bench import Row

from l2l.config import MediaConfig
from l2l.manifest.probe import probe_file
from l2l.manifest.source import Source
from l2l.media.decode import decode
from l2l.media.ffmpeg import ffmpeg_program
from l2l.moments import start_seconds

SECONDS = 60
MEDIA = MediaConfig()
# One moment in so many, and the ratios that are wanted: x264's groups of 250, of 60, with sound.
FACTORS = {1: (1.4, 1.4, 1.2), 5: (1.9, 3.0, 1.6), 10: (2.5, 5.0, 2.0)}


def drawn_video(
    path: Path, width: int, height: int, *options: str, seconds: int = SECONDS
) -> Source:
    """A video of H.264 with B pictures, and a stereo tone."""
    seen = f"testsrc2=s={width}x{height}:r=30:d={seconds},noise=alls=6:allf=t:all_seed=1"
    tone = f"aevalsrc='sin(440*2*PI*t)/3|sin(660*2*PI*t)/3':s=44100:d={seconds}"
    inputs = ["-f", "lavfi", "-i", seen, "-f", "lavfi", "-i", tone]
    coded = ["-pix_fmt", "yuv420p", "-c:v", "libx264", *options, "-c:a", "aac", str(path)]
    subprocess.run([ffmpeg_program(), "-v", "error", *inputs, *coded], check=True)
    return probe_file(path).source(path)


def full_decode(source: Source, *options: str) -> None:
    """Every picture, one thread, nothing kept."""
    argv = [ffmpeg_program(), "-v", "error", "-nostdin", "-threads", "1", "-i", str(source.path)]
    subprocess.run([*argv, *options, "-f", "null", "-"], check=True, capture_output=True)


def frames(source: Source, factor: int, sound: bool) -> None:
    """The frames of one moment in `factor`."""
    source.path.touch()  # to the process that decodes it is another file now: it is read again
    decode(source, MEDIA, "moments", moments=slice(None, None, factor), sound=sound)


def torchcodec_frames(source: Source, seconds: list[float]) -> None:
    """The same times from torchcodec."""
    from torchcodec.decoders import VideoDecoder

    decoder = VideoDecoder(str(source.path), num_ffmpeg_threads=1, seek_mode="approximate")
    decoder.get_frames_played_at(seconds)


def decord_frames(source: Source, seconds: list[float]) -> None:
    """The same times from decord."""
    import decord

    reader = decord.VideoReader(str(source.path), num_threads=1)
    reader.get_batch([round(each * reader.get_avg_fps()) for each in seconds])


PEERS: dict[str, Callable[[Source, list[float]], None]] = {
    "torchcodec": torchcodec_frames,
    "decord": decord_frames,
}


def rows(folder: Path) -> Iterator[Row]:
    """Three videos, one moment in 1, 5 and 10, with and without sound."""
    videos = {
        "640x360, groups of 250": drawn_video(folder / "a.mp4", 640, 360),
        "640x360, groups of 60": drawn_video(folder / "b.mp4", 640, 360, "-g", "60"),
        "1280x720, groups of 250": drawn_video(folder / "c.mp4", 1280, 720),
    }
    for name, source in videos.items():
        for factor, (wide, narrow, _) in FACTORS.items():
            yield Row(
                f"frames of 1 moment in {factor}, {name}",
                "full decode of the pictures",
                functools.partial(frames, source, factor, False),
                functools.partial(full_decode, source, "-an"),
                narrow if "60" in name.split()[-1] else wide,
            )
    source = videos["640x360, groups of 250"]
    for factor, (_, _, at_least) in FACTORS.items():
        yield Row(
            f"frames of 1 moment in {factor} and all sound",
            "full decode of pictures and sound",
            functools.partial(frames, source, factor, True),
            functools.partial(full_decode, source),
            at_least,
        )
    yield from _peer_rows(source)


def _peer_rows(source: Source) -> Iterator[Row]:
    moments = decode(source, MEDIA, "none").moments
    for peer, their_frames in PEERS.items():
        for factor in FACTORS:
            seconds = [float(start_seconds(moment)) for moment in range(0, moments, factor)]
            try:
                their_frames(source, seconds)
            except (ImportError, RuntimeError, OSError) as error:
                why = str(error).strip().splitlines()[0]
                print(f"{peer} is not measured: {why}", file=sys.stderr)
                break
            yield Row(
                f"frames of 1 moment in {factor}",
                f"{peer}, asked for the same times",
                functools.partial(frames, source, factor, False),
                functools.partial(their_frames, source, seconds),
                1.5,
            )
