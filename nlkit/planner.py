"""Planning a purchase of labels: from accuracies at some purchases to a surface over all, and from prices to a split.

A surface is a Gaussian process (Rasmussen, Williams 2006, chapter 2; scikit-learn's) over log(1 + n / 20) of the noisy
and of the clean labels, the noise ratio, and whether there are clean labels at all, where a stage more makes a jump:
one for each recipe, by which both kinds are learned from. It takes means over seeds, each as uncertain as its seeds
scatter, with variances averaged over neighbours. So it tells two things apart: how well the mean is known, and how far
a single run may be from it.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy

from nlkit.checks import check_number

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

FEW, SPLITS, DRAWS, NEAR, _WIDTH = (
    10,
    51,
    1000,
    0.02,
    0.6,
)  # FEW: labels, of which fewer are not planned; NEAR: as good as the best


class Expected(NamedTuple):
    """Of each purchase: the accuracy to expect, and two standard deviations."""

    mean: NDArray  # (n,) in [0, 1]
    unknown: NDArray  # (n,) of the mean: what more runs would tell
    scatter: NDArray  # (n,) of a single run around it: what stays

    @property
    def low(self) -> NDArray:
        """The lower end of the 95 % interval of a single run."""
        return (self.mean - self.half).clip(0, 1)

    @property
    def high(self) -> NDArray:
        return (self.mean + self.half).clip(0, 1)

    @property
    def half(self) -> NDArray:
        return 1.96 * numpy.hypot(self.unknown, self.scatter)


@dataclass(frozen=True, eq=False)
class Surface:
    """Accuracies by purchase: rows (noisy labels, clean labels, noise ratio), each from `low` to `high` (3,)."""

    processes: Mapping[str, Any]  # recipe -> scikit-learn's regressor
    known: NDArray  # (m, 3) what it was fitted to
    variances: Mapping[str, NDArray]  # recipe -> (m,) of the seeds there
    scale: tuple[float, float]  # what the processes' values are shifted and divided by

    @property
    def low(self) -> NDArray:
        return self.known.min(0)

    @property
    def high(self) -> NDArray:
        return self.known.max(0)

    def expect(self, recipe: str, purchases: ArrayLike) -> Expected:
        """What to expect of purchases (n, 3). Raises a ValueError for one beyond what the surface was fitted to."""
        at = self._checked(purchases)
        mean, unknown = self.processes[recipe].predict(_features(at), return_std=True)
        scatter = _scatter(at, self.known, self.variances[recipe])
        return Expected((self.scale[0] + self.scale[1] * mean).clip(0, 1), self.scale[1] * unknown, scatter)

    def draws(self, recipe: str, purchases: ArrayLike, count: int = DRAWS) -> NDArray:
        """Surfaces (count, n) that are possible by what is known, at purchases (n, 3)."""
        at = _features(self._checked(purchases))
        return self.scale[0] + self.scale[1] * self.processes[recipe].sample_y(at, count, random_state=0).T

    def _checked(self, purchases: ArrayLike) -> NDArray:
        at = numpy.asarray(purchases, float)
        beyond = (at < self.low - 1e-9) | (at > self.high + 1e-9)
        if beyond.any() or not numpy.isfinite(at).all():
            row, column = numpy.argwhere(beyond | ~numpy.isfinite(at))[0]
            name = ("noisy labels", "clean labels", "ratio")[column]
            limits = f"from {self.low[column]:g} to {self.high[column]:g}, where there are measurements"
            raise ValueError(f"{name}={at[row, column]:g} must be {limits}")
        return at


def fit_surface(purchases: ArrayLike, accuracies: Mapping[str, ArrayLike]) -> Surface:
    """A surface through measured accuracies.

    purchases: (n, 3) noisy labels, clean labels, noise ratio. accuracies: recipe -> (n, seeds), two seeds or more.
    Raises a ValueError for shapes that don't fit, and for values outside [0, 1].
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern

    at = numpy.asarray(purchases, float)
    values = {recipe: numpy.asarray(seen, float) for recipe, seen in accuracies.items()}
    for recipe, seen in values.items():
        if at.ndim != 2 or at.shape[1] != 3 or seen.ndim != 2 or len(seen) != len(at) or seen.shape[1] < 2:
            raise ValueError(f"accuracies[{recipe!r}] has shape {seen.shape} and purchases {at.shape}; they must be "
                             "(n, seeds), with two seeds or more, and (n, 3)")  # fmt: skip
        if not ((seen >= 0) & (seen <= 1)).all():
            raise ValueError(f"accuracies[{recipe!r}] must be shares from 0 to 1")
    everything = numpy.concatenate([seen.mean(1) for seen in values.values()])
    shift, scale = float(everything.mean()), float(everything.std()) or 1.0
    variances = {recipe: seen.var(1, ddof=1) for recipe, seen in values.items()}
    processes = {}
    for recipe, seen in values.items():
        uncertain = _scatter(at, at, variances[recipe]) ** 2 / seen.shape[1] / scale**2
        kernel = ConstantKernel(1.0) * Matern([2.0, 2.0, 0.5, 1.0], (0.2, 50), nu=2.5)
        process = GaussianProcessRegressor(kernel, alpha=uncertain + 1e-6)
        with warnings.catch_warnings():  # of a length at its upper bound, where accuracy does not hang on that number
            warnings.simplefilter("ignore", ConvergenceWarning)
            processes[recipe] = process.fit(_features(at), (seen.mean(1) - shift) / scale)
    return Surface(processes, at, variances, (shift, scale))


def _features(at: NDArray) -> NDArray:
    return numpy.column_stack([numpy.log1p(at[:, :2] / 20), at[:, 2], at[:, 1] > 0])


def _scatter(at: NDArray, known: NDArray, variances: NDArray) -> NDArray:
    """The standard deviation of a run at `at` (n, 3), from the variances (m,) at purchases `known` (m, 3) around it."""
    apart = (_features(at)[:, None] - _features(known)) / (_WIDTH, _WIDTH, _WIDTH / 3, _WIDTH)
    near = numpy.exp(-0.5 * (apart**2).sum(2))  # (n, m)
    return numpy.sqrt(near @ variances / near.sum(1))


@dataclass(frozen=True, eq=False)
class Plan:
    """The best split of a budget, and all that were compared. Accuracies are in [0, 1]."""

    noisy: int
    clean: int
    recipe: str
    accuracy: float  # to expect
    low: float  # of the 95 % interval of a single run
    high: float
    sure: float  # chance that no other split and recipe is better by more than two points
    left_over: float  # money that buys nothing, since no more labels of a kind were measured
    shares: NDArray  # (n,) of the budget that goes to clean labels
    purchases: NDArray  # (n, 3) of all splits
    expected: Mapping[str, Expected]  # recipe -> of all splits

    def __str__(self) -> str:
        return (
            f"{self.clean:,} clean and {self.noisy:,} noisy labels, {self.recipe}: {self.accuracy:.1%} "
            f"({self.low:.1%} to {self.high:.1%}), within two points of the best with a chance of {self.sure:.0%}"
        )


def plan(surface: Surface, noisy_price: float, clean_price: float, budget: float, ratio: float) -> Plan:
    """The split of a budget between noisy and clean labels, and the recipe, of which the surface expects most.

    noisy_price, clean_price: of a label, above 0. budget: in the same money. ratio: noise ratio of the noisy labels. Of
    a kind no more are bought than the surface knows of; what is then left over is told. `sure` counts, among surfaces
    that are possible by the measurements, those in which the split is at most two points from the best.

    Raises a ValueError for a price that is not above 0, a ratio that the surface does not know, and a budget for which
    there are fewer than 10 labels of the cheaper kind.
    """
    prices = [
        check_number(n, p, 0, above=True) for n, p in (("noisy_price", noisy_price), ("clean_price", clean_price))
    ]
    check_number("budget", budget, 0)
    check_number("ratio", ratio, float(surface.low[2]), float(surface.high[2]))
    if budget < FEW * min(prices):
        raise ValueError(f"budget={budget:g} buys fewer than {FEW} labels at {min(prices):g}; it must be at least "
                         f"{FEW * min(prices):g}")  # fmt: skip
    shares = numpy.linspace(0, 1, SPLITS)
    clean = numpy.minimum(numpy.floor(shares * budget / prices[1] + 1e-9), surface.high[1])
    left = (1 - shares) * budget
    noisy = numpy.minimum(numpy.floor(left / prices[0] + 1e-9), surface.high[0])
    kept = noisy + clean >= FEW
    purchases = numpy.column_stack([noisy, clean, numpy.full(SPLITS, ratio)])[kept]
    expected = {recipe: surface.expect(recipe, purchases) for recipe in surface.processes}
    recipe = max(expected, key=lambda name: expected[name].mean.max())
    best = int(expected[recipe].mean.argmax())
    drawn = {name: surface.draws(name, purchases) for name in expected}
    highest = functools.reduce(numpy.maximum, (each.max(1) for each in drawn.values()))  # (draws,)
    sure = float((drawn[recipe][:, best] >= highest - NEAR).mean())
    bought, found = purchases[best], expected[recipe]
    return Plan(
        int(bought[0]), int(bought[1]), recipe, float(found.mean[best]), float(found.low[best]),
        float(found.high[best]), sure, float(budget - bought[:2] @ prices), shares[kept], purchases, expected,
    )  # fmt: skip
