"""Cross-validation by group: what is tested on comes from sources that are not trained on."""

import sys
from pathlib import Path

import numpy as np
import pytest

from l2l.manifest.artifact import Video

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))
import by_group


@pytest.mark.parametrize("folds", [2, 5])
def test_no_group_is_in_two_folds_and_each_video_is_in_one(folds):
    sizes = [9, 7, 5, 4, 3, 3, 2, 1, 1, 1]
    videos = [
        Video(f"{group}-{i}", "", "train", ("a",), group=f"group {group}")
        for group, size in enumerate(sizes)
        for i in range(size)
    ]
    dealt = by_group.folds_of(videos, folds, 3)
    assert sorted(video for fold in dealt for video in fold) == sorted(videos)
    groups = [{video.group for video in fold} for fold in dealt]
    assert sum(map(len, groups)) == len(sizes)
    assert max(map(len, dealt)) - min(map(len, dealt)) <= max(sizes)
    assert dealt == by_group.folds_of(videos, folds, 3) != by_group.folds_of(videos, folds, 4)


def test_a_video_is_classified_by_the_mean_of_its_moments():
    rng = np.random.default_rng(0)
    videos = [Video(str(i), "", "train", ("ab"[i % 2],), group=str(i)) for i in range(20)]
    features = {v.video: rng.normal(size=(3, 4)).astype(np.float32) for v in videos}
    for video in videos:
        features[video.video][:, 0] += 6 * (video.label == "b")
    features["1"][0, 0] = -2  # one moment of three shows the other class
    assert all(by_group.right_of_fold(features, videos[4:], videos[:4], "ab"))
    relabelled = [video._replace(labels=("ba"[i % 2],)) for i, video in enumerate(videos[:4])]
    assert not any(by_group.right_of_fold(features, videos[4:], relabelled, "ab"))
