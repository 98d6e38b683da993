"""Adam without torch's compiler: the same numbers, and no import of the compiler."""

import subprocess
import sys

import pytest
import torch
from conftest import process_environment

from sertools.training.optimisers import Adam, AdamW

STEPS = """
import sys, torch
from sertools.training.optimisers import Adam, AdamW
for make in (lambda p: Adam(p, 1e-3, (0.5, 0.999)), lambda p: AdamW(p, 1e-3, 0.1)):
    weight = torch.nn.Parameter(torch.ones(3))
    optimiser = make([weight])
    weight.square().sum().backward()
    optimiser.step()
    optimiser.zero_grad()
    optimiser.load_state_dict(optimiser.state_dict())
    assert weight.grad is None and (weight != 1).all()
print("torch._dynamo" in sys.modules)
"""


def test_training_does_not_import_the_compiler():
    done = subprocess.run(
        [sys.executable, "-c", STEPS], env=process_environment(), capture_output=True, text=True, timeout=120
    )
    assert done.stdout == "False\n", done.stderr


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (lambda p: Adam(p, 0.01, (0.5, 0.999)), lambda p: torch.optim.Adam(p, 0.01, (0.5, 0.999), fused=True)),
        (lambda p: AdamW(p, 0.01, 0.1), lambda p: torch.optim.AdamW(p, 0.01, weight_decay=0.1, fused=True)),
    ],
    ids=["Adam", "AdamW"],
)
def test_steps_are_those_of_torch(ours, theirs):
    weights = []
    for make in (ours, theirs):
        torch.manual_seed(0)
        weight = torch.nn.Parameter(torch.randn(5, 3))
        optimiser = make([weight])
        for _ in range(5):
            optimiser.zero_grad()
            weight.pow(4).sum().backward()
            optimiser.step()
        weights.append(weight.detach())
    assert torch.equal(*weights)
