"""Means over seeds, with what they leave open."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from nlkit.checks import check_number


class Interval(NamedTuple):
    """A mean, and half the width of its confidence interval."""

    mean: float
    half: float

    @property
    def low(self) -> float:
        return self.mean - self.half

    @property
    def high(self) -> float:
        return self.mean + self.half

    @property
    def sign(self) -> int:
        """1 if all of the interval lies above 0, -1 if all of it lies below, 0 if it contains 0."""
        return int(self.low > 0) - int(self.high < 0)

    def percent(self) -> str:
        """A share in [0, 1] as text in percent, such as "83.1 ± 0.9"."""
        return in_percent(self)


def mean_interval(values: Sequence[float], level: float = 0.95) -> Interval:
    """The mean of `values` and its confidence interval by Student's t (Student 1908), one value a seed.

    For a comparison of two methods that share their seeds see `paired_interval`. Raises a ValueError for fewer than two
    values.
    """
    check_number("level", level, 0, 1 - 1e-9, above=True)
    values = [check_number(f"values[{i}]", v) for i, v in enumerate(values)]
    if len(values) < 2:
        raise ValueError(f"values={values!r} must be two or more; one run has no interval")
    count, mean = len(values), math.fsum(values) / len(values)
    spread = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (count - 1))
    return Interval(mean, _quantile((1 + level) / 2, count - 1) * spread / math.sqrt(count))


@functools.cache
def _quantile(share: float, freedom: int) -> float:
    """Of Student's t. Looked up, since a picture takes hundreds of intervals with the same number of seeds."""
    from scipy.stats import t

    return float(t.ppf(share, freedom))


def over_seeds(values: Sequence[float]) -> Interval:
    """As `mean_interval`, but of a single value too: its half width is NaN."""
    return mean_interval(values) if len(values) > 1 else Interval(values[0], math.nan)


def in_percent(interval: Interval, *, signed: bool = False) -> str:
    """A mean share with its interval in percent, or alone where it has none (a half width of NaN)."""
    mean = f"{100 * interval.mean:+.1f}" if signed else f"{100 * interval.mean:.1f}"
    mean = mean if mean.strip("+-0.") else "0.0"  # nothing is not "-0.0"
    return mean if math.isnan(interval.half) else f"{mean} ± {100 * interval.half:.1f}"


def paired_interval(ours: Sequence[float], theirs: Sequence[float], level: float = 0.95) -> Interval:
    """The mean of `ours` minus `theirs` and its confidence interval, the two paired seed by seed.

    Two methods with one seed share data, initial weights and batches, so that much of their scatter is common and drops
    out of the difference: this interval is much narrower than two intervals side by side. Raises a ValueError for
    sequences of different lengths, or of fewer than two values.
    """
    if len(ours) != len(theirs):
        raise ValueError(f"ours has {len(ours)} values and theirs {len(theirs)}; they must be as many, seed by seed")
    return mean_interval([a - b for a, b in zip(ours, theirs)], level)


def counted(numbers: Iterable[int], thing: str = "seed") -> str:
    """How many of something there are, in words: "5 seeds", or "1 to 3 seeds"."""
    sizes = set(numbers)
    most = max(sizes)
    return f"{'' if len(sizes) == 1 else f'{min(sizes)} to '}{most} {thing}{'s' if most > 1 else ''}"
