"""Checkpoints of the public code: read in every form, and refused where they hold anything else."""

import argparse
import contextlib
import pickle

import pytest
import reference
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from reference_world import HEAD, LENGTHS, SMALL, Release, Trap, made_up, ours, small

from l2l.__main__ import main
from l2l.errors import BadInput
from l2l.reference.checkpoint import read_checkpoint, skimmer_of
from l2l.reference.lists import (
    load_features,
    read_list,
)
from l2l.reference.preset import (
    PAPER,
)
from l2l.reference.stage import import_checkpoint, import_features, score
from l2l.skimmer.artifact import load_skimmer
from l2l.student.artifact import load_start


def modern(state):
    """Weight norm's names since torch 2.0."""
    parts = {"g": "original0", "v": "original1"}
    return {
        f"rnn.parametrizations.{n[4:-2]}.{parts[n[-1]]}" if n.startswith("rnn.weight_") else n: x
        for n, x in state.items()
    }


@pytest.mark.parametrize(
    "form",
    [
        "checkpoint",
        "state",
        "parallel",
        "modern",
        "before torch 1.6",
        "before batches were counted",
    ],
)
@pytest.mark.parametrize("variant", ["two", "single"])
def test_checkpoints_of_every_form_are_the_same_network(tmp_path, variant, form):
    network, state = small(variant)
    saved = {
        "checkpoint": reference.checkpoint(state, 7),
        "state": state,
        "parallel": {f"module.{name}": value for name, value in state.items()},
        "modern": {"model": modern(state)},
        "before torch 1.6": reference.checkpoint(state),
        "before batches were counted": {
            name: x for name, x in state.items() if not name.endswith("num_batches_tracked")
        },
    }[form]
    torch.save(
        saved, tmp_path / "ref.pth", _use_new_zipfile_serialization=form != "before torch 1.6"
    )
    import_checkpoint(tmp_path / "ref.pth", tmp_path / "ours.pt")
    back = load_skimmer(tmp_path / "ours.pt")
    videos = made_up(LENGTHS)
    assert torch.equal(ours(back.network, videos, 6, PAPER), ours(network, videos, 6, PAPER))
    assert (back.model, back.class_names, back.network.training) == (
        "skimmer",
        tuple("01234"),
        False,
    )
    assert back.steps == (7 if form == "checkpoint" else 10)


def test_weight_norm_is_torchs_own(tmp_path):
    cell = torch.nn.utils.parametrizations.weight_norm(torch.nn.LSTMCell(6, 9), "weight_hh")
    cell = torch.nn.utils.parametrizations.weight_norm(cell, "weight_ih")
    state = reference.single_modality_state(**SMALL)
    state |= {
        f"rnn.{name}": value.detach() for name, value in cell.state_dict().items() if "bias" in name
    }
    for which in ("hh", "ih"):
        for number, part in ((0, "g"), (1, "v")):
            state[f"rnn.weight_{which}_{part}"] = cell.state_dict()[
                f"parametrizations.weight_{which}.original{number}"
            ]
    network, *_ = skimmer_of(tmp_path, state, "image")
    torch.testing.assert_close(network.rnn.weight_hh, cell.weight_hh)
    torch.testing.assert_close(network.rnn.weight_ih, cell.weight_ih)


@pytest.mark.parametrize("width", [512, 1024, 2048])
def test_the_single_modality_may_have_any_width(tmp_path, width):
    state = reference.single_modality_state(classes=3, features=width, hidden=16, key=8, query=8)
    network, widths, sizes = skimmer_of(tmp_path, state, "audio")
    assert (widths, network.modalities, sizes.lstm_width, sizes.key_width) == (
        {"audio": width},
        ("audio",),
        16,
        8,
    )


@pytest.mark.parametrize("names", ["whole", "bare", "with streams"])
def test_the_image_audio_network_alone_becomes_a_head(tmp_path, names):
    state = {name: x for name, x in small("two")[1].items() if name.startswith(HEAD)}
    saved = state | (
        {"net_image.conv1.weight": torch.zeros(2, 3)} if names == "with streams" else {}
    )
    if names == "bare":
        saved = {name.partition(".")[2]: x for name, x in state.items()}
    torch.save(saved, tmp_path / "net.pth")
    (tmp_path / "names.txt").write_text("run\njump\nswim\n\nsing\nclimb a tree\n", encoding="utf-8")
    import_checkpoint(
        tmp_path / "net.pth", tmp_path / "head.pt", class_names=tmp_path / "names.txt"
    )
    head = load_start(tmp_path / "head.pt")
    assert head.class_names == ("run", "jump", "swim", "sing", "climb a tree")
    assert torch.equal(head.fusion.fc1.weight, state["net_imageAudio.imageAudio_fc1.weight"])
    assert torch.equal(head.classifier.bias, state["net_classifier.classifier.bias"])


def test_a_checkpoint_that_would_run_something_is_refused_and_runs_nothing(tmp_path):
    for number, old in enumerate((False, True)):
        held = reference.checkpoint(small("two")[1]) | {"scheduler": Trap(tmp_path / "sprung")}
        torch.save(held, tmp_path / f"{number}.pth", _use_new_zipfile_serialization=not old)
        with pytest.raises(
            BadInput,
            match=r"\.pth: refused: it holds more than tensors and plain containers .*mkdir",
        ) as message:
            import_checkpoint(tmp_path / f"{number}.pth", tmp_path / "ours.pt")
        assert "\n" not in str(message.value)
    assert not (tmp_path / "sprung").exists()
    assert not (tmp_path / "ours.pt").exists()


def test_a_namespace_that_holds_a_trap_is_refused(tmp_path):
    held = reference.checkpoint(small("two")[1]) | {
        "namespace": argparse.Namespace(logger=Trap(tmp_path / "sprung"))
    }
    torch.save(held, tmp_path / "ref.pth")
    with pytest.raises(BadInput, match="refused"):
        read_checkpoint(tmp_path / "ref.pth")
    assert not (tmp_path / "sprung").exists()
    assert argparse.Namespace not in torch.serialization.get_safe_globals()


def test_no_more_is_trusted_after_a_checkpoint_is_read(tmp_path):
    torch.save(reference.checkpoint(small("two")[1]), tmp_path / "ref.pth")
    read_checkpoint(tmp_path / "ref.pth")
    with pytest.raises(pickle.UnpicklingError):
        torch.load(tmp_path / "ref.pth", weights_only=True)


def broken(kind):
    state = small("two")[1]
    return {
        "lacks a query": {
            name: x for name, x in state.items() if name != "audio_queryfeature_mlp.3.bias"
        },
        "lacks magnitudes": {name: x for name, x in state.items() if name != "rnn.weight_ih_g"},
        "a key of another width": state | {"audio_key_conv1x1.0.bias": torch.zeros(9)},
        "a stranger": state | {"decoder.weight": torch.zeros(3)},
        "not finite": state | {"modality_attention.bias": torch.tensor([0.0, float("nan")])},
        "too large": state
        | {"modality_attention.bias": torch.tensor([0.0, 1e300], dtype=torch.double)},
        "no direction": state
        | {"rnn.weight_ih_v": state["rnn.weight_ih_v"] * (torch.arange(36) != 3)[:, None]},
        "without content": state | {"modality_attention.bias": torch.zeros(2, device="meta")},
        "complex": state | {"modality_attention.bias": torch.zeros(2, dtype=torch.complex64)},
        "no classes": state | {"net_classifier.classifier.weight": torch.zeros(0, 7)},
        "nothing known": {"weight": torch.zeros(3)},
        "no tensors": {"model": {"weight": 3}},
        "a list": [torch.zeros(3)],
    }[kind]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("lacks a query", "no audio_queryfeature_mlp.3.bias"),
        ("lacks magnitudes", r"rnn.weight_ih_g is \(0,\), expected \(36, 1\)"),
        ("a key of another width", r"audio_key_conv1x1.0.bias is \(9,\), expected \(7,\)"),
        ("a stranger", "decoder.weight is not of the public code's network"),
        ("not finite", "modality_attention.bias holds numbers that are not finite"),
        ("too large", "modality_attention.bias holds numbers that are not finite"),
        ("no direction", "a row of rnn.weight_ih_v is zero"),
        ("without content", "modality_attention.bias is not a plain tensor"),
        ("complex", "modality_attention.bias is not a plain tensor"),
        ("no classes", "no net_classifier.classifier.weight of two axes with numbers in it"),
        ("nothing known", "no net_imageAudio.imageAudio_fc1.weight"),
        ("no tensors", "no state dict"),
        ("a list", "no state dict"),
    ],
)
def test_a_checkpoint_of_something_else_is_refused_in_one_line(tmp_path, kind, message, capsys):
    torch.save(broken(kind), tmp_path / "ref.pth")
    assert main(["import_checkpoint", str(tmp_path / "ref.pth"), str(tmp_path / "ours.pt")]) == 1
    complaint = capsys.readouterr().err
    assert complaint.count("\n") == 1
    with pytest.raises(BadInput, match=message):
        import_checkpoint(tmp_path / "ref.pth", tmp_path / "ours.pt")


@given(content=st.binary(max_size=200))
@example(content=b"\x80\x02G\x00")  # half a number
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_file_of_anything_is_no_checkpoint_no_list_and_no_features(tmp_path, content):
    path = tmp_path / "anything"
    for start in (b"", b"\x80\x02", b"PK\x03\x04", b"\x93NUMPY\x01\x00"):
        path.write_bytes(start + content)
        for read in (read_checkpoint, load_features):
            with pytest.raises(BadInput, match="anything"):
                read(path)
        with contextlib.suppress(BadInput):  # a line of anything may be a path and a label
            read_list(path)


def test_a_damaged_checkpoint_and_a_missing_one_are_reported(tmp_path):
    torch.save(small("two")[1], tmp_path / "ref.pth")
    (tmp_path / "half.pth").write_bytes((tmp_path / "ref.pth").read_bytes()[:900])
    for name, message in (("half.pth", "not readable"), ("none.pth", "no such file")):
        with pytest.raises(BadInput, match=message):
            read_checkpoint(tmp_path / name)


def test_a_class_named_as_the_column_of_ids_is_refused_before_it_hides_them(tmp_path):
    torch.save(small("two")[1], tmp_path / "ref.pth")
    (tmp_path / "names.txt").write_text("a\nb\nvideo\nc\nd\n", encoding="utf-8")
    import_checkpoint(
        tmp_path / "ref.pth", tmp_path / "ours.pt", class_names=tmp_path / "names.txt"
    )
    release = Release(tmp_path / "v", (3,))
    import_features(release.text(), tmp_path / "store")
    with pytest.raises(BadInput, match="a class is named video"):
        score(tmp_path / "ours.pt", tmp_path / "store", tmp_path / "scores.tsv")


def test_class_names_must_be_as_many_as_the_classes(tmp_path):
    torch.save(small("two")[1], tmp_path / "ref.pth")
    (tmp_path / "names.txt").write_text("run\njump\nrun\n", encoding="utf-8")
    with pytest.raises(BadInput, match="2 different names in 3 lines, expected 5"):
        import_checkpoint(
            tmp_path / "ref.pth", tmp_path / "ours.pt", class_names=tmp_path / "names.txt"
        )
