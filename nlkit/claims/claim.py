"""What a claim is: a sentence that can turn out false, and what must be measured for it to hold."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Claim:
    """One sentence that can turn out false. It holds when the measured value is in [at_least, at_most]."""

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

    def holds(self, value: float) -> bool:
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)

    def show(self, value: float | None) -> str:
        if value is None:
            return "—"
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
