"""The lists of the data sets as their authors published them."""

from collections import Counter

import pytest
from list_worlds import listed, mmaction, section

from l2l.errors import BadInput
from l2l.manifest.adapters.kinetics_sounds import CLASSES
from l2l.manifest.classes import read_classes


def test_kinetics_400_as_published(published, tmp_path):
    listing = listed(
        section(
            "kinetics", folder=tmp_path, annotations=[published / "kinetics/kinetics-400_val.csv"]
        )
    )
    assert (len(listing), len({v.label for v in listing})) == (19906, 400)
    assert set(read_classes(published / "kinetics/kinetics_400_labels.csv").names) == {
        v.label for v in listing
    }
    assert {(v.split, v.status) for v in listing} == {("test", "missing")}


def test_ucf101_as_published(published, tmp_path):
    for layout in ("v_HandStandPushups_g01_c01", "v_HandstandPushups_g01_c02"):
        (tmp_path / "HandstandPushups").mkdir(exist_ok=True)
        (tmp_path / "HandstandPushups" / f"{layout}.avi").touch()
    listing = listed(section("ucf101", folder=tmp_path, lists=published / "ucf101"))
    assert len({v.label for v in listing}) == 101
    assert Counter("test" if v.split == "test" else "train" for v in listing) == {
        "train": 9537,
        "test": 3783,
    }
    assert 800 < sum(v.split == "val" for v in listing) < 1100
    present = [v for v in listing if v.status == "ok"]
    assert [(v.label, v.path.stem) for v in present] == [
        ("HandstandPushups", "v_HandStandPushups_g01_c01"),
        ("HandstandPushups", "v_HandstandPushups_g01_c02"),
    ]


def test_kinetics_sounds_as_published(published, tmp_path):
    at = published / "kinetics_sounds"
    lists = {"train": at / "my_train.ogmge.txt", "test": at / "my_test.ogmge.txt"}
    listing = listed(
        section("kinetics_sounds", folder=tmp_path, classes=at / "classes31.txt", **lists)
    )
    assert Counter("test" if v.split == "test" else "train" for v in listing) == {
        "train": 14799,
        "test": 2597,
    }
    assert (
        set(read_classes(at / "classes31.txt").names)
        == {v.label for v in listing}
        == set(CLASSES[31])
    )


@pytest.mark.parametrize(("count", "kept", "absent"), [(31, 31, 0), (32, 32, 0), (34, 27, 7)])
def test_kinetics_sounds_out_of_kinetics_as_published(
    published, tmp_path, capsys, count, kept, absent
):
    csv = published / "kinetics/kinetics-400_val.csv"
    listing = listed(section("kinetics_sounds", folder=tmp_path, annotations=[csv], classes=count))
    assert len({v.label for v in listing}) == kept
    assert (f"{absent} of {count} classes are in no csv" in capsys.readouterr().err) == bool(absent)


def test_vggsound_as_published(published, tmp_path):
    (tmp_path / "0_8-g2rof7E_000049.mkv").touch()
    listing = listed(section("vggsound", folder=tmp_path, test=published / "vggsound/test.csv"))
    assert (len(listing), len({v.label for v in listing})) == (15446, 309)
    assert [(v.video, v.label) for v in listing if v.status == "ok"] == [
        ("0_8-g2rof7E_000049", "heart sounds, heartbeat")
    ]


def test_sports1m_labels_as_published(published):
    classes = read_classes(published / "sports1m/labels.txt")
    assert (classes.of("0", ""), classes.of("369", ""), classes.of("486", "")) == (
        "boomerang",
        "3x3 (basketball)",
        "model aircraft",
    )


def test_activitynet_as_published(published, tmp_path):
    at = published / "activitynet"
    (tmp_path / "v_QOlSCBRmfWY.mkv").touch()
    dataset = section(
        "activitynet",
        folder=tmp_path,
        annotations=at / "anet_anno_action.json",
        subsets=at / "video_info_new.csv",
    )
    listing = listed(dataset)
    assert len({v.label for v in listing}) == 200
    assert sum(len(v.labels) > 1 for v in listing) == 11
    assert sum(v.reason.count("dropped") for v in listing) == 12
    assert sum(v.reason.count("cut to") for v in listing) == 1
    assert [v.video for v in listing if v.status == "ok"] == ["QOlSCBRmfWY"]
    with pytest.raises(BadInput, match=r"has no subset .* give `subsets`"):
        listed(dataset.model_copy(update={"subsets": None}))


def test_the_two_orders_of_activitynet_are_not_taken_for_each_other(published, tmp_path):
    one, other = (
        read_classes(published / "activitynet" / name)
        for name in ("action_name.csv", "anet1.3_labels.csv")
    )
    assert set(one.names) == set(other.names)
    assert sum(a == b for a, b in zip(one.names, other.names, strict=True)) < 3
    lines = [f"{name}/v.mp4 {number}" for number, name in enumerate(other.names)]
    assert (
        len(
            listed(mmaction(tmp_path, *lines, classes=published / "activitynet/anet1.3_labels.csv"))
        )
        == 200
    )
    with pytest.raises(BadInput, match="two label orders are mixed"):
        listed(mmaction(tmp_path, *lines, classes=published / "activitynet/action_name.csv"))
