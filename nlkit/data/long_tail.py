"""Data from many small subpopulations: what one that was seen so many times is worth, and samples of them.

A subpopulation is a point x with a share α_x of all data and one true label. The formulas are Feldman's (STOC 2020,
arXiv:1906.05271); that a sample tells them too is Good's and Turing's (Good, Biometrika 1953).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from nlkit.checks import check_integer, check_number
from nlkit.randomness import seeded_generator
from nlkit.records import Measured
from nlkit.settings import check_settings, setting

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

MOST_SEEN = 8  # points seen as often or more often are one bar of a picture


def tail_of(subpopulations: int, exponent: float) -> NDArray:
    """Shares α (N,) that sum to 1 and fall as 1/rank^exponent; with 0 all are equal."""
    check_integer("subpopulations", subpopulations, 1)
    check_number("exponent", exponent, 0)
    shares = np.arange(1, subpopulations + 1, dtype=np.float64) ** -exponent
    return shares / shares.sum()


def expected_mass(shares: ArrayLike, n: int, seen: int) -> float:
    """τ_ℓ: what share of all data a point has, on average, that was seen `seen` times in n draws.

    shares: α (N,), above 0, summing to 1. τ_ℓ = E[α^(ℓ+1) (1 - α)^(n-ℓ)] / E[α^ℓ (1 - α)^(n-ℓ)], over a point that is
    drawn uniformly. Powers are taken as logarithms, for they underflow. Raises a ValueError for anything else.
    """
    alpha = np.asarray(shares, dtype=np.float64)
    if alpha.ndim != 1 or not (alpha > 0).all() or abs(alpha.sum() - 1) > 1e-9:
        raise ValueError(f"shares must be numbers above 0 that sum to 1; their shape is {alpha.shape}")
    check_integer("n", n, 1)
    check_integer("seen", seen, 0, n)
    if len(alpha) == 1:
        return 1.0
    logs = seen * np.log(alpha) + (n - seen) * np.log1p(-alpha)
    chances = np.exp(logs - logs.max())
    return float((alpha * chances).sum() / chances.sum())


def good_turing(counts: ArrayLike, seen: int) -> float:
    """The same told by a sample alone: (ℓ + 1) M_{ℓ+1} / (n M_ℓ), of counts (N,) in n draws; NaN where M_ℓ is 0."""
    times = np.bincount(np.asarray(counts), minlength=seen + 2)
    n = int((np.arange(len(times)) * times).sum())
    return float((seen + 1) * times[seen + 1] / (n * times[seen])) if times[seen] else float("nan")


def draw_points(shares: ArrayLike, n: int, classes: int, ratio: float, seed: int) -> tuple[NDArray, NDArray]:
    """True labels (N,) and a table (N, classes): how often each point was drawn with each label, in n draws.

    shares: α (N,). ratio: each drawn label is wrong with this chance, and then uniform on the others.
    """
    check_integer("n", n, 1)
    check_integer("classes", classes, 2)
    check_number("ratio", ratio, 0, 1)
    generator, alpha = seeded_generator(seed, "long tail"), torch.as_tensor(np.asarray(shares))
    true = torch.randint(classes, (len(alpha),), generator=generator)
    drawn = torch.multinomial(alpha, n, replacement=True, generator=generator)
    wrong = torch.rand(n, generator=generator, dtype=torch.float64) < ratio
    away = torch.randint(1, classes, (n,), generator=generator)  # steps to another class
    labels = (true[drawn] + wrong * away) % classes
    table = torch.bincount(drawn * classes + labels, minlength=len(alpha) * classes)
    return true.numpy(), table.reshape(-1, classes).numpy()


def most_seen(table: NDArray, seed: int) -> NDArray:
    """Of each row of a table (N, classes) the label that was seen most; of several one at random."""
    ties = torch.rand(table.shape, generator=seeded_generator(seed, "ties"), dtype=torch.float64).numpy()
    return (table + ties / 2).argmax(1)


@dataclass(frozen=True)
class Tail:
    """A learner that gives each point its most frequent label, if that was seen often enough, and else guesses.

    A record is a draw; its `numbers` are means over the draws so far: the test error, by how much it is above that of
    fitting everything ("cost") and what the formula says, the share of wrong labels that are "memorized", n τ₁, and
    the same by Good and Turing.
    """

    ratio: float = setting(0.2, "η: chance of a wrong label", low=0.0, high=0.8)
    exponent: float = setting(1.0, "s: shares fall as 1/rank^s", low=0.0, high=2.0)
    subpopulations: int = setting(2000, "N: points", low=50, high=5000)
    least: int = setting(1, "k: labels seen at least so often are fitted", low=1, high=5)
    n: int = setting(2000, "examples", low=100, high=10_000)
    classes: int = setting(10, "m: labels", low=2, high=100)
    draws: int = setting(40, "samples of n examples", low=1, high=1000)
    seed: int = setting(0, "decides all draws", low=0)
    kept = ("test_error", "cost", "formula", "memorized", "n_tau", "good_turing")

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def epochs(self) -> int:
        return self.draws

    def run(self, *, steps: bool = False) -> Iterator[Measured]:
        alpha = tail_of(self.subpopulations, self.exponent)
        tau = [expected_mass(alpha, self.n, seen) for seen in range(5)]
        done: list[dict[str, float]] = []
        for draw in range(self.draws):
            seed = 100_000 * self.seed + draw
            true, table = draw_points(alpha, self.n, self.classes, self.ratio, seed)
            numbers, masses = self._fate(alpha, tau, true, table, most_seen(table, seed))
            done.append(numbers)
            means = {name: float(np.mean([one[name] for one in done if name in one])) for name in done[0]}
            yield Measured(draw + 1, means, {"masses": masses, "least": self.least})

    def _fate(self, alpha, tau, true, table, says) -> tuple[dict[str, float], NDArray]:
        """The numbers of one draw, and the test mass of points by how often they were seen."""
        seen, errs, guessing = table.sum(1), says != true, 1 - 1 / self.classes
        fitted, wrong = seen >= self.least, table.sum() - table[np.arange(len(true)), true].sum()
        numbers = {
            "test_error": float((alpha * np.where(fitted, errs, guessing)).sum()),
            "cost": float((alpha * (guessing - errs))[~fitted & (seen > 0)].sum()),
            "n_tau": self.n * tau[1],
        }
        if (seen == 1).any():
            numbers["good_turing"] = self.n * good_turing(seen, 1)
        if not self.ratio or self.least <= 3:  # a point seen once or twice is given a wrong label with chance η
            times = [int((seen == often).sum()) for often in range(self.least)]
            numbers["formula"] = (guessing - self.ratio) * sum(tau[k] * times[k] for k in range(1, self.least))
        if wrong:
            numbers["memorized"] = float(table[np.arange(len(true)), says][fitted & errs].sum() / wrong)
        return numbers, np.bincount(np.minimum(seen, MOST_SEEN), alpha, minlength=MOST_SEEN + 1)
