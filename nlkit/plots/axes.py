"""What axes of several pictures have alike: percentages, whole numbers, names of classes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import matplotlib.ticker

from nlkit.plots.style import REFERENCE, Style
from nlkit.plots.words import first_letters, in_percent_words
from nlkit.records import Recorded

GRID = "#DDDDDD"


def percent_axis(ax, label: str) -> None:
    ax.set(ylim=(0, 100), ylabel=f"{label}, %" if label else "")
    ax.grid(axis="y", color=GRID, linewidth=0.6)
    ax.set_axisbelow(True)


def fitted_axis(ax, values: Sequence[float], label: str) -> None:
    """An axis of percentages from a little below the lowest value to a little above the highest."""
    percent_axis(ax, label)
    numbers = [value for value in values if not math.isnan(value)] or [0, 100]
    low, high = min(numbers), max(numbers)
    room = max(0.12 * (high - low), 1)
    ax.set_ylim(low - room, high + room)


def whole_ticks(axis, most: int = 6) -> None:
    """Ticks at whole and round numbers only, for what is counted: epochs, examples, images."""
    axis.set_major_locator(matplotlib.ticker.MaxNLocator(most, integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))


def class_ticks(ax, sides: str, names: Sequence[str], room: float, every: int = 1) -> None:
    """Name the classes 0 … K - 1 along the sides ("x", "y" or "xy") of axes that are `room` inches long there.

    All in full if that fits along "x"; else as many as there is room for, at equal steps, long ones shortened to what
    tells them apart.
    """
    if sides == "x" and 0.1 * (sum(map(len, names)) + len(names)) < room:  # inches that a letter takes
        ax.set_xticks(range(len(names)), names)
        return
    every = max(every, math.ceil(0.16 * len(names) / room))  # inches that a line of text takes
    first, last = [first_letters(n) for n in names], [n if len(n) <= 6 else f"…{n[-5:]}" for n in names]
    short = first if len(set(first)) >= len(set(last)) else last
    for side in sides:
        axis = ax.xaxis if side == "x" else ax.yaxis
        axis.set_ticks(range(0, len(names), every), short[::every])
    if "x" in sides:
        longest = max(map(len, names))
        fits = longest < 4 and 0.085 * longest * len(names) / every < room
        ax.tick_params(axis="x", rotation=0 if fits else 60)


def marker_every(epochs: Sequence[float]) -> int:
    return max(1, len(epochs) // 10)


def draw_line(ax, x: Sequence[float], values: Sequence[float], style: Style, **more: object) -> None:
    """A line in its style, with some ten markers."""
    look = {"color": style.color, "linestyle": style.line, "marker": style.marker, "markersize": 6}
    ax.plot(x, values, markevery=marker_every(x), **(look | more))


class Drawn(NamedTuple):
    """What `draw_runs` has drawn: the names at the ends, for `label_ends`; ends in words; all values; the last x."""

    ends: list[tuple[float, str, str]]
    told: list[str]
    values: list[float]
    last: float

    def control(self, ax, share: float, words: str, line: str = ":", told: str = "") -> None:
        """A share that needs no run, as a line across; told: its words, if they are others than at the line's end."""
        ax.axhline(100 * share, color=REFERENCE, linestyle=line, linewidth=1.5)
        self.ends.append((100 * share, f"{words} {100 * share:.1f}", REFERENCE))
        self.told.append(f"{told or words} {in_percent_words(share)}")
        self.values.append(100 * share)


def draw_runs(
    ax, runs: Mapping[str, Sequence[Recorded]], styles: Mapping[str, Style], number: str, by: str = "epoch"
) -> Drawn:
    """A line for each run, name -> records: a share of their numbers in percent, by epoch or by another number."""
    drawn = Drawn([], [], [], max((_at(run[-1], by) for run in runs.values()), default=2.0))
    for name, run in runs.items():
        values = [100 * record.numbers[number] for record in run]
        draw_line(ax, [_at(record, by) for record in run], values, styles[name], markersize=5)
        drawn.ends.append((values[-1], f"{name} {values[-1]:.1f}", styles[name].color))
        drawn.told.append(f"{name} {in_percent_words(values[-1] / 100)}")
        drawn.values.extend(values)
    return drawn._replace(last=max(2.0, drawn.last))


def _at(record: Recorded, by: str) -> float:
    return record.epoch if by == "epoch" else record.numbers[by]
