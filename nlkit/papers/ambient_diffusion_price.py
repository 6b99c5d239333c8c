"""What a noisy sample is worth where it can be computed: k groups on a line, and the question where their centres are.

    p_s(x) = 1/k Σ_j N(x; μ_j, 1 + s²),  μ_j = 1.5 j                  samples with noise of strength s on top
    I_s = E[∇_μ log p_s ∇_μ log p_sᵀ]                                 Fisher information about the centres
    risk of n_c clean and n_n noisy samples ≈ tr (n_c I_0 + n_n I_s)⁻¹

The last line is the squared error of the best estimator with many samples. The *price* of a clean sample is the
number of noisy ones that do as much alone, tr I_s⁻¹ / tr I_0⁻¹.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlkit.checks import check_integer, check_number
from nlkit.records import Measured
from nlkit.settings import check_settings, setting

APART, GRID = 1.5, 4001  # between centres; points at which the integral is taken


def fisher_information(groups: int, strength: float) -> NDArray:
    """(k, k) of one sample with noise of this strength about the centres of k groups.

    Raises a ValueError for fewer groups than 1 and a strength below 0.
    """
    check_integer("groups", groups, 1)
    variance = 1 + check_number("strength", strength, 0) ** 2
    centres, reach = APART * np.arange(groups), 10 * math.sqrt(variance)
    x, step = np.linspace(-reach, centres[-1] + reach, GRID, retstep=True)
    each = np.exp(-((x[:, None] - centres) ** 2) / (2 * variance)) / (groups * math.sqrt(2 * math.pi * variance))
    density = each.sum(1, keepdims=True)
    slopes = each / density * (x[:, None] - centres) / variance  # ∇_μ log p, at x
    return (slopes * density).T @ slopes * step


def risk(groups: int, strength: float, clean: float, noisy: float) -> float:
    """Squared error summed over centres, times the number of samples, of which these shares are clean and noisy."""
    total = clean * fisher_information(groups, 0) + noisy * fisher_information(groups, strength)
    return float(np.trace(np.linalg.inv(total)))


@dataclass(frozen=True)
class Price:
    """A record for each number of groups. In its `numbers`: "groups" k, "price", and "cut", how many times smaller the
    risk is with a share of clean samples than with noisy ones alone.
    """

    strength: float = setting(2.0, "s: noise (a group varies by 1)", low=0.0, high=3.0, knob=True)
    clean: float = setting(0.05, "share of the samples that is clean", low=0.0, high=1.0, knob=True)
    groups: int = setting(5, "k: groups, at most", low=1, high=6)
    seed: int = setting(0, "decides nothing here: nothing is drawn", low=0)

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def epochs(self) -> int:
        return self.groups

    def run(self, *, steps: bool = False) -> Iterator[Measured]:
        for k in range(1, self.groups + 1):
            alone = risk(k, self.strength, 0, 1)
            numbers = {"groups": float(k), "price": alone / risk(k, 0, 0, 1)}
            numbers["cut"] = alone / risk(k, self.strength, self.clean, 1 - self.clean)
            yield Measured(k, numbers)
