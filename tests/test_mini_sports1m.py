"""Mini-Sports1M: videos of 2 to 5 minutes, drawn from Sports-1M's lists."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from list_worlds import CLASS_NAMES, IDS, listed, section, write

from l2l.errors import BadInput
from l2l.manifest.artifact import SPLITS


def sports(at: Path, rows: list[tuple[str, str, list[int], float]], **fields):
    classes = write(at / "labels.txt", *CLASS_NAMES)
    lists = {
        split: write(
            at / f"{split}.txt",
            *(
                f"https://www.youtube.com/watch?v={v} {','.join(map(str, n))}"
                for v, s, n, _ in rows
                if s == split
            ),
        )
        for split in ("train", "test")
    }
    durations = write(at / "durations.csv", *(f"{v},{seconds}" for v, _, _, seconds in rows))
    return section(
        "mini_sports1m",
        folder=at / "videos",
        classes=classes,
        durations=durations,
        **lists,
        **fields,
    )


def test_videos_of_two_to_five_minutes_are_drawn_thirty_and_ten_a_class(tmp_path, capsys):
    rows = [
        (f"{split}{c}_{n:03d}", split, [c], 60.0 + n * 6)
        for c in range(len(CLASS_NAMES))
        for split in SPLITS[::2]
        for n in range(60)
    ]
    dataset = sports(tmp_path, rows)
    listing = listed(dataset)
    lasts = {video: seconds for video, _, _, seconds in rows}
    assert all(120 <= lasts[v.video] <= 300 for v in listing)
    assert Counter((v.label, "test" if v.split == "test" else "train") for v in listing) == {
        (label, split): count
        for label in CLASS_NAMES
        for split, count in (("train", 30), ("test", 10))
    }
    assert 5 <= sum(v.split == "val" for v in listing) <= 40  # a tenth of 180
    assert listed(dataset) == listing
    assert {v.video for v in listed(dataset, seed=1)} != {v.video for v in listing}
    assert "fewer" not in capsys.readouterr().err


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        IDS,
        st.tuples(
            st.sampled_from(("train", "test")),
            st.lists(st.integers(0, 5), min_size=1, max_size=3, unique=True),
        ),
        min_size=1,
        max_size=40,
    )
)
def test_no_more_are_drawn_of_a_class_than_wanted_and_none_twice(tmp_path_factory, videos):
    rows = [("train_one", "train", [0], 200.0), ("test_one", "test", [0], 200.0)]
    rows += [(video, split, labels, 200.0) for video, (split, labels) in videos.items()]
    listing = listed(sports(tmp_path_factory.mktemp("s"), rows, train_videos=3, test_videos=2))
    drawn = Counter((v.label, "test" if v.split == "test" else "train") for v in listing)
    assert all(count <= (3 if split == "train" else 2) for (_, split), count in drawn.items())
    assert len({v.video for v in listing}) == len(listing)
    of = {video: set(labels) for video, _, labels, _ in rows}
    assert all({CLASS_NAMES.index(label) for label in v.labels} == of[v.video] for v in listing)


def test_durations_may_be_those_that_the_files_declare(tmp_path, odd):
    (tmp_path / "videos").mkdir()
    for video, file in (
        ("one", "01_ref_25fps.mp4"),
        ("short", "14_very_short.mp4"),
        ("bad", "04_zero_bytes.mp4"),
    ):
        (tmp_path / "videos" / f"{video}.mp4").symlink_to(odd / file)
    rows = [(video, "train", [0], 0.0) for video in ("one", "short", "bad", "gone")] + [
        ("other", "test", [0], 0.0)
    ]
    dataset = sports(tmp_path, rows, min_seconds=2, val_fraction=0)
    listing = listed(dataset.model_copy(update={"durations": "declared"}))
    assert [(v.video, v.status) for v in listing] == [("one", "ok")]


def test_a_draw_without_eligible_videos_stops(tmp_path):
    with pytest.raises(
        BadInput, match=r"none of 2 videos lasts 120 to 300 s; the durations of 2 are known"
    ):
        listed(sports(tmp_path, [("a", "train", [0], 10.0), ("b", "test", [0], 500.0)]))
