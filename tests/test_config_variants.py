"""Variants of the skimmer are named in the configuration."""

import pytest

from l2l.config import Variant, check_config
from l2l.errors import BadInput


def sections(**changed) -> dict:
    fitting = {"epochs": 1, "batch_size": 2, "learning_rate": 1}
    dataset = {"role": "both", "adapter": "folder", "folder": "x", "shards": 1}
    base = {
        "run": "r",
        "videos": {"d": dataset},
        "student": {"distil": fitting, "finetune": fitting},
        "skimmer": {"training": fitting},
    }
    return {
        name: {**base.get(name, {}), **changed.get(name, {})}
        for name in {**base, **changed}
        if name != "run"
    } | {"run": "r"}


def test_two_variants_are_compared_by_default_and_none_with_a_single_modality():
    assert check_config(sections(), "c").compared == ("visual_indexing", "single_query")
    assert check_config(sections(student={"modalities": ["image"]}), "c").compared == ()
    assert check_config(sections(evaluation={"variants": ["image"]}), "c").compared == ("image",)


def test_variants_of_a_users_own_are_named_in_the_skimmer_section():
    own = {"heard": {"indexing": ["audio"], "recognition": ["fused"], "selected": True}}
    known = check_config(
        sections(skimmer={"variants": own}, evaluation={"variants": ["heard"]}), "c"
    )
    assert known.skimmer.all_variants["heard"] == Variant(
        indexing=("audio",), recognition=("fused",), selected=True
    )


@pytest.mark.parametrize(
    ("changed", "facts"),
    [
        (
            {"evaluation": {"variants": ["visual"]}},
            "evaluation.variants: no visual; expected some of visual_indexing, ",
        ),
        (
            {"evaluation": {"variants": ["image", "audio"]}, "student": {"modalities": ["image"]}},
            "evaluation.variants: audio reads audio features, which the student has not",
        ),
        ({"skimmer": {"variants": {"lstm": {}}}}, "lstm is one of l2l's own"),
        (
            {"skimmer": {"variants": {"x": {"queried": ["image"], "selected": True}}}},
            "queried: found with indexing or selected",
        ),
        (
            {"skimmer": {"variants": {"x": {"queried": ["audio"], "recognition": ["image"]}}}},
            "queried: found audio, expected some of recognition: image",
        ),
        (
            {"skimmer": {"variants": {"x": {"recognition": ["smell"]}}}},
            "skimmer.variants.x.recognition",
        ),
    ],
)
def test_a_variant_that_cannot_be_trained_is_named(changed, facts):
    with pytest.raises(BadInput, match=facts):
        check_config(sections(**changed), "c")
