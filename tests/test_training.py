"""The training loop."""

import copy
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import TensorDataset
from training_world import TRAININGS, state, training

from l2l.acceleration import to_channels_last
from l2l.checkpoints import Checkpoints, resumable
from l2l.config import TrainingConfig
from l2l.errors import BadInput
from l2l.loading import RandomHorizontalFlip, plan_epoch, split_batch
from l2l.training import (
    learning_rate_scale,
    load_network,
    save_network,
    seed_and_pick_device,
    train,
)

ROOT = Path(__file__).parents[1]


def fitting(**changes: object) -> TrainingConfig:
    return TrainingConfig(**{"epochs": 3, "batch_size": 4, "learning_rate": 0.1, **changes})


def trained(seed: int = 0, threads: int = 1, rows: int = 10, **changes: object) -> torch.nn.Linear:
    """A line through ten points."""
    seed_and_pick_device(seed, threads)
    network = torch.nn.Linear(3, 1)
    x = torch.arange(3.0 * rows).reshape(rows, 3) / 30
    loss = lambda batch: (network(batch[0]) - batch[1]).pow(2).mean()  # noqa: E731
    data = TensorDataset(x, x.sum(1, keepdim=True))
    train(network, [{"params": network.parameters()}], data, loss, fitting(**changes), dict)
    return network


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others():
    assert torch.equal(trained(1).weight, trained(1).weight)
    assert not torch.equal(trained(1).weight, trained(2).weight)


def test_one_epoch_is_sgd_with_nesterov_momentum_written_out():
    seed_and_pick_device(0, 1)
    start = torch.nn.Linear(3, 1).weight.detach().numpy().copy()
    x, y = np.arange(30.0).reshape(10, 3) / 30, (np.arange(30.0).reshape(10, 3) / 30).sum(1)
    seed_and_pick_device(0, 1)
    network = torch.nn.Linear(3, 1, bias=False)
    loss = lambda batch: (network(batch[0])[:, 0] - batch[1]).pow(2).mean()  # noqa: E731
    data = TensorDataset(torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32))
    options = fitting(epochs=3, batch_size=10, milestones=(1, 2), decay=0.5, weight_decay=0.01)
    train(network, [{"params": network.parameters(), "rate": 2.0}], data, loss, options, dict)
    w, v = start[0], np.zeros(3)
    for epoch in range(3):
        g = 2 * x.T @ (x @ w - y) / 10 + 0.01 * w
        v = 0.9 * v + g
        w = w - 0.1 * 2.0 * 0.5**epoch * (g + 0.9 * v)
    assert np.allclose(network.weight.detach().numpy()[0], w, atol=1e-5)


@given(st.floats(0, 30))
def test_the_rate_rises_in_the_warm_up_and_falls_at_milestones(epoch):
    options = fitting(epochs=30, milestones=(15, 20), warmup_epochs=2)
    expected = min(1, epoch / 2) * (1 if epoch < 15 else 0.1 if epoch < 20 else 0.01)
    assert learning_rate_scale(epoch, options) == pytest.approx(expected)


@pytest.mark.parametrize(("epoch", "share"), [(0, 1.0), (5, 0.8535534), (10, 0.5), (20, 0.0)])
def test_a_cosine_falls_from_the_full_rate_to_zero(epoch, share):
    options = fitting(epochs=20, schedule="cosine")
    assert learning_rate_scale(epoch, options) == pytest.approx(share, abs=1e-6)


def test_milestones_of_a_cosine_are_refused():
    with pytest.raises(ValueError, match=r"milestones \(1\.0,\) belong to schedule: steps"):
        fitting(schedule="cosine", milestones=(1,))


def test_one_epoch_of_adamw_along_a_cosine_is_its_formula_written_out():
    seed_and_pick_device(0, 1)
    network = torch.nn.Linear(3, 1)
    weight, bias = (p.detach().clone() for p in network.parameters())
    x = torch.arange(24.0).reshape(8, 3) / 24
    y = x.sum(1, keepdim=True)
    batches = []

    def loss(batch):
        batches.append(batch)
        return (network(batch[0]) - batch[1]).pow(2).mean()

    options = fitting(epochs=1, optimizer="adamw", schedule="cosine", weight_decay=0.1)
    train(network, [{"params": network.parameters()}], TensorDataset(x, y), loss, options, dict)
    state = [(weight, torch.zeros(1, 3), torch.zeros(1, 3)), (bias, torch.zeros(1), torch.zeros(1))]
    for step, (inputs, targets) in enumerate(batches):
        rate = 0.1 * (1 + math.cos(math.pi * step / 2)) / 2
        errors = 2 * (inputs @ state[0][0].T + state[1][0] - targets) / len(inputs)
        gradients = [errors.T @ inputs, errors.sum(0)]
        for i, gradient in enumerate(gradients):
            value, mean, square = state[i]
            mean = 0.9 * mean + 0.1 * gradient
            square = 0.999 * square + 0.001 * gradient**2
            mean_hat, square_hat = (
                mean / (1 - 0.9 ** (step + 1)),
                square / (1 - 0.999 ** (step + 1)),
            )
            value = value - rate * 0.1 * value - rate * mean_hat / (square_hat.sqrt() + 1e-8)
            state[i] = (value, mean, square)
    assert len(batches) == 2
    torch.testing.assert_close(network.weight, state[0][0])
    torch.testing.assert_close(network.bias, state[1][0])


def test_a_last_batch_of_one_is_joined_to_the_one_before():
    sizes = []
    seed_and_pick_device(0, 1)
    network = torch.nn.Linear(3, 1)

    def loss(batch):
        sizes.append(len(batch[0]))
        return network(batch[0]).sum()

    train(
        network,
        [{"params": network.parameters()}],
        TensorDataset(torch.zeros(9, 3)),
        loss,
        fitting(epochs=1),
        dict,
    )
    assert sizes == [4, 5]


@given(st.integers(2, 60), st.integers(1, 9))
def test_parts_are_the_batch_and_as_even_as_can_be_and_none_is_of_one(size, count):
    cut = split_batch(list(range(size)), count)
    assert [i for part in cut for i in part] == list(range(size))
    assert len(cut) == min(count, size // 2)
    assert max(map(len, cut)) - min(map(len, cut)) <= 1


@given(st.integers(2, 60), st.integers(2, 9), st.integers(0, 99))
def test_an_epoch_has_each_entry_once_and_what_was_drawn_for_it_in_that_order(
    count, batch_size, seed
):
    torch.manual_seed(seed)
    batches, _ = plan_epoch(RandomHorizontalFlip(range(count)), batch_size)
    torch.manual_seed(seed)
    order = torch.randperm(count).tolist()
    torch.empty((), dtype=torch.int64).random_()
    drawn = [bool(torch.rand(()) < 0.5) for _ in range(count)]
    assert [key for batch in batches for key in batch] == list(zip(order, drawn, strict=True))
    assert all(len(batch) == batch_size for batch in batches[:-1])
    assert 2 <= len(batches[-1]) <= batch_size + 1


@given(st.integers(1, 4), st.integers(8, 30))
@settings(max_examples=20)
def test_a_batch_in_parts_takes_the_step_of_the_whole_batch(accumulate, rows):
    whole, cut = (
        trained(rows=rows, batch_size=8, gradient_accumulation=a) for a in (1, accumulate)
    )
    torch.testing.assert_close(cut.weight, whole.weight, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("when", ["within an epoch", "between epochs"])
def test_dropout_draws_the_same_in_a_training_that_was_broken_off(tmp_path, when):
    """Torchvision's S3D, MViT and Swin have it."""

    class Broken(Exception):
        pass

    def train_with_dropout(name: str, at: int | None = None) -> list[torch.Tensor]:
        seed_and_pick_device(1)
        network = torch.nn.Sequential(
            torch.nn.Linear(3, 8), torch.nn.Dropout(0.5), torch.nn.Linear(8, 1)
        )
        x, seen = torch.arange(36.0).reshape(12, 3) / 36, [0]

        def loss(batch: list[torch.Tensor]) -> torch.Tensor:
            seen[0] += 1
            if seen[0] == at:
                raise Broken
            return (network(batch[0]) - batch[1]).pow(2).mean()

        with resumable(tmp_path / name, [], []) as checkpoints:
            checkpoints.due = lambda: True
            data = TensorDataset(x, x.sum(1, keepdim=True))
            train(
                network,
                [{"params": network.parameters()}],
                data,
                loss,
                fitting(),
                dict,
                checkpoints=checkpoints,
            )
        return list(network.parameters())

    whole = train_with_dropout("whole")
    with pytest.raises(Broken):
        train_with_dropout("broken", at=6 if when == "within an epoch" else 7)
    for expected, found in zip(whole, train_with_dropout("broken"), strict=True):
        assert torch.equal(expected, found)


def test_bfloat16_changes_nothing_on_a_cpu():
    assert torch.equal(trained(bfloat16=True).weight, trained(bfloat16=False).weight)


@pytest.mark.parametrize("name", TRAININGS)
def test_a_network_computes_in_bfloat16_and_its_loss_in_float32_step_after_step(
    inputs, tmp_path, monkeypatch, name
):
    """As on a GPU, but by the CPU's autocast in the place of CUDA's.

    Without oneDNN: where a convolution's input is one pixel wide or a clip is short, as here, some
        of the gradients it gives to weights in bfloat16 are what was in memory before (torch
        2.11, a CPU that computes bfloat16). PyTorch's own are right.
    """
    losses, was, autocast = [], torch.Tensor.backward, torch.autocast

    def backward(value):
        losses.append(value.detach())
        was(value)

    monkeypatch.setattr(torch.Tensor, "backward", backward)
    monkeypatch.setattr(
        torch, "autocast", lambda *_, enabled: autocast("cpu", torch.bfloat16, enabled=half)
    )
    for half in (False, True):
        train = training(name, inputs, epochs=3, milestones=(), batch_size=12, bfloat16=half)
        with torch.backends.mkldnn.flags(enabled=False):
            train.function(**train.options, **{train.artifact: tmp_path / f"{half}.pt"})
    whole, halved = torch.stack(losses).chunk(2)
    assert len(whole) >= 6
    assert losses[-1].dtype == torch.float32
    assert (whole != halved).any()
    torch.testing.assert_close(halved[0], whole[0], rtol=0.02, atol=0)
    torch.testing.assert_close(halved, whole, rtol=0.1, atol=0)
    assert all(value.isfinite().all() for value in state(tmp_path / "True.pt").values())


def test_bad_input_in_a_worker_is_reported_in_its_own_line():
    class Broken(TensorDataset):
        def __getitem__(self, i):
            raise BadInput("x.h5: damaged; delete it")

    seed_and_pick_device(0, 1)
    network = torch.nn.Linear(3, 1)
    for workers in (0, 1):
        with pytest.raises(BadInput, match=r"^x\.h5: damaged; delete it$"):
            train(
                network,
                [{"params": network.parameters()}],
                Broken(torch.zeros(9, 3)),
                sum,
                fitting(),
                dict,
                workers=workers,
            )


def test_an_unexpected_error_ends_the_process_though_workers_are_loading():
    script = """
import torch
from l2l.config import TrainingConfig
from l2l.training import train
network, data = torch.nn.Linear(3, 1), torch.utils.data.TensorDataset(torch.zeros(400, 3))
config = TrainingConfig(epochs=1, batch_size=2, learning_rate=1)
train(network, [{"params": network.parameters()}], data, None, config, dict, workers=1)
"""
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert ended.returncode == 1
    assert "'NoneType' object is not callable" in ended.stderr


def test_a_loss_that_is_not_finite_ends_the_training_with_a_reason():
    with pytest.raises(BadInput, match=r"learning_rate 10000000000\.0 is too high"):
        trained(learning_rate=1e10, epochs=50)


def test_a_weight_that_is_not_finite_ends_the_training_before_it_is_kept(tmp_path):
    """A gradient that is NaN while the loss is finite, as of a broken kernel, in the fifth step of
    three an epoch.
    """
    seed_and_pick_device(0, 1)
    network, taken = torch.nn.Linear(3, 1), []
    network.weight.register_hook(lambda grad: grad * (torch.nan if len(taken) == 5 else 1))

    def loss(batch):
        taken.append(batch)
        return network(batch[0]).pow(2).mean()

    kept = Checkpoints(tmp_path, [])
    data, groups = TensorDataset(torch.ones(12, 3)), [{"params": network.parameters()}]
    with pytest.raises(
        BadInput, match=r"^weight is not finite after epoch 2, step 2: lower learning_rate 0\.1$"
    ):
        train(network, groups, data, loss, fitting(), dict, checkpoints=kept)
    found = kept.latest()
    assert found["progress"]["steps"] == 3
    assert all(value.isfinite().all() for value in found["network"].values())


def test_a_statistic_that_is_not_finite_ends_the_training_too():
    """Batch norm makes zeros of numbers too large for their variance: the loss stays finite."""
    seed_and_pick_device(0, 1)
    network = torch.nn.BatchNorm1d(3)
    data, groups = TensorDataset(1e25 * torch.randn(8, 3)), [{"params": network.parameters()}]
    with pytest.raises(BadInput, match=r"^running_var is not finite after epoch 1, step 1: "):
        train(network, groups, data, lambda batch: network(batch[0]).pow(2).mean(), fitting(), dict)


def test_half_of_the_entries_are_mirrored_and_each_whole():
    seed_and_pick_device(0, 1)
    clips = np.random.default_rng(0).integers(
        0, 256, (400, 2, 4, 5, 3), np.uint8
    )  # time, height, width, colour
    data = RandomHorizontalFlip([(clip, i) for i, clip in enumerate(clips)])
    drawn = data.draw(400).tolist()
    for i, mirror in enumerate(drawn):
        clip, label = data[i, mirror]
        assert (clip == (clips[i][:, :, ::-1] if mirror else clips[i])).all()
        assert label == i
    assert 150 < sum(drawn) < 250


def test_a_network_survives_the_disk_and_gives_the_same_bytes_each_time(tmp_path):
    network = trained()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        save_network(tmp_path / name / "n.pt", "line", network, {"width": 3})
    settings, state = load_network(tmp_path / "a" / "n.pt", "line")
    assert settings == {"width": 3}
    assert torch.equal(state["weight"], network.weight)
    assert (tmp_path / "a" / "n.pt").read_bytes() == (tmp_path / "b" / "n.pt").read_bytes()


@pytest.mark.parametrize("content", [b"", b"nonsense", None, {"kind": "other"}, [1]])
def test_what_is_no_network_is_refused_by_name(tmp_path, content):
    path = tmp_path / "n.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(BadInput, match=r"n\.pt: .*expected a line that l2l wrote"):
        load_network(path, "line")


def test_numbers_that_are_not_finite_are_neither_written_nor_read(tmp_path):
    network, path = torch.nn.Linear(3, 1), tmp_path / "n.pt"
    save_network(path, "line", network, {})
    saved = torch.load(path, weights_only=True)
    saved["state"]["bias"] = torch.tensor([torch.inf])
    torch.save(saved, path)
    with pytest.raises(BadInput, match=r"n\.pt: bias holds numbers that are not finite"):
        load_network(path, "line")
    network.weight.data[0, 1] = torch.nan
    with pytest.raises(BadInput, match=r"other\.pt: weight holds numbers that are not finite"):
        save_network(tmp_path / "other.pt", "line", network, {})
    assert not (tmp_path / "other.pt").exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"layout": 1},
        {"state": [1]},
        {"state": {"a": 1}},
        {"state": {"a": torch.zeros(1).expand(2**40)}},  # claims more than the file holds
    ],
)
def test_a_file_of_another_layout_or_without_plain_tensors_is_refused_by_name(tmp_path, changes):
    path = tmp_path / "n.pt"
    save_network(path, "line", torch.nn.Linear(3, 1), {})
    torch.save({**torch.load(path, weights_only=True), **changes}, path)
    with pytest.raises(BadInput, match=r"^[^\n]*n\.pt: [^\n]*$"):
        load_network(path, "line")


@pytest.mark.parametrize("channels", [4, 7, 8])
def test_a_narrow_strided_shortcut_gets_the_same_gradient_in_every_memory_layout(channels):
    """oneDNN writes past its buffer where the channels are innermost and fewer than 8."""
    torch.manual_seed(0)
    plain = torch.nn.Sequential(torch.nn.Conv2d(channels, 8, 1, stride=2, bias=False))
    moved = to_channels_last(copy.deepcopy(plain), torch.device("cpu"))
    assert moved[0].weight.is_contiguous(memory_format=torch.channels_last) or channels < 8
    x = torch.randn(8, channels, 26, 10)
    for network in (plain, moved):
        for _ in range(50):
            network.zero_grad()
            network(x).square().mean().backward()
    torch.testing.assert_close(moved[0].weight.grad, plain[0].weight.grad)
