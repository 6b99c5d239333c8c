"""Small networks on small images, and a question that needs no label: by how many quarters was this image turned?

    Gidaris, Singh, Komodakis: Unsupervised representation learning by predicting image rotations. ICLR 2018,
    arXiv:1803.07728. Class weights by the effective number of examples: Cui, Jia, Lin, Song, Belongie, CVPR 2019,
    arXiv:1901.05555:   w_c ∝ (1 - β) / (1 - β^n_c)

An image is seen in one of a few views that are made beforehand, so that a step costs no more than without.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nlkit.checks import check_choice, check_integer, check_number
from nlkit.learning.augment import affine
from nlkit.learning.frozen import endless_batches
from nlkit.learning.models import seeded
from nlkit.learning.optimizers import adam, descend
from nlkit.randomness import seeded_generator

RATE, TURNS = 2e-3, 4  # Adam's rate, which falls to 0 as a cosine
VIEWS = ("none", "shift", "strong")
STRONG, DRAWN = 0.6, 9  # strength of an affine view: up to 6° and 1.2 pixels; how many are drawn of each image


def new_network(pixels: int, classes: int, seed: int) -> nn.Sequential:
    """196-128-64-K from images (B, C, H, W); torch's global random state stays as it was."""
    return seeded(
        lambda: nn.Sequential(
            nn.Flatten(), nn.Linear(pixels, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, classes)
        ),
        seed,
    )


def new_head(network: nn.Sequential, classes: int, seed: int) -> nn.Sequential:
    """A copy of the network with a new last layer, for so many classes; all else it keeps, and may go on learning."""
    head = seeded(lambda: nn.Sequential(nn.Linear(network[-1].in_features, classes)), seed)
    return nn.Sequential(*copy.deepcopy(network[:-1]), head[0])


def views_of(images: Tensor, kind: str, seed: int) -> Tensor:
    """(N, V, C, H, W): each image as it is ("none"), moved by up to a pixel (the nine ways), or in nine "strong" views.

    Strong views are those of `nlkit.learning.augment.affine`. What comes from outside an image continues its edge.
    """
    if check_choice("kind", kind, VIEWS) == "none":
        return images[:, None]
    if kind == "strong":
        many = images.repeat_interleave(DRAWN, 0)
        return affine(many, seeded_generator(seed, "strong views"), STRONG).view(len(images), DRAWN, *images.shape[1:])
    height, width = images.shape[-2:]
    padded = F.pad(images, (1, 1, 1, 1), mode="replicate")
    return torch.stack([padded[..., r : r + height, c : c + width] for r in range(3) for c in range(3)], 1)


def class_weights(counts: Tensor, beta: float = 0.9999) -> Tensor:
    """w (K,) of classes of so many examples each (K,), of mean 1; a class without any weighs nothing."""
    check_number("beta", beta, 0, 1 - 1e-9)
    weights = torch.where(counts > 0, (1 - beta) / (1 - beta ** counts.double()).clamp(min=1e-300), 0.0)
    return (weights / weights.sum() * len(counts)).float()


def turned(images: Tensor, quarters: Tensor) -> Tensor:
    """Images (B, C, H, H), each turned by so many quarters (B,), counterclockwise."""
    found = images.clone()
    for quarter in range(1, TURNS):
        found[quarters == quarter] = images[quarters == quarter].rot90(quarter, (-2, -1))
    return found


def all_turns(count: int, generator: torch.Generator) -> Tensor:
    """0, 1, 2 or 3 quarters for each of `count` images, in random order, each as often as another, give or take one."""
    return (torch.arange(count) % TURNS)[torch.randperm(count, generator=generator)]


def learn(
    network: nn.Sequential, views: Tensor, labels: Tensor, *, steps: int, every: int = 50,
    weights: Tensor | None = None, seed: int = 0,
) -> Iterator[nn.Sequential]:  # fmt: skip
    """Train the network on labels (N,) of images in views (N, V, C, H, W); yield it every so many steps, and at last.

    It is one and the same, and changes when it goes on. weights: (K,) of the classes in the cross-entropy. Batches are
    of 64, or of all where there are fewer. Raises a ValueError, at the call, for what can't be.
    """
    check_integer("steps", steps, 0)
    check_integer("every", every, 1)
    if labels.shape != views.shape[:1] or not len(labels):
        raise ValueError(f"labels has shape {tuple(labels.shape)} for {len(views)} images; it must be one each, of one "
                         "or more")  # fmt: skip
    generator = seeded_generator(seed, "batches of the tail")

    def loss(batch: Tensor, drawn: Tensor) -> Tensor:
        return F.cross_entropy(network(views[batch, drawn]), labels[batch], weights)

    return _descend(network, loss, len(labels), views.shape[1], steps, every, generator)


def learn_turns(
    network: nn.Sequential, views: Tensor, *, steps: int, every: int = 50, seed: int = 0
) -> Iterator[nn.Sequential]:
    """The same on the question by how many quarters an image was turned; every batch has each answer equally often."""
    check_integer("steps", steps, 0)
    generator, quarters = seeded_generator(seed, "turned batches"), seeded_generator(seed, "quarters")

    def loss(batch: Tensor, drawn: Tensor) -> Tensor:
        asked = all_turns(len(batch), quarters)
        return F.cross_entropy(network(turned(views[batch, drawn], asked)), asked)

    return _descend(network, loss, len(views), views.shape[1], steps, every, generator)


def _descend(
    network: nn.Sequential, loss_of: Callable[[Tensor, Tensor], Tensor], count: int, views: int, steps: int, every: int,
    generator: torch.Generator,
) -> Iterator[nn.Sequential]:  # fmt: skip
    optimizer = adam(network.parameters(), RATE)
    batches = endless_batches(count, generator)
    for step in range(1, steps + 1):
        optimizer.param_groups[0]["lr"] = RATE * (1 + math.cos(math.pi * (step - 1) / steps)) / 2
        batch = next(batches)
        loss = loss_of(batch, torch.randint(views, (len(batch),), generator=generator))
        descend(optimizer, loss)
        if step % every == 0 or step == steps:
            yield network
