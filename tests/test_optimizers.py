"""What is left out around torch's optimizers changes nothing of what they do."""

import sys

import pytest
import torch
from torch import nn

from nlkit import build_model
from nlkit.learning.optimizers import OPTIMIZERS, adam, build_optimizer, clear_gradients, descend, take_step


def walk(name: str, decay: float, step, model: nn.Module, frozen: bool) -> list[torch.Tensor]:
    optimizer = build_optimizer(name, model, 1e-2, decay)
    generator = torch.Generator().manual_seed(0)
    for number in range(4):
        clear_gradients(optimizer)
        assert all(p.grad is None for p in model.parameters())
        for place, p in enumerate(model.parameters()):
            if not (frozen and place == number % 2):  # a parameter that gets no gradient in some steps
                p.grad = torch.randn(p.shape, generator=generator).to(p)
        step(optimizer)
    state = optimizer.state_dict()["state"]
    return [*model.parameters(), *(value for s in state.values() for value in s.values() if value is not None)]


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_take_step_is_the_optimizers_own_step_bit_by_bit(name, decay, frozen):
    ours, theirs = (build_model("mlp", (1, 8, 8), 4, seed=1) for _ in range(2))
    by_torch = walk(name, decay, lambda optimizer: optimizer.step(), theirs, frozen)
    for own, other in zip(walk(name, decay, take_step, ours, frozen), by_torch):
        assert torch.equal(own, other)


def test_adam_of_ones_own_and_mixed_precision_take_torchs_way():
    for optimizer_of in (torch.optim.Adam, torch.optim.AdamW):
        p = nn.Parameter(torch.ones(3))
        optimizer = optimizer_of([p], lr=0.1)
        for _ in range(2):
            p.grad = torch.ones(3)
            take_step(optimizer)
        assert optimizer.state[p]["step"] == 2
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2).double())
    assert walk("adam", 0.0, take_step, model, frozen=False)


@pytest.mark.parametrize("option", ["amsgrad", "maximize", "decoupled_weight_decay"])
def test_an_adam_of_another_kind_steps_as_torch_steps(option):
    ours, theirs = (nn.Linear(3, 2) for _ in range(2))
    theirs.load_state_dict(ours.state_dict())
    settings = {"lr": 0.1, "fused": True, "weight_decay": 0.1, option: True}
    optimizers = [torch.optim.Adam(network.parameters(), **settings) for network in (ours, theirs)]
    for seed in range(3):
        images = torch.randn(4, 3, generator=torch.Generator().manual_seed(seed))
        for network, optimizer, step in ((ours, optimizers[0], take_step), (theirs, optimizers[1], None)):
            clear_gradients(optimizer)
            network(images).square().sum().backward()
            step(optimizer) if step else optimizer.step()
    assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters()))


class Watchman:
    """Stands before all that finds modules, and lets torch's compiler not pass."""

    def find_spec(self, module, *_):
        assert not module.startswith("torch._dynamo"), "the compiler was imported"


@pytest.mark.parametrize("decoupled", [False, True])
@pytest.mark.parametrize("options", [{}, {"weight_decay": 0.1}, {"amsgrad": True, "fused": False}])
def test_descend_is_torch_s_own_three_calls_and_its_compiler_is_left_asleep(options, decoupled, monkeypatch):
    ours, theirs = (build_model("mlp", (1, 8, 8), 4, seed=1) for _ in range(2))
    images = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    kind = torch.optim.AdamW if decoupled else torch.optim.Adam
    optimizer = kind(theirs.parameters(), lr=1e-2, **({"fused": True} | options))
    for _ in range(3):
        optimizer.zero_grad()
        theirs(images).square().mean().backward()
        optimizer.step()
    monkeypatch.delitem(sys.modules, "torch._dynamo")
    monkeypatch.setattr(sys, "meta_path", [Watchman(), *sys.meta_path])
    optimizer = adam(ours.parameters(), 1e-2, decoupled=decoupled, **options)
    for _ in range(3):
        descend(optimizer, ours(images).square().mean())
    assert all(torch.equal(own, other) for own, other in zip(ours.parameters(), theirs.parameters()))


@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_torch_s_compiler_is_left_asleep(name, decay, monkeypatch):
    """Torch imports it, in three seconds, when an optimizer is first made and first asked for a step."""

    ours, theirs = (build_model("mlp", (1, 8, 8), 4, seed=1) for _ in range(2))
    by_torch = walk(name, decay, lambda optimizer: optimizer.step(), theirs, frozen=False)
    monkeypatch.delitem(sys.modules, "torch._dynamo")
    monkeypatch.setattr(sys, "meta_path", [Watchman(), *sys.meta_path])
    for own, other in zip(walk(name, decay, take_step, ours, frozen=False), by_torch):
        assert torch.equal(own, other)
