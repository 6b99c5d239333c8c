"""Pretraining, a frozen body, light heads: a network learns from many labels, is cut, and new heads learn on top.

The body is the classroom's pixels-256-64 with ReLU. Heads never see an image: they learn from features, which are
computed once, since a frozen body gives the same ones for ever.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Hashable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nlkit.checks import check_integer, check_number
from nlkit.learning.models import evaluate, seeded
from nlkit.learning.optimizers import adam, descend
from nlkit.randomness import seeded_generator

WIDTHS, BATCH = (256, 64), 64  # of the hidden layers, the last being the features; examples a step
Loss = Callable[[nn.Module, Tensor, Tensor], Tensor]  # of a head, features (B, D) and labels (B,)


def new_network(inputs: int, num_classes: int, *, seed: int = 0) -> nn.Sequential:
    """An untrained network inputs-256-64-K for images of so many pixels; torch's global random state stays as is."""
    return seeded(lambda: _layers(inputs, num_classes), seed)


def _layers(inputs: int, num_classes: int) -> nn.Sequential:
    hidden, features = WIDTHS
    return nn.Sequential(
        nn.Flatten(), nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, features), nn.ReLU(),
        nn.Linear(features, num_classes),
    )  # fmt: skip


def pretrain(
    images: Tensor, labels: Tensor, num_classes: int, *, epochs: int = 8, rate: float = 1e-3, seed: int = 0
) -> Iterator[nn.Sequential]:
    """Train a new network on all labels (N,) of images (N, C, H, W) with Adam, and yield it after each epoch.

    It is one network, which changes when it is asked on. Runs with one seed start alike and see the same batches,
    whatever the labels. Raises a ValueError, at the call, for arguments that can't be.
    """
    check_integer("epochs", epochs, 1)
    check_number("rate", rate, 0, above=True)
    check_rows("labels", labels, images)
    network = new_network(images[0].numel(), num_classes, seed=seed)
    return _pretraining(network, images, labels, epochs, rate, seeded_generator(seed, "pretraining"))


def _pretraining(network, images, labels, epochs, rate, generator):
    optimizer = adam(network.parameters(), rate)
    for _ in range(epochs):
        for batch in torch.randperm(len(images), generator=generator).split(BATCH):
            descend(optimizer, F.cross_entropy(network(images[batch]), labels[batch]))
        yield network


def told_again(key: Hashable, learning: Iterator[nn.Sequential]) -> Iterator[nn.Sequential]:
    """The networks of a pretraining, epoch by epoch, each a copy; if all of one `key` were seen lately, those again.

    So heads that race on one body cost one pretraining. key: all that decides `learning`.
    """
    if (known := _LATELY.get(key)) is None:
        known = []
        for network in learning:
            known.append(copy.deepcopy(network))
            yield known[-1]
        _LATELY[key] = known
        for old in list(_LATELY)[:-_KEPT]:
            _LATELY.pop(old, None)
    else:
        yield from known


_LATELY: dict[Hashable, list[nn.Sequential]] = {}  # of this process
_KEPT = 6  # pretrainings, of some 0.9 MB an epoch


def frozen_body(network: nn.Sequential) -> nn.Sequential:
    """A copy of all layers but the last, in evaluation mode, whose parameters ask for no gradient."""
    return copy.deepcopy(network[:-1]).eval().requires_grad_(False)


def some_of_each(labels: Tensor, count: int, *, seed: int = 0, draw: int = 0) -> Tensor:
    """Places of `count` examples of each class in labels (N,), drawn at random; those of fewer are among those of more.

    draw: which of many draws with one seed. Raises a ValueError where a class has fewer.
    """
    smallest = int(labels.unique(return_counts=True)[1].min())
    check_integer("count", count, 1, smallest, why=f": the smallest class has {smallest} examples")
    order = torch.randperm(len(labels), generator=seeded_generator(seed, f"some of each {draw}"))
    return torch.cat([order[labels[order] == label][:count] for label in labels.unique()])


def tune(
    head: nn.Module, features: Tensor, labels: Tensor, loss: Loss, *, epochs: int = 8, steps: int = 60,
    rate: float = 1e-3, weight_decay: float = 1e-4, seed: int = 0,
) -> Iterator[nn.Module]:  # fmt: skip
    """Train a head on features (n, D) with AdamW, its rate falling to 0 as a cosine; yield it after each epoch.

    An epoch is `steps` steps, whatever n is, so that few labels are learned as thoroughly as many. Examples come in
    shuffled passes; what is left over at the end of a pass is dropped, since batch normalization can't do with one
    example. Raises a ValueError, at the call, for arguments that can't be, as fewer than two examples,
    or features of another length than the head takes.
    """
    check_integer("epochs", epochs, 1)
    check_integer("steps", steps, 1)
    check_number("rate", rate, 0, above=True)
    check_number("weight_decay", weight_decay, 0)
    check_rows("labels", labels, features, least=2)
    takes = next((layer.in_features for layer in head.modules() if isinstance(layer, nn.Linear)), features.shape[1])
    if takes != features.shape[1]:
        raise ValueError(f"features has {features.shape[1]} columns, and the head takes {takes}; make one for as many")
    generator = seeded_generator(seed, "tuning")
    return _tuning(head, features, labels, loss, epochs, steps, rate, weight_decay, generator)


def _tuning(head, features, labels, loss, epochs, steps, rate, weight_decay, generator):
    optimizer = adam(head.parameters(), rate, weight_decay=weight_decay, decoupled=True)
    batches = endless_batches(len(features), generator)
    for epoch in range(epochs):
        head.train()
        for step in range(epoch * steps, (epoch + 1) * steps):
            optimizer.param_groups[0]["lr"] = rate * (1 + math.cos(math.pi * step / (epochs * steps))) / 2
            batch = next(batches)
            descend(optimizer, loss(head, features[batch], labels[batch]))
        yield head.eval()


def endless_batches(count: int, generator: torch.Generator, size: int = BATCH) -> Iterator[Tensor]:
    """Places of whole batches, of `size` or of all examples where there are fewer, one shuffled pass after another."""
    size = min(size, count)
    while True:
        order = torch.randperm(count, generator=generator)
        yield from order[: count - count % size].split(size)


def check_rows(name: str, labels: Tensor, rows: Tensor, *, least: int = 1) -> None:
    """Raise a ValueError unless there are at least so many rows, and as many labels."""
    if labels.shape != rows.shape[:1] or len(rows) < least:
        raise ValueError(f"{name} has shape {tuple(labels.shape)} for {len(rows)} examples; it must be one each, and "
                         f"there must be at least {least}")  # fmt: skip


def accuracy(model: nn.Module, inputs: Tensor, labels: Tensor) -> float:
    """The share of inputs (N, …), images or features, of which a network or a head says their label (N,)."""
    return (evaluate(model, inputs).argmax(1) == labels).double().mean().item()
