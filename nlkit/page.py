"""A page: what is told about experiments. A lesson of the course is one, and so is a paper of the atlas.

From the `PAGE` of a module follow its panel (`nlkit.live.panel`), its sweep and its claims on the command line, its
entry in index and book, the last cell of its notebook, and its tests.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from nlkit.plots import Figure


class Kept(Protocol):
    """What is kept of a run: its numbers by epoch."""

    @property
    def curves(self) -> Mapping[str, Sequence[float]]: ...

    def last(self, number: str) -> float: ...

    def highest(self, number: str) -> float: ...


class Trial(Protocol):
    """One seed of a measure: it has the runs made that the measure asks for, each of them once, whoever asks for it."""

    @property
    def seed(self) -> int: ...

    @property
    def device(self) -> str: ...

    @property
    def quick(self) -> bool: ...  # whether the measure should be content with less than it claims

    @property
    def precision(self) -> str: ...  # of the trainings that the measure makes itself; those of `run` have it anyway

    def run(self, variant: str, **changes: Any) -> Any:  # a `nlkit.sweeps.results.Result`
        """The run of a variant of the page, with some settings changed: `t.run("elr", ratio=0.4).last("f1")`."""

    def task(self, data: str = "mnist5k", **settings: Any) -> Any:  # a `nlkit.Task`
        """A noisy-label task with this seed, as `make_task` makes it."""


Value = float | tuple[float, ...]
Measure = Callable[[Trial], float | Sequence[float]]  # a sequence: one number a cell, and then the claim is of each


@dataclass(frozen=True)
class Claim:
    """One sentence that can turn out false. It holds when the measured value is in [at_least, at_most].

    What is measured may be one number a cell, such as a place in a map, and then all must be there. The number that is
    shown is the `worst` one.
    """

    id: str
    sentence: str
    source: str
    measure: Measure = field(compare=False)  # for one seed
    says: str  # the same in words: what the measured number is
    at_least: float | None = None
    at_most: float | None = None
    published: str = "—"
    unit: str = "%"  # "%" shows a share in [0, 1] in percent; "points" a difference of two; "x" a ratio; "" a number
    timed: bool = False  # a time: it depends on the machine and on what else that does
    why: str = ""  # it does not hold, as far as the reason was found

    def holds(self, value: Value) -> bool:
        if isinstance(value, tuple):
            return all(map(self.holds, value))
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)

    def margin(self, value: float) -> float:
        """How far a value is inside the nearer bound; below 0 where the claim does not hold."""
        above = value - self.at_least if self.at_least is not None else math.inf
        return above if self.at_most is None else min(above, self.at_most - value)

    def worst(self, value: Value) -> float:
        """The number that speaks most against the claim, of one a cell."""
        return min(value, key=self.margin) if isinstance(value, tuple) else value

    def show(self, value: Value | None) -> str:
        if value is None:
            return "—"
        value = self.worst(value)
        if not self.unit:
            return f"{value:.3g}"
        if self.unit == "x":
            return f"{value:.3g}×" if value >= 1e-2 else f"{value:.0e}"
        return f"{100 * value:.1f} {self.unit}"

    @property
    def bound(self) -> str:
        if self.at_least is not None and self.at_most is not None:
            return f"{self.show(self.at_least)} to {self.show(self.at_most)}"
        return f"≥ {self.show(self.at_least)}" if self.at_most is None else f"≤ {self.show(self.at_most)}"


@dataclass(frozen=True)
class Page:
    """What is told about experiments of one kind.

    variants: name -> settings, in the order in which they are drawn and offered: a panel's ticks, a picture's lines.
    headline: the number that is raced and drawn, by its name in the records' `numbers`.
    experiment: the class of the experiments (see `nlkit.settings.Runnable`); None is the kit's own task, and then
        settings that it doesn't know are options of the method.
    besides: runs of another kind that claims and grid name as they do variants: name -> class of the experiment (None
        as above) and settings. The panel does not offer them.
    picture: variant -> its records so far, to a figure; None draws the headline by epoch.
    grid: (variant, changed settings) of the runs that a sweep makes for each of the seeds; None is each variant once.
    keep: numbers of the records that a sweep keeps, beside those that the experiments keep by themselves.
    needs: data sets that must be found, and packages as "package:NAME", by the name that pip knows; a page that
        lacks one is skipped, with the reason.
    tiny: changed settings with which a variant runs in about a second, for tests.
    panel: changed settings with which its panel starts, where a run as the claims have it takes longer than a class
        waits for.
    """

    title: str
    source: str  # authors, year, venue, and where it can be read
    finding: str  # in one sentence
    claims: tuple[Claim, ...]
    variants: Mapping[str, Mapping[str, object]]
    headline: str = "test_accuracy"
    experiment: type | None = None
    besides: Mapping[str, tuple[type | None, Mapping[str, object]]] = field(default_factory=dict)
    picture: Callable[[Mapping[str, Sequence[Any]]], Figure] | None = None
    grid: Callable[[], Iterable[tuple[str, Mapping[str, object]]]] | None = None
    keep: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    tiny: Mapping[str, object] = field(default_factory=dict)
    panel: Mapping[str, object] = field(default_factory=dict)
