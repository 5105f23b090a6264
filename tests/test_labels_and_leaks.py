"""What makes a right answer impossible stops the first stage: labels, and videos in two roles."""

import shutil
import unicodedata

import pytest
from list_worlds import folder_dataset, touch

from l2l.config import ManifestConfig
from l2l.errors import BadInput
from l2l.manifest.artifact import Video, write_videos
from l2l.manifest.labels import check_labels, label_warnings
from l2l.manifest.probe import fingerprint_of
from l2l.manifest.stage import check_leaks, list_videos


def videos(**labels: str) -> list[Video]:
    """For each split, a video for each of the labels with a space between them."""
    return [
        Video(f"{split}/{label}", f"{split}/{label}.mp4", split, (label.replace("_", " "),))
        for split, names in labels.items()
        for label in names.split()
    ]


def test_one_class_is_refused_for_a_target_and_noted_for_a_source():
    listed = videos(train="jump", test="jump")
    for role in ("target", "both"):
        with pytest.raises(BadInput, match="only one class, 'jump'"):
            check_labels(listed, role)
    check_labels(listed, "source")
    assert label_warnings(listed) == ["there is only one class, 'jump'"]


def test_a_class_that_only_test_has_is_noted_and_refused_where_no_class_is_trained():
    listed = videos(train="jump run", test="jump swim")
    check_labels(listed, "target")
    (warning,) = label_warnings(listed)
    assert "1 classes have test videos and no train videos: 'swim'; 1 test videos" in warning
    with pytest.raises(BadInput, match="no class of the test videos has train videos: 'swim'"):
        check_labels(videos(train="jump run", test="swim"), "target")


def test_classes_that_differ_by_normalisation_are_refused():
    names = [unicodedata.normalize(form, "été") for form in ("NFC", "NFD")]
    with pytest.raises(BadInput, match=r"'\\xe9t\\xe9'.*differ only by Unicode normalisation"):
        check_labels(videos(train=" ".join([*names, "run"]), test="run"), "source")


def test_classes_that_differ_by_case_are_noted_and_refused_where_one_is_not_trained():
    listed = videos(train="Run run jump", test="Run run")
    check_labels(listed, "target")
    assert label_warnings(listed) == [
        "classes 'Run', 'run' differ only by case, spaces or punctuation"
    ]
    with pytest.raises(BadInput, match=r"'Run', 'run' differ only by .* 'Run' has no train videos"):
        check_labels(videos(train="run jump", test="Run jump"), "target")


def test_classes_of_wide_letters_and_ligatures_are_those_they_look_like():
    listed = videos(train="ｒｕｎ run ﬁght jump", test="run fight jump")
    assert (
        label_warnings(listed)[-1]
        == "classes 'run', 'ｒｕｎ' differ only by case, spaces or punctuation"
    )
    with pytest.raises(BadInput, match=r"'fight', 'ﬁght' differ only by .* has no train videos"):
        check_labels(listed, "target")


def test_labels_without_anything_odd_have_no_warning():
    listed = videos(train="jump run", val="jump", test="run jump")
    check_labels(listed, "both")
    assert label_warnings(listed) == []


def test_warnings_are_in_the_log_of_the_job_that_lists_the_videos(tmp_path, capsys):
    touch(tmp_path / "videos", "train/a/1.mp4", "train/b/2.mp4", "test/a/3.mp4", "test/c/4.mp4")
    loose = ManifestConfig(max_bad_fraction=1)
    dataset = folder_dataset(tmp_path / "videos")
    list_videos(tmp_path / "o/videos.tsv", tmp_path / "o", dataset, loose, seed=0)
    assert "warning: 1 classes have test videos and no train videos: 'c'" in capsys.readouterr().err


# ---- leaks ---------------------------------------------------------------------------------------


def leak(tmp_path, split: str, test_split: str = "test"):
    """Two data sets with one file in common; the table of each."""
    touch(tmp_path / "source", "1.mp4", "2.mp4")
    touch(tmp_path / "target", "3.mp4")
    shutil.copy(tmp_path / "source/2.mp4", tmp_path / "target/4.mp4")
    splits = {"source/1.mp4": "train", "source/2.mp4": split}
    splits |= {"target/3.mp4": "test", "target/4.mp4": test_split}
    tables = []
    for name in ("source", "target"):
        tables.append(tmp_path / f"{name}.tsv")
        rows = [
            Video(file, str(tmp_path / file), of, ("x",))._replace(
                fingerprint=fingerprint_of(tmp_path / file)[0]
            )
            for file, of in splits.items()
            if file.startswith(name)
        ]
        write_videos(tables[-1], rows)
    return tables


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_test_video_that_is_a_training_video_of_the_source_stops_the_run(tmp_path, split):
    source, target = leak(tmp_path, split)
    with pytest.raises(BadInput, match=rf"1 test .*'target/4.mp4', .* {split} video 'source/2"):
        check_leaks(source, target, tmp_path / "checked.txt")
    assert not (tmp_path / "checked.txt").exists()


@pytest.mark.parametrize(("split", "test_split"), [("test", "test"), ("train", "train")])
def test_a_video_on_the_same_side_of_both_data_sets_is_no_leak(tmp_path, split, test_split):
    source, target = leak(tmp_path, split, test_split)
    check_leaks(source, target, tmp_path / "checked.txt")
    assert (tmp_path / "checked.txt").exists()


def test_equal_fingerprints_of_other_bytes_are_no_leak(tmp_path):
    source, target = leak(tmp_path, "train")
    (tmp_path / "target/4.mp4").write_bytes(b"other")
    check_leaks(source, target, tmp_path / "checked.txt")
