"""Mini-Sports1M: videos of 2 to 5 minutes, drawn from Sports-1M's lists."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from list_worlds import CLASS_NAMES, IDS, listed, section, write

from l2l.errors import BadInput
from l2l.manifest.adapters import mini_sports1m
from l2l.manifest.artifact import SPLITS
from l2l.manifest.listing import dataset_fingerprint, list_dataset
from l2l.manifest.probe import probe_files


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


def test_one_more_video_changes_one_shard_and_opens_no_other_file(tmp_path, clip, monkeypatch):
    """Where the draw follows what files declare, each is opened once, also to list them."""
    opened = []

    def probe_and_note(paths):
        paths = list(paths)
        opened.extend(path.stem for path in paths)
        return probe_files(paths)

    monkeypatch.setattr(mini_sports1m, "probe_files", probe_and_note)
    record, (content, folder) = tmp_path / "record.tsv", (clip.read_bytes(), tmp_path / "videos")
    folder.mkdir()
    names = [f"{split}{number:02d}" for split in ("train", "test") for number in range(12)]
    for size, name in enumerate(names):
        (folder / f"{name}.mp4").write_bytes(content + bytes(8 * size))
    rows = [(name, name[:-2], [0], 0.0) for name in [*names, "train99", "test99"]]
    dataset = sports(tmp_path, rows, min_seconds=1, test_videos=30).model_copy(
        update={"durations": "declared", "shards": 8}
    )
    before = dataset_fingerprint(dataset, 1, record)
    assert sorted(opened) == sorted(names)
    assert dataset_fingerprint(dataset, 1, record) == before
    assert len(list_dataset(dataset, 1, record=record)) == len(names)
    assert len(opened) == len(names), "each once"
    for name in ("test99", "train99"):
        (folder / f"{name}.mp4").write_bytes(content + bytes(1000 + len(opened)))
        after = dataset_fingerprint(dataset, 1, record)
        assert opened[len(names) :][-1] == name
        changed = [each for each in before.shards if before.shards[each] != after.shards[each]]
        assert len(changed) == 1
        assert changed[0].startswith({"test99": "test", "train99": "shard"}[name])
        assert (after.classes, after.whole == before.whole) == (before.classes, False)
        before = after
    assert len(opened) == len(names) + 2
    (folder / "test99.mp4").write_bytes(content[: len(content) // 2])  # now without a length
    dataset_fingerprint(dataset, 1, record)
    assert opened[-1] == "test99"
    folder.rename(tmp_path / "moved")
    moved = dataset.model_copy(update={"folder": tmp_path / "moved"})
    count = len(opened)
    assert dataset_fingerprint(moved, 1, record) == dataset_fingerprint(moved, 1)
    assert len(opened) == count + len(names) + 2, "only without a record"


def test_a_record_of_durations_that_cannot_be_used_is_made_again(tmp_path, clip):
    (tmp_path / "videos").mkdir()
    for name in ("a", "b"):
        (tmp_path / "videos" / f"{name}.mp4").write_bytes(clip.read_bytes())
    rows = [("a", "train", [0], 0.0), ("b", "test", [0], 0.0)]
    dataset = sports(tmp_path, rows, min_seconds=1, val_fraction=0)
    dataset = dataset.model_copy(update={"durations": "declared"})
    videos = list_dataset(dataset, 1)
    for record in (tmp_path / "r.tsv", Path("/proc/no/record.tsv")):
        for content in (b"nonsense", b"file\tstamp\tseconds\na\tb\tc\n", b"\xff\0"):
            if record.parent == tmp_path:
                record.with_suffix(".durations.tsv").write_bytes(content)
            assert list_dataset(dataset, 1, record=record) == videos


def test_a_draw_without_eligible_videos_stops(tmp_path):
    with pytest.raises(
        BadInput, match=r"none of 2 videos lasts 120 to 300 s; the durations of 2 are known"
    ):
        listed(sports(tmp_path, [("a", "train", [0], 10.0), ("b", "test", [0], 500.0)]))
