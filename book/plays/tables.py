"""Stored runs as small tidy tables: which settings were varied, at which points there are runs, and what they say."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import Field, dataclass

from nlkit.intervals import counted, over_seeds
from nlkit.sweeps.results import Result

INFINITE = "inf"  # how a file has it


@dataclass(frozen=True)
class Knob:
    """A setting that stored runs vary: its values in order, each of which has runs, and where its control starts."""

    name: str
    label: str
    values: tuple[object, ...]
    start: object
    share: bool = False  # in [0, 1], and told in percent
    number: bool = True  # and so a slider; otherwise a list to choose from

    def told(self, value: object) -> str:
        """A value as the control shows it."""
        if self.share:
            return f"{100 * value:g} %"  # type: ignore[operator]
        if isinstance(value, bool):
            return "yes" if value else "no"
        if value == INFINITE:
            return "∞"
        return f"{value:g}" if isinstance(value, (int, float)) else str(value)

    def place(self, value: object) -> int:
        return self.values.index(value)


@dataclass(frozen=True)
class Stored:
    """The runs of one variant at one point, a run a seed. `at` lacks a knob that makes no difference to the variant."""

    variant: str
    at: Mapping[str, object]
    runs: tuple[Result, ...]

    def matches(self, point: Mapping[str, object]) -> bool:
        return all(point[name] == value for name, value in self.at.items() if name in point)

    def ends(self, number: str) -> list[float]:
        """The number at the end, a value a seed."""
        return [run.last(number) for run in self.runs]

    def by_epoch(self, number: str) -> list[tuple[float, ...]]:
        """The number at each epoch, a value a seed; NaN where there was nothing to measure."""
        return list(zip(*(run.curves[number] for run in self.runs), strict=True))


def flat(settings: Mapping[str, object]) -> dict[str, object]:
    """The settings of a run, those of its method among them."""
    known = dict(settings)
    return known | dict(known.pop("options", None) or {})  # type: ignore[call-overload]


def gather(
    results: Iterable[Result], variant_of: Callable[[Result], str], at_of: Callable[[Result], Mapping[str, object]]
) -> list[Stored]:
    """The runs by variant and by point, seeds in order: of each seed one, the first, where two sweeps hold it."""
    groups: dict[tuple, tuple[str, Mapping[str, object], dict[int, Result]]] = {}
    for result in results:
        variant, at = variant_of(result), at_of(result)
        by_seed = groups.setdefault((variant, *sorted(at.items())), (variant, at, {}))[2]
        by_seed.setdefault(result.experiment.seed, result)
    return [Stored(variant, at, tuple(runs[seed] for seed in sorted(runs))) for variant, at, runs in groups.values()]


def knob_of(name: str, field: Field, values: Iterable[object], start: object) -> Knob:
    """The knob of a setting, in the words of its control in a panel; its values in order."""
    found, choices, told = set(values), field.metadata["choices"], field.metadata
    number = all(isinstance(v, (int, float)) and not isinstance(v, bool) or v == INFINITE for v in found)
    share = number and choices is None and isinstance(field.default, float) and (told["low"], told["high"]) == (0, 1)
    order = (lambda value: choices.index(value)) if choices is not None and not number else float
    return Knob(name, name.replace("_", " "), tuple(sorted(found, key=order)), start, share, number)


def points_of(stored: Sequence[Stored], knobs: Sequence[Knob]) -> list[dict[str, object]]:
    """Where there are runs: all values of the knobs, first the start. What lacks a knob is taken to be at its start."""
    start = {knob.name: knob.start for knob in knobs}
    found = [start | {name: value for name, value in one.at.items() if name in start} for one in stored]
    places = {tuple(knob.place(point[knob.name]) for knob in knobs): point for point in found}
    first = tuple(knob.place(knob.start) for knob in knobs)
    return [places[at] for at in sorted(places, key=lambda at: (at != first, at))]


def grid(knobs: Sequence[Knob]) -> list[dict[str, object]]:
    """Every combination of the knobs' values."""
    return [
        dict(zip((knob.name for knob in knobs), values)) for values in itertools.product(*(k.values for k in knobs))
    ]


def columns(one: Stored, knobs: Sequence[Knob]) -> dict[str, int | None]:
    """Where runs stand on each knob, as the columns of a table: its place, or None where it makes no difference."""
    return {
        f"k{turn}": knob.place(one.at[knob.name]) if knob.name in one.at else None for turn, knob in enumerate(knobs)
    }


def curve_table(stored: Sequence[Stored], knobs: Sequence[Knob], number: str) -> list[dict[str, object]]:
    """A row an epoch of each variant at each point: mean over seeds, lowest and highest, in percent."""
    rows: list[dict[str, object]] = []
    for one in stored:
        where = {"variant": one.variant, **columns(one, knobs)}
        for epoch, values in enumerate(one.by_epoch(number), start=1):
            if not any(map(math.isnan, values)):
                numbers = {"mean": math.fsum(values) / len(values), "low": min(values), "high": max(values)}
                rows.append({**where, "epoch": epoch, **{n: round(100 * value, 2) for n, value in numbers.items()}})
    return rows


def end_table(stored: Sequence[Stored], knobs: Sequence[Knob], number: str) -> list[dict[str, object]]:
    """A row of each variant at each point: the number at the end, the mean over seeds and its 95 % interval."""
    rows = []
    for one in stored:
        mean, half = over_seeds(one.ends(number))
        half = 0.0 if math.isnan(half) else half  # one run has no interval
        numbers = {"mean": mean, "low": mean - half, "high": mean + half}
        rows.append({"variant": one.variant, **columns(one, knobs), **{n: f"{v:.6g}" for n, v in numbers.items()}})
    return rows


def point_in_words(point: Mapping[str, object], knobs: Sequence[Knob], stored: Sequence[Stored]) -> str:
    """Such as "noise ratio 40 %, clean per class 10, 5 seeds"."""
    told = [f"{knob.label} {knob.told(point[knob.name])}" for knob in knobs]
    return ", ".join([*told, counted(len(one.runs) for one in stored)])
