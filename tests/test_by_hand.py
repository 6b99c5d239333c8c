"""Passes by hand are those of torch's graph, to the last bit; and other networks, or hooks, go through the graph."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from nlkit import build_model
from nlkit.learning.by_hand import LossesWithSlopes, Passes, fill_cross_entropy, fill_weighted, linear_layers
from nlkit.learning.learner import Run

GENERATOR = torch.Generator().manual_seed(0)
IMAGES = torch.randn(37, 1, 28, 28, generator=GENERATOR)
LABELS = torch.randint(10, (37,), generator=GENERATOR)
PLAIN = {
    "mlp": lambda: build_model("mlp", (1, 28, 28), 10),
    "one layer": lambda: nn.Sequential(nn.Flatten(), nn.Linear(784, 10)),
    "deep": lambda: nn.Sequential(
        nn.Flatten(), nn.Linear(784, 9), nn.ReLU(), nn.Linear(9, 8), nn.ReLU(), nn.Linear(8, 10)
    ),
}  # fmt: skip
OTHER = {
    "a bias is missing": lambda: nn.Sequential(nn.Flatten(), nn.Linear(784, 10, bias=False)),
    "another activation": lambda: nn.Sequential(nn.Flatten(), nn.Linear(784, 8), nn.Tanh(), nn.Linear(8, 10)),
    "two linear layers in a row": lambda: nn.Sequential(nn.Flatten(), nn.Linear(784, 8), nn.Linear(8, 10)),
    "it ends in ReLU": lambda: nn.Sequential(nn.Flatten(), nn.Linear(784, 10), nn.ReLU()),
    "it keeps the rows": lambda: nn.Sequential(nn.Flatten(2), nn.Linear(784, 10), nn.ReLU(), nn.Linear(10, 10)),
    "batch norm": lambda: nn.Sequential(nn.Flatten(), nn.Linear(784, 8), nn.BatchNorm1d(8), nn.Linear(8, 10)),
    "cnn": lambda: build_model("cnn", (1, 28, 28), 10),
}


def test_a_network_without_layers_is_of_another_kind():
    assert linear_layers(nn.Sequential()) == []


def gradients(network: nn.Module) -> list[torch.Tensor]:
    return [p.grad for p in network.parameters()]


def by_graph(network: nn.Module, loss_of) -> list[torch.Tensor]:
    graph = copy.deepcopy(network)
    loss_of(graph).backward()
    return gradients(graph)


def equal(ours, theirs) -> bool:
    return all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("kind", PLAIN)
@pytest.mark.parametrize("count", (37, 32, 1))
def test_the_gradient_of_cross_entropy_is_that_of_the_graph_to_the_last_bit(kind, count):
    network, images, labels = PLAIN[kind](), IMAGES[:count], LABELS[:count]
    expected = by_graph(network, lambda graph: F.cross_entropy(graph(images), labels))
    losses = fill_cross_entropy(network, images, labels)
    assert torch.equal(losses, F.cross_entropy(network(images), labels, reduction="none").detach())
    assert equal(gradients(network), expected)


@pytest.mark.parametrize("kind", PLAIN)
def test_any_loss_goes_back_as_through_the_graph(kind):
    """Also one of two passes, of which the second is only half of what the loss hangs on."""
    network, passes = PLAIN[kind](), Passes()

    def loss(say) -> torch.Tensor:
        near, far = say(IMAGES), say(2 * IMAGES[:5])
        return (near.softmax(1) ** 0.7).sum() + F.nll_loss(far.log_softmax(1), LABELS[:5])

    expected = by_graph(network, loss)
    passes.backward(loss(lambda images: passes.logits(network, images)))
    for ours, theirs in zip(gradients(network), expected):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)  # two passes are added in another order
    weight_decay = sum((p**2).sum() for p in network.parameters())
    network.zero_grad()
    passes.backward(F.cross_entropy(passes.logits(network, IMAGES), LABELS) + weight_decay)
    both = lambda graph: F.cross_entropy(graph(IMAGES), LABELS) + sum((p**2).sum() for p in graph.parameters())  # noqa: E731
    for ours, theirs in zip(gradients(network), by_graph(network, both)):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


def test_what_no_loss_hangs_on_leaves_no_gradient():
    network, passes = PLAIN["mlp"](), Passes()
    passes.logits(network, IMAGES)
    for _ in range(2):
        network.zero_grad()
        passes.backward(F.cross_entropy(passes.logits(network, IMAGES), LABELS))
    ours = gradients(network)
    assert equal(ours, by_graph(network, lambda graph: F.cross_entropy(graph(IMAGES), LABELS)))


def test_weighted_losses_of_a_pass_by_hand_move_the_network_as_those_of_the_graph_do():
    """`descend_weighted` of losses that `logits` gave, and not only of those that know their way back."""
    moved = []
    for say in ("logits", "model"):
        network = PLAIN["mlp"]()
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        run = Run(network, optimizer, IMAGES, LABELS, torch.Generator(), 10, 37)
        losses = F.cross_entropy(getattr(run, say)(IMAGES), LABELS, reduction="none")
        run.descend_weighted(losses, torch.arange(37.0) / 37)
        moved.append([p.detach() for p in network.parameters()])
    assert equal(*moved)
    assert not torch.equal(moved[0][0], PLAIN["mlp"]()[1].weight)


@pytest.mark.parametrize("kind", OTHER)
def test_other_networks_go_through_the_graph(kind):
    network, passes = OTHER[kind](), Passes()
    assert linear_layers(network) == [] and fill_cross_entropy(network, IMAGES, LABELS) is None
    assert gradients(network) == [None] * len(gradients(network))
    assert passes.logits(network, IMAGES).grad_fn is not None


def test_what_acts_on_layers_or_gradients_is_not_passed_over():
    network, passes, seen = PLAIN["mlp"](), Passes(), []
    assert len(linear_layers(network)) == 3 and passes.logits(network, IMAGES).grad_fn is None
    for handle in (
        network[3].register_forward_hook(lambda *_: seen.append("layer")),
        network[1].weight.register_hook(lambda _: seen.append("gradient")),
        network[1].weight.register_post_accumulate_grad_hook(lambda _: seen.append("ready")),
        nn.modules.module.register_module_forward_hook(lambda *_: seen.append("everywhere")),
    ):
        assert linear_layers(network) == []
        before = len(seen)
        passes.backward(F.cross_entropy(passes.logits(network, IMAGES), LABELS))
        assert len(seen) > before
        handle.remove()
    assert len(linear_layers(network)) == 3


def test_without_gradients_nothing_is_remembered():
    network, passes = PLAIN["mlp"](), Passes()
    with torch.no_grad():
        assert not passes.logits(network, IMAGES).requires_grad
    assert passes._open == []


def test_losses_that_know_their_way_back_take_it_once_and_others_are_left_to_the_graph():
    weight = torch.ones(3, requires_grad=True)
    known = LossesWithSlopes.apply(torch.zeros(2), lambda w: [w.sum() * torch.arange(3.0)], weight)
    assert fill_weighted(known, torch.tensor([1.0, 2.0])) and weight.grad.tolist() == [0, 3, 6]
    weight.grad = None
    (known * torch.tensor([1.0, 2.0])).sum().backward()
    assert weight.grad.tolist() == [0, 3, 6]
    weight.grad = None
    assert not fill_weighted((weight * 2)[:2], torch.ones(2)) and weight.grad is None
