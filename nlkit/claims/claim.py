"""What a claim is: a sentence that can turn out false, and what must be measured for it to hold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Claim:
    """One sentence that can turn out false. It holds when the measured value is in [at_least, at_most].

    What is measured may be one number a cell, such as a place in a map, and then all must be there. The number that is
    shown is the `worst` one.
    """

    id: str
    sentence: str
    source: str
    measure: str  # what the measured number is, in words, for one seed
    at_least: float | None = None
    at_most: float | None = None
    published: str = "—"
    unit: str = "%"  # "%" shows a share in [0, 1] in percent; "points" a difference of two shares; "x" a ratio
    seeds: int = 1  # that the notebook which makes the claim averages over
    lower_end: bool = False  # the lower end of the interval over seeds must hold, and not the mean alone
    timed: bool = False  # a time: it depends on the machine and on what else that does
    why: str = ""  # it does not hold, as far as the reason was found

    def holds(self, value: float | Sequence[float]) -> bool:
        if isinstance(value, Sequence):
            return all(map(self.holds, value))
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)

    def margin(self, value: float) -> float:
        """How far a value is inside the nearer bound; below 0 where the claim does not hold."""
        above = value - self.at_least if self.at_least is not None else math.inf
        return above if self.at_most is None else min(above, self.at_most - value)

    def worst(self, value: float | Sequence[float]) -> float:
        """The number that speaks most against the claim, of one a cell."""
        return min(value, key=self.margin) if isinstance(value, Sequence) else value

    def show(self, value: float | Sequence[float] | None) -> str:
        if value is None:
            return "—"
        value = self.worst(value)
        if self.unit == "x":
            return f"{value:.3g}×" if value >= 1e-2 else f"{value:.0e}"
        return f"{100 * value:.1f} {self.unit}"

    @property
    def measured(self) -> str:
        """What a notebook measures: `measure`, and over how many seeds."""
        seeds = f", mean of {self.seeds} seeds" if self.seeds > 1 else ""
        return f"{self.measure}{seeds}{': lower end of its interval' if self.lower_end else ''}"

    @property
    def bound(self) -> str:
        if self.at_least is not None and self.at_most is not None:
            return f"{self.show(self.at_least)} to {self.show(self.at_most)}"
        return f"≥ {self.show(self.at_least)}" if self.at_most is None else f"≤ {self.show(self.at_most)}"
