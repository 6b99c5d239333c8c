"""Where the runs of a sweep end, by one of their settings: a line for each of the others, and a band over seeds."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

from nlkit.checks import check_choice
from nlkit.intervals import Interval, over_seeds
from nlkit.plots.axes import GRID, draw_line, fitted_axis
from nlkit.plots.figure import Figure, picture
from nlkit.plots.places import label_ends
from nlkit.plots.style import styles_of
from nlkit.plots.words import end_of, short_name

if TYPE_CHECKING:
    from nlkit.sweeps.results import Result, Sweep

_FEW = 15  # values of a setting that have a tick each
_LETTERS = 60  # of the name of a line
_ROOM = 50  # letters that stand side by side below the axis


@picture
def by_setting(
    sweep: Sweep,
    by: str,
    number: str = "test_accuracy",
    *,
    best: bool = False,
    where: Mapping[str, object] | None = None,
    title: str = "",
) -> Figure:
    """One number at the end of each run, by one setting: mean over seeds as a line, its 95 % interval as a band.

    There is a line for each combination of the other settings in which the runs differ, options of methods among them.

    by: the setting along the axis; its values are numbers, or names, which stand in the order in which they come.
    number: one of those that the results keep; one whose values all lie in [0, 1] is shown in percent. best: its
        highest value of all epochs, in place of the last. where: settings that runs must have to be drawn.

    Raises a ValueError for a setting or a number that is not known, or when no run is left.
    """
    where = where or {}
    every = [(_flat(result), result) for result in sweep.results]
    for name in (by, *where):
        check_choice("setting", name, {name for settings, _ in every for name in settings})
    rows = [(settings, result) for settings, result in every if _has(settings, where)]
    if not rows:
        told = f" with {', '.join(f'{name}={value!r}' for name, value in where.items())}" if where else ""
        raise ValueError(f"the sweep has no result{told}")
    check_choice("number", number, {name for _, result in rows for name in result.curves})
    rows = [(settings, result) for settings, result in rows if by in settings and number in result.curves]
    lines = _lines(rows, by, number, best)
    shares = all(0 <= v <= 1 for line in lines.values() for runs in line.values() for v in runs if not math.isnan(v))
    scale = 100 if shares else 1
    places, ticks = _places([settings[by] for settings, _ in rows])
    figure = Figure(figsize=(10, 4.6), layout="constrained")
    ax, styles, ends, told, drawn = figure.subplots(), styles_of(list(lines)), [], [], []
    for name, line in lines.items():
        at = sorted(line, key=places.__getitem__)
        x, belt = [places[value] for value in at], [_interval(line[value], scale) for value in at]
        mean, color = [interval.mean for interval in belt], styles[name].color
        low, high = ([m if math.isnan(i.half) else end for m, i, end in zip(mean, belt, ends_)] for ends_ in (
            [i.low for i in belt], [i.high for i in belt]))  # fmt: skip
        ax.fill_between(x, low, high, color=color, alpha=0.15, linewidth=0)
        draw_line(ax, x, mean, styles[name])
        drawn += [*low, *high]
        short = short_name(name, _LETTERS)
        ends.append((end_of(mean), f"{short} {end_of(mean):.3g}", color))
        told.append(f"{short}: " + ", ".join(f"{v:.3g} at {_word(value)}" for v, value in zip(mean, at)))
    label_ends(ax, [*places.values()], ends)
    what = f"{'best ' if best else ''}{number.replace('_', ' ')}"
    if shares:
        fitted_axis(ax, [min(max(value, 0), 100) for value in drawn], what)  # an interval of few seeds may go beyond
    else:
        ax.set_ylabel(what)
        ax.grid(axis="y", color=GRID, linewidth=0.6)
    if len(ticks) <= _FEW:
        ax.set_xticks(list(ticks.values()), list(ticks))
        if sum(map(len, ticks)) > _ROOM:
            ax.tick_params(axis="x", rotation=20)
    most = max(len(runs) for line in lines.values() for runs in line.values())
    over = f" (line: mean of {most} runs, band: 95 % interval)" if most > 1 else ""
    ax.set(xlabel=f"{by.replace('_', ' ')}{over}", title=title)
    figure.alt = f"{what}{' in percent' if shares else ''} by {by.replace('_', ' ')}. {'; '.join(told)}."
    return figure


def _flat(result: Result) -> dict[str, Any]:
    """The settings of a run, with the options of its method among them, and without its seed."""
    settings = dict(result.settings)
    options = settings.pop("options", {})
    settings.pop("seed", None)
    return {**settings, **(options if isinstance(options, Mapping) else {})}


def _has(settings: Mapping[str, Any], where: Mapping[str, object]) -> bool:
    return all(name in settings and settings[name] == value for name, value in where.items())


def _lines(
    rows: list[tuple[dict[str, Any], Result]], by: str, number: str, best: bool
) -> dict[str, dict[Hashable, list[float]]]:
    """Name of a line -> value of the setting -> the number, a value for each seed."""
    differ = _differing([settings for settings, _ in rows], by)
    found: dict[str, dict[Hashable, list[float]]] = {}
    for settings, result in rows:
        own = [_told(name, settings[name]) for name in differ if name in settings]
        line = found.setdefault(", ".join(own) or number.replace("_", " "), {})
        value = result.highest(number) if best else result.last(number)
        line.setdefault(_hashable(settings[by]), []).append(value)
    return found


def _differing(rows: list[dict[str, Any]], by: str) -> list[str]:
    """The settings that runs with the same value of `by` differ in; one that follows from those before it is left out.

    So options of methods, and what a recipe supplies, are named only where they are varied.
    """
    names = dict.fromkeys(name for settings in rows for name in settings if name != by)
    found: list[str] = []
    alike = [_word(settings[by]) for settings in rows]  # what is told of each run so far
    for name in names:
        finer = [f"{told}, {_word(settings.get(name))}" for told, settings in zip(alike, rows)]
        if len(set(finer)) > len(set(alike)):
            found.append(name)
            alike = finer
    return found


def _told(name: str, value: object) -> str:
    """A setting in the name of a line: a name says by itself what it is."""
    return _word(value) if isinstance(value, str) else f"{name.replace('_', ' ')} {_word(value)}"


def _word(value: object) -> str:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return f"{value:g}" if number else str(value).replace("_", " ")


def _hashable(value: object) -> Hashable:
    return value if isinstance(value, (int, float, str, bool)) else str(value)


def _interval(values: list[float], scale: float) -> Interval:
    if any(map(math.isnan, values)):
        return Interval(math.nan, math.nan)
    return over_seeds([scale * value for value in values])


def _places(values: list[Any]) -> tuple[dict[Hashable, float], dict[str, float]]:
    """Where the values of a setting stand along the axis, and what the ticks there say."""
    found = list(dict.fromkeys(map(_hashable, values)))
    if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in found):
        places = {value: float(value) for value in sorted(found)}  # type: ignore[type-var,arg-type]
    else:
        places = {value: float(place) for place, value in enumerate(found)}
    return places, {_word(value): place for value, place in places.items()}
