"""From a shard's sound to its mels."""

from pathlib import Path

from l2l.config import MelsConfig
from l2l.media.artifact import read_media
from l2l.mels.artifact import write_mels
from l2l.mels.spectrogram import log_mel, mel_shape
from l2l.progress import counted
from l2l.training import seed_and_pick_device


def compute_mels(media: Path, mels: Path, config: MelsConfig, threads: int = 1) -> None:
    """Compute the log-mel spectrogram of every moment of a shard's usable videos.

    A video without sound gets the mels of silence and ``has_sound = False``; so do its moments past
    the end of the sound.

    Args:
        media: the shard's media.
        mels: written: the shard's spectrograms, HDF5.
        config: the section `mels`.
        threads: of torch.
    """
    seed_and_pick_device(0, threads)
    with read_media(media) as shard:
        rows = {
            video: (log_mel(shard.windows(video), config), shard.has_sound(video))
            for video in counted(shard.videos, len(shard.videos))
        }
        listed = shard.listed
    write_mels(mels, rows, config, mel_shape(config), listed)
