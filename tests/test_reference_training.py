"""The public code's training of the skimmer: each switch, and a step said again in plain words."""

import math
from functools import partial

import feature_world
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from l2l.config import PublicCodeConfig, SkimmerConfig, TrainingConfig
from l2l.skimmer.artifact import TrainedSkimmer, load_skimmer
from l2l.skimmer.examples import Example, RandomSparseReading, SeededReading, collate
from l2l.skimmer.network import Skimmer
from l2l.skimmer.padding import pad_videos
from l2l.skimmer.public_code import collate_crops, prepare, restore, without_a_random_moment
from l2l.skimmer.stage import start_from_student, train_skimmer, training_loss
from l2l.student.network import Head
from l2l.training import train

ALL_ON = PublicCodeConfig(
    weight_norm=True,
    initial_deviation=0.02,
    crop_moments=(12, 15),
    masks_a_random_moment=True,
    normalises_padding=True,
    freezes_modality_weights=True,
)
WIDTHS, STEPS = {"image": 6, "audio": 6}, 5
RECIPE = TrainingConfig(epochs=2, batch_size=6, learning_rate=0.3, weight_decay=0.05)


def small() -> Skimmer:
    return Skimmer(WIDTHS, 4, 11, 8, 9, 7, 10).double()


def made_up(lengths, seed=0) -> list[Example]:
    generator = torch.Generator().manual_seed(seed)
    return [
        Example({m: torch.randn(n, w, generator=generator).double() for m, w in WIDTHS.items()}, i)
        for i, n in enumerate(lengths)
    ]


# ---- a training step, said again -----------------------------------------------------------------


def batch_norm(rows: Tensor, p: dict[str, Tensor], name: str) -> Tensor:
    """By the statistics of these rows."""
    variance = ((rows - rows.mean(0)) ** 2).mean(0)
    scaled = (rows - rows.mean(0)) / torch.sqrt(variance + 1e-5)
    return scaled * p[f"{name}.weight"] + p[f"{name}.bias"]


def layer(x: Tensor, p: dict[str, Tensor], name: str) -> Tensor:
    return x @ p[f"{name}.weight"].T + p[f"{name}.bias"]


def psi(image: Tensor, audio: Tensor, p: dict[str, Tensor]) -> Tensor:
    return layer(torch.relu(layer(torch.cat([image, audio], 1), p, "fusion.fc1")), p, "fusion.fc2")


def lstm_weight(p: dict[str, Tensor], which: str, normed: bool) -> Tensor:
    """Weight norm: each row has the length g and the direction of v."""
    if not normed:
        return p[f"rnn.weight_{which}"]
    g, v = (p[f"rnn.parametrizations.weight_{which}.original{i}"] for i in (0, 1))
    return g * v / torch.sqrt((v * v).sum(1, keepdim=True))


def public_logits(p: dict[str, Tensor], features, present: Tensor, config) -> Tensor:
    """The public code's forward pass in training, in the order of its steps."""
    mask = present.double()
    bank = {m: features[m] * mask[..., None] for m in WIDTHS}
    keys = {}
    for m in WIDTHS:
        rows = layer(bank[m], p, f"keys.{m}.linear")
        if config.normalises_padding:
            normed = batch_norm(rows.reshape(-1, rows.shape[2]), p, f"keys.{m}.norm")
            keys[m] = torch.relu(normed).reshape(rows.shape)
        else:
            keys[m] = torch.zeros_like(rows)
            keys[m][present] = torch.relu(batch_norm(rows[present], p, f"keys.{m}.norm"))
    free = {m: mask.clone() for m in WIDTHS}
    if config.masks_a_random_moment:
        start = torch.argmax(torch.rand(mask.shape) + mask, 1)
        for m in WIDTHS:
            free[m][torch.arange(len(mask)), start] = 0
    image, audio = (bank[m].sum(1) / mask.sum(1, keepdim=True) for m in WIDTHS)
    h = c = torch.zeros(len(mask), 9, dtype=torch.double)
    seen = []
    for _ in range(STEPS):
        z = psi(image, audio, p)
        gates = (
            z @ lstm_weight(p, "ih", config.weight_norm).T
            + p["rnn.bias_ih"]
            + h @ lstm_weight(p, "hh", config.weight_norm).T
            + p["rnn.bias_hh"]
        )
        i, f, g, o = gates.chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        attention = {}
        for m in WIDTHS:
            hidden = torch.relu(batch_norm(layer(h, p, f"queries.{m}.0"), p, f"queries.{m}.1"))
            query = layer(hidden, p, f"queries.{m}.3")
            scores = (keys[m] * query[:, None]).sum(2) / math.sqrt(query.shape[1])
            attention[m] = torch.softmax(scores * free[m] + (1 - free[m]) * -1e35, 1)
            free[m] = free[m].clone()
            free[m][torch.arange(len(mask)), attention[m].argmax(1)] = 0
        trust = torch.softmax(layer(h, p, "modality_attention"), 1)
        image, audio = (
            trust[:, :1] * (attention["image"][..., None] * bank[m]).sum(1)
            + trust[:, 1:] * (attention["audio"][..., None] * bank[m]).sum(1)
            for m in WIDTHS
        )
        seen.append(z)
    return layer(torch.stack(seen).mean(0), p, "classifier")


def rate_of(name: str, config: PublicCodeConfig) -> float:
    if name.startswith("fusion") or (
        name.startswith("modality") and config.freezes_modality_weights
    ):
        return 0.0
    return 0.1 if name.startswith("classifier") else 1.0


def public_step(p, velocity, loss: Tensor, config: PublicCodeConfig) -> None:
    """SGD with Nesterov momentum and weight decay of every number."""
    trained = {n: x for n, x in p.items() if x.requires_grad}
    gradients = torch.autograd.grad(loss, list(trained.values()), allow_unused=True)
    for (name, x), gradient in zip(trained.items(), gradients, strict=True):
        if gradient is None:
            continue
        gradient = gradient + RECIPE.weight_decay * x.detach()
        velocity[name] = 0.9 * velocity.get(name, 0) + gradient
        ahead = gradient + 0.9 * velocity[name]
        p[name] = (
            x.detach() - RECIPE.learning_rate * rate_of(name, config) * ahead
        ).requires_grad_()


@pytest.mark.parametrize("config", [PublicCodeConfig(), ALL_ON], ids=["paper", "public code"])
def test_training_steps_are_those_of_the_public_formula(config):
    torch.manual_seed(3)
    network, head = small(), Head(WIDTHS, 4, 11, 8).double()
    prepare(network, config)
    trained = TrainedSkimmer(network, "skimmer", tuple("abcd"), STEPS)
    frozen = ("modality_attention",) * config.freezes_modality_weights
    groups = start_from_student(trained, head, SkimmerConfig(training=RECIPE), frozen)
    p = {n: x.detach().clone().requires_grad_() for n, x in network.named_parameters()}
    velocity: dict[str, Tensor] = {}
    lengths, differences = [], []

    def loss(batch):
        features, present, labels = batch
        lengths.append(present.sum(1).tolist())
        random = torch.get_rng_state()
        ours = training_loss(trained, batch, torch.device("cpu"), config.masks_a_random_moment)
        torch.set_rng_state(random)
        theirs = F.cross_entropy(public_logits(p, features, present, config), labels)
        differences.append(float((ours - theirs).detach()))
        public_step(p, velocity, theirs, config)
        return ours

    read = RandomSparseReading([e._replace(label=i % 4) for i, e in enumerate(examples())], (1,))
    crops = config.crop_moments
    train(
        network,
        groups,
        SeededReading(read) if crops else read,
        loss,
        RECIPE,
        dict,
        partial(collate_crops, *crops) if crops else collate,
    )
    assert len(lengths) == 4
    assert len({n for batch in lengths for n in batch}) > 2  # padding in a batch
    assert differences == pytest.approx([0] * 4, abs=1e-5)
    for name, x in network.named_parameters():
        torch.testing.assert_close(x.detach(), p[name].detach(), rtol=1e-5, atol=1e-5, msg=name)


def examples() -> list[Example]:
    return made_up([11, 13, 25, 40, 12, 19, 30, 11, 16, 22, 14, 12])


# ---- each switch ---------------------------------------------------------------------------------


def test_initial_weights_are_normal_with_the_deviation_and_others_as_they_were():
    torch.manual_seed(0)
    network = Skimmer({"image": 300, "audio": 300}, 200, 300, 300, 64, 200, 300)
    before = {n: x.detach().clone() for n, x in network.named_parameters()}
    prepare(network, PublicCodeConfig(initial_deviation=0.02))
    for name, x in network.state_dict().items():
        if "running" in name or "batches" in name:
            continue
        if name.endswith(("norm.bias", "bias_ih", "bias_hh")):
            assert not x.any(), name
        elif name.endswith("norm.weight"):
            assert (float(x.mean()), float(x.std())) == pytest.approx((1, 0.02), abs=0.01)
        elif x.ndim == 2 and not name.startswith(("rnn", "modality_attention")):
            assert (float(x.mean()), float(x.std())) == pytest.approx((0, 0.02), abs=1e-3), name
        else:
            assert torch.equal(x, before[name]), name


def test_weight_norm_changes_no_output_and_is_gone_once_restored():
    network, batch = small().eval(), pad_videos([e.features for e in examples()])
    names, before = list(network.state_dict()), network(*batch, 4).logits
    prepare(network, PublicCodeConfig(weight_norm=True))
    assert network.rnn.parametrizations.weight_hh.original0.shape == (36, 1)
    torch.testing.assert_close(network(*batch, 4).logits, before)
    restore(network)
    assert sorted(network.state_dict()) == sorted(names)
    torch.testing.assert_close(network(*batch, 4).logits, before)


def test_a_crop_has_a_length_for_the_batch_and_successive_moments_of_all_features():
    lengths = [5, 14, 90, 400]
    counting = [
        Example(
            {
                m: torch.arange(n)[:, None] + float(shift)
                for m, shift in (("image", 0), ("audio", 7))
            },
            i,
        )
        for i, n in enumerate(lengths)
    ]
    found, starts = set(), set()
    for seed in range(300):
        features, present, labels = collate_crops(12, 20, [(e, seed) for e in counting])
        kept = present.sum(1).tolist()
        length = kept[-1]
        assert kept == [min(n, length) for n in lengths]
        assert labels.tolist() == [0, 1, 2, 3]
        a = features["image"][2, :, 0]
        assert torch.equal(a, a[0] + torch.arange(float(length)))
        assert torch.equal(features["audio"][2, :, 0], a + 7)
        found.add(length)
        starts.add((length, int(a[0])))
    assert found == set(range(12, 21))
    assert {start == 0 for _, start in starts} == {True, False}
    assert any(start == 90 - length for length, start in starts)


def test_a_masked_moment_is_a_present_one_and_never_the_only_one():
    present = torch.tensor([[True] * 4 + [False] * 3, [True] + [False] * 6])
    torch.manual_seed(0)
    drawn = [without_a_random_moment(present) for _ in range(60)]
    assert all(int(free[0].sum()) == 3 and torch.equal(free[1], present[1]) for free in drawn)
    assert {int((present[0] & ~free[0]).nonzero()) for free in drawn} == {0, 1, 2, 3}


def test_a_skimmer_trained_with_all_of_them_is_a_file_as_any_other_and_the_same_twice(tmp_path):
    world = feature_world.make_world(tmp_path, 24, 4, 0)
    brief = feature_world.SKIMMER.training.model_copy(update={"epochs": 2, "milestones": ()})
    states = []
    for name, public_code, threads in (
        ("plain", PublicCodeConfig(), 1),
        ("public", ALL_ON, 1),
        ("again", ALL_ON, 2),
    ):
        config = feature_world.SKIMMER.model_copy(
            update={"training": brief, "public_code": public_code}
        )
        inputs = world.student, world.videos, world.features, tmp_path / name
        train_skimmer(*inputs, config, "skimmer", seed=3, threads=threads)
        states.append(load_skimmer(tmp_path / name).network.state_dict())
    plain, public, again = states
    assert sorted(plain) == sorted(public)
    assert all(torch.equal(public[n], again[n]) for n in public)
    assert not torch.equal(plain["rnn.weight_hh"], public["rnn.weight_hh"])
