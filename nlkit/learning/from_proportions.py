"""A small network that learns from bags: from labels that every member has, or from the bags' proportions alone.

    members  mean over the members of CE(y_i, p_i)          y_i: pseudo-labels, or the proportion for each
    bag      CE(S_B / k, mean over the members of p_i)      (DLLP: Ardehaly and Culotta 2017, arXiv:1709.04108)
    both     members + w CE(S_B / k, q(mean over the members of their embeddings)),   q: a head of its own

A bag of one has its label for a proportion, so ordinary labels are learned by the same loop.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn
from torch.nn import functional as F

from nlkit.checks import check_integer, check_number
from nlkit.data.bags import Bags, Problem
from nlkit.learning.frozen import endless_batches
from nlkit.learning.models import seeded
from nlkit.learning.optimizers import adam, descend
from nlkit.learning.ranking import area_under_curve
from nlkit.randomness import seeded_generator

HIDDEN, EMBEDDED = 64, 16  # units
RATE, DECAY, BATCH = 3e-3, 1e-3, 64  # AdamW; examples a step, in whole bags


def new_network(inputs: int, seed: int) -> nn.Sequential:
    """Inputs, 64 units, an embedding of 16, one log-odds; torch's global random state stays as it was."""
    return seeded(
        lambda: nn.Sequential(
            nn.Linear(inputs, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, EMBEDDED), nn.ReLU(), nn.Linear(EMBEDDED, 1)
        ),
        seed,
    )


@torch.no_grad()
def embedded(network: nn.Sequential, x: Tensor) -> Tensor:
    """The embeddings (n, 16) of x (n, d), before the ReLU: with it some would be all zeros, which have no cosine."""
    return network[:3](x)


@torch.no_grad()
def positive(network: nn.Module, x: Tensor) -> Tensor:
    """The probability (n,) that each of x (n, d) is positive."""
    return network(x)[:, 0].sigmoid().double()


def auc_on_test(network: nn.Module, problem: Problem) -> float:
    """The area under the ROC curve on the problem's test set; NaN where that has one class only."""
    said = positive(network, torch.from_numpy(problem.test_x).float())
    found = area_under_curve(said, torch.from_numpy(problem.test_true) == 1)
    return math.nan if found is None else found


def fit(
    x: Tensor, bags: Bags, labels: ArrayLike | None = None, *, epochs: int = 60, aggregate: float = 0.0, seed: int = 0
) -> Iterator[nn.Sequential]:
    """Train a new network and yield it after each epoch; it is one and the same, and changes when it goes on.

    x: (n, d). labels: (n,) in [0, 1] of all members; None learns from the bags' proportions alone. An epoch has as many
    steps of 64 examples as x has, also where the bags hold only some of them. aggregate: w, 0 or above.
    No label of a single example is looked at to stop early. Raises a ValueError, at the call, for what can't be.
    """
    check_integer("epochs", epochs, 1)
    check_number("aggregate", aggregate, 0)
    given = None if labels is None else torch.as_tensor(labels, dtype=torch.float32)
    if given is not None and (given.shape != x.shape[:1] or given.min() < 0 or given.max() > 1):
        raise ValueError(f"labels of shape {tuple(given.shape)} must be {len(x)} numbers from 0 to 1, one an example")
    return _epochs(x, bags, given, epochs, aggregate, seed)


def _epochs(x: Tensor, bags: Bags, labels: Tensor | None, epochs: int, aggregate: float, seed: int):
    network = new_network(x.shape[1], seed)
    head = seeded(lambda: nn.Sequential(nn.Linear(EMBEDDED, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 1)), seed + 1)
    optimizer = adam([*network.parameters(), *head.parameters()], RATE, weight_decay=DECAY, decoupled=True)
    places, inside = torch.from_numpy(bags.places), torch.from_numpy(bags.inside)
    members, shares = (
        x[places],
        torch.from_numpy(bags.proportions).float(),
    )  # (B, k, d); what is nobody is left out below
    labels = None if labels is None else labels[places]
    some = max(1, BATCH // places.shape[1])
    batches = endless_batches(len(places), seeded_generator(seed, "bags of a step"), some)
    for _ in range(epochs):
        for _ in range(-(-len(x) // BATCH)):
            batch = next(batches)
            member = inside[batch]
            embedding = network[:4](members[batch])  # (bags, k, 16)
            log_odds = network[4](embedding)[:, :, 0]
            if labels is None:
                loss = _cross_entropy(_mean(log_odds.sigmoid(), member), shares[batch])
            else:
                loss = F.binary_cross_entropy_with_logits(log_odds[member], labels[batch][member])
            if aggregate:
                together = _mean(embedding, member[:, :, None])
                loss = loss + aggregate * F.binary_cross_entropy_with_logits(head(together)[:, 0], shares[batch])
            descend(optimizer, loss)
        yield network


def _mean(values: Tensor, member: Tensor) -> Tensor:
    return (values * member).sum(1) / member.sum(1)


def _cross_entropy(p: Tensor, shares: Tensor) -> Tensor:
    return F.binary_cross_entropy(p.clamp(1e-6, 1 - 1e-6), shares)
