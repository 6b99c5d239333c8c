"""Fréchet distance of made digits from real ones, by features of a small classifier: what FID is for photographs.

    d² = ‖μ - μ'‖² + tr(Σ + Σ' - 2 (Σ^½ Σ' Σ^½)^½)

between Gaussians of the features' means and covariances (Heusel and others, NeurIPS 2017, arXiv:1706.08500).
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nlkit.checks import check_integer
from nlkit.data.digit_components import digit_components
from nlkit.learning.models import seeded
from nlkit.learning.optimizers import adam, descend
from nlkit.randomness import seeded_generator

WIDTH, FEATURES, STEPS, BATCH, RATE = 128, 32, 800, 128, 5e-3  # it tells 94 % of the test digits


class DigitFeatures:
    """32 features of digits in components: the last hidden layer of a network that tells clean training digits."""

    def __init__(self, dimension: int = 16) -> None:
        self.layers = _classifier(dimension)

    @torch.no_grad()
    def __call__(self, points: Tensor) -> Tensor:
        """(N, 32) of points (N, dimension)."""
        return self.layers[:-1](points)

    @torch.no_grad()
    def classes(self, points: Tensor) -> Tensor:
        """(N,) the digits that the network takes them for."""
        return self.layers(points).argmax(1)


@functools.lru_cache(maxsize=2)
def _classifier(dimension: int) -> nn.Sequential:
    """Trained once, always in the same way, whatever the seed of a run."""
    world = digit_components(dimension)
    layers = seeded(
        lambda: nn.Sequential(
            nn.Linear(dimension, WIDTH), nn.ReLU(), nn.Linear(WIDTH, FEATURES), nn.ReLU(), nn.Linear(FEATURES, 10)
        ),
        0,
    )
    optimizer, generator = adam(layers.parameters(), RATE), seeded_generator(0, "digit features")
    for step in range(STEPS):
        optimizer.param_groups[0]["lr"] = RATE * (1 - step / STEPS)
        batch = torch.randint(len(world.train), (BATCH,), generator=generator)
        descend(optimizer, F.cross_entropy(layers(world.train[batch]), world.train_labels[batch]))
    return layers.requires_grad_(False)


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """d² between features a (N, k) and b (M, k). Raises a ValueError for a set of no more examples than features."""
    for name, features in (("a", a), ("b", b)):
        check_integer(name, len(features), features.shape[1] + 1, why=": more examples than features")
    a, b = a.double(), b.double()
    within, other = (x.T.cov().reshape(x.shape[1], x.shape[1]) for x in (a, b))
    values, directions = torch.linalg.eigh(within)
    root = directions * values.clamp(min=0).sqrt() @ directions.T
    both = torch.linalg.eigvalsh(root @ other @ root).clamp(min=0).sqrt().sum()
    return ((a.mean(0) - b.mean(0)).square().sum() + within.trace() + other.trace() - 2 * both).item()
