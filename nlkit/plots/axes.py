"""What axes of several pictures have alike: percentages, whole numbers, names of classes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import matplotlib.ticker

from nlkit.plots.style import Style
from nlkit.plots.words import first_letters

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
