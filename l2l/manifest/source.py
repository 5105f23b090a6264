"""What the decoder has to know about a file: made from a row of the manifest or from a probe."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Source:
    """A file, the streams to decode, and what it declared when it was probed."""

    path: Path
    video_stream: int  # absolute index in the file
    audio_stream: int = -1  # -1: none
    audio: str = "none"  # or such as "44100 Hz, 2 channels"
    duration_seconds: float = 0.0  # where the pictures end, as declared; 0: not declared
    # Of the file when it was listed. A file that has changed since is refused; empty: not compared.
    fingerprint: str = ""

    @property
    def is_mono(self) -> bool:
        """Whether its sound has one channel, so that there is nothing to mix."""
        return self.audio.endswith(" 1 channels")
