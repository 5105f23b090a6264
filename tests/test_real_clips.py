"""Real clips of many makers, old and new codecs: all go through manifest and media."""

import shutil

import numpy as np
import pytest

from l2l.config import ManifestConfig, MediaConfig
from l2l.datasets import FolderDataset
from l2l.manifest.artifact import read_videos
from l2l.manifest.stage import list_videos
from l2l.media.artifact import read_media
from l2l.media.stage import collect_statuses, decode_videos
from l2l.moments import moment_count

SMALL = MediaConfig(resize_pixels=(32, 43), frame_pixels=32, clip_frames=8, clip_stride=4)


@pytest.fixture(scope="module")
def clips(media, tmp_path_factory):
    """Final table and media of all clips, as one data set of one class."""
    folder = tmp_path_factory.mktemp("clips")
    shutil.copytree(media / "clips", folder / "videos/train/clips")
    dataset = FolderDataset(role="source", shards=1, adapter="folder", folder=folder / "videos")
    list_videos(folder / "videos.tsv", folder, dataset, ManifestConfig(), 0)
    decode_videos(folder / "shard-000.tsv", folder / "media.h5", SMALL, "target", threads=2)
    collect_statuses(
        folder / "videos.tsv", [folder / "media.h5"], folder / "final.tsv", ManifestConfig()
    )
    return read_videos(folder / "final.tsv"), folder / "media.h5"


def test_every_real_clip_is_read_whole(clips):
    videos, _ = clips
    assert len(videos) == 23  # the collection's one .wav file is no video by its name
    assert {v.video: v.reason for v in videos if not v.usable} == {}
    assert {v.status for v in videos} == {"ok", "no_audio", "silent"}


def test_every_real_clip_has_the_moments_of_its_length_and_pictures_that_differ(clips):
    videos, path = clips
    with read_media(path) as media:
        for video in videos:
            moments = media.moments(video.video)
            declared = (
                video.duration_seconds or media.grid_frames(video.video) / 30
            )  # a program stream declares nothing
            assert abs(media.grid_frames(video.video) / 30 - declared) < 0.3
            assert moments == moment_count(media.grid_frames(video.video), SMALL.grid)
            shown = np.stack([media.frame(video.video, k) for k in range(moments)])
            assert shown.std() > 5
            assert moments < 3 or (shown[0] != shown[-1]).any()
            assert media.windows(video.video).shape == (moments, 16_000)
            assert media.has_sound(video.video).any() == (video.status == "ok")
