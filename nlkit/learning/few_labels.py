"""Learning from few labelled images and many unlabelled ones, which are seen in two views.

The network is 196-128-64-K on 14 × 14 pixels. Adam has weight decay 5e-4, and at step t of T the rate
2e-3 cos(7πt/16T), as FixMatch has it (Sohn and others 2020, arXiv:2001.07685). What is measured is a moving average of
the weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from nlkit.checks import check_integer
from nlkit.learning.models import build_model
from nlkit.learning.optimizers import averaged_network, build_optimizer, clear_gradients, take_step
from nlkit.learning.views import View
from nlkit.randomness import seeded_generator

LABELLED, UNLABELLED, EVERY = 32, 128, 25  # images a step; steps from one look to the next
RATE, DECAY, KEPT = 2e-3, 5e-4, 0.995  # KEPT: of the average, a step


class Batch(NamedTuple):
    """What is learned from in a step: B labelled images, and U others in two views each; U may be 0."""

    images: Tensor  # (B, C, H, W), in the view that is asked for
    labels: Tensor  # (B,) as given
    weak: Tensor  # (U, C, H, W) a little changed
    strong: Tensor  # (U, C, H, W) the same images, changed much
    places: Tensor  # (U,) which they are: to measure with, and not to learn from
    progress: float  # share of the steps that are done, 0 at first


class Views(NamedTuple):
    """In which view each kind of image is seen."""

    labelled: View
    weak: View
    strong: View


Loss = Callable[[Any, Batch], Tensor]  # of the network and a batch


def new_network(shape: torch.Size, classes: int, seed: int) -> nn.Sequential:
    """An untrained network for images of `shape` (C, H, W), drawn from `seed`."""
    network = build_model("mlp", tuple(shape), classes, seed=seed)
    assert isinstance(network, nn.Sequential)
    return network


def looks(steps: int) -> int:
    """How often `learn` yields."""
    return -(-steps // EVERY)


def learn(
    network: nn.Module, labelled: tuple[Tensor, Tensor], unlabelled: Tensor, loss: Loss, views: Views,
    *, steps: int, seed: int,
) -> Iterator[nn.Module]:  # fmt: skip
    """Take steps down `loss`, and yield after every 25, and at the end, the averaged network, which then goes on.

    labelled: images (n, C, H, W) and their labels (n,). unlabelled: (m, C, H, W); none for a loss that needs none.
    A batch draws from both with replacement. seed: draws batches and views; those of labelled images are the same
    whether others are seen or not.
    Raises a ValueError, at the call, for less than a step, or no labelled image.
    """
    check_integer("steps", steps, 1)
    check_integer("the number of labelled images", len(labelled[0]), 1)
    return _looks(network, labelled, unlabelled, loss, views, steps, seed)


def _looks(network, labelled, unlabelled, loss, views, steps, seed):
    optimizer, averaged = build_optimizer("adam", network, RATE, DECAY), averaged_network(network, KEPT)
    generators = [seeded_generator(seed, kind) for kind in ("labelled images", "unlabelled images")]
    for first in range(0, steps, EVERY):
        count = min(EVERY, steps - first)
        for batch in _drawn(labelled, unlabelled, views, first, count, steps, generators):
            for group in optimizer.param_groups:
                group["lr"] = RATE * math.cos(7 * math.pi * batch.progress / 16)
            clear_gradients(optimizer)
            loss(network, batch).backward()
            take_step(optimizer)
            averaged.update_parameters(network)
        yield averaged


def _drawn(labelled, unlabelled, views, first, count, steps, generators):
    """The batches of the next `count` steps. Their views are made at once, which takes half the time."""
    images, labels = labelled
    of_ours, of_others = generators
    places = torch.randint(len(images), (count * LABELLED,), generator=of_ours)
    seen = views.labelled(images[places], of_ours)
    many = count * UNLABELLED if len(unlabelled) else 0
    others = torch.randint(max(1, len(unlabelled)), (many,), generator=of_others)
    pairs = [view(unlabelled[others], of_others) for view in (views.weak, views.strong)]
    parts = [each.view(count, len(each) // count, *each.shape[1:]) for each in (seen, labels[places], *pairs, others)]
    for step, part in enumerate(zip(*parts), start=first):
        yield Batch(*part, progress=step / steps)
