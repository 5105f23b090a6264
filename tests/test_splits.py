"""Splits: stable, by class, and never through a group."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from list_worlds import folder_dataset, table_of, touch, write

from l2l.errors import BadInput
from l2l.manifest.adapters.folder import list_folder
from l2l.manifest.listing import list_dataset
from l2l.manifest.splits import split_groups

FRACTIONS = {"train": 0.6, "val": 0.15, "test": 0.25}
grouped = st.dictionaries(
    st.text(max_size=5),
    st.lists(st.sampled_from("abc"), min_size=1, max_size=6),
    min_size=1,
    max_size=40,
)


@given(grouped, st.integers(0, 3), st.randoms())
def test_a_split_depends_on_the_seed_and_not_on_the_order(groups, seed, random):
    names = list(groups)
    random.shuffle(names)
    assert split_groups(groups, FRACTIONS, seed) == split_groups(
        {name: groups[name] for name in names}, FRACTIONS, seed
    )


def test_another_seed_gives_another_split():
    groups = {str(i): ["a"] for i in range(40)}
    assert split_groups(groups, FRACTIONS, 0) != split_groups(groups, FRACTIONS, 1)


@given(grouped, st.integers(0, 3))
def test_every_class_has_a_training_group_and_so_has_each_split_what_can_be_spared(groups, seed):
    splits = split_groups(groups, FRACTIONS, seed)
    assert splits.keys() == groups.keys()
    for label in {label for classes in groups.values() for label in classes}:
        members = [group for group in groups if label in groups[group]]
        assert any(splits[group] == "train" for group in members)
        alone = all(set(groups[group]) == {label} for group in members)
        if alone and sum(splits[group] == "train" for group in members) > 1:
            assert any(splits[group] == "test" for group in members)


def test_splits_have_about_their_fractions_in_every_class():
    groups = {f"{label}{i}": [label] for label in "abc" for i in range(1000)}
    splits = split_groups(groups, FRACTIONS, 0)
    for label in "abc":
        counts = Counter(splits[group] for group in groups if group[0] == label)
        for split, fraction in FRACTIONS.items():
            assert abs(counts[split] - fraction * 1000) < 60  # four standard deviations


@given(st.integers(0, 20), st.sets(st.integers(0, 99), min_size=40, max_size=60))
def test_one_more_video_moves_no_other_to_another_split(seed, names):
    groups = {f"video {name}": ["ab"[name % 2]] for name in names}
    before = split_groups(groups, FRACTIONS, seed)
    after = split_groups({**groups, "video 1000": ["a"], "video 1001": ["c"]}, FRACTIONS, seed)
    for group in (group for group in groups if after[group] != before[group]):
        # only the one video that a class had lent to a split goes back
        peers = [g for g in groups if groups[g] == groups[group] and before[g] == before[group]]
        assert peers == [group]


def test_a_group_in_two_splits_is_refused_for_every_adapter(tmp_path):
    rows = ["clip,action,part,source", "1.mp4,a,train,x", "2.mp4,b,test,y", "3.mp4,a,test,x"]
    table = write(tmp_path / "t.csv", *rows)
    dataset = table_of(tmp_path, table, split_column="part", group_column="source")
    with pytest.raises(BadInput, match=r"group 'x' is divided over train \('1.mp4'\), test \('3.m"):
        list_dataset(dataset, seed=0)


def test_a_listed_video_with_two_groups_is_refused(tmp_path):
    rows = ["clip,action,source", "1.mp4,a,x", "1.mp4,b,y"]
    dataset = table_of(tmp_path, write(tmp_path / "t.csv", *rows), group_column="source")
    with pytest.raises(BadInput, match=r"video '1.mp4' has two groups, 'x' and 'y'"):
        list_dataset(dataset, seed=0)


def test_fractions_that_leave_nothing_to_train_on_are_refused(tmp_path):
    touch(tmp_path, "a/1.mp4")
    with pytest.raises(BadInput, match="leave nothing to train on"):
        list_folder(folder_dataset(tmp_path, val_fraction=0.5, test_fraction=0.5), seed=0)
