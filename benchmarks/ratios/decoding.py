"""The pictures of all clips, with sound, against a full decode by ffmpeg that keeps nothing."""

from collections.abc import Iterator
from pathlib import Path

from bench import Row
from ratios.sparse_pictures import drawn_video, full_decode

from l2l.config import MediaConfig
from l2l.manifest.source import Source
from l2l.media.decode import decode


def clips(source: Source) -> None:
    """The pictures of all clips, and the sound."""
    source.path.touch()  # to the process that decodes it is another file now: it is read again
    decode(source, MediaConfig(), "clips")


def rows(folder: Path) -> Iterator[Row]:
    """Clips with sound; `sparse_pictures` has the frames of moments."""
    source = drawn_video(folder / "a.mp4", 640, 360)
    yield Row(
        "clips, 15 pictures per second, with sound, 640x360",
        "full decode of pictures and sound",
        lambda: clips(source),
        lambda: full_decode(source),
        0.85,
    )
