"""From a shard's sound to its mels."""

from pathlib import Path

from l2l.config import MelsConfig
from l2l.media.artifact import read_media
from l2l.mels.artifact import write_mels
from l2l.mels.spectrogram import log_mel, mel_shape
from l2l.training import seed_and_pick_device


def compute_mels(media: Path, mels: Path, config: MelsConfig, threads: int = 1) -> None:
    """Compute the log-mel spectrogram of every moment of a shard's usable videos.

    A video without sound gets the mels of silence and ``has_sound = False``; so do its moments past
    the end of the sound.
    """
    seed_and_pick_device(0, threads)
    with read_media(media) as shard:
        rows = {
            video: (log_mel(shard.windows(video), config), shard.has_sound(video))
            for video in shard.videos
        }
    write_mels(mels, rows, config, mel_shape(config))
