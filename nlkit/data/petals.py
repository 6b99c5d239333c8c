"""Petals of irises as a population that is known: a mixture of three Gaussians, one a species. And noised petals.

Fisher's table (in scikit-learn) has 150 flowers. Mean and covariance of each species are taken from it, standardised
over all three. What is drawn are then new flowers, and what is expected of one with noise has a closed form:

    X_t = α X₀ + √h ε,  α = e^(-t/2),  h = 1 - e^(-t),  ε ~ N(0, I),  f*(t, x) = E[X₀ | X_t = x]
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import torch
from torch import Tensor

from nlkit.checks import check_integer, check_number
from nlkit.randomness import seeded_generator

START = 0.1  # T₀, the first time: at 0 there is no noise to be taken out


class Mixture(NamedTuple):
    """K Gaussians in d dimensions, in float64."""

    shares: Tensor  # (K,), sum 1
    means: Tensor  # (K, d)
    covariances: Tensor  # (K, d, d)

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """(count, d) points."""
        which = torch.multinomial(self.shares, count, replacement=True, generator=generator)
        normal = torch.randn(count, self.means.shape[1], generator=generator, dtype=torch.float64)
        spread = torch.linalg.cholesky(self.covariances)[which]
        return self.means[which] + (spread @ normal[:, :, None])[:, :, 0]

    def denoised(self, x: Tensor, sigma: Tensor) -> Tensor:
        """(N, d) E[X₀ | X₀ + σ ε = x] of x (N, d) and sigma (N, 1)."""
        log_densities, off, total = self._parts(x, sigma)
        each = self.means + torch.einsum("kij,nkj->nki", self.covariances, torch.linalg.solve(total, off))
        return (log_densities.softmax(1)[:, :, None] * each).sum(1)

    def log_density(self, x: Tensor, sigma: Tensor) -> Tensor:
        """(N,) log density of X₀ + σ ε at x (N, d); sigma (N, 1)."""
        return self._parts(x, sigma)[0].logsumexp(1)

    def _parts(self, x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(N, K) log of share and density, (N, K, d) x - μ_k, (N, K, d, d) Σ_k + σ² I."""
        total = self.covariances + sigma[:, :, None, None] ** 2 * torch.eye(x.shape[1], dtype=torch.float64)
        off = x[:, None] - self.means
        squared = (off * torch.linalg.solve(total, off)).sum(2)
        constant = total.logdet() + x.shape[1] * math.log(2 * math.pi)
        return self.shares.log() - (squared + constant) / 2, off, total


@functools.lru_cache(maxsize=2)
def petals(dimension: int = 1) -> Mixture:
    """The population of petal lengths (1) or of lengths and widths (2); Fisher's table has mean 0 and variance 1."""
    from sklearn.datasets import load_iris

    check_integer("dimension", dimension, 1, 2)
    table = load_iris()
    measured = torch.tensor(table.data[:, 2 : 2 + dimension])
    measured = (measured - measured.mean(0)) / measured.std(0, correction=0)
    species = [measured[torch.tensor(table.target == k)] for k in range(3)]
    covariances = torch.stack([flowers.T.cov(correction=0).reshape(dimension, dimension) for flowers in species])
    return Mixture(torch.full((3,), 1 / 3, dtype=torch.float64), torch.stack([f.mean(0) for f in species]), covariances)


class Examples(NamedTuple):
    """n examples in d dimensions, in float64."""

    z: Tensor  # (n, d + 2) inputs: X_t, t - T₀ and 1
    labels: Tensor  # (n, d) X₀
    expected: Tensor  # (n, d) f*(t, X_t): what the labels are on average

    @property
    def times(self) -> Tensor:
        """(n,) t."""
        return self.z[:, -2] + START


def noised(x: Tensor, t: Tensor, noise: Tensor) -> Tensor:
    """(n, d) X_t of X₀ x (n, d) at times t (n, 1)."""
    return (-t / 2).exp() * x + (1 - (-t).exp()).sqrt() * noise


def inputs(x: Tensor, t: Tensor) -> Tensor:
    """(n, d + 2) what the network sees of X_t x (n, d) at times t (n, 1)."""
    return torch.cat([x, t - START, torch.ones_like(t)], 1)


def expected(x: Tensor, t: Tensor) -> Tensor:
    """(n, d) f*(t, x) of x (n, d), t (n, 1): X_t/α is X₀ with noise of strength √h/α, and so a denoiser says it."""
    alpha, h = (-t / 2).exp(), 1 - (-t).exp()
    return petals(x.shape[1]).denoised(x / alpha, h.sqrt() / alpha)


def draw_examples(count: int, dimension: int, horizon: float, seed: int, purpose: str = "examples") -> Examples:
    """`count` examples, one draw of noise each, of times from T₀ to `horizon` T.

    Raises a ValueError for fewer than two examples, and a horizon of T₀ or less.
    """
    check_integer("count", count, 2)
    check_number("horizon", horizon, START, above=True)
    generator = seeded_generator(seed, purpose)
    labels = petals(dimension).draw(count, generator)
    t = START + (horizon - START) * torch.rand(count, 1, generator=generator, dtype=torch.float64)
    x = noised(labels, t, torch.randn(labels.shape, generator=generator, dtype=torch.float64))
    return Examples(inputs(x, t), labels, expected(x, t))
