"""The optimizers are torch's, to the last bit, and import no compiler."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from l2l.optimizers import without_compiler

KINDS = {
    torch.optim.SGD: {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
    torch.optim.AdamW: {"lr": 0.1, "weight_decay": 0.1},
    torch.optim.LBFGS: {"max_iter": 3, "line_search_fn": "strong_wolfe"},
}
STEP = """
import sys
import torch
from l2l.config import TrainingConfig
from l2l.training import build_optimizer
weight = torch.nn.Parameter(torch.ones(3))
config = TrainingConfig(epochs=1, batch_size=2, learning_rate=1, optimizer=sys.argv[1])
optimizer = build_optimizer([{"params": [weight]}], config)
optimizer.zero_grad()
weight.sum().backward()
optimizer.step()
optimizer.load_state_dict(optimizer.state_dict())
print(*(name for name in ("torch._dynamo", "sympy", "torchvision") if name in sys.modules))
"""


def trained(kind, options):
    """The numbers of a small network after some steps, one of them after a reload."""
    torch.manual_seed(0)
    network, x = (
        nn.Sequential(nn.Linear(5, 7), nn.BatchNorm1d(7), nn.Linear(7, 2)),
        torch.ones(9, 5),
    )
    x += torch.arange(9)[:, None] / 9
    optimizer = kind(network.parameters(), **options)

    def closure():
        optimizer.zero_grad()
        loss = network(x).square().mean()
        loss.backward()
        return loss

    for step in range(4):
        optimizer.step(closure)
        if step == 1:
            optimizer.load_state_dict(optimizer.state_dict())
    return torch.cat([each.detach().flatten() for each in network.parameters()])


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_are_those_of_torchs_own_optimizer(kind):
    ours, theirs = (trained(each, KINDS[kind]) for each in (without_compiler(kind), kind))
    assert torch.equal(ours, theirs)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_training_step_imports_no_compiler_and_no_torchvision(optimizer):
    program = [sys.executable, "-c", STEP, optimizer]
    ran = subprocess.run(program, capture_output=True, text=True, timeout=300)
    assert (ran.stderr, ran.stdout.split()) == ("", [])
