"""ActivityNet's JSON, and which of its segments are used."""

import math
from collections import Counter

import pytest
from list_worlds import activitynet, entry, touch

from l2l.errors import BadInput
from l2l.manifest.adapters.activitynet import list_activitynet
from l2l.manifest.artifact import Segment
from l2l.manifest.segments import real_segments
from l2l.media.examples import labelled_moments


def test_activitynet_is_read_as_published(tmp_path, capsys):
    database = {
        "---9CpRcKoU": entry("training", ("Drinking", 1, 3), ("Ballet", 4, 5)),
        "0000000000a": entry("validation", ("Ballet", 0, 10)),
        "0000000000b": entry("validation", ("Ballet", 0, 10)),
        "0000000000c": entry("testing"),
    }
    dataset = activitynet(
        tmp_path, {"version": "VERSION 1.3", "taxonomy": [], "database": database}
    )
    touch(
        tmp_path / "videos",
        "v_---9CpRcKoU.mkv",
        "v_0000000000a.mp4",
        "v_0000000000a.webm",
        "v_stranger.mp4",
    )
    listing = {v.video: v for v in list_activitynet(dataset, seed=0)}
    assert list(listing) == ["---9CpRcKoU", "0000000000a", "0000000000b"]
    two_classes = listing["---9CpRcKoU"]
    assert two_classes.labels == ("Drinking", "Ballet")
    assert two_classes.segments == (Segment(1, 3, "Drinking"), Segment(4, 5, "Ballet"))
    assert two_classes.path == tmp_path / "videos/v_---9CpRcKoU.mkv"
    assert (two_classes.split, two_classes.status) == ("train", "ok")
    assert listing["0000000000a"].path.name == "v_0000000000a.mp4"
    assert (listing["0000000000a"].split, listing["0000000000a"].reason) == (
        "test",
        "v_0000000000a.webm not read",
    )
    assert (listing["0000000000b"].status, listing["0000000000b"].reason) == (
        "missing",
        "no file named 'v_0000000000b', with any suffix of a video",
    )
    assert "1 videos without labels" in capsys.readouterr().err


def test_a_tenth_of_each_training_class_validates(tmp_path):
    database = {
        f"{label}{i:03d}": entry("training", (label, 0, 1))
        for label in ("x", "y")
        for i in range(50)
    }
    listing = list_activitynet(activitynet(tmp_path, {"database": database}), seed=0)
    splits = Counter((v.label, v.split) for v in listing)
    assert splits["x", "train"] + splits["x", "val"] == 50
    assert 2 <= splits["x", "val"] + splits["y", "val"] <= 20
    assert {v.status for v in listing} == {"missing"}


def test_without_a_fraction_for_val_all_training_videos_are_trained_on(tmp_path):
    database = {f"x{i}": entry("training", ("x", 0, 1)) for i in range(40)}
    dataset = activitynet(tmp_path, {"database": database}).model_copy(update={"val_fraction": 0})
    assert {v.split for v in list_activitynet(dataset, seed=0)} == {"train"}


def test_without_segments_every_moment_has_the_videos_label(tmp_path):
    database = {"a": entry("training", ("x", 2, 4), ("y", 6, 8))}
    (video,) = list_activitynet(activitynet(tmp_path, {"database": database}), seed=0)
    video, counts = video._replace(status="ok"), {"a": 18}
    inside = labelled_moments([video], counts, ["x", "y"], video.split)
    assert {example.label for example in inside} == {0, 1}
    assert 0 < len(inside) < 18
    every = labelled_moments([video], counts, ["x", "y"], video.split, segments=False)
    assert [(example.moment, example.label) for example in every] == [(k, 0) for k in range(18)]


@pytest.mark.parametrize(("start", "end"), [(3, 3), (5, 2), (0, 0), (11, 12), (-2, -1)])
def test_a_segment_without_a_part_inside_the_video_is_dropped_and_named(tmp_path, start, end):
    database = {"a": entry("training", ("x", start, end), ("x", 1, 9.5))}
    (video,) = list_activitynet(activitynet(tmp_path, {"database": database}), seed=0)
    assert video.segments == (Segment(1, 9.5, "x"),)
    assert video.labels == ("x",)
    assert f"segment {start} to {end} s of 10 s dropped" in video.reason


def test_a_segment_past_the_duration_is_cut_to_it(tmp_path):
    database = {"a": entry("training", ("x", 9, 12), ("x", -1, 2), ("x", 1, 10.01))}
    (video,) = list_activitynet(activitynet(tmp_path, {"database": database}), seed=0)
    assert video.segments == (Segment(9, 10, "x"), Segment(0, 2, "x"), Segment(1, 10, "x"))
    assert "segment 9 to 12 s of 10 s cut to 9 to 10 s" in video.reason
    assert "10.01" not in video.reason  # durations are rounded


def test_a_video_without_any_real_segment_has_no_labelled_moment(tmp_path):
    database = {"a": entry("training", ("x", 5, 5)), "b": entry("training", ("x", math.nan, 2))}
    for video in list_activitynet(activitynet(tmp_path, {"database": database}), seed=0):
        assert video.segments == ()
        assert video.labels == ("x",)
        assert "no segment is left" in video.reason
        assert labelled_moments([video], {video.video: 9}, ["x"], video.split) == []


def test_a_duration_that_is_not_known_cuts_nothing():
    segments = (Segment(1, 2, "x"), Segment(1, math.inf, "x"))
    for duration in (0, math.nan, math.inf, -1):
        assert real_segments(segments, duration)[0] == segments[:1]
    assert real_segments(None, 5) == (None, [])


@pytest.mark.parametrize("label", [None, "", "  ", 3, ["x"]])
def test_a_label_that_is_no_text_is_refused_with_the_video(tmp_path, label):
    dataset = activitynet(tmp_path, {"database": {"abc": entry("training", (label, 0, 1))}})
    with pytest.raises(BadInput, match=r"anet.json: video 'abc'.*label"):
        list_activitynet(dataset, seed=0)


def test_a_label_has_no_spaces_around_it(tmp_path):
    database = {"a": entry("training", (" x ", 0, 1), ("x", 2, 3))}
    (video,) = list_activitynet(activitynet(tmp_path, {"database": database}), seed=0)
    assert video.labels == ("x",)


def test_a_duplicated_key_and_an_endless_number_are_refused(tmp_path):
    dataset = activitynet(tmp_path, {"database": {}})
    dataset.annotations.write_text('{"database": {"a": {}, "a": {}}}')
    with pytest.raises(BadInput, match="key 'a' is duplicated"):
        list_activitynet(dataset, seed=0)
    database = {"a": entry("training", ("x", 0, 10**400))}
    with pytest.raises(BadInput, match="video 'a' is not as expected"):
        list_activitynet(activitynet(tmp_path, {"database": database}), seed=0)


def test_an_id_never_leads_out_of_the_folder(tmp_path):
    database = {
        "../../etc/passwd": entry("training", ("x", 0, 1)),
        "..": entry("training", ("x", 0, 1)),
    }
    for video in list_activitynet(activitynet(tmp_path, {"database": database}), seed=0):
        assert video.status == "missing"
        assert video.path.parent == tmp_path / "videos"


def test_a_dictionary_of_videos_is_read_where_it_states_the_subsets(tmp_path):
    database = {
        "v_abc": {
            "subset": "validation",
            "duration_second": 9.0,
            "annotations": [{"label": "x", "segment": [1, 2]}],
        }
    }
    (video,) = list_activitynet(activitynet(tmp_path, database), seed=0)
    assert (video.video, video.split, video.segments) == ("abc", "test", (Segment(1, 2, "x"),))


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ({"v_abc": {"duration_second": 9.0, "annotations": []}}, "video 'v_abc' has no subset"),
        ({"database": {"abc": {"subset": "dev"}}}, "video 'abc' has no subset"),
        (
            {"database": {"abc": {"subset": "training", "annotations": [{"segment": [0, 1]}]}}},
            "video 'abc' is not as expected",
        ),
        *(
            (
                {
                    "database": {
                        "abc": {
                            "subset": "training",
                            "annotations": [{"label": "x", "segment": segment}],
                        }
                    }
                },
                "not two times",
            )
            for segment in ("12", [1, 2, 3], {"0": 1, "1": 2})
        ),
        ({"database": []}, "no database in it"),
        ([], "no database in it"),
    ],
)
def test_annotations_in_another_layout_are_refused_with_the_expected_one(
    tmp_path, content, complaint
):
    with pytest.raises(BadInput, match=r'expected \{"database": \{id: ') as caught:
        list_activitynet(activitynet(tmp_path, content), seed=0)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_annotations_that_are_no_json_are_named(tmp_path):
    dataset = activitynet(tmp_path, {})
    dataset.annotations.write_text("<html>")
    with pytest.raises(BadInput, match=r"anet.json: not JSON"):
        list_activitynet(dataset, seed=0)
    dataset.annotations.unlink()
    with pytest.raises(BadInput, match=r"anet.json: no such file"):
        list_activitynet(dataset, seed=0)
    dataset.annotations.mkdir()
    with pytest.raises(BadInput, match=r"anet.json: cannot be read \(Is a directory\)"):
        list_activitynet(dataset, seed=0)
