"""Sides of a comparison, timed in turn: A B C A B C …, so that what else the machine does falls on all alike."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Row:
    """One line of the results: a median with its quartiles, and how it compares with another side of the same case."""

    part: str
    case: str
    side: str
    median: float
    low: float  # first quartile
    high: float  # third quartile
    repeats: int
    unit: str = "ms"
    base: str | None = None  # the side that `ratio` divides by
    ratio: float | None = None  # median over the rounds of own time / base's time in the same round
    ratio_low: float | None = None
    ratio_high: float | None = None


def seconds_of(act: Callable[[], object]) -> float:
    """How long `act` takes, in seconds."""
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def interleaved(
    sides: dict[str, Callable[[], object]],
    rounds: int,
    *,
    each: int = 1,
    measure: Callable[[Callable[[], object]], float] = seconds_of,
) -> dict[str, list[float]]:
    """Seconds a call of every side, in `rounds` rounds of `each` calls in a row, after one call that does not count."""
    for act in sides.values():
        act()
    taken = {name: [] for name in sides}
    for _ in range(rounds):
        for name, act in sides.items():
            taken[name].append(sum(measure(act) for _ in range(each)) / each)
    return taken


def rows_of(part: str, case: str, taken: dict[str, list[float]], base: str, scale: float = 1e3, unit: str = "ms"):
    """Rows for the sides of one case; `base` is the side that the others are divided by."""
    return [
        Row(
            part, case, side,
            *(scale * value for value in _quartiles(seconds)), len(seconds), unit,
            base, *_quartiles([own / other for own, other in zip(seconds, taken[base])]),
        )
        for side, seconds in taken.items()
    ]  # fmt: skip


def single(part: str, case: str, side: str, values: list[float], unit: str) -> Row:
    """A row that is compared with nothing."""
    return Row(part, case, side, *_quartiles(values), len(values), unit)


def _quartiles(values: list[float]) -> tuple[float, float, float]:
    low, median, high = np.percentile(values, [25, 50, 75])
    return float(median), float(low), float(high)
