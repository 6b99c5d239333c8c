"""The theory of the value of labels: pseudo-labels on two bells, and a question that makes a rare class easy to tell.

    Yang, Xu: Rethinking the value of labels for improving class-imbalanced learning. NeurIPS 2020, arXiv:2006.07529.

Theorem 1. X | + ~ N(μ₁, σ²), X | - ~ N(μ₂, σ²); the best threshold is ½ (μ₁ + μ₂). Of the examples that a classifier
calls positive the share p is, of the others the share q is negative. If its errors are *drawn at random* in each class,

    θ̂   = ½ (mean of those called positive + mean of those called negative)
    E θ̂ = ½ (μ₁ + μ₂) + ½ (p - q) (μ₁ - μ₂)

whatever the imbalance; its spread is by how few examples the smaller side has. A threshold t does not err at random: it
errs near itself. Its own θ̂, by truncated normal distributions, is T(t) = ½ (E[x | x > t] + E[x | x ≤ t]).

Theorems 2 and 3. X | + ~ N(0, σ² I_d), X | - ~ N(0, β σ² I_d), β > 3: a linear classifier of x errs in a quarter of the
cases or more; one of k₁ ‖x‖² + k₂, a feature that can be learned without labels, errs less and less as d grows.

The theorems are from memory of the paper's text, the first well so. What T(t) does is not in the paper.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist

import numpy
import torch
from numpy.typing import NDArray

from nlkit.randomness import seeded_generator
from nlkit.records import Measured
from nlkit.settings import check_settings, setting

NORMAL = NormalDist()
HIGH, LOW = 1.0, -1.0  # μ₁, μ₂; σ = 1
DRAWS, EXAMPLES = 500, 1000  # of θ̂, and pseudo-labelled examples of each


def above(t: float, mean: float) -> tuple[float, float]:
    """P(x > t) and E[x; x > t] of x ~ N(mean, 1)."""
    share = NORMAL.cdf(mean - t)
    return share, mean * share + NORMAL.pdf(t - mean)


def pseudo_labelled(t: float, positives: float) -> tuple[float, float, float, float]:
    """T(t), the right shares p and q, and the share called positive, where so many (a share) are positive in truth."""
    (high, of_high), (low, of_low) = above(t, HIGH), above(t, LOW)
    called, total = positives * high + (1 - positives) * low, positives * of_high + (1 - positives) * of_low
    mean = positives * HIGH + (1 - positives) * LOW
    p, q = positives * high / called, (1 - positives) * (1 - low) / (1 - called)
    return (total / called + (mean - total) / (1 - called)) / 2, p, q, called


def bias(p: float, q: float) -> float:
    """½ (p - q) (μ₁ - μ₂): by how much errors at random move θ̂ from the best threshold."""
    return (p - q) * (HIGH - LOW) / 2


def balanced_error(t: float) -> float:
    """The mean of both classes' shares that a threshold calls wrongly."""
    return (NORMAL.cdf(t - HIGH) + NORMAL.cdf(LOW - t)) / 2


def estimates(p: float, q: float, called: float, draws: int, seed: int) -> NDArray[numpy.float64]:
    """θ̂ (draws,) of `EXAMPLES` each, a share `called` of them positive; who is called wrongly is drawn at random."""
    generator, means = seeded_generator(seed, "two bells"), []
    count = min(max(round(called * EXAMPLES), 1), EXAMPLES - 1)
    for size, right, own, other in ((count, p, HIGH, LOW), (EXAMPLES - count, q, LOW, HIGH)):
        truly = torch.rand(draws, size, generator=generator, dtype=torch.float64) < right
        noise = torch.randn(draws, size, generator=generator, dtype=torch.float64)
        means.append((torch.where(truly, own, other) + noise).mean(1).numpy())
    return (means[0] + means[1]) / 2


@dataclass(frozen=True)
class Threshold:
    """Pseudo-labelling in one dimension, again and again. A record is a round.

    In its `numbers`: where it came "from", t, and T(t), the "threshold" that it gives; its balanced "error"; of the
    pseudo-labels at t, p, q, the "formula" ½ (p - q) (μ₁ - μ₂), and mean and "spread" of θ̂ as "drawn" with errors at
    random.
    """

    start: float = setting(0.6, "threshold of the first classifier; the best is 0", low=-1.5, high=1.5)
    imbalance_rest: float = setting(1.0, "ρ_U: negatives for each positive without a label", low=1.0, high=100.0)
    rounds: int = setting(8, "rounds of pseudo-labels", low=1, high=50)
    seed: int = setting(0, "draws the examples with errors at random", low=0)

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def epochs(self) -> int:
        return self.rounds

    def run(self, *, steps: bool = False) -> Iterator[Measured]:
        t, positives = self.start, 1 / (1 + self.imbalance_rest)
        for number in range(1, self.rounds + 1):
            threshold, p, q, called = pseudo_labelled(t, positives)
            drawn = estimates(p, q, called, DRAWS, self.seed + 1000 * number)
            yield Measured(number, {
                "from": t, "threshold": threshold, "error": balanced_error(threshold), "p": p, "q": q,
                "formula": bias(p, q), "drawn": float(drawn.mean()), "spread": float(drawn.std(ddof=1)),
            })  # fmt: skip
            t = threshold


@dataclass(frozen=True)
class Shells:
    """A rare class around the origin, and a frequent one farther out, in d dimensions. One record.

    In its `numbers`: the error on as many of each, of a class-balanced logistic regression of x ("linear") and of ‖x‖²
    ("squared").
    """

    dimensions: int = setting(10, "d", low=1, high=200)
    spread: float = setting(4.0, "β: variance of the frequent class, that of the rare one being 1", low=1.0, high=20.0)
    rare: float = setting(0.1, "share of the rare class in training", low=0.01, high=0.5)
    seed: int = setting(0, "draws the examples", low=0)
    epochs = 1

    def __post_init__(self) -> None:
        check_settings(self)

    def run(self, *, steps: bool = False) -> Iterator[Measured]:
        from sklearn.linear_model import LogisticRegression

        generator, parts = seeded_generator(self.seed, "shells"), []
        for rare, frequent in ((round(self.rare * EXAMPLES), round((1 - self.rare) * EXAMPLES)), (2000, 2000)):
            x = torch.randn(rare + frequent, self.dimensions, generator=generator, dtype=torch.float64).numpy()
            x[rare:] *= self.spread**0.5
            parts.append((x, numpy.arange(len(x)) >= rare))
        (x, y), (test, truth) = parts
        numbers = {}
        for name, feature in (("linear", lambda x: x), ("squared", lambda x: (x**2).sum(1, keepdims=True))):
            classifier = LogisticRegression(class_weight="balanced", max_iter=1000).fit(feature(x), y)
            numbers[name] = float((classifier.predict(feature(test)) != truth).mean())
        yield Measured(1, numbers)
